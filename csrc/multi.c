/* multi: libcurl's multi handle over an epoll descriptor; see multi.h. */
#include "multi.h"

#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

#include "libcurl.h"
#include "locks.h"
#include "timers.h"

#define CONNECTIONS_KEPT 64 /* idle connections that stay open for later calls */

static uint64_t mark_of_socket(int fd) {
  return (uint64_t)fd << 1 | TR_MULTI_MARK;
}

/* ---- what libcurl tells us ---- */

/* Our end of the connection that a handle uses; 0: none yet. */
static long local_port(CURL *easy) {
  long port = 0;
  curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
  return port;
}

static struct tr_transfer *transfer_of(CURL *easy) {
  struct tr_transfer *t = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
  return t;
}

/* Whether the other one uses the connection of the first, whose end of it is the port. Two hosts'
** connections may have the same port here. */
static int is_on(const struct tr_transfer *other, const struct tr_transfer *first, long port) {
  return other == first || (port && other->host == first->host && local_port(other->easy) == port);
}

/* Whoever waits for a socket that is not watched would wait until its time is over: the transfers
** that use it end in this run or the next. */
static void fail_users(struct tr_multi *m, CURL *easy, int error) {
  long port = local_port(easy);
  const struct tr_transfer *user = transfer_of(easy);
  for (struct tr_transfer *t = user ? m->transfers : NULL; t; t = t->next) {
    if (!is_on(t, user, port)) continue;
    t->failure = error == ENOMEM ? CURLE_OUT_OF_MEMORY : CURLE_COULDNT_CONNECT;
    t->system_error = error;
    m->has_failures = 1;
  }
}

/* libcurl would give up on all of its transfers if it were told of a failure. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  struct tr_multi *m = arg;
  (void)socket_arg;
  if (what == CURL_POLL_REMOVE) {
    /* Closing already took it out of the set: no error is worth reporting. */
    (void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.data.u64 = mark_of_socket(fd);
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  int status = epoll_ctl(m->epoll, EPOLL_CTL_MOD, fd, &event);
  if (status != 0 && errno == ENOENT) status = epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event);
  if (status != 0) fail_users(m, easy, errno);
  return 0;
}

/* What broke one stream of a connection may have broken it for the others, and libcurl 7.88 tells
** only the one. */
static void suspect(struct tr_multi *m, const struct tr_transfer *leaver, int port) {
  for (struct tr_transfer *t = port ? m->transfers : NULL; t; t = t->next)
    if (t != leaver && t->host == leaver->host && t->pass.port == port)
      t->is_suspect = m->has_suspects = 1;
}

/* The transfer has its connection; another one, if libcurl found the first broken before a byte had
** come: it says nothing else of that. */
static int on_request(void *arg, char *to, char *from, int to_port, int from_port) {
  struct tr_transfer *t = arg;
  (void)to;
  (void)from;
  (void)to_port;
  if (from_port <= 0) return CURL_PREREQFUNC_OK; /* it does not know */
  if (t->pass.port != from_port) suspect(t->multi, t, t->pass.port);
  tr_gate_connected(&t->pass, from_port);
  return CURL_PREREQFUNC_OK;
}

static int on_timer(CURLM *multi, long ms, void *arg) {
  struct tr_multi *m = arg;
  (void)multi;
  m->due = ms < 0 ? -1 : tr_clock() + (double)ms * 1e-3;
  return 0;
}

/* ---- birth and death ---- */

static int open_handle(struct tr_multi *m) {
  tr_lock(TR_LOCK_LIBCURL);
  CURLM *multi = curl_multi_init();
  tr_unlock(TR_LOCK_LIBCURL);
  if (!multi) return -1;
  int failed = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  failed |= curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, m);
  failed |= curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  failed |= curl_multi_setopt(multi, CURLMOPT_TIMERDATA, m);
  failed |= curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
  failed |= curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)TR_GATE_STREAMS);
  if (failed) {
    curl_multi_cleanup(multi);
    return -1;
  }
  m->handle = multi;
  return 0;
}

int tr_multi_init(struct tr_multi *m, struct tr_reactor *reactor, int epoll) {
  m->reactor = reactor;
  m->epoll = epoll;
  m->due = -1;
  return tr_libcurl_init() == 0 && open_handle(m) == 0 ? 0 : -1;
}

void tr_multi_cleanup(struct tr_multi *m) {
  if (m->handle) curl_multi_cleanup(m->handle);
  m->handle = NULL;
}

/* ---- transfers ---- */

static int set_options(struct tr_multi *m, struct tr_transfer *t) {
  CURL *easy = t->easy;
  m->gate.is_open = 1;
#if LIBCURL_VERSION_NUM >= 0x075000
  m->gate.is_open = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) != CURLE_OK ||
                    curl_easy_setopt(easy, CURLOPT_PREREQDATA, t) != CURLE_OK;
#endif
  return curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK ? 0 : -1;
}

static void list(struct tr_multi *m, struct tr_transfer *t) {
  t->next = m->transfers;
  t->link = &m->transfers;
  if (t->next) t->next->link = &t->next;
  m->transfers = t;
}

/* 0, or -1: no memory. Counts as begun in any case. */
static int begin(struct tr_multi *m, struct tr_transfer *t, double now) {
  t->begun = now;
  if (!m->handle && open_handle(m) != 0) return -1;
  return curl_multi_add_handle(m->handle, t->easy) == CURLM_OK ? 0 : -1;
}

int tr_multi_start(struct tr_multi *m, struct tr_transfer *t) {
  double now = tr_clock();
  if (m->is_broken || set_options(m, t) != 0) return -1;
  t->failure = t->system_error = t->is_suspect = 0;
  t->begun = 0;
  t->pass.host = t->host;
  int waits = tr_gate_enter(&m->gate, &t->pass, now);
  if (waits < 0) return -1;
  if (!waits) {
    if (begin(m, t, now) != 0) {
      tr_gate_leave(&m->gate, &t->pass);
      return -1;
    }
    list(m, t);
  }
  t->multi = m;
  return 0;
}

static void detach(struct tr_multi *m, struct tr_transfer *t) {
  tr_gate_leave(&m->gate, &t->pass);
  t->multi = NULL;
  if (!(t->begun > 0)) return;
  *t->link = t->next;
  if (t->next) t->next->link = t->link;
  curl_multi_remove_handle(m->handle, t->easy);
}

/* Those that wait begin, as far as they may. One that cannot for lack of memory is reported. */
static int admit(struct tr_multi *m) {
  int admitted = 0;
  double now = tr_clock();
  struct tr_pass *pass;
  while (!m->is_broken && (pass = tr_gate_next(&m->gate, now))) {
    struct tr_transfer *t =
        (struct tr_transfer *)(void *)((char *)pass - offsetof(struct tr_transfer, pass));
    if (begin(m, t, now) != 0) {
      t->failure = CURLE_OUT_OF_MEMORY;
      m->has_failures = 1;
    }
    list(m, t);
    admitted = 1;
  }
  return admitted;
}

/* Bytes that were held back are taken in while libcurl is told to go on; if they are refused, it
** says so here and nowhere else. The transfer is ended in the next run. */
void tr_multi_resume(struct tr_multi *m, struct tr_transfer *t) {
  CURLcode result = curl_easy_pause(t->easy, CURLPAUSE_CONT);
  if (result == CURLE_OK) return;
  t->failure = (int)result;
  m->has_failures = 1;
}

/* Makes libcurl look at the transfer, its connection, and what waits to be sent there; at none that
** has no connection, as it has ended or waits for one. */
static void poke(struct tr_multi *m, struct tr_transfer *t) {
  if (m->is_broken || curl_easy_pause(t->easy, CURLPAUSE_RECV) == CURLE_BAD_FUNCTION_ARGUMENT)
    return;
  tr_multi_resume(m, t);
}

static void look_at_suspects(struct tr_multi *m) {
  struct tr_transfer *t = m->has_suspects ? m->transfers : NULL;
  m->has_suspects = 0;
  for (; t; t = t->next) {
    if (t->is_suspect && !t->failure) poke(m, t);
    t->is_suspect = 0;
  }
}

/* A stream of an HTTP/2 connection that others use is reset when libcurl next sends something
** there, which may take as long as the slowest answer. */
static void send_what_waits(struct tr_multi *m, const struct tr_transfer *stopped, long port) {
  struct tr_transfer *other = m->transfers;
  while (other && (other->failure || !is_on(other, stopped, port)))
    other = other->next;
  if (other) poke(m, other);
}

void tr_multi_stop(struct tr_multi *m, struct tr_transfer *t) {
  long port = local_port(t->easy);
  /* Closes the connection if nobody else uses it: only then does the peer learn it now. */
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
  detach(m, t);
  if (port) send_what_waits(m, t, port);
}

/* Nothing in the multi handle can be relied on any more, and nothing that runs in it will end: all
** of it fails for lack of memory, and what is started later gets another handle. */
static void replace_handle(struct tr_multi *m) {
  for (struct tr_transfer *t = m->transfers; t; t = t->next) {
    curl_multi_remove_handle(m->handle, t->easy);
    t->failure = CURLE_OUT_OF_MEMORY;
    m->has_failures = 1;
  }
  curl_multi_cleanup(m->handle);
  m->handle = NULL;
  m->due = -1;
  m->is_broken = 0;
}

static int report_failed(struct tr_multi *m) {
  int reported = 0;
  struct tr_transfer *t = m->has_failures ? m->transfers : NULL;
  m->has_failures = 0;
  while (t) {
    int failure = t->failure;
    if (!failure) {
      t = t->next;
      continue;
    }
    t->failure = 0;
    detach(m, t);
    t->ended(t->arg, failure);
    reported = 1;
    /* What it called may have changed the list. */
    t = m->transfers;
  }
  return reported;
}

static int report_ended(struct tr_multi *m) {
  int reported = 0, left;
  CURLMsg *message;
  while (m->handle && (message = curl_multi_info_read(m->handle, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    struct tr_transfer *t = transfer_of(message->easy_handle);
    if (result != CURLE_OK) suspect(m, t, t->pass.port);
    detach(m, t);
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

/* It gives up where memory is short. */
static void act(struct tr_multi *m, curl_socket_t socket, int flags) {
  int running;
  if (!m->handle || m->is_broken) return;
  if (curl_multi_socket_action(m->handle, socket, flags, &running) > CURLM_OK) m->is_broken = 1;
}

void tr_multi_look(struct tr_multi *m, uint64_t mark, uint32_t events) {
  act(m, (curl_socket_t)(mark >> 1), curl_flags(events));
}

double tr_multi_due(const struct tr_multi *m) {
  if (m->has_failures) return 0;
  double gate = m->gate.lanes ? tr_gate_due(&m->gate, tr_clock()) : -1;
  return gate >= 0 && (m->due < 0 || gate < m->due) ? gate : m->due;
}

int tr_multi_advance(struct tr_multi *m, double now) {
  if (m->due < 0 || m->due > now) return 0;
  m->due = -1;
  act(m, CURL_SOCKET_TIMEOUT, 0);
  return 1;
}

int tr_multi_report(struct tr_multi *m) {
  int reported = report_ended(m);
  if (m->is_broken) replace_handle(m);
  look_at_suspects(m);
  reported |= report_failed(m);
  return admit(m) | reported;
}
