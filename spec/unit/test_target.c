/* Unit tests of target: which texts can be traced, what is said of the others, and which spellings
** name one target. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "target.h"

static char hint[2 * TR_TARGET_MAX];

/* From a block of its own that ends where the text ends, so that a read behind it shows. */
static const char *fault_of(const char *text, size_t length) {
  char *copy = malloc(length ? length : 1);
  assert_non_null(copy);
  memcpy(copy, text, length);
  memset(hint, 'x', sizeof hint);
  const char *fault = tr_target_fault(copy, length, hint, sizeof hint);
  free(copy);
  return fault;
}

static void check_good(const char *text) {
  const char *fault = fault_of(text, strlen(text));
  if (fault) fail_msg("\"%s\" is %s", text, fault);
}

static void check_fault(const char *text, const char *expected) {
  const char *fault = fault_of(text, strlen(text));
  if (!fault) fail_msg("\"%s\" has no fault", text);
  assert_string_equal(fault, expected);
}

static void test_addresses(void **state) {
  static const char *const good[] = {
      "1.1.1.1",     "0.0.0.0",        "255.255.255.255", "::", "::1", "1::", "2001:db8::1",
      "2001:DB8::A", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"};
  static const char *const not_v4[] = {
      "1",   "1.1",  "1.1.1",  "1.1.1.1.1",  "256.1.1.1", "1.1.1.1.", "01.1.1.1",   "1.1.1.08",
      "a.1", "a.1.", "0x7f.1", "0x7f000001", "a.0XfF",    "a.0x1.",   "00000000001"};
  static const char *const not_v6[] = {"1::2::3", ":::",         "1:2:3:4:5:6:7",
                                       "12345::", "::1.2.3.256", "::g"};
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    check_good(good[i]);
  for (size_t i = 0; i < sizeof not_v4 / sizeof not_v4[0]; i++)
    check_fault(not_v4[i], "not an IPv4 address (four numbers from 0 to 255)");
  for (size_t i = 0; i < sizeof not_v6 / sizeof not_v6[0]; i++)
    check_fault(not_v6[i], "not an IPv6 address");
}

static void test_names(void **state) {
  static const char *const good[] = {"a",        "A.b",  "example.com.", "_a._tcp.b", "a_b",
                                     "3com.com", "a--b", "0x",           "a.0x",      "0xg",
                                     "a.1b",     "b1.c", "xn--p1ai",     "a0x1"};
  static const char *const bad[] = {".",    "..",   ".a", "a..", "a..b", "-a", "a-",
                                    "a.-b", "a-.b", "!",  "a;b", "a\"b", "a'b"};
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    check_good(good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    check_fault(bad[i], "not a host name or an IP address");
}

static void test_lengths(void **state) {
  (void)state;
  char text[TR_TARGET_MAX + 3];
  memset(text, 'a', sizeof text);
  text[63] = '\0';
  check_good(text);
  text[63] = 'a';
  text[64] = '\0';
  check_fault(text, "not a host name or an IP address");
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = i % 2 ? '.' : 'a';
  text[TR_TARGET_MAX] = '\0';
  check_good(text);
  text[TR_TARGET_MAX] = '.';
  text[TR_TARGET_MAX + 1] = '\0';
  check_good(text);
  text[TR_TARGET_MAX] = 'a';
  check_fault(text, "longer than a host name can be (253 bytes)");
  text[TR_TARGET_MAX] = '.';
  text[TR_TARGET_MAX + 1] = 'a';
  text[TR_TARGET_MAX + 2] = '\0';
  check_fault(text, "longer than a host name can be (253 bytes)");
  assert_string_equal(fault_of(text, 0), "empty");
}

static void test_bytes(void **state) {
  (void)state;
  for (int byte = 0; byte < 256; byte++) {
    const char text[] = {'a', (char)byte, 'b'};
    const char *fault = fault_of(text, sizeof text);
    int is_good = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                  (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' || byte == '.';
    if (is_good) {
      assert_null(fault);
      continue;
    }
    assert_non_null(fault);
    if (byte < 0x20 || byte == 0x7f)
      assert_string_equal(
          fault, "no host name: it holds a control character; strip white space and line ends");
    else if (byte >= 0x80)
      assert_string_equal(fault, "not ASCII; write an internationalised name as xn--…");
  }
}

#define NETWORK "a path or a network, not a host name or address"
#define PORT "; did you mean \"a.b\"? (a port is the option port)"

static void test_hints(void **state) {
  static const char *const cases[][2] = {
      {"https://a.b", "a URL, not a host name or address; did you mean \"a.b\"?"},
      {"x://u:p@a.b:1/c?d#e", "a URL, not a host name or address; did you mean \"a.b\"?"},
      {"http://[::1]:80/", "a URL, not a host name or address; did you mean \"::1\"?"},
      {"http://a.b?x@y", "a URL, not a host name or address; did you mean \"a.b\"?"},
      {"http://a.b/x@y", "a URL, not a host name or address; did you mean \"a.b\"?"},
      {"http://1.2.3/", "a URL, not a host name or address"},
      {"://", "a URL, not a host name or address"},
      {"[::1]", "an address in brackets; did you mean \"::1\"?"},
      {"[::1", "an address in brackets; did you mean \"::1\"?"},
      {"[x y]", "an address in brackets"},
      {"[", "an address in brackets"},
      {"fe80::1%2", "an address with a zone, which means nothing elsewhere; leave out the %"},
      {"10.0.0.0/8", NETWORK "; did you mean \"10.0.0.0\"?"},
      {"2001:db8::/32", NETWORK "; did you mean \"2001:db8::\"?"},
      {"10.0.0/8", NETWORK},
      {"/", NETWORK},
      {"a.b:80", "a host with a port" PORT},
      {"a.b:", "a host with a port" PORT},
      {":80", "a host with a port"},
      {"u@a.b", "a user name with a host; did you mean \"a.b\"?"},
      {"@", "a user name with a host"},
      {" a", "no host name: strip the blanks around it"},
      {"a ", "no host name: strip the blanks around it"},
      {"a b", "more than one word; pass several targets as an array"},
      {"*", "a wildcard, not a host name"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    check_fault(cases[i][0], cases[i][1]);
}

/* Whatever it is given and however small the room, the hint stays within it and ends. */
static void test_room(void **state) {
  (void)state;
  for (size_t size = 1; size <= 64; size++) {
    char *room = malloc(size);
    assert_non_null(room);
    const char *fault = tr_target_fault("https://a.example/", 18, room, size);
    assert_ptr_equal(fault, room);
    assert_true(strlen(room) < size);
    free(room);
  }
  char text[TR_TARGET_MAX] = "";
  uint32_t random = 1;
  static const char letters[] = "a1.:/@[]%-_*? #0xF";
  for (int n = 0; n < 20000; n++) {
    random = random * 1664525U + 1013904223U;
    size_t length = (random >> 8) % (n % 10 ? 12 : sizeof text);
    for (size_t i = 0; i < length; i++) {
      random = random * 1664525U + 1013904223U;
      text[i] = letters[(random >> 16) % (sizeof letters - 1)];
    }
    const char *fault = fault_of(text, length);
    const char *good = fault ? strstr(fault, "mean \"") : NULL;
    if (!good) continue;
    good += strlen("mean \"");
    const char *end = strchr(good, '"');
    assert_non_null(end);
    assert_null(tr_target_fault(good, (size_t)(end - good), text, sizeof text));
  }
}

static void check_canonical(const char *text, const char *expected) {
  char out[TR_TARGET_MAX + 1];
  memset(out, 'x', sizeof out);
  tr_target_canonical(text, strlen(text), out);
  assert_string_equal(out, expected);
}

static void test_canonical(void **state) {
  (void)state;
  check_canonical("Example.COM.", "example.com");
  check_canonical("a", "a");
  check_canonical(".", "");
  check_canonical("", "");
  check_canonical("1.1.1.1", "1.1.1.1");
  check_canonical("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
  check_canonical("0:0:0:0:0:0:0:0", "::");
  check_canonical("::FFFF:102:304", "::ffff:1.2.3.4");
  check_canonical("\xC3\x84", "\xC3\x84");
  char text[TR_TARGET_MAX + 10], out[TR_TARGET_MAX + 1];
  memset(text, 'A', sizeof text);
  tr_target_canonical(text, sizeof text, out);
  assert_int_equal(strlen(out), TR_TARGET_MAX);
  assert_int_equal(out[TR_TARGET_MAX - 1], 'a');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses), cmocka_unit_test(test_names),
      cmocka_unit_test(test_lengths),   cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_hints),     cmocka_unit_test(test_room),
      cmocka_unit_test(test_canonical),
  };
  return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
