/* Fuzzes the checking of what a script passes. An input is up to three values (account, targets,
** opts), in the notation of notation.h. Whatever they are, nothing is raised: there is an error, or
** a plan whose bodies say what was asked for and nothing else, within the bounds of schema.def.
** What checks the arguments of others gets the same values.
**
** ** One thing is accepted that one would not write: libcurl, which reads base_url, takes
** https:/host and https:///host for https://host. */
#include "request.h"

#include "contract.h"
#include "errtable.h"
#include "notation.h"
#include "preview.h"
#include "target.h"
#include "vet.h"

#include <strings.h>

#define ACCOUNT 1 /* where the arguments stay on the stack */
#define TARGETS 2
#define OPTS 3

static lua_State *L;

/* ---- an error ---- */

static void check_error(int error) {
  FUZZ_CHECK(lua_istable(L, error));
  lua_getfield(L, error, "kind");
  const char *kind = luaL_checkstring(L, -1);
  FUZZ_CHECK(strcmp(kind, "invalid_request") == 0 || strcmp(kind, "authentication") == 0);
  lua_getfield(L, error, "message");
  FUZZ_CHECK(*luaL_checkstring(L, -1));
  lua_getfield(L, error, "path");
  FUZZ_CHECK(lua_isstring(L, -1));
  lua_pop(L, 3);
}

/* Calls the function with the values that were pushed; what it gives: 1, or 0 for an error. */
static int is_fine(lua_CFunction function, int arguments) {
  int base = lua_gettop(L) - arguments;
  lua_pushcfunction(L, function);
  lua_insert(L, base + 1);
  int status = lua_pcall(L, arguments, LUA_MULTRET, 0);
  if (status != 0) fprintf(stderr, "raised: %s\n", lua_tostring(L, -1));
  FUZZ_CHECK(status == 0);
  int fine = lua_gettop(L) == base + 1;
  FUZZ_CHECK(fine || lua_gettop(L) == base + 2);
  if (!fine) {
    FUZZ_CHECK(lua_isnil(L, base + 1));
    check_error(base + 2);
    lua_settop(L, base);
  }
  return fine;
}

/* ---- a plan ---- */

static int has_control(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return 1;
  return 0;
}

/* Each option that was passed has the type and the bounds of its field. */
static void check_option(const struct tr_field *field) {
  lua_pushlstring(L, field->name, field->length);
  lua_rawget(L, OPTS);
  int type = lua_type(L, -1);
  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  if (field->type == TR_TYPE_INTEGER || field->type == TR_TYPE_NUMBER) {
    double n = (double)lua_tonumber(L, -1);
    FUZZ_CHECK(type == LUA_TNUMBER && n >= field->min && n <= field->max);
    FUZZ_CHECK(field->type == TR_TYPE_NUMBER || floor(n) == n);
  } else if (field->type == TR_TYPE_STRING) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    FUZZ_CHECK(type == LUA_TSTRING && strlen(text) == length && !has_control(text));
    FUZZ_CHECK((double)length >= field->min && (double)length <= field->max);
  } else if (field->type == TR_TYPE_STRINGS) {
    FUZZ_CHECK(type == LUA_TTABLE);
  } else if (field->type == TR_TYPE_BOOLEAN) {
    FUZZ_CHECK(type == LUA_TBOOLEAN);
  } else if (field->type == TR_TYPE_FUNCTION) {
    FUZZ_CHECK(type == LUA_TFUNCTION);
  } else {
    FUZZ_CHECK(type == LUA_TSTRING || (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)));
  }
  lua_pop(L, 1);
}

static void check_options(void) {
  const struct tr_object_fields *object = &tr_contract[TR_OBJECT_options];
  for (size_t i = 0; lua_istable(L, OPTS) && i < object->count; i++)
    check_option(&object->fields[i]);
}

/* The set of the canonical forms of what was asked for; pushed. Their number. */
static size_t push_asked(void) {
  size_t count = 0, length = 1;
  int is_list = lua_istable(L, TARGETS);
  if (is_list) length = tr_raw_length(L, TARGETS);
  lua_newtable(L);
  for (size_t i = 1; i <= length; i++) {
    char canonical[TR_TARGET_MAX + 1];
    size_t size;
    if (is_list)
      lua_rawgeti(L, TARGETS, (int)i);
    else
      lua_pushvalue(L, TARGETS);
    FUZZ_CHECK(lua_type(L, -1) == LUA_TSTRING);
    const char *text = lua_tolstring(L, -1, &size);
    tr_target_canonical(text, size, canonical);
    lua_getfield(L, -2, canonical);
    count += lua_isnil(L, -1) ? 1 : 0;
    lua_pop(L, 2);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, canonical);
  }
  return count;
}

/* The targets of a body, at the top; each is struck from the set at `asked`. */
static size_t strike_targets(int asked) {
  FUZZ_CHECK(lua_istable(L, -1));
  size_t count = tr_raw_length(L, -1);
  FUZZ_CHECK(count >= 1 && count <= TR_TARGETS_PER_REQUEST);
  for (size_t i = 1; i <= count; i++) {
    char hint[2 * TR_TARGET_MAX], canonical[TR_TARGET_MAX + 1];
    size_t length;
    lua_rawgeti(L, -1, (int)i);
    FUZZ_CHECK(lua_type(L, -1) == LUA_TSTRING);
    const char *text = lua_tolstring(L, -1, &length);
    FUZZ_CHECK(!tr_target_fault(text, length, hint, sizeof hint));
    tr_target_canonical(text, length, canonical);
    lua_getfield(L, asked, canonical);
    FUZZ_CHECK(lua_toboolean(L, -1));
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_setfield(L, asked, canonical);
    lua_pop(L, 1);
  }
  return count;
}

/* The options of a body, at the top: those of the API that were passed, as they were passed. */
static void check_body_options(void) {
  const struct tr_object_fields *object = &tr_contract[TR_OBJECT_measure];
  int body = lua_gettop(L), count = 0;
  FUZZ_CHECK(lua_istable(L, body));
  for (size_t i = 0; lua_istable(L, OPTS) && i < object->count; i++) {
    const char *name = object->fields[i].name;
    lua_pushstring(L, name);
    lua_rawget(L, OPTS);
    lua_getfield(L, body, name);
    if (lua_type(L, -1) == LUA_TNUMBER)
      FUZZ_CHECK(lua_tonumber(L, -1) == lua_tonumber(L, -2));
    else
      FUZZ_CHECK(lua_rawequal(L, -1, -2));
    count += !lua_isnil(L, -1);
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  while (lua_next(L, body)) {
    lua_pop(L, 1);
    count--;
  }
  FUZZ_CHECK(count == 0);
}

static void check_colos(void) {
  size_t count = tr_raw_length(L, -1);
  FUZZ_CHECK(lua_istable(L, -1) && count > 0);
  lua_pushliteral(L, "colos");
  lua_rawget(L, OPTS);
  FUZZ_CHECK(values_same(L, -1, -2));
  lua_pop(L, 1);
}

static size_t check_body(int asked) {
  size_t length, count = 0;
  const char *text = luaL_checklstring(L, -1, &length);
  FUZZ_CHECK(values_decode(L, text, length) && lua_istable(L, -1));
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const char *name = luaL_checkstring(L, -2);
    if (strcmp(name, "targets") == 0) {
      count = strike_targets(asked);
    } else if (strcmp(name, "options") == 0) {
      check_body_options();
    } else {
      FUZZ_CHECK(strcmp(name, "colos") == 0);
      check_colos();
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count;
}

static void check_bodies(int plan) {
  size_t wanted = push_asked(), found = 0;
  int asked = lua_gettop(L);
  lua_getfield(L, plan, "bodies");
  size_t bodies = tr_raw_length(L, -1);
  FUZZ_CHECK(bodies == (wanted + TR_TARGETS_PER_REQUEST - 1) / TR_TARGETS_PER_REQUEST);
  for (size_t i = 1; i <= bodies; i++) {
    lua_rawgeti(L, asked + 1, (int)i);
    found += check_body(asked);
    lua_pop(L, 1);
  }
  FUZZ_CHECK(found == wanted);
  lua_settop(L, asked - 1);
}

static void check_text(const char *text, const char *beginning, const char *other) {
  FUZZ_CHECK(!has_control(text));
  FUZZ_CHECK(!beginning || strncasecmp(text, beginning, strlen(beginning)) == 0 ||
             strncasecmp(text, other, strlen(other)) == 0);
}

/* All lines that hold a credential hide it. */
static void check_plan(int plan) {
  lua_getfield(L, plan, "url");
  check_text(luaL_checkstring(L, -1), "https:/", "http:/");
  lua_getfield(L, plan, "timeout");
  FUZZ_CHECK(lua_tonumber(L, -1) > 0 && lua_tonumber(L, -1) <= 86400);
  lua_getfield(L, plan, "headers");
  int length = (int)tr_raw_length(L, -1);
  for (int i = 1; i <= length; i++) {
    lua_rawgeti(L, -1, i);
    const char *line = luaL_checkstring(L, -1);
    check_text(line, NULL, NULL);
    if (strncasecmp(line, "Authorization", 13) == 0 || strncasecmp(line, "X-Auth", 6) == 0)
      FUZZ_CHECK(strcmp(line + strcspn(line, ":"), ": ***") == 0);
    lua_pop(L, 1);
  }
  lua_pop(L, 3);
  check_options();
  check_bodies(plan);
}

static int l_run(lua_State *state) {
  static const char *const lists[] = {"options", "probe_options", "measure"};
  struct fuzz_input in = *(const struct fuzz_input *)lua_touserdata(state, 1);
  lua_settop(L, 0);
  for (int i = ACCOUNT; i <= OPTS; i++) {
    lua_pushnil(L); /* no @ across arguments */
    notation_push(L, &in, 0);
    lua_remove(L, -2);
  }
  for (int i = ACCOUNT; i <= OPTS; i++)
    lua_pushvalue(L, i);
  if (is_fine(tr_preview_push, 3)) check_plan(lua_gettop(L));
  lua_settop(L, OPTS);
  lua_pushvalue(L, TARGETS);
  if (is_fine(tr_vet_targets, 1)) FUZZ_CHECK(lua_istable(L, -1));
  lua_settop(L, OPTS);
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    lua_pushstring(L, lists[i]);
    lua_pushvalue(L, OPTS);
    if (is_fine(tr_vet_options, 2)) FUZZ_CHECK(lua_toboolean(L, -1));
    lua_settop(L, OPTS);
  }
  lua_settop(L, 0);
  return 0;
}

static int l_register(lua_State *state) {
  tr_errtable_register(state);
  tr_preview_register(state);
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static const char *const names[] = {"CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN",
                                      "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY",
                                      "CLOUDFLARE_BASE_URL"};
  (void)argc;
  (void)argv;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    (void)unsetenv(names[i]);
  L = values_open();
  values_run(L, l_register, NULL);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input in = fuzz_input(data, size);
  values_run(L, l_run, &in);
  return 0;
}
