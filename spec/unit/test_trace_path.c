/* Unit tests of what a trace makes of its answers: the nodes of a hop and their numbers. */
#include "by_hand.h"

/* The API's published numbers. */
static void test_deviation(void **state) {
  (void)state;
  static const double rtts[] = {0.014e-3, 0.015e-3, 0.034e-3};
  struct tr_trace_options options = usual;
  options.max_ttl = 1;
  struct tr_trace *t = fresh(&options, 1);
  for (int i = 0; i < 3; i++)
    answer(t, next(t, START + i).token, TR_ANSWER_REACHED, 0xc6336400, rtts[i], START + i);
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_non_null(result);
  assert_true(tr_trace_is_done(t));
  assert_int_equal(result->hops, 1);
  const struct tr_trace_node *node = result->hop[0].node;
  assert_int_equal(node->count, 3);
  assert_true(fabs(node->deviation * 1e3 - 0.011269427669584647) < 1e-17);
  assert_true(fabs(node->mean * 1e3 - 0.021) < 1e-17);
  assert_true(node->min == rtts[0] && node->max == rtts[2]);
  assert_near(result->seconds, 2);
  tr_trace_free(t); /* the result outlives it */
  assert_int_equal(result->hop[0].sent, 3);
  tr_trace_result_free(result);
  tr_trace_result_free(NULL);
  tr_trace_free(NULL);
}

/* A large mean takes no digits from a small deviation. */
static void test_deviation_of_large(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.max_ttl = 1;
  options.packets_per_ttl = 2;
  options.wait_time = 2000;
  struct tr_trace *t = fresh(&options, 1);
  answer(t, next(t, START).token, TR_ANSWER_REACHED, 1, 1000, START);
  answer(t, next(t, START).token, TR_ANSWER_REACHED, 1, 1000 + 0x1p-30, START);
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_true(fabs(result->hop[0].node[0].deviation / 0x1p-30 - sqrt(0.5)) < 1e-12);
  tr_trace_result_free(result);
  tr_trace_free(t);
}

/* What took longer than the wait time is lost, whatever it says. */
static void test_late(void **state) {
  static const enum tr_answer answers[] = {TR_ANSWER_REACHED, TR_ANSWER_EXPIRED,
                                           TR_ANSWER_NO_ROUTE};
  (void)state;
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    struct tr_trace_options options = usual;
    options.max_ttl = 1;
    options.packets_per_ttl = 2;
    struct tr_trace *t = fresh(&options, 1);
    answer(t, next(t, START).token, answers[i], 1, options.wait_time + 0.01, START + 0.5);
    answer(t, next(t, START + 0.5).token, answers[i], 1, options.wait_time, START + 1);
    struct tr_trace_result *result = tr_trace_finished(t);
    assert_int_equal(result->hop[0].sent, 2);
    assert_int_equal(result->hop[0].lost, 1);
    assert_int_equal(result->hop[0].node[0].count, 1);
    assert_near(result->hop[0].node[0].max, options.wait_time);
    tr_trace_result_free(result);
    tr_trace_free(t);
  }
}

/* Who says that there is no route is a node of its own, also beside itself. */
static void test_no_route_beside(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.max_ttl = 1;
  struct tr_trace *t = fresh(&options, 1);
  answer(t, next(t, START).token, TR_ANSWER_EXPIRED, 1, 0.01, START);
  answer(t, next(t, START).token, TR_ANSWER_NO_ROUTE, 1, 0, START);
  answer(t, next(t, START).token, TR_ANSWER_NO_ROUTE, 0, 0, START);
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_int_equal(result->hop[0].nodes, 3);
  assert_int_equal(result->hop[0].lost, 0);
  for (unsigned i = 0; i < 3; i++) {
    const struct tr_trace_node *node = &result->hop[0].node[i];
    assert_int_equal(node->count, 1);
    assert_int_equal(node->is_no_route, i > 0);
    assert_int_equal(node->address.family, i < 2 ? AF_INET : 0);
    assert_near(node->mean, i == 0 ? 0.01 : 0);
  }
  tr_trace_result_free(result);
  tr_trace_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deviation),
      cmocka_unit_test(test_deviation_of_large),
      cmocka_unit_test(test_late),
      cmocka_unit_test(test_no_route_beside),
  };
  return cmocka_run_group_tests_name("trace_path", tests, NULL, NULL);
}
