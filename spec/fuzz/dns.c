/* Fuzzes the reading of DNS answers. An input is an answer's bytes. What is read out of them is a
** host name, or AS numbers, and nothing else; what that means for a question is asked, too. */
#include "dns.h"

#include "fuzz.h"
#include "networks.h"

static void check_origins(const char *text) {
  size_t length = strlen(text);
  unsigned long long last = 0;
  FUZZ_CHECK(length > 0 && length < TR_DNS_ASN_MAX);
  for (const char *at = text; *at;) {
    char *end;
    FUZZ_CHECK(strncmp(at, "AS", 2) == 0 && at[2] >= '1' && at[2] <= '9');
    unsigned long long number = strtoull(at + 2, &end, 10);
    FUZZ_CHECK(number > last && number <= UINT32_MAX);
    FUZZ_CHECK(*end == '\0' || (*end == ' ' && end[1]));
    last = number;
    at = *end ? end + 1 : end;
  }
}

/* The first 16 bytes as an address, the rest as its zone. */
static void check_reversed(struct fuzz_input in) {
  struct tr_address address;
  char name[TR_DNS_NAME_MAX];
  if (in.left < sizeof address.ip.v6) return;
  memset(&address, 0, sizeof address);
  memcpy(&address.ip.v6, in.at, sizeof address.ip.v6);
  in.at += sizeof address.ip.v6;
  in.left -= sizeof address.ip.v6;
  char *zone = fuzz_text(in);
  for (int i = 0; i < 2; i++) {
    address.family = i ? AF_INET6 : AF_INET;
    (void)tr_address_is_public(&address);
    if (tr_dns_reversed(&address, zone, name, sizeof name) != 0) continue;
    size_t length = strlen(name), tail = strlen(zone);
    FUZZ_CHECK(length > tail && strcmp(name + length - tail, zone) == 0);
    if (tr_dns_is_name(zone) && length <= 253) FUZZ_CHECK(tr_dns_is_name(name));
  }
  free(zone);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char name[TR_DNS_NAME_MAX], text[TR_DNS_ASN_MAX];
  unsigned ttl;
  memset(name, 'x', sizeof name);
  memset(text, 'x', sizeof text);
  unsigned char *answer = (unsigned char *)fuzz_copy((const char *)data, size);
  if (tr_dns_pointer(answer, size, name, &ttl)) {
    FUZZ_CHECK(memchr(name, '\0', sizeof name));
    FUZZ_CHECK(tr_dns_is_name(name) && ttl <= INT32_MAX);
  }
  if (tr_dns_origins(answer, size, text, &ttl)) {
    FUZZ_CHECK(memchr(text, '\0', sizeof text));
    FUZZ_CHECK(ttl <= INT32_MAX);
    check_origins(text);
  }
  free(answer);
  check_reversed(fuzz_input(data, size));
  return 0;
}
