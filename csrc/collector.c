/* collector: paces LuaJIT's garbage collector; see collector.h. */
#include "collector.h"

#include <string.h>

/* Only LuaJIT's lua.h has this with 5.1. */
#if LUA_VERSION_NUM == 501 && defined LUA_GCISRUNNING

#define ANCHOR                                                                                     \
  "traceroute.collector" /* registry: the struct, whose environment is what was shown */
#define STEPS_MAX 32     /* at a time: about a millisecond of sweeping */

struct tr_collector {
  int is_collecting; /* in a cycle that we began or joined */
  int count, next;   /* kB in use when it was last looked at, and at which to begin a cycle */
};

void tr_collector_register(lua_State *L) {
  struct tr_collector *c = lua_newuserdata(L, sizeof *c);
  memset(c, 0, sizeof *c);
  lua_setfield(L, LUA_REGISTRYINDEX, ANCHOR);
}

static int count(lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT, 0);
}

struct tr_collector *tr_collector_hold(lua_State *L) {
  if (!lua_gc(L, LUA_GCISRUNNING, 0)) return NULL;
  lua_getfield(L, LUA_REGISTRYINDEX, ANCHOR);
  struct tr_collector *c = lua_touserdata(L, -1);
  lua_pop(L, 1);
  c->count = count(L);
  (void)lua_gc(L, LUA_GCSTOP, 0);
  return c;
}

static void step(lua_State *L, struct tr_collector *c) {
  if (!lua_gc(L, LUA_GCSTEP, 0)) return;
  int pause = lua_gc(L, LUA_GCSETPAUSE, 0); /* the script's own: there is no other way to ask */
  (void)lua_gc(L, LUA_GCSETPAUSE, pause);
  c->is_collecting = 0;
  c->next = (int)((double)count(L) / 100 * pause);
}

void tr_collector_pace(lua_State *L, struct tr_collector *c) {
  if (!c) return;
  int now = count(L), steps = now - c->count;
  if (now >= c->next) c->is_collecting = 1;
  if (steps > STEPS_MAX) steps = STEPS_MAX;
  for (; c->is_collecting && steps >= 0; steps--)
    step(L, c);
  (void)lua_gc(L, LUA_GCSTOP, 0);
  c->count = count(L);
}

/* A step sets the threshold of the next one; between cycles it is what it is after a cycle. */
void tr_collector_release(lua_State *L, struct tr_collector *c) {
  if (!c) return;
  if (c->is_collecting)
    step(L, c);
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

void tr_collector_register(lua_State *L) {
  (void)L;
}

struct tr_collector *tr_collector_hold(lua_State *L) {
  (void)L;
  return NULL;
}

void tr_collector_pace(lua_State *L, struct tr_collector *c) {
  (void)L;
  (void)c;
}

void tr_collector_release(lua_State *L, struct tr_collector *c) {
  (void)L;
  (void)c;
}

void tr_collector_show(lua_State *L) {
  (void)L;
}

void tr_collector_forget(lua_State *L) {
  (void)L;
}

#endif
