/* The cache by a clock of the test's: times, bounds, order, and without memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "blocks.h"
#include "cache.h"

static void assert_has(struct tr_cache *cache, const char *key, double now, const char *expected) {
  const char *value = tr_cache_get(cache, key, now);
  if (!expected) {
    assert_null(value);
    return;
  }
  assert_non_null(value);
  assert_string_equal(value, expected);
}

static void put(struct tr_cache *cache, const char *key, const char *value, double until) {
  tr_cache_put(cache, key, value, strlen(value) + 1, until);
}

static void test_each_until_its_time(void **state) {
  (void)state;
  struct tr_cache *cache = tr_cache_new(10);
  put(cache, "a", "one", 5);
  put(cache, "b", "two", 7);
  assert_has(cache, "a", 4.999, "one");
  assert_has(cache, "a", 5, NULL);
  assert_has(cache, "a", 0, NULL); /* dropped, not hidden */
  assert_has(cache, "b", 6.9, "two");
  assert_has(cache, "c", 0, NULL);
  assert_int_equal(tr_cache_count(cache), 1);
  tr_cache_free(cache);
}

static void test_put_replaces(void **state) {
  (void)state;
  struct tr_cache *cache = tr_cache_new(2);
  put(cache, "a", "one", 5);
  put(cache, "b", "two", 5);
  put(cache, "a", "three, which is longer", 9);
  assert_int_equal(tr_cache_count(cache), 2);
  assert_has(cache, "a", 8, "three, which is longer");
  put(cache, "c", "four", 9); /* b is the oldest now */
  assert_has(cache, "b", 0, NULL);
  assert_has(cache, "a", 8, "three, which is longer");
  tr_cache_free(cache);
}

static void test_any_may_be_dropped(void **state) {
  (void)state;
  static const char *const names[] = {"a", "b", "c"};
  for (size_t dropped = 0; dropped < 3; dropped++) {
    struct tr_cache *cache = tr_cache_new(3);
    for (size_t i = 0; i < 3; i++)
      put(cache, names[i], "value", i == dropped ? 5 : 9);
    assert_has(cache, names[dropped], 6, NULL);
    assert_int_equal(tr_cache_count(cache), 2);
    put(cache, "d", "value", 9);
    put(cache, "e", "value", 9); /* the older of the two goes */
    assert_has(cache, names[dropped == 0 ? 1 : 0], 6, NULL);
    assert_has(cache, names[dropped == 2 ? 1 : 2], 6, "value");
    tr_cache_free(cache);
  }
}

static void test_the_oldest_go_first(void **state) {
  (void)state;
  struct tr_cache *cache = tr_cache_new(4096);
  char key[32];
  for (int i = 0; i < 10000; i++) {
    snprintf(key, sizeof key, "key %d", i);
    put(cache, key, key, 1);
    assert_true(tr_cache_count(cache) <= 4096);
  }
  for (int i = 0; i < 10000; i++) {
    snprintf(key, sizeof key, "key %d", i);
    assert_has(cache, key, 0, i < 10000 - 4096 ? NULL : key);
  }
  tr_cache_free(cache);
}

static void test_values_are_aligned(void **state) {
  (void)state;
  struct tr_cache *cache = tr_cache_new(3);
  long double number = 1.5L;
  tr_cache_put(cache, "x", &number, sizeof number, 1);
  put(cache, "y", "odd", 1);
  const void *value = tr_cache_get(cache, "x", 0);
  assert_memory_equal(value, &number, sizeof(double));
  assert_int_equal((size_t)value % sizeof(void *), 0);
  tr_cache_free(cache);
  tr_cache_free(NULL);
}

static void test_without_memory_it_forgets(void **state) {
  (void)state;
  for (long fail = 1; fail <= 4; fail++) {
    blocks_begin(fail, fail);
    struct tr_cache *cache = tr_cache_new(2);
    if (cache) {
      put(cache, "a", "one", 5);
      put(cache, "b", "two", 5);
      put(cache, "a", "three", 5);
      assert_has(cache, "a", 0, fail == 4 ? NULL : "three");
      assert_has(cache, "b", 0, fail == 3 ? NULL : "two");
    } else {
      assert_int_equal(fail, 1);
    }
    tr_cache_free(cache);
    assert_int_equal(blocks_used, 0);
    blocks_end();
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_until_its_time), cmocka_unit_test(test_put_replaces),
      cmocka_unit_test(test_any_may_be_dropped),  cmocka_unit_test(test_the_oldest_go_first),
      cmocka_unit_test(test_values_are_aligned),  cmocka_unit_test(test_without_memory_it_forgets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
