/* interrupt: tells an error that a signal raised (Ctrl-C) from one that is a value. The
** interpreter's handler sets a hook, which raises at the next call: inside a protected one that
** error would be taken for the callee's. */
#ifndef TR_INTERRUPT_H
#define TR_INTERRUPT_H

#include "shim.h"

struct tr_interrupt {
  lua_Hook hook;
  int mask, count;
};

/* Puts the program's hook aside, and one that does nothing in its place. */
void tr_interrupt_hold(lua_State *L, struct tr_interrupt *aside);

/* Whether a handler has set its hook since: what is raised now is its error. */
int tr_interrupt_came(lua_State *L);

/* Puts the program's hook back, unless a handler has set another. */
void tr_interrupt_release(lua_State *L, const struct tr_interrupt *aside);

#endif
