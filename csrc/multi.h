/* multi: libcurl's multi handle, whose sockets are watched by an epoll descriptor of somebody
** else's. It knows transfers and how each ended, not what they are for; it never waits. Knows no
** Lua.
**
** SIGPIPE is its caller's to hold back: libcurl is told to leave signals alone. Nothing here is
** called after a fork by the child. */
#ifndef TR_MULTI_H
#define TR_MULTI_H

#include <stdint.h>

#include "gate.h"

struct tr_reactor;

/* A transfer ended: `result` is its CURLcode. Embed it in what it belongs to. */
struct tr_transfer {
  void *easy;         /* the CURL handle, owned by whoever embeds this */
  unsigned long host; /* the same for all that may share a connection */
  double begun;       /* the tr_clock() time; 0: it waits for its turn */
  int system_error;   /* once it has ended: why its socket could not be watched, an errno; else 0 */
  int failure;        /* private: a CURLcode to be reported */
  void (*ended)(void *arg, int result);
  void *arg;
  struct tr_multi *multi; /* private, like the rest: set while it waits or runs */
  struct tr_pass pass;
  int is_suspect; /* another transfer had to leave the connection that this one is on */
  struct tr_transfer *next, **link;
};

/* Embedded in its reactor. Private, but for `reactor`. */
struct tr_multi {
  struct tr_reactor *reactor; /* whose it is */
  void *handle;               /* CURLM; NULL after it broke, until something is started */
  int epoll;
  double due;                    /* when libcurl wants to be called, or below 0 */
  struct tr_transfer *transfers; /* those that run */
  struct tr_gate gate;
  int has_failures; /* of transfers, to be reported */
  int has_suspects; /* among transfers, to be looked at */
  int is_broken;    /* libcurl gave up on the handle: it is called no more */
};

/* 0, or -1: no memory. Cleaning up closes idle connections; what was zeroed may be cleaned up. */
int tr_multi_init(struct tr_multi *m, struct tr_reactor *reactor, int epoll);
void tr_multi_cleanup(struct tr_multi *m);

/* 0, or -1: no memory. */
int tr_multi_start(struct tr_multi *m, struct tr_transfer *t);

/* No more callbacks, and the peer learns that nobody wants the answer. */
void tr_multi_stop(struct tr_multi *m, struct tr_transfer *t);

/* Of a transfer that runs: goes on, if its write function had paused it. */
void tr_multi_resume(struct tr_multi *m, struct tr_transfer *t);

/* Its sockets' events in the epoll set have this bit of their data's u64 set, as no address has. */
#define TR_MULTI_MARK UINT64_C(1)
void tr_multi_look(struct tr_multi *m, uint64_t mark, uint32_t events);

/* The tr_clock() time at which to advance or report; below 0: none. */
double tr_multi_due(const struct tr_multi *m);

/* Does what is due at `now`. Whether anything was. */
int tr_multi_advance(struct tr_multi *m, double now);

/* Calls `ended` of those that have ended, which may start and stop any. Whether there were any. */
int tr_multi_report(struct tr_multi *m);

#endif
