/* usual: a colo's result as it nearly always comes, in one go; see usual.h.
**
** What lua-cjson cannot know makes the difference: which members there are, so that a name is an
** interned string at hand and never made again; and how many, since what a table is to hold is
** collected on the stack first, so that it is made once, as large as it has to be. */
#include "usual.h"

#include <string.h>

#include "contract.h"
#include "number.h"
#include "scan.h"

#define ANCHOR "traceroute.usual" /* registry: array of strings at hand, at [0] what they are */
#define FIELDS_MAX 32             /* of an object: they are counted in a bit each */
#define NAMES (TR_OBJECTS * FIELDS_MAX)
#define RECENT 64     /* values; a power of two */
#define RECENT_MAX 31 /* bytes of one */

/* A string value that came lately, and may come again: half of them do. */
struct recent {
  unsigned char size; /* with one more, 0: none */
  char text[RECENT_MAX];
};

struct reader {
  lua_State *L;
  const char *at, *end; /* *end is NUL, which ends every token */
  int strings;          /* stack index of those at hand: the fields' names, then the recent ones */
  struct recent *recent;
};

static int name_index(enum tr_object object, size_t field) {
  return (int)object * FIELDS_MAX + (int)field + 1;
}

void tr_usual_register(lua_State *L) {
  tr_number_prepare();
  lua_createtable(L, NAMES + RECENT, 1);
  for (int i = 1; i <= NAMES + RECENT; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
  memset(lua_newuserdata(L, RECENT * sizeof(struct recent)), 0, RECENT * sizeof(struct recent));
  lua_rawseti(L, -2, 0);
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
  while ((unsigned char)*r->at <= ' ' &&
         (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
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
  const char *from = r->at, *at = tr_scan_string(from, r->end);
  if (*at != '"') return NULL;
  *length = (size_t)(at - from);
  r->at = at + 1;
  return from;
}

/* Any spread will do: addresses differ at the end, names of hosts at the beginning. */
static size_t slot_of(const char *text, size_t length) {
  if (length == 0) return 0;
  size_t first = (unsigned char)text[0], middle = (unsigned char)text[length / 2],
         last = (unsigned char)text[length - 1];
  return (length * 7 + first * 5 + middle * 3 + last) % RECENT;
}

static int push_string(struct reader *r) {
  lua_State *L = r->L;
  size_t length;
  const char *text = read_string(r, &length);
  if (!text) return 0;
  if (length > RECENT_MAX) {
    lua_pushlstring(L, text, length);
    return 1;
  }
  size_t slot = slot_of(text, length);
  struct recent *recent = &r->recent[slot];
  if (recent->size == length + 1 && tr_scan_same(recent->text, text, length)) {
    lua_rawgeti(L, r->strings, NAMES + 1 + (int)slot);
    return 1;
  }
  lua_pushlstring(L, text, length);
  lua_pushvalue(L, -1);
  lua_rawseti(L, r->strings, NAMES + 1 + (int)slot); /* takes no memory: the place is there */
  recent->size = (unsigned char)(length + 1);
  memcpy(recent->text, text, length);
  return 1;
}

static int push_number(struct reader *r, int is_integer) {
  double number;
  skip_space(r);
  const char *behind = tr_number_read(r->at, is_integer, &number);
  if (!behind) return 0;
  r->at = behind;
#if LUA_VERSION_NUM >= 503
  if (is_integer) {
    lua_pushinteger(r->L, (lua_Integer)number);
    return 1;
  }
#endif
  lua_pushnumber(r->L, (lua_Number)number);
  return 1;
}

/* ---- tables ---- */

static int push_object(struct reader *r, enum tr_object object);

/* The elements stand on the stack above `place`, which an array takes. */
static void make_array(lua_State *L, int place) {
  int count = lua_gettop(L) - place;
  lua_createtable(L, count, 0);
  lua_replace(L, place);
  while (count > 0)
    lua_rawseti(L, place, count--);
}

static int push_element(struct reader *r, const struct tr_field *field) {
  if (!lua_checkstack(r->L, 4)) return 0;
  return field->type == TR_TYPE_STRINGS ? push_string(r) : push_object(r, field->of);
}

static int push_list(struct reader *r, const struct tr_field *field) {
  if (!take(r, '[')) return 0;
  lua_pushnil(r->L);
  int place = lua_gettop(r->L);
  if (!take(r, ']')) {
    do {
      if (!push_element(r, field)) return 0;
    } while (take(r, ','));
    if (!take(r, ']')) return 0;
  }
  make_array(r->L, place);
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

/* Mostly the name is the one after the last one. */
static const struct tr_field *read_name(struct reader *r, const struct tr_object_fields *fields,
                                        size_t *hint) {
  if (*hint < fields->count) {
    const struct tr_field *next = &fields->fields[*hint];
    skip_space(r);
    if ((size_t)(r->end - r->at) > next->length + 1 && *r->at == '"' &&
        r->at[next->length + 1] == '"' && tr_scan_same(r->at + 1, next->name, next->length)) {
      r->at += next->length + 2;
      ++*hint;
      return next;
    }
  }
  size_t length;
  const char *name = read_string(r, &length);
  return name ? tr_contract_find(fields, name, length, hint) : NULL;
}

/* A member: name and value on the stack, or nothing for null. */
static int push_member(struct reader *r, struct members *m) {
  const struct tr_object_fields *fields = &tr_contract[m->object];
  const struct tr_field *field = read_name(r, fields, &m->hint);
  if (!field || !take(r, ':')) return 0;
  size_t number = (size_t)(field - fields->fields);
  if (number >= FIELDS_MAX || m->seen & 1U << number) return 0;
  m->seen |= 1U << number;
  if (take_null(r)) return 1;
  lua_rawgeti(r->L, r->strings, name_index(m->object, number));
  return push_value(r, field);
}

static int push_object(struct reader *r, enum tr_object object) {
  lua_State *L = r->L;
  struct members m = {object, 0, 0};
  if (!lua_checkstack(L, 2 * FIELDS_MAX + 5) || !take(r, '{')) return 0;
  lua_pushnil(L);
  int place = lua_gettop(L);
  if (!take(r, '}')) {
    do {
      if (!push_member(r, &m)) return 0;
    } while (take(r, ','));
    if (!take(r, '}')) return 0;
  }
  int members = (lua_gettop(L) - place) / 2;
  lua_createtable(L, 0, members);
  lua_replace(L, place);
  while (members-- > 0)
    lua_rawset(L, place);
  return 1;
}

int tr_usual_push(lua_State *L, const char *text, size_t length) {
  int top = lua_gettop(L);
  struct reader r = {L, text, text + length, top + 1, NULL};
  if (!lua_checkstack(L, 4)) return 0;
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  lua_rawgeti(L, r.strings, 0);
  r.recent = lua_touserdata(L, -1);
  lua_pop(L, 1);
  int is_usual = push_object(&r, TR_OBJECT_colo_result);
  if (is_usual) {
    skip_space(&r);
    is_usual = r.at == r.end;
  }
  lua_settop(L, is_usual ? top + 2 : top);
  if (is_usual) lua_replace(L, top + 1);
  return is_usual;
}
