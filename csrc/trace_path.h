/* trace_path: what is known of the way to one target: its hops, their nodes and statistics, which
** TTL is worth a probe next, and when all is known. It has no clock, no tokens, and knows of no
** other target. Private to trace. Knows no Lua. */
#ifndef TR_TRACE_PATH_H
#define TR_TRACE_PATH_H

#include "trace.h"

/* TTLs probed at once beyond those heard of. Whatever goes beyond the target arrives there too, and
** a host may answer no more than six in a burst (Linux does so for port unreachable and TTL
** exceeded): with the usual three packets a hop that leaves room for three TTLs too many. */
#define TR_TRACE_PATH_WINDOW 4

struct tr_trace_path_hop;

struct tr_trace_path {
  struct tr_trace_result result; /* the first member: freeing the result frees the whole block */
  /* private */
  const struct tr_trace_options *options;
  struct tr_trace_path_hop *state; /* of result.hop */
  unsigned room;                   /* of both arrays */
  unsigned first;                  /* lowest TTL that still has packets to send or out */
  unsigned furthest;               /* highest TTL at which a router answered */
  unsigned known;                  /* up to here it is known what became of a packet */
  unsigned heard;                  /* the same, or waited for long enough to look beyond */
  unsigned reached;                /* lowest TTL at which the target answered; 0: none */
  unsigned last;                   /* highest TTL that belongs to the path, as far as is known */
};

enum tr_trace_path_need {
  TR_TRACE_PATH_SURE, /* a packet that will be counted, or that finds the end of the path */
  TR_TRACE_PATH_AHEAD /* one that is wasted if the target is nearer; saves time if not */
};

/* In place and zeroed before; the options have to live as long, up to tr_trace_path_end. */
void tr_trace_path_begin(struct tr_trace_path *p, const struct tr_trace_options *options,
                         const struct tr_address *address, uint32_t id);

/* The TTL of the probe to send next, or 0: none now. */
unsigned tr_trace_path_next(const struct tr_trace_path *p, enum tr_trace_path_need need);

/* Told of a TTL that tr_trace_path_next named. 0, or -1: out of memory, nothing has changed. */
int tr_trace_path_sent(struct tr_trace_path *p, unsigned ttl);

/* Of a packet that is out; then each comes once at most, in this order. Rested: the TTL's next
** packet may follow; comes at the latest with its answer. Quiet: it keeps us waiting for long. */
void tr_trace_path_rested(struct tr_trace_path *p, unsigned ttl);
void tr_trace_path_quiet(struct tr_trace_path *p, unsigned ttl);

/* A packet is out no more: it was never sent; or it was answered or lost, then 0, or -1: there is
** no memory to keep the answer, nothing has changed, and the path can only be ended. */
void tr_trace_path_take_back(struct tr_trace_path *p, unsigned ttl);
int tr_trace_path_answer(struct tr_trace_path *p, unsigned ttl, const struct tr_reply *reply);

int tr_trace_path_is_over(const struct tr_trace_path *p);

/* Makes the result ready to be handed out; what is out counts as never sent. */
void tr_trace_path_end(struct tr_trace_path *p, int is_aborted);

#endif
