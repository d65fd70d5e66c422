/* trace_flight: the probes that are out: their names, and how long they have been so. It must not
** know what they are for. Private to trace. Knows no Lua. */
#ifndef TR_TRACE_FLIGHT_H
#define TR_TRACE_FLIGHT_H

#include <stdint.h>

#include "list.h"

/* Seconds between two packets to one TTL of a target, unless the first is answered before: routers
** limit what they answer. */
#define TR_TRACE_SPACING 0.05
/* Seconds after which a probe is not waited for any more before looking beyond its TTL: more than
** most round trips, a fraction of a usual wait time. */
#define TR_TRACE_QUIET 0.25

/* The ages at which a probe that is out changes what may be sent. */
enum { TR_TRACE_AGE_SPACING, TR_TRACE_AGE_QUIET, TR_TRACE_AGES };

/* A probe that is out, or room for one. */
struct tr_trace_slot {
  struct tr_link link;    /* private */
  struct tr_link sibling; /* in what was given to tr_trace_flight_begin */
  void *target;           /* the user's; NULL: has ended, then it is in no list of siblings */
  double sent_at;
  uint32_t token;
  unsigned char ttl;
  unsigned char is_out;    /* private */
  unsigned char is_rested; /* is as old as TR_TRACE_SPACING */
};

struct tr_trace_flight {
  unsigned out_now; /* how many are out */
  /* private */
  uint32_t slots;
  double patience;
  struct tr_trace_slot *slot;
  struct tr_link idle, out;             /* out: in the order of sending */
  struct tr_link *young[TR_TRACE_AGES]; /* the first in `out` that has not that age yet */
};

/* Room for so many at once, each given up after `patience` seconds. 0, or -1: out of memory. */
int tr_trace_flight_init(struct tr_trace_flight *f, uint32_t slots, double patience);
void tr_trace_flight_cleanup(struct tr_trace_flight *f);

/* There has to be room. The token is 1 to INT32_MAX, and not that of any before it that may still
** be heard of. */
struct tr_trace_slot *tr_trace_flight_begin(struct tr_trace_flight *f, void *target,
                                            struct tr_link *siblings, unsigned ttl, double now);
void tr_trace_flight_end(struct tr_trace_flight *f, struct tr_trace_slot *slot);

struct tr_trace_slot *tr_trace_flight_find(const struct tr_trace_flight *f, uint32_t token);
struct tr_trace_slot *tr_trace_flight_oldest(const struct tr_trace_flight *f);

/* One that patience has ended for, until it is ended; NULL: none. */
struct tr_trace_slot *tr_trace_flight_overdue(const struct tr_trace_flight *f, double now);

/* One that has come to an age, once for each; NULL: none. */
struct tr_trace_slot *tr_trace_flight_aged(struct tr_trace_flight *f, int age, double now);

/* Seconds until one of these has something; HUGE_VAL: nothing is out. */
double tr_trace_flight_wait(const struct tr_trace_flight *f, double now);

/* Seconds until `at`, 0 when it has come, with some slack: whoever asks again after exactly that
** time is not put off by the last digit of a sum. */
static inline double tr_trace_until(double at, double now) {
  return at - now > 1e-6 ? at - now : 0;
}

#endif
