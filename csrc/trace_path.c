/* trace_path: what is known of the way to one target; see trace_path.h. It must not know time, nor
** how probes are named and sent.
**
** The hops that a result has do not depend on the order in which answers come: all packets go to
** each TTL up to `last`, and `last` follows from who answered at which TTL. */
#include "trace_path.h"

#include <math.h>
#include <string.h>

#include "alloc.h"

#define ROOM_FIRST 8

struct tr_trace_path_hop {
  unsigned char out;     /* packets of which nothing is known yet */
  unsigned char resting; /* of these, the ones too young for another to follow */
  unsigned char is_known, is_quiet, is_no_route;
};

void tr_trace_path_begin(struct tr_trace_path *p, const struct tr_trace_options *options,
                         const struct tr_address *address, uint32_t id) {
  p->result.id = id;
  p->result.address = *address;
  p->options = options;
  p->first = 1;
  p->last = options->max_ttl;
  if (options->gap && options->gap < p->last) p->last = options->gap;
}

static int is_complete(const struct tr_trace_path *p, unsigned ttl) {
  return p->result.hop[ttl - 1].sent == p->options->packets_per_ttl && !p->state[ttl - 1].out;
}

/* Where the path ends: where the target answered; or at the first that knew no route, unless some
** packet came past it (one of several routes is broken); or where silence gets too long. */
static unsigned find_last(const struct tr_trace_path *p) {
  unsigned last = p->options->max_ttl, gap = p->options->gap;
  if (p->reached) return p->reached;
  if (gap && gap < last - p->furthest) last = p->furthest + gap;
  for (unsigned ttl = p->furthest + 1; ttl <= p->result.hops && ttl < last; ttl++)
    if (p->state[ttl - 1].is_no_route) last = ttl;
  return last;
}

static void look_again(struct tr_trace_path *p) {
  unsigned hops = p->result.hops;
  p->last = find_last(p);
  if (p->known < p->furthest) p->known = p->furthest;
  while (p->known < hops && p->state[p->known].is_known)
    p->known++;
  if (p->heard < p->known) p->heard = p->known;
  while (p->heard < hops && (p->state[p->heard].is_known || p->state[p->heard].is_quiet))
    p->heard++;
  while (p->first <= hops && is_complete(p, p->first))
    p->first++;
}

/* Round by round: the first packet to each TTL, then the second, and so on, so that a router that
** limits its answers meets the packets of one target spread out. */
static unsigned fewest_sent(const struct tr_trace_path *p, unsigned from, unsigned to) {
  unsigned best = 0, fewest = p->options->packets_per_ttl;
  if (to > p->last) to = p->last;
  for (unsigned ttl = from; ttl <= to && fewest > 0; ttl++) {
    unsigned sent = ttl > p->result.hops ? 0 : p->result.hop[ttl - 1].sent;
    if (sent >= fewest || (sent && p->state[ttl - 1].resting)) continue;
    best = ttl;
    fewest = sent;
  }
  return best;
}

/* First where the path ends, as far as the window goes; then the rest of the packets to TTLs that
** keep silent, so that the wait times of a silent stretch pass side by side. */
static unsigned next_ahead(const struct tr_trace_path *p) {
  unsigned to = p->heard + TR_TRACE_PATH_WINDOW;
  if (to > p->last) to = p->last;
  for (unsigned ttl = p->known + 1; ttl <= to; ttl++)
    if (ttl > p->result.hops || p->result.hop[ttl - 1].sent == 0) return ttl;
  return fewest_sent(p, p->known + 1, p->heard);
}

unsigned tr_trace_path_next(const struct tr_trace_path *p, enum tr_trace_path_need need) {
  if (need == TR_TRACE_PATH_AHEAD) return next_ahead(p);
  return fewest_sent(p, p->first, p->known + 1);
}

static int make_room(struct tr_trace_path *p) {
  unsigned room = p->room ? 2 * p->room : ROOM_FIRST;
  struct tr_trace_hop *hop = tr_realloc(p->result.hop, room * sizeof *hop);
  if (!hop) return -1;
  p->result.hop = hop;
  struct tr_trace_path_hop *state = tr_realloc(p->state, room * sizeof *state);
  if (!state) return -1;
  p->state = state;
  p->room = room;
  return 0;
}

int tr_trace_path_sent(struct tr_trace_path *p, unsigned ttl) {
  if (ttl > p->result.hops) { /* by one: no TTL is left out */
    if (p->result.hops == p->room && make_room(p) != 0) return -1;
    memset(&p->result.hop[ttl - 1], 0, sizeof *p->result.hop);
    memset(&p->state[ttl - 1], 0, sizeof *p->state);
    p->result.hop[ttl - 1].ttl = ttl;
    p->result.hops = ttl;
  }
  p->result.hop[ttl - 1].sent++;
  p->state[ttl - 1].out++;
  p->state[ttl - 1].resting++;
  return 0;
}

void tr_trace_path_rested(struct tr_trace_path *p, unsigned ttl) {
  p->state[ttl - 1].resting--;
}

void tr_trace_path_quiet(struct tr_trace_path *p, unsigned ttl) {
  p->state[ttl - 1].is_quiet = 1;
  look_again(p);
}

void tr_trace_path_take_back(struct tr_trace_path *p, unsigned ttl) {
  p->result.hop[ttl - 1].sent--;
  p->state[ttl - 1].out--;
}

static int is_same(const struct tr_address *a, const struct tr_address *b) {
  if (a->family != b->family) return 0;
  if (a->family == AF_INET) return a->ip.v4.s_addr == b->ip.v4.s_addr;
  if (a->family == AF_INET6) return memcmp(&a->ip.v6, &b->ip.v6, sizeof a->ip.v6) == 0;
  return 1;
}

/* The node that gave this answer, a new one if need be; NULL: out of memory. Who says that there is
** no route is kept apart from itself saying something else: the one may come without an RTT. */
static struct tr_trace_node *find_node(struct tr_trace_hop *hop, const struct tr_reply *reply) {
  int is_no_route = reply->answer == TR_ANSWER_NO_ROUTE;
  for (unsigned i = 0; i < hop->nodes; i++)
    if (hop->node[i].is_no_route == is_no_route && is_same(&hop->node[i].address, &reply->from))
      return &hop->node[i];
  struct tr_trace_node *node = tr_realloc(hop->node, (hop->nodes + 1) * sizeof *node);
  if (!node) return NULL;
  hop->node = node;
  node += hop->nodes++;
  memset(node, 0, sizeof *node);
  node->address = reply->from;
  node->is_no_route = is_no_route;
  return node;
}

static void keep_labels(struct tr_trace_node *node, const struct tr_reply *reply) {
  node->labels = reply->labels < TR_TRACE_LABELS_MAX ? reply->labels : TR_TRACE_LABELS_MAX;
  for (unsigned i = 0; i < node->labels; i++) {
    node->label[i][0] = reply->label[i].label;
    node->label[i][1] = reply->label[i].traffic_class;
    node->label[i][2] = reply->label[i].bottom;
    node->label[i][3] = reply->label[i].ttl;
  }
}

/* Welford's way, which loses no digits to a large mean. Until the end `deviation` holds the sum of
** the squared differences. */
static void keep_rtt(struct tr_trace_node *node, double rtt) {
  if (node->count == 0 || rtt < node->min) node->min = rtt;
  if (node->count == 0 || rtt > node->max) node->max = rtt;
  node->count++;
  double off = rtt - node->mean;
  node->mean += off / node->count;
  node->deviation += off * (rtt - node->mean);
}

int tr_trace_path_answer(struct tr_trace_path *p, unsigned ttl, const struct tr_reply *reply) {
  struct tr_trace_hop *hop = &p->result.hop[ttl - 1];
  struct tr_trace_path_hop *state = &p->state[ttl - 1];
  if (reply->answer == TR_ANSWER_SILENT) {
    hop->lost++;
  } else {
    struct tr_trace_node *node = find_node(hop, reply);
    if (!node) return -1;
    if (node->labels == 0) keep_labels(node, reply);
    keep_rtt(node, reply->rtt);
  }
  state->out--;
  state->is_known = 1;
  if (reply->answer == TR_ANSWER_NO_ROUTE) state->is_no_route = 1;
  if (reply->answer == TR_ANSWER_EXPIRED && ttl > p->furthest) p->furthest = ttl;
  if (reply->answer == TR_ANSWER_REACHED && (!p->reached || ttl < p->reached)) p->reached = ttl;
  look_again(p);
  return 0;
}

int tr_trace_path_is_over(const struct tr_trace_path *p) {
  return p->first > p->last || p->options->packets_per_ttl == 0;
}

static void end_hop(struct tr_trace_hop *hop) {
  for (unsigned i = 0; i < hop->nodes; i++) {
    struct tr_trace_node *node = &hop->node[i];
    node->deviation = node->count > 1 ? sqrt(node->deviation / (node->count - 1)) : 0;
  }
}

void tr_trace_path_end(struct tr_trace_path *p, int is_aborted) {
  struct tr_trace_result *result = &p->result;
  unsigned hops = 0;
  for (unsigned i = 0; i < result->hops; i++) {
    result->hop[i].sent -= p->state[i].out;
    if (i < p->last && result->hop[i].sent) hops = i + 1;
  }
  for (unsigned i = hops; i < result->hops; i++)
    tr_free(result->hop[i].node);
  for (unsigned i = 0; i < hops; i++)
    end_hop(&result->hop[i]);
  result->hops = hops;
  result->is_reached = p->reached != 0;
  result->was_aborted = is_aborted;
  tr_free(p->state);
  p->state = NULL;
}

void tr_trace_result_free(struct tr_trace_result *result) {
  if (!result) return;
  struct tr_trace_path *p = (struct tr_trace_path *)result;
  for (unsigned i = 0; i < result->hops; i++)
    tr_free(result->hop[i].node);
  tr_free(result->hop);
  tr_free(p->state);
  tr_free(p);
}
