/* names: host names, addresses' names and AS numbers by DNS, without blocking (c-ares), with a
** cache. It knows questions and answers, not what they are for. It lives where its reactor runs.
** Knows no Lua. */
#ifndef TR_NAMES_H
#define TR_NAMES_H

#include "dns.h"
#include "list.h"
#include "reactor.h"
#include "trace.h"

/* Answers kept, each for its TTL but 300 s at most, and that there is none for 60 s. That nobody
** answered is not kept. The oldest go first. */
#define TR_NAMES_CACHE_MAX 4096

/* Questions out at once, those included whose time was over before they were answered; further ones
** wait, their time running. The same question asked again
** while it is out is not sent again. */
#define TR_NAMES_IN_FLIGHT_MAX 64

#define TR_NAME_MAX TR_DNS_NAME_MAX
#define TR_ASN_MAX TR_DNS_ASN_MAX

struct tr_names;

struct tr_names_options {
  double timeout;           /* seconds for one question, tries included */
  const char *origin_zone;  /* "origin.asn.cymru.com" */
  const char *origin6_zone; /* "origin6.asn.cymru.com" */
  const char *servers;      /* "127.0.0.1:5353" (c-ares' csv form), NULL: the system's */
};

/* NULL: out of memory, or c-ares could not be set up. Strings are copied. */
struct tr_names *tr_names_new(struct tr_reactor *reactor, const struct tr_names_options *options);

/* Whether it was made with the same options. */
int tr_names_is_for(const struct tr_names *names, const struct tr_names_options *options);

/* The system's configuration is read again if it has changed, and the cache begun anew. */
void tr_names_refresh(struct tr_names *names);

/* Open questions get no answer any more. May be called from an answer. NULL is fine. */
void tr_names_free(struct tr_names *names);

typedef void (*tr_names_address_fn)(void *arg, const struct tr_address *address, const char *why);
typedef void (*tr_names_text_fn)(void *arg, const char *text, int is_short);

/* Somebody who asks one question at a time; embed it, zeroed, in what it belongs to. It stays where
** it is until it is answered or forgotten, or the names are freed. */
struct tr_names_asker {
  tr_names_address_fn address; /* of tr_names_resolve */
  tr_names_text_fn text;       /* of the others */
  void *arg;
  struct tr_question *question; /* private, like the rest; NULL: none is open */
  struct tr_link link;
};

/* The asker's function is called exactly once, from the reactor or at once from within the asking
** function (cached), and may ask, forget and free, the asker included. What it is given is good
** until it returns. A question that finds no answer in time answers with NULL or no address. Asking
** returns 0, or -1: out of memory, no call. */

/* family: AF_INET, AF_INET6 or AF_UNSPEC (IPv4 first where both are there). A text that is an
** address answers itself. /etc/hosts counts. On failure `address` is NULL and `why` is a static
** text ("no such host", "timed out", …), or NULL: out of memory. */
int tr_names_resolve(struct tr_names *names, const char *host, int family,
                     struct tr_names_asker *asker);

/* The name of an address (PTR), or NULL; with is_short it is not known, for lack of memory. Names
** with other bytes than letters, digits, hyphens, underscores and dots are none. */
int tr_names_reverse(struct tr_names *names, const struct tr_address *address,
                     struct tr_names_asker *asker);

/* "AS13335", or "AS1 AS2" for several origins, or NULL: Team Cymru's origin zones by TXT. Addresses
** that are not public (tr_address_is_public) are not asked for: NULL. */
int tr_names_origin(struct tr_names *names, const struct tr_address *address,
                    struct tr_names_asker *asker);

/* Its call will not come. What nobody else asks is not sent any more if it still waits. Fine where
** no question is open; takes the same time however many others are. */
void tr_names_forget(struct tr_names *names, struct tr_names_asker *asker);

#endif
