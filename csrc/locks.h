/* locks: the locks of what a process has once, all of them together, so that a fork finds none of
** them taken: what another thread held then would stay taken in the child for ever. It knows
** nothing of what they guard but their order. Knows no Lua. */
#ifndef TR_LOCKS_H
#define TR_LOCKS_H

/* In the order in which they may be taken while others are held. */
enum tr_lock {
  TR_LOCK_THREAD,   /* the process's thread */
  TR_LOCK_DOORBELL, /* its listening socket */
  TR_LOCK_LIBCURL,  /* what libcurl has once, whose own lock a fork may leave taken */
  TR_LOCK_QUOTA,    /* the paces */
  TR_LOCK_CHILDREN, /* the list of running children */
  TR_LOCK_TALLY,    /* what calls have sent */
  TR_LOCKS
};

void tr_lock(enum tr_lock which);
void tr_unlock(enum tr_lock which);

#endif
