/* A bare libcurl loop, as fast as a C program that throws the answers away: what is printed is
** calls a second, once they are in flight on a kept-alive connection.
**   loop one COUNT     one after the other
**   loop many COUNT    all at once
** BASE_URL and BODY say what. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP 20

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static size_t forget(char *bytes, size_t one, size_t length, void *arg) {
  (void)bytes;
  (void)one;
  *(size_t *)arg += length;
  return length;
}

static void fail(const char *why) {
  fprintf(stderr, "loop: %s\n", why);
  exit(1);
}

static CURL *make(const char *url, struct curl_slist *headers, size_t *bytes) {
  CURL *easy = curl_easy_init();
  if (!easy) fail("no memory");
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, getenv("BODY"));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, bytes);
  return easy;
}

static void run_one(CURL *easy, int count) {
  while (count-- > 0)
    if (curl_easy_perform(easy) != CURLE_OK) fail("a call failed");
}

static void run_many(CURLM *multi, CURL **easies, int count) {
  int running, left, done = 0;
  CURLMsg *message;
  for (int i = 0; i < count; i++)
    curl_multi_add_handle(multi, easies[i]);
  do {
    curl_multi_perform(multi, &running);
    while ((message = curl_multi_info_read(multi, &left))) {
      if (message->data.result != CURLE_OK) fail("a call failed");
      curl_multi_remove_handle(multi, message->easy_handle);
      done++;
    }
    if (done < count) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  } while (done < count);
}

int main(int argc, char **argv) {
  char url[512];
  size_t bytes = 0;
  if (argc != 3 || !getenv("BASE_URL") || !getenv("BODY")) fail("usage");
  int count = (int)strtol(argv[2], NULL, 10), is_many = strcmp(argv[1], "many") == 0;
  int handles = is_many ? count : 1;
  snprintf(url, sizeof url, "%s/accounts/account/diagnostics/traceroute", getenv("BASE_URL"));
  struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer x");
  headers = curl_slist_append(headers, "Content-Type: application/json");
  CURLM *multi = curl_multi_init();
  CURL **easies = calloc((size_t)handles, sizeof *easies);
  if (!easies || !multi) fail("no memory");
  for (int i = 0; i < handles; i++)
    easies[i] = make(url, headers, &bytes);
  if (is_many)
    run_many(multi, easies, 1);
  else
    run_one(easies[0], WARM_UP);
  double began = now();
  if (is_many)
    run_many(multi, easies, count);
  else
    run_one(easies[0], count);
  printf("%.6f\n", count / (now() - began));
  for (int i = 0; i < handles; i++)
    curl_easy_cleanup(easies[i]);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  free(easies);
  return 0;
}
