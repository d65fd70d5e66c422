/* Unit tests of scan: every byte, at every place of runs that are shorter, as long and longer than what
** is looked at in one go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "scan.h"

#define LONGEST 50

typedef const char *(*scan_fn)(const char *at, const char *end);

static int ends_string(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

static int ends_scalar(unsigned char c) {
  return c <= 0x20 || c >= 0x7f || strchr("\",:[]{}", c) != NULL;
}

/* In a block of its own, so that a read behind it shows. */
static void check_run(scan_fn scan, int (*ends)(unsigned char c), size_t length, size_t place,
                      unsigned char byte) {
  char *run = malloc(length);
  assert_non_null(run);
  memset(run, 'a', length);
  run[place] = (char)byte;
  const char *found = scan(run, run + length), *expected = run + (ends(byte) ? place : length);
  if (found != expected)
    fail_msg("byte 0x%02x at %zu of %zu: %td", byte, place, length, found - run);
  free(run);
}

static void check_all(scan_fn scan, int (*ends)(unsigned char c)) {
  for (size_t length = 1; length <= LONGEST; length++)
    for (size_t place = 0; place < length; place++)
      for (unsigned byte = 0; byte < 256; byte++)
        check_run(scan, ends, length, place, (unsigned char)byte);
}

static void test_strings(void **state) {
  (void)state;
  check_all(tr_scan_string, ends_string);
}

static void test_scalars(void **state) {
  (void)state;
  check_all(tr_scan_scalar, ends_scalar);
}

static void test_the_first_of_several(void **state) {
  const char text[] = "0123456789abcdef,0123456789\"abcdef,", *end = text + sizeof text - 1;
  (void)state;
  assert_ptr_equal(tr_scan_string(text, end), text + 27);
  assert_ptr_equal(tr_scan_scalar(text, end), text + 16);
  assert_ptr_equal(tr_scan_scalar(text + 17, end), text + 27);
  assert_ptr_equal(tr_scan_scalar(text, text), text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings), cmocka_unit_test(test_scalars),
                                     cmocka_unit_test(test_the_first_of_several)};
  return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
