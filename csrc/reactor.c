/* reactor: transfers, times and descriptors behind one descriptor; see reactor.h. */
#include "reactor.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "multi.h"
#include "sigpipe.h"
#include "timers.h"

#define EVENTS_AT_ONCE 64
#define EXACT_SECONDS 0.005 /* what is due sooner is waited for with the timerfd */
#define ATTACHMENTS_MAX 4
#define NAP_SECONDS 0.01

struct attachment {
  const void *key;
  void *thing;
  void (*release)(void *thing);
};

struct tr_reactor {
  pid_t pid;
  unsigned users; /* of a shared one */
  int epoll;
  struct tr_multi multi;
  struct tr_timers timers;
  struct tr_watch clock;      /* the timerfd */
  double armed;               /* what the timerfd is set to, or below 0 */
  struct epoll_event *events; /* those of the running run that were not looked at yet */
  int events_left;
  struct attachment attachments[ATTACHMENTS_MAX];
  int is_running; /* in a run, at the end of which the timerfd is set anyway */
  unsigned lent;  /* how many have the descriptor, who may wait longer than a run does */
};

/* What an event's data hold, unless it is one of the multi handle's. */
static uint64_t mark_of_watch(const struct tr_watch *watch) {
  return (uint64_t)(uintptr_t)watch;
}

/* ---- birth and death ---- */

static void on_clock(void *arg) {
  struct tr_reactor *r = arg;
  uint64_t expirations;
  if (read(r->clock.fd, &expirations, sizeof expirations) > 0) r->armed = -1;
}

void tr_reactor_free(struct tr_reactor *r) {
  if (!r) return;
  struct tr_sigpipe held;
  tr_sigpipe_hold(&held);
  for (int i = 0; i < ATTACHMENTS_MAX; i++)
    if (r->attachments[i].thing) r->attachments[i].release(r->attachments[i].thing);
  tr_multi_cleanup(&r->multi);
  tr_sigpipe_release(&held);
  if (r->epoll >= 0) close(r->epoll);
  if (r->clock.fd >= 0) close(r->clock.fd);
  tr_free(r);
}

static int open_all(struct tr_reactor *r) {
  r->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (r->epoll < 0) return -1;
  r->clock.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (r->clock.fd < 0 || tr_watch_start(r, &r->clock) != 0) return -1;
  if (tr_multi_init(&r->multi, r, r->epoll) == 0) return 0;
  errno = ENOMEM;
  return -1;
}

struct tr_reactor *tr_reactor_new(void) {
  struct tr_reactor *r = tr_calloc(sizeof *r);
  if (!r) {
    errno = ENOMEM;
    return NULL;
  }
  r->pid = getpid();
  r->users = 1;
  r->armed = -1;
  r->epoll = r->clock.fd = -1;
  r->clock.ready = on_clock;
  r->clock.arg = r;
  if (open_all(r) == 0) return r;
  int reason = errno;
  tr_reactor_free(r);
  errno = reason;
  return NULL;
}

void tr_reactor_share(struct tr_reactor *r) {
  r->users++;
}

/* A parent's is left as it is: the sockets are its too, and what was behind the numbers of the
** others may have been closed by the program, and be something else by now. */
void tr_reactor_release(struct tr_reactor *r) {
  if (r && tr_reactor_is_ours(r) && --r->users == 0) tr_reactor_free(r);
}

int tr_reactor_is_ours(const struct tr_reactor *r) {
  return r->pid == getpid();
}

void *tr_reactor_attached(const struct tr_reactor *r, const void *key) {
  for (int i = 0; i < ATTACHMENTS_MAX; i++)
    if (r->attachments[i].key == key) return r->attachments[i].thing;
  return NULL;
}

int tr_reactor_attach(struct tr_reactor *r, const void *key, void *thing,
                      void (*release)(void *thing)) {
  for (int i = 0; i < ATTACHMENTS_MAX; i++) {
    if (r->attachments[i].key) continue;
    r->attachments[i] = (struct attachment){key, thing, release};
    return 0;
  }
  return -1;
}

/* ---- times ---- */

static double next_due(const struct tr_reactor *r) {
  double due = tr_timers_due(&r->timers), multi = tr_multi_due(&r->multi);
  return due < 0 || (multi >= 0 && multi < due) ? multi : due;
}

static void set_clock(struct tr_reactor *r, double due) {
  if (due == r->armed) return;
  struct itimerspec spec;
  memset(&spec, 0, sizeof spec);
  if (due >= 0) {
    spec.it_value.tv_sec = (time_t)due;
    spec.it_value.tv_nsec = (long)((due - (double)(time_t)due) * 1e9);
    if (spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec == 0) spec.it_value.tv_nsec = 1;
  }
  if (timerfd_settime(r->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0) r->armed = due;
}

/* Makes times visible to whoever polls the descriptor; a run knows them without it. */
static void arm(struct tr_reactor *r) {
  if (r->lent > 0) set_clock(r, next_due(r));
}

int tr_reactor_lend_fd(struct tr_reactor *r) {
  r->lent++;
  arm(r);
  return r->epoll;
}

void tr_reactor_return_fd(struct tr_reactor *r) {
  r->lent--;
}

void tr_timer_set(struct tr_reactor *r, struct tr_timer *timer, double at) {
  tr_timers_set(&r->timers, timer, at);
  if (!r->is_running) arm(r);
}

/* ---- transfers ---- */

int tr_reactor_start(struct tr_reactor *r, struct tr_transfer *t) {
  if (tr_multi_start(&r->multi, t) != 0) return -1;
  arm(r);
  return 0;
}

void tr_reactor_stop(struct tr_transfer *t) {
  struct tr_sigpipe held;
  if (!t->multi) return;
  struct tr_reactor *r = t->multi->reactor;
  if (!tr_reactor_is_ours(r)) {
    t->multi = NULL;
    return;
  }
  tr_sigpipe_hold(&held);
  tr_multi_stop(&r->multi, t);
  tr_sigpipe_release(&held);
  arm(r);
}

void tr_reactor_resume(struct tr_transfer *t) {
  struct tr_sigpipe held;
  if (!t->multi) return;
  struct tr_reactor *r = t->multi->reactor;
  tr_sigpipe_hold(&held);
  tr_multi_resume(&r->multi, t);
  tr_sigpipe_release(&held);
  arm(r);
}

/* ---- watches ---- */

int tr_watch_start(struct tr_reactor *r, struct tr_watch *watch) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = watch->is_writer ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = mark_of_watch(watch);
  if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0) return 0;
  return epoll_ctl(r->epoll, EPOLL_CTL_ADD, watch->fd, &event);
}

void tr_watch_stop(struct tr_reactor *r, struct tr_watch *watch) {
  (void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  /* Another's `ready` may stop it while its own event is still to be looked at. */
  for (int i = 0; i < r->events_left; i++)
    if (r->events[i].data.u64 == mark_of_watch(watch)) r->events[i].data.u64 = 0;
}

/* ---- a run ---- */

static void look_at(struct tr_reactor *r, const struct epoll_event *event) {
  uint64_t mark = event->data.u64;
  if (mark & TR_MULTI_MARK) {
    tr_multi_look(&r->multi, mark, event->events);
  } else if (mark) {
    struct tr_watch *watch = (struct tr_watch *)(uintptr_t)mark;
    watch->ready(watch->arg);
  }
}

static int advance(struct tr_reactor *r, struct epoll_event *events, int count) {
  int moved = count > 0;
  r->events = events;
  r->events_left = count;
  while (r->events_left > 0) {
    r->events_left--;
    look_at(r, r->events++);
  }
  return tr_multi_advance(&r->multi, tr_clock()) | moved;
}

/* -1: as long as it takes. Whole milliseconds are not exact enough for what is due soon. */
static int wait_ms(struct tr_reactor *r, double seconds) {
  double due = next_due(r);
  if (due >= 0) {
    double left = due - tr_clock();
    if (left > 0 && left < EXACT_SECONDS) set_clock(r, due);
    if (left < seconds) seconds = left;
  }
  if (seconds <= 0) return 0;
  return seconds > INT_MAX / 1000 - 1 ? -1 : (int)ceil(seconds * 1e3);
}

/* A program may have closed what was not its own, and nothing can be waited for any more: times still
** end what runs. */
static void nap(double seconds) {
  struct timespec rest = {0, 0};
  rest.tv_nsec = seconds < NAP_SECONDS ? (long)(seconds * 1e9) : (long)(NAP_SECONDS * 1e9);
  (void)nanosleep(&rest, NULL);
}

int tr_reactor_run(struct tr_reactor *r, double seconds) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int count = epoll_wait(r->epoll, events, EVENTS_AT_ONCE, wait_ms(r, seconds));
  if (count < 0 && errno == EINTR) return TR_RUN_INTERRUPTED;
  if (count < 0) {
    count = 0;
    nap(seconds);
  }
  struct tr_sigpipe held;
  tr_sigpipe_hold(&held);
  r->is_running = 1;
  int moved = advance(r, events, count);
  moved |= tr_multi_report(&r->multi);
  moved |= tr_timers_fire(&r->timers, tr_clock());
  r->is_running = 0;
  tr_sigpipe_release(&held);
  arm(r);
  return moved ? TR_RUN_MOVED : TR_RUN_IDLE;
}
