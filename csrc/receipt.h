/* receipt: what a script holds to learn how many requests a call has sent, when the job may be gone
** already. It must not know what the requests are. */
#ifndef TR_RECEIPT_H
#define TR_RECEIPT_H

#include "shim.h"
#include "tally.h"

/* Makes the metatable; once for each Lua state. */
void tr_receipt_register(lua_State *L);

/* Pushes one, which shares the tally: called, it returns how many were sent, or nil while the call
** may send more. Raises for lack of memory. */
void tr_receipt_push(lua_State *L, struct tr_tally *tally);

#endif
