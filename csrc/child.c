/* child: a program that runs as a child of this process; see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "locks.h"

#define STANDARD 3 /* descriptors below are the child's standard ones */

#define EXIT_PAUSES 50 /* of a millisecond */

extern char **environ;

/* One pipe for each of the standard descriptors. */
struct pipes {
  int end[STANDARD][2];
};

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_pipes(struct pipes *p) {
  for (int i = 0; i < STANDARD; i++) {
    close_fd(&p->end[i][0]);
    close_fd(&p->end[i][1]);
  }
}

/* In a process without standard descriptors a pipe may get their numbers, and putting one end into
** its place would close another. */
static int move_up(int *fd) {
  if (*fd >= STANDARD) return 0;
  int higher = fcntl(*fd, F_DUPFD_CLOEXEC, STANDARD);
  if (higher < 0) return -1;
  close(*fd);
  *fd = higher;
  return 0;
}

static int open_pipe(int end[2], int ours) {
  if (pipe2(end, O_CLOEXEC) != 0) return -1;
  if (move_up(&end[0]) != 0 || move_up(&end[1]) != 0) return -1;
  return fcntl(end[ours], F_SETFL, O_NONBLOCK);
}

static int open_pipes(struct pipes *p) {
  memset(p, 0xff, sizeof *p); /* -1: none is open */
  for (int i = 0; i < STANDARD; i++) {
    if (open_pipe(p->end[i], i == 0) == 0) continue;
    int reason = errno;
    close_pipes(p);
    return reason;
  }
  return 0;
}

/* We may be in a thread with all signals blocked, which the child would inherit. */
static int spawn(const struct pipes *p, const char *program, pid_t *pid) {
  char *const arguments[] = {(char *)program, NULL}; /* which are not changed */
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
  if (posix_spawnattr_init(&attributes) != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return ENOMEM;
  }
  int status = 0;
  for (int i = 0; i < STANDARD && status == 0; i++)
    status = posix_spawn_file_actions_adddup2(&actions, p->end[i][i == 0 ? 0 : 1], i);
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 34)
  /* It outlives whatever the program has open now: nginx's connections, which are not closed on exec,
  ** would stay open with it. */
  if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&actions, STANDARD);
#endif
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  /* In a group of its own: a terminal's Ctrl-C is for the program, which has results to keep. */
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  if (status == 0) status = posix_spawnp(pid, program, &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

/* posix_spawn has no word for limits, so it is raised from here, before the child is told anything.
** How many it may have open. */
static unsigned allow_descriptors(pid_t pid, unsigned wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur >= wanted) return wanted;
  rlim_t inherited = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) != 0) return (unsigned)inherited;
  return (unsigned)limit.rlim_cur;
}

/* ---- forks ---- the list is guarded by TR_LOCK_CHILDREN, which is held across a fork */

static struct tr_child *running;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void close_ends(struct tr_child *child) {
  close_fd(&child->to);
  close_fd(&child->from);
  close_fd(&child->complaints);
  child->pid = 0;
}

static void after_fork_in_child(void) {
  for (; running; running = running->next) {
    close_ends(running);
    running->link = NULL;
  }
}

/* Without memory for it, copies in forked processes stay open. */
static void watch_forks(void) {
  (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}

static void add_running(struct tr_child *child) {
  child->next = running;
  child->link = &running;
  if (child->next) child->next->link = &child->next;
  running = child;
}

static void remove_running(struct tr_child *child) {
  tr_lock(TR_LOCK_CHILDREN);
  if (child->link) {
    *child->link = child->next;
    if (child->next) child->next->link = child->link;
    child->link = NULL;
  }
  tr_unlock(TR_LOCK_CHILDREN);
}

/* ---- beginning and end ---- */

void tr_child_init(struct tr_child *child) {
  child->pid = 0;
  child->to = child->from = child->complaints = -1;
  child->link = NULL;
}

/* With the lock held, so that no fork comes between the pipes and the list. */
static int start(struct tr_child *child, const char *program, unsigned descriptors) {
  struct pipes p;
  int status = open_pipes(&p);
  if (status != 0) return status;
  status = spawn(&p, program, &child->pid);
  if (status != 0) {
    child->pid = 0;
    close_pipes(&p);
    return status;
  }
  child->descriptors = allow_descriptors(child->pid, descriptors);
  child->to = p.end[0][1];
  child->from = p.end[1][0];
  child->complaints = p.end[2][0];
  p.end[0][1] = p.end[1][0] = p.end[2][0] = -1;
  close_pipes(&p);
  add_running(child);
  return 0;
}

int tr_child_start(struct tr_child *child, const char *program, unsigned descriptors) {
  pthread_once(&fork_once, watch_forks);
  tr_lock(TR_LOCK_CHILDREN);
  int status = start(child, program, descriptors);
  tr_unlock(TR_LOCK_CHILDREN);
  return status;
}

/* Somebody else may reap all children of the process, as nginx does: then the number may be another
** process's, so a kill comes only while it is surely our child. */
int tr_child_stop(struct tr_child *child, int is_ending) {
  static const struct timespec pause = {0, 1000000};
  int status = -1;
  if (child->pid) {
    pid_t ended = waitpid(child->pid, &status, WNOHANG);
    for (int i = 0; is_ending && ended == 0 && i < EXIT_PAUSES; i++) {
      (void)nanosleep(&pause, NULL);
      ended = waitpid(child->pid, &status, WNOHANG);
    }
    if (ended == 0) {
      (void)kill(child->pid, SIGKILL);
      while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    }
    if (ended <= 0) status = -1;
  }
  remove_running(child);
  close_ends(child);
  return status;
}
