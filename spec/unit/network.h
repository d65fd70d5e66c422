/* network: a simulated network under a virtual clock, for tests of trace. It has routers with their
** faults, paths of them to targets, and a sender in between that behaves as a real one does: it
** reports what it heard within the wait time, and silence after. It writes down what it told for
** each probe, and checks results against that: it knows the contract of trace, not its insides. */
#ifndef TR_TEST_NETWORK_H
#define TR_TEST_NETWORK_H

#include "trace.h"

#define NETWORK_START 123456.0 /* the clock's first time */

/* Shares are from 0 to 1. */
struct network_router {
  struct tr_address address;
  double rtt, jitter; /* seconds; jitter is added evenly, and more than a little reorders */
  double loss, duplicate;
  double late;       /* share that arrives after the wait time */
  double answers;    /* per second at most; 0: no limit */
  unsigned siblings; /* this many routers after it in the table share its work */
  int is_silent;
  int has_no_route;   /* answers so to what it would have to pass on, and to what ends with it */
  int is_anonymous;   /* with has_no_route: without saying who it is, as one's own machine */
  unsigned labels;    /* MPLS */
  double answered_at; /* private: the limit's next free time */
};

/* The routers on the way, then the target as the last; TTLs beyond it reach it too. */
struct network_path {
  struct tr_address target;
  unsigned length;
  unsigned short router[TR_TRACE_TTL_MAX];
  struct network_word *word; /* private: what was told, in the order of telling */
  unsigned words, room;
};

struct network {
  struct network_router *router;
  struct network_path *path; /* a target's id is its index here */
  unsigned paths;
  struct tr_trace_options options;
  uint64_t seed;
  unsigned capacity;       /* probes that the sender takes at once; 0: no limit */
  double refuse_time;      /* seconds until it says that it is exhausted */
  double strangers;        /* share of sends after which a token that nobody gave out is answered */
  int per_packet;          /* routers share work packet by packet, not flow by flow */
  int is_mute;             /* the sender never reports silence */
  double abort_at;         /* seconds after the start at which the sender dies; 0: never */
  unsigned unsendable_ttl; /* the sender may not send this one; 0: none */
  /* what was seen */
  uint64_t sent, refused, ignored; /* ignored: replies that must not have counted */
  unsigned most_out, finished, aborted, reached;
  unsigned most_targets; /* in flight at once */
  double seconds;        /* virtual, to the end of the last */
  double first_seconds;  /* to the end of the first */
  /* private */
  double now, wire_least;
  uint64_t order;
  unsigned out;
  struct network_event *event;
  size_t events, room;
  struct network_flight *flight; /* by token, in a table with open addresses */
  size_t flights, flight_room;
};

struct tr_address network_v4(uint32_t address); /* in the machine's byte order */
struct tr_address network_v6(uint32_t low);

double network_random(uint64_t *seed); /* 0 <= x < 1, the same row on every machine */

/* Adds all paths' targets to a trace, drives it to its end and checks each result and bounds on
** rate and probes out on the way; then cleans up what it has allocated. Calls `look`, if not NULL,
** with each result before it is freed, and after each turn with NULL. */
void network_run(struct network *n, void (*look)(struct network *, const struct tr_trace_result *));

#endif
