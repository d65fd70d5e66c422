/* call: a whole call as one state machine; see call.h. */
#include "call.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "quota.h"

struct request {
  struct tr_call *call;
  struct tr_exchange *exchange; /* while a try runs */
  struct tr_timer timer;        /* while it pauses */
  unsigned attempts;
  int done;
};

struct tr_call {
  struct tr_source source;
  struct tr_plan plan;
  struct tr_quota *quota;
  struct request *requests;
  unsigned next;   /* the first request that was never begun */
  unsigned active; /* begun and not done */
  unsigned done;
  double deadline;
  uint64_t random;
  size_t bytes;
  int any_answer;          /* the service was reached at least once */
  struct tr_error stopped; /* kind set: requests not yet begun fail with it */
  int is_short;            /* of memory */
};

/* ---- what it is given ---- */

static void wipe_text(char *text) {
  if (!text) return;
  tr_wipe(text, strlen(text));
  tr_free(text);
}

void tr_plan_cleanup(struct tr_plan *plan) {
  tr_free(plan->endpoint.url);
  for (char **line = plan->endpoint.headers; line && *line; line++)
    wipe_text(*line);
  tr_free(plan->endpoint.headers);
  wipe_text(plan->endpoint.proxy);
  tr_free(plan->endpoint.ca_file);
  tr_free(plan->endpoint.user_agent);
  wipe_text(plan->credential);
  for (unsigned i = 0; plan->bodies && i < plan->requests; i++)
    tr_free(plan->bodies[i]);
  tr_free(plan->bodies);
  tr_tally_release(plan->tally);
  memset(plan, 0, sizeof *plan);
}

static struct tr_piece *piece_new(const struct request *request, enum tr_piece_kind kind) {
  struct tr_piece *piece = tr_piece_new(kind);
  if (!piece) {
    request->call->is_short = 1;
    return NULL;
  }
  piece->request = (unsigned)(request - request->call->requests);
  piece->attempts = request->attempts;
  return piece;
}

/* ---- a request's way ---- */

static void launch(struct request *request);
static void pump(struct tr_call *call);

static void finish(struct request *request, struct tr_piece *piece) {
  struct tr_call *call = request->call;
  request->done = 1;
  call->done++;
  call->active--;
  if (piece) {
    piece->final = 1;
    tr_outbox_put(&call->source.outbox, piece);
  }
  if (call->done < call->plan.requests) return;
  tr_tally_close(call->plan.tally);
  if (call->is_short)
    tr_outbox_lose(&call->source.outbox);
  else
    tr_outbox_close(&call->source.outbox);
}

/* Ends a request that has no try running with an error of our own. */
static void fail(struct request *request, const struct tr_error *error) {
  struct tr_piece *piece = piece_new(request, TR_PIECE_TRY);
  if (piece) {
    piece->report->outcome = TR_OUTCOME_REFUSED;
    piece->report->error = *error;
    piece->report->headers.retry_after = error->retry_after;
    memcpy(piece->report->headers.ray, error->ray, sizeof error->ray);
    piece->report->status = error->status;
  }
  finish(request, piece);
}

static void fail_for(struct request *request, enum tr_kind kind, double retry_after,
                     const char *message) {
  struct tr_error error;
  tr_error_clear(&error);
  if (retry_after >= 0)
    tr_error_set(&error, kind, "%s %.0f s (retry_after)", message, ceil(retry_after));
  else
    tr_error_set(&error, kind, "%s", message);
  error.retry_after = retry_after;
  fail(request, &error);
}

static double random_fraction(struct tr_call *call) {
  call->random ^= call->random << 13;
  call->random ^= call->random >> 7;
  call->random ^= call->random << 17;
  return (double)(call->random >> 11) / 9007199254740992.0;
}

/* Some refusals hold for every request of the call: the others need not be sent to learn it. */
static void consider_stopping(struct tr_call *call, const struct tr_report *report) {
  if (call->stopped.kind != TR_NONE) return;
  if (report->status) {
    enum tr_kind kind = tr_kind_of_status(report->status);
    if (kind != TR_AUTHENTICATION && kind != TR_PERMISSION && kind != TR_NOT_FOUND &&
        kind != TR_RATE_LIMIT)
      return;
    call->stopped = report->error;
    tr_error_set(&call->stopped, kind, "not sent, since another request of this call got HTTP %d",
                 report->status);
  } else if (!call->any_answer && report->outcome != TR_OUTCOME_TIMEOUT) {
    call->stopped = report->error;
  }
}

static double next_pause(struct request *request, const struct tr_report *report) {
  struct tr_call *call = request->call;
  struct tr_retry_question question = {
      .outcome = report->outcome,
      .status = report->status,
      .answered_well = report->whole,
      .tries = (int)request->attempts,
      .retries = call->plan.retries,
      .retry_timeouts = call->plan.try_timeout > 0,
      .should_retry = report->headers.should_retry,
      .retry_after = report->headers.retry_after,
      .remaining = call->deadline - tr_clock(),
      .random = random_fraction(call),
  };
  return call->source.is_cancelled || call->is_short ? -1 : tr_retry_pause(&question);
}

static void on_pause_over(void *arg) {
  launch(arg);
  pump(((struct request *)arg)->call);
}

static void pause_for(struct request *request, double seconds) {
  request->timer.fire = on_pause_over;
  request->timer.arg = request;
  tr_timer_set(request->call->source.reactor, &request->timer, tr_clock() + seconds);
}

static int on_slice(void *arg, char *text, size_t length, const struct tr_slicer *where) {
  struct request *request = arg;
  struct tr_piece *piece = piece_new(request, TR_PIECE_SLICE);
  if (!piece) {
    tr_free(text);
    return -1;
  }
  piece->text = text;
  piece->length = length;
  piece->index = where->index;
  piece->target = where->target;
  piece->colo = where->colo;
  tr_outbox_put(&request->call->source.outbox, piece);
  return 0;
}

static int is_full(void *arg) {
  return tr_outbox_is_full(&((struct request *)arg)->call->source.outbox);
}

static void on_ended(void *arg) {
  struct request *request = arg;
  struct tr_call *call = request->call;
  struct tr_piece *piece = piece_new(request, TR_PIECE_TRY);
  struct tr_report *report = tr_exchange_report(request->exchange);
  int was_blocked = report->status == 429;
  tr_quota_heed(call->quota, report->headers.ratelimit,
                was_blocked ? report->headers.retry_after : -1, tr_clock());
  if (report->status) call->any_answer = 1;
  if (report->out_of_memory) call->is_short = 1;
  double seconds = piece ? next_pause(request, report) : -1;
  if (seconds < 0) consider_stopping(call, report);
  if (piece) {
    *piece->report = *report;
    memset(&report->envelope, 0, sizeof report->envelope);
  }
  tr_exchange_free(request->exchange);
  request->exchange = NULL;
  if (seconds < 0) {
    finish(request, piece);
    pump(call);
  } else {
    tr_outbox_put(&call->source.outbox, piece);
    pause_for(request, seconds);
  }
}

/* Begins a try, or waits until one may be begun. */
static void launch(struct request *request) {
  struct tr_call *call = request->call;
  double now = tr_clock(), remaining = call->deadline - now;
  if (remaining <= 0) {
    fail_for(request, TR_TIMEOUT, -1,
             "the time for the call was over before this request could be sent; raise timeout or "
             "concurrency");
    return;
  }
  double wait = tr_quota_take(call->quota, call->plan.quota, now);
  if (wait > 0 && wait >= remaining) {
    fail_for(
        request, TR_RATE_LIMIT, wait,
        "not sent, since the limit on requests in five minutes would have been exceeded within the "
        "timeout; raise timeout, or wait");
    return;
  }
  if (wait > 0) {
    pause_for(request, wait);
    return;
  }
  struct tr_allowance allowed = {remaining, call->plan.timeout, 0};
  if (call->plan.try_timeout > 0 && call->plan.try_timeout < remaining)
    allowed = (struct tr_allowance){call->plan.try_timeout, call->plan.try_timeout, 1};
  struct tr_sink sink = {on_slice, is_full, on_ended, request};
  const char *body = call->plan.bodies[request - call->requests];
  request->attempts++;
  tr_tally_add(call->plan.tally);
  request->exchange = tr_exchange_new(&call->plan.endpoint, sink);
  if (request->exchange &&
      tr_exchange_start(request->exchange, call->source.reactor, body, strlen(body), allowed) == 0)
    return;
  tr_exchange_free(request->exchange);
  request->exchange = NULL;
  call->is_short = 1;
  finish(request, NULL);
}

static void stop_request(struct request *request) {
  tr_timer_stop(&request->timer);
  tr_exchange_free(request->exchange);
  request->exchange = NULL;
}

/* Memory ran out: what else runs would only be lost, too. */
static void give_up(struct tr_call *call) {
  for (unsigned i = 0; i < call->next; i++)
    stop_request(&call->requests[i]);
  tr_tally_close(call->plan.tally);
  if (call->done < call->plan.requests) tr_outbox_lose(&call->source.outbox);
  call->done = call->next = call->plan.requests;
}

/* What waits to be read takes memory: more is not asked for until there is room. */
static int may_begin(struct tr_call *call) {
  if (call->next == call->plan.requests || call->active >= call->plan.concurrency) return 0;
  return call->stopped.kind != TR_NONE || !tr_outbox_is_full(&call->source.outbox);
}

static void pump(struct tr_call *call) {
  if (call->is_short) {
    give_up(call);
    return;
  }
  while (may_begin(call)) {
    struct request *request = &call->requests[call->next++];
    call->active++;
    if (call->stopped.kind != TR_NONE)
      fail(request, &call->stopped);
    else
      launch(request);
    if (call->is_short) give_up(call);
  }
}

/* ---- as a source ---- */

static struct tr_call *call_of(struct tr_source *source) {
  return (struct tr_call *)source;
}

static void start(struct tr_source *source) {
  pump(call_of(source));
}

/* What a running try received is worth its envelope, without which its slices have no target. */
static void cancel_request(struct request *request) {
  struct tr_call *call = request->call;
  struct tr_piece *piece = request->exchange ? piece_new(request, TR_PIECE_TRY) : NULL;
  if (!piece) {
    stop_request(request);
    fail(request, &call->stopped);
    return;
  }
  tr_exchange_abandon(request->exchange);
  struct tr_report *report = tr_exchange_report(request->exchange);
  *piece->report = *report;
  memset(&report->envelope, 0, sizeof report->envelope);
  piece->report->error = call->stopped;
  stop_request(request);
  finish(request, piece);
}

static void cancel(struct tr_source *source, const char *message) {
  struct tr_call *call = call_of(source);
  tr_error_clear(&call->stopped);
  tr_error_set(&call->stopped, TR_CANCELLED, "%s", message);
  for (unsigned i = 0; i < call->next; i++)
    if (!call->requests[i].done) cancel_request(&call->requests[i]);
  pump(call);
}

static void resume(struct tr_source *source) {
  struct tr_call *call = call_of(source);
  for (unsigned i = 0; i < call->next; i++)
    if (call->requests[i].exchange) tr_exchange_resume(call->requests[i].exchange);
  pump(call);
}

static void call_free(struct tr_source *source) {
  struct tr_call *call = call_of(source);
  for (unsigned i = 0; call->requests && i < call->next; i++)
    stop_request(&call->requests[i]);
  tr_tally_close(call->plan.tally);
  tr_source_cleanup(source);
  tr_quota_release(call->quota);
  tr_free(call->requests);
  tr_plan_cleanup(&call->plan);
  tr_free(call);
}

struct tr_source *tr_call_new(struct tr_plan *plan, struct tr_place place) {
  static const struct tr_source_acts acts = {start, cancel, resume, call_free};
  struct tr_call *call = tr_calloc(sizeof *call);
  if (!call || tr_source_init(&call->source, place, &acts) != 0) {
    tr_free(call);
    tr_plan_cleanup(plan);
    return NULL;
  }
  call->plan = *plan;
  memset(plan, 0, sizeof *plan);
  call->deadline = tr_clock() + call->plan.timeout;
  call->random =
      (uint64_t)(tr_clock() * 1e9) ^ ((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)call;
  if (call->random == 0) call->random = 1;
  tr_error_clear(&call->stopped);
  call->quota = tr_quota_get(call->plan.credential, call->plan.quota);
  call->requests = tr_calloc(sizeof *call->requests * call->plan.requests);
  if (!call->quota || !call->requests) {
    call_free(&call->source);
    return NULL;
  }
  for (unsigned i = 0; i < call->plan.requests; i++)
    call->requests[i].call = call;
  return &call->source;
}
