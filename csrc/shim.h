/* shim: one face of the Lua C API for PUC 5.1 to 5.4 and LuaJIT. Private static inlines only. */
#ifndef TR_SHIM_H
#define TR_SHIM_H

#include <lauxlib.h>
#include <lua.h>

#include <math.h>

/* For our own allocations: raised like Lua's own lack of memory. */
__attribute__((noreturn)) static inline void tr_raise_out_of_memory(lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  lua_error(L);
  __builtin_unreachable();
}

/* What a job keeps alive sits in its userdata's one associated table: it goes when the job goes,
** cycles through the job included, which a registry reference would not allow. */
static inline void tr_set_uservalue(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 504
  (void)lua_setiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_setuservalue(L, index);
#else
  lua_setfenv(L, index);
#endif
}

static inline void tr_get_uservalue(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 504
  (void)lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_getuservalue(L, index);
#else
  lua_getfenv(L, index);
#endif
}

static inline void *tr_new_userdata(lua_State *L, size_t size) {
#if LUA_VERSION_NUM >= 504
  return lua_newuserdatauv(L, size, 1);
#else
  return lua_newuserdata(L, size);
#endif
}

/* The userdata at `index` if it is one of that kind, else NULL; never raises. */
static inline void *tr_test_userdata(lua_State *L, int index, const char *metatable) {
  void *block = lua_touserdata(L, index);
  if (!block || !lua_getmetatable(L, index)) return NULL;
  luaL_getmetatable(L, metatable);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? block : NULL;
}

/* The raw length of a table's array part. */
static inline size_t tr_raw_length(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 502
  return (size_t)lua_rawlen(L, index);
#else
  return lua_objlen(L, index);
#endif
}

/* Pops a value into the place after the array's last element. */
static inline void tr_append(lua_State *L, int array) {
  lua_rawseti(L, array, (int)tr_raw_length(L, array) + 1);
}

static inline int tr_abs_index(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

/* Whether the value is a number without a fraction that an integer of 53 bits holds. */
static inline int tr_is_integral(lua_State *L, int index) {
  lua_Number n = lua_tonumber(L, index);
  return n >= -9007199254740992.0 && n <= 9007199254740992.0 && floor((double)n) == (double)n;
}

/* Whether the value is a float that stands for an integer in a Lua that tells them apart. */
static inline int tr_is_whole_float(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 503
  return !lua_isinteger(L, index) && tr_is_integral(L, index);
#else
  (void)L;
  (void)index;
  return 0;
#endif
}

static inline void tr_set_functions(lua_State *L, const luaL_Reg *functions) {
  for (; functions->name; functions++) {
    lua_pushcfunction(L, functions->func);
    lua_setfield(L, -2, functions->name);
  }
}

#endif
