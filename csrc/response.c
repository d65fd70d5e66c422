/* response: arriving pieces -> tables, or an error; see response.h. */
#include "response.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "collector.h"
#include "errtable.h"
#include "request.h"
#include "target.h"

/* Places in the state. */
enum { ASKED = 1, DROPPED, FIRST_REQUEST };

/* Places in the table of a request. */
enum {
  SLICES = 1, /* the decoded colos of the running try, by their number */
  RESULT,     /* array of target results that arrived */
  ERROR,      /* of the last try, nil if it went well */
  INFO,
  FAULT /* what was wrong with a slice of the running try: path and message */
};

#define DECODE "traceroute.decode" /* registry: lua-cjson's decode, an instance of our own */
#define DECODE_DEPTH_MAX TR_SLICER_DEPTH_MAX

/* ---- decoding ---- */

void tr_response_register(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, DECODE_DEPTH_MAX);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_setfield(L, LUA_REGISTRYINDEX, DECODE);
  lua_pop(L, 2);
}

/* Pushes the decoded text and returns 0, or pushes a message and returns -1. */
static int decode(lua_State *L, const char *text, size_t length) {
  lua_getfield(L, LUA_REGISTRYINDEX, DECODE);
  lua_pushlstring(L, text, length);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  return status == 0 ? 0 : -1;
}

/* ---- keeping credentials out of what the service says ---- */

static void redact_string(lua_State *L, const char *credential) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (!strstr(text, credential)) return;
  char *copy = lua_newuserdata(L, length + 1);
  memcpy(copy, text, length + 1);
  tr_redact(copy, credential);
  lua_pushlstring(L, copy, length);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* All strings in the table at the top, whatever the service put where. */
static void redact_table(lua_State *L, const char *credential) {
  luaL_checkstack(L, 6, "a response nested too deeply");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_istable(L, -1)) {
      redact_table(L, credential);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      redact_string(L, credential);
      lua_rawset(L, -4);
      continue;
    }
    lua_pop(L, 1);
  }
}

/* ---- small things ---- */

static void get_request(lua_State *L, int state, unsigned request) {
  lua_rawgeti(L, state, FIRST_REQUEST + (int)request);
}

static void new_slices(lua_State *L, int request) {
  lua_newtable(L);
  lua_rawseti(L, request, SLICES);
  lua_pushnil(L);
  lua_rawseti(L, request, FAULT);
}

/* Pushes the targets that request i asked for. */
static void push_targets_of(lua_State *L, int state, unsigned request) {
  lua_rawgeti(L, state, ASKED);
  lua_newtable(L);
  int first = (int)request * TR_TARGETS_PER_REQUEST;
  for (int i = 1; i <= TR_TARGETS_PER_REQUEST; i++) {
    lua_rawgeti(L, -2, first + i);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      break;
    }
    lua_rawseti(L, -2, i);
  }
  lua_remove(L, -2);
}

static void append(lua_State *L, int array) {
  lua_rawseti(L, array, (int)tr_raw_length(L, array) + 1);
}

/* ---- a slice ---- */

static void take_slice(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece) {
  get_request(L, state, piece->request);
  int request = lua_gettop(L);
  lua_rawgeti(L, request, SLICES);
  lua_rawgeti(L, state, DROPPED);
  struct tr_check check = {r->validate, 0, lua_gettop(L), {0}};
  tr_error_clear(&check.error);
  char path[64];
  snprintf(path, sizeof path, "result[%u].colos[%u]", piece->target + 1, piece->colo + 1);
  if (decode(L, piece->text, piece->length) != 0) {
    tr_error_set(&check.error, TR_INVALID_RESPONSE, "not JSON: %s", lua_tostring(L, -1));
    snprintf(check.error.path, sizeof check.error.path, "%s", path);
  } else if (lua_istable(L, -1)) {
    tr_collector_show(L);
    (void)tr_schema_value(L, -1, TR_OBJECT_colo_result, path, &check);
    lua_rawseti(L, request + 1, (int)piece->index + 1);
    r->colos++;
  } else {
    (void)tr_schema_value(L, -1, TR_OBJECT_colo_result, path, &check);
  }
  if (check.error.kind != TR_NONE) {
    lua_rawgeti(L, request, FAULT);
    if (lua_isnil(L, -1)) {
      tr_errtable_push(L, &check.error);
      lua_rawseti(L, request, FAULT);
    }
  }
}

/* ---- the end of a try ---- */

/* What the service said no with: kind, a message with its own words, and what to do. */
static const char *advice(enum tr_kind kind) {
  switch (kind) {
  case TR_AUTHENTICATION:
    return "check the token, or email and key";
  case TR_PERMISSION:
    return "the token needs the permission Magic Transit Write for this account";
  case TR_NOT_FOUND:
    return "check the account id and base_url";
  case TR_RATE_LIMIT:
    return "wait retry_after seconds; a breach of the limit blocks for five minutes";
  case TR_SERVER:
    return "try again later; support asks for the ray";
  case TR_INVALID_REQUEST:
    return "change the request";
  default:
    return "support asks for the ray";
  }
}

/* The refusal in the envelope at `env` (or 0) of an answer with that status. */
static void describe_refusal(lua_State *L, int env, const struct tr_report *report,
                             struct tr_error *error) {
  enum tr_kind kind = tr_kind_of_status(report->status);
  char words[256] = "", code[32] = "";
  if (env) {
    int top = lua_gettop(L);
    lua_getfield(L, env, "errors");
    if (lua_istable(L, -1)) {
      lua_rawgeti(L, -1, 1);
      if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "code");
        if (lua_type(L, -1) == LUA_TNUMBER)
          snprintf(code, sizeof code, ", code %.14g", (double)lua_tonumber(L, -1));
        lua_getfield(L, -2, "message");
        if (lua_type(L, -1) == LUA_TSTRING)
          snprintf(words, sizeof words, "%s", lua_tostring(L, -1));
      }
    }
    lua_settop(L, top);
  } else {
    snprintf(words, sizeof words, "%.200s", report->head);
  }
  tr_error_set(error, kind, "HTTP %d%s%s%s; %s", report->status, code, *words ? ": " : "", words,
               advice(kind));
}

/* Why this try is no success, in order: the exchange failed; the service said no; the text is
** wrong. */
static void judge(lua_State *L, int env, const char *decode_fault, const struct tr_check *check,
                  const struct tr_report *report, struct tr_error *error) {
  *error = report->error;
  if (error->kind != TR_NONE) return;
  error->status = report->status;
  error->retry_after = report->retry_after;
  memcpy(error->ray, report->ray, sizeof error->ray);
  if (report->status / 100 != 2) {
    describe_refusal(L, env, report, error);
  } else if (!env) {
    tr_error_set(error, TR_INVALID_RESPONSE, "the response is not JSON: %s", decode_fault);
  } else {
    lua_getfield(L, env, "success");
    if (!lua_isboolean(L, -1)) {
      tr_error_set(error, TR_INVALID_RESPONSE, "boolean expected, got nothing of that type");
      memcpy(error->path, "success", sizeof "success");
    } else if (!lua_toboolean(L, -1)) {
      describe_refusal(L, env, report, error);
    } else if (check->error.kind != TR_NONE) {
      tr_error_set(error, check->error.kind, "%s", check->error.message);
      memcpy(error->path, check->error.path, sizeof error->path);
    }
    lua_pop(L, 1);
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

/* Adds to the target results at `to` what only those at `from` have: whole targets, and single
** colos. */
static void merge(lua_State *L, int to, int from) {
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

/* The try's target results (in env.result, if any) become the request's, joined to what earlier
** tries brought unless this one brought everything. */
static void keep_result(lua_State *L, int request, int env, int is_good) {
  if (env) lua_getfield(L, env, "result");
  if (!env || !lua_istable(L, -1)) {
    if (env) lua_pop(L, 1);
    return;
  }
  int fresh = lua_gettop(L);
  lua_rawgeti(L, request, RESULT);
  if (!is_good && lua_istable(L, -1)) merge(L, fresh, fresh + 1);
  lua_settop(L, fresh);
  lua_rawseti(L, request, RESULT);
}

static void set_number(lua_State *L, const char *name, double n) {
  lua_pushnumber(L, (lua_Number)n);
  lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

static void update_info(lua_State *L, int request, int env, const struct tr_piece *piece) {
  const struct tr_report *report = &piece->report;
  lua_rawgeti(L, request, INFO);
  int info = lua_gettop(L);
  lua_getfield(L, info, "seconds");
  lua_getfield(L, info, "bytes");
  double seconds = (double)lua_tonumber(L, -2) + report->seconds;
  lua_Integer bytes = (lua_Integer)lua_tonumber(L, -1) + (lua_Integer)report->bytes;
  lua_settop(L, info);
  set_number(L, "seconds", seconds);
  set_integer(L, "bytes", bytes);
  set_integer(L, "attempts", (lua_Integer)piece->attempts);
  if (report->status) set_integer(L, "status", report->status);
  if (*report->ray) {
    lua_pushstring(L, report->ray);
    lua_setfield(L, info, "ray");
  }
  if (env) {
    lua_getfield(L, env, "messages");
    lua_setfield(L, info, "messages");
  }
  lua_pop(L, 1);
}

/* Pushes the error as a table, with the service's own list of errors where it sent one. */
static void push_error(lua_State *L, int env, const struct tr_error *error) {
  tr_errtable_push(L, error);
  if (!env || error->kind == TR_INVALID_RESPONSE) return;
  lua_getfield(L, env, "errors");
  if (lua_istable(L, -1) && tr_raw_length(L, -1) > 0) {
    lua_rawgeti(L, -1, 1);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "code");
      lua_setfield(L, -4, "code");
    }
    lua_pop(L, 1);
    lua_setfield(L, -2, "errors");
  } else {
    lua_pop(L, 1);
  }
}

static void redact_member(lua_State *L, int env, const char *name, const char *credential) {
  lua_getfield(L, env, name);
  if (lua_istable(L, -1)) redact_table(L, credential);
  lua_pop(L, 1);
}

static void take_try(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece) {
  const struct tr_report *report = &piece->report;
  get_request(L, state, piece->request);
  int request = lua_gettop(L);
  lua_rawgeti(L, request, SLICES);
  lua_rawgeti(L, state, DROPPED);
  struct tr_check check = {r->validate, request + 1, request + 2, {0}};
  struct tr_error error;
  int env = 0;
  const char *decode_fault = "";
  tr_error_clear(&check.error);
  if (report->envelope.length) {
    if (decode(L, report->envelope.data, report->envelope.length) != 0) {
      decode_fault = lua_tostring(L, -1);
    } else if (!lua_istable(L, -1)) {
      decode_fault = "an object expected";
    } else {
      env = lua_gettop(L);
      (void)tr_schema_response(L, env, &check);
      redact_member(L, env, "errors", r->credential);
      redact_member(L, env, "messages", r->credential);
    }
  }
  judge(L, env, decode_fault, &check, report, &error);
  error.attempts = (int)piece->attempts;
  tr_redact(error.message, r->credential);
  keep_result(L, request, env, error.kind == TR_NONE);
  update_info(L, request, env, piece);
  lua_rawgeti(L, request, FAULT);
  if (error.kind != TR_NONE || lua_isnil(L, -1)) {
    lua_pop(L, 1);
    if (error.kind != TR_NONE)
      push_error(L, env, &error);
    else
      lua_pushnil(L);
  }
  lua_rawseti(L, request, ERROR);
  new_slices(L, request);
  if (piece->final) r->requests_done++;
}

void tr_response_take(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 20, "too many values");
  if (piece->kind == TR_PIECE_SLICE)
    take_slice(L, state, r, piece);
  else
    take_try(L, state, r, piece);
  lua_settop(L, top);
}

void tr_response_open(lua_State *L, const struct tr_response *r) {
  lua_createtable(L, (int)r->requests + FIRST_REQUEST, 0);
  lua_insert(L, -2);
  int state = lua_gettop(L) - 1;
  lua_rawseti(L, state, ASKED);
  lua_newtable(L);
  lua_rawseti(L, state, DROPPED);
  for (unsigned i = 0; i < r->requests; i++) {
    lua_createtable(L, FAULT, 0);
    new_slices(L, lua_gettop(L));
    lua_newtable(L);
    push_targets_of(L, state, i);
    lua_setfield(L, -2, "targets");
    lua_rawseti(L, -2, INFO);
    lua_rawseti(L, state, FIRST_REQUEST + (int)i);
  }
}

/* ---- the end of the call ---- */

/* Whether the target result at the top is for the canonical target at `wanted`. */
static int is_for(lua_State *L, const char *wanted) {
  char canonical[TR_TARGET_MAX + 1];
  int same = 0;
  if (!lua_istable(L, -1)) return 0;
  lua_getfield(L, -1, "target");
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    tr_target_canonical(text, length, canonical);
    same = strcmp(canonical, wanted) == 0;
  }
  lua_pop(L, 1);
  return same;
}

/* Moves the request's results for one target to the end of `result`; the number of them. */
static int move_results_for(lua_State *L, const char *wanted, int from, int result) {
  int moved = 0, length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    if (is_for(L, wanted)) {
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

/* What is left: if one target has no result and one result names no target, they belong together;
** the rest (a broken-off answer whose names never came, a target nobody asked for) goes to the
** end. */
static void move_rest(lua_State *L, int from, int result, int missing) {
  int length = (int)tr_raw_length(L, from), nameless = 0;
  int lonely = (int)tr_raw_length(L, missing) == 1;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 1; i <= length; i++) {
      lua_rawgeti(L, from, i);
      if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "target");
        int has_name = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (pass == 0) {
          nameless += !has_name;
        } else {
          if (!has_name && nameless == 1 && lonely) {
            lua_rawgeti(L, missing, 1);
            lua_setfield(L, -2, "target");
          }
          lua_pushvalue(L, -1);
          append(L, result);
        }
      }
      lua_pop(L, 1);
    }
  }
}

struct summing {
  int state, result, targets_lost, error; /* stack places; error holds nil until there is one */
};

static void lose_all(lua_State *L, int from, int to) {
  int length = (int)tr_raw_length(L, from);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, from, i);
    append(L, to);
  }
}

static void sum_request(lua_State *L, const struct summing *s, unsigned i) {
  int top = lua_gettop(L);
  get_request(L, s->state, i);
  int request = top + 1, rest = top + 2, missing = top + 3, asked = top + 4;
  lua_rawgeti(L, request, RESULT);
  if (!lua_istable(L, rest)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  lua_newtable(L);
  push_targets_of(L, s->state, i);
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
  move_rest(L, rest, s->result, missing);
  lua_rawgeti(L, request, ERROR);
  if (lua_isnil(L, -1) && tr_raw_length(L, missing) > 0) {
    struct tr_error error;
    tr_error_clear(&error);
    tr_error_set(&error, TR_INVALID_RESPONSE, "the response holds no result for %lu of %d targets",
                 (unsigned long)tr_raw_length(L, missing), count);
    memcpy(error.path, "result", sizeof "result");
    lua_pop(L, 1);
    tr_errtable_push(L, &error);
    lose_all(L, missing, s->targets_lost);
  } else if (!lua_isnil(L, -1)) {
    lose_all(L, asked, s->targets_lost);
  }
  if (!lua_isnil(L, -1)) {
    lua_rawgeti(L, request, INFO);
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

void tr_response_finish(lua_State *L, int state, const struct tr_response *r) {
  luaL_checkstack(L, 24, "too many values");
  state = tr_abs_index(L, state);
  int top = lua_gettop(L);
  struct summing s = {state, top + 1, top + 4, top + 2};
  lua_newtable(L); /* result */
  lua_pushnil(L);  /* err */
  lua_newtable(L); /* info */
  lua_newtable(L); /* targets lost */
  for (unsigned i = 0; i < r->requests; i++) {
    sum_request(L, &s, i);
    get_request(L, state, i);
    lua_rawgeti(L, -1, INFO);
    lua_rawseti(L, top + 3, (int)i + 1);
    lua_pop(L, 1);
  }
  lua_rawgeti(L, state, DROPPED);
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
