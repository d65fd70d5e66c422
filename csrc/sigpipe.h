/* sigpipe: keeps a peer that goes away from ending the process. What becomes of SIGPIPE is the
** program's own business, so that it is held back for the moment of a call only, and only in the
** thread that calls. Knows nothing of what is called. Knows no Lua. */
#ifndef TR_SIGPIPE_H
#define TR_SIGPIPE_H

#include <signal.h>

struct tr_sigpipe {
  sigset_t pipe, before;
};

void tr_sigpipe_hold(struct tr_sigpipe *held);

/* One that came meanwhile is swallowed. */
void tr_sigpipe_release(struct tr_sigpipe *held);

#endif
