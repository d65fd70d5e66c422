/* keeper: keeps a Lua state's reactor between calls; see keeper.h. */
#include "keeper.h"

#include "reactor.h"

#define KEPT "traceroute.reactor" /* registry: the userdata that holds it */

struct kept {
  struct tr_reactor *reactor;
};

static int l_gc(lua_State *L) {
  struct kept *kept = lua_touserdata(L, 1);
  tr_reactor_release(kept->reactor);
  kept->reactor = NULL;
  return 0;
}

void tr_keeper_keep(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, KEPT);
  struct kept *kept = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!kept || (kept->reactor && tr_reactor_is_ours(kept->reactor))) return;
  kept->reactor = tr_reactor_get();
}

void tr_keeper_register(lua_State *L) {
  struct kept *kept = lua_newuserdata(L, sizeof *kept);
  kept->reactor = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, KEPT);
}
