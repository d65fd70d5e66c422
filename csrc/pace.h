/* pace: how fast requests may go out. A sliding window that is never overrun (1,200 in 300 s is
** the service's limit for a user or token), a second one for bursts (200 in a second, the limit
** for an address), and what the service itself says in its Ratelimit header. Pure: the clock is
** handed in, in seconds, and never runs backwards. Not thread-safe: its owner locks. */
#ifndef TR_PACE_H
#define TR_PACE_H

#define TR_PACE_QUOTA 1200     /* requests … */
#define TR_PACE_WINDOW 301.0   /* … in this many seconds: 300, and one for uneven travel times */
#define TR_PACE_BURST 200      /* requests in one second */
#define TR_PACE_HOLD_MAX 900.0 /* seconds: three times the service's longest block */

struct tr_pace {
  double *sent; /* ring of the last times of sending */
  int capacity; /* of the ring */
  int quota;    /* at most `capacity`; 0: no limit of our own */
  int next;     /* where the next time is written */
  int count;    /* times in the ring */
  double hold;  /* nothing goes out before this time */
};

/* 0, or -1: out of memory. quota <= 0: only what the service says holds. */
int tr_pace_init(struct tr_pace *p, int quota);
void tr_pace_cleanup(struct tr_pace *p);

/* Another quota from now on; what was sent is not forgotten. 0, or -1: out of memory, nothing
** changed. */
int tr_pace_set_quota(struct tr_pace *p, int quota);

/* Seconds from `now` until one more request may go out; 0: now. */
double tr_pace_wait(const struct tr_pace *p, double now);

/* One request goes out now. */
void tr_pace_sent(struct tr_pace *p, double now);

/* Nothing goes out for that many seconds (a 429 with its retry-after). */
void tr_pace_hold(struct tr_pace *p, double now, double seconds);

/* The value of a Ratelimit header, such as "default";r=50;t=30 : with nothing remaining (r=0)
** nothing goes out until t is over. Several policies may stand in one value, separated by
** commas. What cannot be read is ignored; t above 600 counts as 600. */
void tr_pace_read(struct tr_pace *p, const char *ratelimit, double now);

#endif
