/* networks: which addresses may be traced; see networks.h. */
#include "networks.h"

#include <arpa/inet.h>
#include <string.h>

#include "alloc.h"

#define TEXT_MAX 64

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* IANA's registries of special-purpose addresses. */
static const struct tr_network special[] = {
    {AF_INET, {0}, 8},             /* this network */
    {AF_INET, {10}, 8},            /* private */
    {AF_INET, {100, 64}, 10},      /* shared, behind carriers' NAT */
    {AF_INET, {127}, 8},           /* loopback */
    {AF_INET, {169, 254}, 16},     /* link-local */
    {AF_INET, {172, 16}, 12},      /* private */
    {AF_INET, {192, 0, 0}, 24},    /* protocols' own */
    {AF_INET, {192, 0, 2}, 24},    /* documentation */
    {AF_INET, {192, 88, 99}, 24},  /* relays of 6to4 */
    {AF_INET, {192, 168}, 16},     /* private */
    {AF_INET, {198, 18}, 15},      /* benchmarking */
    {AF_INET, {198, 51, 100}, 24}, /* documentation */
    {AF_INET, {203, 0, 113}, 24},  /* documentation */
    {AF_INET, {224}, 3},           /* multicast, reserved, broadcast */

    {AF_INET6, {0x20, 0x01}, 23},             /* protocols' own, Teredo, benchmarking */
    {AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {AF_INET6, {0x20, 0x02}, 16},             /* 6to4 */
    {AF_INET6, {0x3f, 0xff}, 20},             /* documentation */
};

static const struct tr_network given_out = {AF_INET6, {0x20}, 3}; /* all else is special */

/* The bytes by which it is compared, and their family. */
static const unsigned char *bytes_of(const struct tr_address *address, int *family) {
  *family = AF_INET;
  if (address->family == AF_INET) return (const unsigned char *)&address->ip.v4;
  const unsigned char *byte = address->ip.v6.s6_addr;
  if (memcmp(byte, mapped, sizeof mapped) == 0) return byte + sizeof mapped;
  *family = AF_INET6;
  return byte;
}

static int read_bits(const char *text, unsigned *bits) {
  size_t length = strlen(text);
  *bits = 0;
  if (length < 1 || length > 3 || strspn(text, "0123456789") != length) return -1;
  for (; *text; text++)
    *bits = *bits * 10 + (unsigned)(*text - '0');
  return 0;
}

int tr_network_read(struct tr_network *network, const char *text) {
  char host[TEXT_MAX];
  const char *slash = strchr(text, '/');
  size_t length = slash ? (size_t)(slash - text) : strlen(text);
  if (length >= sizeof host) return -1;
  memcpy(host, text, length);
  host[length] = '\0';
  memset(network, 0, sizeof *network);
  network->family = strchr(host, ':') ? AF_INET6 : AF_INET;
  unsigned most = network->family == AF_INET6 ? 128 : 32;
  if (inet_pton(network->family, host, network->byte) != 1) return -1;
  network->bits = most;
  if (slash && (read_bits(slash + 1, &network->bits) != 0 || network->bits > most)) return -1;
  if (network->family == AF_INET6 && network->bits >= 96 &&
      memcmp(network->byte, mapped, sizeof mapped) == 0) {
    memmove(network->byte, network->byte + sizeof mapped, 4);
    network->family = AF_INET;
    network->bits -= 96;
  }
  return 0;
}

int tr_network_has(const struct tr_network *network, const struct tr_address *address) {
  int family;
  const unsigned char *byte = bytes_of(address, &family);
  size_t whole = network->bits / 8;
  unsigned rest = network->bits % 8;
  if (family != network->family || memcmp(byte, network->byte, whole) != 0) return 0;
  return rest == 0 || byte[whole] >> (8 - rest) == network->byte[whole] >> (8 - rest);
}

static int is_in(const struct tr_network *list, size_t count, const struct tr_address *address) {
  for (size_t i = 0; i < count; i++)
    if (tr_network_has(&list[i], address)) return 1;
  return 0;
}

int tr_address_is_public(const struct tr_address *address) {
  int family;
  (void)bytes_of(address, &family);
  if (family == AF_INET6 && !tr_network_has(&given_out, address)) return 0;
  return !is_in(special, sizeof special / sizeof special[0], address);
}

int tr_rule_permits(const struct tr_rule *rule, const struct tr_address *address) {
  if (is_in(rule->deny, rule->denied, address)) return 0;
  return !rule->public_only || tr_address_is_public(address) ||
         is_in(rule->allow, rule->allowed, address);
}

void tr_rule_cleanup(struct tr_rule *rule) {
  tr_free(rule->allow);
  tr_free(rule->deny);
  memset(rule, 0, sizeof *rule);
}
