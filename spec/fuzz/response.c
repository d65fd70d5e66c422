/* Fuzzes the way of an answer from bytes to tables: exchange, slicer, response, result, as a call
** and its job drive them. An input is how strict to be and how many targets were asked for, as
** digits, and tries, with a byte 0x1e between them: digits for status, end, request and the size of
** pieces, and a body. Whatever comes, each target asked for is in the result or in err.targets,
** what is in the result has the shape it should, and the credential shows nowhere. */
#include "wire.h"

#include "call.h"
#include "collector.h"
#include "decode.h"
#include "errtable.h"
#include "interrupt.h"
#include "request.h"
#include "response.h"
#include "result.h"
#include "target.h"
#include "usual.h"
#include "values.h"

#define CREDENTIAL "fuzz-credential"
#define NEXT_TRY '\x1e'
#define REQUESTS_MAX 2
#define BODY_MAX 65536

static lua_State *L;

static const char *const targets[] = {"1.1.1.1",   "example.com", "2606:4700::1111", "192.0.2.1",
                                      "192.0.2.2", "192.0.2.3",   "192.0.2.4",       "192.0.2.5",
                                      "192.0.2.6", "192.0.2.7",   "a.example",       "b.example"};
#define TARGETS (sizeof targets / sizeof targets[0])

struct run {
  struct fuzz_input in;
  struct tr_response response;
  int state;
  unsigned asked;
  unsigned attempts[REQUESTS_MAX];
  int is_done[REQUESTS_MAX];
  struct tr_exchange *exchange;
  unsigned request; /* of the exchange */
  int ended;
};

/* ---- what a call does ---- */

static void deliver(struct run *run, struct tr_piece *piece) {
  piece->request = run->request;
  piece->attempts = run->attempts[run->request];
  tr_response_take(L, run->state, &run->response, piece);
  tr_piece_free(piece);
}

static struct tr_piece *new_piece(enum tr_piece_kind kind) {
  struct tr_piece *piece = tr_piece_new(kind);
  FUZZ_CHECK(piece);
  return piece;
}

static int on_slice(void *arg, char *text, size_t length, const struct tr_slicer *where) {
  struct tr_piece *piece = new_piece(TR_PIECE_SLICE);
  piece->text = text;
  piece->length = length;
  piece->index = where->index;
  piece->target = where->target;
  piece->colo = where->colo;
  deliver(arg, piece);
  return 0;
}

static int is_full(void *arg) {
  (void)arg;
  return 0;
}

static void on_try_ended(void *arg) {
  ((struct run *)arg)->ended = 1;
}

static void finish_try(struct run *run, const struct tr_error *cancelled, int is_last) {
  struct tr_report *report = tr_exchange_report(run->exchange);
  struct tr_piece *piece = new_piece(TR_PIECE_TRY);
  *piece->report = *report;
  memset(&report->envelope, 0, sizeof report->envelope);
  if (cancelled) piece->report->error = *cancelled;
  piece->final = is_last || report->whole || cancelled;
  run->is_done[run->request] = piece->final;
  deliver(run, piece);
}

static void cancelled_error(struct tr_error *error) {
  tr_error_clear(error);
  tr_error_set(error, TR_CANCELLED, "cancelled");
}

static struct tr_exchange *new_exchange(struct run *run) {
  static char *lines[] = {NULL};
  static char url[] = "https://example.com/", agent[] = "fuzz";
  static const struct tr_endpoint endpoint = {.url = url,
                                              .headers = lines,
                                              .user_agent = agent,
                                              .secret = CREDENTIAL,
                                              .connect_timeout = 1,
                                              .max_bytes = BODY_MAX};
  struct tr_sink sink = {on_slice, is_full, on_try_ended, run};
  struct tr_exchange *x = tr_exchange_new(&endpoint, sink);
  FUZZ_CHECK(x);
  return x;
}

static void run_try(struct run *run, struct fuzz_input in, int is_last) {
  static const long statuses[] = {200, 201, 204, 301, 400, 401, 403, 404,
                                  409, 422, 429, 500, 502, 520, 0,   299};
  static const CURLcode ends[] = {CURLE_OK, CURLE_RECV_ERROR, CURLE_OPERATION_TIMEDOUT};
  struct tr_error error;
  wire_status = statuses[fuzz_digit(&in) % 16];
  unsigned end = fuzz_digit(&in) % 4;
  run->request = fuzz_digit(&in) % run->response.requests;
  size_t size = fuzz_digit(&in);
  if (run->is_done[run->request]) return;
  run->attempts[run->request]++;
  run->ended = 0;
  run->exchange = new_exchange(run);
  CURLcode result = wire_status ? wire_body(run->exchange, in, size) : CURLE_COULDNT_CONNECT;
  if (end == 3) {
    cancelled_error(&error);
    tr_exchange_abandon(run->exchange);
    finish_try(run, &error, 1);
  } else {
    wire_end(run->exchange, result == CURLE_OK ? ends[end] : result);
    FUZZ_CHECK(run->ended);
    finish_try(run, NULL, is_last);
  }
  tr_exchange_free(run->exchange);
}

/* A request that never had a try, or was waiting for its next one. */
static void end_request(struct run *run, unsigned request) {
  if (run->is_done[request]) return;
  struct tr_piece *piece = new_piece(TR_PIECE_TRY);
  run->request = request;
  piece->report->outcome = TR_OUTCOME_REFUSED;
  cancelled_error(&piece->report->error);
  piece->report->headers.retry_after = -1;
  piece->final = 1;
  deliver(run, piece);
}

/* ---- what has to hold ---- */

/* Whether a list of names, or of tables with a `target`, has that canonical one. */
static int has_name(int list, const char *canonical) {
  int length = lua_istable(L, list) ? (int)tr_raw_length(L, list) : 0, found = 0;
  int top = lua_gettop(L);
  for (int i = 1; i <= length && !found; i++) {
    char name[TR_TARGET_MAX + 1];
    lua_rawgeti(L, list, i);
    if (lua_istable(L, -1)) lua_getfield(L, -1, "target");
    if (lua_type(L, -1) == LUA_TSTRING) {
      size_t size;
      const char *text = lua_tolstring(L, -1, &size);
      tr_target_canonical(text, size, name);
      found = strcmp(name, canonical) == 0;
    }
    lua_settop(L, top);
  }
  return found;
}

static int is_telltale(lua_State *state, int index) {
  size_t length;
  if (lua_type(state, index) != LUA_TSTRING) return 0;
  const char *text = lua_tolstring(state, index, &length);
  return memmem(text, length, CREDENTIAL, strlen(CREDENTIAL)) != NULL;
}

static int is_foreign(lua_State *state, int index) {
  int type = lua_type(state, index);
  return type != LUA_TTABLE && type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN;
}

/* Names of targets, each of which was asked for. */
static void check_lost(int lost, unsigned asked) {
  FUZZ_CHECK(lua_istable(L, lost));
  int length = (int)tr_raw_length(L, lost);
  for (int i = 1; i <= length; i++) {
    unsigned known = 0;
    lua_rawgeti(L, lost, i);
    FUZZ_CHECK(lua_type(L, -1) == LUA_TSTRING);
    for (unsigned k = 0; k < asked; k++) {
      char name[TR_TARGET_MAX + 1];
      size_t size;
      const char *text = lua_tolstring(L, -1, &size);
      tr_target_canonical(text, size, name);
      known += strcmp(name, targets[k]) == 0;
    }
    FUZZ_CHECK(known == 1);
    lua_pop(L, 1);
  }
}

static void check_error(int error, unsigned asked) {
  int is_known = 0;
  FUZZ_CHECK(lua_istable(L, error));
  lua_getfield(L, error, "kind");
  for (int kind = TR_NONE + 1; kind < TR_KINDS; kind++)
    is_known |= strcmp(luaL_checkstring(L, -1), tr_kind_name((enum tr_kind)kind)) == 0;
  FUZZ_CHECK(is_known);
  lua_getfield(L, error, "message");
  FUZZ_CHECK(*luaL_checkstring(L, -1));
  lua_getfield(L, error, "targets");
  check_lost(lua_gettop(L), asked);
  FUZZ_CHECK(luaL_callmeta(L, error, "__tostring") && *luaL_checkstring(L, -1));
  lua_pop(L, 4);
}

/* What was checked once passes once more, as it is. */
static void check_result(int result, enum tr_validate validate) {
  int length = (int)tr_raw_length(L, result);
  FUZZ_CHECK(length > 0 && !values_any(L, result, is_foreign));
  for (int i = 1; i <= length; i++) {
    struct tr_check check = {TR_VALIDATE_STRICT, 0, 0, {0}};
    lua_rawgeti(L, result, i);
    FUZZ_CHECK(lua_istable(L, -1));
    tr_error_clear(&check.error);
    if (validate != TR_VALIDATE_NONE)
      FUZZ_CHECK(tr_schema_value(L, -1, TR_OBJECT_target_result, "", &check) == 0);
    lua_pop(L, 1);
  }
}

static void check_all(const struct run *run, int result, int error, int info) {
  FUZZ_CHECK(!lua_isnil(L, result) || !lua_isnil(L, error));
  FUZZ_CHECK(lua_istable(L, info));
  FUZZ_CHECK(!values_any(L, error, is_telltale) && !values_any(L, info, is_telltale));
  if (!lua_isnil(L, error)) check_error(error, run->asked);
  if (!lua_isnil(L, result)) check_result(result, run->response.validate);
  if (lua_isnil(L, error))
    lua_pushnil(L);
  else
    lua_getfield(L, error, "targets");
  for (unsigned i = 0; i < run->asked; i++)
    FUZZ_CHECK(has_name(result, targets[i]) || has_name(lua_gettop(L), targets[i]));
}

static int l_run(lua_State *state) {
  struct run *run = lua_touserdata(state, 1);
  struct tr_interrupt aside;
  lua_settop(L, 0);
  lua_newtable(L);
  for (unsigned i = 0; i < run->asked; i++) {
    lua_pushstring(L, targets[i]);
    lua_rawseti(L, 1, (int)i + 1);
  }
  tr_response_open(L, &run->response);
  run->state = 1;
  tr_interrupt_hold(L, &aside);
  while (run->in.left) {
    struct fuzz_input part = fuzz_part(&run->in, NEXT_TRY);
    run_try(run, part, run->in.left == 0);
  }
  for (unsigned i = 0; i < run->response.requests; i++)
    end_request(run, i);
  tr_interrupt_release(L, &aside);
  FUZZ_CHECK(lua_gettop(L) == 1 && run->response.requests_done == run->response.requests);
  tr_result_push(L, 1, &run->response);
  FUZZ_CHECK(lua_gettop(L) == 4);
  check_all(run, 2, 3, 4);
  lua_settop(L, 0);
  return 0;
}

static int l_register(lua_State *state) {
  tr_collector_register(state);
  tr_decode_register(state);
  tr_usual_register(state);
  tr_errtable_register(state);
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  L = values_open();
  values_run(L, l_register, NULL);
  return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const enum tr_validate modes[] = {TR_VALIDATE_STRICT, TR_VALIDATE_LENIENT,
                                           TR_VALIDATE_NONE};
  struct run run;
  memset(&run, 0, sizeof run);
  run.in = fuzz_input(data, size);
  run.response.validate = modes[fuzz_digit(&run.in) % 3];
  run.asked = 1 + fuzz_digit(&run.in) % TARGETS;
  run.response.requests = (run.asked + TR_TARGETS_PER_REQUEST - 1) / TR_TARGETS_PER_REQUEST;
  run.response.credential = CREDENTIAL;
  values_run(L, l_run, &run);
  return 0;
}
