/* schema: one validator over Lua values, two directions; see schema.h. */
#include "schema.h"

#include <stdio.h>
#include <string.h>

enum type { STRING, INTEGER, NUMBER, BOOLEAN, FUNCTION, OBJECT, LIST, STRINGS, CHOICE, VALIDATE };

static const char *const type_names[] = {
    "string", "integer", "number", "boolean",           "function",
    "object", "array",   "array",  "one of its values", "string"};

enum choice {
#define CHOICE_ID(name, ...) CHOICE_##name,
  TR_SCHEMA_CHOICES(CHOICE_ID)
#undef CHOICE_ID
};

#define CHOICES_MAX 6
static const char *const choices[][CHOICES_MAX] = {
#define CHOICE_LIST(name, ...) {__VA_ARGS__, NULL},
    TR_SCHEMA_CHOICES(CHOICE_LIST)
#undef CHOICE_LIST
};

/* What `of` refers to depends on the type: one name space for objects and choices keeps the list
** flat. */
enum of {
#define OF_OBJECT(name) OF_##name = TR_OBJECT_##name,
  TR_SCHEMA_OBJECTS(OF_OBJECT)
#undef OF_OBJECT
#define OF_CHOICE(name, ...) OF_##name = CHOICE_##name,
      TR_SCHEMA_CHOICES(OF_CHOICE)
#undef OF_CHOICE
          OF_none = 0
};

struct field {
  const char *name;
  size_t length;
  enum type type;
  enum of of;
  double min, max;
  const char *unit, *standard;
};

#define FIELD(name, type, of, min, max, unit, standard)                                            \
  {#name, sizeof #name - 1, type, OF_##of, min, max, unit, standard},
#define FIELDS(name) static const struct field name##_fields[] = {TR_FIELDS_##name(FIELD)};
TR_SCHEMA_OBJECTS(FIELDS)

struct object {
  const char *name;
  const struct field *fields;
  size_t count;
};

#define OBJECT_ROW(name) {#name, name##_fields, sizeof name##_fields / sizeof name##_fields[0]},
static const struct object objects[] = {TR_SCHEMA_OBJECTS(OBJECT_ROW)};

/* ---- paths: made only when something is wrong ---- */

struct step {
  const struct step *up;
  const char *name; /* a member's name, or NULL for an element */
  size_t index;     /* an element's place, from 1 */
};

/* The name is hostile: what would make the path unreadable is shown as '?'. */
static size_t path_write(char *out, size_t size, const struct step *step) {
  if (!step) return 0;
  size_t used = path_write(out, size, step->up);
  char piece[80];
  if (step->name) {
    snprintf(piece, sizeof piece, "%s%.64s", used ? "." : "", step->name);
    for (char *p = piece; *p; p++)
      if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) *p = '?';
  } else {
    snprintf(piece, sizeof piece, "[%lu]", (unsigned long)step->index);
  }
  for (const char *p = piece; *p && used + 1 < size; p++)
    out[used++] = *p;
  out[used] = '\0';
  return used;
}

static const char *name_of_value(lua_State *L, int index) {
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

/* ---- what comes back ---- */

enum verdict { KEEP, DROP };

static void note_dropped(lua_State *L, const char *path, const struct tr_check *c) {
  if (!c->dropped) return;
  size_t n = tr_raw_length(L, c->dropped);
  if (n >= TR_DROPPED_MAX) return;
  lua_pushstring(L, path);
  lua_rawseti(L, c->dropped, (int)n + 1);
}

static enum verdict mismatch(lua_State *L, int index, const char *expected, const struct step *step,
                             struct tr_check *c) {
  if (c->mode == TR_VALIDATE_NONE) return KEEP;
  char path[TR_PATH_MAX];
  path[0] = '\0';
  path_write(path, sizeof path, step);
  note_dropped(L, path, c);
  if (c->mode == TR_VALIDATE_STRICT && c->error.kind == TR_NONE) {
    tr_error_set(&c->error, TR_INVALID_RESPONSE, "%s expected, got %s", expected,
                 name_of_value(L, index));
    memcpy(c->error.path, path, sizeof path);
  }
  return DROP;
}

static enum verdict check_object(lua_State *L, int index, const struct object *object,
                                 const struct step *step, struct tr_check *c);
static enum verdict check_list(lua_State *L, int index, const struct field *field,
                               const struct step *step, struct tr_check *c);

/* An unknown value is kept, with the same promises as a known one: no null, integers as
** integers. */
static void normalise(lua_State *L, int index) {
  luaL_checkstack(L, 6, "a response nested too deeply");
  size_t length = tr_raw_length(L, index), kept = 0;
  if (length) {
    for (size_t i = 1; i <= length; i++) {
      lua_rawgeti(L, index, (int)i);
      if (lua_type(L, -1) == LUA_TLIGHTUSERDATA) {
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
    } else if (type == LUA_TLIGHTUSERDATA) {
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

static enum verdict check_field(lua_State *L, int index, const struct field *field,
                                const struct step *step, struct tr_check *c) {
  int type = lua_type(L, index);
  switch (field->type) {
  case STRING:
    if (type == LUA_TSTRING) return KEEP;
    break;
  case NUMBER:
    if (type == LUA_TNUMBER) return KEEP;
    break;
  case INTEGER:
    if (type == LUA_TNUMBER && tr_is_integral(L, index)) return KEEP;
    break;
  case BOOLEAN:
    if (type == LUA_TBOOLEAN) return KEEP;
    break;
  case OBJECT:
    if (type == LUA_TTABLE) return check_object(L, index, &objects[field->of], step, c);
    break;
  case LIST:
  case STRINGS:
    if (type == LUA_TTABLE) return check_list(L, index, field, step, c);
    break;
  default:
    break;
  }
  if (c->mode == TR_VALIDATE_NONE && type == LUA_TTABLE) normalise(L, index);
  return mismatch(L, index, type_names[field->type], step, c);
}

static int is_colo_slot(const struct field *field, const struct tr_check *c) {
  return c->slices && field->type == LIST && field->of == OF_colo_result;
}

/* The element at the top of the stack: replaced by what belongs in its place, or dropped. */
static enum verdict check_element(lua_State *L, const struct field *field, const struct step *step,
                                  struct tr_check *c) {
  int top = lua_gettop(L);
  if (is_colo_slot(field, c)) {
    lua_rawgeti(L, c->slices, (int)lua_tonumber(L, top) + 1);
    lua_replace(L, top);
    return lua_istable(L, top) ? KEEP : DROP;
  }
  if (field->type == STRINGS) {
    if (lua_type(L, top) == LUA_TSTRING) return KEEP;
    return mismatch(L, top, "string", step, c);
  }
  if (lua_istable(L, top)) return check_object(L, top, &objects[field->of], step, c);
  return mismatch(L, top, "object", step, c);
}

static enum verdict check_list(lua_State *L, int index, const struct field *field,
                               const struct step *step, struct tr_check *c) {
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
    struct step here = {step, NULL, i};
    lua_rawgeti(L, index, (int)i);
    enum verdict verdict = check_element(L, field, &here, c);
    if (verdict == KEEP && lua_type(L, -1) != LUA_TLIGHTUSERDATA) {
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

/* Tables of one response have the same fields in mostly the same order of traversal, so the search
** begins behind the field that was found last. */
static const struct field *find_field(const struct object *object, const char *name, size_t length,
                                      size_t *hint) {
  for (size_t n = 0, i = *hint; n < object->count; n++, i++) {
    if (i >= object->count) i = 0;
    const struct field *field = &object->fields[i];
    if (field->length == length && memcmp(field->name, name, length) == 0) {
      *hint = i + 1;
      return field;
    }
  }
  return NULL;
}

static enum verdict check_object(lua_State *L, int index, const struct object *object,
                                 const struct step *step, struct tr_check *c) {
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
    const struct field *field = find_field(object, name, length, &hint);
    int type = lua_type(L, value);
    enum verdict verdict = KEEP;
    if (type == LUA_TLIGHTUSERDATA) {
      verdict = DROP;
    } else if (field) {
      struct step here = {step, field->name, 0};
      verdict = check_field(L, value, field, &here, c);
    } else if (type == LUA_TTABLE) {
      normalise(L, value);
    }
    if (verdict == DROP) {
      lua_pushvalue(L, -2);
      lua_pushnil(L);
      lua_rawset(L, index);
    } else if (type == LUA_TNUMBER && !(field && field->type == NUMBER) &&
               tr_is_whole_float(L, value)) {
      lua_pushvalue(L, -2);
      lua_pushinteger(L, (lua_Integer)lua_tonumber(L, value));
      lua_rawset(L, index);
    }
    lua_pop(L, 1);
  }
  return KEEP;
}

int tr_schema_value(lua_State *L, int index, enum tr_object object, const char *path,
                    struct tr_check *c) {
  int top = lua_gettop(L);
  index = tr_abs_index(L, index);
  struct step root = {NULL, path, 0};
  const struct step *step = path ? &root : NULL;
  int is_table = lua_istable(L, index);
  if (!is_table || check_object(L, index, &objects[object], step, c) == DROP) {
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

/* ---- what is sent ---- */

#define NAME_MAX_COMPARED 32

/* The number of single-letter changes, swaps included, between two short names. */
static size_t distance(const char *a, const char *b) {
  size_t row[3][NAME_MAX_COMPARED + 1];
  size_t length_a = strlen(a), length_b = strlen(b);
  if (length_a > NAME_MAX_COMPARED || length_b > NAME_MAX_COMPARED) return NAME_MAX_COMPARED;
  for (size_t j = 0; j <= length_b; j++)
    row[0][j] = j;
  for (size_t i = 1; i <= length_a; i++) {
    size_t *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
    now[0] = i;
    for (size_t j = 1; j <= length_b; j++) {
      size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
      if (before[j] + 1 < best) best = before[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          earlier[j - 2] + 1 < best)
        best = earlier[j - 2] + 1;
      now[j] = best;
    }
  }
  return row[length_a % 3][length_b];
}

static const char *nearer(const char *word, const char *candidate, const char *best,
                          size_t *least) {
  size_t far = distance(word, candidate);
  if (far < *least) {
    *least = far;
    return candidate;
  }
  return best;
}

/* A suggestion is worth making when at most a third of the name differs, and never more than
** three. */
static size_t reach(const char *word) {
  size_t third = strlen(word) / 3 + 1;
  return (third < 3 ? third : 3) + 1;
}

static int refuse(struct tr_error *error, const char *path) {
  snprintf(error->path, sizeof error->path, "%s", path);
  return -1;
}

static int unknown_option(const char *name, const struct object *object, struct tr_error *error) {
  char shown[64];
  tr_excerpt(shown, sizeof shown, name, strlen(name));
  const char *best = NULL;
  size_t least = reach(name);
  for (size_t i = 0; i < object->count; i++)
    best = nearer(name, object->fields[i].name, best, &least);
  if (best)
    tr_error_set(error, TR_INVALID_REQUEST, "unknown option; did you mean %s?", best);
  else
    tr_error_set(error, TR_INVALID_REQUEST, "unknown option");
  return refuse(error, shown);
}

static int option_choice(lua_State *L, const struct field *field, struct tr_error *error) {
  const char *const *list = choices[field->of];
  char all[128] = "", shown[48] = "";
  const char *best = NULL;
  if (field->type == VALIDATE && lua_isboolean(L, -1) && !lua_toboolean(L, -1)) return 0;
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t length, least;
    const char *text = lua_tolstring(L, -1, &length);
    least = reach(text);
    for (size_t i = 0; list[i]; i++) {
      if (strlen(list[i]) == length && memcmp(list[i], text, length) == 0) return 0;
      best = nearer(text, list[i], best, &least);
    }
    tr_excerpt(shown, sizeof shown, text, length);
  }
  for (size_t i = 0, used = 0; list[i]; i++)
    used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", list[i]);
  tr_error_set(error, TR_INVALID_REQUEST, "%s%s expected, got %s%s%s%s%s%s", all,
               field->type == VALIDATE ? " or false" : "", *shown ? "\"" : name_of_value(L, -1),
               shown, *shown ? "\"" : "", best ? "; did you mean \"" : "", best ? best : "",
               best ? "\"?" : "");
  return refuse(error, field->name);
}

static int option_number(lua_State *L, const struct field *field, struct tr_error *error) {
  const char *kind = field->type == INTEGER ? "integer" : "number";
  if (lua_type(L, -1) != LUA_TNUMBER) {
    tr_error_set(error, TR_INVALID_REQUEST, "%s from %.14g to %.14g expected, got %s", kind,
                 field->min, field->max, name_of_value(L, -1));
    return refuse(error, field->name);
  }
  double n = (double)lua_tonumber(L, -1);
  if (n >= field->min && n <= field->max && (field->type == NUMBER || floor(n) == n)) return 0;
  tr_error_set(error, TR_INVALID_REQUEST, "%s from %.14g to %.14g%s%s expected, got %.14g", kind,
               field->min, field->max, *field->unit ? " " : "", field->unit, n);
  return refuse(error, field->name);
}

/* The value may be a credential, so a message about a string never shows it. */
static int option_string(lua_State *L, const struct field *field, struct tr_error *error) {
  if (lua_type(L, -1) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", name_of_value(L, -1));
    return refuse(error, field->name);
  }
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if ((double)length < field->min || (double)length > field->max) {
    tr_error_set(error, TR_INVALID_REQUEST, "string of %.14g to %.14g bytes expected, got %lu",
                 field->min, field->max, (unsigned long)length);
    return refuse(error, field->name);
  }
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) continue;
    int at_end = i + 1 == length && (text[i] == '\n' || text[i] == '\r');
    tr_error_set(error, TR_INVALID_REQUEST, "a control character at byte %lu%s",
                 (unsigned long)i + 1, at_end ? "; strip the line end" : "");
    return refuse(error, field->name);
  }
  return 0;
}

static int option_strings(lua_State *L, const struct field *field, struct tr_error *error) {
  int index = lua_gettop(L);
  if (!lua_istable(L, index)) {
    tr_error_set(error, TR_INVALID_REQUEST, "array of strings expected, got %s",
                 name_of_value(L, index));
    return refuse(error, field->name);
  }
  size_t length = tr_raw_length(L, index), members = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    members++;
  }
  if (members != length || (double)length > field->max) {
    tr_error_set(error, TR_INVALID_REQUEST, "array of at most %.14g strings expected%s", field->max,
                 members != length ? ", got a table with other keys or gaps" : "");
    return refuse(error, field->name);
  }
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, index, (int)i);
    if (lua_type(L, -1) != LUA_TSTRING) {
      struct step root = {NULL, field->name, 0}, here = {&root, NULL, i};
      tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", name_of_value(L, -1));
      path_write(error->path, sizeof error->path, &here);
      return -1;
    }
    lua_pop(L, 1);
  }
  return 0;
}

static int option_value(lua_State *L, const struct field *field, struct tr_error *error) {
  switch (field->type) {
  case STRING:
    return option_string(L, field, error);
  case INTEGER:
  case NUMBER:
    return option_number(L, field, error);
  case STRINGS:
    return option_strings(L, field, error);
  case CHOICE:
  case VALIDATE:
    return option_choice(L, field, error);
  case FUNCTION:
    if (lua_isfunction(L, -1)) return 0;
    break;
  default:
    if (lua_isboolean(L, -1)) return 0;
    break;
  }
  tr_error_set(error, TR_INVALID_REQUEST, "%s expected, got %s", type_names[field->type],
               name_of_value(L, -1));
  return refuse(error, field->name);
}

int tr_schema_options(lua_State *L, int index, struct tr_error *error) {
  int top = lua_gettop(L);
  const struct object *object = &objects[TR_OBJECT_options];
  index = tr_abs_index(L, index);
  tr_error_clear(error);
  if (lua_isnoneornil(L, index)) return 0;
  if (!lua_istable(L, index)) {
    tr_error_set(error, TR_INVALID_REQUEST, "table expected, got %s", name_of_value(L, index));
    return refuse(error, "opts");
  }
  int status = 0;
  luaL_checkstack(L, 8, "too many values");
  lua_pushnil(L);
  while (status == 0 && lua_next(L, index)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      tr_error_set(error, TR_INVALID_REQUEST, "names expected, got a key of type %s",
                   luaL_typename(L, -2));
      status = refuse(error, "opts");
      break;
    }
    size_t length, hint = 0;
    const char *name = lua_tolstring(L, -2, &length);
    const struct field *field = find_field(object, name, length, &hint);
    status = field ? option_value(L, field, error) : unknown_option(name, object, error);
    if (status == 0) lua_settop(L, top + 1);
  }
  lua_settop(L, top);
  return status;
}

/* ---- the list itself, for documentation and tests ---- */

static void push_field(lua_State *L, const struct field *field) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, field->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, type_names[field->type]);
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
  if (field->type == OBJECT || field->type == LIST) {
    lua_pushstring(L, objects[field->of].name);
    lua_setfield(L, -2, "of");
  }
  if (field->type == CHOICE || field->type == VALIDATE) {
    lua_newtable(L);
    for (int i = 0; choices[field->of][i]; i++) {
      lua_pushstring(L, choices[field->of][i]);
      lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "choices");
  }
}

void tr_schema_push(lua_State *L) {
  lua_createtable(L, 0, TR_OBJECTS);
  for (int o = 0; o < TR_OBJECTS; o++) {
    lua_createtable(L, (int)objects[o].count, 0);
    for (size_t i = 0; i < objects[o].count; i++) {
      push_field(L, &objects[o].fields[i]);
      lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, objects[o].name);
  }
}
