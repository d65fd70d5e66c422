/* Unit tests of replies: every form of line that mtr-packet writes, the lines that a broken or
** hostile one could write, and addresses as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>

#include "replies.h"

/* From a block of its own that ends where the text ends, so that a read behind it shows. What the
** value held before must not show either. */
static enum tr_line read_line(const char *text, struct tr_line_value *value) {
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  assert_non_null(copy);
  memcpy(copy, text, size);
  memset(value, 0x5a, sizeof *value);
  enum tr_line line = tr_replies_read(copy, value);
  free(copy);
  return line;
}

static struct tr_line_value read_probe(const char *text) {
  struct tr_line_value value;
  if (read_line(text, &value) != TR_LINE_PROBE) fail_msg("\"%s\" is not understood", text);
  return value;
}

static void check_is(enum tr_line expected, const char *text) {
  struct tr_line_value value;
  enum tr_line line = read_line(text, &value);
  if (line != expected) fail_msg("\"%s\" is read as %d", text, (int)line);
}

static void assert_address(const struct tr_address *address, const char *expected) {
  char text[INET6_ADDRSTRLEN];
  tr_address_write(address, text, sizeof text);
  assert_string_equal(text, expected);
}

static void assert_near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-12)) fail_msg("%.15f instead of %.15f", value, expected);
}

static void test_answers(void **state) {
  (void)state;
  struct tr_line_value value = read_probe("7 reply ip-4 192.0.2.9 round-trip-time 1634");
  assert_int_equal(value.token, 7);
  assert_int_equal(value.reply.answer, TR_ANSWER_REACHED);
  assert_address(&value.reply.from, "192.0.2.9");
  assert_near(value.reply.rtt, 0.001634);
  assert_int_equal(value.reply.labels, 0);

  value = read_probe("4294967295 ttl-expired ip-6 2001:db8::1 round-trip-time 0");
  assert_int_equal(value.token, UINT32_MAX);
  assert_int_equal(value.reply.answer, TR_ANSWER_EXPIRED);
  assert_address(&value.reply.from, "2001:db8::1");
  assert_near(value.reply.rtt, 0);

  value = read_probe("0 no-route ip-4 192.0.2.1 round-trip-time 99");
  assert_int_equal(value.reply.answer, TR_ANSWER_NO_ROUTE);
  assert_address(&value.reply.from, "192.0.2.1");
}

static void test_without_arguments(void **state) {
  static const struct {
    const char *text;
    enum tr_answer answer;
  } cases[] = {
      {"3 no-reply", TR_ANSWER_SILENT},
      {"3 no-route", TR_ANSWER_NO_ROUTE},
      {"3 probes-exhausted", TR_ANSWER_EXHAUSTED},
      {"3 address-in-use", TR_ANSWER_EXHAUSTED},
      {"3 network-down", TR_ANSWER_UNSENDABLE},
      {"3 permission-denied", TR_ANSWER_UNSENDABLE},
      {"3 address-not-available", TR_ANSWER_UNSENDABLE},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct tr_line_value value = read_probe(cases[i].text);
    assert_int_equal(value.token, 3);
    assert_int_equal(value.reply.answer, cases[i].answer);
    assert_int_equal(value.reply.from.family, 0);
  }
}

static void test_refused(void **state) {
  static const char *const texts[] = {"5 invalid-argument reason value-too-large",
                                      "5 invalid-argument", "5 unknown-command",
                                      "5 command-parse-error", "5 no-such-thing and more words"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct tr_line_value value;
    assert_int_equal(read_line(texts[i], &value), TR_LINE_REFUSED);
    assert_int_equal(value.token, 5);
  }
}

static void test_support(void **state) {
  struct tr_line_value value;
  char text[2 * TR_REPLY_VALUE_MAX + 32];
  (void)state;
  assert_int_equal(read_line("1 feature-support support ok", &value), TR_LINE_SUPPORT);
  assert_int_equal(value.token, 1);
  assert_string_equal(value.support, "ok");
  assert_int_equal(read_line("2 feature-support support 0.95", &value), TR_LINE_SUPPORT);
  assert_string_equal(value.support, "0.95");
  assert_int_equal(read_line("2 feature-support", &value), TR_LINE_SUPPORT);
  assert_string_equal(value.support, "");
  assert_int_equal(read_line("2 feature-support support", &value), TR_LINE_NOISE);
  snprintf(text, sizeof text, "2 feature-support support ");
  size_t start = strlen(text);
  memset(text + start, 'v', sizeof text - start - 1);
  text[sizeof text - 1] = '\0';
  assert_int_equal(read_line(text, &value), TR_LINE_SUPPORT);
  assert_int_equal(strlen(value.support), TR_REPLY_VALUE_MAX - 1);
}

static void test_mpls(void **state) {
  (void)state;
  struct tr_line_value value =
      read_probe("8 ttl-expired ip-4 192.0.2.1 round-trip-time 5 mpls 16001,0,0,1,1048575,7,1,255");
  assert_int_equal(value.reply.labels, 2);
  assert_int_equal(value.reply.label[0].label, 16001);
  assert_int_equal(value.reply.label[0].traffic_class, 0);
  assert_int_equal(value.reply.label[0].bottom, 0);
  assert_int_equal(value.reply.label[0].ttl, 1);
  assert_int_equal(value.reply.label[1].label, 1048575);
  assert_int_equal(value.reply.label[1].traffic_class, 7);
  assert_int_equal(value.reply.label[1].bottom, 1);
  assert_int_equal(value.reply.label[1].ttl, 255);
  assert_address(&value.reply.from, "192.0.2.1");
}

/* Labels beyond those that are kept are left out, and what follows them is still read. */
static void test_many_labels(void **state) {
  char text[TR_REPLY_LINE_MAX] = "8 ttl-expired mpls 0,0,0,0";
  (void)state;
  for (int i = 1; i < 2 * TR_TRACE_LABELS_MAX; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), ",%d,0,0,0", i);
  snprintf(text + strlen(text), sizeof text - strlen(text), " ip-4 192.0.2.1");
  struct tr_line_value value = read_probe(text);
  assert_int_equal(value.reply.labels, TR_TRACE_LABELS_MAX);
  assert_int_equal(value.reply.label[TR_TRACE_LABELS_MAX - 1].label, TR_TRACE_LABELS_MAX - 1);
  assert_address(&value.reply.from, "192.0.2.1");
}

static void test_odd_labels(void **state) {
  static const char *const labels[] = {"1",      "1,2,3",    "1,2,3,4,5", "1,2,3,4,",
                                       ",1,2,3", "1,,2,3",   "1,2,3,-4",  "a,b,c,d",
                                       ",",      "1,2,3,4x", "1;2;3;4",   "4294967296,0,0,0"};
  (void)state;
  for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
    char text[100];
    snprintf(text, sizeof text, "1 ttl-expired ip-4 192.0.2.1 mpls %s", labels[i]);
    check_is(TR_LINE_NOISE, text);
  }
}

/* Words of a later version are passed over, spaces do not count, and order does not either. */
static void test_tolerance(void **state) {
  (void)state;
  struct tr_line_value value =
      read_probe("  9   reply  round-trip-time 12  colour blue ip-4   192.0.2.1  ");
  assert_int_equal(value.token, 9);
  assert_near(value.reply.rtt, 12e-6);
  assert_address(&value.reply.from, "192.0.2.1");
  value = read_probe("9 reply ip-4 192.0.2.1");
  assert_near(value.reply.rtt, 0);
}

static void test_noise(void **state) {
  static const char *const texts[] = {
      "", " ", "12", "12 ", "reply ip-4 192.0.2.1", "-1 no-reply", "+1 no-reply", "1.5 no-reply",
      "0x1 no-reply", "1e3 no-reply", "4294967296 no-reply", "99999999999999999999 no-reply",
      "12a no-reply", "\t1 no-reply", "\xff\xfe\xfd", "mtr-packet: a message of its own",
      /* half a pair */
      "1 reply ip-4", "1 reply ip-4 192.0.2.1 round-trip-time", "1 no-reply odd",
      /* an answer from nobody */
      "1 reply", "1 ttl-expired", "1 reply round-trip-time 12",
      /* wrong addresses */
      "1 reply ip-4 192.0.2.256", "1 reply ip-4 192.0.2", "1 reply ip-4 nowhere",
      "1 reply ip-6 2001:db8::1::2", "1 reply ip-6 :", "1 no-route ip-4 x",
      "1 reply ip-6 fe80::1%eth0",
      /* odd numbers */
      "1 reply ip-4 192.0.2.1 round-trip-time -5", "1 reply ip-4 192.0.2.1 round-trip-time 1.5",
      "1 reply ip-4 192.0.2.1 round-trip-time nan", "1 reply ip-4 192.0.2.1 round-trip-time inf",
      "1 reply ip-4 192.0.2.1 round-trip-time 3600000001",
      "1 reply ip-4 192.0.2.1 round-trip-time 9999999999999999"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    check_is(TR_LINE_NOISE, texts[i]);
}

static void test_overlong(void **state) {
  struct tr_line_value value;
  char *text = malloc(TR_REPLY_LINE_MAX);
  (void)state;
  assert_non_null(text);
  for (int filler = 0; filler < 256; filler++) { /* each byte, and pieces of known words */
    memset(text, filler ? filler : '1', TR_REPLY_LINE_MAX - 1);
    text[TR_REPLY_LINE_MAX - 1] = '\0';
    (void)tr_replies_read(text, &value);
    memset(text, filler ? filler : '1', TR_REPLY_LINE_MAX - 1);
    memcpy(text, "1 reply ip-4 ", 13);
    check_is(TR_LINE_NOISE, text);
  }
  free(text);
}

static void test_addresses(void **state) {
  static const char *const good[] = {"0.0.0.0", "255.255.255.255", "192.0.2.1",
                                     "::",      "2001:db8::1",     "::ffff:192.0.2.1"};
  static const char *const bad[] = {"",         " ",        "1",           "1.2.3",  "1.2.3.4.5",
                                    "1.2.3.4 ", "01.2.3.4", "1.2.3.256",   ":",      "1::2::3",
                                    "12345::",  "::g",      "example.com", "::1%lo", "[::1]"};
  struct tr_address address;
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(tr_address_read(good[i], &address), 0);
    assert_int_equal(address.family, strchr(good[i], ':') ? AF_INET6 : AF_INET);
    assert_address(&address, good[i]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (tr_address_read(bad[i], &address) == 0) fail_msg("\"%s\" is read", bad[i]);
    assert_int_equal(address.family, 0);
    assert_address(&address, "");
  }
}

static void test_equal(void **state) {
  struct tr_address a, b;
  (void)state;
  assert_int_equal(tr_address_read("192.0.2.1", &a), 0);
  memset(&b, 0xff, sizeof b); /* what lies behind an IPv4 address does not count */
  b.family = AF_INET;
  b.ip.v4 = a.ip.v4;
  assert_true(tr_address_equal(&a, &b));
  assert_int_equal(tr_address_read("192.0.2.2", &b), 0);
  assert_false(tr_address_equal(&a, &b));
  assert_int_equal(tr_address_read("::ffff:192.0.2.1", &b), 0);
  assert_false(tr_address_equal(&a, &b));
  assert_int_equal(tr_address_read("0:0:0:0:0:FFFF:c000:201", &a), 0);
  assert_true(tr_address_equal(&a, &b));
  assert_int_equal(tr_address_read("::ffff:192.0.2.0", &b), 0);
  assert_false(tr_address_equal(&a, &b));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),    cmocka_unit_test(test_without_arguments),
      cmocka_unit_test(test_refused),    cmocka_unit_test(test_support),
      cmocka_unit_test(test_mpls),       cmocka_unit_test(test_many_labels),
      cmocka_unit_test(test_odd_labels), cmocka_unit_test(test_tolerance),
      cmocka_unit_test(test_noise),      cmocka_unit_test(test_overlong),
      cmocka_unit_test(test_addresses),  cmocka_unit_test(test_equal),
  };
  return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
