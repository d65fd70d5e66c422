/* blot: keeps a credential out of what the service said; see blot.h. */
#include "blot.h"

#include <string.h>

#include "contract.h"
#include "schema.h"

static int is_secret(const char *credential) {
  return credential && strlen(credential) >= TR_REDACT_MIN;
}

static int holds(const char *text, size_t length, const char *credential) {
  return memmem(text, length, credential, strlen(credential)) != NULL;
}

int tr_blot_is_due(const char *text, size_t length, const char *credential) {
  return is_secret(credential) &&
         (memchr(text, '\\', length) != NULL || holds(text, length, credential));
}

/* A credential that is a common word must not take the contract's own members away. */
static int is_contracts(const char *name, size_t length) {
  size_t hint = 0;
  for (size_t i = 0; i < TR_OBJECTS; i++)
    if (tr_contract_find(&tr_contract[i], name, length, &hint)) return 1;
  return 0;
}

/* Whether the member name at the top of the stack holds the credential. */
static int is_telltale(lua_State *L, const char *credential) {
  if (lua_type(L, -1) != LUA_TSTRING) return 0;
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  return holds(text, length, credential) && !is_contracts(text, length);
}

/* The string at the top of the stack is replaced by one without the credential. */
static void blot_string(lua_State *L, const char *credential) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  char *copy = lua_newuserdata(L, length + 1);
  memcpy(copy, text, length + 1);
  tr_redact(copy, length, credential);
  lua_pushlstring(L, copy, length);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* The member whose name and value are at the top gets the value there instead; the name stays. */
static void set_member(lua_State *L) {
  lua_pushvalue(L, -2);
  lua_insert(L, -2);
  lua_rawset(L, -4);
}

static int is_tainted(lua_State *L, const char *credential) {
  size_t length;
  if (lua_type(L, -1) != LUA_TSTRING) return 0;
  const char *text = lua_tolstring(L, -1, &length);
  return holds(text, length, credential);
}

struct walk {
  const char *credential;
  int dropped;
};

/* Names that do not hold the credential may spell it out where they are joined. */
static void note(lua_State *L, const struct walk *walk, const struct tr_step *step) {
  char path[TR_PATH_MAX];
  size_t length = tr_step_write(path, sizeof path, step);
  tr_redact(path, length, walk->credential);
  tr_schema_note(L, walk->dropped, path);
}

/* Where the key at the top of the stack leads. */
static struct tr_step step_to_key(lua_State *L, const struct tr_step *up) {
  struct tr_step step = {up, NULL, 0};
  if (lua_type(L, -1) == LUA_TSTRING)
    step.name = lua_tostring(L, -1);
  else
    step.index = (size_t)lua_tonumber(L, -1);
  return step;
}

static void blot(lua_State *L, const struct walk *walk, const struct tr_step *up) {
  luaL_checkstack(L, 8, "a response nested too deeply");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    struct tr_step here = step_to_key(L, up);
    int must_go = is_telltale(L, walk->credential);
    lua_pop(L, 1);
    if (must_go) {
      here.name = "***";
      note(L, walk, &here);
      lua_pop(L, 1);
      lua_pushnil(L);
      set_member(L);
    } else if (is_tainted(L, walk->credential)) {
      note(L, walk, &here);
      blot_string(L, walk->credential);
      set_member(L);
    } else {
      if (lua_istable(L, -1)) blot(L, walk, &here);
      lua_pop(L, 1);
    }
  }
}

void tr_blot_table(lua_State *L, const char *credential, const char *path, int dropped) {
  struct walk walk = {credential, dropped};
  struct tr_step root = {NULL, path, 0};
  if (is_secret(credential)) blot(L, &walk, *path ? &root : NULL);
}
