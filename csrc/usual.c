/* usual: a colo's result as it nearly always comes, in one go; see usual.h.
**
** What lua-cjson cannot know makes the difference: which members there are, so that a name is an
** interned string at hand and never made again; and how many, since what a table is to hold is
** collected on the stack first, so that it is made once, as large as it has to be. */
#include "usual.h"

#include <float.h>
#include <string.h>

#include "contract.h"

#define ANCHOR "traceroute.usual" /* registry: array of all fields' names */
#define DIGITS_MAX 15             /* so many decimal digits are exact in a double */
#define FIELDS_MAX 32             /* of an object: they are counted in a bit each */

struct reader {
  lua_State *L;
  const char *at, *end; /* *end is NUL, which ends every token */
  int names;            /* stack index of the names */
};

static int name_index(enum tr_object object, size_t field) {
  return (int)object * FIELDS_MAX + (int)field + 1;
}

void tr_usual_register(lua_State *L) {
  lua_newtable(L);
  for (int object = 0; object < TR_OBJECTS; object++) {
    for (size_t i = 0; i < tr_contract[object].count && i < FIELDS_MAX; i++) {
      lua_pushstring(L, tr_contract[object].fields[i].name);
      lua_rawseti(L, -2, name_index((enum tr_object)object, i));
    }
  }
  lua_setfield(L, LUA_REGISTRYINDEX, ANCHOR);
}

/* ---- tokens ---- */

static void skip_space(struct reader *r) {
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')
    r->at++;
}

static int take(struct reader *r, char c) {
  skip_space(r);
  if (*r->at != c) return 0;
  r->at++;
  return 1;
}

/* The bytes of a string without escapes and control characters, or NULL. */
static const char *read_string(struct reader *r, size_t *length) {
  if (!take(r, '"')) return NULL;
  const char *from = r->at, *at = from;
  while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
    at++;
  if (*at != '"') return NULL;
  *length = (size_t)(at - from);
  r->at = at + 1;
  return from;
}

static int push_string(struct reader *r) {
  size_t length;
  const char *text = read_string(r, &length);
  if (!text) return 0;
  lua_pushlstring(r->L, text, length);
  return 1;
}

/* Digits go to the mantissa; how many. */
static int read_digits(struct reader *r, double *mantissa) {
  int digits = 0;
  for (; *r->at >= '0' && *r->at <= '9' && digits <= DIGITS_MAX; digits++)
    *mantissa = *mantissa * 10 + (*r->at++ - '0');
  return digits;
}

/* Both the mantissa and the power of ten are exact, so that their quotient is the double nearest
** to the text, as strtod's. */
static int push_number(struct reader *r, int is_integer) {
  static const double power[DIGITS_MAX + 1] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  double mantissa = 0;
  int fraction = 0;
  skip_space(r);
  int is_negative = *r->at == '-';
  if (is_negative) r->at++;
  int starts_with_zero = *r->at == '0';
  int digits = read_digits(r, &mantissa);
  if (digits == 0 || (starts_with_zero && digits > 1)) return 0;
  if (*r->at == '.') {
    r->at++;
    fraction = read_digits(r, &mantissa);
    if (fraction == 0 || is_integer) return 0;
  }
  if (digits + fraction > DIGITS_MAX || *r->at == 'e' || *r->at == 'E') return 0;
  if (is_negative) mantissa = -mantissa;
#if LUA_VERSION_NUM >= 503
  if (is_integer) {
    lua_pushinteger(r->L, (lua_Integer)mantissa);
    return 1;
  }
#endif
  lua_pushnumber(r->L, (lua_Number)(mantissa / power[fraction]));
  return 1;
}

/* ---- tables ---- */

static int push_object(struct reader *r, enum tr_object object);

/* The elements stand on the stack, from `first` on: an array takes their place. */
static void make_array(lua_State *L, int first) {
  int count = lua_gettop(L) - first + 1;
  lua_createtable(L, count, 0);
  lua_insert(L, first);
  while (count > 0)
    lua_rawseti(L, first, count--);
}

static int push_element(struct reader *r, const struct tr_field *field) {
  if (!lua_checkstack(r->L, 4)) return 0;
  return field->type == TR_TYPE_STRINGS ? push_string(r) : push_object(r, field->of);
}

static int push_list(struct reader *r, const struct tr_field *field) {
  int first = lua_gettop(r->L) + 1;
  if (!take(r, '[')) return 0;
  if (!take(r, ']')) {
    do {
      if (!push_element(r, field)) return 0;
    } while (take(r, ','));
    if (!take(r, ']')) return 0;
  }
  make_array(r->L, first);
  return 1;
}

static int push_value(struct reader *r, const struct tr_field *field) {
  switch (field->type) {
  case TR_TYPE_STRING:
    return push_string(r);
  case TR_TYPE_NUMBER:
    return push_number(r, 0);
  case TR_TYPE_INTEGER:
    return push_number(r, 1);
  case TR_TYPE_OBJECT:
    return push_object(r, field->of);
  case TR_TYPE_LIST:
  case TR_TYPE_STRINGS:
    return push_list(r, field);
  default:
    return 0;
  }
}

/* Null is nil. */
static int take_null(struct reader *r) {
  skip_space(r);
  if (*r->at != 'n' || r->end - r->at < 4 || memcmp(r->at, "null", 4) != 0) return 0;
  r->at += 4;
  return 1;
}

struct members {
  enum tr_object object;
  size_t hint;
  unsigned seen; /* a bit for each field: one that comes twice is not usual */
};

/* A member: name and value on the stack, or nothing for null. */
static int push_member(struct reader *r, struct members *m) {
  const struct tr_object_fields *fields = &tr_contract[m->object];
  size_t length;
  const char *name = read_string(r, &length);
  if (!name || !take(r, ':')) return 0;
  const struct tr_field *field = tr_contract_find(fields, name, length, &m->hint);
  if (!field) return 0;
  size_t number = (size_t)(field - fields->fields);
  if (number >= FIELDS_MAX || m->seen & 1U << number) return 0;
  m->seen |= 1U << number;
  if (take_null(r)) return 1;
  lua_rawgeti(r->L, r->names, name_index(m->object, number));
  return push_value(r, field);
}

static int push_object(struct reader *r, enum tr_object object) {
  lua_State *L = r->L;
  struct members m = {object, 0, 0};
  int first = lua_gettop(L) + 1;
  if (!lua_checkstack(L, 2 * FIELDS_MAX + 4) || !take(r, '{')) return 0;
  if (!take(r, '}')) {
    do {
      if (!push_member(r, &m)) return 0;
    } while (take(r, ','));
    if (!take(r, '}')) return 0;
  }
  lua_createtable(L, 0, (lua_gettop(L) - first + 1) / 2);
  lua_insert(L, first);
  while (lua_gettop(L) > first)
    lua_rawset(L, first);
  return 1;
}

int tr_usual_push(lua_State *L, const char *text, size_t length) {
  int top = lua_gettop(L);
  struct reader r = {L, text, text + length, top + 1};
  /* A processor that keeps more digits than a double has would round twice. */
  if (FLT_EVAL_METHOD != 0 || !lua_checkstack(L, 4)) return 0;
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  int is_usual = push_object(&r, TR_OBJECT_colo_result);
  if (is_usual) {
    skip_space(&r);
    is_usual = r.at == r.end;
  }
  lua_settop(L, is_usual ? top + 2 : top);
  if (is_usual) lua_replace(L, top + 1);
  return is_usual;
}
