/* errtable: an error as a script sees it, a table with `kind`, `message` and what else is known,
** whose tostring is one line. */
#ifndef TR_ERRTABLE_H
#define TR_ERRTABLE_H

#include "error.h"
#include "shim.h"

/* Makes the metatable; once for each Lua state. */
void tr_errtable_register(lua_State *L);

/* Pushes the metatable, for errors that are made in Lua. */
void tr_errtable_push_metatable(lua_State *L);

/* Pushes the table: kind, message and, where known, path, status, attempts, retry_after, ray. */
void tr_errtable_push(lua_State *L, const struct tr_error *error);

#endif
