/* Names of addresses, and answers whose bytes are hostile: cut anywhere, changed anywhere, with
** pointers that go round. Each answer lies in memory of just its size, for sanitizers and valgrind
** to see. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "dns.h"

#define HEADER_1 "\0\1\x81\x80\0\1\0\1\0\0\0\0" /* one question, one record */
#define QUESTION_PTR                                                                               \
  "\1"                                                                                             \
  "1\7in-addr\4arpa\0\0\x0c\0\1"                  /* 1.in-addr.arpa, at 12 */
#define RECORD_PTR "\xc0\x0c\0\x0c\0\1\0\0\0\x3c" /* of the question's name, 60 s */
#define QUESTION_TXT "\1o\0\0\x10\0\1"
#define RECORD_TXT "\xc0\x0c\0\x10\0\1\0\0\0\x3c"
#define BYTES(text) text, sizeof(text) - 1

static struct tr_address address_of(const char *text) {
  struct tr_address address;
  memset(&address, 0, sizeof address);
  address.family = strchr(text, ':') ? AF_INET6 : AF_INET;
  assert_int_equal(inet_pton(address.family, text, &address.ip), 1);
  return address;
}

/* NULL: no name. */
static void assert_pointer(const char *bytes, size_t length, const char *expected, unsigned ttl) {
  unsigned char *copy = malloc(length);
  assert_non_null(copy);
  memcpy(copy, bytes, length);
  char name[TR_DNS_NAME_MAX];
  unsigned found = 0;
  assert_int_equal(tr_dns_pointer(copy, length, name, &found), expected != NULL);
  free(copy);
  if (!expected) return;
  assert_string_equal(name, expected);
  assert_int_equal(found, ttl);
}

/* An answer of one TXT record for each text, whose strings are of 255 bytes but for the last. */
static size_t txt_answer(unsigned char *out, const char *const *texts, unsigned count) {
  size_t at = 12;
  memcpy(out, HEADER_1, 12);
  out[7] = (unsigned char)count;
  memcpy(out + at, BYTES(QUESTION_TXT));
  at += sizeof(QUESTION_TXT) - 1;
  for (unsigned i = 0; i < count; i++) {
    size_t left = strlen(texts[i]), size = left + left / 255 + 1;
    memcpy(out + at, BYTES(RECORD_TXT));
    at += sizeof(RECORD_TXT) - 1;
    out[at++] = (unsigned char)(size >> 8);
    out[at++] = (unsigned char)size;
    for (const char *from = texts[i];; from += 255, left -= 255) {
      size_t part = left < 255 ? left : 255;
      out[at++] = (unsigned char)part;
      memcpy(out + at, from, part);
      at += part;
      if (left < 255) break;
    }
  }
  return at;
}

static void assert_origins(const char *const *texts, unsigned count, const char *expected) {
  unsigned char answer[4096];
  char text[TR_DNS_ASN_MAX];
  unsigned ttl;
  size_t length = txt_answer(answer, texts, count);
  assert_int_equal(tr_dns_origins(answer, length, text, &ttl), expected != NULL);
  if (!expected) return;
  assert_string_equal(text, expected);
  assert_int_equal(ttl, 60);
}

static void assert_origin(const char *text, const char *expected) {
  assert_origins(&text, 1, expected);
}

static void test_names(void **state) {
  (void)state;
  static const char *const good[] = {"a", "a.", "a.b", "A-1_b.c.", "127.0.0.1", "xn--caf-dma.test"};
  static const char *const bad[] = {"",    ".",   "..",   "a..b", ".a", "a b",
                                    "a\n", "a/b", "\x80", "a%b",  "a:b"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(tr_dns_is_name(good[i]));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(tr_dns_is_name(bad[i]));
  char name[300];
  memset(name, 'a', sizeof name);
  for (size_t i = 63; i < sizeof name; i += 64)
    name[i] = '.';
  name[253] = '\0';
  assert_true(tr_dns_is_name(name)); /* 253 bytes */
  name[253] = '.';
  name[254] = '\0';
  assert_true(tr_dns_is_name(name)); /* and a final dot */
  name[253] = 'a';
  assert_false(tr_dns_is_name(name));
  memset(name, 'a', 64);
  name[63] = '\0';
  assert_true(tr_dns_is_name(name));
  name[63] = 'a';
  name[64] = '\0';
  assert_false(tr_dns_is_name(name));
}

static void test_reversed(void **state) {
  (void)state;
  char out[TR_DNS_NAME_MAX];
  struct tr_address four = address_of("1.2.30.255"), six = address_of("2001:db8::a5");
  assert_int_equal(tr_dns_reversed(&four, "in-addr.arpa", out, sizeof out), 0);
  assert_string_equal(out, "255.30.2.1.in-addr.arpa");
  assert_int_equal(tr_dns_reversed(&six, "z", out, sizeof out), 0);
  assert_string_equal(out, "5.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z");
  assert_int_equal(tr_dns_reversed(&six, "z", out, 66), 0);
  assert_int_equal(tr_dns_reversed(&six, "z", out, 65), -1);
}

static void test_pointer(void **state) {
  (void)state;
  assert_pointer(BYTES(HEADER_1 QUESTION_PTR RECORD_PTR "\0\x08\1a\4test\0"), "a.test", 60);
  /* ends in a pointer to the question's "arpa" */
  assert_pointer(BYTES(HEADER_1 QUESTION_PTR RECORD_PTR "\0\4\1a\xc0\x16"), "a.arpa", 60);
  /* an alias of 30 s before it */
  assert_pointer(BYTES("\0\1\x81\x80\0\1\0\2\0\0\0\0" QUESTION_PTR
                       "\xc0\x0c\0\5\0\1\0\0\0\x1e\0\2\xc0\x0c" RECORD_PTR "\0\3\1a\0"),
                 "a", 30);
  /* a TTL with its highest bit is 0; another class is nothing */
  assert_pointer(BYTES(HEADER_1 QUESTION_PTR "\xc0\x0c\0\x0c\0\1\x80\0\0\x3c\0\3\1a\0"), "a", 0);
  assert_pointer(BYTES(HEADER_1 QUESTION_PTR "\xc0\x0c\0\x0c\0\3\0\0\0\x3c\0\3\1a\0"), NULL, 0);
}

static void test_hostile_pointer(void **state) {
  (void)state;
#define REFUSES(data) assert_pointer(BYTES(HEADER_1 QUESTION_PTR RECORD_PTR data), NULL, 0)
  REFUSES("\0\3\1\0\0");       /* NUL */
  REFUSES("\0\3\1 \0");        /* space */
  REFUSES("\0\3\1.\0");        /* a dot within a label */
  REFUSES("\0\4\2\x1b[\0");    /* escape */
  REFUSES("\0\4\2\xc3\xa9\0"); /* UTF-8 */
  REFUSES("\0\1\0");           /* the root */
  REFUSES("\0\2\xc0\x2b");     /* to itself */
  REFUSES("\0\2\xc0\xff");     /* ahead */
  REFUSES("\0\4\1a\xc0\x2b");  /* round and round */
  REFUSES("\0\3\x41"
          "a\0"); /* a label type that is none */
  REFUSES("\0\3\x3f"
          "a\0");           /* a label beyond the record */
  REFUSES("\0\2\1a");       /* without an end */
  REFUSES("\0\1\xc0");      /* half a pointer */
  REFUSES("\0\0");          /* nothing */
  REFUSES("\xff\xff\1a\0"); /* data beyond the answer */
#undef REFUSES
  assert_pointer(BYTES(HEADER_1), NULL, 0);
  assert_pointer(BYTES("\0\1\x81\x80\xff\xff\xff\xff\0\0\0\0"), NULL, 0);
  assert_pointer(BYTES("\0"), NULL, 0);
}

/* 255 bytes on the wire are 253 of text; one more label is too long. */
static void test_long_pointer(void **state) {
  (void)state;
  char bytes[512], *at = bytes;
  memcpy(at, BYTES(HEADER_1 QUESTION_PTR RECORD_PTR "\0\xff"));
  at += sizeof(HEADER_1 QUESTION_PTR RECORD_PTR "\0\xff") - 1;
  char *data = at;
  for (int i = 0; i < 127; i++) {
    *at++ = 1;
    *at++ = 'a';
  }
  *at++ = '\0';
  char expected[254];
  for (int i = 0; i < 253; i++)
    expected[i] = i % 2 ? '.' : 'a';
  expected[253] = '\0';
  assert_pointer(bytes, (size_t)(at - bytes), expected, 60);
  data[-1] = 1;
  data[-2] = 1; /* 257 bytes of data */
  at[-1] = 1;
  *at++ = 'a';
  *at++ = '\0';
  assert_pointer(bytes, (size_t)(at - bytes), NULL, 0);
}

static void test_origins(void **state) {
  (void)state;
  assert_origin("13335 | 1.1.1.0/24 | US | arin | 2010-07-14", "AS13335");
  assert_origin("13335|1.1.1.0/24", "AS13335");
  assert_origin("  7  5   6 | ::/0 |", "AS5 AS6 AS7");
  assert_origin("5 5 5 | 2001:db8::/128 |", "AS5");
  assert_origin("4294967295 | 1.0.0.0/8", "AS4294967295");
  const char *several[] = {"1 | 1.0.0.0/8", "3 2 | 1.1.1.0/24", "9 | 1.1.0.0/16", "4 | 1.1.1.0/24"};
  assert_origins(several, 4, "AS2 AS3 AS4");
  const char *mixed[] = {"junk", "8 | 1.0.0.0/8", "x | 1.1.1.0/24"};
  assert_origins(mixed, 3, "AS8");
  assert_origin("4294967291 4294967292 4294967293 4294967294 4294967295 | 1.0.0.0/8",
                "AS4294967291 AS4294967292 AS4294967293 AS4294967294");
}

static void test_hostile_origins(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "|",
                                    "| 1.0.0.0/8",
                                    "1",
                                    "1 | 1.0.0.0",
                                    "1 | | /8",
                                    "1 | 1.0.0.0/129",
                                    "1 | 1.0.0.0/x",
                                    "0 | 1.0.0.0/8",
                                    "-1 | 1.0.0.0/8",
                                    "4294967296 | 1.0.0.0/8",
                                    "99999999999999999999999999 | 1.0.0.0/8",
                                    "1x | 1.0.0.0/8",
                                    "1\t2 | 1.0.0.0/8",
                                    "\x1b[31m1 | 1.0.0.0/8",
                                    "NA | 1.0.0.0/8"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_origin(bad[i], NULL);
  char text[2001];
  memset(text, '1', 2000);
  text[2000] = '\0';
  assert_origin(text, NULL);
  memset(text, ' ', 2000);
  assert_origin(text, NULL);
  memcpy(text, BYTES("6 | 1.0.0.0/8"));
  assert_origin(text, "AS6");
}

/* Cut at each length, and with each byte changed to what hurts: whatever is said, it is well
** formed. */
static void assert_well_formed(const unsigned char *bytes, size_t length) {
  unsigned char *copy = malloc(length > 0 ? length : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, length);
  char name[TR_DNS_NAME_MAX], text[TR_DNS_ASN_MAX];
  unsigned ttl;
  if (tr_dns_pointer(copy, length, name, &ttl)) assert_true(tr_dns_is_name(name));
  if (tr_dns_origins(copy, length, text, &ttl))
    assert_int_equal(strspn(text, "AS0123456789 "), strlen(text));
  free(copy);
}

static void test_any_bytes(void **state) {
  (void)state;
  static const unsigned char values[] = {0,    1,    0x0c, 0x3f, 0x40, 0x7f,
                                         0x80, 0xc0, 0xff, ' ',  '|',  '/'};
  unsigned char answer[512];
  static const char *const texts[] = {"1 2 | 1.1.1.0/24 | US", "3 | 1.1.0.0/16"};
  size_t length = txt_answer(answer, texts, 2);
  memcpy(answer + length, BYTES(RECORD_PTR "\0\4\1a\xc0\x0c"));
  length += sizeof(RECORD_PTR "\0\4\1a\xc0\x0c") - 1;
  answer[7] = 3;
  for (size_t cut = 0; cut <= length; cut++)
    assert_well_formed(answer, cut);
  for (size_t at = 0; at < length; at++) {
    unsigned char before = answer[at];
    for (size_t i = 0; i < sizeof values; i++) {
      answer[at] = values[i];
      assert_well_formed(answer, length);
    }
    answer[at] = before;
  }
  uint32_t seed = 1;
  for (int round = 0; round < 20000; round++) {
    unsigned char random[512];
    memcpy(random, answer, length);
    for (int i = 0; i < 6; i++) {
      seed = seed * 1664525u + 1013904223u;
      random[(seed >> 8) % length] = (unsigned char)(seed >> 24);
    }
    assert_well_formed(random, length);
  }
}

static void test_servers(void **state) {
  (void)state;
  static const char *const good[] = {"192.0.2.1",
                                     "192.0.2.1:53",
                                     "2001:db8::1",
                                     "[2001:db8::1]",
                                     "[2001:db8::1]:65535",
                                     "::1",
                                     "::",
                                     "[::ffff:192.0.2.1]:1",
                                     "192.0.2.1,[2001:db8::1]:53,::1,192.0.2.2:5353"};
  static const char *const bad[] = {"",
                                    ",",
                                    "192.0.2.1,",
                                    ",192.0.2.1",
                                    "192.0.2.1,,192.0.2.2",
                                    "name.example",
                                    "192.0.2",
                                    "192.0.2.256",
                                    "192.0.2.1:",
                                    "192.0.2.1:0",
                                    "192.0.2.1:65536",
                                    "192.0.2.1:000053",
                                    "192.0.2.1:5x",
                                    "192.0.2.1:+5",
                                    " 192.0.2.1",
                                    "192.0.2.1 ",
                                    "192.0.2.1 192.0.2.2",
                                    "[192.0.2.1]",
                                    "[192.0.2.1]:53",
                                    "[2001:db8::1",
                                    "[2001:db8::1]53",
                                    "[2001:db8::1]:",
                                    "[]",
                                    "[]:53",
                                    "2001:db8::1]:53",
                                    "2001:db8:::1",
                                    "[fe80::1%lo]",
                                    "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:53"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (!tr_dns_are_servers(good[i])) fail_msg("%s is refused", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (tr_dns_are_servers(bad[i])) fail_msg("%s is taken", bad[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_servers),         cmocka_unit_test(test_names),
      cmocka_unit_test(test_reversed),        cmocka_unit_test(test_pointer),
      cmocka_unit_test(test_hostile_pointer), cmocka_unit_test(test_long_pointer),
      cmocka_unit_test(test_origins),         cmocka_unit_test(test_hostile_origins),
      cmocka_unit_test(test_any_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
