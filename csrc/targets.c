/* targets: what a script names as targets, checked; see targets.h. */
#include "targets.h"

#include <stdio.h>
#include <string.h>

#include "target.h"

static int refuse(struct tr_error *error, const char *message) {
  tr_error_set(error, TR_INVALID_REQUEST, "%s", message);
  snprintf(error->path, sizeof error->path, "targets");
  return -1;
}

/* The target at the top of the stack; popped. Added to the array at `asked` unless the set at
** `seen` has it. */
static int add_target(lua_State *L, int asked, int seen, size_t place, struct tr_error *error) {
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
  if (is_new)
    tr_append(L, asked);
  else
    lua_pop(L, 1);
  return 0;
}

/* Whether a table is an array of that length and nothing else, which would be left out unseen. */
static int is_array(lua_State *L, int table, size_t length) {
  size_t members = 0;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    members++;
  }
  return members == length;
}

int tr_targets_read(lua_State *L, int index, struct tr_error *error) {
  lua_newtable(L);
  int asked = lua_gettop(L);
  lua_newtable(L);
  int seen = asked + 1;
  if (lua_type(L, index) == LUA_TSTRING) {
    lua_pushvalue(L, index);
    if (add_target(L, asked, seen, 0, error) != 0) return -1;
  } else if (lua_istable(L, index)) {
    size_t length = tr_raw_length(L, index);
    if (!is_array(L, index, length))
      return refuse(error, "array of strings expected, got a table with other keys or gaps");
    if (length == 0) return refuse(error, "at least one target expected, got none");
    if (length > TR_TARGETS_MAX)
      return refuse(error, "more than 100000 targets; make several calls");
    for (size_t i = 1; i <= length; i++) {
      lua_rawgeti(L, index, (int)i);
      if (add_target(L, asked, seen, i, error) != 0) return -1;
    }
  } else {
    tr_error_set(error, TR_INVALID_REQUEST, "string or array of strings expected, got %s",
                 lua_isnone(L, index) ? "nothing" : luaL_typename(L, index));
    snprintf(error->path, sizeof error->path, "targets");
    return -1;
  }
  lua_settop(L, asked);
  return 0;
}
