/* call: a whole call as one state machine: its requests side by side, their tries, pauses and
** pace. What arrives comes out as a queue of pieces, in order for each request. Decides when,
** never what it means. Knows no Lua, so it can live in a thread. */
#ifndef TR_CALL_H
#define TR_CALL_H

#include <stddef.h>

#include "outbox.h"
#include "thread.h"

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

struct tr_call;

/* Where a call lives: `thread`, or if that is NULL the caller's `reactor`. */
struct tr_place {
  struct tr_reactor *reactor;
  struct tr_thread *thread;
};

/* Takes the plan over in any case. NULL: out of memory. */
struct tr_call *tr_call_new(struct tr_plan *plan, struct tr_place place);

/* Ends what runs; undelivered pieces are lost. The call is gone for the caller, if not at once for its
** thread. NULL is fine. */
void tr_call_free(struct tr_call *call);

void tr_call_start(struct tr_call *call);

/* Ends what runs and sends nothing more; what was received stays in the outbox. Each request that was
** not done gets a final piece of kind TR_CANCELLED with that message. Idempotent; done on return unless
** the call lives in a thread. */
void tr_call_cancel(struct tr_call *call, const char *message);

/* The same for whoever runs where the call lives. */
void tr_call_hang_up(struct tr_call *call);

/* The next piece, the caller's to free; NULL: none now. */
struct tr_piece *tr_call_next(struct tr_call *call);

/* Where the pieces come out, for all other questions. It is closed when all requests are done. */
struct tr_outbox *tr_call_outbox(struct tr_call *call);

const char *tr_call_credential(const struct tr_call *call);

#endif
