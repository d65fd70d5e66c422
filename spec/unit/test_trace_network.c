/* Unit tests of trace against a simulated network, which checks every result against what it told,
** and the bounds on rate and probes out at every step; see network.h. Here are the networks, and
** what is expected beyond that. */
#include "blocks.h"

#include <malloc.h>
#include <math.h>
#include <stdint.h>

#include "network.h"

#define ROUTERS 2000
#define MANY 100000

static struct network_router routers[ROUTERS];
static struct network_path paths[MANY];

static struct network usual(unsigned targets, uint64_t seed) {
  return (struct network){
      .router = routers,
      .path = paths,
      .paths = targets,
      .options = {.protocol = TR_PROTOCOL_ICMP,
                  .max_ttl = 30,
                  .packets_per_ttl = 3,
                  .wait_time = 1,
                  .rate = 1000,
                  .in_flight = 200,
                  .gap = 5},
      .seed = seed,
  };
}

/* Sound routers, the first ones near, and paths of so many hops over them at random, the i-th hop
** out of the i-th part of the table. */
static void build(struct network *n, unsigned least, unsigned most, int is_v6) {
  unsigned part = ROUTERS / most;
  memset(routers, 0, sizeof routers);
  for (unsigned i = 0; i < ROUTERS; i++) {
    routers[i].address = is_v6 ? network_v6(0x5000000 + i) : network_v4(0x0a000000 + i);
    unsigned ttl = i / part + 1;
    routers[i].rtt = 0.002 * ttl;
    routers[i].jitter = 0.001;
  }
  for (unsigned i = 0; i < n->paths; i++) {
    struct network_path *path = &n->path[i];
    memset(path, 0, sizeof *path);
    path->target = is_v6 ? network_v6(i) : network_v4(0xc6000000 + i);
    path->length = least + (unsigned)((most - least + 1) * network_random(&n->seed));
    for (unsigned k = 0; k < path->length; k++)
      path->router[k] = (unsigned short)(k * part + (unsigned)(part * network_random(&n->seed)));
  }
}

static void assert_address(const struct tr_address *a, const struct tr_address *b) {
  assert_int_equal(a->family, b->family);
  if (a->family == AF_INET)
    assert_int_equal(a->ip.v4.s_addr, b->ip.v4.s_addr);
  else
    assert_memory_equal(&a->ip.v6, &b->ip.v6, sizeof a->ip.v6);
}

/* The path is found as it is, nothing lost. */
static void look_whole(struct network *n, const struct tr_trace_result *result) {
  if (!result) return;
  const struct network_path *path = &n->path[result->id];
  assert_int_equal(result->hops, path->length);
  assert_true(result->is_reached);
  assert_false(result->was_aborted);
  for (unsigned i = 0; i < result->hops; i++) {
    assert_int_equal(result->hop[i].nodes, 1);
    assert_int_equal(result->hop[i].lost, 0);
    assert_int_equal(result->hop[i].node[0].count, n->options.packets_per_ttl);
    assert_address(&result->hop[i].node[0].address, &n->router[path->router[i]].address);
  }
}

static void test_one(void **state) {
  (void)state;
  for (int protocol = TR_PROTOCOL_ICMP; protocol <= TR_PROTOCOL_TCP; protocol++) {
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
      struct network n = usual(1, 1);
      n.options.protocol = (enum tr_protocol)protocol;
      n.options.port = is_v6 ? 4321 : 0;
      build(&n, 15, 15, is_v6);
      network_run(&n, look_whole);
      assert_int_equal(n.reached, 1);
      assert_in_range(n.sent, 45, 48); /* no more than the window beyond the target */
      assert_true(n.seconds < 0.3);
    }
  }
}

/* An ample rate does not make it slow, even far away: some round trips. */
static void test_far_away(void **state) {
  (void)state;
  struct network n = usual(1, 2);
  build(&n, 15, 15, 0);
  for (unsigned i = 0; i < ROUTERS; i++)
    routers[i].rtt *= 5; /* 150 ms to the target */
  network_run(&n, look_whole);
  assert_in_range(n.sent, 45, 48);
  assert_true(n.seconds < 0.9);
}

/* While the rate holds us up, next to nothing goes beyond the targets, and no time is lost. */
static void test_no_waste(void **state) {
  (void)state;
  struct network n = usual(100, 3);
  build(&n, 15, 15, 0);
  network_run(&n, look_whole);
  assert_in_range(n.sent, 4500, 4520);
  assert_true(n.seconds < 1.05 * 4.5);
}

/* Results come early and steadily: no more targets are begun than it takes. */
static void test_steady(void **state) {
  (void)state;
  struct network n = usual(2000, 4);
  build(&n, 10, 20, 0);
  network_run(&n, look_whole);
  assert_true(n.first_seconds < 2);
  assert_true(n.most_targets < 60);
  assert_true(n.seconds < 1.02 * (double)n.sent / n.options.rate);
}

static double others_done;

static void look_slow(struct network *n, const struct tr_trace_result *result) {
  if (result && result->id != 0) others_done = n->now;
}

static void test_slow_one(void **state) {
  (void)state;
  struct network n = usual(200, 5);
  build(&n, 10, 10, 0);
  for (unsigned k = 0; k < 10; k++) { /* the first one has routers of its own, far away */
    paths[0].router[k] = (unsigned short)(ROUTERS - 1 - k);
    routers[ROUTERS - 1 - k].rtt = 0.95;
    routers[ROUTERS - 1 - k].jitter = 0;
    for (unsigned i = 1; i < n.paths; i++)
      if (paths[i].router[k] >= ROUTERS - 10) paths[i].router[k] -= 10;
  }
  network_run(&n, look_slow);
  assert_int_equal(n.reached, 200);
  assert_true(others_done - NETWORK_START < 6.3); /* 6,000 packets at 1,000 a second */
}

/* All that can go wrong on the way, in many mixtures. */
static void spoil(struct network *n) {
  uint64_t *seed = &n->seed;
  for (unsigned i = 0; i < ROUTERS; i++) {
    struct network_router *r = &routers[i];
    r->jitter = network_random(seed) < 0.3 ? 0.5 * network_random(seed) : 0.001;
    if (network_random(seed) < 0.3) r->loss = network_random(seed) * network_random(seed);
    if (network_random(seed) < 0.3) r->duplicate = network_random(seed);
    if (network_random(seed) < 0.2) r->late = 0.5 * network_random(seed);
    if (network_random(seed) < 0.1) r->answers = 1 + 50 * network_random(seed);
    if (network_random(seed) < 0.1) r->is_silent = 1;
    if (network_random(seed) < 0.02) r->has_no_route = 1;
    if (network_random(seed) < 0.5) r->is_anonymous = 1;
    if (network_random(seed) < 0.3) r->labels = (unsigned)(12 * network_random(seed));
    if (network_random(seed) < 0.2 && i + 4 < ROUTERS)
      r->siblings = (unsigned)(4 * network_random(seed));
  }
  n->strangers = 0.1;
}

static void test_faults(void **state) {
  (void)state;
  uint64_t refused = 0, ignored = 0;
  unsigned reached = 0;
  for (unsigned seed = 0; seed < 60; seed++) {
    struct network n = usual(40, seed);
    n.options.protocol = (enum tr_protocol)(seed % 3);
    n.options.gap = seed % 7;
    n.options.packets_per_ttl = 1 + seed % 10;
    n.options.rate = seed % 5 ? 3000 : 150;
    n.options.in_flight = 1 + (unsigned)(300 * network_random(&n.seed));
    if (seed % 4 == 1) n.capacity = 1 + (unsigned)(100 * network_random(&n.seed));
    n.refuse_time = seed % 8 > 4 ? 0.003 : 0;
    n.per_packet = seed % 2;
    n.is_mute = seed % 11 == 3;
    if (seed % 13 == 5) n.abort_at = 0.5 + 3 * network_random(&n.seed);
    build(&n, 1, 25, seed % 3 == 2);
    spoil(&n);
    network_run(&n, NULL);
    refused += n.refused;
    ignored += n.ignored;
    reached += n.reached;
  }
  assert_true(refused > 100);
  assert_true(ignored > 1000);
  assert_true(reached > 500);
}

/* ---- diamonds ---- */

static unsigned most_nodes, branch[2], mixed;

static void look_diamond(struct network *n, const struct tr_trace_result *result) {
  (void)n;
  if (!result) return;
  for (unsigned i = 0; i < result->hops; i++)
    if (result->hop[i].nodes > most_nodes) most_nodes = result->hop[i].nodes;
  unsigned seen[2];
  for (unsigned i = 0; i < 2; i++)
    seen[i] = ntohl(result->hop[3 + i].node[0].address.ip.v4.s_addr) & 1;
  branch[seen[0]]++;
  mixed += seen[0] != seen[1];
}

static void run_diamond(enum tr_protocol protocol, int per_packet) {
  struct network n = usual(64, 6);
  n.options.protocol = protocol;
  n.options.packets_per_ttl = 10;
  n.per_packet = per_packet;
  build(&n, 8, 8, 0);
  for (unsigned i = 0; i < n.paths; i++) {
    paths[i].router[3] = (unsigned short)(paths[i].router[3] & ~1U);
    paths[i].router[4] = (unsigned short)(paths[i].router[4] & ~1U);
    routers[paths[i].router[3]].siblings = routers[paths[i].router[4]].siblings = 1;
  }
  most_nodes = branch[0] = branch[1] = mixed = 0;
  network_run(&n, look_diamond);
  assert_int_equal(n.reached, 64);
}

static void test_diamond(void **state) {
  (void)state;
  run_diamond(TR_PROTOCOL_UDP, 0); /* one branch for a target, both among targets */
  assert_int_equal(most_nodes, 1);
  assert_int_equal(mixed, 0);
  assert_true(branch[0] > 10 && branch[1] > 10);
  run_diamond(TR_PROTOCOL_TCP, 0);
  assert_int_equal(most_nodes, 1);
  assert_int_equal(mixed, 0);
  run_diamond(TR_PROTOCOL_ICMP, 1);
  assert_int_equal(most_nodes, 2);
}

/* ---- ends of paths ---- */

static unsigned hops_seen, nodes_seen;

static void look_hops(struct network *n, const struct tr_trace_result *result) {
  (void)n;
  if (!result) return;
  hops_seen = result->hops;
  nodes_seen = result->hops ? result->hop[result->hops - 1].nodes : 0;
}

static void test_gap(void **state) {
  (void)state;
  /* routers answer up to `answering`; then there is silence */
  static const struct {
    unsigned answering, gap, max_ttl, packets, hops;
    double seconds;
  } cases[] = {
      {6, 5, 30, 3, 11, 2.6}, {6, 1, 30, 3, 7, 1.5},   {0, 5, 30, 3, 5, 2.6},
      {6, 0, 30, 3, 30, 4.6}, {6, 64, 30, 3, 30, 4.6}, {6, 24, 30, 3, 30, 4.6},
      {6, 23, 30, 3, 29, 4},  {6, 5, 8, 3, 8, 1.5},    {6, 5, 6, 3, 6, 0.5},
      {6, 5, 1, 3, 1, 0.3},   {0, 1, 64, 1, 1, 1.1},   {0, 0, 64, 1, 64, 6},
      {6, 5, 0, 3, 0, 0},     {6, 5, 30, 0, 0, 0},     {6, 0, 0, 0, 0, 0},
      {6, 5, 30, 10, 11, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct network n = usual(1, 7);
    n.options.gap = cases[i].gap;
    n.options.max_ttl = cases[i].max_ttl;
    n.options.packets_per_ttl = cases[i].packets;
    build(&n, 50, 50, 0);
    for (unsigned k = cases[i].answering; k < 50; k++)
      routers[paths[0].router[k]].is_silent = 1;
    hops_seen = 99;
    network_run(&n, look_hops);
    assert_int_equal(hops_seen, cases[i].hops);
    assert_int_equal(n.reached, 0);
    assert_int_equal(n.aborted, 0);
    if (n.seconds > cases[i].seconds) fail_msg("case %zu: %f s", i, n.seconds);
    assert_true(n.sent <= (uint64_t)cases[i].hops * cases[i].packets); /* nothing beyond the gap */
  }
}

/* A stretch of silence shorter than the gap is looked past, in less than its wait times. */
static void test_silent_stretch(void **state) {
  (void)state;
  struct network n = usual(1, 8);
  build(&n, 12, 12, 0);
  for (unsigned k = 4; k < 8; k++)
    routers[paths[0].router[k]].is_silent = 1;
  network_run(&n, look_hops);
  assert_int_equal(n.reached, 1);
  assert_int_equal(hops_seen, 12);
  assert_true(n.seconds < 1.5);
}

static void test_no_route(void **state) {
  (void)state;
  for (unsigned at = 0; at < 6; at++) {
    for (int is_anonymous = 0; is_anonymous < 2; is_anonymous++) {
      struct network n = usual(1, 9);
      build(&n, 12, 12, at & 1);
      routers[paths[0].router[at]].has_no_route = 1;
      routers[paths[0].router[at]].is_anonymous = is_anonymous;
      network_run(&n, look_hops);
      assert_int_equal(n.reached, 0);
      assert_int_equal(hops_seen, at + 1);
      assert_int_equal(nodes_seen, 1);
      assert_true(n.seconds < 0.3);
    }
  }
}

/* One of two branches is broken: the other one's way is still found to its end. */
static void test_broken_branch(void **state) {
  (void)state;
  struct network n = usual(20, 10);
  n.options.packets_per_ttl = 10;
  n.per_packet = 1;
  build(&n, 10, 10, 0);
  for (unsigned i = 0; i < n.paths; i++) {
    paths[i].router[3] = (unsigned short)(paths[i].router[3] & ~1U);
    routers[paths[i].router[3]].siblings = 1;
    routers[paths[i].router[3] + 1].has_no_route = 1;
  }
  network_run(&n, look_hops);
  assert_int_equal(n.reached, 20);
  assert_int_equal(hops_seen, 10);
}

/* ---- the sender ---- */

static void test_exhausted(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct network n = usual(100, 11);
    n.options.rate = 10000;
    n.options.in_flight = 1000;
    n.capacity = 20;
    n.refuse_time = i ? 0.002 : 0;
    build(&n, 15, 15, 0);
    network_run(&n, look_whole);
    assert_int_equal(n.reached, 100);
    assert_true(n.refused > 0 && n.refused < n.sent / 8);
    assert_true(n.seconds < 6); /* 4,500 packets, 20 at a time, 16 ms each: 3.6 s */
  }
}

static void test_death(void **state) {
  (void)state;
  struct network n = usual(500, 12);
  n.abort_at = 5.0005;
  build(&n, 10, 10, 0);
  network_run(&n, NULL);
  assert_true(n.reached + n.aborted >= 500); /* one that had answered may be cut short too */
  assert_in_range(n.reached, 140, 170);
  assert_true(n.seconds < 5.001);
}

static void test_mute(void **state) {
  (void)state;
  struct network n = usual(50, 13);
  n.is_mute = 1;
  build(&n, 10, 10, 0);
  for (unsigned i = 0; i < ROUTERS; i++)
    routers[i].loss = 0.2;
  network_run(&n, NULL);
  assert_int_equal(n.aborted, 0);
  memset(&n, 0, sizeof n);
  n = usual(3, 13); /* one that answers nothing at all ends too */
  n.is_mute = 1;
  build(&n, 10, 10, 0);
  for (unsigned i = 0; i < ROUTERS; i++)
    routers[i].is_silent = 1;
  network_run(&n, look_hops);
  assert_int_equal(hops_seen, 5);
  assert_true(n.seconds < 5);
}

static void test_unsendable(void **state) {
  (void)state;
  for (unsigned ttl = 1; ttl <= 5; ttl++) {
    struct network n = usual(3, 14);
    n.unsendable_ttl = ttl;
    build(&n, 10, 10, 0);
    network_run(&n, look_hops);
    assert_int_equal(n.aborted, 3);
    assert_true(hops_seen < ttl);
  }
}

/* ---- a hundred thousand ---- */

static size_t bytes_used, bytes_most;
static long most_blocks;

static void *counting_realloc(void *block, size_t size) {
  size_t before = block ? malloc_usable_size(block) : 0;
  void *fresh = blocks_realloc(block, size);
  if (size && !fresh) return NULL;
  bytes_used += (fresh ? malloc_usable_size(fresh) : 0) - before;
  if (bytes_used > bytes_most) bytes_most = bytes_used;
  return fresh;
}

static void look_many(struct network *n, const struct tr_trace_result *result) {
  if (result) return;
  if (n->sent == 0) return;
  if (blocks_used > most_blocks) most_blocks = blocks_used;
}

static void run_many(unsigned targets, unsigned in_flight) {
  struct network n = usual(targets, 15);
  n.options.rate = 50000;
  n.options.in_flight = in_flight;
  n.options.packets_per_ttl = 2;
  build(&n, 3, 15, 0);
  for (unsigned i = 0; i < ROUTERS; i++) {
    routers[i].loss = 0.005;
    routers[i].is_silent = i % 100 == 50;
  }
  most_blocks = 0;
  bytes_used = bytes_most = 0;
  blocks_begin(0, 0);
  tr_realloc_hook = counting_realloc;
  network_run(&n, look_many);
  blocks_end();
  assert_int_equal(n.finished, targets);
  assert_int_equal(n.aborted, 0);
  assert_true(n.reached > targets / 10 * 8);
  assert_true(n.most_targets <= in_flight);
  /* those that wait cost 1 block in 128, and 32 bytes; those in flight some blocks of their hops */
  long waiting = targets / 128 + 1;
  assert_true(most_blocks <= waiting + 2 + (long)n.most_targets * (3 + 15));
  assert_true(bytes_most <= targets * 32 + in_flight * 128 + (size_t)n.most_targets * 8192);
}

static void test_many(void **state) {
  (void)state;
  run_many(MANY, 1024);
  run_many(3000, 16);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one),
      cmocka_unit_test(test_far_away),
      cmocka_unit_test(test_no_waste),
      cmocka_unit_test(test_steady),
      cmocka_unit_test(test_slow_one),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_diamond),
      cmocka_unit_test(test_gap),
      cmocka_unit_test(test_silent_stretch),
      cmocka_unit_test(test_no_route),
      cmocka_unit_test(test_broken_branch),
      cmocka_unit_test(test_exhausted),
      cmocka_unit_test(test_death),
      cmocka_unit_test(test_mute),
      cmocka_unit_test(test_unsendable),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests_name("trace_network", tests, NULL, NULL);
}
