/* quota: the paces of this process; see quota.h. */
#include "quota.h"

#include <stdint.h>
#include <stdio.h>

#include "alloc.h"
#include "locks.h"
#include "pace.h"
#include "reactor.h"

struct tr_quota {
  uint64_t id;
  unsigned users;
  double last; /* when it was last used */
  struct tr_pace pace;
  struct tr_quota *next;
};

static struct tr_quota *all;

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
  tr_lock(TR_LOCK_QUOTA);
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
  tr_unlock(TR_LOCK_QUOTA);
  return q;
}

void tr_quota_release(struct tr_quota *q) {
  if (!q) return;
  tr_lock(TR_LOCK_QUOTA);
  q->users--;
  tr_unlock(TR_LOCK_QUOTA);
}

double tr_quota_take(struct tr_quota *q, int quota, double now) {
  tr_lock(TR_LOCK_QUOTA);
  /* The ring is large enough for every quota that was asked for. */
  (void)tr_pace_set_quota(&q->pace, quota);
  double wait = tr_pace_wait(&q->pace, now);
  if (wait <= 0) {
    tr_pace_sent(&q->pace, now);
    q->last = now;
  }
  tr_unlock(TR_LOCK_QUOTA);
  return wait;
}

void tr_quota_heed(struct tr_quota *q, const char *ratelimit, double hold, double now) {
  tr_lock(TR_LOCK_QUOTA);
  if (*ratelimit) tr_pace_read(&q->pace, ratelimit, now);
  if (hold > 0) tr_pace_hold(&q->pace, now, hold);
  tr_unlock(TR_LOCK_QUOTA);
}
