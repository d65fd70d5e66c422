/* quota: the paces of this process; see quota.h. */
#include "quota.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc.h"
#include "pace.h"
#include "reactor.h"

struct tr_quota {
  uint64_t id;
  unsigned users;
  double last; /* when it was last used */
  struct tr_pace pace;
  struct tr_quota *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tr_quota *all;

/* A fork while another thread held the lock would leave it locked in the child for ever. */
static void before_fork(void) {
  pthread_mutex_lock(&lock);
}

static void after_fork(void) {
  pthread_mutex_unlock(&lock);
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
  (void)pthread_atfork(before_fork, after_fork, after_fork);
}

/* FNV-1a. Two credentials that met would share a pace, which is slower, never wrong. */
static uint64_t hash(const char *text) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (; *text; text++)
    h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return h;
}

void tr_quota_name(const char *credential, char *out, size_t size) {
  (void)snprintf(out, size, "%016llx", (unsigned long long)hash(credential));
}

/* One that nobody uses goes once nothing in it counts any more. */
static void forget_old(double now) {
  for (struct tr_quota **link = &all; *link;) {
    struct tr_quota *q = *link;
    if (q->users > 0 || now - q->last < TR_PACE_WINDOW || q->pace.hold > now) {
      link = &q->next;
      continue;
    }
    *link = q->next;
    tr_pace_cleanup(&q->pace);
    tr_free(q);
  }
}

static struct tr_quota *make(uint64_t id, int quota) {
  struct tr_quota *q = tr_calloc(sizeof *q);
  if (!q) return NULL;
  if (tr_pace_init(&q->pace, quota) != 0) {
    tr_free(q);
    return NULL;
  }
  q->id = id;
  q->next = all;
  all = q;
  return q;
}

struct tr_quota *tr_quota_get(const char *credential, int quota) {
  uint64_t id = hash(credential);
  pthread_once(&fork_once, watch_forks);
  pthread_mutex_lock(&lock);
  forget_old(tr_clock());
  struct tr_quota *q = all;
  while (q && q->id != id)
    q = q->next;
  if (!q) q = make(id, quota);
  if (q && tr_pace_set_quota(&q->pace, quota) != 0) q = NULL;
  if (q) {
    q->users++;
    q->last = tr_clock();
  }
  pthread_mutex_unlock(&lock);
  return q;
}

void tr_quota_release(struct tr_quota *q) {
  if (!q) return;
  pthread_mutex_lock(&lock);
  q->users--;
  pthread_mutex_unlock(&lock);
}

double tr_quota_take(struct tr_quota *q, int quota, double now) {
  pthread_mutex_lock(&lock);
  /* The ring is large enough for every quota that was asked for. */
  (void)tr_pace_set_quota(&q->pace, quota);
  double wait = tr_pace_wait(&q->pace, now);
  if (wait <= 0) {
    tr_pace_sent(&q->pace, now);
    q->last = now;
  }
  pthread_mutex_unlock(&lock);
  return wait;
}

void tr_quota_heed(struct tr_quota *q, const char *ratelimit, double hold, double now) {
  pthread_mutex_lock(&lock);
  if (*ratelimit) tr_pace_read(&q->pace, ratelimit, now);
  if (hold > 0) tr_pace_hold(&q->pace, now, hold);
  pthread_mutex_unlock(&lock);
}
