/* keeper: keeps a Lua state's reactor from one call to the next, and with it the connections that
** are open. Knows no jobs. */
#ifndef TR_KEEPER_H
#define TR_KEEPER_H

#include "shim.h"

/* Once for each Lua state. */
void tr_keeper_register(lua_State *L);

/* From here to the end of the state the reactor of the running thread stays, unless another does. */
void tr_keeper_keep(lua_State *L);

#endif
