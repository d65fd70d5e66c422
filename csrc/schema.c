/* schema: checks decoded values against the fields of schema.def; see schema.h. */
#include "schema.h"

#include <string.h>

/* 1e999: JSON can say it, no number of Lua's can mean it, and nothing could write it down again. */
static int is_infinite(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TNUMBER && isinf((double)lua_tonumber(L, index));
}

/* What stays nowhere: null, and what is no number after all. */
static int is_void(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA || is_infinite(L, index);
}

const char *tr_schema_type_name(lua_State *L, int index) {
  switch (lua_type(L, index)) {
  case LUA_TLIGHTUSERDATA:
    return "null";
  case LUA_TNIL:
  case LUA_TNONE:
    return "nothing";
  case LUA_TTABLE:
    return tr_raw_length(L, index) ? "array" : "object";
  default:
    return lua_typename(L, lua_type(L, index));
  }
}

enum verdict { KEEP, DROP };

void tr_schema_note(lua_State *L, int dropped, const char *path) {
  size_t n = tr_raw_length(L, dropped);
  if (n >= TR_DROPPED_MAX) return;
  lua_pushstring(L, path);
  lua_rawseti(L, dropped, (int)n + 1);
}

static enum verdict mismatch(lua_State *L, int index, const char *expected,
                             const struct tr_step *step, struct tr_check *c) {
  if (c->mode == TR_VALIDATE_NONE) return KEEP;
  char path[TR_PATH_MAX];
  path[0] = '\0';
  tr_step_write(path, sizeof path, step);
  if (c->dropped) tr_schema_note(L, c->dropped, path);
  if (c->mode == TR_VALIDATE_STRICT && c->error.kind == TR_NONE) {
    tr_error_set(&c->error, TR_INVALID_RESPONSE, "%s expected, got %s", expected,
                 is_infinite(L, index) ? "one too large" : tr_schema_type_name(L, index));
    memcpy(c->error.path, path, sizeof path);
  }
  return DROP;
}

static enum verdict check_object(lua_State *L, int index, const struct tr_object_fields *object,
                                 const struct tr_step *step, struct tr_check *c);
static enum verdict check_list(lua_State *L, int index, const struct tr_field *field,
                               const struct tr_step *step, struct tr_check *c);

/* An unknown value is kept, with the same promises as a known one: no null, integers as
** integers. */
static void normalise(lua_State *L, int index) {
  luaL_checkstack(L, 6, "a response nested too deeply");
  size_t length = tr_raw_length(L, index), kept = 0;
  if (length) {
    for (size_t i = 1; i <= length; i++) {
      lua_rawgeti(L, index, (int)i);
      if (is_void(L, -1)) {
        lua_pop(L, 1);
        continue;
      }
      if (lua_istable(L, -1)) normalise(L, lua_gettop(L));
      if (lua_type(L, -1) == LUA_TNUMBER && tr_is_whole_float(L, -1)) {
        lua_Number n = lua_tonumber(L, -1);
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)n);
      }
      lua_rawseti(L, index, (int)++kept);
    }
    for (size_t i = length; i > kept; i--) {
      lua_pushnil(L);
      lua_rawseti(L, index, (int)i);
    }
    return;
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int type = lua_type(L, -1);
    if (type == LUA_TTABLE) {
      normalise(L, lua_gettop(L));
    } else if (is_void(L, -1)) {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, index);
    } else if (type == LUA_TNUMBER && tr_is_whole_float(L, -1)) {
      lua_pushvalue(L, -2);
      lua_pushinteger(L, (lua_Integer)lua_tonumber(L, -2));
      lua_rawset(L, index);
    }
    lua_pop(L, 1);
  }
}

static enum verdict check_field(lua_State *L, int index, const struct tr_field *field,
                                const struct tr_step *step, struct tr_check *c) {
  int type = lua_type(L, index);
  switch (field->type) {
  case TR_TYPE_STRING:
    if (type == LUA_TSTRING) return KEEP;
    break;
  case TR_TYPE_NUMBER:
    if (type == LUA_TNUMBER && !is_infinite(L, index)) return KEEP;
    break;
  case TR_TYPE_INTEGER:
    if (type == LUA_TNUMBER && tr_is_integral(L, index)) return KEEP;
    break;
  case TR_TYPE_BOOLEAN:
    if (type == LUA_TBOOLEAN) return KEEP;
    break;
  case TR_TYPE_OBJECT:
    if (type == LUA_TTABLE) return check_object(L, index, &tr_contract[field->of], step, c);
    break;
  case TR_TYPE_LIST:
  case TR_TYPE_STRINGS:
    if (type == LUA_TTABLE) return check_list(L, index, field, step, c);
    break;
  default:
    break;
  }
  if (c->mode == TR_VALIDATE_NONE && type == LUA_TTABLE) normalise(L, index);
  return mismatch(L, index, tr_type_names[field->type], step, c);
}

static int is_colo_slot(const struct tr_field *field, const struct tr_check *c) {
  return c->slices && field->type == TR_TYPE_LIST && field->of == TR_OBJECT_colo_result;
}

/* The element at the top of the stack: replaced by what belongs in its place, or dropped. */
static enum verdict check_element(lua_State *L, const struct tr_field *field,
                                  const struct tr_step *step, struct tr_check *c) {
  int top = lua_gettop(L);
  if (is_colo_slot(field, c)) {
    lua_rawgeti(L, c->slices, (int)lua_tonumber(L, top) + 1);
    lua_replace(L, top);
    return lua_istable(L, top) ? KEEP : DROP;
  }
  if (field->type == TR_TYPE_STRINGS) {
    if (lua_type(L, top) == LUA_TSTRING) return KEEP;
    return mismatch(L, top, "string", step, c);
  }
  if (lua_istable(L, top)) return check_object(L, top, &tr_contract[field->of], step, c);
  return mismatch(L, top, "object", step, c);
}

static enum verdict check_list(lua_State *L, int index, const struct tr_field *field,
                               const struct tr_step *step, struct tr_check *c) {
  size_t length = tr_raw_length(L, index), kept = 0;
  if (length == 0) {
    lua_pushnil(L);
    if (!lua_next(L, index)) return KEEP;
    lua_pop(L, 2);
    if (c->mode == TR_VALIDATE_NONE) normalise(L, index);
    return mismatch(L, index, "array", step, c);
  }
  luaL_checkstack(L, 6, "a response nested too deeply");
  for (size_t i = 1; i <= length; i++) {
    struct tr_step here = {step, NULL, i};
    lua_rawgeti(L, index, (int)i);
    enum verdict verdict = check_element(L, field, &here, c);
    if (verdict == KEEP && !is_void(L, -1)) {
      kept++;
      if (kept != i || is_colo_slot(field, c)) {
        lua_rawseti(L, index, (int)kept);
        continue;
      }
    }
    lua_pop(L, 1);
  }
  for (size_t i = length; i > kept; i--) {
    lua_pushnil(L);
    lua_rawseti(L, index, (int)i);
  }
  return KEEP;
}

/* The value on top, behind its key, of the table at `index`: what is a number by the contract is a
** float, any other that is whole an integer, whichever lua-cjson made of it. */
static void set_subtype(lua_State *L, int index, int is_float) {
#if LUA_VERSION_NUM >= 503
  if (is_float ? !lua_isinteger(L, -1) : !tr_is_whole_float(L, -1)) return;
  lua_pushvalue(L, -2);
  if (is_float)
    lua_pushnumber(L, lua_tonumber(L, -2));
  else
    lua_pushinteger(L, (lua_Integer)lua_tonumber(L, -2));
  lua_rawset(L, index);
#else
  (void)L;
  (void)index;
  (void)is_float;
#endif
}

static enum verdict check_object(lua_State *L, int index, const struct tr_object_fields *object,
                                 const struct tr_step *step, struct tr_check *c) {
  size_t hint = 0;
  luaL_checkstack(L, 6, "a response nested too deeply");
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int value = lua_gettop(L);
    if (lua_type(L, -2) != LUA_TSTRING) {
      lua_pop(L, 2);
      if (c->mode == TR_VALIDATE_NONE) normalise(L, index);
      return mismatch(L, index, "object", step, c);
    }
    size_t length;
    const char *name = lua_tolstring(L, -2, &length);
    const struct tr_field *field = tr_contract_find(object, name, length, &hint);
    int type = lua_type(L, value);
    enum verdict verdict = KEEP;
    if (type == LUA_TLIGHTUSERDATA) {
      verdict = DROP;
    } else if (field) {
      struct tr_step here = {step, field->name, 0};
      verdict = check_field(L, value, field, &here, c);
    } else if (type == LUA_TTABLE) {
      normalise(L, value);
    }
    if (verdict == DROP || is_infinite(L, value)) {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, index);
    } else if (type == LUA_TNUMBER) {
      set_subtype(L, index, field && field->type == TR_TYPE_NUMBER);
    }
    lua_pop(L, 1);
  }
  return KEEP;
}

int tr_schema_value(lua_State *L, int index, enum tr_object object, const char *path,
                    struct tr_check *c) {
  int top = lua_gettop(L);
  index = tr_abs_index(L, index);
  struct tr_step root = {NULL, path, 0};
  const struct tr_step *step = path ? &root : NULL;
  int is_table = lua_istable(L, index);
  if (!is_table || check_object(L, index, &tr_contract[object], step, c) == DROP) {
    if (!step) {
      struct tr_check strict = *c;
      strict.mode = TR_VALIDATE_STRICT;
      strict.dropped = 0;
      (void)mismatch(L, index, "object", step, &strict);
      c->error = strict.error;
    } else {
      if (!is_table) (void)mismatch(L, index, "object", step, c);
      lua_pushnil(L);
      lua_replace(L, index);
    }
  }
  lua_settop(L, top);
  return c->error.kind == TR_NONE ? 0 : -1;
}

int tr_schema_response(lua_State *L, int index, struct tr_check *c) {
  return tr_schema_value(L, index, TR_OBJECT_response, NULL, c);
}

/* ---- the list itself, for documentation and tests ---- */

static void push_field(lua_State *L, const struct tr_field *field) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, field->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, tr_type_names[field->type]);
  lua_setfield(L, -2, "type");
  lua_pushstring(L, field->unit);
  lua_setfield(L, -2, "unit");
  lua_pushstring(L, field->standard);
  lua_setfield(L, -2, "default");
  if (field->max > 0) {
    lua_pushnumber(L, (lua_Number)field->min);
    lua_setfield(L, -2, "min");
    lua_pushnumber(L, (lua_Number)field->max);
    lua_setfield(L, -2, "max");
  }
  if (field->type == TR_TYPE_OBJECT || field->type == TR_TYPE_LIST) {
    lua_pushstring(L, tr_contract[field->of].name);
    lua_setfield(L, -2, "of");
  }
  if (field->type == TR_TYPE_CHOICE || field->type == TR_TYPE_VALIDATE) {
    lua_newtable(L);
    for (int i = 0; tr_choices[field->of][i]; i++) {
      lua_pushstring(L, tr_choices[field->of][i]);
      lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "choices");
  }
}

void tr_schema_push(lua_State *L) {
  lua_createtable(L, 0, TR_OBJECTS);
  for (int o = 0; o < TR_OBJECTS; o++) {
    lua_createtable(L, (int)tr_contract[o].count, 0);
    for (size_t i = 0; i < tr_contract[o].count; i++) {
      push_field(L, &tr_contract[o].fields[i]);
      lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, tr_contract[o].name);
  }
}
