/* reactor: libcurl's multi handle, sockets and timers behind one descriptor; see reactor.h. */
#include "reactor.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "locks.h"
#include "scrub.h"

#define EVENTS_AT_ONCE 64
#define EXACT_SECONDS 0.005 /* what is due sooner is waited for with the timerfd */
#define ATTACHMENTS_MAX 4
#define CONNECTIONS_KEPT 64 /* idle connections that stay open for later calls */
#define STREAMS 32          /* of a connection: libcurl looks at each whenever one of them moves */

struct attachment {
  const void *key;
  void *thing;
  void (*release)(void *thing);
};

struct tr_reactor {
  pid_t pid;
  pthread_t thread; /* of a shared one: whose it is */
  unsigned users;   /* of a shared one, like `next` under the lock */
  struct tr_reactor *next;
  int epoll;
  CURLM *multi;
  double curl_due;                      /* when libcurl wants to be called, or below 0 */
  double armed;                         /* what the timerfd is set to, or below 0 */
  struct tr_timer *timers, *last_timer; /* in the order in which they are due */
  struct tr_transfer *transfers;        /* those that run */
  struct tr_watch clock;                /* the timerfd */
  struct epoll_event *events;           /* those of the running run that were not looked at yet */
  int events_left;
  struct attachment attachments[ATTACHMENTS_MAX];
  int has_failures; /* of transfers, to be reported in the next run */
  int is_broken;    /* libcurl gave up on the multi handle: it is called no more */
  int is_running;   /* in a run, at the end of which the timerfd is set anyway */
  unsigned lent;    /* how many have the descriptor, who may wait longer than a run does */
};

/* An event is a watch's, by its address, or a socket of libcurl's, by its number with the lowest
** bit set, which no address has. */
static uint64_t mark_of_socket(int fd) {
  return (uint64_t)fd << 1 | 1;
}

static uint64_t mark_of_watch(const struct tr_watch *watch) {
  return (uint64_t)(uintptr_t)watch;
}

/* One for each thread, so that two Lua states in two threads never share a handle; but a state
** may be closed in another thread than it was used in, so that the list is everybody's. */
static struct tr_reactor *shared;

double tr_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- what libcurl tells us ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  struct tr_reactor *r = arg;
  (void)easy;
  (void)socket_arg;
  if (what == CURL_POLL_REMOVE) {
    /* Closing already took it out of the set: no error is worth reporting. */
    (void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.data.u64 = mark_of_socket(fd);
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
  return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *arg) {
  struct tr_reactor *r = arg;
  (void)multi;
  r->curl_due = ms < 0 ? -1 : tr_clock() + (double)ms * 1e-3;
  return 0;
}

/* ---- SIGPIPE ---- CURLOPT_NOSIGNAL leaves it to us: a peer that goes away must not end the
** process. Its disposition is the program's own business, so it is held back for the moment of
** the call only. */

struct pipe_guard {
  sigset_t pipe, before;
};

static void pipe_guard_begin(struct pipe_guard *guard) {
  sigemptyset(&guard->pipe);
  sigaddset(&guard->pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &guard->pipe, &guard->before);
}

static void pipe_guard_end(struct pipe_guard *guard) {
  static const struct timespec none;
  if (sigismember(&guard->before, SIGPIPE)) return;
  while (sigtimedwait(&guard->pipe, NULL, &none) == SIGPIPE)
    continue;
  pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ---- birth and death ---- */

/* libcurl writes credentials into buffers of requests, which it frees as they are. Where the
** process has set libcurl up before, its own allocator stays. Where memory is short the next call
** tries again. */
static int init_libcurl(void) {
  static int is_initialised;
  tr_lock(TR_LOCK_LIBCURL);
  if (!is_initialised)
    is_initialised =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, tr_scrub_malloc, tr_scrub_free, tr_scrub_realloc,
                             tr_scrub_strdup, tr_scrub_calloc) == CURLE_OK;
  int status = is_initialised ? 0 : -1;
  tr_unlock(TR_LOCK_LIBCURL);
  return status;
}

static int open_multi(struct tr_reactor *r) {
  tr_lock(TR_LOCK_LIBCURL);
  CURLM *multi = curl_multi_init();
  tr_unlock(TR_LOCK_LIBCURL);
  if (!multi) return -1;
  int failed = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  failed |= curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, r);
  failed |= curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  failed |= curl_multi_setopt(multi, CURLMOPT_TIMERDATA, r);
  failed |= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
  failed |= curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS);
  if (failed) {
    curl_multi_cleanup(multi);
    return -1;
  }
  r->multi = multi;
  return 0;
}

static void on_clock(void *arg) {
  struct tr_reactor *r = arg;
  uint64_t expirations;
  if (read(r->clock.fd, &expirations, sizeof expirations) > 0) r->armed = -1;
}

void tr_reactor_free(struct tr_reactor *r) {
  if (!r) return;
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  for (int i = 0; i < ATTACHMENTS_MAX; i++)
    if (r->attachments[i].thing) r->attachments[i].release(r->attachments[i].thing);
  if (r->multi) curl_multi_cleanup(r->multi);
  pipe_guard_end(&guard);
  if (r->epoll >= 0) close(r->epoll);
  if (r->clock.fd >= 0) close(r->clock.fd);
  tr_free(r);
}

struct tr_reactor *tr_reactor_new(void) {
  if (init_libcurl() != 0) return NULL;
  struct tr_reactor *r = tr_calloc(sizeof *r);
  if (!r) return NULL;
  r->pid = getpid();
  r->curl_due = r->armed = -1;
  r->epoll = epoll_create1(EPOLL_CLOEXEC);
  r->clock.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  r->clock.ready = on_clock;
  r->clock.arg = r;
  if (r->epoll < 0 || r->clock.fd < 0 || open_multi(r) != 0 || tr_watch_start(r, &r->clock) != 0) {
    tr_reactor_free(r);
    return NULL;
  }
  return r;
}

/* The parent's are left as they are: the sockets are its too, and what was behind the numbers of
** the others may have been closed by the program, and be something else by now. */
static void forget_foreign(void) {
  while (shared && !tr_reactor_is_ours(shared))
    shared = shared->next;
}

struct tr_reactor *tr_reactor_get(void) {
  tr_lock(TR_LOCK_REACTOR);
  forget_foreign();
  struct tr_reactor *r = shared;
  while (r && !pthread_equal(r->thread, pthread_self()))
    r = r->next;
  if (!r && (r = tr_reactor_new())) {
    r->thread = pthread_self();
    r->next = shared;
    shared = r;
  }
  if (r) r->users++;
  tr_unlock(TR_LOCK_REACTOR);
  return r;
}

void tr_reactor_release(struct tr_reactor *r) {
  if (!r || !tr_reactor_is_ours(r)) return;
  tr_lock(TR_LOCK_REACTOR);
  int is_last = --r->users == 0;
  for (struct tr_reactor **link = &shared; is_last && *link; link = &(*link)->next) {
    if (*link != r) continue;
    *link = r->next;
    break;
  }
  tr_unlock(TR_LOCK_REACTOR);
  if (is_last) tr_reactor_free(r);
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

/* ---- timers ---- */

static double next_due(const struct tr_reactor *r) {
  double due = r->curl_due;
  if (r->has_failures) return 0;
  if (r->timers && (due < 0 || r->timers->at < due)) due = r->timers->at;
  return due;
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

void tr_timer_stop(struct tr_timer *timer) {
  struct tr_reactor *r = timer->reactor;
  if (!r) return;
  *(timer->before ? &timer->before->next : &r->timers) = timer->next;
  *(timer->next ? &timer->next->before : &r->last_timer) = timer->before;
  timer->reactor = NULL;
}

/* Nearly every timer is a deadline, and due after those that were set before: its place is looked
** for from the end. */
void tr_timer_set(struct tr_reactor *r, struct tr_timer *timer, double at) {
  tr_timer_stop(timer);
  struct tr_timer *before = r->last_timer;
  if (r->timers && at < r->timers->at) before = NULL;
  while (before && before->at > at)
    before = before->before;
  timer->at = at;
  timer->reactor = r;
  timer->before = before;
  timer->next = before ? before->next : r->timers;
  *(before ? &before->next : &r->timers) = timer;
  *(timer->next ? &timer->next->before : &r->last_timer) = timer;
  if (!r->is_running) arm(r);
}

static int fire_due(struct tr_reactor *r, double now) {
  int fired = 0;
  while (r->timers && r->timers->at <= now) {
    struct tr_timer *timer = r->timers;
    tr_timer_stop(timer);
    timer->fire(timer->arg);
    fired = 1;
  }
  return fired;
}

/* ---- transfers ---- */

int tr_reactor_start(struct tr_reactor *r, struct tr_transfer *t) {
  if (r->is_broken || (!r->multi && open_multi(r) != 0)) return -1;
  if (curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) != CURLE_OK) return -1;
  if (curl_multi_add_handle(r->multi, t->easy) != CURLM_OK) return -1;
  t->reactor = r;
  t->failure = 0;
  t->next = r->transfers;
  t->link = &r->transfers;
  if (t->next) t->next->link = &t->next;
  r->transfers = t;
  arm(r);
  return 0;
}

static void detach(struct tr_reactor *r, struct tr_transfer *t) {
  t->reactor = NULL;
  *t->link = t->next;
  if (t->next) t->next->link = t->link;
  curl_multi_remove_handle(r->multi, t->easy);
}

/* Our end of the connection that the transfer uses; 0: none yet. */
static long local_port(const struct tr_transfer *t) {
  long port = 0;
  curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port);
  return port;
}

/* Bytes that were held back are taken in while libcurl is told to go on; if they are refused, it
** says so here and nowhere else. The transfer is ended in the next run. */
static void go_on(struct tr_reactor *r, struct tr_transfer *t) {
  CURLcode result = curl_easy_pause(t->easy, CURLPAUSE_CONT);
  if (result == CURLE_OK) return;
  t->failure = (int)result;
  r->has_failures = 1;
}

/* A stream of an HTTP/2 connection that others use is reset when libcurl next sends something
** there, which may take as long as the slowest answer. Telling it to go on with one of the
** others makes it. */
static void send_what_waits(struct tr_reactor *r, long port) {
  struct tr_transfer *other = r->transfers;
  while (other && (other->failure || local_port(other) != port))
    other = other->next;
  if (!other) return;
  curl_easy_pause(other->easy, CURLPAUSE_RECV);
  go_on(r, other);
}

void tr_reactor_stop(struct tr_transfer *t) {
  struct tr_reactor *r = t->reactor;
  struct pipe_guard guard;
  if (!r) return;
  if (!tr_reactor_is_ours(r)) {
    t->reactor = NULL;
    return;
  }
  pipe_guard_begin(&guard);
  long port = local_port(t);
  /* Closes the connection if nobody else uses it: only then does the peer learn it now. */
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
  detach(r, t);
  if (port) send_what_waits(r, port);
  pipe_guard_end(&guard);
  arm(r);
}

void tr_reactor_resume(struct tr_transfer *t) {
  if (!t->reactor) return;
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  go_on(t->reactor, t);
  pipe_guard_end(&guard);
  arm(t->reactor);
}

/* Nothing in the multi handle can be relied on any more, and nothing that runs in it will end: all
** of it fails for lack of memory, and what is started later gets another handle. */
static void replace_multi(struct tr_reactor *r) {
  for (struct tr_transfer *t = r->transfers; t; t = t->next) {
    curl_multi_remove_handle(r->multi, t->easy);
    t->failure = CURLE_OUT_OF_MEMORY;
    r->has_failures = 1;
  }
  curl_multi_cleanup(r->multi);
  r->multi = NULL;
  r->curl_due = -1;
  r->is_broken = 0;
}

static int report_failed(struct tr_reactor *r) {
  int reported = 0;
  struct tr_transfer *t = r->has_failures ? r->transfers : NULL;
  r->has_failures = 0;
  while (t) {
    int failure = t->failure;
    if (!failure) {
      t = t->next;
      continue;
    }
    t->failure = 0;
    detach(r, t);
    t->ended(t->arg, failure);
    reported = 1;
    /* What it called may have changed the list. */
    t = r->transfers;
  }
  return reported;
}

static int report_ended(struct tr_reactor *r) {
  int reported = 0, left;
  CURLMsg *message;
  while (r->multi && (message = curl_multi_info_read(r->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    struct tr_transfer *t = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    detach(r, t);
    t->ended(t->arg, (int)result);
    reported = 1;
  }
  return reported;
}

static int curl_flags(uint32_t events) {
  int flags = 0;
  if (events & EPOLLIN) flags |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) flags |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) flags |= CURL_CSELECT_ERR;
  return flags;
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

/* It gives up where memory is short, or a socket could not be watched. */
static void act(struct tr_reactor *r, curl_socket_t socket, int flags) {
  int running;
  if (!r->multi || r->is_broken) return;
  if (curl_multi_socket_action(r->multi, socket, flags, &running) > CURLM_OK) r->is_broken = 1;
}

static void look_at(struct tr_reactor *r, const struct epoll_event *event) {
  uint64_t mark = event->data.u64;
  if (mark & 1) {
    act(r, (curl_socket_t)(mark >> 1), curl_flags(event->events));
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
  if (r->curl_due >= 0 && r->curl_due <= tr_clock()) {
    r->curl_due = -1;
    act(r, CURL_SOCKET_TIMEOUT, 0);
    moved = 1;
  }
  return moved;
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

int tr_reactor_run(struct tr_reactor *r, double seconds) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int count = epoll_wait(r->epoll, events, EVENTS_AT_ONCE, wait_ms(r, seconds));
  if (count < 0) return errno == EINTR ? TR_RUN_INTERRUPTED : TR_RUN_IDLE;
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  r->is_running = 1;
  int moved = advance(r, events, count);
  moved |= report_ended(r);
  if (r->is_broken) replace_multi(r);
  moved |= report_failed(r);
  moved |= fire_due(r, tr_clock());
  r->is_running = 0;
  pipe_guard_end(&guard);
  arm(r);
  return moved ? TR_RUN_MOVED : TR_RUN_IDLE;
}
