/* timers: the clock, and what is to be called at which time of it. Who waits, and how, is not its
** business. A list belongs to one thread. Knows no Lua. */
#ifndef TR_TIMERS_H
#define TR_TIMERS_H

double tr_clock(void); /* monotonic seconds */

/* Fires once, when its time has come; embed it, zeroed, in what it belongs to. */
struct tr_timer {
  double at; /* tr_clock() seconds */
  void (*fire)(void *arg);
  void *arg;
  struct tr_timers *timers;       /* set while it runs; not the owner's to write, like the rest */
  struct tr_timer *next, *before; /* private */
};

/* Zeroed: none. */
struct tr_timers {
  struct tr_timer *first, *last;
};

/* Starts it, or moves it; of those due at the same time the first set fires first. */
void tr_timers_set(struct tr_timers *timers, struct tr_timer *timer, double at);
void tr_timer_stop(struct tr_timer *timer); /* idempotent */

/* When the next is due; below 0: none runs. */
double tr_timers_due(const struct tr_timers *timers);

/* Calls what is due, each once it has been stopped: it may set and stop any. Whether any was. */
int tr_timers_fire(struct tr_timers *timers, double now);

#endif
