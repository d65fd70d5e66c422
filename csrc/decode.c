/* decode: JSON text -> the Lua value that it says; see decode.h.
**
** lua-cjson reads numbers by strtod, and asks for the locale's decimal point when any instance is
** made. If a program sets another locale after that, it refuses each fraction, and takes [0,1] for
** one, until another instance is made. */
#include "decode.h"

#include "interrupt.h"
#include "slicer.h"

#define ANCHOR "traceroute.decode" /* registry: what makes an instance, and the last one's decode */
enum { NEW = 1, DECODE };

/* The registry's table is the argument. */
static int l_renew(lua_State *L) {
  lua_rawgeti(L, -1, NEW);
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, TR_SLICER_DEPTH_MAX);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_rawseti(L, 1, DECODE);
  return 0;
}

void tr_decode_register(lua_State *L) {
  lua_newtable(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_rawseti(L, -3, NEW);
  lua_pop(L, 1);
  lua_pushcfunction(L, l_renew);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  lua_setfield(L, LUA_REGISTRYINDEX, ANCHOR);
}

/* Whether it worked; leaves the value or the message above the registry's table. */
static int attempt(lua_State *L, const char *text, size_t length) {
  lua_rawgeti(L, -1, DECODE);
  lua_pushlstring(L, text, length);
  int status = tr_interrupt_call(L, 1);
  if (status == LUA_ERRMEM) lua_error(L);
  return status == 0;
}

static int reads_fractions(lua_State *L) {
  int reads = attempt(L, "[0.5]", 5);
  lua_pop(L, 1);
  return reads;
}

static void renew(lua_State *L) {
  lua_pushcfunction(L, l_renew);
  lua_pushvalue(L, -2);
  if (tr_interrupt_call(L, 1) != 0) lua_error(L);
  lua_pop(L, 1);
}

int tr_decode(lua_State *L, const char *text, size_t length) {
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  if (!reads_fractions(L)) renew(L);
  int is_fine = attempt(L, text, length);
  lua_remove(L, -2);
  return is_fine ? 0 : -1;
}
