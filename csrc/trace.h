/* trace: the state machine of traceroutes run from here, many targets at once. It decides which
** probe goes out when, and counts what comes back; it sends nothing, resolves nothing, and gets its
** clock handed in, so that a test can run it against a simulated network. Knows no Lua.
**
** Whoever drives it asks tr_trace_next for the next probe, sends it, and tells what became of it;
** and takes what has finished after every call that could finish a target: next, reply, abort. */
#ifndef TR_TRACE_H
#define TR_TRACE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define TR_TRACE_TTL_MAX 64
#define TR_TRACE_PACKETS_MAX 10
#define TR_TRACE_IN_FLIGHT_MAX 65536
#define TR_TRACE_LABELS_MAX 8 /* MPLS labels kept of one reply */

/* Seconds beyond the wait time after which a probe of which nothing was told is taken for lost. */
#define TR_TRACE_GRACE 1.0

/* A target is ended when it was refused so many times in a row, each time anew after a pause, in
** which others have their turns; or when so many in a row were refused, whoever's, and nothing was
** answered. Those that are refused after it end at once, until anything is answered again. */
#define TR_TRACE_REFUSALS 100

/* What may go out at once after a pause: so many seconds' worth of `rate`, and one at least. */
#define TR_TRACE_BURST 0.005

enum tr_protocol { TR_PROTOCOL_ICMP, TR_PROTOCOL_UDP, TR_PROTOCOL_TCP };

/* An IPv4 (family AF_INET) or IPv6 address. */
struct tr_address {
  int family;
  union {
    struct in_addr v4;
    struct in6_addr v6;
  } ip;
};

/* Numbers beyond their bounds count as the bound. */
struct tr_trace_options {
  enum tr_protocol protocol;
  unsigned max_ttl;         /* 0 to 64; 0: no hop is probed */
  unsigned packets_per_ttl; /* 0 to 10 */
  unsigned port;            /* 0: the protocol's usual one (udp 33434, tcp 80) */
  double wait_time;         /* seconds after which a probe is lost */
  double rate;              /* packets a second at most, for all targets together; from 0.01 */
  unsigned in_flight;       /* probes out at once at most, for all targets together; from 1 */
  uint32_t seed;            /* of local ports: two processes that trace one target need two */
  unsigned gap;             /* silent hops in a row after which a target is given up; 0: never */
};

/* A probe to be sent. */
struct tr_probe {
  uint32_t token;              /* names it until it is answered, lost or refused; 1 to INT32_MAX */
  const struct tr_address *to; /* good until the next call */
  unsigned ttl, port;
  unsigned local_port; /* udp: the same for all probes to a target; else 0 */
};

/* What became of a probe. */
enum tr_answer {
  TR_ANSWER_EXPIRED,    /* a router on the way said that the TTL ran out */
  TR_ANSWER_REACHED,    /* the target itself answered */
  TR_ANSWER_SILENT,     /* nothing came within the wait time */
  TR_ANSWER_NO_ROUTE,   /* there is no route, says this machine or one on the way */
  TR_ANSWER_EXHAUSTED,  /* could not be sent yet: it will be asked for again, it is not lost */
  TR_ANSWER_UNSENDABLE, /* could not be sent at all (not permitted, network down): ends its target */
  TR_ANSWER_REFUSED /* could not be sent, perhaps for want of something that will be there later:
                       as if exhausted, but for TR_TRACE_REFUSALS in a row */
};

struct tr_reply {
  enum tr_answer answer;
  struct tr_address from; /* of EXPIRED and REACHED, and of NO_ROUTE where known (family 0: not) */
  double rtt;             /* seconds, of those that have a `from`; 0 where not known */
  int is_local;           /* said by this machine: no sign that the sender answers anything */
  unsigned labels;        /* MPLS labels that came with it */
  struct {
    uint32_t label;
    unsigned traffic_class, bottom, ttl;
  } label[TR_TRACE_LABELS_MAX];
};

struct tr_trace;

/* NULL: out of memory. Options are copied. Memory grows with targets in flight, not with all of
** them: those that wait their turn cost 24 bytes, and finished ones are handed out
** (tr_trace_finished) and forgotten. */
struct tr_trace *tr_trace_new(const struct tr_trace_options *options);
void tr_trace_free(struct tr_trace *t);

/* Adds a target, known by the caller's `id`; the address is copied. 0, or -1: out of memory. May be
** called at any time. */
int tr_trace_add(struct tr_trace *t, const struct tr_address *address, uint32_t id);

/* The next probe to send now: 1, and *probe. Or 0, and *wait says after how many seconds to ask
** again at the latest (HUGE_VAL: only after a reply or a new target). Replies never come: what is
** out longer than its wait time and a grace is taken for lost here, so that a dead sender cannot
** hang a trace. Without memory for a new target it asks for patience; without memory for a hop of
** one, that target is ended as aborted. `now` is seconds on a clock that never goes back. */
int tr_trace_next(struct tr_trace *t, double now, struct tr_probe *probe, double *wait);

/* What became of a probe. Unknown and late tokens are counted and otherwise ignored. An answer
** after more than the wait time is none, though the sender still knew whose it was. */
void tr_trace_reply(struct tr_trace *t, uint32_t token, const struct tr_reply *reply, double now);

/* Ends every target with what is known (the sender died, the caller cancels), and those added later
** too: what is out counts as neither sent nor lost. */
void tr_trace_abort(struct tr_trace *t, double now);

/* No target is left, finished ones taken included. */
int tr_trace_is_done(const struct tr_trace *t);

/* ---- what came of a target ---- */

struct tr_trace_node {
  struct tr_address address; /* family 0: this machine said that there is no route */
  unsigned count;
  double min, max, mean; /* seconds */
  double deviation;      /* seconds; the sample's (n - 1), 0 for one packet */
  int is_no_route;       /* it said that there is no route */
  unsigned labels;
  uint32_t label[TR_TRACE_LABELS_MAX][4]; /* label, traffic class, bottom, ttl: of its first
                                             labelled reply */
};

struct tr_trace_hop {
  unsigned ttl, sent, lost; /* sent - lost is the sum of the nodes' counts */
  unsigned nodes;
  struct tr_trace_node *node; /* in the order in which they first answered */
};

struct tr_trace_result {
  uint32_t id;
  struct tr_address address;
  unsigned hops; /* up to the one at which the target answered or the route ended, or all that were
                    probed within the gap */
  struct tr_trace_hop *hop;
  int is_reached;
  int was_aborted;
  double seconds; /* from its first probe to its end */
};

/* The next finished target, in the order of finishing; NULL: none now. The caller's to free; it
** outlives the trace. */
struct tr_trace_result *tr_trace_finished(struct tr_trace *t);
void tr_trace_result_free(struct tr_trace_result *result);

/* Counters for tests and the curious: sent = answered + lost + in_flight. */
struct tr_trace_counts {
  uint64_t sent, answered, lost, exhausted, unknown;
  unsigned in_flight;
  unsigned targets; /* neither waiting nor finished */
};
void tr_trace_count(const struct tr_trace *t, struct tr_trace_counts *counts);

#endif
