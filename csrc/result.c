/* result: what a call comes to, once all its pieces were taken in; see result.h. */
#include "result.h"

#include <string.h>

#include "errtable.h"
#include "partial.h"
#include "target.h"

static void append(lua_State *L, int array) {
  lua_rawseti(L, array, (int)tr_raw_length(L, array) + 1);
}

/* Moves the request's results for one target to the end of `result`; the number of them. */
static int move_results_for(lua_State *L, const char *wanted, int from, int result) {
  int moved = 0, length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    if (tr_partial_is_for(L, wanted)) {
      append(L, result);
      lua_pushboolean(L, 0);
      lua_rawseti(L, from, i);
      moved++;
    } else {
      lua_pop(L, 1);
    }
  }
  return moved;
}

/* What is left (a broken-off answer whose names never came, a target nobody asked for) goes to the
** end. */
static void move_rest(lua_State *L, int from, int result) {
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    if (lua_istable(L, -1))
      append(L, result);
    else
      lua_pop(L, 1);
  }
}

/* Whether the array of names at `list` has that canonical target. */
static int has_name(lua_State *L, int list, const char *canonical) {
  int length = (int)tr_raw_length(L, list), found = 0;
  for (int i = 1; i <= length && !found; i++) {
    char name[TR_TARGET_MAX + 1];
    size_t size;
    lua_rawgeti(L, list, i);
    const char *text = lua_tolstring(L, -1, &size);
    tr_target_canonical(text, size, name);
    found = strcmp(name, canonical) == 0;
    lua_pop(L, 1);
  }
  return found;
}

/* Adds those of the targets asked for that are named in one of the two arrays. */
static void append_named(lua_State *L, int asked, int one, int other, int to) {
  int length = (int)tr_raw_length(L, asked);
  for (int i = 1; i <= length; i++) {
    char canonical[TR_TARGET_MAX + 1];
    size_t size;
    lua_rawgeti(L, asked, i);
    const char *text = lua_tolstring(L, -1, &size);
    tr_target_canonical(text, size, canonical);
    if (has_name(L, one, canonical) || has_name(L, other, canonical))
      lua_rawseti(L, to, (int)tr_raw_length(L, to) + 1);
    else
      lua_pop(L, 1);
  }
}

struct summing {
  int state, result, targets_lost, error; /* stack places; error holds nil until there is one */
};

static void append_all(lua_State *L, int from, int to) {
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    append(L, to);
  }
}

/* Pushes the error for targets that a good answer says nothing of. */
static void push_missing(lua_State *L, int request, int missing, int asked) {
  struct tr_error error;
  tr_error_clear(&error);
  tr_error_set(&error, TR_INVALID_RESPONSE, "the response holds no result for %lu of %d targets",
               (unsigned long)tr_raw_length(L, missing), asked);
  memcpy(error.path, "result", sizeof "result");
  tr_errtable_push(L, &error);
  static const char *const known[] = {"status", "attempts", "ray"};
  lua_rawgeti(L, request, TR_AT_INFO);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    lua_getfield(L, -1, known[i]);
    lua_setfield(L, -3, known[i]);
  }
  lua_pop(L, 1);
}

static void sum_request(lua_State *L, const struct summing *s, unsigned i) {
  int top = lua_gettop(L);
  tr_response_get_request(L, s->state, i);
  int request = top + 1, rest = top + 2, missing = top + 3, asked = top + 4;
  lua_rawgeti(L, request, TR_AT_RESULT);
  if (!lua_istable(L, rest)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  lua_newtable(L);
  tr_response_push_targets(L, s->state, i);
  int count = (int)tr_raw_length(L, asked);
  for (int k = 1; k <= count; k++) {
    char canonical[TR_TARGET_MAX + 1];
    size_t length;
    lua_rawgeti(L, asked, k);
    const char *text = lua_tolstring(L, -1, &length);
    tr_target_canonical(text, length, canonical);
    int moved = move_results_for(L, canonical, rest, s->result);
    if (!moved) append(L, missing);
    lua_settop(L, asked);
  }
  move_rest(L, rest, s->result);
  lua_rawgeti(L, request, TR_AT_ERROR);
  if (lua_isnil(L, -1) && tr_raw_length(L, missing) > 0) {
    lua_pop(L, 1);
    push_missing(L, request, missing, count);
    append_all(L, missing, s->targets_lost);
  } else if (!lua_isnil(L, -1)) {
    /* A colo result of the wrong shape spoils its target, any other error the whole request. */
    lua_rawgeti(L, request, TR_AT_LOST);
    if (lua_istable(L, -1))
      append_named(L, asked, missing, lua_gettop(L), s->targets_lost);
    else
      append_all(L, asked, s->targets_lost);
    lua_pop(L, 1);
  }
  if (!lua_isnil(L, -1)) {
    lua_rawgeti(L, request, TR_AT_INFO);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "error");
    lua_pop(L, 1);
    if (lua_isnil(L, s->error)) {
      lua_pushvalue(L, -1);
      lua_replace(L, s->error);
    }
  }
  lua_settop(L, top);
}

void tr_result_push(lua_State *L, int state, const struct tr_response *r) {
  luaL_checkstack(L, 24, "too many values");
  state = tr_abs_index(L, state);
  int top = lua_gettop(L);
  struct summing s = {state, top + 1, top + 4, top + 2};
  lua_newtable(L); /* result */
  lua_pushnil(L);  /* err */
  lua_newtable(L); /* info */
  lua_newtable(L); /* targets lost */
  lua_newtable(L); /* paths dropped */
  for (unsigned i = 0; i < r->requests; i++) {
    sum_request(L, &s, i);
    tr_response_get_request(L, state, i);
    lua_rawgeti(L, -1, TR_AT_INFO);
    lua_getfield(L, -1, "dropped");
    append_all(L, lua_gettop(L), top + 5);
    lua_pop(L, 1);
    lua_rawseti(L, top + 3, (int)i + 1);
    lua_pop(L, 1);
  }
  lua_setfield(L, top + 3, "dropped");
  if (!lua_isnil(L, s.error)) {
    lua_setfield(L, s.error, "targets");
    if (tr_raw_length(L, s.result) == 0) {
      lua_pushnil(L);
      lua_replace(L, s.result);
    }
  }
  lua_settop(L, top + 3);
}
