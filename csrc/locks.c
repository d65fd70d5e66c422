/* locks: the process's own locks; see locks.h. */
#include "locks.h"

#include <pthread.h>

static pthread_mutex_t locks[TR_LOCKS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};

static void before_fork(void) {
  for (int i = 0; i < TR_LOCKS; i++)
    pthread_mutex_lock(&locks[i]);
}

static void after_fork(void) {
  for (int i = TR_LOCKS; i-- > 0;)
    pthread_mutex_unlock(&locks[i]);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
  (void)pthread_atfork(before_fork, after_fork, after_fork);
}

void tr_lock(enum tr_lock which) {
  pthread_once(&once, watch_forks);
  pthread_mutex_lock(&locks[which]);
}

void tr_unlock(enum tr_lock which) {
  pthread_mutex_unlock(&locks[which]);
}
