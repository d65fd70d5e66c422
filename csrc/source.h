/* source: what a job draws from: something that lives where its reactor runs, and whose pieces
** come out of an outbox. Knows how to have it started, cancelled and freed there; a call and a
** survey are sources, and only they know what they do. Knows no Lua. */
#ifndef TR_SOURCE_H
#define TR_SOURCE_H

#include "outbox.h"
#include "thread.h"

/* Where a source lives: in `thread`, or if that is NULL with the caller's `reactor`. */
struct tr_place {
  struct tr_reactor *reactor;
  struct tr_thread *thread;
};

struct tr_source;

/* Done where the source lives. */
struct tr_source_acts {
  void (*start)(struct tr_source *source);
  /* Ends what runs; what was received goes to the outbox, which is closed then. At most once. */
  void (*cancel)(struct tr_source *source, const char *message);
  void (*resume)(struct tr_source *source); /* the outbox has room again */
  void (*free)(
      struct tr_source *source); /* ends what runs, and frees it, calling tr_source_cleanup */
};

/* The first member of what is a source. */
struct tr_source {
  const struct tr_source_acts *acts;
  struct tr_place place;
  struct tr_reactor *reactor; /* the place's */
  struct tr_outbox outbox;
  struct tr_task start, cancel, resume, free;
  int is_cancelled;
  char cancel_message[TR_MESSAGE_MAX];
};

int tr_source_init(struct tr_source *source, struct tr_place place,
                   const struct tr_source_acts *acts);
void tr_source_cleanup(struct tr_source *source);

/* ---- for the owner, who need not know where it lives ---- */

void tr_source_start(struct tr_source *source);

/* Idempotent; done on return unless the source lives in a thread. */
void tr_source_cancel(struct tr_source *source, const char *message);

/* Undelivered pieces are lost. It is gone for the owner, if not at once for its thread. NULL is
** fine. */
void tr_source_free(struct tr_source *source);

/* The next piece, the caller's to free; NULL: none now. */
struct tr_piece *tr_source_next(struct tr_source *source);

/* ---- for whoever runs where it lives ---- */

void tr_source_hang_up(struct tr_source *source); /* cancels it: nobody waits any more */

#endif
