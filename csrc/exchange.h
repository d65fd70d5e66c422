/* exchange: one HTTP exchange. It sends one body, takes in one answer with every bound kept, and
** reports how it went. It does not decide whether to try again, and does not know what the
** answer means beyond its status, a few headers and where its slices are. Knows no Lua. */
#ifndef TR_EXCHANGE_H
#define TR_EXCHANGE_H

#include <stddef.h>

#include "error.h"
#include "headers.h"
#include "reactor.h"
#include "retry.h"
#include "slicer.h"

#define TR_HEAD_MAX 512              /* first bytes of an answer, kept for an excerpt */
#define TR_REFUSAL_BYTES_MAX 1048576 /* how much of an answer other than 2xx is taken in */

/* What is the same for all exchanges of a call; outlives them. NULL: libcurl's default. */
struct tr_endpoint {
  char *url;
  char **headers; /* "Name: value" lines, NULL-ended */
  char *proxy;    /* "": none */
  char *ca_file;
  char *user_agent;
  const char *secret; /* must show in nothing that a report says */
  int insecure;       /* credentials may go over plain http */
  double connect_timeout;
  size_t max_bytes; /* of an answer, after decompression */
};

/* How an exchange went. */
struct tr_report {
  enum tr_outcome outcome;
  int status;     /* 0: no answer */
  int whole;      /* the answer is a complete JSON text of a 2xx status */
  double seconds; /* from start to end */
  size_t bytes;   /* of the body, after decompression */
  struct tr_headers headers;
  int out_of_memory;
  struct tr_error error;  /* what to say of it where it is a failure of the exchange itself */
  char head[TR_HEAD_MAX]; /* printable beginning of an answer that is not JSON, else "" */
  struct tr_buffer
      envelope; /* of a JSON answer, mended if it broke off; moved to whoever takes it */
};

void tr_report_cleanup(struct tr_report *report);

struct tr_exchange;

/* The functions are called where the reactor runs. `slice` takes over the text (tr_free) and
** returns 0, or -1 to end the exchange as out of memory. While `is_full` says so, nothing more
** is taken in until tr_exchange_resume. `ended` is the last call; the exchange may be freed in
** it. */
struct tr_sink {
  int (*slice)(void *arg, char *text, size_t length, const struct tr_slicer *where);
  int (*is_full)(void *arg);
  void (*ended)(void *arg);
  void *arg;
};

/* NULL: out of memory. */
struct tr_exchange *tr_exchange_new(const struct tr_endpoint *endpoint, struct tr_sink sink);
void tr_exchange_free(struct tr_exchange *x); /* ends it if it runs, without a call to `ended` */

/* Goes on taking in, if it had stopped. */
void tr_exchange_resume(struct tr_exchange *x);

/* Ends it now, without a call to `ended`, and settles its report with what arrived. */
void tr_exchange_abandon(struct tr_exchange *x);

/* How long it may take. */
struct tr_allowance {
  double seconds;
  double option; /* as many, or more of which these are left */
  int is_try;    /* the option is try_timeout; 0: timeout */
};

/* Sends `body`, which stays the caller's and must live until the end. 0, or -1: out of memory. */
int tr_exchange_start(struct tr_exchange *x, struct tr_reactor *r, const char *body, size_t length,
                      struct tr_allowance allowed);

/* Valid once ended; the receiver may move its envelope out. */
struct tr_report *tr_exchange_report(struct tr_exchange *x);

#endif
