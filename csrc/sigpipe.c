/* sigpipe: holds SIGPIPE back for the moment of a call; see sigpipe.h. */
#include "sigpipe.h"

#include <pthread.h>
#include <time.h>

void tr_sigpipe_hold(struct tr_sigpipe *held) {
  sigemptyset(&held->pipe);
  sigaddset(&held->pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &held->pipe, &held->before);
}

void tr_sigpipe_release(struct tr_sigpipe *held) {
  static const struct timespec none;
  if (sigismember(&held->before, SIGPIPE)) return;
  while (sigtimedwait(&held->pipe, NULL, &none) == SIGPIPE)
    continue;
  pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
