/* sightings: what a survey saw -> tables of the API's shape; see sightings.h. */
#include "sightings.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "errtable.h"
#include "replies.h"

/* Places in the state. */
enum { ASKED = 1, RESULTS, LOST };

#define FORBIDDEN 1
#define NO_ROUTE "no-route" /* the label of a node that said so */

/* ---- small things ---- */

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, unsigned n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

/* Seconds as milliseconds, to the nanosecond: what lies below is noise of the sum. */
static void set_ms(lua_State *L, const char *name, double seconds) {
  lua_pushnumber(L, (lua_Number)(round(seconds * 1e9) / 1e6));
  lua_setfield(L, -2, name);
}

/* ---- a node ---- */

static void push_labels(lua_State *L, const struct tr_trace_node *node) {
  int count = 0;
  lua_newtable(L);
  if (node->is_no_route) {
    lua_pushliteral(L, NO_ROUTE);
    lua_rawseti(L, -2, ++count);
  }
  for (unsigned i = 0; i < node->labels; i++) {
    char text[80];
    const uint32_t *label = node->label[i];
    snprintf(text, sizeof text, "MPLS L=%u,E=%u,S=%u,T=%u", (unsigned)label[0], (unsigned)label[1],
             (unsigned)label[2], (unsigned)label[3]);
    lua_pushstring(L, text);
    lua_rawseti(L, -2, ++count);
  }
}

static void set_figures(lua_State *L, const struct tr_trace_node *node) {
  set_integer(L, "packet_count", node->count);
  set_ms(L, "min_rtt_ms", node->count ? node->min : 0);
  set_ms(L, "mean_rtt_ms", node->count ? node->mean : 0);
  set_ms(L, "max_rtt_ms", node->count ? node->max : 0);
  set_ms(L, "std_dev_rtt_ms", node->count ? node->deviation : 0);
}

static void push_node(lua_State *L, const struct tr_trace_node *node, const char *name,
                      const char *asn) {
  char ip[INET6_ADDRSTRLEN];
  tr_address_write(&node->address, ip, sizeof ip);
  lua_createtable(L, 0, 9);
  set_text(L, "ip", ip);
  set_text(L, "name", name ? name : ip);
  set_text(L, "asn", asn ? asn : "");
  set_figures(L, node);
  if (node->is_no_route || node->labels) {
    push_labels(L, node);
    lua_setfield(L, -2, "labels");
  }
}

/* ---- a target ---- */

static void push_hops(lua_State *L, const struct tr_sight *sight) {
  const struct tr_trace_result *trace = sight->trace;
  unsigned seen = 0;
  lua_createtable(L, (int)trace->hops, 0);
  for (unsigned h = 0; h < trace->hops; h++) {
    const struct tr_trace_hop *hop = &trace->hop[h];
    lua_createtable(L, 0, 4);
    set_integer(L, "packets_ttl", hop->ttl);
    set_integer(L, "packets_sent", hop->sent);
    set_integer(L, "packets_lost", hop->lost);
    lua_createtable(L, (int)hop->nodes, 0);
    for (unsigned n = 0; n < hop->nodes; n++, seen++) {
      push_node(L, &hop->node[n], sight->name[seen], sight->asn[seen]);
      lua_rawseti(L, -2, (int)n + 1);
    }
    lua_setfield(L, -2, "nodes");
    lua_rawseti(L, -2, (int)h + 1);
  }
}

/* The target's own figures where it answered; as the service has them, all of them are there
** otherwise too, with no packet counted. */
static void push_summary(lua_State *L, const struct tr_sight *sight, const char *target) {
  const struct tr_trace_result *trace = sight->trace;
  static const struct tr_trace_node nobody;
  const struct tr_trace_node *node = &nobody;
  const char *name = NULL, *asn = NULL;
  char ip[INET6_ADDRSTRLEN];
  for (unsigned h = 0, seen = 0; trace->is_reached && h < trace->hops; h++) {
    for (unsigned n = 0; n < trace->hop[h].nodes; n++, seen++) {
      const struct tr_trace_node *candidate = &trace->hop[h].node[n];
      if (h + 1 != trace->hops || candidate->is_no_route ||
          !tr_address_equal(&candidate->address, &trace->address))
        continue;
      node = candidate;
      name = sight->name[seen];
      asn = sight->asn[seen];
    }
  }
  tr_address_write(&trace->address, ip, sizeof ip);
  lua_createtable(L, 0, 8);
  set_text(L, "ip", ip);
  set_text(L, "name", name ? name : target);
  set_text(L, "asn", asn ? asn : "");
  set_figures(L, node);
}

static void push_colo_result(lua_State *L, const struct tr_sightings *s,
                             const struct tr_sight *sight, const char *target) {
  lua_createtable(L, 0, 5);
  lua_createtable(L, 0, 2);
  set_text(L, "name", s->colo);
  if (*s->city) set_text(L, "city", s->city);
  lua_setfield(L, -2, "colo");
  set_text(L, "error", "");
  push_hops(L, sight);
  lua_setfield(L, -2, "hops");
  push_summary(L, sight, target);
  lua_setfield(L, -2, "target_summary");
  set_integer(L, "traceroute_time_ms", (unsigned)lround(sight->trace->seconds * 1e3));
}

static void take_sight(lua_State *L, int state, struct tr_sightings *s, struct tr_sight *sight) {
  s->done++;
  lua_rawgeti(L, state, ASKED);
  lua_rawgeti(L, -1, (int)sight->target + 1);
  const char *target = lua_tostring(L, -1);
  int is_whole = sight->trace && !sight->trace->was_aborted;
  /* Of what ended before its first probe there is nothing to tell. */
  if (sight->trace && (is_whole || sight->trace->hops)) {
    s->hops += sight->trace->hops;
    lua_rawgeti(L, state, RESULTS);
    lua_createtable(L, 0, 2);
    set_text(L, "target", target);
    lua_createtable(L, 1, 0);
    push_colo_result(L, s, sight, target);
    lua_rawseti(L, -2, 1);
    lua_setfield(L, -2, "colos");
    lua_rawseti(L, -2, (int)sight->target + 1);
  }
  /* Why it is lost: a text, FORBIDDEN, or true where the reason is the survey's. */
  if (!is_whole) {
    lua_rawgeti(L, state, LOST);
    if (sight->why)
      lua_pushstring(L, sight->why);
    else if (sight->is_forbidden)
      lua_pushinteger(L, FORBIDDEN);
    else
      lua_pushboolean(L, 1);
    lua_rawseti(L, -2, (int)sight->target + 1);
  }
}

void tr_sightings_open(lua_State *L, struct tr_sightings *s) {
  s->count = (unsigned)tr_raw_length(L, -1);
  tr_error_clear(&s->error);
  lua_createtable(L, LOST, 0);
  lua_insert(L, -2);
  lua_rawseti(L, -2, ASKED);
  lua_newtable(L);
  lua_rawseti(L, -2, RESULTS);
  lua_newtable(L);
  lua_rawseti(L, -2, LOST);
}

void tr_sightings_take(lua_State *L, int state, struct tr_sightings *s, struct tr_piece *piece) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 20, "too many values");
  if (piece->kind == TR_PIECE_SIGHT)
    take_sight(L, state, s, piece->load);
  else
    s->error = piece->report->error;
  lua_settop(L, top);
}

/* ---- the end ---- */

/* Its path tells it from the permission that mtr-packet needs. */
static void set_forbidden(struct tr_error *error, const char *target) {
  tr_error_set(error, TR_PERMISSION,
               "%s lies in a network that may not be probed; see allow and deny", target);
  snprintf(error->path, sizeof error->path, "targets");
}

/* Pushes what is wrong: the survey's own error, or what the first lost target suffers from; nil for
** nothing. */
static void push_error(lua_State *L, const struct tr_sightings *s, const char *target,
                       const char *why, int is_forbidden) {
  struct tr_error error = s->error;
  if (error.kind == TR_NONE && !target) {
    lua_pushnil(L);
    return;
  }
  if (error.kind == TR_NONE && why)
    tr_error_set(&error, TR_NOT_FOUND, "%s cannot be resolved: %s", target, why);
  else if (error.kind == TR_NONE && is_forbidden)
    set_forbidden(&error, target);
  else if (error.kind == TR_NONE)
    tr_error_set(&error, TR_CONNECTION,
                 "%s could not be probed to the end: this machine cannot send such packets to it; "
                 "check its routes, and the packet type",
                 target);
  tr_errtable_push(L, &error);
}

void tr_sightings_push(lua_State *L, int state, const struct tr_sightings *s) {
  luaL_checkstack(L, 20, "too many values");
  state = tr_abs_index(L, state);
  int top = lua_gettop(L), result = top + 1, missing = top + 2, asked = top + 3;
  const char *first = NULL, *why = NULL;
  int is_forbidden = 0;
  lua_newtable(L);
  lua_newtable(L);
  for (int place = ASKED; place <= LOST; place++)
    lua_rawgeti(L, state, place);
  for (unsigned i = 1; i <= s->count; i++) {
    lua_rawgeti(L, asked + 1, (int)i);
    lua_rawgeti(L, asked + 2, (int)i);
    int is_lost = lua_toboolean(L, -1) || lua_isnil(L, -2);
    if (is_lost) {
      lua_rawgeti(L, asked, (int)i);
      if (!first) {
        first = lua_tostring(L, -1);
        why = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        is_forbidden = lua_type(L, -2) == LUA_TNUMBER;
      }
      tr_append(L, missing);
    }
    lua_pop(L, 1);
    if (lua_isnil(L, -1))
      lua_pop(L, 1);
    else
      tr_append(L, result);
  }
  struct tr_check check = {TR_VALIDATE_STRICT, 0, 0, {0}};
  tr_error_clear(&check.error);
  for (size_t i = 1; i <= tr_raw_length(L, result); i++) {
    lua_rawgeti(L, result, (int)i);
    (void)tr_schema_value(L, -1, TR_OBJECT_target_result, "result", &check);
    lua_pop(L, 1);
  }
  lua_settop(L, asked);
  push_error(L, s, first, why, is_forbidden);
  if (!lua_isnil(L, -1)) {
    lua_pushvalue(L, missing);
    lua_setfield(L, -2, "targets");
    if (tr_raw_length(L, result) == 0) {
      lua_pushnil(L);
      lua_replace(L, result);
    }
  }
  lua_replace(L, missing);
  lua_newtable(L);
  lua_newtable(L);
  lua_setfield(L, -2, "dropped");
  lua_replace(L, asked);
}
