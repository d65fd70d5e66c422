/* vet: arguments that come from others, checked; see vet.h. */
#include "vet.h"

#include <string.h>

#include "errtable.h"
#include "options.h"
#include "targets.h"

static int refuse(lua_State *L, const struct tr_error *error) {
  lua_pushnil(L);
  tr_errtable_push(L, error);
  return 2;
}

int tr_vet_options(lua_State *L) {
  static const enum tr_object passed[] = {TR_OBJECT_options, TR_OBJECT_probe_options,
                                          TR_OBJECT_measure};
  struct tr_error error;
  lua_settop(L, 2);
  const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
  for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
    if (strcmp(tr_contract[passed[i]].name, name) != 0) continue;
    if (tr_options_take(L, 2, passed[i], &error) != 0) return refuse(L, &error);
    lua_pushboolean(L, 1);
    return 1;
  }
  tr_error_clear(&error);
  tr_error_set(&error, TR_INVALID_REQUEST, "options, probe_options or measure expected");
  memcpy(error.path, "of", sizeof "of");
  return refuse(L, &error);
}

int tr_vet_targets(lua_State *L) {
  struct tr_error error;
  lua_settop(L, 1);
  tr_error_clear(&error);
  luaL_checkstack(L, 20, "too many values");
  return tr_targets_read(L, 1, &error) == 0 ? 1 : refuse(L, &error);
}
