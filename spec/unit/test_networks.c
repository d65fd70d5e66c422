/* Networks and rules: what is public, what a rule permits, and the edges of prefixes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "alloc.h"
#include "networks.h"

static struct tr_address address_of(const char *text) {
  struct tr_address address;
  memset(&address, 0, sizeof address);
  address.family = strchr(text, ':') ? AF_INET6 : AF_INET;
  assert_int_equal(inet_pton(address.family, text, &address.ip), 1);
  return address;
}

static int has(const char *network, const char *address) {
  struct tr_network n;
  struct tr_address a = address_of(address);
  assert_int_equal(tr_network_read(&n, network), 0);
  return tr_network_has(&n, &a);
}

static void test_reads_networks(void **state) {
  static const char *const wrong[] = {
      "",         "/",      "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",   "10.0.0.0/8 ",
      "10.0.0/8", "::/129", "::1/0x10",  "name",        "10.0.0.0/0008", "fe80::1%lo/64"};
  struct tr_network n;
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(tr_network_read(&n, wrong[i]), -1);
  char text[200];
  memset(text, '1', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_int_equal(tr_network_read(&n, text), -1);
}

static void test_knows_the_edges(void **state) {
  (void)state;
  assert_true(has("10.0.0.0/8", "10.255.255.255"));
  assert_false(has("10.0.0.0/8", "11.0.0.0"));
  assert_true(has("172.16.0.0/12", "172.31.255.255"));
  assert_false(has("172.16.0.0/12", "172.32.0.0"));
  assert_true(has("192.0.2.1", "192.0.2.1"));
  assert_false(has("192.0.2.1", "192.0.2.0"));
  assert_true(has("0.0.0.0/0", "255.255.255.255"));
  assert_true(has("10.1.2.3/8", "10.9.9.9"));
  assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
  assert_false(has("2001:db8::/33", "2001:db8:8000::"));
}

static void test_keeps_families_apart(void **state) {
  (void)state;
  assert_false(has("::/0", "192.0.2.1"));
  assert_false(has("::/0", "::ffff:192.0.2.1"));
  assert_false(has("0.0.0.0/0", "::"));
  assert_true(has("192.0.2.0/24", "::ffff:192.0.2.1"));
  assert_true(has("::ffff:192.0.2.0/120", "192.0.2.1"));
  assert_false(has("::ffff:192.0.2.0/120", "192.0.3.1"));
}

static void test_knows_what_is_public(void **state) {
  static const char *const special[] = {
      "0.0.0.0",         "10.0.0.1",     "100.64.0.1",  "127.0.0.1",       "169.254.169.254",
      "172.16.0.1",      "192.0.0.1",    "192.0.2.1",   "192.88.99.1",     "192.168.0.1",
      "198.19.0.1",      "198.51.100.1", "203.0.113.1", "224.0.0.1",       "240.0.0.1",
      "255.255.255.255", "::",           "::1",         "::ffff:10.0.0.1", "::127.0.0.1",
      "64:ff9b::7f00:1", "100::1",       "2001::1",     "2001:db8::1",     "2002:7f00:1::",
      "3fff::1",         "fc00::1",      "fd00::1",     "fe80::1",         "fec0::1",
      "ff02::1"};
  static const char *const public[] = {"1.1.1.1",         "100.128.0.0",          "172.32.0.1",
                                       "192.0.1.1",       "198.20.0.1",           "223.255.255.255",
                                       "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8"};
  (void)state;
  for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
    struct tr_address a = address_of(special[i]);
    if (tr_address_is_public(&a)) fail_msg("%s is public", special[i]);
  }
  for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
    struct tr_address a = address_of(public[i]);
    if (!tr_address_is_public(&a)) fail_msg("%s is not public", public[i]);
  }
}

static void test_rules(void **state) {
  struct tr_network allow, deny;
  struct tr_rule rule;
  struct tr_address inside = address_of("10.1.0.1"), denied = address_of("10.2.0.1");
  struct tr_address other = address_of("192.168.0.1"), far = address_of("1.1.1.1");
  (void)state;
  memset(&rule, 0, sizeof rule);
  assert_true(tr_rule_permits(&rule, &inside));
  rule.public_only = 1;
  assert_false(tr_rule_permits(&rule, &inside));
  assert_true(tr_rule_permits(&rule, &far));
  assert_int_equal(tr_network_read(&allow, "10.0.0.0/8"), 0);
  assert_int_equal(tr_network_read(&deny, "10.2.0.0/16"), 0);
  rule.allow = &allow;
  rule.deny = &deny;
  rule.allowed = rule.denied = 1;
  assert_true(tr_rule_permits(&rule, &inside));
  assert_false(tr_rule_permits(&rule, &denied));
  assert_false(tr_rule_permits(&rule, &other));
  assert_true(tr_rule_permits(&rule, &far));
  rule.public_only = 0;
  assert_true(tr_rule_permits(&rule, &other));
  assert_false(tr_rule_permits(&rule, &denied));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_networks),
      cmocka_unit_test(test_knows_the_edges),
      cmocka_unit_test(test_keeps_families_apart),
      cmocka_unit_test(test_knows_what_is_public),
      cmocka_unit_test(test_rules),
  };
  return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
