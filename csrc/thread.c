/* thread: one reactor of this process in a thread of its own; see thread.h. */
#include "thread.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "locks.h"

#define SLICE_NANOSECONDS 100000 /* the least there is */

struct tr_thread {
  pid_t pid;
  pthread_t id;
  struct tr_reactor *reactor;
  struct tr_watch wake; /* an eventfd: tasks were queued, or the end was called for */
  pthread_mutex_t lock; /* guards what follows */
  struct tr_task *first, **last;
  int is_ending;
};

/* Guarded by TR_LOCK_THREAD. A thread of another process (the parent's, after a fork) is no thread
** here. */
static struct tr_thread *current;

static struct tr_task *next_task(struct tr_thread *thread) {
  pthread_mutex_lock(&thread->lock);
  struct tr_task *task = thread->first;
  if (task) {
    thread->first = task->next;
    if (!thread->first) thread->last = &thread->first;
    task->queued = 0;
  }
  pthread_mutex_unlock(&thread->lock);
  return task;
}

void tr_thread_catch_up(struct tr_thread *thread) {
  struct tr_task *task;
  while ((task = next_task(thread)))
    task->run(task->arg);
}

static void on_wake(void *arg) {
  struct tr_thread *thread = arg;
  eventfd_t count;
  (void)eventfd_read(thread->wake.fd, &count);
  tr_thread_catch_up(thread);
}

int tr_thread_is_over(struct tr_thread *thread) {
  pthread_mutex_lock(&thread->lock);
  int ending = thread->is_ending;
  pthread_mutex_unlock(&thread->lock);
  return ending;
}

/* As linux/sched/types.h has it, which libc's headers do not go with. */
struct scheduling {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

/* Where the program's thread has to share its core with this one, it gets the core as soon as it
** has something to do: Linux protects who runs for the length of a slice. Before 6.12 nothing
** changes. */
static void take_short_slices(void) {
  struct scheduling s;
  memset(&s, 0, sizeof s);
  if (syscall(SYS_sched_getattr, 0, &s, sizeof s, 0) != 0) return;
  s.runtime = SLICE_NANOSECONDS;
  (void)syscall(SYS_sched_setattr, 0, &s, 0);
}

static void *run(void *arg) {
  struct tr_thread *thread = arg;
  take_short_slices();
  while (!tr_thread_is_over(thread)) {
    (void)tr_reactor_run(thread->reactor, INFINITY);
    tr_thread_catch_up(thread); /* where the program closed the wake, runs end by themselves */
  }
  return NULL;
}

static void thread_free(struct tr_thread *thread) {
  tr_reactor_free(thread->reactor);
  if (thread->wake.fd >= 0) close(thread->wake.fd);
  pthread_mutex_destroy(&thread->lock);
  tr_free(thread);
}

/* TLS must not be torn down by the process's exit under a thread that uses it: this runs before
** the handlers of libraries that were initialised earlier. The struct stays, for those who post
** too late. */
static void end_at_exit(void) {
  tr_lock(TR_LOCK_THREAD);
  struct tr_thread *thread = current;
  tr_unlock(TR_LOCK_THREAD);
  if (!thread || thread->pid != getpid()) return;
  pthread_mutex_lock(&thread->lock);
  thread->is_ending = 1;
  pthread_mutex_unlock(&thread->lock);
  (void)eventfd_write(thread->wake.fd, 1);
  pthread_join(thread->id, NULL);
  tr_thread_catch_up(thread);
  tr_reactor_free(thread->reactor);
  thread->reactor = NULL;
}

/* All signals stay with the program's own threads. */
static int start(struct tr_thread *thread) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(&thread->id, NULL, run, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = status;
  return status == 0 ? 0 : -1;
}

static int open_all(struct tr_thread *thread) {
  thread->reactor = tr_reactor_new();
  if (!thread->reactor) return -1;
  thread->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (thread->wake.fd < 0 || tr_watch_start(thread->reactor, &thread->wake) != 0) return -1;
  return start(thread);
}

static struct tr_thread *thread_new(void) {
  struct tr_thread *thread = tr_calloc(sizeof *thread);
  if (!thread) {
    errno = ENOMEM;
    return NULL;
  }
  pthread_mutex_init(&thread->lock, NULL);
  thread->pid = getpid();
  thread->last = &thread->first;
  thread->wake.fd = -1;
  thread->wake.ready = on_wake;
  thread->wake.arg = thread;
  if (open_all(thread) == 0) return thread;
  int reason = errno;
  thread_free(thread);
  errno = reason;
  return NULL;
}

static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void watch_exit(void) {
  (void)atexit(end_at_exit);
}

struct tr_thread *tr_thread_get(void) {
  tr_lock(TR_LOCK_THREAD);
  if (current && current->pid != getpid()) current = NULL;
  if (!current) current = thread_new();
  struct tr_thread *thread = current;
  if (thread && tr_thread_is_over(thread)) {
    thread = NULL;
    errno = ECANCELED;
  }
  tr_unlock(TR_LOCK_THREAD);
  /* After the reactor's libraries were initialised, so that their handlers run after ours. */
  if (thread) pthread_once(&exit_once, watch_exit);
  return thread;
}

struct tr_reactor *tr_thread_reactor(struct tr_thread *thread) {
  return thread->reactor;
}

void tr_thread_post(struct tr_thread *thread, struct tr_task *task) {
  pthread_mutex_lock(&thread->lock);
  int is_woken = thread->first != NULL; /* by who posted that, and it has not come yet */
  if (!task->queued && !thread->is_ending) {
    task->queued = 1;
    task->next = NULL;
    *thread->last = task;
    thread->last = &task->next;
  }
  pthread_mutex_unlock(&thread->lock);
  if (!is_woken) (void)eventfd_write(thread->wake.fd, 1);
}
