/* schema: checks decoded values against the fields of schema.def, in place. What a script passes is
** checked by options, against the same list. No I/O. */
#ifndef TR_SCHEMA_H
#define TR_SCHEMA_H

#include "error.h"
#include "contract.h"
#include "shim.h"

enum tr_validate {
  TR_VALIDATE_STRICT,  /* as lenient, and the first wrong field is an error */
  TR_VALIDATE_LENIENT, /* it is left out, and its path noted */
  TR_VALIDATE_NONE /* types are not looked at; null is nil and integers are integers all the same */
};

#define TR_DROPPED_MAX 1000 /* paths noted for one request; further ones are not */

struct tr_check {
  enum tr_validate mode;
  int slices;  /* stack index of the table of decoded colos, or 0: see tr_schema_response */
  int dropped; /* stack index of the array that takes the paths of left-out fields, or 0 */
  struct tr_error
      error; /* kind, path and message of the first thing wrong; cleared by the caller */
};

/* Appends a path to the array at stack index `dropped`, unless that is full. */
void tr_schema_note(lua_State *L, int dropped, const char *path);

/* Checks a decoded value in place, to its end: null becomes nil, as does a number that is none of
** Lua's (1e999, which is wrong where the list names a number), whole floats become integers,
** unknown fields stay, and after it every known field has its type (unless the mode is NONE).
** `path` begins every path. 0: all is well; -1: c->error is set, by this check or one before it.
** A value that is no object is a wrong field like any other, and nil takes its place in the stack;
** without a path, as the whole of a response, it is an error in any mode and stays. Raises only for
** lack of memory. */
int tr_schema_value(lua_State *L, int index, enum tr_object object, const char *path,
                    struct tr_check *c);

/* The same for an envelope in which the elements of result[].colos[] are numbers: element k is
** replaced by c->slices[k + 1], a table that was checked before; elements for which there is
** none are left out. */
int tr_schema_response(lua_State *L, int index, struct tr_check *c);

/* What a message calls the type of a value: "null", "nothing", "array", "object", or Lua's name. */
const char *tr_schema_type_name(lua_State *L, int index);

/* Pushes the list as a Lua table: object -> array of {name, type, of, min, max, unit, default,
** choices}. */
void tr_schema_push(lua_State *L);

#endif
