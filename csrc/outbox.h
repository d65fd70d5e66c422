/* outbox: pieces on their way from where a call lives to whoever reads them, possibly in another
** thread. A locked queue with a bell; knows nothing of what the pieces mean. Knows no Lua. */
#ifndef TR_OUTBOX_H
#define TR_OUTBOX_H

#include <pthread.h>
#include <stddef.h>

#include "exchange.h"

/* Bytes of slices waiting, from which on the sender pauses, and below which it goes on. */
#define TR_OUTBOX_HIGH ((size_t)1024 * 1024)
#define TR_OUTBOX_LOW ((size_t)256 * 1024)

enum tr_piece_kind {
  TR_PIECE_SLICE, /* a colo result: its text */
  TR_PIECE_TRY,   /* a try ended: its report; `final` if the request is thereby done */
  TR_PIECE_SIGHT, /* of a survey: what came of a target, as its load */
  TR_PIECE_END    /* of a survey: nothing more comes; the report's error says why, if early */
};

struct tr_piece {
  enum tr_piece_kind kind;
  unsigned request;             /* from 0 */
  unsigned index, target, colo; /* of a slice: see slicer.h; from 0 */
  char *text;                   /* of a slice */
  size_t length;
  struct tr_report report;
  void *load; /* what else it carries, freed by `release` */
  void (*release)(void *load);
  int final;
  unsigned attempts;     /* tries of this request so far */
  struct tr_piece *next; /* private */
};

void tr_piece_free(struct tr_piece *piece);

/* Rings when a piece comes or the outbox is closed, once until it was seen to be empty: called
** in the thread of the call, without the lock. */
struct tr_bell {
  void (*ring)(void *arg);
  void *arg;
};

struct tr_outbox {
  pthread_mutex_t lock; /* guards all that follows */
  pthread_cond_t changed;
  struct tr_piece *first, **last;
  size_t waiting;  /* bytes of slices in the queue */
  size_t received; /* and of all there ever were */
  int is_paused;   /* the sender waits until the queue is short again */
  int is_closed;   /* no piece will follow */
  int is_short;    /* of memory: a piece was lost, the call is over */
  int rung;
  struct tr_bell bell;
  int fd; /* an eventfd that rings too, or -1 */
};

int tr_outbox_init(struct tr_outbox *o); /* 0, or -1 */
void tr_outbox_cleanup(struct tr_outbox *o);

/* ---- for the call ---- */

void tr_outbox_put(struct tr_outbox *o, struct tr_piece *piece); /* takes the piece over */
void tr_outbox_close(struct tr_outbox *o);
void tr_outbox_lose(struct tr_outbox *o); /* memory ran out: closes too */

/* Whether the sender should pause; if so, the reader will be told by tr_outbox_next when to go
** on. */
int tr_outbox_is_full(struct tr_outbox *o);

/* ---- for the reader ---- */

/* The next piece, the caller's to free; NULL: none now. *go_on: the paused sender should be
** told. */
struct tr_piece *tr_outbox_next(struct tr_outbox *o, int *go_on);

enum tr_outbox_state {
  TR_OUTBOX_EMPTY, /* for now: the bell will ring for what comes next, be it a piece or the end */
  TR_OUTBOX_PIECES,
  TR_OUTBOX_DONE /* closed, and all pieces taken */
};

/* What there is to do. Whoever is going to wait asks this last: taking the last piece does not
** yet make the bell ring again. */
enum tr_outbox_state tr_outbox_look(struct tr_outbox *o);

int tr_outbox_is_short(struct tr_outbox *o);
size_t tr_outbox_received(struct tr_outbox *o);

/* Waits until there is something to take or the outbox is closed, for at most that many seconds. */
void tr_outbox_wait(struct tr_outbox *o, double seconds);

/* From then on the eventfd is readable while pieces wait or the outbox is closed. Duplicated: the
** caller's stays the caller's. 0, or -1: no descriptors left. */
int tr_outbox_set_fd(struct tr_outbox *o, int eventfd);

/* Rings at once if it had rung already. A NULL ring function takes the bell away. */
void tr_outbox_set_bell(struct tr_outbox *o, struct tr_bell bell);

#endif
