/* by_hand: drives a trace for unit tests, probe by probe, at times that the test says. */
#ifndef TR_TEST_BY_HAND_H
#define TR_TEST_BY_HAND_H

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

static inline void assert_near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-9)) fail_msg("%.12f instead of %.12f", value, expected);
}

static inline struct tr_address v4(uint32_t address) {
  struct tr_address a = {.family = AF_INET};
  a.ip.v4.s_addr = htonl(address);
  return a;
}

static inline struct tr_trace *fresh(const struct tr_trace_options *options, uint32_t targets) {
  struct tr_trace *t = tr_trace_new(options);
  assert_non_null(t);
  for (uint32_t i = 0; i < targets; i++) {
    struct tr_address a = v4(0xc6336400 + i);
    assert_int_equal(tr_trace_add(t, &a, i), 0);
  }
  return t;
}

static inline struct tr_probe next(struct tr_trace *t, double now) {
  struct tr_probe probe;
  double wait;
  assert_int_equal(tr_trace_next(t, now, &probe, &wait), 1);
  return probe;
}

static inline double no_next(struct tr_trace *t, double now) {
  struct tr_probe probe;
  double wait = -1;
  assert_int_equal(tr_trace_next(t, now, &probe, &wait), 0);
  assert_true(wait >= 0);
  return wait;
}

static inline void answer(struct tr_trace *t, uint32_t token, enum tr_answer what, uint32_t from,
                          double rtt, double now) {
  struct tr_reply reply = {.answer = what, .rtt = rtt};
  if (from) reply.from = v4(from);
  tr_trace_reply(t, token, &reply, now);
}

static inline struct tr_trace_counts count(const struct tr_trace *t) {
  struct tr_trace_counts counts;
  tr_trace_count(t, &counts);
  return counts;
}

#endif
