/* options: takes a script's table of options over and checks it against schema.def, in full and
** before anything is done. No I/O. */
#ifndef TR_OPTIONS_H
#define TR_OPTIONS_H

#include "contract.h"
#include "error.h"
#include "shim.h"

/* Puts a copy of the script's table of options (TR_OBJECT_options, TR_OBJECT_probe_options), its
** arrays included, in the table's stack place (nil counts as an empty one), and checks it in full.
** Copied raw, without calling metamethods: all members that have an option's name, and one of the
** others, by which the table is refused. 0, or -1 with *error set. Raises only for lack of
** memory. */
int tr_options_take(lua_State *L, int index, enum tr_object object, struct tr_error *error);

/* Puts a copy of the array of a script's table, raw, in the table's stack place, and its length in
** *length; an empty one if that is more than `most`. 0, or -1 for a table with other keys or gaps.
** `index` is counted from the bottom. Raises only for lack of memory. */
int tr_options_take_array(lua_State *L, int index, size_t most, size_t *length);

/* ---- reading what was taken. The script's own table would not do: any allocation may run a
** finalizer, which changes it. The table may be nil. ---- */

/* NULL when absent; valid while the table is. */
const char *tr_options_text(lua_State *L, int table, const char *name);
double tr_options_number(lua_State *L, int table, const char *name, double standard);
int tr_options_flag(lua_State *L, int table, const char *name, int standard);
void tr_options_push(lua_State *L, int table, const char *name); /* nil when absent */

#endif
