/* route: whether this machine has a way to an address, as its kernel says. Nothing is sent. Knows no
** Lua. */
#ifndef TR_ROUTE_H
#define TR_ROUTE_H

#include "trace.h"

/* How a probe to the address would fare: TR_ANSWER_NO_ROUTE (none leads there), TR_ANSWER_UNSENDABLE
** (nothing may be sent there, or to no such address at all), or `otherwise`, where there is a route
** or it cannot be told. */
enum tr_answer tr_route_look(const struct tr_address *to, enum tr_answer otherwise);

#endif
