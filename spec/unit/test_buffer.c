/* Unit tests of the buffer: bounds, the NUL after the last byte, ownership, and failing
** allocations. */
#include "blocks.h"

#include "buffer.h"

static int put(struct tr_buffer *b, const char *text) {
  return tr_buffer_append(b, text, strlen(text));
}

static void test_grows(void **state) {
  (void)state;
  struct tr_buffer b;
  blocks_begin(0, 0);
  tr_buffer_init(&b, 100000);
  assert_null(b.data);
  for (size_t i = 0; i < 5000; i++) {
    char byte = (char)('a' + i % 26);
    assert_int_equal(tr_buffer_append(&b, &byte, 1), TR_BUFFER_OK);
    assert_int_equal(b.length, i + 1);
    assert_int_equal(b.data[i], byte);
    assert_int_equal(b.data[i + 1], 0);
    assert_true(b.capacity > b.length);
  }
  for (size_t i = 0; i < 5000; i++)
    assert_int_equal(b.data[i], 'a' + i % 26);
  tr_buffer_cleanup(&b);
  assert_null(b.data);
  assert_int_equal(put(&b, "again"), TR_BUFFER_OK);
  assert_string_equal(b.data, "again");
  tr_buffer_cleanup(&b);
  assert_false(blocks_end());
}

static void test_bounds(void **state) {
  (void)state;
  struct tr_buffer b;
  tr_buffer_init(&b, 5);
  assert_int_equal(tr_buffer_append(&b, "123456", 6), TR_BUFFER_FULL);
  assert_int_equal(put(&b, "123"), TR_BUFFER_OK);
  assert_int_equal(put(&b, "456"), TR_BUFFER_FULL);
  assert_string_equal(b.data, "123"); /* all, or none */
  assert_int_equal(b.length, 3);
  assert_int_equal(put(&b, "45"), TR_BUFFER_OK);
  assert_int_equal(put(&b, ""), TR_BUFFER_OK);
  assert_int_equal(put(&b, "6"), TR_BUFFER_FULL);
  assert_int_equal(tr_buffer_append(&b, "", (size_t)-1), TR_BUFFER_FULL);
  assert_string_equal(b.data, "12345");
  tr_buffer_cleanup(&b);
  tr_buffer_init(&b, (size_t)-1); /* a size that wraps around is never asked for */
  assert_int_equal(put(&b, "x"), TR_BUFFER_OK);
  assert_string_equal(b.data, "x");
  tr_buffer_cleanup(&b);
}

static void test_clear_and_take(void **state) {
  (void)state;
  struct tr_buffer b;
  size_t length = 9;
  blocks_begin(0, 0);
  tr_buffer_init(&b, 100);
  assert_null(tr_buffer_take(&b, &length));
  assert_int_equal(length, 0);
  assert_int_equal(put(&b, "hello"), TR_BUFFER_OK);
  const char *before = b.data;
  tr_buffer_clear(&b);
  assert_int_equal(b.length, 0);
  assert_ptr_equal(b.data, before);
  assert_string_equal(b.data, "");
  assert_null(tr_buffer_take(&b, &length)); /* empty, whatever memory it had */
  assert_int_equal(length, 0);
  assert_int_equal(tr_buffer_append(&b, "a\0b", 3), TR_BUFFER_OK);
  char *taken = tr_buffer_take(&b, &length);
  assert_int_equal(length, 3);
  assert_memory_equal(taken, "a\0b", 4);
  assert_null(b.data);
  assert_int_equal(b.limit, 100);
  tr_free(taken);
  tr_buffer_clear(&b);
  tr_buffer_cleanup(&b);
  assert_false(blocks_end());
}

static void test_drop(void **state) {
  (void)state;
  struct tr_buffer b;
  blocks_begin(0, 0);
  tr_buffer_init(&b, 100);
  tr_buffer_drop(&b, 3); /* there is nothing */
  assert_int_equal(put(&b, "abcdef"), TR_BUFFER_OK);
  tr_buffer_drop(&b, 0);
  assert_string_equal(b.data, "abcdef");
  tr_buffer_drop(&b, 2);
  assert_string_equal(b.data, "cdef");
  assert_int_equal(b.length, 4);
  assert_int_equal(put(&b, "g"), TR_BUFFER_OK);
  assert_string_equal(b.data, "cdefg");
  tr_buffer_drop(&b, 99);
  assert_int_equal(b.length, 0);
  assert_string_equal(b.data, "");
  tr_buffer_cleanup(&b);
  assert_false(blocks_end());
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct tr_buffer b;
  blocks_begin(2, 2);
  tr_buffer_init(&b, 10000);
  assert_int_equal(put(&b, "kept"), TR_BUFFER_OK);
  char big[1000] = {0};
  assert_int_equal(tr_buffer_append(&b, big, sizeof big), TR_BUFFER_NOMEM);
  assert_int_equal(b.length, 4);
  assert_string_equal(b.data, "kept");
  assert_int_equal(tr_buffer_append(&b, big, sizeof big), TR_BUFFER_OK);
  assert_int_equal(b.length, 1004);
  tr_buffer_cleanup(&b);
  assert_true(blocks_end());
}

static void test_alloc(void **state) {
  (void)state;
  blocks_begin(3, 100);
  char *zeroes = tr_calloc(64);
  assert_non_null(zeroes);
  for (int i = 0; i < 64; i++)
    assert_int_equal(zeroes[i], 0);
  char *copy = tr_strdup("copy");
  assert_string_equal(copy, "copy");
  assert_null(tr_calloc(64));
  assert_null(tr_strdup("copy"));
  assert_null(tr_strdup(NULL));
  assert_null(tr_realloc(copy, 1000));
  assert_string_equal(copy, "copy");
  tr_free(copy);
  tr_free(zeroes);
  tr_free(NULL);
  assert_true(blocks_end());
  copy = tr_realloc(NULL, 3); /* libc's again */
  assert_non_null(copy);
  assert_null(tr_realloc(copy, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grows),          cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_clear_and_take), cmocka_unit_test(test_drop),
      cmocka_unit_test(test_out_of_memory),  cmocka_unit_test(test_alloc),
  };
  return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
