/* contract: the list of schema.def as data; see contract.h. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

const char *const tr_type_names[] = {
    "string", "integer", "number",   "boolean", "function",          "object",
    "array",  "array",   "networks", "servers", "one of its values", "string"};

#define CHOICE_LIST(name, ...) static const char *const name##_choices[] = {__VA_ARGS__, NULL};
TR_SCHEMA_CHOICES(CHOICE_LIST)

const char *const *const tr_choices[TR_CHOICES] = {
#define CHOICE_ROW(name, ...) name##_choices,
    TR_SCHEMA_CHOICES(CHOICE_ROW)
#undef CHOICE_ROW
};

/* What `of` refers to depends on the type: one name space for objects and choices keeps the list
** flat. */
enum of {
#define OF_OBJECT(name) OF_##name = TR_OBJECT_##name,
  TR_SCHEMA_OBJECTS(OF_OBJECT)
#undef OF_OBJECT
#define OF_CHOICE(name, ...) OF_##name = TR_CHOICE_##name,
      TR_SCHEMA_CHOICES(OF_CHOICE)
#undef OF_CHOICE
          OF_none = 0
};

#define FIELD(name, type, of, min, max, unit, standard)                                            \
  {#name, sizeof #name - 1, TR_TYPE_##type, OF_##of, min, max, unit, standard},
#define FIELDS(name) static const struct tr_field name##_fields[] = {TR_FIELDS_##name(FIELD)};
TR_SCHEMA_OBJECTS(FIELDS)

#define OBJECT_ROW(name) {#name, name##_fields, sizeof name##_fields / sizeof name##_fields[0]},
const struct tr_object_fields tr_contract[TR_OBJECTS] = {TR_SCHEMA_OBJECTS(OBJECT_ROW)};

const struct tr_field *tr_contract_find(const struct tr_object_fields *object, const char *name,
                                        size_t length, size_t *hint) {
  for (size_t n = 0, i = *hint; n < object->count; n++, i++) {
    if (i >= object->count) i = 0;
    const struct tr_field *field = &object->fields[i];
    if (field->length == length && memcmp(field->name, name, length) == 0) {
      *hint = i + 1;
      return field;
    }
  }
  return NULL;
}

/* The name is hostile: what would make the path unreadable is shown as '?'. */
size_t tr_step_write(char *out, size_t size, const struct tr_step *step) {
  if (!step) return 0;
  size_t used = tr_step_write(out, size, step->up);
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
