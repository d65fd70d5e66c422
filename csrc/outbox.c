/* outbox: a locked queue of pieces with a bell; see outbox.h. */
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"

struct tr_piece *tr_piece_new(enum tr_piece_kind kind) {
  struct tr_piece *piece = tr_calloc(sizeof *piece);
  if (!piece) return NULL;
  piece->kind = kind;
  if (kind == TR_PIECE_SLICE || kind == TR_PIECE_SIGHT) return piece;
  piece->report = tr_calloc(sizeof *piece->report);
  if (piece->report) return piece;
  tr_free(piece);
  return NULL;
}

void tr_piece_free(struct tr_piece *piece) {
  if (!piece) return;
  tr_free(piece->text);
  if (piece->report) tr_report_cleanup(piece->report);
  tr_free(piece->report);
  if (piece->release) piece->release(piece->load);
  tr_free(piece);
}

int tr_outbox_init(struct tr_outbox *o) {
  pthread_condattr_t attributes;
  memset(o, 0, sizeof *o);
  o->last = &o->first;
  o->fd = -1;
  if (pthread_mutex_init(&o->lock, NULL) != 0) return -1;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&o->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  return 0;
}

void tr_outbox_cleanup(struct tr_outbox *o) {
  while (o->first) {
    struct tr_piece *piece = o->first;
    o->first = piece->next;
    tr_piece_free(piece);
  }
  if (o->fd >= 0) close(o->fd);
  pthread_cond_destroy(&o->changed);
  pthread_mutex_destroy(&o->lock);
}

/* With the lock held; gives it back. The bell is called without it, since it may ask for it. */
static void ring_and_unlock(struct tr_outbox *o) {
  struct tr_bell bell = o->bell;
  int was_rung = o->rung;
  o->rung = 1;
  if (!was_rung && o->fd >= 0) (void)eventfd_write(o->fd, 1);
  pthread_cond_signal(&o->changed);
  pthread_mutex_unlock(&o->lock);
  if (!was_rung && bell.ring) bell.ring(bell.arg);
}

/* Bytes that a piece takes while it waits. */
static size_t weight_of(const struct tr_piece *piece) {
  size_t weight = sizeof *piece + piece->length;
  return piece->report ? weight + sizeof *piece->report + piece->report->envelope.length : weight;
}

void tr_outbox_put(struct tr_outbox *o, struct tr_piece *piece) {
  piece->next = NULL;
  pthread_mutex_lock(&o->lock);
  *o->last = piece;
  o->last = &piece->next;
  o->waiting += weight_of(piece);
  o->received += piece->length;
  ring_and_unlock(o);
}

void tr_outbox_close(struct tr_outbox *o) {
  pthread_mutex_lock(&o->lock);
  o->is_closed = 1;
  ring_and_unlock(o);
}

void tr_outbox_lose(struct tr_outbox *o) {
  pthread_mutex_lock(&o->lock);
  o->is_closed = o->is_short = 1;
  ring_and_unlock(o);
}

int tr_outbox_is_full(struct tr_outbox *o) {
  pthread_mutex_lock(&o->lock);
  int full = o->waiting >= TR_OUTBOX_HIGH;
  if (full) o->is_paused = 1;
  pthread_mutex_unlock(&o->lock);
  return full;
}

struct tr_piece *tr_outbox_next(struct tr_outbox *o, int *go_on) {
  *go_on = 0;
  pthread_mutex_lock(&o->lock);
  struct tr_piece *piece = o->first;
  if (piece) {
    o->first = piece->next;
    if (!o->first) o->last = &o->first;
    o->waiting -= weight_of(piece);
    if (o->is_paused && o->waiting < TR_OUTBOX_LOW) {
      o->is_paused = 0;
      *go_on = 1;
    }
  }
  pthread_mutex_unlock(&o->lock);
  return piece;
}

static int read_locked(struct tr_outbox *o, const int *flag) {
  pthread_mutex_lock(&o->lock);
  int value = *flag;
  pthread_mutex_unlock(&o->lock);
  return value;
}

/* One look under one lock: between two, the call could end and find the bell rung already. */
enum tr_outbox_state tr_outbox_look(struct tr_outbox *o) {
  eventfd_t ignored;
  pthread_mutex_lock(&o->lock);
  enum tr_outbox_state state = o->first       ? TR_OUTBOX_PIECES
                               : o->is_closed ? TR_OUTBOX_DONE
                                              : TR_OUTBOX_EMPTY;
  if (state == TR_OUTBOX_EMPTY && o->rung) {
    o->rung = 0;
    if (o->fd >= 0) (void)eventfd_read(o->fd, &ignored);
  }
  pthread_mutex_unlock(&o->lock);
  return state;
}

int tr_outbox_is_short(struct tr_outbox *o) {
  return read_locked(o, &o->is_short);
}

size_t tr_outbox_received(struct tr_outbox *o) {
  pthread_mutex_lock(&o->lock);
  size_t received = o->received;
  pthread_mutex_unlock(&o->lock);
  return received;
}

#define LONGEST_WAIT 1e6 /* seconds; what is longer would not fit everywhere */

void tr_outbox_wait(struct tr_outbox *o, double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  if (seconds > LONGEST_WAIT) seconds = LONGEST_WAIT;
  long whole = (long)seconds;
  until.tv_sec += whole;
  until.tv_nsec += (long)((seconds - (double)whole) * 1e9);
  if (until.tv_nsec >= 1000000000L) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000L;
  }
  pthread_mutex_lock(&o->lock);
  int status = 0;
  while (!o->first && !o->is_closed && status == 0)
    status = pthread_cond_timedwait(&o->changed, &o->lock, &until);
  pthread_mutex_unlock(&o->lock);
}

int tr_outbox_set_fd(struct tr_outbox *o, int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return -1;
  pthread_mutex_lock(&o->lock);
  if (o->fd >= 0) close(o->fd);
  o->fd = copy;
  if (o->rung) (void)eventfd_write(o->fd, 1);
  pthread_mutex_unlock(&o->lock);
  return 0;
}

void tr_outbox_set_bell(struct tr_outbox *o, struct tr_bell bell) {
  pthread_mutex_lock(&o->lock);
  o->bell = bell;
  int was_rung = o->rung;
  pthread_mutex_unlock(&o->lock);
  if (was_rung && bell.ring) bell.ring(bell.arg);
}
