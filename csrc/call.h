/* call: a whole call as one state machine: its requests side by side, their tries, pauses and
** pace. What arrives comes out as a queue of pieces, in order for each request. Decides when,
** never what it means. Knows no Lua, so it can live in a thread. */
#ifndef TR_CALL_H
#define TR_CALL_H

#include <stddef.h>

#include "exchange.h"

/* Filled by whoever starts a call, taken over by tr_call_new: all texts come from tr_realloc. */
struct tr_plan {
  struct tr_endpoint endpoint;
  char *credential; /* whose quota counts; also what must show nowhere */
  char **bodies;    /* one JSON text a request */
  unsigned requests;
  unsigned concurrency;
  int retries;
  int quota;
  double timeout;     /* seconds for the whole call */
  double try_timeout; /* seconds for one try, then it is tried again; 0: none of its own */
};

void tr_plan_cleanup(struct tr_plan *plan); /* wipes what is secret */

enum tr_piece_kind {
  TR_PIECE_SLICE, /* a colo result: its text */
  TR_PIECE_TRY    /* a try ended: its report; `final` if the request is thereby done */
};

struct tr_piece {
  enum tr_piece_kind kind;
  unsigned request;             /* from 0 */
  unsigned index, target, colo; /* of a slice: see slicer.h; from 0 */
  char *text;                   /* of a slice */
  size_t length;
  struct tr_report report;
  int final;
  unsigned attempts;     /* tries of this request so far */
  struct tr_piece *next; /* private */
};

void tr_piece_free(struct tr_piece *piece);

struct tr_call;

/* Takes the plan over in any case. NULL: out of memory. */
struct tr_call *tr_call_new(struct tr_plan *plan, struct tr_reactor *reactor);
void tr_call_free(struct tr_call *call); /* ends what runs; undelivered pieces are lost */

void tr_call_start(struct tr_call *call);

/* Ends what runs and sends nothing more; what was received stays in the queue. Each request that
** was not done gets a final piece of kind TR_CANCELLED with that message. Idempotent. */
void tr_call_cancel(struct tr_call *call, const char *message);

/* The next piece, the caller's to free; NULL: none now. */
struct tr_piece *tr_call_next(struct tr_call *call);

int tr_call_has_pieces(const struct tr_call *call);
int tr_call_is_done(const struct tr_call *call); /* all requests are done (pieces may be left) */

/* Lack of memory that cost a piece: the call is then over. */
int tr_call_is_out_of_memory(const struct tr_call *call);

size_t tr_call_bytes(const struct tr_call *call); /* received so far, after decompression */
const char *tr_call_credential(const struct tr_call *call);

/* Called whenever a piece was queued, from tr_reactor_run or tr_call_cancel. */
void tr_call_notify(struct tr_call *call, void (*queued)(void *arg), void *arg);

#endif
