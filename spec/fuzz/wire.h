/* wire: an exchange without its network: the very code of csrc/exchange.c, whose callbacks are
** called here in libcurl's place, with the status that a target says. Knows exchange's inside, and
** no Lua. */
#ifndef TR_FUZZ_WIRE_H
#define TR_FUZZ_WIRE_H

#include <curl/curl.h>

#include "fuzz.h"

static long wire_status; /* 0: no answer */

/* Status and time of the connection are all that exchange asks libcurl for while it runs. */
static CURLcode wire_getinfo(CURLINFO what, void *out) {
  if (what == CURLINFO_RESPONSE_CODE) *(long *)out = wire_status;
  if (what == CURLINFO_PRETRANSFER_TIME_T) *(curl_off_t *)out = wire_status != 0;
  return CURLE_OK;
}

#undef curl_easy_getinfo
#define curl_easy_getinfo(easy, what, out) ((void)(easy), wire_getinfo(what, out))
#include "exchange.c" /* NOLINT(bugprone-suspicious-include): its callbacks are static */
#undef curl_easy_getinfo

/* A header line as libcurl hands it over: with its line end, and no NUL. */
static inline void wire_header(struct tr_exchange *x, struct fuzz_input line) {
  char *copy = malloc(line.left + 2);
  FUZZ_CHECK(copy);
  if (line.left) memcpy(copy, line.at, line.left);
  memcpy(copy + line.left, "\r\n", 2);
  FUZZ_CHECK(on_header(copy, 1, line.left + 2, x) == line.left + 2);
  free(copy);
}

/* The body in pieces of that size (0: one). Returns what libcurl would end with. */
static inline CURLcode wire_body(struct tr_exchange *x, struct fuzz_input body, size_t size) {
  while (body.left) {
    size_t part = size && size < body.left ? size : body.left;
    char *copy = fuzz_copy(body.at, part);
    size_t taken = on_body(copy, 1, part, x);
    free(copy);
    if (taken != part) return CURLE_WRITE_ERROR;
    body.at += part;
    body.left -= part;
  }
  return CURLE_OK;
}

static inline void wire_end(struct tr_exchange *x, CURLcode result) {
  on_ended(x, (int)result);
}

#endif
