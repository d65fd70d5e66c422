/* reactor: transfers, timers and other descriptors behind one epoll descriptor, and the one place
** where they are waited for. What they are for is not its business. Knows no Lua.
**
** Everything happens inside a run: transfers advance, ended ones are reported, timers fire, watched
** descriptors are looked at. The functions it calls may add and remove any of these, free what they
** belong to, and must not call tr_reactor_run.
**
** A reactor is for one thread at a time, which is its owner's to see to, and for the process that made
** it: what a child inherits is left alone, since closing it would end the parent's connections. */
#ifndef TR_REACTOR_H
#define TR_REACTOR_H

#include "multi.h"
#include "timers.h"

/* A descriptor of somebody else's. `ready` is called from each run in which it is readable, or
** can be written to if that is asked for. */
struct tr_watch {
  int fd;
  int is_writer;
  void (*ready)(void *arg);
  void *arg;
};

/* A reactor of the caller's own. NULL, with errno set: no memory, descriptors or watches left. */
struct tr_reactor *tr_reactor_new(void);
void tr_reactor_free(struct tr_reactor *r); /* closes idle connections; NULL is fine */

/* For one with several users, none of which frees it: each release is paired with a share, or with
** its making; the last one frees it. NULL may be released. */
void tr_reactor_share(struct tr_reactor *r);
void tr_reactor_release(struct tr_reactor *r);

/* Something that goes with the reactor: `release` is called when that is freed. The key is any
** address; NULL: nothing is attached by it. 0, or -1: there is no place left. */
void *tr_reactor_attached(const struct tr_reactor *r, const void *key);
int tr_reactor_attach(struct tr_reactor *r, const void *key, void *thing,
                      void (*release)(void *thing));

/* Whether the reactor was made by the running process: if not, it must not be touched. */
int tr_reactor_is_ours(const struct tr_reactor *r);

/* Readable when a run is worth taking. Given back by those who no longer look at it, since it costs
** each run that times show there. */
int tr_reactor_lend_fd(struct tr_reactor *r);
void tr_reactor_return_fd(struct tr_reactor *r);

enum { TR_RUN_MOVED, TR_RUN_IDLE, TR_RUN_INTERRUPTED };

/* Waits at most `seconds` (0: not at all) for something to do, and does it. TR_RUN_IDLE: nothing
** happened; TR_RUN_INTERRUPTED: a signal came while waiting. */
int tr_reactor_run(struct tr_reactor *r, double seconds);

/* 0, or -1: no memory. */
int tr_reactor_start(struct tr_reactor *r, struct tr_transfer *t);

/* No more callbacks, and the peer learns that nobody wants the answer any more; idempotent. */
void tr_reactor_stop(struct tr_transfer *t);

/* Goes on with a transfer whose write function paused it; may be called outside of a run. */
void tr_reactor_resume(struct tr_transfer *t);

/* 0, or -1 with errno set: no watches or memory left. Again, to change what is asked for. */
int tr_watch_start(struct tr_reactor *r, struct tr_watch *watch);
void tr_watch_stop(struct tr_reactor *r, struct tr_watch *watch); /* before its fd is closed */

/* As in timers.h, where a timer is stopped. */
void tr_timer_set(struct tr_reactor *r, struct tr_timer *timer, double at);

#endif
