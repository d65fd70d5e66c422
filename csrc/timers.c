/* timers: the clock, and what is to be called when; see timers.h. */
#include "timers.h"

#include <stddef.h>
#include <time.h>

double tr_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void tr_timer_stop(struct tr_timer *timer) {
  struct tr_timers *timers = timer->timers;
  if (!timers) return;
  *(timer->before ? &timer->before->next : &timers->first) = timer->next;
  *(timer->next ? &timer->next->before : &timers->last) = timer->before;
  timer->timers = NULL;
}

/* Nearly every timer is a deadline, and due after those that were set before: its place is looked
** for from the end. */
void tr_timers_set(struct tr_timers *timers, struct tr_timer *timer, double at) {
  tr_timer_stop(timer);
  struct tr_timer *before = timers->last;
  if (timers->first && at < timers->first->at) before = NULL;
  while (before && before->at > at)
    before = before->before;
  timer->at = at;
  timer->timers = timers;
  timer->before = before;
  timer->next = before ? before->next : timers->first;
  *(before ? &before->next : &timers->first) = timer;
  *(timer->next ? &timer->next->before : &timers->last) = timer;
}

double tr_timers_due(const struct tr_timers *timers) {
  return timers->first ? timers->first->at : -1;
}

int tr_timers_fire(struct tr_timers *timers, double now) {
  int fired = 0;
  while (timers->first && timers->first->at <= now) {
    struct tr_timer *timer = timers->first;
    tr_timer_stop(timer);
    timer->fire(timer->arg);
    fired = 1;
  }
  return fired;
}
