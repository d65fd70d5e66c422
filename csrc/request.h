/* request: what a script passes to create or start, checked in full, as a plan: URL, headers and
** JSON bodies of at most ten targets each. Nothing is opened or sent here. */
#ifndef TR_REQUEST_H
#define TR_REQUEST_H

#include "call.h"
#include "schema.h"

#define TR_TARGETS_PER_REQUEST 10 /* the service's bound */

struct tr_request {    /* zeroed before */
  struct tr_plan plan; /* the caller cleans it up, whatever happens */
  enum tr_validate validate;
  int is_preview; /* set by the caller: nothing will be sent, so no credentials are needed */
};

/* Reads account, targets and opts at stack places 1, 2 and 3 (nil where absent), where copies may
** come to stand. On success pushes two values, the array of targets without repeats (request i has
** those from i * 10 + 1 on) and on_progress or nil, and returns 0; else -1 with *error set. Raises
** only for lack of memory. */
int tr_request_read(lua_State *L, struct tr_request *request, struct tr_error *error);

#endif
