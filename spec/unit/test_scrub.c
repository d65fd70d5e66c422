/* scrub: blocks behave as libc's do, whichever of the two made them. That they are cleared is for
** secrets_spec.lua, which looks from outside: here, reading them afterwards would be a fault. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scrub.h"

static void blocks_keep_what_they_hold(void **state) {
  (void)state;
  char *block = tr_scrub_realloc(NULL, 1);
  assert_non_null(block);
  block[0] = 'a';
  for (size_t size = 2; size < 100000; size = size * 3 / 2 + 1) {
    block = tr_scrub_realloc(block, size);
    assert_non_null(block);
    assert_int_equal(block[0], 'a');
    memset(block, 'a', size);
  }
  for (size_t size = 90000; size > 0; size /= 3) {
    block = tr_scrub_realloc(block, size);
    assert_non_null(block);
    for (size_t i = 0; i < size; i++)
      assert_int_equal(block[i], 'a');
  }
  tr_scrub_free(block);
}

static void fresh_blocks_are_libcs(void **state) {
  (void)state;
  unsigned char *zeroed = tr_scrub_calloc(7, 9);
  assert_non_null(zeroed);
  for (size_t i = 0; i < 63; i++)
    assert_int_equal(zeroed[i], 0);
  tr_scrub_free(zeroed);
  char *copy = tr_scrub_strdup("text");
  assert_string_equal(copy, "text");
  tr_scrub_free(copy);
  tr_scrub_free(NULL);
}

static void libcs_blocks_are_taken_over(void **state) {
  (void)state;
  tr_scrub_free(malloc(100));
  char *block = strdup("from libc");
  block = tr_scrub_realloc(block, 5000);
  assert_non_null(block);
  assert_string_equal(block, "from libc");
  free(block);
  free(tr_scrub_malloc(100));
}

/* Around the size from which pages are given back, and at every distance from where one begins. */
static void neighbours_of_large_blocks_stay(void **state) {
  (void)state;
  for (size_t size = 131000; size < 150000; size += 37) {
    char *before = malloc(100 + size % 512), *block = tr_scrub_malloc(size), *after = malloc(300);
    assert_true(before && block && after);
    memset(before, 'b', 100);
    memset(block, 'x', size);
    memset(after, 'a', 300);
    errno = EDOM;
    tr_scrub_free(block);
    assert_int_equal(errno, EDOM);
    for (size_t i = 0; i < 100; i++)
      assert_int_equal(before[i], 'b');
    for (size_t i = 0; i < 300; i++)
      assert_int_equal(after[i], 'a');
    free(before);
    free(after);
  }
}

static void no_memory_leaves_the_block(void **state) {
  (void)state;
  char *block = tr_scrub_strdup("kept");
  assert_null(tr_scrub_realloc(block, SIZE_MAX / 2));
  assert_string_equal(block, "kept");
  tr_scrub_free(block);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_keep_what_they_hold),
      cmocka_unit_test(fresh_blocks_are_libcs),
      cmocka_unit_test(libcs_blocks_are_taken_over),
      cmocka_unit_test(neighbours_of_large_blocks_stay),
      cmocka_unit_test(no_memory_leaves_the_block),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
