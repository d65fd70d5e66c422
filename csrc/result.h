/* result: what a call comes to, once all its pieces were taken in: the results in the order
** asked for, one error for what did not arrive, and how each request went. No I/O. */
#ifndef TR_RESULT_H
#define TR_RESULT_H

#include "response.h"

/* Pushes result, err and info as `create` returns them, from the state of response. */
void tr_result_push(lua_State *L, int state, const struct tr_response *r);

#endif
