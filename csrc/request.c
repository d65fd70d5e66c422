/* request: checked arguments -> a plan; see request.h. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "options.h"
#include "pace.h"
#include "targets.h"
#include "url.h"
#include "version.h"

#define ACCOUNT 1
#define TARGETS 2
#define OPTS 3

#define BASE_URL "https://api.cloudflare.com/client/v4"
#define ACCOUNT_MAX 32
#define COLO_NAME_MAX 64

#define MAX_TTL 15 /* the service's defaults, for the default timeout */
#define PACKETS_PER_TTL 3
#define WAIT_TIME 1
#define TIMEOUT_BASE 30.0
#define TIMEOUT_LEAST 60.0
#define TIMEOUT_MOST 600.0
#define TIMEOUT_LIMIT 86400.0
#define CONNECT_TIMEOUT 10.0
#define RETRIES 2
#define MAX_RESPONSE_BYTES (64.0 * 1024 * 1024)
#define CONCURRENCY 4

static int refuse(struct tr_error *error, enum tr_kind kind, const char *path,
                  const char *message) {
  tr_error_set(error, kind, "%s", message);
  snprintf(error->path, sizeof error->path, "%s", path);
  return -1;
}

/* Lack of memory in our own allocations is raised like Lua's: the job that owns the plan frees
** it. */
static char *keep(lua_State *L, char *text) {
  if (!text) tr_raise_out_of_memory(L);
  return text;
}

/* What url said of an address. */
static int is_usable(lua_State *L, int status) {
  if (status > 0) tr_raise_out_of_memory(L);
  return status == 0;
}

/* NULL when it is empty, too. Not to be kept while Lua allocates: a finalizer may set it anew. */
static const char *from_environment(const char *name) {
  const char *text = getenv(name);
  return text && *text ? text : NULL;
}

static int has_control(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return 1;
  return 0;
}

/* ---- account ---- */

/* The account is in its stack place then. */
static const char *read_account(lua_State *L, struct tr_error *error) {
  const char *from = "account"; /* whom to name in a message */
  if (lua_isnoneornil(L, ACCOUNT)) {
    const char *text = from_environment(from = "CLOUDFLARE_ACCOUNT_ID");
    if (!text) {
      refuse(error, TR_INVALID_REQUEST, "account",
             "missing; pass it, or set CLOUDFLARE_ACCOUNT_ID");
      return NULL;
    }
    lua_pushstring(L, text);
    lua_replace(L, ACCOUNT);
  }
  if (lua_type(L, ACCOUNT) != LUA_TSTRING) {
    tr_error_set(error, TR_INVALID_REQUEST, "string expected, got %s", luaL_typename(L, ACCOUNT));
    snprintf(error->path, sizeof error->path, "account");
    return NULL;
  }
  const char *account = lua_tostring(L, ACCOUNT);
  if (strlen(account) != tr_raw_length(L, ACCOUNT)) account = "\n";
  size_t length = strlen(account);
  for (size_t i = 0; i < length; i++) {
    char c = account[i];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
        c == '_')
      continue;
    refuse(error, TR_INVALID_REQUEST, from,
           "letters, digits, - and _ expected; the account id, which stands in the dashboard's "
           "address, comes before the targets");
    return NULL;
  }
  if (length < 1 || length > ACCOUNT_MAX) {
    refuse(error, TR_INVALID_REQUEST, from, "1 to 32 characters expected");
    return NULL;
  }
  return account;
}

/* ---- bodies ---- */

static int read_colos(lua_State *L, struct tr_error *error) {
  lua_pushliteral(L, "colos");
  lua_rawget(L, OPTS);
  size_t length = lua_istable(L, -1) ? tr_raw_length(L, -1) : 0;
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, -1, (int)i);
    size_t bytes, good = 0;
    const char *text = lua_tolstring(L, -1, &bytes);
    good = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    if (bytes == 0 || bytes > COLO_NAME_MAX || good != bytes) {
      char path[32];
      snprintf(path, sizeof path, "colos[%lu]", (unsigned long)i);
      return refuse(error, TR_INVALID_REQUEST, path,
                    "the name of a colo expected, such as den01 (1 to 64 letters, digits, - _ .)");
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return 0;
}

/* The strings of the array at the top of the stack, from `first` on: they hold nothing that JSON
** would have to escape. */
static void add_strings(lua_State *L, luaL_Buffer *out, int array, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    luaL_addstring(out, i ? ",\"" : "\"");
    lua_rawgeti(L, array, (int)(first + i));
    luaL_addvalue(out);
    luaL_addchar(out, '"');
  }
}

/* Pushes what follows the targets in each body: ,"colos":[…],"options":{…}} */
static void push_body_tail(lua_State *L) {
  static const char *const integers[] = {"max_ttl", "packets_per_ttl", "port", "wait_time"};
  int colos = lua_gettop(L) + 1;
  lua_pushliteral(L, "colos");
  if (lua_istable(L, OPTS)) lua_rawget(L, OPTS);
  luaL_Buffer out;
  size_t count = lua_istable(L, colos) ? tr_raw_length(L, colos) : 0;
  const char *packet_type = tr_options_text(L, OPTS, "packet_type");
  int members = 0;
  luaL_buffinit(L, &out);
  /* The service refuses an empty list: no colos means all of them, said by leaving the key out. */
  if (count) {
    luaL_addstring(&out, ",\"colos\":[");
    add_strings(L, &out, colos, 1, count);
    luaL_addchar(&out, ']');
  }
  luaL_addstring(&out, ",\"options\":{");
  if (packet_type) {
    luaL_addstring(&out, "\"packet_type\":\"");
    luaL_addstring(&out, packet_type);
    luaL_addchar(&out, '"');
    members++;
  }
  for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
    double n = tr_options_number(L, OPTS, integers[i], -1);
    char text[64];
    if (n < 0) continue;
    snprintf(text, sizeof text, "%s\"%s\":%d", members++ ? "," : "", integers[i], (int)n);
    luaL_addstring(&out, text);
  }
  luaL_addstring(&out, "}}");
  luaL_pushresult(&out);
  lua_replace(L, colos);
}

static void make_bodies(lua_State *L, int asked, struct tr_plan *plan) {
  size_t targets = tr_raw_length(L, asked);
  plan->requests = (unsigned)((targets + TR_TARGETS_PER_REQUEST - 1) / TR_TARGETS_PER_REQUEST);
  plan->bodies = tr_calloc(sizeof *plan->bodies * plan->requests);
  if (!plan->bodies) tr_raise_out_of_memory(L);
  push_body_tail(L);
  int tail = lua_gettop(L);
  for (unsigned i = 0; i < plan->requests; i++) {
    size_t first = (size_t)i * TR_TARGETS_PER_REQUEST, left = targets - first;
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    luaL_addstring(&out, "{\"targets\":[");
    add_strings(L, &out, asked, first + 1,
                left < TR_TARGETS_PER_REQUEST ? left : TR_TARGETS_PER_REQUEST);
    luaL_addchar(&out, ']');
    lua_pushvalue(L, tail);
    luaL_addvalue(&out);
    luaL_pushresult(&out);
    plan->bodies[i] = keep(L, tr_strdup(lua_tostring(L, -1)));
    lua_pop(L, 1);
  }
  lua_settop(L, tail - 1);
}

/* ---- credentials ---- */

struct credentials {
  const char *token, *email, *key;
  const char *token_from, *email_from, *key_from; /* whom to name in a message */
};

static void choose_credentials(lua_State *L, struct credentials *c) {
  c->token_from = "token";
  c->email_from = "email";
  c->key_from = "key";
  c->token = tr_options_text(L, OPTS, "token");
  c->email = tr_options_text(L, OPTS, "email");
  c->key = tr_options_text(L, OPTS, "key");
  if (c->token) return;
  if (!c->email && !c->key) {
    c->token = from_environment(c->token_from = "CLOUDFLARE_API_TOKEN");
    if (c->token) return;
  }
  if (!c->email) c->email = from_environment(c->email_from = "CLOUDFLARE_EMAIL");
  if (!c->key) c->key = from_environment(c->key_from = "CLOUDFLARE_API_KEY");
}

static char *header_line(lua_State *L, const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + 1;
  char *line = keep(L, tr_realloc(NULL, size));
  snprintf(line, size, "%s%s", name, value);
  return line;
}

static int read_credentials(lua_State *L, struct tr_request *request, struct tr_error *error) {
  struct tr_plan *plan = &request->plan;
  struct credentials c;
  choose_credentials(L, &c);
  char **headers = plan->endpoint.headers = tr_calloc(6 * sizeof *headers);
  if (!headers) tr_raise_out_of_memory(L);
  *headers++ = keep(L, tr_strdup("Content-Type: application/json"));
  *headers++ = keep(L, tr_strdup("Accept: application/json"));
  *headers++ = keep(L, tr_strdup("Expect:"));
  if (c.token) {
    if (has_control(c.token))
      return refuse(error, TR_INVALID_REQUEST, c.token_from,
                    "holds a control character; strip line ends");
    plan->credential = keep(L, tr_strdup(c.token));
    plan->endpoint.secret = plan->credential;
    *headers = header_line(L, "Authorization: Bearer ", c.token);
    return 0;
  }
  if (!c.email && !c.key && request->is_preview) return 0;
  if (!c.email && !c.key)
    return refuse(
        error, TR_AUTHENTICATION, "token",
        "no credentials; pass token, or set CLOUDFLARE_API_TOKEN (permission Magic Transit Write)");
  if (!c.email)
    return refuse(error, TR_AUTHENTICATION, "email",
                  "a key without an email; pass both, or a token");
  if (!c.key)
    return refuse(error, TR_AUTHENTICATION, "key", "an email without a key; pass both, or a token");
  if (has_control(c.email) || has_control(c.key))
    return refuse(error, TR_INVALID_REQUEST, has_control(c.email) ? c.email_from : c.key_from,
                  "holds a control character; strip line ends");
  plan->credential = keep(L, tr_strdup(c.key));
  plan->endpoint.secret = plan->credential;
  *headers++ = header_line(L, "X-Auth-Email: ", c.email);
  *headers = header_line(L, "X-Auth-Key: ", c.key);
  return 0;
}

/* ---- how the call is made ---- */

static int read_url(lua_State *L, const char *account, struct tr_endpoint *endpoint,
                    struct tr_error *error) {
  endpoint->insecure = tr_options_flag(L, OPTS, "insecure", 0);
  const char *base = tr_options_text(L, OPTS, "base_url"), *from = "base_url";
  if (!base) base = from_environment(from = "CLOUDFLARE_BASE_URL");
  if (!base) base = BASE_URL;
  if (has_control(base))
    return refuse(error, TR_INVALID_REQUEST, from, "holds a control character");
  if (!is_usable(L, tr_url_check(base, endpoint->insecure, error))) {
    snprintf(error->path, sizeof error->path, "%s", from);
    return -1;
  }
  size_t length = strlen(base);
  while (length && base[length - 1] == '/')
    length--;
  size_t size = length + strlen(account) + sizeof "/accounts//diagnostics/traceroute";
  endpoint->url = keep(L, tr_realloc(NULL, size));
  snprintf(endpoint->url, size, "%.*s/accounts/%s/diagnostics/traceroute", (int)length, base,
           account);
  return 0;
}

/* Long enough for a trace whose probes all go unanswered one after another, for each round of
** requests, and for the windows that the pace makes a long call wait. */
static double default_timeout(lua_State *L, const struct tr_plan *plan) {
  double one = TIMEOUT_BASE + tr_options_number(L, OPTS, "max_ttl", MAX_TTL) *
                                  tr_options_number(L, OPTS, "packets_per_ttl", PACKETS_PER_TTL) *
                                  tr_options_number(L, OPTS, "wait_time", WAIT_TIME);
  if (one < TIMEOUT_LEAST) one = TIMEOUT_LEAST;
  if (one > TIMEOUT_MOST) one = TIMEOUT_MOST;
  unsigned rounds = (plan->requests + plan->concurrency - 1) / plan->concurrency;
  double windows = plan->quota ? (plan->requests - 1) / (unsigned)plan->quota : 0;
  double all = one * rounds + windows * TR_PACE_WINDOW;
  return all < TIMEOUT_LIMIT ? all : TIMEOUT_LIMIT;
}

static int read_transport(lua_State *L, struct tr_plan *plan, struct tr_error *error) {
  struct tr_endpoint *endpoint = &plan->endpoint;
  const char *proxy = tr_options_text(L, OPTS, "proxy"),
             *agent = tr_options_text(L, OPTS, "user_agent");
  const char *ca_file = tr_options_text(L, OPTS, "ca_file");
  if (proxy && !is_usable(L, tr_url_check_proxy(proxy, error))) return -1;
  if (proxy) endpoint->proxy = keep(L, tr_strdup(proxy));
  if (ca_file) endpoint->ca_file = keep(L, tr_strdup(ca_file));
  endpoint->user_agent = keep(L, tr_strdup(agent ? agent : "cloudflare-traceroute/" TR_VERSION));
  endpoint->connect_timeout = tr_options_number(L, OPTS, "connect_timeout", CONNECT_TIMEOUT);
  endpoint->max_bytes =
      (size_t)tr_options_number(L, OPTS, "max_response_bytes", MAX_RESPONSE_BYTES);
  plan->concurrency = (unsigned)tr_options_number(L, OPTS, "concurrency", CONCURRENCY);
  plan->retries = (int)tr_options_number(L, OPTS, "retries", RETRIES);
  plan->quota = (int)tr_options_number(L, OPTS, "quota", TR_PACE_QUOTA);
  plan->try_timeout = tr_options_number(L, OPTS, "try_timeout", 0);
  plan->timeout = tr_options_number(L, OPTS, "timeout", default_timeout(L, plan));
  return 0;
}

static enum tr_validate read_validate(lua_State *L) {
  const char *text = tr_options_text(L, OPTS, "validate");
  enum tr_validate mode = TR_VALIDATE_STRICT;
  if (text) return strcmp(text, "lenient") == 0 ? TR_VALIDATE_LENIENT : mode;
  tr_options_push(L, OPTS, "validate");
  if (lua_isboolean(L, -1)) mode = TR_VALIDATE_NONE;
  lua_pop(L, 1);
  return mode;
}

static void redact_one(struct tr_error *error, const char *secret) {
  if (!secret) return;
  tr_redact(error->message, strlen(error->message), secret);
  tr_redact(error->path, strlen(error->path), secret);
}

/* A credential that slipped into the wrong argument is not shown either. */
static void redact(lua_State *L, struct tr_error *error) {
  static const char *const secrets[] = {"token", "key"};
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
    tr_options_push(L, OPTS, secrets[i]);
    if (lua_type(L, -1) == LUA_TSTRING) redact_one(error, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  redact_one(error, from_environment("CLOUDFLARE_API_TOKEN"));
  redact_one(error, from_environment("CLOUDFLARE_API_KEY"));
}

static int read_all(lua_State *L, struct tr_request *request, struct tr_error *error) {
  tr_error_clear(error);
  luaL_checkstack(L, 20, "too many values");
  if (tr_options_take(L, OPTS, TR_OBJECT_options, error) != 0) return -1;
  const char *account = read_account(L, error);
  if (!account || tr_targets_read(L, TARGETS, error) != 0) return -1;
  int asked = lua_gettop(L);
  if (lua_istable(L, OPTS) && read_colos(L, error) != 0) return -1;
  if (read_credentials(L, request, error) != 0) return -1;
  if (read_url(L, account, &request->plan.endpoint, error) != 0) return -1;
  make_bodies(L, asked, &request->plan);
  if (read_transport(L, &request->plan, error) != 0) return -1;
  request->validate = read_validate(L);
  lua_settop(L, asked);
  tr_options_push(L, OPTS, "on_progress");
  return 0;
}

int tr_request_read(lua_State *L, struct tr_request *request, struct tr_error *error) {
  if (read_all(L, request, error) == 0) return 0;
  redact(L, error);
  return -1;
}
