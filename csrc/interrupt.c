/* interrupt: tells an error that a signal raised from one that is a value; see interrupt.h. */
#include "interrupt.h"

#include <limits.h>

static void quiet(lua_State *L, lua_Debug *ar) {
  (void)L;
  (void)ar;
}

void tr_interrupt_hold(lua_State *L, struct tr_interrupt *aside) {
  aside->hook = lua_gethook(L);
  aside->mask = lua_gethookmask(L);
  aside->count = lua_gethookcount(L);
  (void)lua_sethook(L, quiet, LUA_MASKCOUNT, INT_MAX);
}

int tr_interrupt_came(lua_State *L) {
  return lua_gethook(L) != quiet;
}

void tr_interrupt_release(lua_State *L, const struct tr_interrupt *aside) {
  if (tr_interrupt_came(L)) return;
  (void)lua_sethook(L, aside->hook, aside->mask, aside->count);
}
