/* resolver: c-ares on a reactor; see resolver.h. */
#include "resolver.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alloc.h"

#define NOTHING_HOLDS 60.0 /* seconds for which it holds that there is no answer */
#define CLASS_IN 1
#define TYPE_PTR 12
#define TYPE_TXT 16

/* c-ares tries each server twice, the second time for twice as long; that takes a bit less than all
** of the time, so that what it knows by then still counts. */
#define FIRST_TRY (0.9 / 3)

#define CONFIGURATION "/etc/resolv.conf"

struct socket {
  struct socket *next;
  struct tr_resolver *resolver;
  struct tr_watch watch;
};

struct tr_resolver {
  struct tr_reactor *reactor;
  ares_channel channel;
  struct tr_timer timer;
  struct socket *sockets;
  unsigned refusals; /* how many sockets the system refused */
  int refusal;       /* the last one's errno */
  void (*after)(void *arg);
  void *arg;
  struct stat configuration; /* zero where there was none */
};

struct query {
  struct tr_resolver *resolver;
  unsigned refusals; /* as many as when it was asked: none since then */
  enum tr_query kind;
  tr_resolver_fn report;
  void *arg;
};

/* ---- what c-ares reports ---- */

static int was_refused(const struct query *query) {
  return query->refusals != query->resolver->refusals;
}

/* Where a socket was refused not everything may have been asked: that does not hold any longer. */
static void report(struct query *query, const struct tr_found *found, double seconds) {
  query->report(query->arg, found, was_refused(query) ? 0 : seconds);
  tr_free(query);
}

static const char *why_of(int status) {
  switch (status) {
  case ARES_ENODATA:
    return "no address of the family asked for";
  case ARES_ENOTFOUND:
  case ARES_EBADNAME:
    return "no such host";
  case ARES_ETIMEOUT:
    return "timed out";
  case ARES_ECONNREFUSED: /* of c-ares 1.18, for failures and refusals too */
    return "no name server answers, or they fail or refuse";
  case ARES_ESERVFAIL:
    return "the name server failed";
  case ARES_EREFUSED:
    return "the name server refused";
  default:
    return "the name server's answer makes no sense";
  }
}

/* That nobody answered says nothing about the next time. */
static double seconds_of(int status) {
  return status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_ESERVFAIL
             ? NOTHING_HOLDS
             : 0;
}

/* What the system lacks, where it, and not a server, is why there is no answer; else 0. c-ares does
** not say for which of its queries a socket was meant. That a host is not there may be said of one
** family alone, the other not having been asked for. */
static int shortage_of(const struct query *query, int status) {
  if (status == ARES_ENOMEM) return ENOMEM;
  int is_open = query->kind == TR_QUERY_HOST
                    ? status != ARES_SUCCESS
                    : status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED;
  return is_open && was_refused(query) ? query->resolver->refusal : 0;
}

static void on_text(void *arg, int status, int timeouts, unsigned char *answer, int length) {
  struct query *query = arg;
  (void)timeouts;
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
    report(query, NULL, 0);
    return;
  }
  struct tr_found found;
  memset(&found, 0, sizeof found);
  found.is_short = shortage_of(query, status) == ENOMEM;
  double seconds = seconds_of(status);
  if (status == ARES_SUCCESS) {
    unsigned ttl = 0;
    size_t size = (size_t)length;
    int is_found = query->kind == TR_QUERY_POINTER ? tr_dns_pointer(answer, size, found.text, &ttl)
                                                   : tr_dns_origins(answer, size, found.text, &ttl);
    if (!is_found) found.text[0] = '\0';
    seconds = is_found ? ttl : NOTHING_HOLDS;
  }
  report(query, &found, seconds);
}

static int take_address(const struct ares_addrinfo_node *node, struct tr_address *address) {
  if (node->ai_family == AF_INET) {
    const struct sockaddr_in *from = (const void *)node->ai_addr;
    address->ip.v4 = from->sin_addr;
  } else if (node->ai_family == AF_INET6) {
    const struct sockaddr_in6 *from = (const void *)node->ai_addr;
    address->ip.v6 = from->sin6_addr;
  } else {
    return -1;
  }
  address->family = node->ai_family;
  return 0;
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *result) {
  struct query *query = arg;
  (void)timeouts;
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
    report(query, NULL, 0);
    return;
  }
  struct tr_found found;
  memset(&found, 0, sizeof found);
  double seconds = seconds_of(status);
  int shortage = shortage_of(query, status);
  found.is_short = shortage == ENOMEM;
  /* The system's words are as static as ours for each errno that a shortage is. */
  found.why =
      shortage ? strerror(shortage) : why_of(status == ARES_SUCCESS ? ARES_ENODATA : status);
  if (status == ARES_SUCCESS) {
    seconds = UINT32_MAX;
    for (const struct ares_addrinfo_cname *name = result->cnames; name; name = name->next)
      if (name->ttl < seconds) seconds = name->ttl;
    for (const struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next) {
      if (node->ai_ttl < seconds) seconds = node->ai_ttl;
      if (found.address.family == 0 ||
          (found.address.family == AF_INET6 && node->ai_family == AF_INET))
        (void)take_address(node, &found.address);
    }
  }
  if (result) ares_freeaddrinfo(result);
  report(query, &found, seconds);
}

/* ---- times and sockets ---- */

static void schedule(struct tr_resolver *r) {
  struct timeval left;
  if (ares_timeout(r->channel, NULL, &left))
    tr_timer_set(r->reactor, &r->timer,
                 tr_clock() + (double)left.tv_sec + (double)left.tv_usec * 1e-6);
  else
    tr_timer_stop(&r->timer);
}

static void process(struct tr_resolver *r, ares_socket_t reader, ares_socket_t writer) {
  ares_process_fd(r->channel, reader, writer);
  schedule(r);
  r->after(r->arg);
}

static void on_timer(void *arg) {
  process(arg, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket(void *arg) {
  const struct socket *socket = arg;
  int fd = socket->watch.fd;
  process(socket->resolver, fd, socket->watch.is_writer ? fd : ARES_SOCKET_BAD);
}

static struct socket **find(struct tr_resolver *r, ares_socket_t fd) {
  struct socket **link = &r->sockets;
  while (*link && (*link)->watch.fd != fd)
    link = &(*link)->next;
  return link;
}

/* The watch goes with the socket: neither is there without the other. */
static void on_socket_state(void *arg, ares_socket_t fd, int is_reader, int is_writer) {
  struct tr_resolver *r = arg;
  struct socket *one = *find(r, fd);
  if (!one || (!is_reader && !is_writer)) return;
  one->watch.is_writer = is_writer;
  (void)tr_watch_start(r->reactor, &one->watch);
}

/* -1, with errno set. */
static int keep(struct tr_resolver *r, int fd) {
  struct socket *one = tr_calloc(sizeof *one);
  if (!one) {
    errno = ENOMEM;
    return -1;
  }
  one->resolver = r;
  one->watch.fd = fd;
  one->watch.ready = on_socket;
  one->watch.arg = one;
  if (tr_watch_start(r->reactor, &one->watch) != 0) {
    tr_free(one);
    return -1;
  }
  one->next = r->sockets;
  r->sockets = one;
  return 0;
}

static int refuse(struct tr_resolver *r) {
  int number = errno == ENOBUFS ? ENOMEM : errno;
  if (number == ENOMEM || number == ENOSPC || number == EMFILE || number == ENFILE) {
    r->refusals++;
    r->refusal = number;
  }
  return -1;
}

/* c-ares' own would raise SIGPIPE when a server closes a connection that is written to. A socket
** that cannot be watched is none, so that c-ares goes on to the next server at once. */
static ares_socket_t open_socket(int family, int type, int protocol, void *arg) {
  struct tr_resolver *r = arg;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return refuse(r);
  if (keep(r, fd) == 0) return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return refuse(r);
}

static int close_socket(ares_socket_t fd, void *arg) {
  struct tr_resolver *r = arg;
  struct socket **link = find(r, fd);
  struct socket *one = *link;
  if (one) {
    *link = one->next;
    tr_watch_stop(r->reactor, &one->watch);
    tr_free(one);
  }
  return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t length,
                          void *arg) {
  (void)arg;
  return connect(fd, to, length);
}

static ares_ssize_t receive(ares_socket_t fd, void *into, size_t size, int flags,
                            struct sockaddr *from, ares_socklen_t *length, void *arg) {
  (void)arg;
  return recvfrom(fd, into, size, flags, from, length);
}

static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *vector, int count,
                                void *arg) {
  struct msghdr message;
  (void)arg;
  memset(&message, 0, sizeof message);
  message.msg_iov = (struct iovec *)(uintptr_t)vector;
  message.msg_iovlen = (size_t)count;
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {open_socket, close_socket,
                                                              connect_socket, receive, send_vector};

/* ---- birth and death ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void library_init(void) {
  library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

/* first: seconds for each server's first try. */
static int open_channel(struct tr_resolver *r, double first, const char *servers) {
  struct ares_options options;
  memset(&options, 0, sizeof options);
  options.sock_state_cb = on_socket_state;
  options.sock_state_cb_data = r;
  first *= 1e3;
  options.timeout = first > 1 ? first < 1e6 ? (int)first : 1000000 : 1;
  options.tries = 2;
  int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  if (ares_init_options(&r->channel, &options, mask) != ARES_SUCCESS) {
    r->channel = NULL;
    return -1;
  }
  ares_set_socket_functions(r->channel, &socket_functions, r);
  return !servers || ares_set_servers_ports_csv(r->channel, servers) == ARES_SUCCESS ? 0 : -1;
}

static unsigned count_servers(const struct tr_resolver *r) {
  struct ares_addr_port_node *list = NULL;
  unsigned count = 0;
  if (ares_get_servers_ports(r->channel, &list) != ARES_SUCCESS) return 1;
  for (const struct ares_addr_port_node *one = list; one; one = one->next)
    count++;
  ares_free_data(list);
  return count;
}

/* How many servers there are shows only in a channel, whose times are set when it is made. */
static int open_in_time(struct tr_resolver *r, double timeout, const char *servers) {
  if (open_channel(r, timeout * FIRST_TRY, servers) != 0) return -1;
  unsigned count = count_servers(r);
  if (count <= 1) return 0;
  ares_destroy(r->channel);
  return open_channel(r, timeout * FIRST_TRY / count, servers);
}

static void look_at_configuration(struct stat *seen) {
  if (stat(CONFIGURATION, seen) != 0) memset(seen, 0, sizeof *seen);
}

struct tr_resolver *tr_resolver_new(struct tr_reactor *reactor, double timeout, const char *servers,
                                    void (*after)(void *arg), void *arg) {
  pthread_once(&library_once, library_init);
  if (library_status != ARES_SUCCESS) return NULL;
  struct tr_resolver *r = tr_calloc(sizeof *r);
  if (!r) return NULL;
  r->reactor = reactor;
  r->timer.fire = on_timer;
  r->timer.arg = r;
  r->after = after;
  r->arg = arg;
  look_at_configuration(&r->configuration);
  if (open_in_time(r, timeout, servers) == 0) return r;
  tr_resolver_free(r);
  return NULL;
}

void tr_resolver_free(struct tr_resolver *r) {
  if (!r) return;
  if (r->channel) ares_destroy(r->channel);
  tr_timer_stop(&r->timer);
  tr_free(r);
}

int tr_resolver_is_current(const struct tr_resolver *r) {
  const struct stat *then = &r->configuration;
  struct stat now;
  look_at_configuration(&now);
  return now.st_dev == then->st_dev && now.st_ino == then->st_ino && now.st_size == then->st_size &&
         now.st_mtim.tv_sec == then->st_mtim.tv_sec && now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

void tr_resolver_cancel(struct tr_resolver *r) {
  ares_cancel(r->channel);
  schedule(r);
}

void tr_resolver_ask(struct tr_resolver *r, enum tr_query kind, int family, const char *name,
                     tr_resolver_fn fn, void *arg) {
  struct query *query = tr_calloc(sizeof *query);
  if (!query) {
    struct tr_found found;
    memset(&found, 0, sizeof found);
    found.is_short = 1;
    fn(arg, &found, 0);
    return;
  }
  query->resolver = r;
  query->refusals = r->refusals;
  query->kind = kind;
  query->report = fn;
  query->arg = arg;
  if (kind == TR_QUERY_HOST) {
    struct ares_addrinfo_hints hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_addresses, query);
  } else {
    int type = kind == TR_QUERY_POINTER ? TYPE_PTR : TYPE_TXT;
    ares_query(r->channel, name, CLASS_IN, type, on_text, query);
  }
  schedule(r);
}
