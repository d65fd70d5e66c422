/* partial: what arrived of an answer that was not good; see partial.h. */
#include "partial.h"

#include <string.h>

#include "target.h"

#define KNOWN "known" /* in a group: set of the names of its first result's colos, once needed */

void tr_partial_push_canonical(lua_State *L, int index) {
  char canonical[TR_TARGET_MAX + 1];
  if (lua_type(L, index) != LUA_TSTRING) {
    lua_pushnil(L);
    return;
  }
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  if (length > TR_TARGET_MAX + 1 || memchr(text, '\0', length)) {
    lua_pushvalue(L, index);
    return;
  }
  tr_target_canonical(text, length, canonical);
  lua_pushstring(L, canonical);
}

void tr_partial_push_name(lua_State *L, int index) {
  if (!lua_istable(L, index)) {
    lua_pushnil(L);
    return;
  }
  lua_getfield(L, index, "target");
  tr_partial_push_canonical(L, -1);
  lua_remove(L, -2);
}

/* Adds the target result at the top, which stays, to the group of its name in the table at
** `groups`; without a name it has none. */
static void add_to_group(lua_State *L, int groups) {
  int entry = lua_gettop(L);
  tr_partial_push_name(L, entry);
  if (!lua_isnil(L, -1)) {
    lua_pushvalue(L, -1);
    lua_rawget(L, groups);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_createtable(L, 1, 0);
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, groups);
    }
    lua_pushvalue(L, entry);
    tr_append(L, lua_gettop(L) - 1);
  }
  lua_settop(L, entry);
}

void tr_partial_push_groups(lua_State *L, int list) {
  int length = (int)tr_raw_length(L, list);
  lua_newtable(L);
  int groups = lua_gettop(L);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, list, i);
    add_to_group(L, groups);
    lua_pop(L, 1);
  }
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

/* The place in the array at `asked` of the only target without a group; 0 as above. */
static int find_lonely(lua_State *L, int asked, int groups) {
  int count = (int)tr_raw_length(L, asked), found = 0;
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, asked, i);
    tr_partial_push_canonical(L, -1);
    lua_rawget(L, groups);
    int has_result = !lua_isnil(L, -1);
    lua_pop(L, 2);
    if (has_result) continue;
    if (found) return 0;
    found = i;
  }
  return found;
}

void tr_partial_name(lua_State *L, int list, int asked) {
  int nameless = find_nameless(L, list);
  if (!nameless) return;
  tr_partial_push_groups(L, list);
  int lonely = find_lonely(L, asked, lua_gettop(L));
  lua_pop(L, 1);
  if (!lonely) return;
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

/* Whether the name of the colo result at the top is in the set at `known`, where it then is. */
static int is_known(lua_State *L, int known) {
  int top = lua_gettop(L), is = 0;
  lua_getfield(L, top, "colo");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "name");
    if (lua_type(L, -1) == LUA_TSTRING) {
      lua_pushvalue(L, -1);
      lua_rawget(L, known);
      is = lua_toboolean(L, -1);
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
      lua_rawset(L, known);
    }
  }
  lua_settop(L, top);
  return is;
}

/* Pushes the group's set of the names of the colos in the array at `colos`. */
static void push_known(lua_State *L, int group, int colos) {
  lua_getfield(L, group, KNOWN);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  int length = (int)tr_raw_length(L, colos), known = lua_gettop(L);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, colos, i);
    (void)is_known(L, known);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, known);
  lua_setfield(L, group, KNOWN);
}

/* Adds to the group's first result what only the target result at the top has. */
static void merge_colos(lua_State *L, int group) {
  int from = lua_gettop(L), mine = from + 2, theirs = from + 3, known = from + 4;
  lua_rawgeti(L, group, 1);
  lua_getfield(L, from + 1, "colos");
  lua_getfield(L, from, "colos");
  if (lua_istable(L, theirs) && !lua_istable(L, mine)) {
    lua_setfield(L, from + 1, "colos");
  } else if (lua_istable(L, theirs)) {
    push_known(L, group, mine);
    int length = (int)tr_raw_length(L, theirs);
    for (int i = 1; i <= length; i++) {
      lua_rawgeti(L, theirs, i);
      if (is_known(L, known))
        lua_pop(L, 1);
      else
        tr_append(L, mine);
    }
  }
  lua_settop(L, from);
}

void tr_partial_merge(lua_State *L, int to, int from) {
  luaL_checkstack(L, 20, "too many values");
  int length = (int)tr_raw_length(L, from);
  tr_partial_push_groups(L, to);
  int groups = lua_gettop(L), entry = groups + 1;
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    tr_partial_push_name(L, entry);
    if (!lua_isnil(L, -1)) lua_rawget(L, groups);
    if (lua_isnil(L, -1)) {
      lua_settop(L, entry);
      add_to_group(L, groups);
      tr_append(L, to);
    } else {
      lua_insert(L, entry);
      merge_colos(L, entry);
    }
    lua_settop(L, groups);
  }
  lua_pop(L, 1);
}
