/* trace: which probe goes out when, for many targets at once; see trace.h. It keeps the targets,
** and when what may be sent; the probes that are out it leaves to trace_flight, what is known of
** one target's way to trace_path.
**
** A target is awake while it may have a probe to send that is sure to count; it is ahead while
** all it may have is a guess; it is shut out for a while after the sender refused it; otherwise it
** is asleep, until one of its probes is answered or grows old enough. Awake ones are served in
** turn, then new ones are begun, and only what is left goes to guesses: while the rate is what holds
** us up nothing is wasted, no more targets are begun than it takes to use the rate, so that the
** first are done early; and a lone target is done quickly. */
#include "trace.h"

#include <math.h>
#include <string.h>

#include "alloc.h"
#include "trace_flight.h"
#include "trace_path.h"

/* Seconds without sending after the sender said that it has no room, or refused a probe while nothing
** is answered; an answer ends them. */
#define BACK_OFF 0.02
/* Seconds after an answer in which a refusal is taken for its target's own trouble. */
#define ANSWERED 0.25
/* Seconds for which a target whose probe was refused is not tried again: a bit more, so that the
** next one gets its chance, and shows whether it is all of them. */
#define SHUT_OUT 0.025
/* Seconds to wait for memory. */
#define STARVED 0.1
#define RATE_MIN 0.01
#define RATE_MAX 1e9
#define WAIT_MAX 3600.0
#define WAITING_AT_ONCE 128

struct target {
  struct tr_trace_path path; /* the first member: see there */
  struct tr_link link;       /* in awake, ahead, shut_out, asleep or finished */
  struct tr_link slots;      /* its probes that are out */
  double began;              /* -1: nothing was sent yet */
  unsigned refusals;         /* in a row, not counting those of probes that were out already */
  double refused_at;
  int is_awake, is_shut_out;
};

/* Targets that wait their turn, in blocks. */
struct waiting {
  struct waiting *next;
  unsigned from, to;
  struct {
    struct tr_address address;
    uint32_t id;
  } item[WAITING_AT_ONCE];
};

struct tr_trace {
  struct tr_trace_options options;
  struct tr_trace_flight flight;
  struct tr_link awake, ahead, shut_out, asleep, finished;
  struct waiting *waiting, *waiting_last;
  double due;              /* when the next packet would go out if there were no bursts */
  double burst;            /* seconds by which it may go out earlier */
  double paused_until;     /* no room at the sender, or it refuses everybody */
  double allowed;          /* probes out at once, as learned from a sender without room */
  double answered_at;      /* the last time */
  double refused_at;       /* the last time that it counted */
  double tried_at;         /* when the last probe went out, unless the sender never had it */
  unsigned refusals;       /* of anybody, in a row, each after a pause */
  int is_refused_for_good; /* as often as it takes, and nothing was answered since */
  int is_aborted;
  struct tr_trace_counts counts;
};

static double bound(double value, double least, double most) {
  if (!(value > least)) return least; /* NaN too */
  return value < most ? value : most;
}

static void keep_options(struct tr_trace *t, const struct tr_trace_options *options) {
  struct tr_trace_options *o = &t->options;
  *o = *options;
  if (o->max_ttl > TR_TRACE_TTL_MAX) o->max_ttl = TR_TRACE_TTL_MAX;
  if (o->packets_per_ttl > TR_TRACE_PACKETS_MAX) o->packets_per_ttl = TR_TRACE_PACKETS_MAX;
  if (o->in_flight > TR_TRACE_IN_FLIGHT_MAX) o->in_flight = TR_TRACE_IN_FLIGHT_MAX;
  if (o->in_flight == 0) o->in_flight = 1;
  o->wait_time = bound(o->wait_time, 0, WAIT_MAX);
  o->rate = bound(o->rate, RATE_MIN, RATE_MAX);
  if (o->protocol == TR_PROTOCOL_ICMP) o->port = 0;
  if (o->port == 0 && o->protocol == TR_PROTOCOL_UDP) o->port = 33434;
  if (o->port == 0 && o->protocol == TR_PROTOCOL_TCP) o->port = 80;
  t->allowed = o->in_flight;
  t->due = t->paused_until = -HUGE_VAL;
  t->answered_at = t->refused_at = t->tried_at = -HUGE_VAL;
  double packets = o->rate * TR_TRACE_BURST;
  t->burst = packets > 1 ? (packets - 1) / o->rate : 0;
}

struct tr_trace *tr_trace_new(const struct tr_trace_options *options) {
  struct tr_trace *t = tr_calloc(sizeof *t);
  if (!t) return NULL;
  keep_options(t, options);
  double patience = t->options.wait_time + TR_TRACE_GRACE;
  if (tr_trace_flight_init(&t->flight, t->options.in_flight, patience) != 0) {
    tr_free(t);
    return NULL;
  }
  tr_list_init(&t->awake);
  tr_list_init(&t->ahead);
  tr_list_init(&t->shut_out);
  tr_list_init(&t->asleep);
  tr_list_init(&t->finished);
  return t;
}

static void free_targets(struct tr_link *list) {
  while (!tr_list_is_empty(list)) {
    struct target *target = TR_OWNER(struct target, link, list->next);
    tr_list_remove(&target->link);
    tr_trace_result_free(&target->path.result);
  }
}

void tr_trace_free(struct tr_trace *t) {
  if (!t) return;
  free_targets(&t->awake);
  free_targets(&t->ahead);
  free_targets(&t->shut_out);
  free_targets(&t->asleep);
  free_targets(&t->finished);
  while (t->waiting) {
    struct waiting *next = t->waiting->next;
    tr_free(t->waiting);
    t->waiting = next;
  }
  tr_trace_flight_cleanup(&t->flight);
  tr_free(t);
}

/* ---- targets ---- */

int tr_trace_add(struct tr_trace *t, const struct tr_address *address, uint32_t id) {
  struct waiting *last = t->waiting_last;
  if (!last || last->to == WAITING_AT_ONCE) {
    struct waiting *fresh = tr_realloc(NULL, sizeof *fresh);
    if (!fresh) return -1;
    fresh->next = NULL;
    fresh->from = fresh->to = 0;
    if (last)
      last->next = fresh;
    else
      t->waiting = fresh;
    t->waiting_last = last = fresh;
  }
  last->item[last->to].address = *address;
  last->item[last->to].id = id;
  last->to++;
  return 0;
}

/* Begins the target whose turn it is, in no list yet. NULL: out of memory. */
static struct target *begin(struct tr_trace *t) {
  struct waiting *w = t->waiting;
  struct target *target = tr_calloc(sizeof *target);
  if (!target) return NULL;
  tr_trace_path_begin(&target->path, &t->options, &w->item[w->from].address, w->item[w->from].id);
  tr_list_init(&target->slots);
  target->began = -1;
  target->refused_at = -HUGE_VAL;
  if (++w->from == w->to) {
    t->waiting = w->next;
    if (!t->waiting) t->waiting_last = NULL;
    tr_free(w);
  }
  return target;
}

static void wake(struct tr_trace *t, struct target *target) {
  if (target->is_awake) return;
  tr_list_remove(&target->link);
  tr_list_append(&t->awake, &target->link);
  target->is_awake = 1;
  target->is_shut_out = 0;
}

static void shut_out(struct tr_trace *t, struct target *target) {
  tr_list_remove(&target->link);
  tr_list_append(&t->shut_out, &target->link);
  target->is_awake = 0;
  target->is_shut_out = 1;
}

/* Seconds until one that is shut out may be tried again; HUGE_VAL: there is none. */
static double shut_out_for(const struct tr_trace *t, double now) {
  if (tr_list_is_empty(&t->shut_out)) return HUGE_VAL;
  const struct target *target = TR_OWNER(struct target, link, t->shut_out.next);
  return tr_trace_until(target->refused_at + SHUT_OUT, now);
}

/* Its probes that are still out, beyond its end or given up, stay so until they are answered. */
static void end(struct tr_trace *t, struct target *target, int is_aborted, double now) {
  while (!tr_list_is_empty(&target->slots)) {
    struct tr_trace_slot *slot = TR_OWNER(struct tr_trace_slot, sibling, target->slots.next);
    tr_list_remove(&slot->sibling);
    slot->target = NULL;
  }
  tr_trace_path_end(&target->path, is_aborted);
  if (target->began >= 0) target->path.result.seconds = now - target->began;
  tr_list_remove(&target->link);
  tr_list_append(&t->finished, &target->link);
  t->counts.targets--;
}

/* Targets that end without a probe are made only when they are asked for: there may be many. */
static int ends_at_once(const struct tr_trace *t) {
  return t->is_aborted || t->options.max_ttl == 0 || t->options.packets_per_ttl == 0;
}

struct tr_trace_result *tr_trace_finished(struct tr_trace *t) {
  struct target *target;
  if (!tr_list_is_empty(&t->finished)) {
    target = TR_OWNER(struct target, link, t->finished.next);
    tr_list_remove(&target->link);
  } else if (t->waiting && ends_at_once(t)) {
    target = begin(t);
    if (!target) return NULL;
    tr_trace_path_end(&target->path, t->is_aborted);
  } else {
    return NULL;
  }
  return &target->path.result;
}

int tr_trace_is_done(const struct tr_trace *t) {
  return !t->waiting && t->counts.targets == 0 && tr_list_is_empty(&t->finished);
}

void tr_trace_count(const struct tr_trace *t, struct tr_trace_counts *counts) {
  *counts = t->counts;
  counts->in_flight = t->flight.out_now;
}

/* ---- what became of probes ---- */

static void release(struct tr_trace *t, struct tr_trace_slot *slot) {
  struct target *target = slot->target;
  if (target && !slot->is_rested) tr_trace_path_rested(&target->path, slot->ttl);
  tr_trace_flight_end(&t->flight, slot);
}

/* The sender may be shared, so what it has room for is found by trying: as much as was out when it
** had none, and slowly more with every answer. A refused packet was paid for out of the rate. */
static void back_off(struct tr_trace *t, double now) {
  if (t->allowed > t->flight.out_now) t->allowed = t->flight.out_now;
  if (t->allowed < 1) t->allowed = 1;
  t->paused_until = now + BACK_OFF;
}

/* What was not the sender's word only takes back that its probe was a try. */
static void come_forward(struct tr_trace *t, int is_local, double now) {
  if (is_local) {
    t->tried_at = -HUGE_VAL;
    return;
  }
  t->answered_at = now;
  t->refusals = 0;
  t->is_refused_for_good = 0;
  if (t->allowed < t->options.in_flight) t->allowed += 1 / t->allowed;
  t->paused_until = -HUGE_VAL;
}

static const struct tr_reply silent = {.answer = TR_ANSWER_SILENT};

/* While others are answered a refusal holds up nobody but its target. While none is, it may be
** everybody's: then they are tried one by one, with pauses, and all their refusals count as one's.
** What was out together is refused together, which counts once. */
static void refuse(struct tr_trace *t, struct target *target, double sent_at, double now) {
  if (target && sent_at >= target->refused_at) {
    target->refused_at = now;
    if (++target->refusals >= TR_TRACE_REFUSALS) t->is_refused_for_good = 1;
    shut_out(t, target);
  }
  if (t->is_refused_for_good || sent_at < t->refused_at || now - t->answered_at < ANSWERED) return;
  t->refused_at = now;
  if (++t->refusals >= TR_TRACE_REFUSALS)
    t->is_refused_for_good = 1;
  else
    t->paused_until = now + BACK_OFF;
}

/* Ends a probe's being out, then does for its target what follows. */
static void settle(struct tr_trace *t, struct tr_trace_slot *slot, const struct tr_reply *reply,
                   double now) {
  struct target *target = slot->target;
  release(t, slot);
  enum tr_answer what = reply->answer;
  if (what == TR_ANSWER_REFUSED) {
    refuse(t, target, slot->sent_at, now);
    what = t->is_refused_for_good ? TR_ANSWER_UNSENDABLE : TR_ANSWER_EXHAUSTED;
  }
  if (what == TR_ANSWER_EXHAUSTED) {
    t->counts.exhausted++;
    t->counts.sent--;
    if (reply->answer == TR_ANSWER_EXHAUSTED) back_off(t, now);
    if (!target) return;
    tr_trace_path_take_back(&target->path, slot->ttl);
    if (!target->is_shut_out) wake(t, target);
  } else if (what == TR_ANSWER_UNSENDABLE) {
    t->counts.sent--;
    if (target) end(t, target, 1, now);
  } else {
    if (what == TR_ANSWER_SILENT)
      t->counts.lost++;
    else
      t->counts.answered++;
    come_forward(t, reply->is_local, now);
    if (!target) return;
    target->refusals = 0;
    if (tr_trace_path_answer(&target->path, slot->ttl, reply) != 0)
      end(t, target, 1, now);
    else if (tr_trace_path_is_over(&target->path))
      end(t, target, 0, now);
    else
      wake(t, target);
  }
}

void tr_trace_reply(struct tr_trace *t, uint32_t token, const struct tr_reply *reply, double now) {
  struct tr_trace_slot *slot = tr_trace_flight_find(&t->flight, token);
  if (!slot || (unsigned)reply->answer > TR_ANSWER_REFUSED) {
    t->counts.unknown++;
    return;
  }
  int has_from = reply->answer == TR_ANSWER_EXPIRED || reply->answer == TR_ANSWER_REACHED ||
                 reply->answer == TR_ANSWER_NO_ROUTE;
  if (has_from && reply->rtt > t->options.wait_time && reply->rtt <= WAIT_MAX) {
    settle(t, slot, &silent, now);
  } else if (reply->rtt >= 0 && reply->rtt <= WAIT_MAX) {
    settle(t, slot, reply, now);
  } else { /* no time that a sender could have taken: then by our clock */
    struct tr_reply timed = *reply;
    timed.rtt = bound(now - slot->sent_at, 0, WAIT_MAX);
    settle(t, slot, &timed, now);
  }
}

static void abort_targets(struct tr_trace *t, struct tr_link *list, double now) {
  while (!tr_list_is_empty(list))
    end(t, TR_OWNER(struct target, link, list->next), 1, now);
}

void tr_trace_abort(struct tr_trace *t, double now) {
  t->is_aborted = 1;
  abort_targets(t, &t->awake, now);
  abort_targets(t, &t->ahead, now);
  abort_targets(t, &t->shut_out, now);
  abort_targets(t, &t->asleep, now);
  struct tr_trace_slot *slot;
  while ((slot = tr_trace_flight_oldest(&t->flight))) {
    t->counts.sent--;
    release(t, slot);
  }
}

/* ---- sending ---- */

/* Takes what nobody told of for lost, and wakes those whose probes have grown old, or who were shut
** out for long enough. */
static void grow_old(struct tr_trace *t, double now) {
  struct tr_trace_slot *slot;
  while (shut_out_for(t, now) == 0)
    wake(t, TR_OWNER(struct target, link, t->shut_out.next));
  while ((slot = tr_trace_flight_overdue(&t->flight, now)))
    settle(t, slot, &silent, now);
  while ((slot = tr_trace_flight_aged(&t->flight, TR_TRACE_AGE_SPACING, now))) {
    struct target *target = slot->target;
    if (!target) continue;
    tr_trace_path_rested(&target->path, slot->ttl);
    wake(t, target);
  }
  while ((slot = tr_trace_flight_aged(&t->flight, TR_TRACE_AGE_QUIET, now))) {
    struct target *target = slot->target;
    if (!target) continue;
    tr_trace_path_quiet(&target->path, slot->ttl);
    wake(t, target);
  }
}

/* Seconds for which nothing may be sent. */
static double held(const struct tr_trace *t, double now) {
  if (t->flight.out_now >= (unsigned)t->allowed) return HUGE_VAL;
  double until = fmax(t->paused_until, t->due - t->burst);
  if (t->refusals > 0 && !t->is_refused_for_good) until = fmax(until, t->tried_at + BACK_OFF);
  return tr_trace_until(until, now);
}

/* Whether another target may be begun: of those that are neither awake nor shut out each has a probe
** out, and there are never more targets in flight than probes may be out. */
static int may_begin(const struct tr_trace *t) {
  return t->waiting && !ends_at_once(t) && t->counts.targets < t->options.in_flight;
}

/* Whose turn it is, and with which TTL; it stays first in its list. NULL: there is none. */
static struct target *choose(struct tr_trace *t, unsigned *ttl) {
  struct target *target;
  for (;;) {
    if (!tr_list_is_empty(&t->awake)) {
      target = TR_OWNER(struct target, link, t->awake.next);
      *ttl = tr_trace_path_next(&target->path, TR_TRACE_PATH_SURE);
      if (*ttl) return target;
      target->is_awake = 0;
      tr_list_remove(&target->link);
      tr_list_append(&t->ahead, &target->link);
    } else if (may_begin(t) && (target = begin(t))) {
      t->counts.targets++;
      tr_list_append(&t->awake, &target->link);
      target->is_awake = 1;
    } else if (!tr_list_is_empty(&t->ahead)) {
      target = TR_OWNER(struct target, link, t->ahead.next);
      *ttl = tr_trace_path_next(&target->path, TR_TRACE_PATH_AHEAD);
      if (*ttl) return target;
      tr_list_remove(&target->link);
      tr_list_append(&t->asleep, &target->link);
    } else {
      return NULL;
    }
  }
}

/* One port for all probes to a target, so that balancers which look at ports send them all one
** way. Mixed with the seed, since mtr-packet tells whose an answer is by target, ports and a number
** that begins alike in each process. Neighbouring ids get ports far apart, and none is among those
** that Linux gives to others' connections (from 32768). */
static unsigned local_port(uint32_t id, uint32_t seed) {
  uint64_t hash = (uint32_t)((id ^ seed) * UINT32_C(2654435769));
  return 1024 + (unsigned)(hash * (32768 - 1024) >> 32);
}

static void launch(struct tr_trace *t, struct target *target, unsigned ttl, double now,
                   struct tr_probe *probe) {
  struct tr_trace_result *result = &target->path.result;
  probe->token = tr_trace_flight_begin(&t->flight, target, &target->slots, ttl, now)->token;
  probe->to = &result->address;
  probe->ttl = ttl;
  probe->port = t->options.port;
  probe->local_port =
      t->options.protocol == TR_PROTOCOL_UDP ? local_port(result->id, t->options.seed) : 0;
  if (target->began < 0) target->began = now;
  t->tried_at = now;
  t->due = fmax(t->due, now) + 1 / t->options.rate;
  t->counts.sent++;
}

int tr_trace_next(struct tr_trace *t, double now, struct tr_probe *probe, double *wait) {
  grow_old(t, now);
  double hold = held(t, now);
  unsigned ttl;
  struct target *target;
  while (hold == 0 && (target = choose(t, &ttl))) {
    if (tr_trace_path_sent(&target->path, ttl) != 0) {
      end(t, target, 1, now);
      continue;
    }
    tr_list_remove(&target->link);
    tr_list_append(target->is_awake ? &t->awake : &t->ahead, &target->link);
    launch(t, target, ttl, now, probe);
    return 1;
  }
  *wait = fmin(tr_trace_flight_wait(&t->flight, now), shut_out_for(t, now));
  if (hold == 0) hold = STARVED; /* what is left now could not begin, or not be handed out */
  if (t->waiting || !tr_list_is_empty(&t->awake) || !tr_list_is_empty(&t->ahead))
    *wait = fmin(*wait, hold);
  return 0;
}
