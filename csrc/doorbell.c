/* doorbell: a unix socket at which sources are waited for; see doorbell.h. */
#include "doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "alloc.h"
#include "locks.h"

#define NUMBER_MAX 24 /* bytes of a number and its newline */
#define BACKLOG 4096  /* the kernel takes less where its limit is lower */
#define SHORTAGE 0.05 /* seconds before the next look when descriptors or memory ran out */

struct visitor;

struct tr_door {
  unsigned long number;
  struct tr_thread *thread;
  struct tr_source *source;
  struct visitor *visitor; /* who waits at it, if anybody */
  int has_rung;            /* while nobody waited */
  struct tr_task open, close;
  struct tr_door *next, **link;
};

/* A connection. It waits at one door after the other. */
struct visitor {
  struct tr_watch watch;
  struct tr_door *door; /* once it has said which, until that is closed */
  size_t length;
  char number[NUMBER_MAX];
  struct visitor *next, **link;
};

/* The process's listening socket: made under the lock, then the thread's own. */
static struct {
  pid_t pid;
  int handle; /* an O_PATH descriptor of the socket's place, which has no name any more */
  int spare;  /* given up to turn a visitor away when no other descriptor is left */
  unsigned long last_number;
  struct tr_watch listening;
  struct tr_timer again; /* while nobody is let in, for want of descriptors */
  struct tr_task start;
  struct tr_thread *thread;
  struct tr_door *doors; /* the thread's, like the visitors */
  struct visitor *visitors;
} house = {.handle = -1, .spare = -1};

/* ---- in the thread ---- */

static void ring(void *arg) {
  struct tr_door *door = arg;
  if (!door->visitor) {
    door->has_rung = 1;
    return;
  }
  /* A full buffer means that bytes wait there already. */
  (void)send(door->visitor->watch.fd, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void see_off(struct visitor *visitor) {
  if (visitor->door) visitor->door->visitor = NULL;
  tr_watch_stop(tr_thread_reactor(house.thread), &visitor->watch);
  close(visitor->watch.fd);
  *visitor->link = visitor->next;
  if (visitor->next) visitor->next->link = visitor->link;
  tr_free(visitor);
  if (house.spare < 0) house.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Those that wait at no door, but are kept for the next one. How many there were. */
static int see_off_idle(void) {
  int count = 0;
  for (struct visitor *visitor = house.visitors, *next; visitor; visitor = next) {
    next = visitor->next;
    if (visitor->door || visitor->length) continue;
    see_off(visitor);
    count++;
  }
  return count;
}

static struct tr_door *door_of(unsigned long number) {
  struct tr_door *door = house.doors;
  while (door && door->number != number)
    door = door->next;
  return door;
}

static void receive(struct visitor *visitor, struct tr_door *door) {
  visitor->door = door;
  door->visitor = visitor;
  if (door->has_rung) ring(door);
  door->has_rung = 0;
}

/* The number of a door that was closed before it came here says nothing: the next one follows, or
** will. False: this is not how we are spoken to. */
static int read_numbers(struct visitor *visitor) {
  char *end;
  while (!visitor->door && (end = memchr(visitor->number, '\n', visitor->length))) {
    *end = '\0';
    struct tr_door *door = door_of(strtoul(visitor->number, NULL, 10));
    visitor->length -= (size_t)(end + 1 - visitor->number);
    memmove(visitor->number, end + 1, visitor->length);
    if (door && door->visitor) return 0;
    if (door) receive(visitor, door);
  }
  if (visitor->door) visitor->length = 0;
  return visitor->length < sizeof visitor->number;
}

static void on_visitor(void *arg) {
  struct visitor *visitor = arg;
  ssize_t got = recv(visitor->watch.fd, visitor->number + visitor->length,
                     sizeof visitor->number - visitor->length, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  /* What was closed and opened before this was sent has happened then. */
  tr_thread_catch_up(house.thread);
  if (got <= 0) {
    /* nginx ended the request that waited: so does the call. */
    struct tr_door *door = visitor->door;
    see_off(visitor);
    if (door) tr_source_hang_up(door->source);
    return;
  }
  visitor->length += (size_t)got;
  if (!read_numbers(visitor)) see_off(visitor);
}

static int let_in(void) {
  return accept4(house.listening.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Visitors that are not let in hold descriptors of this very process: if they all waited, none
** would ever be free. 0, or -1: not even that. */
static int turn_away(void) {
  if (house.spare >= 0) close(house.spare);
  int fd = let_in();
  if (fd >= 0) close(fd);
  house.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0 ? 0 : -1;
}

static void on_listening(void *arg) {
  (void)arg;
  int fd = let_in();
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && see_off_idle()) fd = let_in();
  if (fd < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || turn_away() == 0) return;
    /* Who knocks stays readable: without a pause the thread would spin. */
    tr_watch_stop(tr_thread_reactor(house.thread), &house.listening);
    tr_timer_set(tr_thread_reactor(house.thread), &house.again, tr_clock() + SHORTAGE);
    return;
  }
  struct visitor *visitor = tr_calloc(sizeof *visitor);
  if (!visitor) {
    close(fd);
    return;
  }
  visitor->watch.fd = fd;
  visitor->watch.ready = on_visitor;
  visitor->watch.arg = visitor;
  if (tr_watch_start(tr_thread_reactor(house.thread), &visitor->watch) != 0) {
    close(fd);
    tr_free(visitor);
    return;
  }
  visitor->next = house.visitors;
  visitor->link = &house.visitors;
  if (visitor->next) visitor->next->link = &visitor->next;
  house.visitors = visitor;
}

static void run_start(void *arg) {
  (void)arg;
  struct tr_reactor *r = tr_thread_reactor(house.thread);
  if (tr_watch_start(r, &house.listening) != 0)
    tr_timer_set(r, &house.again, tr_clock() + SHORTAGE);
}

static void run_open(void *arg) {
  struct tr_door *door = arg;
  door->next = house.doors;
  door->link = &house.doors;
  if (door->next) door->next->link = &door->next;
  house.doors = door;
  tr_outbox_set_bell(&door->source->outbox, (struct tr_bell){ring, door});
}

static void run_close(void *arg) {
  struct tr_door *door = arg;
  tr_outbox_set_bell(&door->source->outbox, (struct tr_bell){NULL, NULL});
  *door->link = door->next;
  if (door->next) door->next->link = door->link;
  if (door->visitor) door->visitor->door = NULL;
  tr_free(door);
}

/* ---- in the owner's thread ---- */

/* A listening socket without a name, so that no file is left behind. Processes of the same user may
** still reach it through /proc, as they may trace this one: at worst they wait for, or end, a call. */
static int listen_nameless(const char *parent, int *handle) {
  struct sockaddr_un address;
  char directory[64];
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (snprintf(directory, sizeof directory, "%s/traceroute-XXXXXX", parent) >=
      (int)sizeof directory)
    return -1;
  if (!mkdtemp(directory)) return -1;
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/doorbell", directory);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  *handle = -1;
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
    *handle = open(address.sun_path, O_PATH | O_CLOEXEC);
    if (listen(fd, BACKLOG) != 0 && *handle >= 0) {
      close(*handle);
      *handle = -1;
    }
  }
  int reason = errno;
  (void)unlink(address.sun_path);
  (void)rmdir(directory);
  if (*handle < 0 && fd >= 0) {
    close(fd);
    fd = -1;
  }
  errno = reason;
  return fd;
}

/* With the lock held. After a fork the parent's house is left to it, descriptors and all: the
** program may have closed them, and the numbers be something else by now. */
static int build(struct tr_thread *thread) {
  const char *const parents[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm", "/run"};
  if (house.handle >= 0 && house.pid == getpid()) return 0;
  house.handle = -1;
  house.doors = NULL;
  house.visitors = NULL;
  int fd = -1;
  for (size_t i = 0; fd < 0 && i < sizeof parents / sizeof parents[0]; i++)
    if (parents[i] && *parents[i]) fd = listen_nameless(parents[i], &house.handle);
  if (fd < 0) return -1;
  house.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  house.pid = getpid();
  house.thread = thread;
  house.listening.fd = fd;
  house.listening.ready = on_listening;
  memset(&house.start, 0, sizeof house.start); /* the parent's may be queued in its thread */
  house.start.run = run_start;
  memset(&house.again, 0, sizeof house.again);
  house.again.fire = run_start;
  tr_thread_post(thread, &house.start);
  return 0;
}

struct tr_door *tr_door_open(struct tr_thread *thread, struct tr_source *source,
                             char path[TR_DOORBELL_PATH_MAX], unsigned long *number) {
  struct tr_door *door = tr_calloc(sizeof *door);
  if (!door) return NULL;
  tr_lock(TR_LOCK_DOORBELL);
  int status = build(thread);
  door->number = *number = ++house.last_number;
  (void)snprintf(path, TR_DOORBELL_PATH_MAX, "/proc/self/fd/%d", house.handle);
  tr_unlock(TR_LOCK_DOORBELL);
  if (status != 0) {
    tr_free(door);
    return NULL;
  }
  door->thread = thread;
  door->source = source;
  door->open.run = run_open;
  door->close.run = run_close;
  door->open.arg = door->close.arg = door;
  tr_thread_post(thread, &door->open);
  return door;
}

void tr_door_close(struct tr_door *door) {
  if (door) tr_thread_post(door->thread, &door->close);
}
