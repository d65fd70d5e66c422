/* preview: what a call would send; see preview.h. */
#include "preview.h"

#include <string.h>

#include "errtable.h"
#include "request.h"

#define METATABLE "traceroute.preview"

/* Owns the request, so that nothing leaks when a push runs out of memory. */
static int l_gc(lua_State *L) {
  struct tr_request *request = tr_test_userdata(L, 1, METATABLE);
  if (request) tr_plan_cleanup(&request->plan);
  return 0;
}

/* Only what is known to be harmless is shown: a header that is added some day is a secret until it
** is named here. */
static void push_header(lua_State *L, const char *line) {
  static const char *const harmless[] = {"Content-Type: ", "Accept: "};
  for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
    if (strncmp(line, harmless[i], strlen(harmless[i])) == 0) {
      lua_pushstring(L, line);
      return;
    }
  lua_pushlstring(L, line, strcspn(line, ":"));
  lua_pushliteral(L, ": ***");
  lua_concat(L, 2);
}

/* A line that ends in its colon takes one of libcurl's own headers away. */
static void push_headers(lua_State *L, const struct tr_endpoint *endpoint) {
  int place = 0;
  lua_newtable(L);
  for (char **line = endpoint->headers; *line; line++) {
    if ((*line)[strlen(*line) - 1] == ':') continue;
    push_header(L, *line);
    lua_rawseti(L, -2, ++place);
  }
  lua_pushfstring(L, "User-Agent: %s", endpoint->user_agent);
  lua_rawseti(L, -2, ++place);
}

static void push_plan(lua_State *L, const struct tr_plan *plan) {
  lua_createtable(L, 0, 6);
  lua_pushliteral(L, "POST");
  lua_setfield(L, -2, "method");
  lua_pushstring(L, plan->endpoint.url);
  lua_setfield(L, -2, "url");
  push_headers(L, &plan->endpoint);
  lua_setfield(L, -2, "headers");
  lua_createtable(L, (int)plan->requests, 0);
  for (unsigned i = 0; i < plan->requests; i++) {
    lua_pushstring(L, plan->bodies[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "bodies");
  lua_pushinteger(L, (lua_Integer)plan->requests);
  lua_setfield(L, -2, "requests");
  lua_pushnumber(L, (lua_Number)plan->timeout);
  lua_setfield(L, -2, "timeout");
}

int tr_preview_push(lua_State *L) {
  lua_settop(L, 3);
  struct tr_request *request = tr_new_userdata(L, sizeof *request);
  memset(request, 0, sizeof *request);
  luaL_getmetatable(L, METATABLE);
  lua_setmetatable(L, 4);
  request->is_preview = 1;
  struct tr_error error;
  int pushed = 1;
  if (tr_request_read(L, request, &error) == 0) {
    push_plan(L, &request->plan);
  } else {
    lua_pushnil(L);
    tr_errtable_push(L, &error);
    pushed = 2;
  }
  tr_plan_cleanup(&request->plan);
  return pushed;
}

void tr_preview_register(lua_State *L) {
  luaL_newmetatable(L, METATABLE);
  lua_pushcfunction(L, l_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
