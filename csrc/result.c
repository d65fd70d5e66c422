/* result: what a call comes to, once all its pieces were taken in; see result.h. */
#include "result.h"

#include <string.h>

#include "errtable.h"
#include "partial.h"

/* What is left (a broken-off answer whose names never came, a target nobody asked for) goes to the
** end: all whose group was not taken out of the table at `groups`. */
static void move_rest(lua_State *L, int from, int groups, int result) {
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    tr_partial_push_name(L, -1);
    int is_left = lua_isnil(L, -1);
    if (!is_left) {
      lua_pushvalue(L, -1);
      lua_rawget(L, groups);
      is_left = !lua_isnil(L, -1);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (is_left)
      tr_append(L, result);
    else
      lua_pop(L, 1);
  }
}

/* Puts the names in the array at `list`, in their canonical form, into the set at `names`. */
static void add_names(lua_State *L, int list, int names) {
  int length = (int)tr_raw_length(L, list);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, list, i);
    tr_partial_push_canonical(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, names);
    lua_pop(L, 1);
  }
}

/* Adds those of the targets asked for that are named in one of the two arrays. */
static void append_named(lua_State *L, int asked, int one, int other, int to) {
  int length = (int)tr_raw_length(L, asked), names = lua_gettop(L) + 1;
  lua_newtable(L);
  add_names(L, one, names);
  add_names(L, other, names);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, asked, i);
    tr_partial_push_canonical(L, -1);
    lua_rawget(L, names);
    int is_named = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (is_named)
      tr_append(L, to);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

struct summing {
  int state, result, targets_lost, error; /* stack places; error holds nil until there is one */
};

static void append_all(lua_State *L, int from, int to) {
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    tr_append(L, to);
  }
}

/* Moves the results at `from` to the end of `result`, in the order of the targets asked for; of
** which those without any go to `missing`. */
static void move_results(lua_State *L, int from, int asked, int missing, int result) {
  tr_partial_push_groups(L, from);
  int groups = lua_gettop(L), count = (int)tr_raw_length(L, asked);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, asked, i);
    tr_partial_push_canonical(L, -1);
    lua_pushvalue(L, -1);
    lua_rawget(L, groups);
    if (lua_istable(L, -1)) {
      append_all(L, lua_gettop(L), result);
      lua_pop(L, 1);
      lua_pushnil(L);
      lua_rawset(L, groups);
    } else {
      lua_pop(L, 2);
      lua_pushvalue(L, -1);
      tr_append(L, missing);
    }
    lua_pop(L, 1);
  }
  move_rest(L, from, groups, result);
  lua_pop(L, 1);
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
  move_results(L, rest, asked, missing, s->result);
  lua_rawgeti(L, request, TR_AT_ERROR);
  if (lua_isnil(L, -1) && tr_raw_length(L, missing) > 0) {
    lua_pop(L, 1);
    push_missing(L, request, missing, (int)tr_raw_length(L, asked));
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
