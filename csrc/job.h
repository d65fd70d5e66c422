/* job: the userdata around a call, as scripts hold it: step, fd, result, cancel. It lets bytes
** become tables at its own pace, in runs short enough for an event loop. */
#ifndef TR_JOB_H
#define TR_JOB_H

#include "shim.h"

/* Makes the metatables; once for each Lua state. */
void tr_job_register(lua_State *L);

/* start(account, targets, opts) -> job, or nil and an error. In the thread, step does not move the
** transfers, and nothing goes out before job:send(). */
int tr_job_start(lua_State *L, int in_thread);

/* Pushes the metatable that every result gets. */
void tr_job_push_result_metatable(lua_State *L);

#endif
