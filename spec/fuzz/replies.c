/* Fuzzes what mtr-packet writes. An input is lines, each read as vantage would hand it over. What
** is understood is within the bounds that its header names. */
#include "replies.h"

#include <arpa/inet.h>

#include "fuzz.h"

static void check_address(const struct tr_address *address) {
  char text[INET6_ADDRSTRLEN];
  struct tr_address again;
  tr_address_write(address, text, sizeof text);
  FUZZ_CHECK((address->family == 0) == (*text == '\0'));
  if (address->family == 0) return;
  FUZZ_CHECK(tr_address_read(text, &again) == 0 && tr_address_equal(address, &again));
}

static void check_probe(const struct tr_reply *reply) {
  int has_come = reply->answer == TR_ANSWER_EXPIRED || reply->answer == TR_ANSWER_REACHED;
  FUZZ_CHECK(reply->answer >= TR_ANSWER_EXPIRED && reply->answer <= TR_ANSWER_UNSENDABLE);
  FUZZ_CHECK(reply->from.family || !has_come);
  FUZZ_CHECK(reply->rtt >= 0 && reply->rtt <= 3600);
  FUZZ_CHECK(reply->labels <= TR_TRACE_LABELS_MAX);
  check_address(&reply->from);
}

static void read_line(struct fuzz_input part) {
  struct tr_line_value value;
  if (part.left >= TR_REPLY_LINE_MAX || memchr(part.at, '\0', part.left)) return;
  char *line = fuzz_text(part);
  memset(&value, 0x5a, sizeof value);
  enum tr_line kind = tr_replies_read(line, &value);
  FUZZ_CHECK(kind >= TR_LINE_PROBE && kind <= TR_LINE_NOISE);
  FUZZ_CHECK(memchr(value.support, '\0', sizeof value.support));
  if (kind == TR_LINE_PROBE) check_probe(&value.reply);
  free(line);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input in = fuzz_input(data, size);
  while (in.left)
    read_line(fuzz_part(&in, '\n'));
  return 0;
}
