/* options: checks a script's table of options against schema.def, in full and before anything is
** done. No I/O. */
#ifndef TR_OPTIONS_H
#define TR_OPTIONS_H

#include "error.h"
#include "shim.h"

/* Checks the table of options at `index` (nil counts as an empty one) in full, raw, without calling
** metamethods. 0, or -1 with *error set. */
int tr_options_check(lua_State *L, int index, struct tr_error *error);

#endif
