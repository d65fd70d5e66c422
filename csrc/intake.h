/* intake: what a job does with what arrives: pieces become tables at the job's own pace, in runs
** short enough for an event loop, on_progress is told, and what they come to is handed out. It
** owns the source and the reader's part of a job; what the pieces are is the reader's business.
** It must not know the userdata that scripts hold, nor how one waits. */
#ifndef TR_INTAKE_H
#define TR_INTAKE_H

#include <sys/types.h>

#include "shim.h"
#include "source.h"

/* How pieces become a result. `self` is the reader's own part of the job, zeroed at first;
** `state` is the stack place of its Lua table. The functions raise only for lack of memory. */
struct tr_reader {
  void (*take)(lua_State *L, int state, void *self, struct tr_piece *piece);
  void (*finish)(lua_State *L, int state, void *self);               /* pushes result, err, info */
  void (*progress)(lua_State *L, const void *self, size_t received); /* pushes a table */
  unsigned long (*moved)(const void *self); /* another number whenever progress is worth telling */
  struct tr_source *(*make)(void *self, struct tr_place place); /* NULL: out of memory */
  void (*cleanup)(void *self); /* idempotent; after the source is gone */
};

/* Why a source was cancelled. */
#define TR_CANCELLED_BY_CALLBACK "cancelled by on_progress"

/* Taking in and finishing may leave the collector held, also when they raise: whoever called
** releases it before anything of the script's runs. */
struct tr_intake {
  const struct tr_reader *reader;
  void *self;               /* the reader's */
  struct tr_source *source; /* NULL: not made yet, or gone */
  struct tr_piece *piece;   /* being taken in: freed by the cleanup should that raise */
  pid_t pid;                /* whose the source is */
  int in_callback;
  int is_torn; /* what came is half taken in or half handed out: nothing more can come of it */
  char complaint[TR_MESSAGE_MAX]; /* what on_progress raised; "" nothing */
  const char *cancel_wanted; /* why the end of a run is to cancel the source; NULL: it is not */
};

/* `in` is zeroed. 0, or -1: out of memory. */
int tr_intake_init(struct tr_intake *in, const struct tr_reader *reader, size_t self_size);

/* Idempotent; ends the source. */
void tr_intake_cleanup(struct tr_intake *in);

/* 0, or -1: out of memory. */
int tr_intake_make_source(struct tr_intake *in, struct tr_place place);

/* Takes in what waits, for about a millisecond, and if that moved something tells the function (or
** nil) at the stack place `on_progress`: what it raises, or `false`, cancels the source, as does
** `cancel_wanted`. Raises for lack of memory, and what a handler of Ctrl-C or a finalizer raises. */
void tr_intake_run(lua_State *L, struct tr_intake *in, int state, int on_progress);

/* Takes in all that waits, and tells nobody. Raises for lack of memory. */
void tr_intake_drain(lua_State *L, struct tr_intake *in, int state);

/* Pushes result, err and info. Raises for lack of memory. */
void tr_intake_finish(lua_State *L, struct tr_intake *in, int state);

#endif
