/* Unit tests of the gate: who begins at once, who waits for whom and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "gate.h"

#define MANY 100
#define PATIENCE 0.25

enum { HERE = 1, ELSEWHERE };

static struct tr_gate gate;
static struct tr_pass pass[MANY];

static int begin(void **state) {
  (void)state;
  memset(&gate, 0, sizeof gate);
  memset(pass, 0, sizeof pass);
  return 0;
}

/* Passes from `first` on to a host; how many of them may begin. */
static int enter(int first, int count, unsigned long host) {
  int begun = 0;
  for (int i = first; i < first + count; i++) {
    pass[i].host = host;
    int waits = tr_gate_enter(&gate, &pass[i], 0);
    assert_true(waits == 0 || waits == 1);
    begun += !waits;
  }
  return begun;
}

static void leave(int first, int count) {
  for (int i = first; i < first + count; i++)
    tr_gate_leave(&gate, &pass[i]);
}

/* Those that wait begin in their order, from `first` on; how many may at that time. */
static int admit(int first, double now) {
  int count = 0;
  for (struct tr_pass *next; (next = tr_gate_next(&gate, now)); count++)
    assert_ptr_equal(next, &pass[first + count]);
  return count;
}

static void connect(int first, int count, int port) {
  for (int i = first; i < first + count; i++)
    tr_gate_connected(&pass[i], port);
}

/* Of a host that nothing is known of: as many as a connection takes, and one that tries another. */
static void test_first(void **state) {
  (void)state;
  assert_int_equal(enter(0, MANY, HERE), TR_GATE_STREAMS + 1);
  assert_int_equal(admit(TR_GATE_STREAMS + 1, 0), 0);
  leave(0, MANY);
  assert_null(gate.lanes);
}

static void test_streams_share(void **state) {
  (void)state;
  int next = TR_GATE_STREAMS + 1;
  assert_int_equal(enter(0, MANY, HERE), next);
  connect(0, TR_GATE_STREAMS, 5001);
  assert_int_equal(admit(next, 0), 0); /* whoever tries another is not there yet */
  connect(TR_GATE_STREAMS, 1, 5002);
  assert_int_equal(admit(next, 0), TR_GATE_STREAMS); /* full, and one that tries the third */
  leave(0, TR_GATE_STREAMS);
  assert_int_equal(admit(next + TR_GATE_STREAMS, 0), 0);
  connect(2 * TR_GATE_STREAMS, 1, 5001); /* which has become free */
  assert_int_equal(admit(next + TR_GATE_STREAMS, 0), TR_GATE_STREAMS);
  leave(TR_GATE_STREAMS, MANY - TR_GATE_STREAMS);
  assert_null(gate.lanes);
}

/* By HTTP/1.1 each has a connection of its own: with the first, there is room for all. */
static void test_own_connections(void **state) {
  (void)state;
  assert_int_equal(enter(0, MANY, HERE), TR_GATE_STREAMS + 1);
  for (int i = 0; i < 4; i++)
    connect(i, 1, 5001 + i);
  assert_int_equal(admit(TR_GATE_STREAMS + 1, 0), MANY - TR_GATE_STREAMS - 1);
  leave(0, MANY);
  assert_null(gate.lanes);
}

/* The same connection counts once, and a connection found dead no more. */
static void test_connection_counts_once(void **state) {
  (void)state;
  enter(0, TR_GATE_STREAMS + 2, HERE);
  connect(0, 2, 5001);
  connect(0, 2, 5001);
  connect(0, 2, 5002);
  assert_int_equal(admit(TR_GATE_STREAMS + 1, 0), 0);
  leave(0, TR_GATE_STREAMS + 2);
  assert_null(gate.lanes);
}

static void test_patience(void **state) {
  (void)state;
  int next = TR_GATE_STREAMS + 1;
  assert_true(tr_gate_due(&gate, 0) < 0);
  enter(0, MANY, HERE);
  assert_true(tr_gate_due(&gate, 0) == PATIENCE);
  assert_int_equal(admit(next, PATIENCE * 0.9), 0);
  assert_int_equal(admit(next, PATIENCE), 1);
  assert_true(tr_gate_due(&gate, PATIENCE) == 2 * PATIENCE);
  tr_gate_leave(&gate, &pass[next]); /* the one that was waited for has failed */
  assert_true(tr_gate_due(&gate, PATIENCE) == PATIENCE);
  assert_int_equal(admit(next + 1, PATIENCE), 1);
  leave(0, next);
  leave(next + 1, MANY - next - 1);
  assert_null(gate.lanes);
}

static void test_hosts_are_apart(void **state) {
  (void)state;
  assert_int_equal(enter(0, 60, HERE), TR_GATE_STREAMS + 1);
  assert_int_equal(enter(60, TR_GATE_STREAMS, ELSEWHERE), TR_GATE_STREAMS);
  leave(0, 60);
  leave(60, TR_GATE_STREAMS);
  assert_null(gate.lanes);
}

/* Whoever gives up while it waits leaves no trace, wherever in the queue it stood. */
static void test_giving_up(void **state) {
  (void)state;
  int next = TR_GATE_STREAMS + 1;
  enter(0, next + 4, HERE);
  tr_gate_leave(&gate, &pass[next + 3]);
  tr_gate_leave(&gate, &pass[next + 1]);
  enter(next + 4, 1, HERE);
  leave(0, next);
  assert_ptr_equal(tr_gate_next(&gate, 0), &pass[next]);
  assert_ptr_equal(tr_gate_next(&gate, 0), &pass[next + 2]);
  assert_ptr_equal(tr_gate_next(&gate, 0), &pass[next + 4]);
  assert_null(tr_gate_next(&gate, 0));
  tr_gate_leave(&gate, &pass[next]);
  tr_gate_leave(&gate, &pass[next + 2]);
  tr_gate_leave(&gate, &pass[next + 4]);
  assert_null(gate.lanes);
}

static void test_open(void **state) {
  (void)state;
  gate.is_open = 1;
  assert_int_equal(enter(0, MANY, HERE), MANY);
  leave(0, MANY);
  assert_null(gate.lanes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_first, begin),
      cmocka_unit_test_setup(test_streams_share, begin),
      cmocka_unit_test_setup(test_own_connections, begin),
      cmocka_unit_test_setup(test_connection_counts_once, begin),
      cmocka_unit_test_setup(test_patience, begin),
      cmocka_unit_test_setup(test_hosts_are_apart, begin),
      cmocka_unit_test_setup(test_giving_up, begin),
      cmocka_unit_test_setup(test_open, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
