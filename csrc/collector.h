/* collector: keeps Lua's garbage collector out of the way while much is decoded that is as usual,
** which makes next to no garbage. Where it is not known whether the script stopped its collector
** (PUC's 5.1), its functions do nothing. Knows no jobs and no results.
**
** PUC's collector marks all that there is whenever that has doubled, several times during one
** large result: it rests once a call has received much. Letting it go on throws away how long it
** would have paused: it begins, or goes on, with the script's next allocation, which for small
** calls would cost more than resting saves. That it then begins late it does not know; the next
** call collects for what was made meanwhile, in one step, if the script's pause says that it is
** due.
**
** LuaJIT's must not rest for long in programs that serve others meanwhile. It collects in steps
** that go with what is allocated, but two things make single ones long. What was allocated while
** it marked, and hangs from a table that it has marked, is marked in one go at the end. And
** allocations that it did not look at add up to a debt, which it then pays at each allocation, a
** sweep of 200 objects every time. */
#ifndef TR_COLLECTOR_H
#define TR_COLLECTOR_H

#include "shim.h"

struct tr_collector;

/* Once for each Lua state. */
void tr_collector_register(lua_State *L);

/* At the beginning of a call: collects for what earlier ones made while the collector rested, if
** there is much. */
void tr_collector_settle(lua_State *L);

/* From here to release the collector runs in tr_collector_pace alone: whatever is raised, release
** must follow, and before anything of the script's runs. `received` is how many bytes the call got
** until now: NULL, and nothing is held, if PUC's is not worth stopping for so few, or if the script
** itself stopped it. May be said again while it is held. */
struct tr_collector *tr_collector_hold(lua_State *L, size_t received);

/* Collects as much as goes with what was allocated since the last call. May run a script's
** finalizer, which may raise. */
void tr_collector_pace(lua_State *L, struct tr_collector *c);

/* What follows is not as usual, and makes garbage: PUC's collector is released, and not held again
** before the next call. */
void tr_collector_waste(lua_State *L);

/* Does nothing where nothing is held. LuaJIT may run a script's finalizer, which may raise. */
void tr_collector_release(lua_State *L);

/* The table at the top is new and about to be kept: lets it be marked in steps, not at the end. */
void tr_collector_show(lua_State *L);

/* Forgets the table shown last. */
void tr_collector_forget(lua_State *L);

#endif
