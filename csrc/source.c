/* source: what a job draws from; see source.h. */
#include "source.h"

#include <stdio.h>
#include <string.h>

int tr_source_init(struct tr_source *source, struct tr_place place,
                   const struct tr_source_acts *acts) {
  source->acts = acts;
  source->place = place;
  source->reactor = place.thread ? tr_thread_reactor(place.thread) : place.reactor;
  return tr_outbox_init(&source->outbox);
}

void tr_source_cleanup(struct tr_source *source) {
  tr_outbox_cleanup(&source->outbox);
}

static void cancel_now(struct tr_source *source, const char *message) {
  if (source->is_cancelled) return;
  source->is_cancelled = 1;
  source->acts->cancel(source, message);
}

static void run_start(void *arg) {
  struct tr_source *source = arg;
  source->acts->start(source);
}

static void run_cancel(void *arg) {
  struct tr_source *source = arg;
  cancel_now(source, source->cancel_message);
}

static void run_resume(void *arg) {
  struct tr_source *source = arg;
  source->acts->resume(source);
}

static void run_free(void *arg) {
  struct tr_source *source = arg;
  source->acts->free(source);
}

static void post(struct tr_source *source, struct tr_task *task, void (*run)(void *arg)) {
  if (!source->place.thread) {
    run(source);
    return;
  }
  task->run = run;
  task->arg = source;
  tr_thread_post(source->place.thread, task);
}

void tr_source_start(struct tr_source *source) {
  post(source, &source->start, run_start);
}

void tr_source_cancel(struct tr_source *source, const char *message) {
  if (*source->cancel_message) return;
  (void)snprintf(source->cancel_message, sizeof source->cancel_message, "%s", message);
  post(source, &source->cancel, run_cancel);
}

void tr_source_free(struct tr_source *source) {
  if (source) post(source, &source->free, run_free);
}

struct tr_piece *tr_source_next(struct tr_source *source) {
  int go_on;
  struct tr_piece *piece = tr_outbox_next(&source->outbox, &go_on);
  if (go_on) post(source, &source->resume, run_resume);
  return piece;
}

void tr_source_hang_up(struct tr_source *source) {
  cancel_now(source, "cancelled, since nobody waits for it any more");
}
