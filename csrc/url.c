/* url: where credentials may go; see url.h. */
#include "url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int url_part(CURLU *url, CURLUPart part, char *out, size_t size, int *is_short) {
  char *text = NULL;
  CURLUcode status = curl_url_get(url, part, &text, 0);
  if (status == CURLUE_OUT_OF_MEMORY) *is_short = 1;
  if (status != CURLUE_OK) return 0;
  int fits = strlen(text) < size;
  snprintf(out, size, "%s", text);
  curl_free(text);
  return fits;
}

static int is_loopback(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  char bare[64];
  if (strcasecmp(host, "localhost") == 0) return 1;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  size_t length = strlen(host);
  if (length < 3 || length >= sizeof bare || host[0] != '[') return 0;
  memcpy(bare, host + 1, length - 2);
  bare[length - 2] = '\0';
  return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* With *is_short set the answer means nothing: memory ran out. */
static const char *url_fault(const char *text, int insecure, int *is_short) {
  char scheme[16], host[300], ignored[8];
  CURLU *url = curl_url();
  CURLUcode status = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;
  const char *fault = NULL;
  if (status == CURLUE_OUT_OF_MEMORY)
    *is_short = 1;
  else if (status != CURLUE_OK)
    fault = "not a URL; it looks like https://api.cloudflare.com/client/v4";
  else if (!url_part(url, CURLUPART_SCHEME, scheme, sizeof scheme, is_short) ||
           (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
    fault = "must begin with https://";
  else if (!url_part(url, CURLUPART_HOST, host, sizeof host, is_short))
    fault = "has no usable host name";
  else if (url_part(url, CURLUPART_USER, ignored, sizeof ignored, is_short) || strchr(text, '@'))
    fault = "must not hold a user name; pass token, or email and key";
  else if (strpbrk(text, "?#"))
    fault = "must not hold a query or a fragment";
  else if (strcmp(scheme, "http") == 0 && !insecure && !is_loopback(host))
    fault =
        "plain http would show the credentials to the network; use https, or say insecure = true";
  curl_url_cleanup(url);
  return fault;
}

int tr_url_check(const char *url, int insecure, struct tr_error *error) {
  int is_short = 0;
  const char *fault = url_fault(url, insecure, &is_short);
  if (is_short) return 1;
  if (!fault) return 0;
  tr_error_set(error, TR_INVALID_REQUEST, "%s", fault);
  snprintf(error->path, sizeof error->path, "base_url");
  return -1;
}

int tr_url_check_proxy(const char *text, struct tr_error *error) {
  static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  char scheme[16] = "";
  int is_short = 0;
  if (*text == '\0') return 0;
  CURLU *url = curl_url();
  CURLUcode status =
      url ? curl_url_set(url, CURLUPART_URL, text, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME)
          : CURLUE_OUT_OF_MEMORY;
  if (status == CURLUE_OUT_OF_MEMORY) is_short = 1;
  int is_fine =
      status == CURLUE_OK && url_part(url, CURLUPART_SCHEME, scheme, sizeof scheme, &is_short);
  curl_url_cleanup(url);
  if (is_short) return 1;
  for (size_t i = 0; is_fine && i < sizeof known / sizeof known[0]; i++)
    if (strcmp(scheme, known[i]) == 0) return 0;
  tr_error_set(error, TR_INVALID_REQUEST,
               "not a proxy's URL; it looks like http://proxy.example:3128, or \"\" for none");
  snprintf(error->path, sizeof error->path, "proxy");
  return -1;
}

int tr_url_is_direct(const char *url, int insecure) {
  return strncasecmp(url, "http:", 5) == 0 && !insecure;
}
