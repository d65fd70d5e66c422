/* contract: the list of schema.def as data, and the paths that name a place in what it describes.
** Knows no Lua. */
#ifndef TR_CONTRACT_H
#define TR_CONTRACT_H

#include <stddef.h>

#include "schema.def"

enum tr_object {
#define TR_OBJECT_ID(name) TR_OBJECT_##name,
  TR_SCHEMA_OBJECTS(TR_OBJECT_ID)
#undef TR_OBJECT_ID
      TR_OBJECTS
};

enum tr_choice {
#define TR_CHOICE_ID(name, ...) TR_CHOICE_##name,
  TR_SCHEMA_CHOICES(TR_CHOICE_ID)
#undef TR_CHOICE_ID
      TR_CHOICES
};

enum tr_type {
  TR_TYPE_STRING,
  TR_TYPE_INTEGER,
  TR_TYPE_NUMBER,
  TR_TYPE_BOOLEAN,
  TR_TYPE_FUNCTION,
  TR_TYPE_OBJECT,   /* a table with the fields of `of` */
  TR_TYPE_LIST,     /* an array of these */
  TR_TYPE_STRINGS,  /* an array of strings */
  TR_TYPE_NETWORKS, /* the same, each a network in CIDR notation or an address */
  TR_TYPE_SERVERS,  /* a string, a list of name servers */
  TR_TYPE_CHOICE,   /* one of the strings of `of` */
  TR_TYPE_VALIDATE  /* the same, or false */
};

extern const char *const tr_type_names[];
extern const char *const *const tr_choices[TR_CHOICES]; /* each NULL-ended */

struct tr_field {
  const char *name;
  size_t length; /* of the name */
  enum tr_type type;
  unsigned of;     /* an enum tr_object or tr_choice, by the type */
  double min, max; /* see schema.def */
  const char *unit, *standard;
};

struct tr_object_fields {
  const char *name;
  const struct tr_field *fields;
  size_t count;
};

extern const struct tr_object_fields tr_contract[TR_OBJECTS];

/* The field of that name, or NULL. Tables of one response have the same fields in mostly the
** same order, so the search begins at *hint, which moves behind what was found. */
const struct tr_field *tr_contract_find(const struct tr_object_fields *object, const char *name,
                                        size_t length, size_t *hint);

/* A place in nested tables. Lives on the stack of whoever walks them: a path is only written when
** something is wrong. */
struct tr_step {
  const struct tr_step *up;
  const char *name; /* a member's name, or NULL for an element */
  size_t index;     /* an element's place, from 1 */
};

/* Writes "result[1].colos[3]"; a name's unprintable bytes as '?'. The bytes written, cut at size
** - 1. */
size_t tr_step_write(char *out, size_t size, const struct tr_step *step);

#endif
