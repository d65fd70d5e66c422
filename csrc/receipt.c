/* receipt: what a script holds to learn what a call has sent; see receipt.h. */
#include "receipt.h"

#define METATABLE "traceroute.receipt"

struct receipt {
  struct tr_tally *tally;
};

static int l_call(lua_State *L) {
  const struct receipt *receipt = tr_test_userdata(L, 1, METATABLE);
  unsigned long sent;
  if (receipt && tr_tally_read(receipt->tally, &sent))
    lua_pushinteger(L, (lua_Integer)sent);
  else
    lua_pushnil(L);
  return 1;
}

static int l_gc(lua_State *L) {
  struct receipt *receipt = tr_test_userdata(L, 1, METATABLE);
  if (!receipt) return 0;
  tr_tally_release(receipt->tally);
  receipt->tally = NULL;
  return 0;
}

void tr_receipt_push(lua_State *L, struct tr_tally *tally) {
  struct receipt *receipt = lua_newuserdata(L, sizeof *receipt);
  receipt->tally = NULL;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  receipt->tally = tr_tally_share(tally);
}

void tr_receipt_register(lua_State *L) {
  static const luaL_Reg events[] = {{"__call", l_call}, {"__gc", l_gc}, {NULL, NULL}};
  luaL_newmetatable(L, METATABLE);
  tr_set_functions(L, events);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
