/* probe: from a script's arguments to a running survey from here, and from its pieces to a
** result. Joins options, targets, survey and sightings; has no knowledge of its own but what the
** options mean. */
#ifndef TR_PROBE_H
#define TR_PROBE_H

#include "shim.h"

/* survey(targets, opts) -> job, or nil and an error; in the thread or not, as tr_create_start. */
int tr_probe_start(lua_State *L, int in_thread);

#endif
