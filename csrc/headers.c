/* headers: what the header lines of an answer say that a call goes by; see headers.h. */
#include "headers.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "retry.h"

static int header_value(const char *line, size_t length, const char *name, char *out, size_t size) {
  size_t name_length = strlen(name);
  if (length <= name_length || line[name_length] != ':' ||
      strncasecmp(line, name, name_length) != 0)
    return 0;
  line += name_length + 1;
  length -= name_length + 1;
  while (length && (*line == ' ' || *line == '\t')) {
    line++;
    length--;
  }
  while (length &&
         (line[length - 1] == '\r' || line[length - 1] == '\n' || line[length - 1] == ' '))
    length--;
  if (length >= size) length = size - 1;
  memcpy(out, line, length);
  out[length] = '\0';
  return 1;
}

/* Seconds, or a date; below 0: neither. */
static double retry_after(const char *value) {
  double seconds = tr_retry_seconds(value, 1);
  if (seconds >= 0) return seconds;
  time_t then = curl_getdate(value, NULL);
  if (then == (time_t)-1) return -1;
  struct timespec now; /* time() would be up to a tick behind, and a whole second with it */
  clock_gettime(CLOCK_REALTIME, &now);
  double left = difftime(then, now.tv_sec) - (double)now.tv_nsec / 1e9;
  return left > 0 ? left : 0;
}

static void take_retry_after_ms(struct tr_headers *h, const char *value) {
  double seconds = tr_retry_seconds(value, 0.001);
  if (seconds < 0) return;
  h->retry_after = seconds;
  h->has_retry_after_ms = 1;
}

/* Of the answer before (100 Continue, say) nothing is left but how long it was. */
static void forget(struct tr_headers *h) {
  h->ray[0] = h->ratelimit[0] = h->location[0] = '\0';
  h->retry_after = h->should_retry = -1;
  h->has_retry_after_ms = 0;
}

void tr_headers_init(struct tr_headers *headers) {
  headers->bytes = 0;
  forget(headers);
}

int tr_headers_take(struct tr_headers *h, const char *line, size_t length, const char *secret) {
  char value[TR_HEADER_VALUE_MAX];
  h->bytes += length;
  if (h->bytes > TR_HEADERS_MAX) return -1;
  if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
    forget(h);
  else if (header_value(line, length, "cf-ray", value, sizeof value))
    tr_excerpt_without(h->ray, sizeof h->ray, value, strlen(value), secret);
  else if (header_value(line, length, "ratelimit", value, sizeof value))
    memcpy(h->ratelimit, value, sizeof value);
  else if (header_value(line, length, "retry-after-ms", value, sizeof value))
    take_retry_after_ms(h, value);
  else if (!h->has_retry_after_ms && header_value(line, length, "retry-after", value, sizeof value))
    h->retry_after = retry_after(value);
  else if (header_value(line, length, "x-should-retry", value, sizeof value))
    h->should_retry = strcmp(value, "true") == 0 ? 1 : strcmp(value, "false") == 0 ? 0 : -1;
  else if (header_value(line, length, "location", value, sizeof value))
    tr_excerpt_without(h->location, sizeof h->location, value, strcspn(value, "?#"), secret);
  return 0;
}
