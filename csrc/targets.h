/* targets: what a script names as targets, checked and without repeats. Nothing is resolved or
** sent. */
#ifndef TR_TARGETS_H
#define TR_TARGETS_H

#include "error.h"
#include "shim.h"

#define TR_TARGETS_MAX 100000 /* of one call: at the service's pace these take 42 minutes */

/* Reads the string or array at `index`. On success pushes the array of targets without repeats
** and returns 0; else -1 with *error set, and the stack grown by what is to be dropped. Raises
** only for lack of memory. */
int tr_targets_read(lua_State *L, int index, struct tr_error *error);

#endif
