/* job: the userdata that scripts hold while something runs; see job.h. */
#include "job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collector.h"
#include "doorbell.h"
#include "errtable.h"
#include "keeper.h"
#include "receipt.h"

#define METATABLE "traceroute.job"
#define DONE_METATABLE "traceroute.job.done" /* the same, but nothing to be done at __gc */
#define RESULT_METATABLE "traceroute.result"

#define CANCELLED "cancelled" /* what the error says */
#define CANCEL_WAIT 1.0       /* seconds that the thread is given at a time to end what runs */

/* Places in the job's table. */
enum { STATE = 1, ON_PROGRESS, RESULT, ERROR, INFO };

struct tr_job {
  struct tr_intake intake;
  struct tr_place place;
  struct tr_demand demand;
  struct tr_door *door; /* made by doorbell() */
  int was_sent;
  int lent_fd;     /* the reactor's, in the set below */
  int epoll, bell; /* made by fd(); the bell rings while pieces wait or all is done */
  int is_finished; /* result, err and info are there */
  int is_stepping; /* a step or a cancel of it runs: what runs within may only ask it to end */
};

/* ---- small things ---- */

static int push_failure(lua_State *L, enum tr_kind kind, const char *path, const char *message) {
  struct tr_error error;
  tr_error_clear(&error);
  tr_error_set(&error, kind, "%s", message);
  snprintf(error.path, sizeof error.path, "%s", path);
  lua_pushnil(L);
  tr_errtable_push(L, &error);
  return 2;
}

/* What the system could not give, an errno. */
static int push_shortage(lua_State *L, int reason) {
  if (reason == ENOMEM) tr_raise_out_of_memory(L);
  return push_failure(L, TR_CONNECTION, "", strerror(reason));
}

static struct tr_job *test_job(lua_State *L) {
  struct tr_job *job = tr_test_userdata(L, 1, METATABLE);
  return job ? job : tr_test_userdata(L, 1, DONE_METATABLE);
}

/* The job that a method was called on, or NULL with an error pushed. */
static struct tr_job *to_job(lua_State *L) {
  struct tr_job *job = test_job(L);
  if (!job)
    push_failure(L, TR_INVALID_REQUEST, "self", "a job expected; call its methods with a colon");
  return job;
}

/* Why nothing can come of a job here, or NULL. A child process inherits jobs whose connections are its
** parent's: it must leave them alone, also where it was forked by what a step called. The core's thread
** ends before the handlers of a process's exit that were there first. */
static const char *why_lost(const struct tr_job *job) {
  if (!job->intake.source) return NULL;
  if (job->intake.pid != getpid()) return "the job belongs to the process that started it";
  int is_over = job->place.thread && tr_thread_is_over(job->place.thread);
  return is_over ? "the process is about to exit" : NULL;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* Everything that is not Lua's; idempotent; the one end behind __gc, __close and a finished
** call. */
static void release(struct tr_job *job) {
  int is_ours = job->intake.pid == getpid();
  if (is_ours)
    tr_door_close(job->door);
  else
    job->intake.source = NULL;
  job->door = NULL;
  tr_intake_cleanup(&job->intake);
  if (is_ours && job->lent_fd >= 0) {
    (void)epoll_ctl(job->epoll, EPOLL_CTL_DEL, job->lent_fd, NULL);
    tr_reactor_return_fd(job->place.reactor);
  }
  job->lent_fd = -1;
  tr_reactor_release(job->place.reactor);
  job->place.reactor = NULL;
  tr_tally_release(job->demand.tally);
  job->demand.tally = NULL;
}

/* For a cancel from within a step or a cancel of the same job, by on_progress or a finalizer: has
** what runs do it. Whether it is for that to do. */
static int defer_cancel(struct tr_job *job) {
  if (!job->is_stepping) return 0;
  job->intake.cancel_wanted = job->intake.in_callback ? TR_CANCELLED_BY_CALLBACK : CANCELLED;
  return 1;
}

static int l_close(lua_State *L) {
  struct tr_job *job = test_job(L);
  if (!job || defer_cancel(job)) return 0;
  release(job);
  close_fd(&job->epoll);
  close_fd(&job->bell);
  return 0;
}

/* ---- moving on ---- */

/* A step or a cancel. */
struct work {
  struct tr_job *job;
  double seconds;             /* that a step may take */
  enum tr_outbox_state state; /* after a step */
};

/* Runs the body unless the job is over, and raises what that raised, with the collector released.
** A job that is torn, for lack of memory, is over. One that was interrupted goes on, or can be
** cancelled and has what came.
** What comes before the call may raise too, and run a finalizer that ends the job. */
static void run_protected(lua_State *L, lua_CFunction body, struct work *work) {
  struct tr_job *job = work->job;
  lua_pushcfunction(L, body);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, work);
  if (!job->intake.source) return;
  job->is_stepping = 1;
  int status = lua_pcall(L, 2, 0, 0);
  job->is_stepping = 0;
  if (job->intake.is_torn) release(job);
  tr_collector_release(L);
  if (status != 0) lua_error(L);
}

/* What waits for its finalizer is marked in one go with all that it holds: a job that holds
** nothing but its result needs none. The job is at index 1. */
static void set_metatable(lua_State *L, const struct tr_job *job) {
  luaL_getmetatable(L, job->is_finished && job->epoll < 0 ? DONE_METATABLE : METATABLE);
  lua_setmetatable(L, 1);
}

/* What working needs of the job's table, at these stack places; the job is at index 1. */
enum { TABLE = 2, AT_STATE, AT_ON_PROGRESS };

/* The beginning of a body. */
static struct work *open_work(lua_State *L) {
  struct work *work = lua_touserdata(L, 2);
  lua_settop(L, 1);
  tr_get_uservalue(L, 1);
  lua_rawgeti(L, TABLE, STATE);
  lua_rawgeti(L, TABLE, ON_PROGRESS);
  return work;
}

static void finish(lua_State *L, struct tr_job *job) {
  int result = lua_gettop(L) + 1;
  job->intake.is_torn = 1;
  tr_intake_finish(L, &job->intake, AT_STATE);
  if (lua_istable(L, result)) {
    luaL_getmetatable(L, RESULT_METATABLE);
    lua_setmetatable(L, result);
  }
  lua_rawseti(L, TABLE, INFO);
  lua_rawseti(L, TABLE, ERROR);
  lua_rawseti(L, TABLE, RESULT);
  lua_pushnil(L);
  lua_rawseti(L, TABLE, STATE);
  release(job);
  job->is_finished = 1;
  job->intake.is_torn = 0;
  set_metatable(L, job);
}

/* Pieces were lost. */
static void run_short(lua_State *L, struct tr_job *job) {
  job->intake.is_torn = 1;
  tr_raise_out_of_memory(L);
}

/* One look at the world: moves transfers on, takes pieces in, and finishes the job when that was
** all. *ended: the step is over before its time. */
static enum tr_outbox_state advance(lua_State *L, struct tr_job *job, double wait, int *ended) {
  struct tr_outbox *outbox = &job->intake.source->outbox;
  if (job->place.reactor)
    *ended = tr_reactor_run(job->place.reactor, wait) == TR_RUN_INTERRUPTED;
  else if (wait > 0)
    tr_outbox_wait(outbox, wait);
  tr_intake_run(L, &job->intake, AT_STATE, AT_ON_PROGRESS);
  if (why_lost(job)) {
    *ended = 1;
    return TR_OUTBOX_EMPTY;
  }
  if (tr_outbox_is_short(outbox)) run_short(L, job);
  enum tr_outbox_state state = tr_outbox_look(outbox);
  if (state == TR_OUTBOX_DONE) finish(L, job);
  return state;
}

/* Called as a Lua function with the job and its work, as is l_end. */
static int l_advance(lua_State *L) {
  struct work *work = open_work(L);
  struct tr_job *job = work->job;
  double end = tr_clock() + work->seconds, left = work->seconds;
  int ended = 0;
  work->state = tr_outbox_look(&job->intake.source->outbox);
  while (!job->is_finished) {
    work->state = advance(L, job, work->state == TR_OUTBOX_EMPTY ? left : 0, &ended);
    left = end - tr_clock();
    if (ended || left <= 0) break;
  }
  return 0;
}

static int l_end(lua_State *L) {
  struct work *work = open_work(L);
  struct tr_job *job = work->job;
  struct tr_outbox *outbox = &job->intake.source->outbox;
  tr_source_cancel(job->intake.source, CANCELLED);
  do {
    tr_outbox_wait(outbox, CANCEL_WAIT);
    tr_intake_drain(L, &job->intake, AT_STATE);
  } while (!why_lost(job) && tr_outbox_look(outbox) != TR_OUTBOX_DONE);
  if (!why_lost(job)) {
    if (tr_outbox_is_short(outbox)) run_short(L, job);
    finish(L, job);
  }
  return 0;
}

/* ---- what scripts call ---- */

int tr_job_is(lua_State *L) {
  lua_pushboolean(L, test_job(L) != NULL);
  return 1;
}

static int l_step(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  double seconds = 0;
  if (lua_type(L, 2) == LUA_TNUMBER) seconds = (double)lua_tonumber(L, 2);
  if ((!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TNUMBER) || !(seconds >= 0))
    return push_failure(L, TR_INVALID_REQUEST, "seconds", "a number of 0 or more expected");
  if (job->is_stepping)
    return push_failure(L, TR_INVALID_REQUEST, "",
                        job->intake.in_callback ? "step was called from within on_progress"
                                                : "step was called from within a step");
  if (why_lost(job)) return push_failure(L, TR_CANCELLED, "", why_lost(job));
  struct work work = {job, seconds, TR_OUTBOX_DONE};
  run_protected(L, l_advance, &work);
  if (why_lost(job)) return push_failure(L, TR_CANCELLED, "", why_lost(job));
  if (!job->is_finished && !job->intake.source)
    return push_failure(L, TR_CANCELLED, "", "the job was closed");
  lua_pushboolean(L, job->is_finished);
  lua_pushboolean(L, work.state == TR_OUTBOX_PIECES);
  return 2;
}

/* What the call may send at most, for whoever paces calls of several processes: requests, tries
** of each, requests allowed in five minutes, a text that is the same for calls with the same
** credential, the seconds that the call may take, and a receipt for what it sends. */
static int l_demand(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  lua_pushinteger(L, (lua_Integer)job->demand.requests);
  lua_pushinteger(L, (lua_Integer)job->demand.tries);
  lua_pushinteger(L, job->demand.quota);
  lua_pushfstring(L, "traceroute:%s", job->demand.credential);
  lua_pushnumber(L, (lua_Number)job->demand.timeout);
  tr_receipt_push(L, job->demand.tally);
  return 6;
}

/* Sends the requests of a job that was started in the thread. */
static int l_send(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  if (job->intake.source && !job->was_sent && !why_lost(job)) tr_source_start(job->intake.source);
  job->was_sent = 1;
  return 0;
}

/* The descriptor holds the bell and, where the job itself moves the transfers, what they wait
** for. */
static int open_fd(struct tr_job *job) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  job->epoll = epoll_create1(EPOLL_CLOEXEC);
  job->bell = eventfd((unsigned)job->is_finished, EFD_CLOEXEC | EFD_NONBLOCK);
  if (job->epoll < 0 || job->bell < 0) return -1;
  if (epoll_ctl(job->epoll, EPOLL_CTL_ADD, job->bell, &event) != 0) return -1;
  if (job->intake.source && tr_outbox_set_fd(&job->intake.source->outbox, job->bell) != 0)
    return -1;
  if (!job->place.reactor) return 0;
  int fd = tr_reactor_lend_fd(job->place.reactor);
  if (epoll_ctl(job->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    tr_reactor_return_fd(job->place.reactor);
    return -1;
  }
  job->lent_fd = fd;
  return 0;
}

static int l_fd(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  if (!job->intake.source && !job->is_finished)
    return push_failure(L, TR_CANCELLED, "", "the job was closed");
  if (why_lost(job)) return push_failure(L, TR_CANCELLED, "", why_lost(job));
  if (job->epoll < 0 && open_fd(job) != 0) {
    int reason = errno;
    close_fd(&job->epoll);
    close_fd(&job->bell);
    return push_shortage(L, reason);
  }
  set_metatable(L, job);
  lua_pushinteger(L, job->epoll);
  return 1;
}

/* For the waiter inside nginx, of a job that lives in the thread: where to connect, the number
** to send, and the seconds after which the call is over in any case. Nil, nil for a job that is
** done. */
static int l_doorbell(lua_State *L) {
  struct tr_job *job = to_job(L);
  char path[TR_DOORBELL_PATH_MAX], digits[32];
  unsigned long number;
  if (!job) return 2;
  if (!job->intake.source || !job->place.thread || job->door || why_lost(job))
    return push_failure(L, TR_CANCELLED, "", "the job is done, or already waited for");
  job->door = tr_door_open(job->place.thread, job->intake.source, path, &number);
  if (!job->door) return push_shortage(L, errno);
  lua_pushstring(L, path);
  snprintf(digits, sizeof digits, "%lu", number);
  lua_pushstring(L, digits);
  lua_pushnumber(L, (lua_Number)job->demand.timeout);
  return 3;
}

static int l_result(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  if (!job->is_finished && !job->intake.source)
    return push_failure(L, TR_CANCELLED, "", "the job was closed");
  if (!job->is_finished)
    return push_failure(L, TR_INVALID_REQUEST, "",
                        "the job is not done; step it until it says true");
  tr_get_uservalue(L, 1);
  lua_rawgeti(L, -1, RESULT);
  lua_rawgeti(L, -2, ERROR);
  lua_rawgeti(L, -3, INFO);
  return 3;
}

/* What arrived until now stays: result() gives it together with an error of kind `cancelled`. */
static int l_cancel(lua_State *L) {
  struct tr_job *job = to_job(L);
  if (!job) return 2;
  if (defer_cancel(job) || !job->intake.source || why_lost(job)) return 0;
  struct work work = {job, 0, TR_OUTBOX_DONE};
  run_protected(L, l_end, &work);
  return 0;
}

static int l_tostring(lua_State *L) {
  const struct tr_job *job = to_job(L);
  if (!job) return 2;
  const char *state = job->is_finished ? "done" : job->intake.source ? "running" : "closed";
  lua_pushfstring(L, "traceroute.job (%s)", state);
  return 1;
}

/* ---- for those who start jobs ---- */

struct tr_job *tr_job_new(lua_State *L, const struct tr_reader *reader, size_t size) {
  struct tr_job *job = tr_new_userdata(L, sizeof *job);
  memset(job, 0, sizeof *job);
  job->epoll = job->bell = job->lent_fd = -1;
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, -2);
  lua_createtable(L, INFO, 0);
  tr_set_uservalue(L, -2);
  if (tr_intake_init(&job->intake, reader, size) != 0) tr_raise_out_of_memory(L);
  return job;
}

void *tr_job_self(struct tr_job *job) {
  return job->intake.self;
}

struct tr_demand *tr_job_demand(struct tr_job *job) {
  return &job->demand;
}

int tr_job_fail(lua_State *L, struct tr_job *job, const struct tr_error *error) {
  release(job); /* a collector that is short of memory may never come to it */
  lua_pushnil(L);
  tr_errtable_push(L, error);
  return 2;
}

int tr_job_run(lua_State *L, int index, int in_thread) {
  struct tr_job *job = lua_touserdata(L, index);
  tr_collector_settle(L);
  tr_get_uservalue(L, index);
  lua_insert(L, -3);
  lua_rawseti(L, -3, ON_PROGRESS);
  lua_rawseti(L, -2, STATE);
  lua_pop(L, 1);
  if (in_thread) {
    job->place.thread = tr_thread_get();
  } else {
    job->place.reactor = tr_keeper_share(L);
  }
  if (!job->place.thread && !job->place.reactor) {
    int reason = errno;
    release(job);
    return push_shortage(L, reason);
  }
  if (tr_intake_make_source(&job->intake, job->place) != 0) {
    release(job);
    tr_raise_out_of_memory(L);
  }
  if (!in_thread) tr_source_start(job->intake.source);
  lua_pushvalue(L, index);
  return 1;
}

void tr_job_push_result_metatable(lua_State *L) {
  luaL_getmetatable(L, RESULT_METATABLE);
}

void tr_job_register(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"step", l_step},         {"fd", l_fd},         {"result", l_result}, {"cancel", l_cancel},
      {"doorbell", l_doorbell}, {"demand", l_demand}, {"send", l_send},     {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"__close", l_close}, {"__tostring", l_tostring}, {"__gc", l_close}, {NULL, NULL}};
  static const char *const metatables[] = {DONE_METATABLE, METATABLE};
  lua_newtable(L);
  tr_set_functions(L, methods);
  for (int i = 0; i < 2; i++) {
    luaL_newmetatable(L, metatables[i]);
    tr_set_functions(L, events);
    if (i == 0) {
      lua_pushnil(L);
      lua_setfield(L, -2, "__gc");
    }
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  luaL_newmetatable(L, RESULT_METATABLE);
  lua_pop(L, 1);
}
