/* Unit tests of number: each double is strtod's to the bit, for all lengths and places of the point, where a quotient
** lies in the middle of two doubles, and where it nearly does; and what is no JSON number is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "number.h"

static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

static void check(const char *text) {
  double number = 7, expected = strtod(text, NULL);
  const char *behind = tr_number_read(text, 0, &number);
  if (behind != text + strlen(text) || bits_of(number) != bits_of(expected))
    fail_msg("%s: %.17g for %.17g, %td bytes", text, number, expected, behind ? behind - text : -1);
}

static uint64_t next(uint64_t *state) {
  *state = *state * 6364136223846793005U + 1442695040888963407U;
  return *state;
}

/* `value` with its point `fraction` digits from the end. */
static void check_scaled(uint64_t value, int fraction) {
  char digits[32], text[64];
  snprintf(digits, sizeof digits, "%0*llu", fraction + 1, (unsigned long long)value);
  int whole = (int)strlen(digits) - fraction;
  snprintf(text, sizeof text, "%.*s%s%s", whole, digits, fraction ? "." : "", digits + whole);
  check(text);
}

static void test_any_digits(void **state) {
  uint64_t random = 1;
  (void)state;
  for (int bits = 1; bits <= 64; bits++)
    for (int fraction = 0; fraction <= 22; fraction++)
      for (int i = 0; i < 200; i++)
        check_scaled(next(&random) >> (64 - bits), fraction);
}

/* Between two doubles, and one to either side. */
static void test_the_middle(void **state) {
  uint64_t random = 1;
  (void)state;
  for (int shift = 1; shift <= 10; shift++) {
    for (int i = 0; i < 2000; i++) {
      uint64_t mantissa = next(&random) >> 11 | (uint64_t)1 << 52;
      uint64_t middle = (mantissa << shift) + ((uint64_t)1 << (shift - 1));
      for (int fraction = 0; fraction <= 3; fraction++) {
        uint64_t power = fraction == 0 ? 1 : fraction == 1 ? 10 : fraction == 2 ? 100 : 1000;
        if (middle > UINT64_MAX / power) break;
        check_scaled(middle * power, fraction);
        check_scaled(middle * power + 1, fraction);
        check_scaled(middle * power - 1, fraction);
      }
    }
  }
}

static void test_spellings(void **state) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "0.0",
                                      "-0.000",
                                      "1",
                                      "-1",
                                      "0.5",
                                      "-0.5",
                                      "0.1",
                                      "0.30000000000000004",
                                      "1e2",
                                      "1E-2",
                                      "1e+2",
                                      "1.5e300",
                                      "123456789012345",
                                      "1234567890123456",
                                      "9007199254740993",
                                      "9223372036854775807",
                                      "9999999999999999999",
                                      "10000000000000000000",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "0.011269427669584647",
                                      "0.0005773502691896258",
                                      "0.00000000000000000000000000000001",
                                      "0.9999999999999999999",
                                      "9.999999999999999999",
                                      "1.7976931348623157e308",
                                      "4.9e-324",
                                      "2.2250738585072011e-308",
                                      "1.1102230246251565e-16",
                                      "0.0000000000000000000",
                                      "-1234567.8901234567"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    check(texts[i]);
}

static void test_what_is_none(void **state) {
  static const char *const texts[] = {"",
                                      "-",
                                      ".5",
                                      "+1",
                                      "01",
                                      "-01",
                                      "00",
                                      "1.",
                                      "1.e5",
                                      "1e",
                                      "1e+",
                                      "1E-",
                                      "x",
                                      "--1",
                                      "Infinity",
                                      "NaN",
                                      "1e400",
                                      "-1e400",
                                      "1.0000000000000000000000000000000000000000000000000001"};
  double number;
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (tr_number_read(texts[i], 0, &number)) fail_msg("%s was taken", texts[i]);
}

static void test_where_it_ends(void **state) {
  static const struct {
    const char *text;
    int length;
  } cases[] = {{"1,", 1},   {"12.5}", 4}, {"0x10", 1}, {"1.5 ", 3}, {"0.1234567890123456789]", 21},
               {"1e5e", 3}, {"1.2.3", 3}, {"5-", 1}};
  double number;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_ptr_equal(tr_number_read(cases[i].text, 0, &number), cases[i].text + cases[i].length);
}

static void test_integers(void **state) {
  double number;
  (void)state;
  assert_non_null(tr_number_read("123456789012345,", 1, &number));
  assert_true(number == 123456789012345.0);
  assert_non_null(tr_number_read("-7", 1, &number));
  assert_true(number == -7);
  assert_null(tr_number_read("1234567890123456", 1, &number));
  assert_null(tr_number_read("1.0", 1, &number));
  assert_null(tr_number_read("1e1", 1, &number));
  assert_null(tr_number_read("01", 1, &number));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_digits),    cmocka_unit_test(test_the_middle),
      cmocka_unit_test(test_spellings),     cmocka_unit_test(test_what_is_none),
      cmocka_unit_test(test_where_it_ends), cmocka_unit_test(test_integers),
  };
  tr_number_prepare();
  return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
