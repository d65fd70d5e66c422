/* response: arriving pieces -> tables, or an error; see response.h. */
#include "response.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "blot.h"
#include "collector.h"
#include "decode.h"
#include "errtable.h"
#include "partial.h"
#include "request.h"
#include "target.h"
#include "usual.h"

#define UNUSUAL_MAX 8 /* colos in a row that were not as usual: a newer API, whose others are not */

/* ---- decoding ---- */

/* Pushes the decoded text, in which the credential shows nowhere, and returns 0, or pushes a
** message and returns -1. What was blotted out is noted in the array at `dropped`, by paths that begin
** with `path`. Called while the program's hook is put aside. */
static int decode(lua_State *L, const char *text, size_t length, const char *credential,
                  const char *path, int dropped) {
  if (tr_decode(L, text, length) != 0) return -1;
  if (lua_istable(L, -1) && tr_blot_is_due(text, length, credential))
    tr_blot_table(L, credential, path, dropped);
  return 0;
}

/* ---- small things ---- */

void tr_response_get_request(lua_State *L, int state, unsigned request) {
  lua_rawgeti(L, state, TR_AT_FIRST_REQUEST + (int)request);
}

/* A try begins with nothing. */
static void new_slices(lua_State *L, int request) {
  lua_newtable(L);
  lua_rawseti(L, request, TR_AT_SLICES);
  lua_pushnil(L);
  lua_rawseti(L, request, TR_AT_FAULT);
  lua_newtable(L);
  lua_rawseti(L, request, TR_AT_FAULTY);
}

static void push_dropped(lua_State *L, int request) {
  lua_rawgeti(L, request, TR_AT_INFO);
  lua_getfield(L, -1, "dropped");
  lua_remove(L, -2);
}

void tr_response_push_targets(lua_State *L, int state, unsigned request) {
  lua_rawgeti(L, state, TR_AT_ASKED);
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

/* ---- a slice ---- */

/* The first thing wrong with a slice is the request's error, should nothing worse come; all targets
** with such a slice are lost ones. */
static void note_fault(lua_State *L, int request, const struct tr_error *error, unsigned target) {
  lua_rawgeti(L, request, TR_AT_FAULTY);
  lua_pushboolean(L, 1);
  lua_rawseti(L, -2, (int)target + 1);
  lua_rawgeti(L, request, TR_AT_FAULT);
  if (lua_isnil(L, -1)) {
    lua_createtable(L, 2, 0);
    lua_pushstring(L, error->message);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, error->path);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, request, TR_AT_FAULT);
  }
}

static void take_slice(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece) {
  tr_response_get_request(L, state, piece->request);
  int request = lua_gettop(L);
  lua_rawgeti(L, request, TR_AT_SLICES);
  push_dropped(L, request);
  struct tr_check check = {r->validate, 0, request + 2, {0}};
  tr_error_clear(&check.error);
  if (r->unusual < UNUSUAL_MAX && !tr_blot_is_due(piece->text, piece->length, r->credential) &&
      tr_usual_push(L, piece->text, piece->length)) {
    r->unusual = 0;
    tr_collector_show(L);
    lua_rawseti(L, request + 1, (int)piece->index + 1);
    r->colos++;
    return;
  }
  r->unusual++;
  tr_collector_waste(L);
  char path[64];
  snprintf(path, sizeof path, "result[%u].colos[%u]", piece->target + 1, piece->colo + 1);
  if (decode(L, piece->text, piece->length, r->credential, path, check.dropped) != 0) {
    tr_error_set(&check.error, TR_INVALID_RESPONSE, "not JSON: %s", lua_tostring(L, -1));
    snprintf(check.error.path, sizeof check.error.path, "%s", path);
  } else {
    if (lua_istable(L, -1)) tr_collector_show(L);
    (void)tr_schema_value(L, -1, TR_OBJECT_colo_result, path, &check);
    if (lua_istable(L, -1)) {
      lua_rawseti(L, request + 1, (int)piece->index + 1);
      r->colos++;
    }
  }
  if (check.error.kind != TR_NONE) note_fault(L, request, &check.error, piece->target);
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
    return "wait five minutes, for which a breach of the limit blocks";
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
  char words[256] = "", code[32] = "", wait[64];
  const char *next = advice(kind);
  if (kind == TR_RATE_LIMIT && report->headers.retry_after >= 0) {
    snprintf(wait, sizeof wait, "wait %.0f s (retry_after)", ceil(report->headers.retry_after));
    next = wait;
  }
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
               next);
}

/* Slices of the wrong shape: the error, and in TR_AT_LOST the names of their targets. */
static void judge_slices(lua_State *L, int request, int env, struct tr_error *error) {
  int top = lua_gettop(L);
  lua_rawgeti(L, request, TR_AT_FAULT);
  if (lua_istable(L, -1)) {
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    tr_error_set(error, TR_INVALID_RESPONSE, "%s", lua_tostring(L, -2));
    snprintf(error->path, sizeof error->path, "%s", lua_tostring(L, -1));
    lua_newtable(L);
    int lost = lua_gettop(L);
    lua_rawgeti(L, request, TR_AT_FAULTY);
    lua_getfield(L, env, "result");
    int results = lua_gettop(L);
    int length = lua_istable(L, results) ? (int)tr_raw_length(L, results) : 0;
    for (int i = 1; i <= length; i++) {
      lua_rawgeti(L, lost + 1, i);
      lua_rawgeti(L, results, i);
      lua_getfield(L, -1, "target");
      if (lua_toboolean(L, -3) && lua_type(L, -1) == LUA_TSTRING) tr_append(L, lost);
      lua_settop(L, results);
    }
    lua_pushvalue(L, lost);
    lua_rawseti(L, request, TR_AT_LOST);
  }
  lua_settop(L, top);
}

/* Why this try is no success, in order: the exchange failed; the service said no; the text is
** wrong. */
static void judge(lua_State *L, int request, int env, const char *decode_fault,
                  const struct tr_check *check, const struct tr_report *report,
                  struct tr_error *error) {
  *error = report->error;
  if (error->kind != TR_NONE) return;
  error->status = report->status;
  error->retry_after = report->headers.retry_after;
  memcpy(error->ray, report->headers.ray, sizeof error->ray);
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
    } else {
      judge_slices(L, request, env, error);
    }
    lua_pop(L, 1);
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
  lua_rawgeti(L, request, TR_AT_INFO);
  lua_getfield(L, -1, "targets");
  tr_partial_prune(L, fresh, is_good);
  tr_partial_name(L, fresh, fresh + 2);
  lua_rawgeti(L, request, TR_AT_RESULT);
  if (!is_good && lua_istable(L, -1)) tr_partial_merge(L, fresh, fresh + 3);
  lua_settop(L, fresh);
  lua_rawseti(L, request, TR_AT_RESULT);
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
  const struct tr_report *report = piece->report;
  lua_rawgeti(L, request, TR_AT_INFO);
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
  if (*report->headers.ray) {
    lua_pushstring(L, report->headers.ray);
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

static int may_be_envelope(const struct tr_buffer *text) {
  const char *first = text->data + strspn(text->data, " \t\r\n");
  return *first == '{' || *first == '[';
}

/* Decodes and checks the try's envelope; its place on the stack, or 0 and a reason. A page is no
** envelope: it does not become a string of Lua's, which would outlive the call with whatever it
** repeats. */
static int take_envelope(lua_State *L, const struct tr_response *r, const struct tr_report *report,
                         struct tr_check *check, const char **why) {
  if (report->envelope.length == 0) return 0;
  if (!may_be_envelope(&report->envelope)) {
    *why = "an object expected";
    return 0;
  }
  if (decode(L, report->envelope.data, report->envelope.length, r->credential, "",
             check->dropped) != 0) {
    *why = lua_tostring(L, -1);
    return 0;
  }
  if (!lua_istable(L, -1)) {
    *why = "an object expected";
    return 0;
  }
  int env = lua_gettop(L);
  (void)tr_schema_response(L, env, check);
  return env;
}

static void take_try(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece) {
  const struct tr_report *report = piece->report;
  tr_response_get_request(L, state, piece->request);
  int request = lua_gettop(L);
  lua_rawgeti(L, request, TR_AT_SLICES);
  push_dropped(L, request);
  struct tr_check check = {r->validate, request + 1, request + 2, {0}};
  struct tr_error error;
  const char *why = "";
  tr_error_clear(&check.error);
  int env = take_envelope(L, r, report, &check, &why);
  judge(L, request, env, why, &check, report, &error);
  error.attempts = (int)piece->attempts;
  tr_redact(error.message, strlen(error.message), r->credential);
  keep_result(L, request, env, error.kind == TR_NONE);
  update_info(L, request, env, piece);
  if (error.kind != TR_NONE)
    push_error(L, env, &error);
  else
    lua_pushnil(L);
  lua_rawseti(L, request, TR_AT_ERROR);
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
  lua_createtable(L, (int)r->requests + TR_AT_FIRST_REQUEST, 0);
  lua_insert(L, -2);
  int state = lua_gettop(L) - 1;
  lua_rawseti(L, state, TR_AT_ASKED);
  for (unsigned i = 0; i < r->requests; i++) {
    lua_createtable(L, TR_AT_LOST, 0);
    new_slices(L, lua_gettop(L));
    lua_newtable(L);
    tr_response_push_targets(L, state, i);
    lua_setfield(L, -2, "targets");
    lua_newtable(L);
    lua_setfield(L, -2, "dropped");
    lua_rawseti(L, -2, TR_AT_INFO);
    lua_rawseti(L, state, TR_AT_FIRST_REQUEST + (int)i);
  }
}
