/* errtable: an error as a script sees it; see errtable.h. */
#include "errtable.h"

#define METATABLE "traceroute.error"

static void push_field(lua_State *L, const char *name, const char *before, const char *after) {
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    return;
  }
  const char *text = lua_tostring(L, -1);
  lua_pushfstring(L, "%s%s%s", before, text, after);
  lua_remove(L, -2);
}

static int l_tostring(lua_State *L) {
  if (!lua_istable(L, 1)) {
    lua_pushstring(L, luaL_typename(L, 1));
    return 1;
  }
  push_field(L, "kind", "", "");
  push_field(L, "path", ": ", "");
  push_field(L, "message", ": ", "");
  push_field(L, "ray", " (ray ", ")");
  lua_concat(L, 4);
  return 1;
}

void tr_errtable_register(lua_State *L) {
  (void)luaL_newmetatable(L, METATABLE); /* there already where memory ran out in here before */
  lua_pushcfunction(L, l_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, METATABLE);
  lua_setfield(L, -2, "__name");
  lua_pop(L, 1);
}

void tr_errtable_push_metatable(lua_State *L) {
  luaL_getmetatable(L, METATABLE);
}

static void set_string(lua_State *L, const char *name, const char *value) {
  if (!*value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

void tr_errtable_push(lua_State *L, const struct tr_error *error) {
  lua_createtable(L, 0, 6);
  set_string(L, "kind", tr_kind_name(error->kind));
  set_string(L, "message", error->message);
  set_string(L, "path", error->path);
  set_string(L, "ray", error->ray);
  if (error->status) {
    lua_pushinteger(L, error->status);
    lua_setfield(L, -2, "status");
  }
  if (error->attempts) {
    lua_pushinteger(L, error->attempts);
    lua_setfield(L, -2, "attempts");
  }
  if (error->retry_after >= 0) {
    lua_pushnumber(L, (lua_Number)error->retry_after);
    lua_setfield(L, -2, "retry_after");
  }
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
}
