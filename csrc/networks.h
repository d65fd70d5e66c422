/* networks: which addresses may be traced: networks in CIDR notation, what is public, and a rule
** made of both. Pure; nothing is resolved. Knows no Lua. */
#ifndef TR_NETWORKS_H
#define TR_NETWORKS_H

#include "trace.h"

struct tr_network {
  int family; /* AF_INET or AF_INET6 */
  unsigned char byte[16];
  unsigned bits; /* of the prefix; what follows in `byte` does not count */
};

/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.1": 0, or -1 when it is none. An IPv4 network written
** as IPv6 (::ffff:10.0.0.0/104) is the IPv4 one. */
int tr_network_read(struct tr_network *network, const char *text);

/* The families never mix; an IPv4-mapped IPv6 address counts as IPv4. */
int tr_network_has(const struct tr_network *network, const struct tr_address *address);

/* Neither private, shared, loopback, link-local, multicast, reserved, documentation or
** benchmarking, nor an IPv6 form of IPv4 addresses (NAT64, 6to4, Teredo), behind which any of these
** may lie. */
int tr_address_is_public(const struct tr_address *address);

/* Zeroed, it permits all. The lists come from tr_realloc. */
struct tr_rule {
  struct tr_network *allow, *deny;
  unsigned allowed, denied;
  int public_only; /* but for what `allow` names; else `allow` does not count */
};

/* What `deny` names is refused, whatever `allow` says. */
int tr_rule_permits(const struct tr_rule *rule, const struct tr_address *address);
void tr_rule_cleanup(struct tr_rule *rule);

#endif
