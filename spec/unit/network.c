/* network: a simulated network under a virtual clock; see network.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "network.h"

#define NEAR 1e-9

/* Something that the sender will tell. */
struct network_event {
  double at;
  uint64_t order; /* among those of one time */
  uint32_t token;
  unsigned char kind; /* an answer */
  unsigned short router;
  double rtt;
};

/* A probe that was handed to the sender. */
struct network_flight {
  uint32_t token; /* 0: free */
  uint32_t path;
  unsigned ttl;
  double sent_at;
};

/* What was told of a probe to a path's target, or (silent) that nothing was. */
struct network_word {
  unsigned char ttl, answer;
  unsigned short router;
  double rtt;
};

double network_random(uint64_t *seed) {
  *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(*seed >> 40) / (double)(1 << 24);
}

struct tr_address network_v4(uint32_t address) {
  struct tr_address a;
  memset(&a, 0xee, sizeof a); /* nobody may look at what an IPv4 address leaves over */
  a.family = AF_INET;
  a.ip.v4.s_addr = htonl(address);
  return a;
}

struct tr_address network_v6(uint32_t low) {
  static const unsigned char prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
  struct tr_address a;
  memset(&a, 0, sizeof a);
  a.family = AF_INET6;
  memcpy(&a.ip.v6, prefix, sizeof prefix);
  low = htonl(low);
  memcpy((char *)&a.ip.v6 + 12, &low, sizeof low);
  return a;
}

static int is_same(const struct tr_address *a, const struct tr_address *b) {
  if (a->family != b->family) return 0;
  if (a->family == AF_INET) return a->ip.v4.s_addr == b->ip.v4.s_addr;
  return a->family != AF_INET6 || memcmp(&a->ip.v6, &b->ip.v6, 16) == 0;
}

/* ---- what will be told: a heap by time ---- */

static int is_sooner(const struct network_event *a, const struct network_event *b) {
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void push(struct network *n, struct network_event e) {
  if (n->events == n->room) {
    n->room = n->room ? 2 * n->room : 256;
    n->event = realloc(n->event, n->room * sizeof *n->event);
    assert_non_null(n->event);
  }
  size_t i = n->events++;
  e.order = n->order++;
  for (; i > 0 && is_sooner(&e, &n->event[(i - 1) / 2]); i = (i - 1) / 2)
    n->event[i] = n->event[(i - 1) / 2];
  n->event[i] = e;
}

static struct network_event pop(struct network *n) {
  struct network_event top = n->event[0], e = n->event[--n->events];
  size_t i = 0, child;
  while ((child = 2 * i + 1) < n->events) {
    if (child + 1 < n->events && is_sooner(&n->event[child + 1], &n->event[child])) child++;
    if (!is_sooner(&n->event[child], &e)) break;
    n->event[i] = n->event[child];
    i = child;
  }
  n->event[i] = e;
  return top;
}

/* ---- what is out: a table by token ---- */

static size_t home(const struct network *n, uint32_t token) {
  return (size_t)(token * UINT32_C(2654435769)) & (n->flight_room - 1);
}

static struct network_flight *find(const struct network *n, uint32_t token) {
  for (size_t i = home(n, token);; i = (i + 1) & (n->flight_room - 1)) {
    if (n->flight[i].token == token) return &n->flight[i];
    if (n->flight[i].token == 0) return NULL;
  }
}

static void depart(struct network *n, struct network_flight f) {
  assert_null(find(n, f.token)); /* one name for one probe */
  size_t i = home(n, f.token);
  while (n->flight[i].token)
    i = (i + 1) & (n->flight_room - 1);
  n->flight[i] = f;
  if (++n->out > n->most_out) n->most_out = n->out;
}

static void arrive(struct network *n, struct network_flight *f) {
  size_t mask = n->flight_room - 1, hole = (size_t)(f - n->flight);
  n->out--;
  for (size_t i = (hole + 1) & mask; n->flight[i].token; i = (i + 1) & mask) {
    if (((i - home(n, n->flight[i].token)) & mask) < ((i - hole) & mask)) continue;
    n->flight[hole] = n->flight[i];
    hole = i;
  }
  n->flight[hole].token = 0;
}

/* ---- routers ---- */

static unsigned share_work(struct network *n, unsigned router, const struct tr_probe *probe) {
  unsigned siblings = n->router[router].siblings;
  if (siblings == 0) return router;
  if (n->per_packet) return router + (unsigned)(network_random(&n->seed) * (siblings + 1));
  uint32_t flow = probe->port * 31 + probe->local_port * 2654435761U;
  return router + (flow >> 16) % (siblings + 1);
}

static int keeps_limit(struct network_router *r, double now) {
  if (r->answers <= 0) return 1;
  if (now < r->answered_at) return 0;
  r->answered_at = now + 1 / r->answers;
  return 1;
}

/* What comes of a probe on the wire. */
static void travel(struct network *n, const struct network_path *path,
                   const struct tr_probe *probe) {
  unsigned hop = probe->ttl < path->length ? probe->ttl : path->length;
  struct network_event e = {.token = probe->token, .kind = TR_ANSWER_EXPIRED};
  if (hop == path->length) e.kind = TR_ANSWER_REACHED;
  for (unsigned i = 0; i < hop; i++) {
    e.router = (unsigned short)share_work(n, path->router[i], probe);
    if (!n->router[e.router].has_no_route) continue;
    e.kind = TR_ANSWER_NO_ROUTE;
    break;
  }
  struct network_router *r = &n->router[e.router];
  double deadline = n->now + n->options.wait_time;
  e.rtt = r->rtt + r->jitter * network_random(&n->seed);
  if (e.kind == TR_ANSWER_NO_ROUTE && r->is_anonymous) e.rtt = 0;
  if (r->late > 0 && network_random(&n->seed) < r->late) e.rtt += n->options.wait_time + 0.01;
  int is_lost = r->is_silent || (r->loss > 0 && network_random(&n->seed) < r->loss) ||
                !keeps_limit(r, n->now + e.rtt / 2);
  e.at = n->now + e.rtt;
  if (!is_lost) push(n, e);
  if (!is_lost && r->duplicate > 0 && network_random(&n->seed) < r->duplicate) {
    e.at += 0.03 * network_random(&n->seed);
    push(n, e);
  }
  if (!n->is_mute && (is_lost || e.at > deadline)) {
    e.at = deadline;
    e.kind = TR_ANSWER_SILENT;
    push(n, e);
  }
}

/* ---- the sender ---- */

static void check_probe(const struct network *n, const struct network_path *path,
                        const struct tr_probe *probe) {
  static const unsigned ports[] = {0, 33434, 80};
  unsigned port = ports[n->options.protocol];
  if (port && n->options.port) port = n->options.port;
  assert_int_equal(probe->port, port);
  assert_true(probe->token >= 1 && probe->token <= INT32_MAX);
  assert_true(probe->ttl >= 1 && probe->ttl <= n->options.max_ttl);
  assert_true(is_same(probe->to, &path->target));
  if (n->options.protocol == TR_PROTOCOL_UDP)
    assert_true(probe->local_port >= 1024 && probe->local_port < 32768);
  else
    assert_int_equal(probe->local_port, 0);
}

/* In no window more than a burst and the rate's share of it: (j - i + 1) - rate (tj - ti) is at
** most a burst for all i <= j. */
static void check_rate(struct network *n) {
  double rate = n->options.rate, burst = fmax(1, rate * TR_TRACE_BURST);
  double wire = (double)n->sent - rate * (n->now - NETWORK_START);
  if (n->sent == 0 || wire < n->wire_least) n->wire_least = wire;
  assert_true(wire - n->wire_least + 1 <= burst + 1e-3 + rate * 2e-6);
}

/* Paths have ids in the order of their targets' addresses (see network_run). */
static uint32_t path_of(const struct network *n, const struct tr_address *a) {
  uint32_t low;
  if (a->family == AF_INET)
    low = a->ip.v4.s_addr;
  else
    memcpy(&low, (const char *)&a->ip.v6 + 12, sizeof low);
  low = ntohl(low) & 0xffffff;
  assert_true(low < n->paths);
  return low;
}

static void take(struct network *n, const struct tr_probe *probe) {
  uint32_t id = path_of(n, probe->to);
  struct network_path *path = &n->path[id];
  check_probe(n, path, probe);
  check_rate(n);
  n->sent++;
  unsigned room = n->capacity ? n->capacity : UINT32_MAX;
  int is_refused = n->out >= room;
  depart(n, (struct network_flight){probe->token, id, probe->ttl, n->now});
  assert_true(n->out <= n->options.in_flight);
  struct network_event e = {.token = probe->token, .at = n->now + n->refuse_time};
  if (is_refused || probe->ttl == n->unsendable_ttl) {
    e.kind = is_refused ? TR_ANSWER_EXHAUSTED : TR_ANSWER_UNSENDABLE;
    push(n, e);
    return;
  }
  travel(n, path, probe);
  if (n->strangers > 0 && network_random(&n->seed) < n->strangers) {
    e.token = (uint32_t)(network_random(&n->seed) * 4294967295.0);
    e.kind = (unsigned char)(8 * network_random(&n->seed));
    if (!find(n, e.token)) push(n, e);
  }
}

static void note(struct network_path *path, const struct network_event *e, unsigned ttl) {
  if (path->words == path->room) {
    path->room = path->room ? 2 * path->room : 32;
    path->word = realloc(path->word, path->room * sizeof *path->word);
    assert_non_null(path->word);
  }
  path->word[path->words++] = (struct network_word){(unsigned char)ttl, e->kind, e->router, e->rtt};
}

static void fill_labels(struct tr_reply *reply, unsigned labels, unsigned router) {
  reply->labels = labels;
  for (unsigned i = 0; i < labels && i < TR_TRACE_LABELS_MAX; i++) {
    reply->label[i].label = 16000 + router;
    reply->label[i].traffic_class = i;
    reply->label[i].bottom = i + 1 == labels;
    reply->label[i].ttl = i + 1;
  }
}

/* What nobody told within its wait time and the grace is lost without a word. */
static void forget(struct network *n) {
  for (size_t i = 0; i < n->flight_room; i++) {
    struct network_flight *f = &n->flight[i];
    if (!f->token || n->now < f->sent_at + n->options.wait_time + TR_TRACE_GRACE - 1e-6) continue;
    struct network_event e = {.kind = TR_ANSWER_SILENT};
    note(&n->path[f->path], &e, f->ttl);
    arrive(n, f);
    i--; /* another one may have moved here */
  }
}

static void tell(struct network *n, struct tr_trace *t, const struct network_event *e) {
  struct tr_reply reply;
  struct network_flight *f = e->token ? find(n, e->token) : NULL;
  const struct network_router *r = &n->router[e->router];
  memset(&reply, 0, sizeof reply);
  reply.answer = (enum tr_answer)e->kind;
  reply.rtt = e->rtt;
  if (e->kind <= TR_ANSWER_REACHED || (e->kind == TR_ANSWER_NO_ROUTE && !r->is_anonymous))
    reply.from = r->address;
  fill_labels(&reply, r->labels, e->router);
  if (!f) {
    n->ignored++;
  } else if (e->kind == TR_ANSWER_EXHAUSTED || e->kind == TR_ANSWER_UNSENDABLE) {
    n->refused += e->kind == TR_ANSWER_EXHAUSTED;
    arrive(n, f);
  } else {
    struct network_event noted = *e; /* an answer after the wait time is none */
    if (e->rtt > n->options.wait_time) noted.kind = TR_ANSWER_SILENT;
    note(&n->path[f->path], &noted, f->ttl);
    arrive(n, f);
  }
  tr_trace_reply(t, e->token, &reply, n->now);
}

/* ---- checking ---- */

static void check_near(double value, double expected) {
  if (!(fabs(value - expected) <= NEAR * (1e-3 + fabs(expected))))
    fail_msg("%.17g instead of %.17g", value, expected);
}

/* Where the path ends by what was told. */
static unsigned expected_hops(const struct network *n, const struct network_path *path) {
  unsigned furthest = 0, reached = 0, no_route = 0, hops = n->options.max_ttl;
  if (n->options.packets_per_ttl == 0) return 0;
  for (unsigned i = 0; i < path->words; i++) {
    const struct network_word *w = &path->word[i];
    if (w->answer == TR_ANSWER_EXPIRED && w->ttl > furthest) furthest = w->ttl;
    if (w->answer == TR_ANSWER_REACHED && (!reached || w->ttl < reached)) reached = w->ttl;
  }
  for (unsigned i = 0; i < path->words; i++) {
    const struct network_word *w = &path->word[i];
    if (w->answer == TR_ANSWER_NO_ROUTE && w->ttl > furthest && (!no_route || w->ttl < no_route))
      no_route = w->ttl;
  }
  if (reached) return reached;
  if (n->options.gap && furthest + n->options.gap < hops) hops = furthest + n->options.gap;
  return no_route && no_route < hops ? no_route : hops;
}

static void check_labels(const struct tr_trace_node *node, unsigned labels, unsigned router) {
  struct tr_reply reply;
  memset(&reply, 0, sizeof reply);
  fill_labels(&reply, labels, router);
  assert_int_equal(node->labels, labels < TR_TRACE_LABELS_MAX ? labels : TR_TRACE_LABELS_MAX);
  for (unsigned i = 0; i < node->labels; i++) {
    assert_int_equal(node->label[i][0], reply.label[i].label);
    assert_int_equal(node->label[i][1], reply.label[i].traffic_class);
    assert_int_equal(node->label[i][2], reply.label[i].bottom);
    assert_int_equal(node->label[i][3], reply.label[i].ttl);
  }
}

/* Answers when it was first heard of. */
static unsigned check_node(const struct network *n, const struct network_path *path, unsigned ttl,
                           const struct tr_trace_node *node) {
  double sum = 0, squares = 0, least = HUGE_VAL, most = 0;
  unsigned count = 0, router = 0, first = 0;
  const struct tr_address nobody = {.family = 0};
  for (int pass = 0; pass < 2; pass++) {
    for (unsigned i = 0; i < path->words; i++) {
      const struct network_word *w = &path->word[i];
      const struct network_router *r = &n->router[w->router];
      int is_no_route = w->answer == TR_ANSWER_NO_ROUTE;
      if (w->ttl != ttl || w->answer == TR_ANSWER_SILENT || is_no_route != node->is_no_route ||
          !is_same(is_no_route && r->is_anonymous ? &nobody : &r->address, &node->address))
        continue;
      if (pass == 1) {
        squares += (w->rtt - sum / count) * (w->rtt - sum / count);
        continue;
      }
      if (count++ == 0) first = i;
      if (n->router[router].labels == 0 || count == 1) router = w->router;
      sum += w->rtt;
      least = fmin(least, w->rtt);
      most = fmax(most, w->rtt);
    }
  }
  assert_true(count > 0);
  assert_int_equal(node->count, count);
  check_near(node->mean, sum / count);
  check_near(node->min, least);
  check_near(node->max, most);
  check_near(node->deviation, count > 1 ? sqrt(squares / (count - 1)) : 0);
  check_labels(node, n->router[router].labels, router);
  return first;
}

static void check_hop(const struct network *n, const struct network_path *path,
                      const struct tr_trace_hop *hop, int was_aborted) {
  unsigned told = 0, lost = 0, counted = 0, before = 0;
  for (unsigned i = 0; i < path->words; i++) {
    told += path->word[i].ttl == hop->ttl;
    lost += path->word[i].ttl == hop->ttl && path->word[i].answer == TR_ANSWER_SILENT;
  }
  assert_int_equal(hop->sent, told);
  assert_int_equal(hop->lost, lost);
  if (!was_aborted) assert_int_equal(hop->sent, n->options.packets_per_ttl);
  for (unsigned i = 0; i < hop->nodes; i++) {
    unsigned first = check_node(n, path, hop->ttl, &hop->node[i]);
    assert_true(i == 0 || first > before);
    before = first;
    counted += hop->node[i].count;
  }
  assert_int_equal(hop->sent - hop->lost, counted);
}

static void check_result(struct network *n, const struct tr_trace_result *result) {
  assert_true(result->id < n->paths);
  struct network_path *path = &n->path[result->id];
  assert_true(is_same(&result->address, &path->target));
  assert_int_not_equal(path->length, 0); /* each comes once */
  assert_true(result->seconds >= 0 && result->seconds <= n->now - NETWORK_START + 1e-6);
  unsigned hops = expected_hops(n, path);
  if (result->was_aborted)
    assert_true(result->hops <= hops);
  else
    assert_int_equal(result->hops, hops);
  int is_reached = 0;
  for (unsigned i = 0; i < path->words; i++)
    is_reached |= path->word[i].answer == TR_ANSWER_REACHED;
  assert_int_equal(result->is_reached, is_reached);
  for (unsigned i = 0; i < result->hops; i++) {
    assert_int_equal(result->hop[i].ttl, i + 1);
    check_hop(n, path, &result->hop[i], result->was_aborted);
  }
  if (n->finished++ == 0) n->first_seconds = n->now - NETWORK_START;
  n->aborted += result->was_aborted != 0;
  n->reached += result->is_reached != 0;
  free(path->word);
  path->word = NULL;
  path->words = path->room = 0;
}

/* ---- running ---- */

static void begin(struct network *n, struct tr_trace *t) {
  n->now = NETWORK_START;
  n->flight_room = 64;
  while (n->flight_room < 2 * (size_t)n->options.in_flight)
    n->flight_room *= 2;
  n->flight = calloc(n->flight_room, sizeof *n->flight);
  assert_non_null(n->flight);
  for (unsigned i = 0; i < n->paths; i++) {
    assert_int_equal(path_of(n, &n->path[i].target), i);
    assert_int_equal(tr_trace_add(t, &n->path[i].target, i), 0);
  }
}

static void collect(struct network *n, struct tr_trace *t,
                    void (*look)(struct network *, const struct tr_trace_result *)) {
  struct tr_trace_result *result;
  while ((result = tr_trace_finished(t))) {
    check_result(n, result);
    if (look) look(n, result);
    n->path[result->id].length = 0;
    tr_trace_result_free(result);
  }
}

static void check_counts(struct network *n, const struct tr_trace *t) {
  struct tr_trace_counts c;
  tr_trace_count(t, &c);
  assert_int_equal(c.in_flight, n->out);
  assert_int_equal(c.sent, c.answered + c.lost + c.in_flight);
  assert_int_equal(c.exhausted, n->refused);
  assert_int_equal(c.unknown, n->ignored);
  if (c.targets > n->most_targets) n->most_targets = c.targets;
}

/* One turn: all that can be sent now, all that has finished, then on to the next event. */
static int turn(struct network *n, struct tr_trace *t,
                void (*look)(struct network *, const struct tr_trace_result *)) {
  struct tr_probe probe;
  double wait;
  if (n->is_mute) forget(n);
  while (tr_trace_next(t, n->now, &probe, &wait))
    take(n, &probe);
  collect(n, t, look);
  check_counts(n, t);
  if (look) look(n, NULL);
  if (tr_trace_is_done(t)) return 0;
  assert_true(wait >= 0);
  double next = n->now + wait, death = NETWORK_START + n->abort_at;
  if (n->events && n->event[0].at < next) next = n->event[0].at;
  assert_true(next < HUGE_VAL); /* or it would never end */
  if (n->abort_at > 0 && next >= death) {
    n->now = fmax(death, n->now);
    tr_trace_abort(t, n->now);
    memset(n->flight, 0, n->flight_room * sizeof *n->flight);
    n->out = 0;
    n->abort_at = 0;
    return 1;
  }
  n->now = next;
  while (n->events && n->event[0].at <= n->now) {
    struct network_event e = pop(n);
    tell(n, t, &e);
  }
  return 1;
}

void network_run(struct network *n,
                 void (*look)(struct network *, const struct tr_trace_result *)) {
  struct tr_trace *t = tr_trace_new(&n->options);
  assert_non_null(t);
  begin(n, t);
  while (turn(n, t, look))
    continue;
  assert_int_equal(n->finished, n->paths);
  n->seconds = n->now - NETWORK_START;
  while (n->events) { /* what comes after the end harms nobody */
    struct network_event e = pop(n);
    n->now = e.at;
    tell(n, t, &e);
  }
  tr_trace_free(t);
  for (unsigned i = 0; i < n->paths; i++)
    free(n->path[i].word);
  free(n->event);
  free(n->flight);
}
