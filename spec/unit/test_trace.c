/* Unit tests of trace, driven by hand: the exact times, tokens, numbers and failures. Whole traces
** are run in test_trace_network.c. */
#include "blocks.h"

#include <math.h>
#include <stdint.h>

#include "trace.h"

#define START 1000.0

static const struct tr_trace_options usual = {
    .protocol = TR_PROTOCOL_ICMP,
    .max_ttl = 30,
    .packets_per_ttl = 3,
    .wait_time = 1,
    .rate = 1e6,
    .in_flight = 100,
    .gap = 5,
};

static void assert_near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-9)) fail_msg("%.12f instead of %.12f", value, expected);
}

static struct tr_address v4(uint32_t address) {
  struct tr_address a = {.family = AF_INET};
  a.ip.v4.s_addr = htonl(address);
  return a;
}

static struct tr_trace *fresh(const struct tr_trace_options *options, uint32_t targets) {
  struct tr_trace *t = tr_trace_new(options);
  assert_non_null(t);
  for (uint32_t i = 0; i < targets; i++) {
    struct tr_address a = v4(0xc6336400 + i);
    assert_int_equal(tr_trace_add(t, &a, i), 0);
  }
  return t;
}

static struct tr_probe next(struct tr_trace *t, double now) {
  struct tr_probe probe;
  double wait;
  assert_int_equal(tr_trace_next(t, now, &probe, &wait), 1);
  return probe;
}

static double no_next(struct tr_trace *t, double now) {
  struct tr_probe probe;
  double wait = -1;
  assert_int_equal(tr_trace_next(t, now, &probe, &wait), 0);
  assert_true(wait >= 0);
  return wait;
}

static void answer(struct tr_trace *t, uint32_t token, enum tr_answer what, uint32_t from,
                   double rtt, double now) {
  struct tr_reply reply = {.answer = what, .rtt = rtt};
  if (from) reply.from = v4(from);
  tr_trace_reply(t, token, &reply, now);
}

static struct tr_trace_counts count(const struct tr_trace *t) {
  struct tr_trace_counts counts;
  tr_trace_count(t, &counts);
  return counts;
}

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

static void assert_ended(struct tr_trace *t, int was_aborted) {
  struct tr_trace_result *result = tr_trace_finished(t);
  assert_non_null(result);
  assert_int_equal(result->was_aborted, was_aborted);
  tr_trace_result_free(result);
}

/* What is refused is asked for again after a pause, up to a bound; the next target is not tried so
** often, unless something was answered. */
static void test_refused(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.packets_per_ttl = options.in_flight = 1;
  struct tr_trace *t = fresh(&options, 4);
  double now = START;
  for (unsigned i = 1; i < TR_TRACE_REFUSALS; i++) {
    answer(t, next(t, now).token, TR_ANSWER_REFUSED, 0, 0, now);
    assert_null(tr_trace_finished(t));
    assert_near(no_next(t, now), 0.02);
    assert_int_equal(count(t).exhausted, i);
    now += 0.02;
  }
  answer(t, next(t, now).token, TR_ANSWER_REFUSED, 0, 0, now);
  assert_ended(t, 1);
  answer(t, next(t, now).token, TR_ANSWER_REFUSED, 0, 0, now);
  assert_ended(t, 1);
  answer(t, next(t, now).token, TR_ANSWER_REACHED, 1, 0.01, now);
  assert_ended(t, 0);
  answer(t, next(t, now).token, TR_ANSWER_REFUSED, 0, 0, now);
  assert_null(tr_trace_finished(t));
  assert_int_equal(count(t).exhausted, TR_TRACE_REFUSALS);
  tr_trace_free(t);
}

/* Those that were out together are refused together, which counts once. */
static void test_refused_together(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.in_flight = 2 * TR_TRACE_REFUSALS;
  options.rate = 1e6;
  struct tr_trace *t = fresh(&options, 1);
  uint32_t token[64];
  unsigned out = 0;
  struct tr_probe probe;
  double wait;
  for (unsigned turn = 0; turn < TR_TRACE_REFUSALS / 2; turn++) {
    double now = START + turn;
    for (out = 0; out < 64 && tr_trace_next(t, now, &probe, &wait); out++)
      token[out] = probe.token;
    assert_true(out > 1 || turn > 0);
    for (unsigned i = 0; i < out; i++)
      answer(t, token[i], TR_ANSWER_REFUSED, 0, 0, now + 0.01);
    assert_null(tr_trace_finished(t));
  }
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
      cmocka_unit_test(test_deviation),
      cmocka_unit_test(test_deviation_of_large),
      cmocka_unit_test(test_late),
      cmocka_unit_test(test_schedule),
      cmocka_unit_test(test_rate),
      cmocka_unit_test(test_slow_rate),
      cmocka_unit_test(test_in_flight),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_tokens_wrap),
      cmocka_unit_test(test_exhausted),
      cmocka_unit_test(test_unsendable),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_refused_together),
      cmocka_unit_test(test_abort),
      cmocka_unit_test(test_turns),
      cmocka_unit_test(test_add_later),
      cmocka_unit_test(test_no_route_beside),
      cmocka_unit_test(test_nothing_to_probe),
      cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_local_ports),
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_free_midway),
  };
  return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
