/* probe: from a script's arguments to a running survey from here; see probe.h. */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "job.h"
#include "options.h"
#include "sightings.h"
#include "targets.h"

#define TARGETS 1
#define OPTS 2

#define MAX_TTL 15 /* the defaults of schema.def */
#define PACKETS_PER_TTL 3
#define WAIT_TIME 1
#define RATE 200
#define GAP 5
#define DNS_TIMEOUT 3
#define ASN_ZONE "origin.asn.cymru.com"
#define ASN6_ZONE "origin6.asn.cymru.com"
#define IN_FLIGHT 500 /* of the thousand that the vantage has for all surveys */
#define TIMEOUT_LIMIT 86400.0

/* Seconds after which the kernel sends a SYN again from the same port: what comes later may be the
** answer to either, so a loss would show as a slow answer. A TCP probe is waited for no longer. */
#define SYN_AGAIN 1

struct probe {
  struct tr_survey_plan plan;
  struct tr_sightings sightings;
};

/* ---- as a reader ---- */

static void take(lua_State *L, int state, void *self, struct tr_piece *piece) {
  tr_sightings_take(L, state, &((struct probe *)self)->sightings, piece);
}

static void finish(lua_State *L, int state, void *self) {
  tr_sightings_push(L, state, &((struct probe *)self)->sightings);
}

static void progress(lua_State *L, const void *self, size_t received) {
  const struct tr_sightings *s = &((const struct probe *)self)->sightings;
  (void)received;
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, (lua_Integer)s->count);
  lua_setfield(L, -2, "targets");
  lua_pushinteger(L, (lua_Integer)s->done);
  lua_setfield(L, -2, "targets_done");
}

static unsigned long moved(const void *self) {
  return ((const struct probe *)self)->sightings.done;
}

static struct tr_source *make(void *self, struct tr_place place) {
  return tr_survey_new(&((struct probe *)self)->plan, place);
}

static void cleanup(void *self) {
  tr_survey_plan_cleanup(&((struct probe *)self)->plan);
}

/* ---- reading the arguments ---- */

static int refuse(struct tr_error *error, const char *path, const char *message) {
  tr_error_set(error, TR_INVALID_REQUEST, "%s", message);
  snprintf(error->path, sizeof error->path, "%s", path);
  return -1;
}

static char *keep(lua_State *L, const char *text) {
  char *copy = tr_strdup(text);
  if (!copy) tr_raise_out_of_memory(L);
  return copy;
}

static int read_protocol(lua_State *L, struct tr_trace_options *trace, struct tr_error *error) {
  const char *type = tr_options_text(L, OPTS, "packet_type");
  trace->protocol = TR_PROTOCOL_ICMP;
  if (!type || strcmp(type, "icmp") == 0) return 0;
  if (strcmp(type, "udp") == 0)
    trace->protocol = TR_PROTOCOL_UDP;
  else if (strcmp(type, "tcp") == 0)
    trace->protocol = TR_PROTOCOL_TCP;
  else
    return refuse(error, "packet_type",
                  "gre and gre+icmp are sent by Cloudflare alone; from here: icmp, udp or tcp");
  return 0;
}

/* The protocol is known. */
static void read_trace(lua_State *L, struct tr_trace_options *trace) {
  trace->max_ttl = (unsigned)tr_options_number(L, OPTS, "max_ttl", MAX_TTL);
  trace->packets_per_ttl = (unsigned)tr_options_number(L, OPTS, "packets_per_ttl", PACKETS_PER_TTL);
  trace->port = (unsigned)tr_options_number(L, OPTS, "port", 0);
  trace->wait_time = tr_options_number(L, OPTS, "wait_time", WAIT_TIME);
  if (trace->protocol == TR_PROTOCOL_TCP && trace->wait_time > SYN_AGAIN)
    trace->wait_time = SYN_AGAIN;
  trace->rate = tr_options_number(L, OPTS, "rate", RATE);
  trace->gap = (unsigned)tr_options_number(L, OPTS, "gap", GAP);
  trace->in_flight = IN_FLIGHT;
}

static int read_family(lua_State *L) {
  const char *family = tr_options_text(L, OPTS, "family");
  if (!family || strcmp(family, "any") == 0) return AF_UNSPEC;
  return strcmp(family, "ipv4") == 0 ? AF_INET : AF_INET6;
}

/* Twice what it takes at worst: every probe goes out at `rate`, the last hops all stay silent, and so
** do the name servers that are asked for the names of hops. Where the targets' own names are not found,
** there is nothing to trace. */
static double default_timeout(const struct tr_survey_plan *plan) {
  const struct tr_trace_options *trace = &plan->trace;
  double probes = (double)plan->count * trace->max_ttl * trace->packets_per_ttl;
  double silent = (double)trace->packets_per_ttl * (trace->wait_time + 1) * (trace->gap + 1);
  double unnamed = plan->dns_timeout * (2 + (double)plan->count / TR_SURVEY_BEGUN_MAX);
  double all = 30 + 2 * (probes / trace->rate + silent + unnamed);
  return all < TIMEOUT_LIMIT ? all : TIMEOUT_LIMIT;
}

static void read_vantage_point(lua_State *L, struct tr_sightings *s) {
  const char *colo = tr_options_text(L, OPTS, "colo"), *city = tr_options_text(L, OPTS, "city");
  if (colo)
    snprintf(s->colo, sizeof s->colo, "%s", colo);
  else if (gethostname(s->colo, sizeof s->colo - 1) != 0)
    snprintf(s->colo, sizeof s->colo, "here");
  if (city) snprintf(s->city, sizeof s->city, "%s", city);
}

/* The networks of an option that was checked. */
static unsigned read_networks(lua_State *L, const char *name, struct tr_network **list) {
  tr_options_push(L, OPTS, name);
  unsigned count = lua_istable(L, -1) ? (unsigned)tr_raw_length(L, -1) : 0;
  *list = tr_calloc(sizeof **list * (count + 1));
  if (!*list) tr_raise_out_of_memory(L);
  for (unsigned i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    (void)tr_network_read(*list + i, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count;
}

/* Whoever gives either has others choose targets: then what is not public has to be named, lest it
** be forgotten. */
static void read_rule(lua_State *L, struct tr_rule *rule) {
  rule->allowed = read_networks(L, "allow", &rule->allow);
  rule->denied = read_networks(L, "deny", &rule->deny);
  tr_options_push(L, OPTS, "allow");
  tr_options_push(L, OPTS, "deny");
  rule->public_only = !lua_isnil(L, -1) || !lua_isnil(L, -2);
  lua_pop(L, 2);
}

static void read_plan(lua_State *L, int asked, struct tr_survey_plan *plan) {
  const char *servers = tr_options_text(L, OPTS, "dns_servers");
  const char *zone = tr_options_text(L, OPTS, "asn_zone");
  const char *zone6 = tr_options_text(L, OPTS, "asn6_zone");
  read_rule(L, &plan->rule);
  plan->family = read_family(L);
  plan->reverse = tr_options_flag(L, OPTS, "resolve", 1);
  plan->origin = tr_options_flag(L, OPTS, "asn", 1);
  plan->dns_timeout = tr_options_number(L, OPTS, "dns_timeout", DNS_TIMEOUT);
  plan->asn_zone = keep(L, zone ? zone : ASN_ZONE);
  plan->asn6_zone = keep(L, zone6 ? zone6 : ASN6_ZONE);
  if (servers) plan->dns_servers = keep(L, servers);
  unsigned count = (unsigned)tr_raw_length(L, asked);
  plan->targets = tr_calloc(sizeof *plan->targets * count);
  if (!plan->targets) tr_raise_out_of_memory(L);
  for (; plan->count < count; plan->count++) {
    lua_rawgeti(L, asked, (int)plan->count + 1);
    plan->targets[plan->count] = keep(L, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  plan->timeout = tr_options_number(L, OPTS, "timeout", default_timeout(plan));
}

int tr_probe_start(lua_State *L, int in_thread) {
  static const struct tr_reader reader = {take, finish, progress, moved, make, cleanup};
  struct tr_error error;
  lua_settop(L, 2);
  struct tr_job *job = tr_job_new(L, &reader, sizeof(struct probe));
  struct probe *probe = tr_job_self(job);
  luaL_checkstack(L, 20, "too many values");
  tr_error_clear(&error);
  if (tr_options_take(L, OPTS, TR_OBJECT_probe_options, &error) != 0 ||
      read_protocol(L, &probe->plan.trace, &error) != 0 || tr_targets_read(L, TARGETS, &error) != 0)
    return tr_job_fail(L, job, &error);
  int asked = lua_gettop(L);
  read_trace(L, &probe->plan.trace);
  read_plan(L, asked, &probe->plan);
  read_vantage_point(L, &probe->sightings);
  tr_job_demand(job)->timeout = probe->plan.timeout;
  tr_sightings_open(L, &probe->sightings);
  tr_options_push(L, OPTS, "on_progress");
  return tr_job_run(L, 3, in_thread);
}
