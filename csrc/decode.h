/* decode: JSON text -> the Lua value that it says, by an instance of lua-cjson of our own. It knows
** lua-cjson's ways, and nothing of what the text is about. */
#ifndef TR_DECODE_H
#define TR_DECODE_H

#include <stddef.h>

#include "shim.h"

/* Once for each Lua state; raises when lua-cjson is not installed. */
void tr_decode_register(lua_State *L);

/* Pushes the value and returns 0, or pushes a message and returns -1. Called between hold and release
** of interrupts, which it keeps; raises for lack of memory. */
int tr_decode(lua_State *L, const char *text, size_t length);

#endif
