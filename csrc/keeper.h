/* keeper: the one reactor of a Lua state, kept from one call to the next, and with it the connections
** that are open. A program runs a state in one thread at a time, and so its reactor. Knows no jobs. */
#ifndef TR_KEEPER_H
#define TR_KEEPER_H

#include "reactor.h"
#include "shim.h"

/* Once for each Lua state. */
void tr_keeper_register(lua_State *L);

/* The state's reactor, made on first need, and anew in a forked child; released by the caller. NULL,
** with errno set, as of tr_reactor_new. */
struct tr_reactor *tr_keeper_share(lua_State *L);

#endif
