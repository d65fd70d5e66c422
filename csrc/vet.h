/* vet: arguments that come from others, checked by the same rules as a script's own, without
** anything being started. For who serves requests. No I/O. */
#ifndef TR_VET_H
#define TR_VET_H

#include "shim.h"

/* vet_options(object, options) -> true, or nil and an error. The object is one of schema.def that
** is passed: "options", "probe_options" or "measure" (what is measured, and nothing else). */
int tr_vet_options(lua_State *L);

/* vet_targets(targets) -> the array of targets, each once and as first written; or nil and an
** error. */
int tr_vet_targets(lua_State *L);

#endif
