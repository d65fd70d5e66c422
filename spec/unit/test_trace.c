/* Unit tests of trace, driven by hand: when which probe goes out, and what ends a target. Whole
** traces are run in test_trace_network.c; the numbers are test_trace_path.c's, the tokens
** test_trace_flight.c's, refusals test_trace_refused.c's. */
#include "by_hand.h"

/* When a lone target's probes go out. */
static void test_schedule(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 1);
  uint32_t token[5];
  for (unsigned ttl = 1; ttl <= 4; ttl++) {
    struct tr_probe probe = next(t, START);
    assert_int_equal(probe.ttl, ttl);
    assert_int_equal(probe.port, 0);
    assert_int_equal(probe.local_port, 0);
    token[ttl] = probe.token;
  }
  assert_near(no_next(t, START), 0.05);
  answer(t, token[1], TR_ANSWER_EXPIRED, 1, 0.01, START + 0.01);
  assert_int_equal(next(t, START + 0.01).ttl, 1); /* the second packet follows the answer */
  assert_int_equal(next(t, START + 0.01).ttl, 5); /* and the window goes on */
  assert_near(no_next(t, START + 0.01), 0.04);
  assert_int_equal(next(t, START + 0.05).ttl, 2); /* the second packet to the next sure one */
  assert_near(no_next(t, START + 0.05), 0.01);
  assert_int_equal(next(t, START + 0.06).ttl, 1); /* the third, 50 ms after the second */
  assert_near(no_next(t, START + 0.06), 0.04);
  answer(t, token[4], TR_ANSWER_REACHED, 4, 0.02, START + 0.07);
  assert_near(no_next(t, START + 0.07), 0.03); /* nothing beyond; TTL 3 is not sure yet */
  tr_trace_free(t);
}

static void test_rate(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.rate = 1000; /* 5 at once */
  struct tr_trace *t = fresh(&options, 50);
  for (int i = 0; i < 5; i++)
    (void)next(t, START);
  assert_near(no_next(t, START), 0.001);
  assert_near(no_next(t, START + 0.0004), 0.0006);
  (void)next(t, START + 0.001);
  assert_near(no_next(t, START + 0.001), 0.001);
  for (int i = 0; i < 3; i++)
    (void)next(t, START + 0.004);
  assert_near(no_next(t, START + 0.004), 0.001);
  for (int i = 0; i < 5; i++) /* an idle hour saves up no more than a burst */
    (void)next(t, START + 0.03);
  assert_near(no_next(t, START + 0.03), 0.001);
  tr_trace_free(t);
}

/* Where the burst comes to less than a packet they go out one by one. */
static void test_slow_rate(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.rate = 100;
  struct tr_trace *t = fresh(&options, 50);
  (void)next(t, START);
  assert_near(no_next(t, START), 0.01);
  (void)next(t, START + 0.01);
  assert_near(no_next(t, START + 0.01), 0.01);
  (void)next(t, START + 0.3);
  assert_near(no_next(t, START + 0.3), 0.01);
  tr_trace_free(t);
}

static void test_exhausted(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 1);
  uint32_t first = next(t, START).token, second = next(t, START).token;
  answer(t, second, TR_ANSWER_EXHAUSTED, 0, 0, START);
  assert_int_equal(count(t).sent, 1);
  assert_int_equal(count(t).exhausted, 1);
  assert_near(no_next(t, START + 0.005), 0.045); /* one is all it takes, as far as is known */
  answer(t, first, TR_ANSWER_EXPIRED, 1, 0.01, START + 0.01);
  assert_int_equal(next(t, START + 0.01).ttl, 2); /* the same again, at once */
  uint32_t third = next(t, START + 0.01).token;   /* one more than before */
  answer(t, third, TR_ANSWER_EXHAUSTED, 0, 0, START + 0.01);
  (void)no_next(t, START + 0.02);
  tr_trace_free(t);
  t = fresh(&usual, 1); /* nothing of ours is out: then time has to pass */
  answer(t, next(t, START).token, TR_ANSWER_EXHAUSTED, 0, 0, START);
  assert_near(no_next(t, START + 0.005), 0.015);
  assert_int_equal(next(t, START + 0.02).ttl, 1);
  tr_trace_free(t);
}

static void test_unsendable(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 1);
  uint32_t first = next(t, START).token, second = next(t, START).token;
  uint32_t third = next(t, START).token;
  answer(t, first, TR_ANSWER_EXPIRED, 1, 0.01, START + 0.25);
  answer(t, third, TR_ANSWER_UNSENDABLE, 0, 0, START + 0.5);
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_non_null(result);
  assert_true(tr_trace_is_done(t));
  assert_true(result->was_aborted);
  assert_false(result->is_reached);
  assert_int_equal(result->hops, 1);
  assert_int_equal(result->hop[0].sent, 1);
  assert_near(result->seconds, 0.5);
  assert_int_equal(count(t).in_flight, 1);
  answer(t, second, TR_ANSWER_EXPIRED, 2, 0.02, START + 0.5); /* whose target has ended */
  assert_int_equal(count(t).in_flight, 0);
  assert_int_equal(count(t).sent, 2);
  assert_int_equal(count(t).answered, 2);
  assert_true(isinf(no_next(t, START + 1)));
  tr_trace_result_free(result);
  tr_trace_free(t);
}

static void test_abort(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.in_flight = 2;
  struct tr_trace *t = fresh(&options, 300);
  uint32_t first = next(t, START).token, second = next(t, START).token;
  answer(t, first, TR_ANSWER_EXPIRED, 1, 0.01, START + 0.01);
  (void)next(t, START + 0.01);
  tr_trace_abort(t, START + 0.02);
  tr_trace_abort(t, START + 0.02);
  assert_int_equal(count(t).in_flight, 0);
  assert_int_equal(count(t).sent, 1);
  answer(t, second, TR_ANSWER_EXPIRED, 1, 0.01, START + 0.03);
  assert_int_equal(count(t).unknown, 1);
  struct tr_address a = v4(7);
  assert_int_equal(tr_trace_add(t, &a, 300), 0);
  assert_near(no_next(t, START + 1), 0.1);
  unsigned hops = 0;
  for (unsigned i = 0; i <= 300; i++) {
    struct tr_trace_result *result = tr_trace_finished(t);
    assert_non_null(result);
    assert_true(result->was_aborted);
    hops += result->hops;
    tr_trace_result_free(result);
    assert_int_equal(tr_trace_is_done(t), i == 300);
  }
  assert_null(tr_trace_finished(t));
  assert_true(isinf(no_next(t, START + 1)));
  assert_int_equal(hops, 1);
  tr_trace_free(t);
}

/* Targets that have something sure to send take turns. */
static void test_turns(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 4);
  uint32_t token[4];
  for (unsigned i = 0; i < 4; i++) {
    struct tr_probe probe = next(t, START);
    assert_int_equal(probe.ttl, 1);
    assert_int_equal(ntohl(probe.to->ip.v4.s_addr), 0xc6336400 + i);
    token[i] = probe.token;
  }
  for (unsigned i = 0; i < 4; i++)
    answer(t, token[3 - i], TR_ANSWER_EXPIRED, 1, 0.01, START + 0.01);
  for (unsigned i = 0; i < 8; i++) {
    struct tr_probe probe = next(t, START + 0.01);
    assert_int_equal(probe.ttl, i < 4 ? 2 : 1);
    assert_int_equal(ntohl(probe.to->ip.v4.s_addr), 0xc6336400 + 3 - i % 4);
  }
  tr_trace_free(t);
}

/* Targets may come when all before them have begun, or ended. */
static void test_add_later(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.packets_per_ttl = 1;
  for (uint32_t many = 1; many <= 300; many++) {
    struct tr_trace *t = fresh(&options, 0);
    uint32_t id = 0;
    for (int round = 0; round < 3; round++) {
      struct tr_address a = v4(7);
      assert_true(tr_trace_is_done(t));
      for (uint32_t i = 0; i < many; i++)
        assert_int_equal(tr_trace_add(t, &a, id + i), 0);
      for (uint32_t i = 0; i < many; i++) {
        answer(t, next(t, START).token, TR_ANSWER_REACHED, 7, 0.01, START);
        struct tr_trace_result *result = tr_trace_finished(t);
        assert_int_equal(result->id, id++);
        tr_trace_result_free(result);
      }
    }
    tr_trace_free(t);
  }
}

static void test_nothing_to_probe(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct tr_trace_options options = usual;
    if (i != 1) options.max_ttl = 0;
    if (i != 0) options.packets_per_ttl = 0;
    struct tr_trace *t = fresh(&options, 2);
    assert_near(no_next(t, START), 0.1); /* should there be no memory for results now */
    assert_false(tr_trace_is_done(t));
    for (uint32_t id = 0; id < 2; id++) {
      struct tr_trace_result *result = tr_trace_finished(t);
      assert_int_equal(result->id, id);
      assert_int_equal(result->hops, 0);
      assert_false(result->was_aborted || result->is_reached);
      assert_near(result->seconds, 0);
      tr_trace_result_free(result);
    }
    assert_true(tr_trace_is_done(t));
    tr_trace_free(t);
  }
}

/* Options and replies beyond all bounds. */
static void test_hostile(void **state) {
  (void)state;
  struct tr_trace_options options = {.max_ttl = UINT32_MAX,
                                     .packets_per_ttl = UINT32_MAX,
                                     .wait_time = (double)NAN,
                                     .rate = HUGE_VAL,
                                     .in_flight = 100,
                                     .gap = UINT32_MAX};
  struct tr_trace *t = fresh(&options, 1);
  static const double rtts[] = {-1, (double)NAN, HUGE_VAL, -HUGE_VAL, 1e300};
  for (int i = 0; i < 10; i++) {
    struct tr_reply reply = {.answer = TR_ANSWER_REACHED, .rtt = rtts[i % 5], .labels = UINT32_MAX};
    struct tr_probe probe = next(t, START + i);
    assert_int_equal(probe.ttl, 1);
    tr_trace_reply(t, probe.token, &reply, START + i + 0.25);
  }
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_non_null(result);
  assert_int_equal(result->hop[0].sent, 10);
  assert_int_equal(result->hop[0].nodes, 1);
  assert_int_equal(result->hop[0].node[0].labels, TR_TRACE_LABELS_MAX);
  assert_near(result->hop[0].node[0].mean, 0.25); /* by our clock */
  assert_near(result->hop[0].node[0].deviation, 0);
  tr_trace_result_free(result);
  tr_trace_free(t);
  options.rate = -5; /* hardly any, but some */
  options.in_flight = 0;
  t = fresh(&options, 1);
  (void)next(t, START);
  assert_near(no_next(t, START), 0.05);
  assert_near(no_next(t, START + 5), 95);
  tr_trace_free(t);
}

/* ---- out of memory ---- */

/* Five targets of twelve hops, two nodes at each, while requests for memory fail. Gives up after a
** while in virtual time, when nothing can be had. Answers whether a request failed. */
static int starved(long from, long to) {
  struct tr_trace_options options = usual;
  unsigned ended = 0, added = 0, turns = 0;
  blocks_begin(from, to);
  struct tr_trace *t = tr_trace_new(&options);
  if (!t) return blocks_end();
  for (uint32_t i = 0; i < 5; i++) {
    struct tr_address a = v4(i);
    added += tr_trace_add(t, &a, i) == 0;
  }
  for (double now = START; !tr_trace_is_done(t) && turns < 300; turns++) {
    struct tr_trace_result *result;
    struct tr_probe probe;
    double wait;
    while (tr_trace_next(t, now, &probe, &wait))
      answer(t, probe.token, probe.ttl < 12 ? TR_ANSWER_EXPIRED : TR_ANSWER_REACHED,
             turns++ & 1 ? 1 : 2, 0.01, now);
    while ((result = tr_trace_finished(t))) {
      ended++;
      assert_int_equal(result->is_reached, result->hops == 12);
      for (unsigned i = 0; i < result->hops; i++) {
        unsigned counted = result->hop[i].lost;
        for (unsigned k = 0; k < result->hop[i].nodes; k++)
          counted += result->hop[i].node[k].count;
        assert_int_equal(result->hop[i].sent, counted);
        if (!result->was_aborted) assert_int_equal(counted, 3);
      }
      tr_trace_result_free(result);
    }
    if (!tr_trace_is_done(t)) assert_true(wait < HUGE_VAL);
    now += wait < HUGE_VAL ? wait : 1;
    if (turns >= 200) tr_trace_abort(t, now);
  }
  if (from == to) assert_int_equal(ended, added); /* one failure costs no target */
  tr_trace_free(t);
  return blocks_end();
}

static void test_out_of_memory(void **state) {
  (void)state;
  long n = 1;
  assert_false(starved(0, 0));
  while (starved(n, n))
    n++;
  assert_true(n > 80);
  for (n = 1; starved(n, 1000000); n++)
    assert_true(n < 1000);
}

/* Ended at any moment, a trace leaves nothing behind. */
static void test_free_midway(void **state) {
  (void)state;
  for (int stop = 0; stop < 200; stop++) {
    blocks_begin(0, 0);
    struct tr_trace *t = fresh(&usual, 300);
    double now = START, wait;
    for (int i = 0; i < stop; i++) {
      struct tr_probe probe;
      if (!tr_trace_next(t, now, &probe, &wait))
        now += wait;
      else if (i % 3)
        answer(t, probe.token, i % 7 ? TR_ANSWER_EXPIRED : TR_ANSWER_REACHED, 1, 0.01, now);
    }
    tr_trace_free(t);
    assert_false(blocks_end());
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schedule),
      cmocka_unit_test(test_rate),
      cmocka_unit_test(test_slow_rate),
      cmocka_unit_test(test_exhausted),
      cmocka_unit_test(test_unsendable),
      cmocka_unit_test(test_abort),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_add_later),
      cmocka_unit_test(test_nothing_to_probe),
      cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_free_midway),
  };
  return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
