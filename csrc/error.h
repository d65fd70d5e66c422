/* error: the kinds of failure, their messages, and keeping secrets out of them. Knows no Lua:
** errtable turns one into what a script sees. */
#ifndef TR_ERROR_H
#define TR_ERROR_H

#include <stddef.h>

#define TR_MESSAGE_MAX 512
#define TR_PATH_MAX 160
#define TR_RAY_MAX 64
#define TR_REDACT_MIN 4 /* bytes of a secret; what is shorter would blot out common words */

enum tr_kind {
  TR_NONE,
  TR_INVALID_REQUEST,
  TR_AUTHENTICATION,
  TR_PERMISSION,
  TR_NOT_FOUND,
  TR_RATE_LIMIT,
  TR_API,
  TR_SERVER,
  TR_CONNECTION,
  TR_TIMEOUT,
  TR_INVALID_RESPONSE,
  TR_CANCELLED,
  TR_KINDS
};

struct tr_error {
  enum tr_kind kind;
  int status;                   /* HTTP status, 0 if none */
  int attempts;                 /* tries made, 0 if nothing was sent */
  double retry_after;           /* seconds, below 0 if unknown */
  char ray[TR_RAY_MAX];         /* cf-ray, "" if none */
  char path[TR_PATH_MAX];       /* which argument or field, "" if none */
  char message[TR_MESSAGE_MAX]; /* one line, safe to show */
};

void tr_error_clear(struct tr_error *e);

/* Sets kind and message and nothing else. The message is cut at its bound between two characters
** and made one printable line: white space becomes spaces; control characters, those that turn
** the direction of writing, and bytes that are not UTF-8 become '?'. The old message may be an
** argument. */
void tr_error_set(struct tr_error *e, enum tr_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *tr_kind_name(enum tr_kind kind); /* "timeout", …; "none" for TR_NONE */

/* The kind that an HTTP status stands for when the service said no. */
enum tr_kind tr_kind_of_status(int status);

/* Overwrites each occurrence of `secret` (TR_REDACT_MIN bytes or longer) in the text with
** asterisks, and a beginning of it, as long, at the text's end, where the text may have been cut.
** The text may hold any bytes. */
void tr_redact(char *text, size_t length, const char *secret);

/* A printable, one-line excerpt of hostile bytes: control characters and bytes that are not
** UTF-8 become '?'; markup tags are left out and count as white space; runs of white space
** become one space, none at the ends; at most size - 1 bytes, cut between characters. */
void tr_excerpt(char *out, size_t size, const char *bytes, size_t length);

/* One of bytes in which a secret is blotted out first, so that no beginning of it is left. */
void tr_excerpt_without(char *out, size_t size, char *bytes, size_t length, const char *secret);

#endif
