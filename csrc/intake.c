/* intake: what a job does with what arrives; see intake.h. */
#include "intake.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "collector.h"
#include "errtable.h"
#include "interrupt.h"

#define RUN 0.001 /* seconds of decoding in one run, after which a step looks up */

int tr_intake_init(struct tr_intake *in, const struct tr_reader *reader, size_t self_size) {
  in->reader = reader;
  in->pid = getpid();
  in->self = tr_calloc(self_size);
  return in->self ? 0 : -1;
}

void tr_intake_cleanup(struct tr_intake *in) {
  tr_piece_free(in->piece);
  in->piece = NULL;
  tr_source_free(in->source);
  in->source = NULL;
  if (in->self) in->reader->cleanup(in->self);
  tr_free(in->self);
  in->self = NULL;
}

int tr_intake_make_source(struct tr_intake *in, struct tr_place place) {
  in->source = in->reader->make(in->self, place);
  return in->source ? 0 : -1;
}

/* Called as a Lua function with the job's state and what it is about. */
struct taking {
  struct tr_intake *in;
  struct tr_collector *collector;
  double end; /* when to stop; below 0: when no piece is left */
};

/* In a child that a callback forked, or a finalizer: what it inherited is left alone. */
static int is_inherited(const struct tr_intake *in) {
  return in->pid != getpid();
}

static int l_take_pieces(lua_State *L) {
  const struct taking *taking = lua_touserdata(L, 2);
  struct tr_intake *in = taking->in;
  while ((in->piece = tr_source_next(in->source))) {
    in->is_torn = 1;
    in->reader->take(L, 1, in->self, in->piece);
    in->is_torn = 0;
    tr_piece_free(in->piece);
    in->piece = NULL;
    tr_collector_pace(L, taking->collector);
    if (taking->end >= 0 && tr_clock() >= taking->end) break;
  }
  return 0;
}

/* Takes pieces in for `seconds` or, below 0, until none is left. An interrupt raises before or after
** a piece, never within. The collector stays held: a call takes pieces in many times before the
** script sees anything. */
static void take_pieces(lua_State *L, struct tr_intake *in, int state, double seconds) {
  if (tr_outbox_look(&in->source->outbox) != TR_OUTBOX_PIECES) return;
  struct taking taking = {in, NULL, seconds < 0 ? -1 : tr_clock() + seconds};
  struct tr_interrupt aside;
  lua_pushcfunction(L, l_take_pieces);
  lua_pushvalue(L, state);
  lua_pushlightuserdata(L, &taking);
  tr_interrupt_hold(L, &aside);
  taking.collector = tr_collector_hold(L, tr_outbox_received(&in->source->outbox));
  int status = lua_pcall(L, 2, 0, 0);
  tr_interrupt_release(L, &aside);
  int came = tr_interrupt_pop(L);
  if (came && status != 0) lua_pop(L, 1); /* one thing is raised */
  if (came || status != 0) lua_error(L);
}

/* What the interpreter's handler of Ctrl-C raises, which no callback may turn into a value. */
static int is_interrupt(lua_State *L) {
  static const char text[] = "interrupted!";
  size_t length, size = sizeof text - 1;
  const char *message = lua_tolstring(L, -1, &length);
  return message && length >= size && memcmp(message + length - size, text, size) == 0;
}

static void report_progress(lua_State *L, struct tr_intake *in, int on_progress) {
  if (lua_isnil(L, on_progress)) return;
  tr_collector_release(L);
  lua_pushvalue(L, on_progress);
  in->reader->progress(L, in->self, tr_outbox_received(&in->source->outbox));
  in->in_callback = 1;
  int status = lua_pcall(L, 1, 1, 0);
  in->in_callback = 0;
  if (status == LUA_ERRMEM || (status != 0 && is_interrupt(L))) lua_error(L);
  if (is_inherited(in)) {
    lua_pop(L, 1);
    return;
  }
  if (status != 0) {
    const char *text = lua_tostring(L, -1);
    snprintf(in->complaint, sizeof in->complaint, "on_progress raised: %.150s",
             text ? text : "not a string");
    tr_source_cancel(in->source, in->complaint);
  } else if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
    in->cancel_wanted = TR_CANCELLED_BY_CALLBACK;
  }
  lua_pop(L, 1);
}

void tr_intake_run(lua_State *L, struct tr_intake *in, int state, int on_progress) {
  unsigned long before = in->reader->moved(in->self);
  take_pieces(L, in, state, RUN);
  if (is_inherited(in)) return;
  if (before != in->reader->moved(in->self)) report_progress(L, in, on_progress);
  if (in->cancel_wanted && !is_inherited(in)) tr_source_cancel(in->source, in->cancel_wanted);
}

void tr_intake_drain(lua_State *L, struct tr_intake *in, int state) {
  take_pieces(L, in, state, -1);
}

void tr_intake_finish(lua_State *L, struct tr_intake *in, int state) {
  (void)tr_collector_hold(L, tr_outbox_received(&in->source->outbox));
  in->reader->finish(L, state, in->self);
  if (in->complaint[0] && lua_isnil(L, -2)) { /* all had come, and nothing was left to cancel */
    struct tr_error error;
    tr_error_clear(&error);
    tr_error_set(&error, TR_CANCELLED, "%s", in->complaint);
    tr_errtable_push(L, &error);
    lua_replace(L, -3);
  }
  tr_collector_forget(L);
}
