/* partial: what arrived of an answer that was not good, kept and joined with what other tries
** brought. Works on decoded target results; knows nothing of tries and errors. No I/O.
**
** A server says how many results there are, so each of these takes time that goes with their
** number, whatever their names. */
#ifndef TR_PARTIAL_H
#define TR_PARTIAL_H

#include "shim.h"

/* Pushes the canonical form of the target at `index`, or the string itself if it can be none; nil
** if it is no string. */
void tr_partial_push_canonical(lua_State *L, int index);

/* The same for the name of the target result at `index`; nil if it has none, or is no table. */
void tr_partial_push_name(lua_State *L, int index);

/* Pushes a table of the target results in the array at `list`: canonical name -> array of the
** results of that name, in their order. */
void tr_partial_push_groups(lua_State *L, int list);

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

#endif
