/* heap: how much of libc's heap is in use, for spec/soak/soak.lua. A Lua module, loaded by the path of
** its file, that is a function; it gives bytes, or nothing where libc does not say. */
#include <lauxlib.h>
#include <lua.h>
#include <malloc.h>

int luaopen_heap(lua_State *L);

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
static int l_in_use(lua_State *L) {
  struct mallinfo2 info = mallinfo2();
  lua_pushnumber(L, (lua_Number)(info.uordblks + info.hblkhd));
  return 1;
}
#else
static int l_in_use(lua_State *L) {
  (void)L;
  return 0;
}
#endif

__attribute__((visibility("default"))) int luaopen_heap(lua_State *L) {
  lua_pushcfunction(L, l_in_use);
  return 1;
}
