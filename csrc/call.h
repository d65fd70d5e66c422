/* call: a whole call as one state machine: its requests side by side, their tries, pauses and
** pace. What arrives comes out as a queue of pieces, in order for each request. Decides when,
** never what it means. Knows no Lua, so it can live in a thread. */
#ifndef TR_CALL_H
#define TR_CALL_H

#include <stddef.h>

#include "source.h"
#include "tally.h"

/* Filled by whoever starts a call, taken over by tr_call_new: all texts come from tr_realloc. */
struct tr_plan {
  struct tr_endpoint endpoint;
  char *credential; /* whose quota counts; also what must show nowhere */
  char **bodies;    /* one JSON text a request */
  unsigned requests;
  unsigned concurrency;
  int retries;
  int quota;
  double timeout;         /* seconds for the whole call, from tr_call_new on */
  double try_timeout;     /* seconds for one try, then it is tried again; 0: none of its own */
  struct tr_tally *tally; /* counts each try that is sent; NULL: nobody wants to know */
};

void tr_plan_cleanup(struct tr_plan *plan); /* wipes what is secret */

/* A source whose pieces are slices and tries; its cancellation gives each request that was not
** done a final piece of kind TR_CANCELLED. Takes the plan over in any case. NULL: out of memory. */
struct tr_source *tr_call_new(struct tr_plan *plan, struct tr_place place);

#endif
