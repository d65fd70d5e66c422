/* resolver: c-ares on a reactor: its sockets, its times, and what its reports say. One query in,
** one report out; it keeps nothing. Only this room includes c-ares. Knows no Lua. */
#ifndef TR_RESOLVER_H
#define TR_RESOLVER_H

#include "dns.h"
#include "reactor.h"
#include "trace.h"

enum tr_query { TR_QUERY_HOST, TR_QUERY_POINTER, TR_QUERY_ORIGIN };

struct tr_found {
  struct tr_address address;  /* of HOST; family 0: none */
  const char *why;            /* of HOST without an address: a static text */
  int is_short;               /* of memory: nothing is known */
  char text[TR_DNS_NAME_MAX]; /* of POINTER and ORIGIN; empty: none */
};

/* Comes exactly once for each query, from a run or at once from within the asking; must not free
** the resolver. `seconds` is how long it holds, 0: not beyond this query. `found` is NULL when
** the query is cancelled or the resolver freed. */
typedef void (*tr_resolver_fn)(void *arg, const struct tr_found *found, double seconds);

struct tr_resolver;

/* Gives up on a query when its servers, all together, have been silent for so many seconds, or a
** bit less.
** `after` is called from each run in which reports may have come, when it is over: it may free
** the resolver. NULL: out of memory, or c-ares could not be set up. */
struct tr_resolver *tr_resolver_new(struct tr_reactor *reactor, double timeout, const char *servers,
                                    void (*after)(void *arg), void *arg);
void tr_resolver_free(struct tr_resolver *r); /* NULL is fine */

/* Whether the system's configuration (/etc/resolv.conf) is still the one it was made with. */
int tr_resolver_is_current(const struct tr_resolver *r);

/* Ends all queries; c-ares cannot end one. Not from within a report. */
void tr_resolver_cancel(struct tr_resolver *r);

/* family is that of the addresses wanted for HOST. */
void tr_resolver_ask(struct tr_resolver *r, enum tr_query query, int family, const char *name,
                     tr_resolver_fn report, void *arg);

#endif
