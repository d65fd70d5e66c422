/* verdict: what is said of an exchange that did not go well, and whether another try may mend it.
** Knows libcurl's results, why a text cannot be taken, and which option is to be looked at; it has
** no handle and no answer at hand. Knows no Lua. */
#ifndef TR_VERDICT_H
#define TR_VERDICT_H

#include <stddef.h>

#include "error.h"
#include "retry.h"
#include "slicer.h"

/* How a transfer ended. */
struct tr_ending {
  int result;             /* a CURLcode */
  int system_error;       /* an errno: what the system could not give, 0: nothing */
  const char *words;      /* libcurl's own about it, "" if none */
  int is_connected;       /* far enough to send the request */
  int is_paused;          /* it had been told to wait with the rest of the body */
  int proxy_status;       /* of a proxy's answer to CONNECT, 0: none */
  size_t bytes;           /* of the body that came */
  double connect_timeout; /* how many seconds were allowed for connecting … */
  double timeout;         /* … and for everything … */
  double option;          /* … by an option of so many … */
  int is_try;             /* … try_timeout; 0: timeout, of which less may be left */
};

/* The outcome, and in *error what to say of one that is no answer; nothing of CURLE_WRITE_ERROR,
** which the caller asked for. *is_short is set if memory ran out. */
enum tr_outcome tr_verdict_of_transfer(const struct tr_ending *ending, struct tr_error *error,
                                       int *is_short);

/* Of an answer that came, and is refused: why. */
void tr_verdict_of_headers(struct tr_error *error);                /* more than TR_HEADERS_MAX */
void tr_verdict_of_size(struct tr_error *error, size_t max_bytes); /* more than these */
void tr_verdict_of_redirect(struct tr_error *error, int status, const char *location);

/* A text with a fault at that offset; `head` is how it begins, with nothing secret in it. */
void tr_verdict_of_text(struct tr_error *error, enum tr_slicer_fault fault, size_t offset,
                        const char *head, size_t length);

#endif
