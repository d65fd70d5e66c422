/* partial: what arrived of an answer that was not good; see partial.h. */
#include "partial.h"

#include <string.h>

#include "target.h"

static void append(lua_State *L, int array) {
  lua_rawseti(L, array, (int)tr_raw_length(L, array) + 1);
}

int tr_partial_is_for(lua_State *L, const char *canonical) {
  char mine[TR_TARGET_MAX + 1];
  int same = 0;
  if (!lua_istable(L, -1)) return 0;
  lua_getfield(L, -1, "target");
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    tr_target_canonical(text, length, mine);
    same = strcmp(mine, canonical) == 0;
  }
  lua_pop(L, 1);
  return same;
}

/* The place of the only result without a name; 0: there is none, or more than one. */
static int find_nameless(lua_State *L, int list) {
  int length = (int)tr_raw_length(L, list), found = 0;
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, list, i);
    lua_getfield(L, -1, "target");
    int has_name = !lua_isnil(L, -1);
    lua_pop(L, 2);
    if (has_name) continue;
    if (found) return 0;
    found = i;
  }
  return found;
}

static int has_result_for(lua_State *L, int list, const char *canonical) {
  int length = (int)tr_raw_length(L, list), found = 0;
  for (int i = 1; i <= length && !found; i++) {
    lua_rawgeti(L, list, i);
    found = tr_partial_is_for(L, canonical);
    lua_pop(L, 1);
  }
  return found;
}

void tr_partial_name(lua_State *L, int list, int asked) {
  int nameless = find_nameless(L, list), lonely = 0;
  int count = (int)tr_raw_length(L, asked);
  for (int i = 1; i <= count && nameless; i++) {
    char canonical[TR_TARGET_MAX + 1];
    size_t length;
    lua_rawgeti(L, asked, i);
    const char *text = lua_tolstring(L, -1, &length);
    tr_target_canonical(text, length, canonical);
    lua_pop(L, 1);
    if (has_result_for(L, list, canonical)) continue;
    if (lonely) return;
    lonely = i;
  }
  if (!nameless || !lonely) return;
  lua_rawgeti(L, list, nameless);
  lua_rawgeti(L, asked, lonely);
  lua_setfield(L, -2, "target");
  lua_pop(L, 1);
}

static int has_colos(lua_State *L) {
  lua_getfield(L, -1, "colos");
  int has = lua_istable(L, -1) && tr_raw_length(L, -1) > 0;
  lua_pop(L, 1);
  return has;
}

void tr_partial_prune(lua_State *L, int list, int is_whole) {
  int length = (int)tr_raw_length(L, list), kept = 0;
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, list, i);
    if (lua_istable(L, -1) && (is_whole || has_colos(L)))
      lua_rawseti(L, list, ++kept);
    else
      lua_pop(L, 1);
  }
  for (int i = length; i > kept; i--) {
    lua_pushnil(L);
    lua_rawseti(L, list, i);
  }
}

/* Index in the array at `list` of the entry whose `name` (or whose member's `name`) equals the
** string at the top of the stack, which is popped; 0: none. */
static int find_entry(lua_State *L, int list, const char *outer, const char *name) {
  int wanted = lua_gettop(L), found = 0;
  int length = (int)tr_raw_length(L, list);
  for (int i = 1; i <= length && !found; i++) {
    lua_rawgeti(L, list, i);
    if (outer && lua_istable(L, -1)) lua_getfield(L, -1, outer);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, name);
      if (lua_type(L, -1) == LUA_TSTRING && lua_rawequal(L, -1, wanted)) found = i;
    }
    lua_settop(L, wanted);
  }
  lua_pop(L, 1);
  return found;
}

static void merge_colos(lua_State *L, int to, int from) {
  lua_getfield(L, to, "colos");
  lua_getfield(L, from, "colos");
  int mine = lua_gettop(L) - 1, theirs = mine + 1;
  if (lua_istable(L, theirs) && !lua_istable(L, mine)) {
    lua_pushvalue(L, theirs);
    lua_setfield(L, to, "colos");
  } else if (lua_istable(L, theirs)) {
    int length = (int)tr_raw_length(L, theirs);
    for (int i = 1; i <= length; i++) {
      lua_rawgeti(L, theirs, i);
      lua_getfield(L, -1, "colo");
      if (lua_istable(L, -1)) lua_getfield(L, -1, "name");
      int known = lua_type(L, -1) == LUA_TSTRING ? find_entry(L, mine, "colo", "name") : 0;
      lua_settop(L, theirs + 1);
      if (!known) append(L, mine);
      lua_settop(L, theirs);
    }
  }
  lua_settop(L, mine - 1);
}

void tr_partial_merge(lua_State *L, int to, int from) {
  luaL_checkstack(L, 16, "too many values");
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    int entry = lua_gettop(L);
    lua_getfield(L, entry, "target");
    int known = lua_type(L, -1) == LUA_TSTRING ? find_entry(L, to, NULL, "target") : 0;
    lua_settop(L, entry);
    if (known) {
      lua_rawgeti(L, to, known);
      merge_colos(L, entry + 1, entry);
      lua_settop(L, entry);
      lua_pop(L, 1);
    } else {
      append(L, to);
    }
  }
}
