/* Fuzzes what is read out of the texts that name targets and networks. An input is such a text.
** What can be traced holds nothing that could be anything but a name or an address, and has one
** form. */
#include "target.h"

#include "error.h"
#include "fuzz.h"
#include "networks.h"
#include "replies.h"

static void check_target(const char *text, size_t length) {
  char hint[2 * TR_TARGET_MAX], once[TR_TARGET_MAX + 1], twice[TR_TARGET_MAX + 1];
  const char *fault = tr_target_fault(text, length, hint, sizeof hint);
  if (fault) FUZZ_CHECK(*fault && strlen(fault) < TR_MESSAGE_MAX);
  memset(once, 'x', sizeof once);
  tr_target_canonical(text, length, once);
  FUZZ_CHECK(memchr(once, '\0', sizeof once));
  if (fault) return;
  FUZZ_CHECK(length > 0 && length <= TR_TARGET_MAX + 1);
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    FUZZ_CHECK((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               strchr(".-_:", c));
    FUZZ_CHECK(c != '\0');
  }
  tr_target_canonical(once, strlen(once), twice);
  FUZZ_CHECK(strcmp(once, twice) == 0);
  FUZZ_CHECK(!tr_target_fault(once, strlen(once), hint, sizeof hint));
}

static void check_network(const char *text) {
  struct tr_network network;
  struct tr_address address;
  int is_address = tr_address_read(text, &address) == 0;
  if (is_address) (void)tr_address_is_public(&address);
  if (tr_network_read(&network, text) != 0) {
    FUZZ_CHECK(!is_address);
    return;
  }
  FUZZ_CHECK(network.family == AF_INET || network.family == AF_INET6);
  FUZZ_CHECK(network.bits <= (network.family == AF_INET ? 32 : 128));
  if (is_address) FUZZ_CHECK(tr_network_has(&network, &address));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *bytes = fuzz_copy((const char *)data, size);
  check_target(bytes, size);
  free(bytes);
  char *text = fuzz_text(fuzz_input(data, size));
  check_network(text);
  free(text);
  return 0;
}
