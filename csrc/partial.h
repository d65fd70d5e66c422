/* partial: what arrived of an answer that was not good, kept and joined with what other tries
** brought. Works on decoded target results; knows nothing of tries and errors. No I/O. */
#ifndef TR_PARTIAL_H
#define TR_PARTIAL_H

#include "shim.h"

/* Gives the one result without a name, in the array of target results at `list`, the name of the
** one target (in the array at `asked`) that has no result: its name came after it, or not at
** all. */
void tr_partial_name(lua_State *L, int list, int asked);

/* Takes out of the array at `list` what is no table (which an unchecked answer may hold), and of
** an answer that is not whole also the results without a single colo. */
void tr_partial_prune(lua_State *L, int list, int is_whole);

/* Adds to the target results at `to` what only those at `from` have: whole targets, and single
** colos. */
void tr_partial_merge(lua_State *L, int to, int from);

/* Whether the target result at the top of the stack is for that canonical target. */
int tr_partial_is_for(lua_State *L, const char *canonical);

#endif
