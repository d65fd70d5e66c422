/* headers: what the header lines of an answer say that a call goes by: when to come again, which
** ray it was, where it points to instead. Reads a date as libcurl does, and opens nothing. Every
** byte is taken for hostile. Knows no Lua. */
#ifndef TR_HEADERS_H
#define TR_HEADERS_H

#include <stddef.h>

#include "error.h"

#define TR_HEADERS_MAX 262144 /* bytes of lines, those of hints and of a proxy included */
#define TR_HEADER_VALUE_MAX 128

struct tr_headers {
  size_t bytes;         /* of all lines, so far */
  int should_retry;     /* x-should-retry: 1, 0, -1 absent */
  double retry_after;   /* seconds, below 0 absent */
  char ray[TR_RAY_MAX]; /* safe to show, "" if none, like the rest */
  char ratelimit[TR_HEADER_VALUE_MAX];
  char location[TR_HEADER_VALUE_MAX]; /* safe to show, without its query */
  int has_retry_after_ms; /* private: it goes before retry-after, whichever comes first */
};

/* As before the first line. */
void tr_headers_init(struct tr_headers *headers);

/* Takes in a line with its end; the line of a status begins anew, and no NUL need follow. What is
** safe to show does not hold the secret (NULL: none). 0, or -1: they are more than TR_HEADERS_MAX. */
int tr_headers_take(struct tr_headers *headers, const char *line, size_t length,
                    const char *secret);

#endif
