/* keeper: the one reactor of a Lua state; see keeper.h. */
#include "keeper.h"

#define KEPT "traceroute.reactor" /* registry: the userdata that holds it */

struct kept {
  struct tr_reactor *reactor; /* NULL: none yet */
  int is_over;                /* the state is being closed: nobody would release another one */
};

static int l_gc(lua_State *L) {
  struct kept *kept = lua_touserdata(L, 1);
  tr_reactor_release(kept->reactor);
  kept->reactor = NULL;
  kept->is_over = 1;
  return 0;
}

struct tr_reactor *tr_keeper_share(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, KEPT);
  struct kept *kept = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!kept || kept->is_over) return tr_reactor_new();
  if (!kept->reactor || !tr_reactor_is_ours(kept->reactor)) kept->reactor = tr_reactor_new();
  if (kept->reactor) tr_reactor_share(kept->reactor);
  return kept->reactor;
}

void tr_keeper_register(lua_State *L) {
  struct kept *kept = lua_newuserdata(L, sizeof *kept);
  kept->reactor = NULL;
  kept->is_over = 0;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, KEPT);
}
