/* Unit tests of a trace's probes in flight: how many, their tokens and ports, and answers to none. */
#include "by_hand.h"

static void test_in_flight(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.in_flight = 3;
  struct tr_trace *t = fresh(&options, 50);
  uint32_t token = next(t, START).token;
  (void)next(t, START);
  (void)next(t, START);
  assert_near(no_next(t, START), 0.05);
  assert_near(no_next(t, START + 0.4), 1.6); /* then the grace is over */
  assert_int_equal(count(t).in_flight, 3);
  assert_int_equal(count(t).targets, 3);
  answer(t, token, TR_ANSWER_SILENT, 0, 0, START + 1);
  (void)next(t, START + 1);
  assert_int_equal(count(t).lost, 1);
  (void)next(t, START + 2); /* the others are taken for lost */
  assert_int_equal(count(t).lost, 3);
  tr_trace_free(t);
}

static void test_unknown(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 1);
  uint32_t token = next(t, START).token;
  static const uint32_t strange[] = {0, 1, 99, 101, 0x7fffffff, 0x80000000, 0xffffffff};
  uint64_t unknown = 0;
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    if (strange[i] == token) continue;
    answer(t, strange[i], TR_ANSWER_REACHED, 1, 0, START);
    assert_int_equal(count(t).unknown, ++unknown);
  }
  answer(t, token, (enum tr_answer)(TR_ANSWER_REFUSED + 1), 1, 0, START);
  answer(t, token, (enum tr_answer) - 1, 1, 0, START);
  assert_int_equal(count(t).unknown, unknown + 2);
  answer(t, token, TR_ANSWER_EXPIRED, 1, 0, START);
  answer(t, token, TR_ANSWER_EXPIRED, 1, 0, START); /* a duplicate */
  assert_int_equal(count(t).unknown, unknown + 3);
  assert_int_equal(count(t).answered, 1);
  struct tr_probe late = next(t, START + 1);
  (void)next(t, START + 3.1);
  answer(t, late.token, TR_ANSWER_EXPIRED, 1, 0, START + 3.1); /* taken for lost before */
  assert_int_equal(count(t).unknown, unknown + 4);
  tr_trace_free(t);
}

/* One slot is used again and again, until its tokens begin anew. */
static void test_tokens_wrap(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.in_flight = TR_TRACE_IN_FLIGHT_MAX + 1; /* one is too many */
  struct tr_trace *t = fresh(&options, 1);
  uint32_t uses = INT32_MAX / TR_TRACE_IN_FLIGHT_MAX, first = 0, before = 0;
  for (uint32_t i = 0; i < 3 * uses; i++) {
    uint32_t token = next(t, START + i).token;
    if (i == 0) first = token;
    assert_in_range(token, 1, INT32_MAX);
    assert_int_equal(token, i % uses == 0 ? first : before + TR_TRACE_IN_FLIGHT_MAX);
    before = token;
    answer(t, token, TR_ANSWER_EXHAUSTED, 0, 0, START + i);
    assert_int_equal(count(t).exhausted, i + 1);
  }
  tr_trace_free(t);
}

static void test_local_ports(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.protocol = TR_PROTOCOL_UDP;
  options.in_flight = 1000;
  struct tr_trace *t = fresh(&options, 200);
  unsigned port[200] = {0}, apart = 0;
  struct tr_probe probe;
  double wait;
  while (tr_trace_next(t, START, &probe, &wait)) {
    unsigned id = ntohl(probe.to->ip.v4.s_addr) - 0xc6336400;
    if (port[id]) assert_int_equal(probe.local_port, port[id]);
    port[id] = probe.local_port;
    assert_in_range(probe.local_port, 1024, 32767);
    assert_int_equal(probe.port, 33434);
  }
  for (unsigned i = 1; i < 200; i++)
    apart += abs((int)port[i] - (int)port[i - 1]) > 1000;
  assert_int_equal(apart, 199);
  tr_trace_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_in_flight),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_tokens_wrap),
      cmocka_unit_test(test_local_ports),
  };
  return cmocka_run_group_tests_name("trace_flight", tests, NULL, NULL);
}
