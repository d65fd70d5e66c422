/* options: takes over and checks a script's table of options; see options.h. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "dns.h"
#include "networks.h"
#include "schema.h"

#define NAME_MAX_COMPARED 32
#define USUAL_MEMBERS 8 /* room for them is made at once */

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

static int unknown_option(const char *name, const struct tr_object_fields *object,
                          struct tr_error *error) {
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
  return refuse(error, *shown ? shown : "opts"); /* nothing of the name can be shown */
}

static int option_choice(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  const char *const *list = tr_choices[field->of];
  char all[128] = "", shown[48] = "";
  const char *best = NULL;
  if (field->type == TR_TYPE_VALIDATE && lua_isboolean(L, -1) && !lua_toboolean(L, -1)) return 0;
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
               field->type == TR_TYPE_VALIDATE ? " or false" : "",
               *shown ? "\"" : tr_schema_type_name(L, -1), shown, *shown ? "\"" : "",
               best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
  return refuse(error, field->name);
}

static int option_number(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  const char *kind = field->type == TR_TYPE_INTEGER ? "integer" : "number";
  if (lua_type(L, -1) != LUA_TNUMBER) {
    tr_error_set(error, TR_INVALID_REQUEST, "%s from %.14g to %.14g expected, got %s", kind,
                 field->min, field->max, tr_schema_type_name(L, -1));
    return refuse(error, field->name);
  }
  double n = (double)lua_tonumber(L, -1);
  if (n >= field->min && n <= field->max && (field->type == TR_TYPE_NUMBER || floor(n) == n))
    return 0;
  tr_error_set(error, TR_INVALID_REQUEST, "%s from %.14g to %.14g%s%s expected, got %.14g", kind,
               field->min, field->max, *field->unit ? " " : "", field->unit, n);
  return refuse(error, field->name);
}

/* The value may be a credential, so a message about a string never shows it. */
static int option_string(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  if (lua_type(L, -1) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", tr_schema_type_name(L, -1));
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

static int option_servers(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  if (option_string(L, field, error) != 0) return -1;
  if (tr_dns_are_servers(lua_tostring(L, -1))) return 0;
  tr_error_set(error, TR_INVALID_REQUEST,
               "addresses of name servers, with commas between, expected, such as 192.0.2.1 or "
               "[2001:db8::1]:53");
  return refuse(error, field->name);
}

static int option_element(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  struct tr_network network;
  if (lua_type(L, -1) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", tr_schema_type_name(L, -1));
    return -1;
  }
  if (field->type != TR_TYPE_NETWORKS) return 0;
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (strlen(text) == length && tr_network_read(&network, text) == 0) return 0;
  tr_error_set(error, TR_INVALID_REQUEST,
               "a network such as 192.0.2.0/24 or 2001:db8::/32, or an address, expected");
  return -1;
}

static int option_strings(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  int index = lua_gettop(L);
  size_t length;
  if (!lua_istable(L, index)) {
    tr_error_set(error, TR_INVALID_REQUEST, "array of strings expected, got %s",
                 tr_schema_type_name(L, index));
    return refuse(error, field->name);
  }
  int is_array = tr_options_take_array(L, index, (size_t)field->max, &length) == 0;
  if (!is_array || (double)length > field->max) {
    tr_error_set(error, TR_INVALID_REQUEST, "array of at most %.14g strings expected%s", field->max,
                 is_array ? "" : ", got a table with other keys or gaps");
    return refuse(error, field->name);
  }
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, index, (int)i);
    if (option_element(L, field, error) != 0) {
      struct tr_step root = {NULL, field->name, 0}, here = {&root, NULL, i};
      tr_step_write(error->path, sizeof error->path, &here);
      return -1;
    }
    lua_pop(L, 1);
  }
  return 0;
}

/* The value at the top of the stack; a copy takes an array's place. */
static int option_value(lua_State *L, const struct tr_field *field, struct tr_error *error) {
  switch (field->type) {
  case TR_TYPE_STRING:
    return option_string(L, field, error);
  case TR_TYPE_SERVERS:
    return option_servers(L, field, error);
  case TR_TYPE_INTEGER:
  case TR_TYPE_NUMBER:
    return option_number(L, field, error);
  case TR_TYPE_STRINGS:
  case TR_TYPE_NETWORKS:
    return option_strings(L, field, error);
  case TR_TYPE_CHOICE:
  case TR_TYPE_VALIDATE:
    return option_choice(L, field, error);
  case TR_TYPE_FUNCTION:
    if (lua_isfunction(L, -1)) return 0;
    break;
  default:
    if (lua_isboolean(L, -1)) return 0;
    break;
  }
  tr_error_set(error, TR_INVALID_REQUEST, "%s expected, got %s", tr_type_names[field->type],
               tr_schema_type_name(L, -1));
  return refuse(error, field->name);
}

/* ---- taking: a copy is made before the script's table is looked at, and then filled without a
** step of the collector, which lua_next, lua_rawset and lua_rawseti do not take: so no finalizer
** changes the table half-way ---- */

int tr_options_take_array(lua_State *L, int index, size_t most, size_t *length) {
  size_t members = 0;
  lua_newtable(L);
  *length = tr_raw_length(L, index);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    members++;
  }
  if (members != *length) return -1;
  for (size_t i = 1; i <= *length && *length <= most; i++) {
    lua_rawgeti(L, index, (int)i);
    lua_rawseti(L, -2, (int)i);
  }
  lua_replace(L, index);
  return 0;
}

static const struct tr_field *find_field(lua_State *L, int name,
                                         const struct tr_object_fields *object) {
  size_t length, hint = 0;
  if (lua_type(L, name) != LUA_TSTRING) return NULL;
  const char *text = lua_tolstring(L, name, &length);
  return tr_contract_find(object, text, length, &hint);
}

/* Of what is no option one member is copied, by which the table is refused. */
static void take_members(lua_State *L, int index, const struct tr_object_fields *object) {
  int has_stranger = 0;
  lua_createtable(L, 0, USUAL_MEMBERS);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (!find_field(L, -2, object) && has_stranger++) {
      lua_pop(L, 1);
      continue;
    }
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_replace(L, index);
}

/* The member whose name and value are at the top of the stack. */
static int check_member(lua_State *L, int table, const struct tr_object_fields *object,
                        struct tr_error *error) {
  if (lua_type(L, -2) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "names expected, got a key of type %s",
                 luaL_typename(L, -2));
    return refuse(error, "opts");
  }
  const struct tr_field *field = find_field(L, -2, object);
  if (!field) return unknown_option(lua_tostring(L, -2), object, error);
  if (option_value(L, field, error) != 0) return -1;
  if (!lua_istable(L, -1)) return 0;
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, table);
  return 0;
}

int tr_options_take(lua_State *L, int index, enum tr_object which, struct tr_error *error) {
  const struct tr_object_fields *object = &tr_contract[which];
  index = tr_abs_index(L, index);
  tr_error_clear(error);
  if (lua_isnoneornil(L, index)) return 0;
  if (!lua_istable(L, index)) {
    tr_error_set(error, TR_INVALID_REQUEST, "table expected, got %s",
                 tr_schema_type_name(L, index));
    return refuse(error, "opts");
  }
  luaL_checkstack(L, 8, "too many values");
  take_members(L, index, object);
  int top = lua_gettop(L), status = 0;
  lua_pushnil(L);
  while (status == 0 && lua_next(L, index)) {
    status = check_member(L, index, object, error);
    if (status == 0) lua_pop(L, 1);
  }
  lua_settop(L, top);
  return status;
}

/* ---- reading ---- */

void tr_options_push(lua_State *L, int table, const char *name) {
  if (!lua_istable(L, table)) {
    lua_pushnil(L);
    return;
  }
  lua_pushstring(L, name);
  lua_rawget(L, table);
}

const char *tr_options_text(lua_State *L, int table, const char *name) {
  tr_options_push(L, table, name);
  const char *text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

double tr_options_number(lua_State *L, int table, const char *name, double standard) {
  tr_options_push(L, table, name);
  double n = lua_isnil(L, -1) ? standard : (double)lua_tonumber(L, -1);
  lua_pop(L, 1);
  return n;
}

int tr_options_flag(lua_State *L, int table, const char *name, int standard) {
  tr_options_push(L, table, name);
  int flag = lua_isnil(L, -1) ? standard : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}
