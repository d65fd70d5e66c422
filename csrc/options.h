/* options: checks a script's table of options against schema.def, in full and before anything is
** done. No I/O. */
#ifndef TR_OPTIONS_H
#define TR_OPTIONS_H

#include "contract.h"
#include "error.h"
#include "shim.h"

/* Checks the table of options (TR_OBJECT_options, TR_OBJECT_probe_options) at `index` (nil
** counts as an empty one) in full, raw, without calling metamethods. 0, or -1 with *error set. */
int tr_options_check(lua_State *L, int index, enum tr_object object, struct tr_error *error);

/* ---- reading what was checked: raw, so that a table's metamethods are never called. The table
** may be nil. ---- */

/* NULL when absent; valid while the table is. */
const char *tr_options_text(lua_State *L, int table, const char *name);
double tr_options_number(lua_State *L, int table, const char *name, double standard);
int tr_options_flag(lua_State *L, int table, const char *name, int standard);
void tr_options_push(lua_State *L, int table, const char *name); /* nil when absent */

#endif
