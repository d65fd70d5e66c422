/* tally: how many requests a call has sent; see tally.h. */
#include "tally.h"

#include "alloc.h"
#include "locks.h"

/* Guarded by TR_LOCK_TALLY. */
struct tr_tally {
  unsigned owners;
  unsigned long sent;
  int is_closed;
};

struct tr_tally *tr_tally_new(void) {
  struct tr_tally *tally = tr_calloc(sizeof *tally);
  if (tally) tally->owners = 1;
  return tally;
}

struct tr_tally *tr_tally_share(struct tr_tally *tally) {
  if (!tally) return NULL;
  tr_lock(TR_LOCK_TALLY);
  tally->owners++;
  tr_unlock(TR_LOCK_TALLY);
  return tally;
}

void tr_tally_release(struct tr_tally *tally) {
  if (!tally) return;
  tr_lock(TR_LOCK_TALLY);
  int is_last = --tally->owners == 0;
  tr_unlock(TR_LOCK_TALLY);
  if (is_last) tr_free(tally);
}

void tr_tally_add(struct tr_tally *tally) {
  if (!tally) return;
  tr_lock(TR_LOCK_TALLY);
  tally->sent++;
  tr_unlock(TR_LOCK_TALLY);
}

void tr_tally_close(struct tr_tally *tally) {
  if (!tally) return;
  tr_lock(TR_LOCK_TALLY);
  tally->is_closed = 1;
  tr_unlock(TR_LOCK_TALLY);
}

int tr_tally_read(const struct tr_tally *tally, unsigned long *sent) {
  *sent = 0;
  if (!tally) return 0;
  tr_lock(TR_LOCK_TALLY);
  *sent = tally->sent;
  int is_closed = tally->is_closed;
  tr_unlock(TR_LOCK_TALLY);
  return is_closed;
}
