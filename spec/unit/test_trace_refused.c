/* Unit tests of what a trace makes of probes that its sender refuses: driven by hand, and by a clock
** of its own against many targets at once. */
#include "by_hand.h"

#include <string.h>

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
    assert_near(no_next(t, now + 0.02), 0.005);
    assert_int_equal(count(t).exhausted, i);
    now += 0.025;
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

/* While it waits others have their turns, as many as probes may be out. */
static void test_refused_beside_others(void **state) {
  (void)state;
  struct tr_trace_options options = usual;
  options.packets_per_ttl = 1;
  options.in_flight = 3;
  struct tr_trace *t = fresh(&options, 5);
  struct tr_probe probe = next(t, START);
  uint32_t refused = probe.to->ip.v4.s_addr;
  for (unsigned i = 1; i < TR_TRACE_REFUSALS; i++) {
    double now = START + 0.03 * i;
    answer(t, probe.token, TR_ANSWER_REFUSED, 0, 0, now);
    probe = i < 5 ? next(t, now + 0.02) : next(t, now + 0.03);
    if (i < 5) {
      assert_int_not_equal(probe.to->ip.v4.s_addr, refused);
      answer(t, probe.token, TR_ANSWER_REACHED, 1, 0.001, now + 0.021);
      assert_ended(t, 0);
      probe = next(t, now + 0.025);
    }
    assert_int_equal(probe.to->ip.v4.s_addr, refused);
  }
  answer(t, probe.token, TR_ANSWER_REFUSED, 0, 0, START + 9);
  assert_ended(t, 1);
  assert_true(tr_trace_is_done(t));
  tr_trace_free(t);
  t = fresh(&options, 1000); /* nor are more begun where all are refused */
  for (unsigned i = 0; i < 10; i++) {
    answer(t, next(t, START + i).token, TR_ANSWER_REFUSED, 0, 0, START + i);
    struct tr_trace_counts now = count(t);
    assert_true(now.targets <= 3);
  }
  tr_trace_abort(t, START + 10);
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

/* ---- some of many are refused ---- */

#define RTT 0.03
#define HOPS 5
#define OUT_MAX 1024

/* The first so many are of these kinds in turn: 'R' is refused each time, to 'N' this machine has no
** route. All others answer after RTT, HOPS hops away. */
struct crowd {
  uint32_t targets, first;
  const char *kinds;
  unsigned tries; /* probes handed out */
  double sound_seconds, seconds;
};

static char crowd_kind(const struct crowd *crowd, uint32_t id) {
  return id < crowd->first ? crowd->kinds[id % strlen(crowd->kinds)] : 'S';
}

struct answer_to_come {
  uint32_t token;
  unsigned ttl;
  double at;
};

static void crowd_send(const struct crowd *crowd, struct tr_trace *t, const struct tr_probe *probe,
                       double now, struct answer_to_come *to_come) {
  static const struct tr_reply no_route = {.answer = TR_ANSWER_NO_ROUTE, .is_local = 1};
  char kind = crowd_kind(crowd, ntohl(probe->to->ip.v4.s_addr) - 0xc6336400);
  to_come->token = 0;
  if (kind == 'R')
    answer(t, probe->token, TR_ANSWER_REFUSED, 0, 0, now);
  else if (kind == 'N')
    tr_trace_reply(t, probe->token, &no_route, now);
  else
    *to_come = (struct answer_to_come){probe->token, probe->ttl, now + RTT};
}

static void crowd_run(struct crowd *crowd) {
  static struct answer_to_come out[OUT_MAX];
  struct tr_trace_options options = usual;
  options.rate = 2000;
  options.in_flight = 1000;
  struct tr_trace *t = fresh(&options, crowd->targets);
  unsigned first = 0, last = 0;
  double now = START, wait;
  crowd->tries = 0;
  while (!tr_trace_is_done(t)) {
    struct tr_probe probe;
    struct tr_trace_result *result;
    for (; first != last && out[first % OUT_MAX].at <= now; first++) {
      struct answer_to_come *a = &out[first % OUT_MAX];
      answer(t, a->token, a->ttl < HOPS ? TR_ANSWER_EXPIRED : TR_ANSWER_REACHED, a->ttl, RTT, now);
    }
    for (; tr_trace_next(t, now, &probe, &wait); crowd->tries++) {
      crowd_send(crowd, t, &probe, now, &out[last % OUT_MAX]);
      if (out[last % OUT_MAX].token) last++;
    }
    while ((result = tr_trace_finished(t))) {
      char kind = crowd_kind(crowd, result->id);
      assert_int_equal(result->was_aborted, kind == 'R');
      if (kind == 'S') crowd->sound_seconds = now - START;
      tr_trace_result_free(result);
    }
    crowd->seconds = now - START;
    double next_at = first != last ? out[first % OUT_MAX].at : HUGE_VAL;
    now = fmin(now + wait, next_at);
  }
  tr_trace_free(t);
}

/* Others that are answered lose no time by those that are refused, be they many. */
static void test_refused_of_many(void **state) {
  (void)state;
  struct crowd none = {1000, 0, "", 0, 0, 0};
  crowd_run(&none);
  for (uint32_t refused = 1; refused <= 100; refused *= 10) {
    struct crowd some = {1000, 2 * refused, "RS", 0, 0, 0};
    crowd_run(&some);
    /* Each try is paid for out of the rate. */
    double tries = (double)refused * TR_TRACE_REFUSALS / 2000;
    assert_true(some.sound_seconds < none.sound_seconds + tries + 0.5);
  }
}

/* Where nothing is answered it ends for all as soon as for one, and nobody is tried much. */
static void test_all_refused(void **state) {
  (void)state;
  struct crowd all = {20, 20, "R", 0, 0, 0};
  crowd_run(&all);
  assert_true(all.seconds < 2.2);
  assert_true(all.tries <= TR_TRACE_REFUSALS + 20);
}

/* What this machine says by itself is no answer of the sender, nor does it take long. */
static void test_refused_beside_local(void **state) {
  (void)state;
  struct crowd half = {20, 20, "RN", 0, 0, 0}, many = {1000, 1000, "RN", 0, 0, 0};
  crowd_run(&half);
  assert_true(half.seconds < 2.2);
  assert_true(half.tries <= TR_TRACE_REFUSALS + 10 + 10 * usual.packets_per_ttl);
  crowd_run(&many);
  assert_true(many.seconds < 2.2 + many.tries / 2000.0);
  assert_true(many.tries <= TR_TRACE_REFUSALS + 500 + 500 * usual.packets_per_ttl);
}

/* What was out already when its target was refused does not put off the target's next turn. */
static void test_refused_late(void **state) {
  (void)state;
  struct tr_trace *t = fresh(&usual, 2);
  struct tr_probe first = next(t, START), other = next(t, START), again = next(t, START);
  uint32_t address = first.to->ip.v4.s_addr;
  assert_int_equal(again.to->ip.v4.s_addr, address);
  (void)next(t, START);
  answer(t, first.token, TR_ANSWER_REFUSED, 0, 0, START + 0.01);
  answer(t, other.token, TR_ANSWER_REFUSED, 0, 0, START + 0.02);
  answer(t, again.token, TR_ANSWER_REFUSED, 0, 0, START + 0.025);
  assert_near(no_next(t, START + 0.025), 0.01);
  assert_int_equal(next(t, START + 0.035).to->ip.v4.s_addr, address);
  tr_trace_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),          cmocka_unit_test(test_refused_beside_others),
      cmocka_unit_test(test_refused_together), cmocka_unit_test(test_refused_of_many),
      cmocka_unit_test(test_all_refused),      cmocka_unit_test(test_refused_beside_local),
      cmocka_unit_test(test_refused_late),
  };
  return cmocka_run_group_tests_name("trace_refused", tests, NULL, NULL);
}
