/* usual: a colo's result as it nearly always comes -> its tables, straight from the text and in one
** go. It takes nothing but what is beyond doubt: the fields of schema.def with values of their
** types, strings without escapes, integers of at most 15 digits. Whatever else a text holds is for
** lua-cjson and the schema, which give the same tables where both can. */
#ifndef TR_USUAL_H
#define TR_USUAL_H

#include <stddef.h>

#include "shim.h"

/* Once for each Lua state. */
void tr_usual_register(lua_State *L);

/* Pushes the table and returns 1, or pushes nothing and returns 0: the text is not of that kind.
** The text ends with a NUL at text[length]. Raises only for lack of memory. */
int tr_usual_push(lua_State *L, const char *text, size_t length);

#endif
