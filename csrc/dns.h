/* dns: what names asks the DNS for, and what it reads out of an answer's bytes, of which none is
** trusted. Pure functions; no I/O, no c-ares. Knows no Lua. */
#ifndef TR_DNS_H
#define TR_DNS_H

#include <stddef.h>

#include "trace.h"

#define TR_DNS_NAME_MAX 256 /* bytes of a name as text, its NUL included */
#define TR_DNS_ASN_MAX 64   /* bytes of the AS numbers of an address, its NUL included */

/* Whether a text can be asked for as a host name: letters, digits, hyphens, underscores and
** dots, no empty label but after a final dot, no label above 63 bytes, 253 in all. */
int tr_dns_is_name(const char *text);

/* Whether a text is a list of name servers: addresses with commas between, each alone or with a port,
** "192.0.2.1:53" and "[2001:db8::1]:53". */
int tr_dns_are_servers(const char *text);

/* An address as a name below a zone: "1.2.0.192.ZONE", or 32 nibbles for IPv6. 0, or -1: too
** long. */
int tr_dns_reversed(const struct tr_address *address, const char *zone, char *out, size_t size);

/* The name an answer to a PTR question holds: 1, and `name` (TR_DNS_NAME_MAX bytes) and the
** seconds it holds; or 0: there is none, or it is none that is_name would let pass. */
int tr_dns_pointer(const unsigned char *answer, size_t length, char *name, unsigned *ttl);

/* The AS numbers an answer to a TXT question of an origin zone holds ("13335 | 1.1.1.0/24 | US |
** arin | 2010-07-14"): 1, and `text` (TR_DNS_ASN_MAX bytes), "AS1 AS2" with the lowest first,
** and the seconds it holds; or 0. Of several records those of the longest prefix count. */
int tr_dns_origins(const unsigned char *answer, size_t length, char *text, unsigned *ttl);

#endif
