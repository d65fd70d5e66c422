/* values: Lua values for the targets that need them: a state with lua-cjson, a deep comparison, and
** what a table holds anywhere. Knows no room of csrc. */
#ifndef TR_FUZZ_VALUES_H
#define TR_FUZZ_VALUES_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "fuzz.h"
#include "shim.h"

#define VALUES_DECODE "fuzz.decode"

/* An instance of lua-cjson of our own, that is as strict as it can be; its decode goes to the
** registry. */
static inline int values_l_open(lua_State *L) {
  luaL_openlibs(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, 64);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_setfield(L, LUA_REGISTRYINDEX, VALUES_DECODE);
  return 0;
}

/* Calls the function with that argument; nothing may be raised. What it left is collected at once:
** runs do not depend on one another, and libFuzzer looks for leaks only where something is left. */
static inline void values_run(lua_State *L, lua_CFunction function, void *arg) {
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, arg);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != 0) fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
  FUZZ_CHECK(status == 0);
  FUZZ_CHECK(lua_gettop(L) == 0);
  (void)lua_gc(L, LUA_GCCOLLECT, 0);
}

static lua_State *values_state;

static void values_close(void) {
  lua_close(values_state);
}

/* The state that a target has until its process ends: closed then, so that nothing is left of it. */
static inline lua_State *values_open(void) {
  values_state = luaL_newstate();
  FUZZ_CHECK(values_state);
  FUZZ_CHECK(atexit(values_close) == 0);
  values_run(values_state, values_l_open, NULL);
  return values_state;
}

/* Pushes the decoded text and returns 1, or pushes a message and returns 0. */
static inline int values_decode(lua_State *L, const char *text, size_t length) {
  lua_getfield(L, LUA_REGISTRYINDEX, VALUES_DECODE);
  lua_pushlstring(L, text, length);
  return lua_pcall(L, 1, 1, 0) == 0;
}

static inline int values_is_integer(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 503
  return lua_isinteger(L, index);
#else
  (void)L;
  (void)index;
  return 0;
#endif
}

/* Numbers, of the same kind, strings and the like are equal; tables have the same names with the
** same in them. */
static inline int values_same(lua_State *L, int a, int b) {
  a = tr_abs_index(L, a);
  b = tr_abs_index(L, b);
  if (lua_rawequal(L, a, b)) return values_is_integer(L, a) == values_is_integer(L, b);
  if (!lua_istable(L, a) || !lua_istable(L, b)) return 0;
  luaL_checkstack(L, 6, "too deep");
  int top = lua_gettop(L), more = 0, same = 1;
  lua_pushnil(L);
  while (same && lua_next(L, a)) {
    lua_pushvalue(L, -2);
    lua_rawget(L, b);
    same = values_same(L, -2, -1);
    lua_settop(L, top + 1);
    more++;
  }
  lua_settop(L, top);
  lua_pushnil(L);
  while (same && lua_next(L, b)) {
    lua_pop(L, 1);
    more--;
  }
  lua_settop(L, top);
  return same && more == 0;
}

/* Asks `is_bad` of the value at `index` and of each that it holds, names included: whether it was
** ever true. */
static inline int values_any(lua_State *L, int index, int (*is_bad)(lua_State *, int)) {
  index = tr_abs_index(L, index);
  if (is_bad(L, index)) return 1;
  if (!lua_istable(L, index)) return 0;
  luaL_checkstack(L, 4, "too deep");
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (is_bad(L, lua_gettop(L) - 1) || values_any(L, -1, is_bad)) {
      lua_pop(L, 2);
      return 1;
    }
    lua_pop(L, 1);
  }
  return 0;
}

#endif
