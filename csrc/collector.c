/* collector: when Lua's garbage collector runs and when it rests; see collector.h. */
#include "collector.h"

#include <limits.h>
#include <string.h>

#ifdef LUA_GCISRUNNING

#if LUA_VERSION_NUM == 501
#define IS_PACED 1 /* LuaJIT */
#else
#define IS_PACED 0
#endif

/* Registry: the struct; its environment is what was shown. */
#define ANCHOR "traceroute.collector"
#define STEPS_MAX 32 /* at a time: about a millisecond of sweeping */
#define MUCH ((size_t)256 * 1024)

struct tr_collector {
  int is_held;
  int is_collecting; /* in a cycle that we began or joined */
  int count, next;   /* kB in use when it was last looked at, and at which to begin a cycle */
  int is_wasting;    /* since the last call began, something was not as usual */
  double owed;       /* kB made while it was held, and not collected for */
};

void tr_collector_register(lua_State *L) {
  struct tr_collector *c = lua_newuserdata(L, sizeof *c);
  memset(c, 0, sizeof *c);
  lua_setfield(L, LUA_REGISTRYINDEX, ANCHOR);
}

static struct tr_collector *get(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  struct tr_collector *c = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return c;
}

/* From 5.4.4 on there is a third answer, -1: it runs, and this is a finalizer. */
static int is_running(lua_State *L) {
  return lua_gc(L, LUA_GCISRUNNING, 0) == 1;
}

static int count(lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT, 0);
}

/* After a cycle, the next one is due when the script's own pause says so. */
static void step(lua_State *L, struct tr_collector *c, int size) {
  if (!lua_gc(L, LUA_GCSTEP, size)) return;
  int pause = lua_gc(L, LUA_GCSETPAUSE, 0); /* there is no other way to ask */
  (void)lua_gc(L, LUA_GCSETPAUSE, pause);
  c->is_collecting = 0;
  double next = (double)count(L) / 100 * pause;
  c->next = next < INT_MAX ? (int)next : INT_MAX;
}

struct tr_collector *tr_collector_hold(lua_State *L, size_t received) {
  struct tr_collector *c = get(L);
  if (c->is_held) return c;
  if ((!IS_PACED && (received < MUCH || c->is_wasting)) || !is_running(L)) return NULL;
  c->is_held = 1;
  c->count = count(L);
  (void)lua_gc(L, LUA_GCSTOP, 0);
  return c;
}

#if IS_PACED

void tr_collector_settle(lua_State *L) {
  (void)L;
}

void tr_collector_pace(lua_State *L, struct tr_collector *c) {
  if (!c) return;
  int now = count(L), steps = now - c->count;
  if (now >= c->next) c->is_collecting = 1;
  if (steps > STEPS_MAX) steps = STEPS_MAX;
  for (; c->is_collecting && steps >= 0; steps--)
    step(L, c, 0);
  c->is_held = 1; /* a finalizer that made a call itself released it */
  (void)lua_gc(L, LUA_GCSTOP, 0);
  c->count = count(L);
}

void tr_collector_waste(lua_State *L) {
  (void)L;
}

/* A step sets the threshold of the next one; between cycles it is what it is after a cycle. */
void tr_collector_release(lua_State *L) {
  struct tr_collector *c = get(L);
  if (!c->is_held) return;
  c->is_held = 0;
  if (c->is_collecting)
    step(L, c, 0);
  else
    (void)lua_gc(L, LUA_GCRESTART, -1);
}

/* A userdata that is marked has its environment marked at once: what a table is given waits for
** the end. */
static void set_shown(lua_State *L, int table) {
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  lua_pushvalue(L, table);
  (void)lua_setfenv(L, -2);
  lua_pop(L, 1);
}

void tr_collector_show(lua_State *L) {
  set_shown(L, lua_gettop(L));
}

void tr_collector_forget(lua_State *L) {
  set_shown(L, LUA_REGISTRYINDEX);
}

#else

void tr_collector_settle(lua_State *L) {
  struct tr_collector *c = get(L);
  c->is_wasting = 0;
  int owed = c->owed < INT_MAX / 1024 ? (int)c->owed : INT_MAX / 1024;
  if (owed < 1 || !is_running(L)) return;
  if (count(L) >= c->next) c->is_collecting = 1;
  if (!c->is_collecting) return;
  c->owed = 0;
  step(L, c, owed);
}

void tr_collector_pace(lua_State *L, struct tr_collector *c) {
  (void)L;
  (void)c;
}

void tr_collector_release(lua_State *L) {
  struct tr_collector *c = get(L);
  if (!c->is_held) return;
  c->is_held = 0;
  c->owed += count(L) - c->count;
  (void)lua_gc(L, LUA_GCRESTART, 0);
}

void tr_collector_waste(lua_State *L) {
  get(L)->is_wasting = 1;
  tr_collector_release(L);
}

#endif
#else

void tr_collector_register(lua_State *L) {
  (void)L;
}

void tr_collector_settle(lua_State *L) {
  (void)L;
}

struct tr_collector *tr_collector_hold(lua_State *L, size_t received) {
  (void)L;
  (void)received;
  return NULL;
}

void tr_collector_pace(lua_State *L, struct tr_collector *c) {
  (void)L;
  (void)c;
}

void tr_collector_waste(lua_State *L) {
  (void)L;
}

void tr_collector_release(lua_State *L) {
  (void)L;
}

#endif
#if !defined LUA_GCISRUNNING || !IS_PACED

void tr_collector_show(lua_State *L) {
  (void)L;
}

void tr_collector_forget(lua_State *L) {
  (void)L;
}

#endif
