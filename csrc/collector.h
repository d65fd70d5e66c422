/* collector: keeps LuaJIT's garbage collector from taking the thread for long while much is
** decoded, for programs that serve others meanwhile. Elsewhere its functions do nothing. Knows
** no jobs and no results.
**
** LuaJIT collects in steps that go with what is allocated, but two things make single ones long.
** What was allocated while it marked, and hangs from a table that it has marked, is marked in
** one go at the end. And allocations that it did not look at add up to a debt, which it then
** pays at each allocation, a sweep of 200 objects every time. */
#ifndef TR_COLLECTOR_H
#define TR_COLLECTOR_H

#include "shim.h"

struct tr_collector;

/* Once for each Lua state. */
void tr_collector_register(lua_State *L);

/* From here to release the collector runs in tr_collector_pace alone: nothing may be raised past
** it. NULL if there is nothing to hold. */
struct tr_collector *tr_collector_hold(lua_State *L);

/* Collects as much as goes with what was allocated since the last call. */
void tr_collector_pace(lua_State *L, struct tr_collector *c);

void tr_collector_release(lua_State *L, struct tr_collector *c);

/* The table at the top is new and about to be kept: lets it be marked in steps, not at the end. */
void tr_collector_show(lua_State *L);

/* Forgets the table shown last. */
void tr_collector_forget(lua_State *L);

#endif
