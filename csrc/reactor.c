/* reactor: libcurl's multi handle, its sockets and timers behind one descriptor; see reactor.h. */
#include "reactor.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"

#define EVENTS_AT_ONCE 64
#define CONNECTIONS_KEPT 64 /* idle connections that stay open for later calls */

struct tr_reactor {
  pid_t pid;
  unsigned users;
  int epoll, timerfd;
  CURLM *multi;
  double curl_due; /* when libcurl wants to be called, or below 0 */
  double armed;    /* what the timerfd is set to, or below 0 */
  struct tr_timer *timers;
  int is_running; /* in a run, at the end of which the timerfd is set anyway */
};

/* One for each thread, so that two Lua states in two threads never share a handle. */
static __thread struct tr_reactor *current;

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
  event.data.fd = fd;
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

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;

static void global_init(void) {
  global_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void reactor_free(struct tr_reactor *r) {
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  if (r->multi) curl_multi_cleanup(r->multi);
  pipe_guard_end(&guard);
  if (r->epoll >= 0) close(r->epoll);
  if (r->timerfd >= 0) close(r->timerfd);
  tr_free(r);
}

static struct tr_reactor *reactor_new(void) {
  pthread_once(&global_once, global_init);
  if (global_status != CURLE_OK) return NULL;
  struct tr_reactor *r = tr_calloc(sizeof *r);
  if (!r) return NULL;
  r->pid = getpid();
  r->curl_due = r->armed = -1;
  r->epoll = epoll_create1(EPOLL_CLOEXEC);
  r->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  r->multi = curl_multi_init();
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.fd = r->timerfd;
  if (r->epoll < 0 || r->timerfd < 0 || !r->multi ||
      epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->timerfd, &event) != 0) {
    reactor_free(r);
    return NULL;
  }
  curl_multi_setopt(r->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(r->multi, CURLMOPT_SOCKETDATA, r);
  curl_multi_setopt(r->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(r->multi, CURLMOPT_TIMERDATA, r);
  curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
  return r;
}

struct tr_reactor *tr_reactor_get(void) {
  if (current && !tr_reactor_is_ours(current)) {
    /* Only the descriptors that nobody else looks at are closed: the sockets are the parent's
    ** too. */
    close(current->epoll);
    close(current->timerfd);
    current = NULL;
  }
  if (!current) current = reactor_new();
  if (current) current->users++;
  return current;
}

void tr_reactor_release(struct tr_reactor *r) {
  if (!r || !tr_reactor_is_ours(r) || --r->users > 0) return;
  if (current == r) current = NULL;
  reactor_free(r);
}

int tr_reactor_is_ours(const struct tr_reactor *r) {
  return r->pid == getpid();
}

int tr_reactor_fd(const struct tr_reactor *r) {
  return r->epoll;
}

/* ---- timers: a list, since only pauses between tries and waits for pace live here ---- */

static double next_due(const struct tr_reactor *r) {
  double due = r->curl_due;
  for (const struct tr_timer *timer = r->timers; timer; timer = timer->next)
    if (due < 0 || timer->at < due) due = timer->at;
  return due;
}

/* The timerfd makes times visible to whoever polls the descriptor; set only when the next time
** moved. */
static void arm(struct tr_reactor *r) {
  double due = next_due(r);
  if (due == r->armed) return;
  struct itimerspec spec;
  memset(&spec, 0, sizeof spec);
  if (due >= 0) {
    spec.it_value.tv_sec = (time_t)due;
    spec.it_value.tv_nsec = (long)((due - (double)(time_t)due) * 1e9);
    if (spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec == 0) spec.it_value.tv_nsec = 1;
  }
  if (timerfd_settime(r->timerfd, TFD_TIMER_ABSTIME, &spec, NULL) == 0) r->armed = due;
}

void tr_timer_stop(struct tr_timer *timer) {
  if (!timer->link) return;
  *timer->link = timer->next;
  if (timer->next) timer->next->link = timer->link;
  timer->link = NULL;
}

void tr_timer_set(struct tr_reactor *r, struct tr_timer *timer, double at) {
  tr_timer_stop(timer);
  timer->at = at;
  timer->next = r->timers;
  timer->link = &r->timers;
  if (timer->next) timer->next->link = &timer->next;
  r->timers = timer;
  if (!r->is_running) arm(r);
}

static int fire_due(struct tr_reactor *r, double now) {
  int fired = 0;
  for (;;) {
    /* From the start each time: what fires may set and stop any timer. */
    struct tr_timer *timer = r->timers;
    while (timer && timer->at > now)
      timer = timer->next;
    if (!timer) return fired;
    tr_timer_stop(timer);
    timer->fire(timer->arg);
    fired = 1;
  }
}

/* ---- transfers ---- */

int tr_reactor_start(struct tr_reactor *r, struct tr_transfer *t) {
  curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
  if (curl_multi_add_handle(r->multi, t->easy) != CURLM_OK) return -1;
  t->reactor = r;
  arm(r);
  return 0;
}

void tr_reactor_stop(struct tr_transfer *t) {
  if (!t->reactor) return;
  struct tr_reactor *r = t->reactor;
  t->reactor = NULL;
  if (!tr_reactor_is_ours(r)) return;
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  curl_multi_remove_handle(r->multi, t->easy);
  pipe_guard_end(&guard);
}

static int report_ended(struct tr_reactor *r) {
  int reported = 0, left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(r->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    struct tr_transfer *t = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    tr_reactor_stop(t);
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

/* libcurl hears of its own timeouts and of its sockets; true when it was called. */
static int advance(struct tr_reactor *r, const struct epoll_event *events, int count) {
  int running, called = 0;
  struct pipe_guard guard;
  pipe_guard_begin(&guard);
  for (int i = 0; i < count; i++) {
    if (events[i].data.fd == r->timerfd) continue;
    curl_multi_socket_action(r->multi, events[i].data.fd, curl_flags(events[i].events), &running);
    called = 1;
  }
  if (r->curl_due >= 0 && r->curl_due <= tr_clock()) {
    r->curl_due = -1;
    curl_multi_socket_action(r->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    called = 1;
  }
  pipe_guard_end(&guard);
  return called;
}

static int wait_ms(const struct tr_reactor *r, double seconds) {
  double due = next_due(r);
  if (due >= 0) {
    double left = due - tr_clock();
    if (left < seconds) seconds = left;
  }
  if (seconds <= 0) return 0;
  return seconds > INT_MAX / 1000 - 1 ? INT_MAX : (int)(seconds * 1e3) + 1;
}

int tr_reactor_run(struct tr_reactor *r, double seconds) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int count = epoll_wait(r->epoll, events, EVENTS_AT_ONCE, wait_ms(r, seconds));
  if (count < 0) return errno == EINTR ? TR_RUN_INTERRUPTED : TR_RUN_IDLE;
  int moved = 0;
  r->is_running = 1;
  for (int i = 0; i < count; i++) {
    if (events[i].data.fd != r->timerfd) continue;
    unsigned long long expirations;
    if (read(r->timerfd, &expirations, sizeof expirations) > 0) r->armed = -1;
  }
  moved |= advance(r, events, count);
  moved |= report_ended(r);
  moved |= fire_due(r, tr_clock());
  r->is_running = 0;
  arm(r);
  return moved ? TR_RUN_MOVED : TR_RUN_IDLE;
}
