/* interrupt: keeps what a signal raises (Ctrl-C) out of work that must not stop half-way. The
** interpreter's handler sets a hook, which raises at the next call or return: inside a protected
** call that error would be taken for the callee's. */
#ifndef TR_INTERRUPT_H
#define TR_INTERRUPT_H

#include "shim.h"

struct tr_interrupt {
  lua_Hook hook;
  int mask, count;
};

/* Puts the program's hook aside, and one that does nothing in its place. */
void tr_interrupt_hold(lua_State *L, struct tr_interrupt *aside);

/* As lua_pcall with one result, between hold and release: no handler's hook gets into it. What one
** that came just then raised is kept for tr_interrupt_pop, and the function called again. */
int tr_interrupt_call(lua_State *L, int arguments);

/* Puts the program's hook back, unless a handler has set another, whose time will come. */
void tr_interrupt_release(lua_State *L, const struct tr_interrupt *aside);

/* Pushes what was kept, which then no longer is, and returns 1; 0: nothing was. */
int tr_interrupt_pop(lua_State *L);

#endif
