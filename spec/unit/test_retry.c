/* Unit tests of retry: tables of questions and of header values. All sums here are exact in
** binary, or are compared with the same sum. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "retry.h"

/* A try that is worth another: a 503, the first of three tries, all the time of the world. */
static const struct tr_retry_question plain = {
    .outcome = TR_OUTCOME_ANSWER,
    .status = 503,
    .tries = 1,
    .retries = 2,
    .should_retry = -1,
    .retry_after = -1,
    .remaining = 1000,
};

static void check(const struct tr_retry_question *q, double expected, const char *what) {
  double pause = tr_retry_pause(q);
  if (expected < 0 ? !(pause < 0) : !(pause >= expected && pause <= expected))
    fail_msg("%s: %.17g instead of %.17g", what, pause, expected);
}

#define CHECK(expected, ...)                                                                       \
  do {                                                                                             \
    struct tr_retry_question q = plain;                                                            \
    __VA_ARGS__;                                                                                   \
    check(&q, expected, #__VA_ARGS__);                                                             \
  } while (0)

static void test_statuses(void **state) {
  (void)state;
  for (int status = 0; status < 700; status++) {
    int again = status == 408 || status == 409 || status == 429 || status >= 500;
    CHECK(again ? 0.5 : -1, q.status = status);
    CHECK(0.5, q.status = status, q.should_retry = 1);
    CHECK(-1, q.status = status, q.should_retry = 0);
    CHECK(-1, q.status = status, q.should_retry = 1, q.answered_well = 1);
    CHECK(-1, q.status = status, q.answered_well = 1);
  }
}

static void test_outcomes(void **state) {
  (void)state;
  CHECK(0.5, q.outcome = TR_OUTCOME_CONNECTION, q.status = 0);
  CHECK(0.5, q.outcome = TR_OUTCOME_CONNECTION, q.status = 200, q.should_retry = 0);
  CHECK(-1, q.outcome = TR_OUTCOME_CONNECTION, q.retries = 0);
  CHECK(-1, q.outcome = TR_OUTCOME_TIMEOUT);
  CHECK(-1, q.outcome = TR_OUTCOME_TIMEOUT, q.should_retry = 1);
  CHECK(0.5, q.outcome = TR_OUTCOME_TIMEOUT, q.retry_timeouts = 1);
  CHECK(0.5, q.outcome = TR_OUTCOME_TIMEOUT, q.retry_timeouts = 1, q.should_retry = 0);
  CHECK(-1, q.outcome = TR_OUTCOME_TIMEOUT, q.retry_timeouts = 1, q.retries = 0);
  CHECK(-1, q.outcome = TR_OUTCOME_REFUSED);
  CHECK(-1, q.outcome = TR_OUTCOME_REFUSED, q.should_retry = 1, q.retry_after = 1);
  CHECK(-1, q.outcome = (enum tr_outcome)17);
}

static void test_number_of_tries(void **state) {
  (void)state;
  CHECK(-1, q.retries = 0);
  CHECK(-1, q.retries = -1);
  CHECK(0.5, q.retries = 1);
  CHECK(-1, q.retries = 1, q.tries = 2);
  CHECK(1, q.tries = 2);
  CHECK(-1, q.tries = 3);
  CHECK(-1, q.tries = 3, q.should_retry = 1, q.retry_after = 0);
}

static void test_backoff(void **state) {
  (void)state;
  static const double pauses[] = {0.5, 1, 2, 4, 8, 8, 8, 8};
  for (int i = 0; i < 8; i++) {
    CHECK(pauses[i], q.retries = 100, q.tries = i + 1);
    CHECK(pauses[i] * 0.875, q.retries = 100, q.tries = i + 1, q.random = 0.5);
    CHECK(pauses[i] * 0.8125, q.retries = 100, q.tries = i + 1, q.random = 0.75);
  }
  CHECK(8, q.retries = 2147483647, q.tries = 2147483647);
  CHECK(0.5, q.tries = 0);
  CHECK(0.5, q.tries = -5);
  CHECK(0.5, q.random = (double)NAN);
  CHECK(0.5, q.random = 1);
  CHECK(0.5, q.random = -3);
  CHECK(0.5, q.random = (double)INFINITY);
}

static void test_retry_after(void **state) {
  (void)state;
  CHECK(0, q.retry_after = 0);
  CHECK(0.25, q.retry_after = 0.25, q.random = 0.5);
  CHECK(300, q.retry_after = 300);
  CHECK(999.5, q.retry_after = 999.5);
  CHECK(-1, q.retry_after = 1000);
  CHECK(-1, q.retry_after = 1e9);
  CHECK(1e8, q.retry_after = 1e8, q.remaining = 1e9);
  CHECK(7, q.status = 429, q.retry_after = 7);
  CHECK(-1, q.status = 404, q.retry_after = 7);
  CHECK(7, q.status = 404, q.retry_after = 7, q.should_retry = 1);
  CHECK(0.5, q.retry_after = (double)NAN);
  CHECK(-1, q.retry_after = (double)INFINITY);
  CHECK(-1, q.retry_after = (double)INFINITY, q.remaining = (double)INFINITY);
}

static void test_remaining(void **state) {
  (void)state;
  CHECK(0.5, q.remaining = 0.501);
  CHECK(-1, q.remaining = 0.5);
  CHECK(-1, q.remaining = 0);
  CHECK(-1, q.remaining = -1);
  CHECK(-1, q.remaining = 0, q.retry_after = 0);
  CHECK(0, q.remaining = 0.001, q.retry_after = 0);
  CHECK(-1, q.remaining = (double)NAN);
  CHECK(-1, q.remaining = (double)NAN, q.retry_after = 0);
  CHECK(0.5, q.remaining = (double)INFINITY);
}

static const struct {
  const char *value;
  double scale, seconds;
} values[] = {
    {"120", 1, 120},
    {"0", 1, 0},
    {"007", 1, 7},
    {"1.5", 1, 1.5},
    {"0.25", 1, 0.25},
    {"  12\t", 1, 12},
    {"12\r\n", 1, 12},
    {"1.50000000000000000000000000000000000000001", 1, 1.5},
    {"1000000000", 1, 1e9},
    {"1000000001", 1, -1},
    {"1500", 0.001, 1500 * 0.001},
    {"2000000000", 0.001, 2000000000 * 0.001},
    {"250", 0.5, 125},
    {"", 1, -1},
    {" ", 1, -1},
    {".", 1, -1},
    {".5", 1, -1},
    {"5.", 1, -1},
    {"1.5.5", 1, -1},
    {"1,5", 1, -1},
    {"-1", 1, -1},
    {"+1", 1, -1},
    {"1e3", 1, -1},
    {"0x10", 1, -1},
    {"inf", 1, -1},
    {"nan", 1, -1},
    {"12 s", 1, -1},
    {"1 2", 1, -1},
    {"12s", 1, -1},
    {"Wed, 21 Oct 2015 07:28:00 GMT", 1, -1},
    {"12", -1, -1},
    {NULL, 1, -1},
};

static void test_seconds(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    double seconds = tr_retry_seconds(values[i].value, values[i].scale), wanted = values[i].seconds;
    if (wanted < 0 ? !(seconds < 0) : !(seconds >= wanted && seconds <= wanted))
      fail_msg("%s: %.17g", values[i].value ? values[i].value : "NULL", seconds);
  }
  char digits[2001];
  for (int i = 0; i < 2000; i++)
    digits[i] = '9';
  digits[2000] = '\0';
  assert_true(tr_retry_seconds(digits, 1) < 0);
  digits[1] = '.';
  assert_true(tr_retry_seconds(digits, 1) > 9.99 && tr_retry_seconds(digits, 1) <= 10);
  assert_true(tr_retry_seconds("12", (double)NAN) < 0);
  assert_true(tr_retry_seconds("12", (double)INFINITY) < 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_statuses),        cmocka_unit_test(test_outcomes),
      cmocka_unit_test(test_number_of_tries), cmocka_unit_test(test_backoff),
      cmocka_unit_test(test_retry_after),     cmocka_unit_test(test_remaining),
      cmocka_unit_test(test_seconds),
  };
  return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
