/* names: host names, addresses' names and AS numbers by DNS, without blocking (c-ares), with a
** cache of the process. It knows questions and answers, not what they are for. It lives where
** its reactor runs. Knows no Lua. */
#ifndef TR_NAMES_H
#define TR_NAMES_H

#include "reactor.h"
#include "trace.h"

#define TR_NAMES_CACHE_MAX                                                                         \
  4096 /* answers kept, each for its TTL but 300 s at most; the oldest go first */
#define TR_NAME_MAX 256
#define TR_ASN_MAX 64

struct tr_names;

struct tr_names_options {
  double timeout;           /* seconds for one question, tries included */
  const char *origin_zone;  /* "origin.asn.cymru.com" */
  const char *origin6_zone; /* "origin6.asn.cymru.com" */
  const char *
      servers; /* "127.0.0.1:5353" (c-ares' csv form), NULL: the system's; for tests and operators */
};

/* NULL: out of memory, or c-ares could not be set up. Strings are copied. */
struct tr_names *tr_names_new(struct tr_reactor *reactor, const struct tr_names_options *options);
void tr_names_free(struct tr_names *names); /* open questions get no answer any more */

/* The callbacks come exactly once each, from the reactor or at once from within the asking
** function (cached). A question that finds no answer in time answers with NULL or no address. */

/* family: AF_INET, AF_INET6 or AF_UNSPEC (IPv4 first where both are there). A text that is an
** address answers itself. /etc/hosts counts. On failure `address` is NULL and `why` is a static
** text ("no such host", "timed out", …). 0 or -1: out of memory, no callback. */
typedef void (*tr_names_address_fn)(void *arg, const struct tr_address *address, const char *why);
int tr_names_resolve(struct tr_names *names, const char *host, int family,
                     tr_names_address_fn answer, void *arg);

/* The name of an address (PTR), or NULL. */
typedef void (*tr_names_text_fn)(void *arg, const char *text);
int tr_names_reverse(struct tr_names *names, const struct tr_address *address,
                     tr_names_text_fn answer, void *arg);

/* "AS13335", or "AS1 AS2" for several origins, or NULL: Team Cymru's origin zones by TXT.
** Private, loopback and link-local addresses are not asked for (NULL). */
int tr_names_origin(struct tr_names *names, const struct tr_address *address,
                    tr_names_text_fn answer, void *arg);

/* Cancels every open question of that arg: its callback will not come. */
void tr_names_forget(struct tr_names *names, const void *arg);

#endif
