/* Unit tests of error: messages and excerpts stay one printable line of whole characters
** whatever goes into them, secrets are overwritten, and every status has its kind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "error.h"

static void test_clear(void **state) {
  (void)state;
  struct tr_error e;
  memset(&e, 'x', sizeof e);
  tr_error_clear(&e);
  assert_int_equal(e.kind, TR_NONE);
  assert_int_equal(e.status, 0);
  assert_int_equal(e.attempts, 0);
  assert_true(e.retry_after < 0);
  assert_string_equal(e.ray, "");
  assert_string_equal(e.path, "");
  assert_string_equal(e.message, "");
}

static void check_message(const char *text, const char *expected) {
  struct tr_error e;
  tr_error_clear(&e);
  tr_error_set(&e, TR_API, "%s", text);
  assert_string_equal(e.message, expected);
}

static void test_set(void **state) {
  (void)state;
  struct tr_error e;
  tr_error_clear(&e);
  e.status = 418;
  strcpy(e.path, "max_ttl");
  tr_error_set(&e, TR_INVALID_REQUEST, "%s is %d", "max_ttl", 65);
  assert_int_equal(e.kind, TR_INVALID_REQUEST);
  assert_string_equal(e.message, "max_ttl is 65");
  assert_int_equal(e.status, 418);
  assert_string_equal(e.path, "max_ttl");
  tr_error_set(&e, TR_SERVER, "%s, again: %s", e.message, e.path);
  assert_string_equal(e.message, "max_ttl is 65, again: max_ttl");
  check_message("", "");
  check_message("a\nb\r\tc  d", "a b  c  d");
  check_message("a\x01\x1B[31m\x7F", "a??[31m?");
  check_message("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
                "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  check_message("\xC2\x80\xC2\x9F\xC2\xA0", "??\xC2\xA0");      /* C1; no-break space */
  check_message("\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA6", "???"); /* line separator, turns */
  check_message("\x80\xFF\xC0\xAF\xE2\x82", "??????");          /* not UTF-8 */
  check_message("\xED\xA0\x80\xF4\x90\x80\x80\xE0\x80\x80",
                "??????????");                                   /* surrogate, beyond, long */
  check_message("\xC3(\xE2\x82(\xF0\x9F\x98", "\?(\?\?(\?\?\?"); /* no trigraphs */
}

/* Nothing is cut within a character, whichever byte of it meets the bound. */
static void test_set_bound(void **state) {
  (void)state;
  static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  char text[2000];
  for (size_t c = 0; c < 4; c++) {
    size_t size = c + 1;
    for (size_t before = TR_MESSAGE_MAX - 10; before < TR_MESSAGE_MAX + 3; before++) {
      struct tr_error e;
      size_t length = before;
      memset(text, 'a', before);
      for (int i = 0; i < 10; i++, length += size)
        memcpy(text + length, characters[c], size);
      text[length] = '\0';
      tr_error_set(&e, TR_API, "%s", text);
      size_t kept = strlen(e.message);
      assert_true(kept < TR_MESSAGE_MAX && kept >= TR_MESSAGE_MAX - 5);
      assert_memory_equal(e.message, text, kept);
      if (kept > before) assert_int_equal((kept - before) % size, 0);
      assert_null(strchr(e.message, '?'));
    }
  }
  memset(text, 'a', sizeof text);
  text[TR_MESSAGE_MAX - 1] = '\0';
  check_message(text, text); /* what just fits is whole */
  memset(text, 0x80, sizeof text);
  text[sizeof text - 1] = '\0';
  check_message(text, ""); /* nothing but the rest of a character */
}

static void test_kind_names(void **state) {
  (void)state;
  static const char *const names[] = {
      "none", "invalid_request", "authentication", "permission", "not_found",        "rate_limit",
      "api",  "server",          "connection",     "timeout",    "invalid_response", "cancelled"};
  assert_int_equal(TR_KINDS, sizeof names / sizeof *names);
  for (int kind = 0; kind < TR_KINDS; kind++)
    assert_string_equal(tr_kind_name((enum tr_kind)kind), names[kind]);
  assert_string_equal(tr_kind_name(TR_KINDS), "none");
  assert_string_equal(tr_kind_name((enum tr_kind) - 1), "none");
}

static void test_kinds_of_statuses(void **state) {
  (void)state;
  static const struct {
    int from, to;
    enum tr_kind kind;
  } rows[] = {
      {-1, 199, TR_INVALID_RESPONSE},
      {200, 299, TR_API},
      {300, 399, TR_INVALID_RESPONSE},
      {400, 400, TR_INVALID_REQUEST},
      {401, 401, TR_AUTHENTICATION},
      {402, 402, TR_API},
      {403, 403, TR_PERMISSION},
      {404, 404, TR_NOT_FOUND},
      {405, 406, TR_INVALID_REQUEST},
      {407, 407, TR_API},
      {408, 408, TR_TIMEOUT},
      {409, 409, TR_INVALID_REQUEST},
      {410, 410, TR_API},
      {411, 411, TR_INVALID_REQUEST},
      {412, 412, TR_API},
      {413, 415, TR_INVALID_REQUEST},
      {416, 421, TR_API},
      {422, 422, TR_INVALID_REQUEST},
      {423, 428, TR_API},
      {429, 429, TR_RATE_LIMIT},
      {430, 499, TR_API},
      {500, 999, TR_SERVER},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int status = rows[i].from; status <= rows[i].to; status++)
      if (tr_kind_of_status(status) != rows[i].kind)
        fail_msg("%d: %s", status, tr_kind_name(tr_kind_of_status(status)));
}

static void check_redact(const char *text, const char *secret, const char *expected) {
  char *copy = strdup(text);
  assert_non_null(copy);
  tr_redact(copy, strlen(copy), secret);
  assert_string_equal(copy, expected);
  free(copy);
}

static void test_redact(void **state) {
  (void)state;
  check_redact("Bearer s3cret!", "s3cret", "Bearer ******!");
  check_redact("abcd abcd abc", "abcd", "**** **** abc");
  check_redact("begins abcd", "abcdef", "begins ****"); /* cut off by the end */
  check_redact("abcdabcd", "abcd", "********");
  check_redact("xabababy", "abab", "x******y"); /* overlapping */
  check_redact("aaaaaa", "aaaa", "******");
  check_redact("aaabcd", "abcd", "aa****");
  check_redact("abcd", "abcd", "****");
  check_redact("abc", "abcd", "abc");
  check_redact("abc abc", "abc", "abc abc"); /* too short for a secret */
  check_redact("anything", "", "anything");
  check_redact("anything", NULL, "anything");
  check_redact("", "abcd", "");
  tr_redact(NULL, 0, "abcd");
  char bytes[] = "a\0secret\0secr";
  tr_redact(bytes, sizeof bytes - 1, "secret");
  assert_memory_equal(bytes, "a\0******\0****", sizeof bytes);
}

static void check_excerpt(const char *bytes, size_t length, size_t size, const char *expected) {
  char *block = malloc(length ? length : 1), *out = malloc(size + 1);
  assert_true(block && out);
  memcpy(block, bytes, length);
  out[size] = 'x';
  tr_excerpt(out, size, block, length);
  assert_int_equal(out[size], 'x');
  if (size > 0) assert_string_equal(out, expected);
  free(block);
  free(out);
}

#define EXCERPT(bytes, size, expected) check_excerpt((bytes), sizeof(bytes) - 1, size, expected)

static void test_excerpt(void **state) {
  (void)state;
  EXCERPT("", 10, "");
  EXCERPT("plain", 10, "plain");
  EXCERPT("  a \t\r\n b  ", 10, "a b");
  EXCERPT("a\0b\x1B\x7F", 10, "a?b??");
  EXCERPT("\xC3\xA9\xFF\xC3", 10, "\xC3\xA9??");
  EXCERPT("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502</h1></body>", 100,
          "502 Bad Gateway 502");
  EXCERPT("a<br/>b<!-- c -->d<?xml e?>f</p>", 100, "a b d f");
  EXCERPT("<A HREF=\"x\">y</A>", 100, "y");
  EXCERPT("a < b > c <3 <", 100, "a < b > c <3 <");
  EXCERPT("x <unclosed", 100, "x <unclosed");
  EXCERPT("<\0>", 100, "<?>");
  EXCERPT("abcdef", 4, "abc");
  EXCERPT("abc def", 5, "abc");
  EXCERPT("abc def", 6, "abc d");
  EXCERPT("abc ", 4, "abc");
  EXCERPT("ab\xE2\x82\xAC", 5, "ab");
  EXCERPT("ab\xE2\x82\xAC", 6, "ab\xE2\x82\xAC");
  EXCERPT("abc", 1, "");
  EXCERPT("abc", 0, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clear),
      cmocka_unit_test(test_set),
      cmocka_unit_test(test_set_bound),
      cmocka_unit_test(test_kind_names),
      cmocka_unit_test(test_kinds_of_statuses),
      cmocka_unit_test(test_redact),
      cmocka_unit_test(test_excerpt),
  };
  return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
