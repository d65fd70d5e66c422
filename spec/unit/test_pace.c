/* Unit tests of pace, under a clock of their own. The property: however requests come, no window
** ever holds more than its limit, and none waits longer than it must. */
#include "blocks.h"

#include <math.h>
#include <stdint.h>

#include "pace.h"

#define SENDS 6000

static void assert_near(double value, double expected) {
  if (!(value - expected < 1e-6 && expected - value < 1e-6))
    fail_msg("%.9f instead of %.9f", value, expected);
}

static double latest(double a, double b) {
  return a > b ? a : b;
}

static uint64_t seed;

/* 0 <= x < 1, the same row on every machine */
static double random_number(void) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(seed >> 40) / (double)(1 << 24);
}

/* Is any window of so many seconds, open at its end, holding more than `most` of the times? */
static int overrun(const double *times, int count, int most, double window) {
  for (int i = 0; i + most < count; i++)
    if (times[i + most] - times[i] < window - 1e-9) return 1;
  return 0;
}

/* Sends in bursts and lulls, each as soon as it may go out. */
static void check_schedule(int quota, double lull) {
  static double times[SENDS];
  struct tr_pace p;
  double now = 5000 * random_number();
  assert_int_equal(tr_pace_init(&p, quota), 0);
  for (int i = 0; i < SENDS; i++) {
    if (random_number() < 0.02) now += lull * random_number();
    if (random_number() < 0.5) now += 0.004 * random_number();
    double wait = tr_pace_wait(&p, now);
    assert_true(wait >= 0);
    double due = now;
    if (i >= quota) due = latest(due, times[i - quota] + TR_PACE_WINDOW);
    if (i >= TR_PACE_BURST && quota >= TR_PACE_BURST)
      due = latest(due, times[i - TR_PACE_BURST] + 1.0);
    assert_near(now + wait, due); /* no longer than it must */
    now += wait;
    tr_pace_sent(&p, now);
    times[i] = now;
  }
  assert_false(overrun(times, SENDS, quota, 300));
  assert_false(overrun(times, SENDS, TR_PACE_BURST, 1.0));
  tr_pace_cleanup(&p);
}

static void test_never_overrun(void **state) {
  (void)state;
  static const int quotas[] = {1, 2, 7, 199, 200, 201, 400, TR_PACE_QUOTA};
  static const double lulls[] = {0, 2, 40, 500};
  seed = 20240229;
  for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++)
    for (size_t k = 0; k < sizeof lulls / sizeof *lulls; k++)
      check_schedule(quotas[i], lulls[k]);
}

static void test_exact(void **state) {
  (void)state;
  struct tr_pace p;
  assert_int_equal(tr_pace_init(&p, 3), 0);
  assert_near(tr_pace_wait(&p, 0), 0);
  tr_pace_sent(&p, 10);
  tr_pace_sent(&p, 20);
  assert_near(tr_pace_wait(&p, 20), 0);
  tr_pace_sent(&p, 30);
  assert_near(tr_pace_wait(&p, 30), 281);
  assert_near(tr_pace_wait(&p, 310.5), 0.5);
  assert_near(tr_pace_wait(&p, 311), 0);
  tr_pace_sent(&p, 311);
  assert_near(tr_pace_wait(&p, 311), 10);
  tr_pace_cleanup(&p);
  assert_null(p.sent);
  tr_pace_cleanup(&p);
}

static void test_burst(void **state) {
  (void)state;
  struct tr_pace p;
  assert_int_equal(tr_pace_init(&p, TR_PACE_QUOTA), 0);
  for (int i = 0; i < TR_PACE_BURST; i++) {
    assert_near(tr_pace_wait(&p, 100), 0);
    tr_pace_sent(&p, 100);
  }
  assert_near(tr_pace_wait(&p, 100), 1);
  assert_near(tr_pace_wait(&p, 100.75), 0.25);
  assert_near(tr_pace_wait(&p, 101), 0);
  tr_pace_cleanup(&p);
}

static void test_no_quota(void **state) {
  (void)state;
  static const int quotas[] = {0, -1};
  for (int i = 0; i < 2; i++) {
    struct tr_pace p;
    blocks_begin(1, 1); /* needs no memory */
    assert_int_equal(tr_pace_init(&p, quotas[i]), 0);
    assert_false(blocks_end());
    for (int k = 0; k < 5000; k++)
      tr_pace_sent(&p, 1);
    assert_near(tr_pace_wait(&p, 1), 0);
    tr_pace_hold(&p, 1, 5);
    assert_near(tr_pace_wait(&p, 1), 5);
    tr_pace_cleanup(&p);
  }
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct tr_pace p;
  blocks_begin(1, 1);
  assert_int_equal(tr_pace_init(&p, TR_PACE_QUOTA), -1);
  assert_near(tr_pace_wait(&p, 1), 0);
  tr_pace_sent(&p, 1);
  tr_pace_cleanup(&p);
  assert_true(blocks_end());
}

static void test_hold(void **state) {
  (void)state;
  struct tr_pace p;
  assert_int_equal(tr_pace_init(&p, 1), 0);
  tr_pace_hold(&p, 100, 20);
  assert_near(tr_pace_wait(&p, 100), 20);
  tr_pace_hold(&p, 105, 1); /* a shorter one takes nothing back */
  assert_near(tr_pace_wait(&p, 105), 15);
  tr_pace_hold(&p, 105, -50);
  tr_pace_hold(&p, 105, (double)NAN);
  assert_near(tr_pace_wait(&p, 105), 15);
  tr_pace_hold(&p, 110, 300);
  assert_near(tr_pace_wait(&p, 110), 300);
  assert_near(tr_pace_wait(&p, 410), 0);
  tr_pace_sent(&p, 410);
  tr_pace_hold(&p, 410, 2); /* the longer of the two counts */
  assert_near(tr_pace_wait(&p, 410), 301);
  tr_pace_hold(&p, 2000, 1e9); /* no answer blocks for longer than the most */
  assert_near(tr_pace_wait(&p, 2000), TR_PACE_HOLD_MAX);
  tr_pace_cleanup(&p);
}

/* Header values, and the seconds that they hold back. */
static const struct {
  const char *value;
  double hold;
} headers[] = {
    {"\"default\";r=50;t=30", 0},
    {"\"default\";r=0;t=30", 30},
    {"\"default\";t=30;r=0", 30},
    {"default;r=0;t=30", 30},
    {" \"default\" ; r = 0 ;\tt = 30 ", 30},
    {"\"default\";pk=:YWJj:;r=0;w=5;t=30;x", 30},
    {"\"a\";r=0;t=10, \"b\";r=0;t=20", 20},
    {"\"a\";r=0;t=20,\"b\";r=0;t=10", 20},
    {"\"a\";r=0;t=20,\"b\";r=5;t=100", 20},
    {"\"a\";r=5;t=20,\"b\";t=100,\"c\";r=0", 0},
    {"\"a,b;r=1\\\";r=0;t=9,\";r=0;t=30", 30},
    {"\"a\\\\\";r=0;t=30", 30},
    {"\"a;r=0;t=30", 0},
    {"\"a\\\";r=0;t=30", 0},
    {"\"a\";n=\";r=0;t=9\";t=30", 0},
    {"\"a\";n=\"x,y\";r=0;t=30", 30},
    {"\"a\";r=0;t=600", 600},
    {"\"a\";r=0;t=601", 600},
    {"\"a\";r=0;t=99999999999999999999999999", 600},
    {"\"a\";r=99999999999999999999999999;t=30", 0},
    {"\"a\";r=18446744073709551616;t=30", 0},
    {"\"a\";r=000;t=0030", 30},
    {"\"a\";r=0;t=0", 0},
    {"\"a\";r=0;t=-30", 0},
    {"\"a\";r=-0;t=30", 0},
    {"\"a\";r=-1;t=30", 0},
    {"\"a\";r=;t=30", 0},
    {"\"a\";r;t=30", 0},
    {"\"a\";r=0;t", 0},
    {"\"a\";r=0", 0},
    {"\"a\";r=0;t=3x", 0},
    {"\"a\";r=0;t=3 0", 0},
    {"\"a\";r=0;t=\"30\"", 0},
    {"\"a\";r=0;t=1.5", 0},
    {"\"a\";r=0;t=30;t=x", 0},
    {"\"a\";r=1;r=0;t=30", 30},
    {"\"a\";rr=0;t=30", 0},
    {"\"a\";R=0;t=30", 0},
    {"r=0, t=30", 0},
    {"", 0},
    {",,;;,;=", 0},
    {";", 0},
    {"\"", 0},
    {"\"\\", 0},
    {",;;\"a\";r=0;t=30", 30},
    {NULL, 0},
};

static void test_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    struct tr_pace p;
    char *value = headers[i].value ? strdup(headers[i].value) : NULL; /* bounds are watched */
    assert_int_equal(tr_pace_init(&p, 0), 0);
    tr_pace_read(&p, value, 1000);
    double hold = tr_pace_wait(&p, 1000);
    assert_near(hold, headers[i].hold);
    tr_pace_cleanup(&p);
    free(value);
  }
}

/* Any bytes may stand in a header: nothing is read beyond its end, and no hold is longer than 600
** s. */
static void test_read_hostile(void **state) {
  (void)state;
  static const char bytes[] = "\"\\;;,,==rrtt0019 -\tax";
  seed = 7;
  for (int i = 0; i < 20000; i++) {
    struct tr_pace p;
    size_t length = (size_t)(30 * random_number());
    char *value = malloc(length + 1);
    assert_non_null(value);
    for (size_t k = 0; k < length; k++)
      value[k] = bytes[(size_t)((double)(sizeof bytes - 1) * random_number())];
    value[length] = '\0';
    assert_int_equal(tr_pace_init(&p, 0), 0);
    tr_pace_read(&p, value, 0);
    assert_true(tr_pace_wait(&p, 0) <= 600);
    free(value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_never_overrun), cmocka_unit_test(test_exact),
      cmocka_unit_test(test_burst),         cmocka_unit_test(test_no_quota),
      cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_hold),
      cmocka_unit_test(test_read),          cmocka_unit_test(test_read_hostile),
  };
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
