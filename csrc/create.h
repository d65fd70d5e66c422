/* create: from a script's arguments to a running job that asks the service, and from its pieces
** to a result. Joins request, call, response and result; has no knowledge of its own. */
#ifndef TR_CREATE_H
#define TR_CREATE_H

#include "shim.h"

/* start(account, targets, opts) -> job, or nil and an error. In the thread, step does not move
** the transfers, and nothing goes out before job:send(). */
int tr_create_start(lua_State *L, int in_thread);

#endif
