/* Unit tests of timers: they fire in order and once, and what they call may set and stop any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "timers.h"

#define TIMERS 4

static struct tr_timers timers;
static struct tr_timer timer[TIMERS];
static char names[TIMERS] = {'a', 'b', 'c', 'd'}, fired[64];
static size_t count;

static void note(void *arg) {
  assert_true(count + 1 < sizeof fired);
  fired[count++] = *(char *)arg;
}

static int begin(void **state) {
  (void)state;
  memset(&timers, 0, sizeof timers);
  memset(timer, 0, sizeof timer);
  memset(fired, 0, sizeof fired);
  count = 0;
  for (int i = 0; i < TIMERS; i++) {
    timer[i].fire = note;
    timer[i].arg = &names[i];
  }
  return 0;
}

/* All that is left goes off, in the order expected. */
static void assert_left(const char *expected) {
  assert_int_equal(tr_timers_fire(&timers, 1e9), *expected != '\0');
  assert_string_equal(fired, expected);
  assert_true(tr_timers_due(&timers) == -1);
  assert_int_equal(tr_timers_fire(&timers, 1e9), 0);
}

static void test_order(void **state) {
  (void)state;
  assert_true(tr_timers_due(&timers) == -1);
  tr_timers_set(&timers, &timer[0], 3);
  tr_timers_set(&timers, &timer[1], 1);
  tr_timers_set(&timers, &timer[2], 2);
  tr_timers_set(&timers, &timer[3], 1); /* after the one that was there */
  assert_true(tr_timers_due(&timers) == 1);
  assert_int_equal(tr_timers_fire(&timers, 0.5), 0);
  assert_int_equal(tr_timers_fire(&timers, 2), 1);
  assert_string_equal(fired, "bdc");
  assert_true(tr_timers_due(&timers) == 3);
  assert_left("bdca");
}

static void test_moved(void **state) {
  (void)state;
  for (int i = 0; i < TIMERS; i++)
    tr_timers_set(&timers, &timer[i], i);
  tr_timers_set(&timers, &timer[0], 2.5);
  tr_timers_set(&timers, &timer[3], 0);
  assert_true(tr_timers_due(&timers) == 0);
  assert_left("dbca");
}

/* From either end, from the middle, and when it does not run. */
static void test_stopped(void **state) {
  (void)state;
  static const char *const left[TIMERS] = {"bcd", "acd", "abd", "abc"};
  for (int stopped = 0; stopped < TIMERS; stopped++) {
    begin(NULL);
    for (int i = 0; i < TIMERS; i++)
      tr_timers_set(&timers, &timer[i], 1);
    tr_timer_stop(&timer[stopped]);
    tr_timer_stop(&timer[stopped]);
    assert_null(timer[stopped].timers);
    assert_left(left[stopped]);
  }
}

/* Stops the next, and sets itself again, which is due at once. */
static void note_and_change(void *arg) {
  note(arg);
  tr_timer_stop(&timer[1]);
  if (count < 3) tr_timers_set(&timers, &timer[0], 0);
}

static void test_changed_while_firing(void **state) {
  (void)state;
  timer[0].fire = note_and_change;
  tr_timers_set(&timers, &timer[0], 1);
  tr_timers_set(&timers, &timer[1], 1);
  tr_timers_set(&timers, &timer[2], 1);
  assert_left("aaac");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_order, begin),
      cmocka_unit_test_setup(test_moved, begin),
      cmocka_unit_test_setup(test_stopped, begin),
      cmocka_unit_test_setup(test_changed_while_firing, begin),
  };
  return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
