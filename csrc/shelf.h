/* shelf: the names that go with a reactor, so that their caches outlive those who ask, one for each
** set of options. Lives where its reactor runs. Knows no Lua. */
#ifndef TR_SHELF_H
#define TR_SHELF_H

#include "names.h"

#define TR_SHELF_MAX 4 /* sets of options; the one that was asked for longest ago goes first */

/* The reactor's names for these options, as tr_names_new has them, and with the system's present
** configuration. While all that it keeps are in use, one more is for the asker alone. NULL as
** there. Paired with a release. */
struct tr_names *tr_shelf_get(struct tr_reactor *reactor, const struct tr_names_options *options);
void tr_shelf_release(struct tr_reactor *reactor, struct tr_names *names);

#endif
