/* thread: one reactor of this process in a thread of its own, for programs whose own thread must
** never wait. Knows how to hand it tasks and how to end it; what they do is not its business.
** Knows no Lua. */
#ifndef TR_THREAD_H
#define TR_THREAD_H

#include "reactor.h"

struct tr_thread;

/* Something to be done in the thread. Embed it, zeroed but for run and arg. */
struct tr_task {
  void (*run)(void *arg);
  void *arg;
  struct tr_task *next; /* private */
  int queued;           /* private */
};

/* The process's one, made on first need and ended by the process's exit; after a fork the child
** gets one of its own. NULL, with errno set: no memory, descriptors or threads left, or the
** process is about to exit. */
struct tr_thread *tr_thread_get(void);

/* For use in the thread itself, that is in tasks and in what the reactor calls. */
struct tr_reactor *tr_thread_reactor(struct tr_thread *thread);

/* In the thread itself: does now what was posted until now. */
void tr_thread_catch_up(struct tr_thread *thread);

/* From any thread: the task will be done, in the order of posting. One that is still queued is not
** queued again. After the end of the thread nothing is done any more. */
void tr_thread_post(struct tr_thread *thread, struct tr_task *task);

/* Whether it ends, with the process, and does nothing that is posted now. */
int tr_thread_is_over(struct tr_thread *thread);

#endif
