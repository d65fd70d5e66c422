/* targets: what a script names as targets, checked; see targets.h. */
#include "targets.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "target.h"

static int refuse(struct tr_error *error, const char *message) {
  tr_error_set(error, TR_INVALID_REQUEST, "%s", message);
  snprintf(error->path, sizeof error->path, "targets");
  return -1;
}

/* Whether the target at the top of the stack, passed in that place of an array or in none (0), is
** new to the set at `seen`, which has it then; -1 with *error set. */
static int check_target(lua_State *L, int seen, size_t place, struct tr_error *error) {
  char path[32] = "targets", canonical[TR_TARGET_MAX + 1], hint[2 * TR_TARGET_MAX];
  if (place) snprintf(path, sizeof path, "targets[%lu]", (unsigned long)place);
  if (lua_type(L, -1) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", luaL_typename(L, -1));
    memcpy(error->path, path, sizeof path);
    return -1;
  }
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  const char *fault = tr_target_fault(text, length, hint, sizeof hint);
  if (fault) {
    char shown[64];
    tr_excerpt(shown, sizeof shown, text, length);
    tr_error_set(error, TR_INVALID_REQUEST, "\"%s\" is %s", shown, fault);
    memcpy(error->path, path, sizeof path);
    return -1;
  }
  tr_target_canonical(text, length, canonical);
  lua_pushstring(L, canonical);
  lua_pushvalue(L, -1);
  lua_rawget(L, seen);
  int is_new = lua_isnil(L, -1);
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  lua_rawset(L, seen);
  return is_new;
}

/* Pushes an array of what was passed, unchecked, which is the script's no more. */
static int take(lua_State *L, int index, size_t *length, struct tr_error *error) {
  lua_pushvalue(L, index);
  int asked = lua_gettop(L);
  if (lua_istable(L, asked)) {
    if (tr_options_take_array(L, asked, TR_TARGETS_MAX, length) != 0)
      return refuse(error, "array of strings expected, got a table with other keys or gaps");
    if (*length == 0) return refuse(error, "at least one target expected, got none");
    if (*length > TR_TARGETS_MAX)
      return refuse(error, "more than 100000 targets; make several calls");
    return 0;
  }
  if (lua_type(L, asked) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string or array of strings expected, got %s",
                 lua_isnone(L, index) ? "nothing" : luaL_typename(L, index));
    snprintf(error->path, sizeof error->path, "targets");
    return -1;
  }
  *length = 1;
  lua_newtable(L);
  lua_insert(L, asked);
  lua_rawseti(L, asked, 1);
  return 0;
}

int tr_targets_read(lua_State *L, int index, struct tr_error *error) {
  size_t length, kept = 0;
  int is_list = lua_istable(L, index);
  if (take(L, index, &length, error) != 0) return -1;
  int asked = lua_gettop(L), seen = asked + 1;
  lua_newtable(L);
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, asked, (int)i);
    int is_new = check_target(L, seen, is_list ? i : 0, error);
    if (is_new < 0) return -1;
    if (is_new)
      lua_rawseti(L, asked, (int)++kept);
    else
      lua_pop(L, 1);
  }
  for (; length > kept; length--) {
    lua_pushnil(L);
    lua_rawseti(L, asked, (int)length);
  }
  lua_settop(L, asked);
  return 0;
}
