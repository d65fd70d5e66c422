/* interrupt: keeps what a signal raises out of what must not stop half-way; see interrupt.h. */
#include "interrupt.h"

#include <limits.h>

static char kept; /* its address is the registry's key of what was kept */

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

/* Whether a handler has set its hook since, be it that this has raised already and is gone. */
static int has_come(lua_State *L) {
  return lua_gethook(L) != quiet;
}

/* Keeps what is at the top of the stack. */
static void keep(lua_State *L) {
  lua_pushlightuserdata(L, &kept);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

int tr_interrupt_call(lua_State *L, int arguments) {
  struct tr_interrupt late = {NULL, 0, 0};
  int first = lua_gettop(L) - arguments, status;
  luaL_checkstack(L, arguments + 2, NULL);
  for (;;) {
    if (has_come(L)) {
      struct tr_interrupt gone;
      tr_interrupt_hold(L, lua_gethook(L) ? &late : &gone);
    }
    for (int i = 0; i <= arguments; i++)
      lua_pushvalue(L, first + i);
    status = lua_pcall(L, arguments, 1, 0);
    if (status == 0 || status == LUA_ERRMEM || !has_come(L)) break;
    if (lua_gethook(L))
      lua_pop(L, 1); /* it may have failed of itself: next time it says so */
    else
      keep(L);
  }
  if (late.hook && !(has_come(L) && lua_gethook(L)))
    (void)lua_sethook(L, late.hook, late.mask, late.count);
  lua_replace(L, first);
  lua_settop(L, first);
  return status;
}

void tr_interrupt_release(lua_State *L, const struct tr_interrupt *aside) {
  if (has_come(L)) return;
  (void)lua_sethook(L, aside->hook, aside->mask, aside->count);
}

int tr_interrupt_pop(lua_State *L) {
  lua_pushlightuserdata(L, &kept);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  lua_pushlightuserdata(L, &kept);
  lua_pushnil(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
  return 1;
}
