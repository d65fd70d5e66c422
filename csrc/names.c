/* names: questions, who asked them, and what is known already; see names.h.
**
** What the resolver reports is only written down where it does; askers are told later, outside
** of it, so that they may do anything, up to freeing all of this. A question that runs out of
** time leaves its query behind, since the resolver cannot end one of several: it counts among
** those in flight until it ends, and fills the cache at most. */
#include "names.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "alloc.h"
#include "cache.h"
#include "hash.h"
#include "networks.h"
#include "resolver.h"

#define KEPT_MAX 300.0 /* seconds, whatever the TTL */
#define BUCKETS 256    /* to begin with; a power of two */

struct tr_question {
  struct tr_link link; /* in waiting, out or answered */
  struct tr_question *chain;
  uint32_t hash;
  struct query *query; /* while it is out */
  int is_waiting;
  enum tr_query kind;
  int family;
  double deadline;
  struct tr_link askers;
  struct tr_found found;
  char key[TR_NAME_MAX + 2]; /* a letter for the kind, and what is asked about */
};

/* What the resolver has; freed when it reports. */
struct query {
  struct tr_names *names;
  struct tr_question *question; /* NULL: out of time */
  char key[TR_NAME_MAX + 2];
};

struct bucket {
  struct tr_question *first;
};

struct tr_names {
  struct tr_reactor *reactor;
  struct tr_resolver *resolver;
  struct tr_cache *cache;
  double timeout;
  char *zone, *zone6, *servers;
  struct tr_timer timer;
  /* All questions have the same time: they are in the order of their deadlines. */
  struct tr_link waiting, out, answered;
  unsigned in_flight;
  int is_telling, is_freed; /* freed while askers are told: the last bit goes after them */
  struct bucket *bucket;    /* of those that wait or are out, by their keys */
  size_t buckets, open;     /* a power of two; how many are in them */
};

/* ---- finding questions ---- */

static struct tr_question **bucket_of(const struct tr_names *names, uint32_t hash) {
  return &names->bucket[hash & (names->buckets - 1)].first;
}

static struct tr_question *find(const struct tr_names *names, const char *key) {
  uint32_t hash = tr_hash(key);
  struct tr_question *question = *bucket_of(names, hash);
  while (question && (question->hash != hash || strcmp(question->key, key) != 0))
    question = question->chain;
  return question;
}

static void put_into_bucket(struct tr_names *names, struct tr_question *question) {
  struct tr_question **bucket = bucket_of(names, question->hash);
  question->chain = *bucket;
  *bucket = question;
}

/* Without memory the chains grow instead. */
static void grow(struct tr_names *names) {
  struct bucket *old = names->bucket;
  size_t buckets = names->buckets;
  struct bucket *bucket = tr_calloc(2 * buckets * sizeof *bucket);
  if (!bucket) return;
  names->bucket = bucket;
  names->buckets = 2 * buckets;
  for (size_t i = 0; i < buckets; i++) {
    while (old[i].first) {
      struct tr_question *question = old[i].first;
      old[i].first = question->chain;
      put_into_bucket(names, question);
    }
  }
  tr_free(old);
}

static void open_question(struct tr_names *names, struct tr_question *question) {
  if (names->open == names->buckets) grow(names);
  put_into_bucket(names, question);
  names->open++;
}

static void close_question(struct tr_names *names, const struct tr_question *question) {
  struct tr_question **link = bucket_of(names, question->hash);
  while (*link != question)
    link = &(*link)->chain;
  *link = question->chain;
  names->open--;
}

/* ---- lists ---- */

/* The first of a list, or NULL. */
static struct tr_question *first_of(const struct tr_link *list) {
  return tr_list_is_empty(list) ? NULL : TR_OWNER(struct tr_question, link, list->next);
}

static void move_to(struct tr_link *list, struct tr_question *question) {
  tr_list_remove(&question->link);
  tr_list_append(list, &question->link);
}

static struct tr_names_asker *first_asker(const struct tr_question *question) {
  const struct tr_link *askers = &question->askers;
  return tr_list_is_empty(askers) ? NULL : TR_OWNER(struct tr_names_asker, link, askers->next);
}

static void let_go(struct tr_names_asker *asker) {
  tr_list_remove(&asker->link);
  asker->question = NULL;
}

static void free_question(struct tr_question *question) {
  struct tr_names_asker *asker;
  while ((asker = first_asker(question)))
    let_go(asker);
  tr_list_remove(&question->link);
  tr_free(question);
}

static void free_all(const struct tr_link *list) {
  struct tr_question *question;
  while ((question = first_of(list)))
    free_question(question);
}

/* ---- answers ---- */

/* To those whose askers are to be told. */
static void set_answered(struct tr_names *names, struct tr_question *question) {
  close_question(names, question);
  question->is_waiting = 0;
  if (question->query) {
    question->query->question = NULL;
    question->query = NULL;
  }
  move_to(&names->answered, question);
}

/* The cache has answers without what follows their text. */
static void keep(struct tr_names *names, const char *key, const struct tr_found *found,
                 double seconds) {
  if (seconds > KEPT_MAX) seconds = KEPT_MAX;
  if (seconds <= 0) return;
  size_t size = offsetof(struct tr_found, text) + strlen(found->text) + 1;
  tr_cache_put(names->cache, key, found, size, tr_clock() + seconds);
}

static void tell(const struct tr_names_asker *asker, enum tr_query kind,
                 const struct tr_found *found) {
  if (kind == TR_QUERY_HOST) {
    if (found->address.family)
      asker->address(asker->arg, &found->address, NULL);
    else
      asker->address(asker->arg, NULL, found->is_short ? NULL : found->why);
  } else {
    asker->text(asker->arg, found->text[0] ? found->text : NULL, found->is_short);
  }
}

/* -1: an asker freed us. */
static int tell_all(struct tr_names *names) {
  struct tr_question *question;
  names->is_telling = 1;
  while ((question = first_of(&names->answered))) {
    struct tr_names_asker *asker = first_asker(question);
    if (!asker) {
      free_question(question);
      continue;
    }
    let_go(asker);
    struct tr_names_asker one = *asker;
    struct tr_found found = question->found;
    tell(&one, question->kind, &found);
    if (names->is_freed) {
      tr_free(names);
      return -1;
    }
  }
  names->is_telling = 0;
  return 0;
}

/* A query has ended. */
static void on_report(void *arg, const struct tr_found *found, double seconds) {
  struct query *query = arg;
  query->names->in_flight--;
  if (query->question) query->question->query = NULL;
  if (found) {
    keep(query->names, query->key, found, seconds);
    if (query->question) {
      query->question->found = *found;
      set_answered(query->names, query->question);
    }
  }
  tr_free(query);
}

/* ---- moving on ---- */

static void send_question(struct tr_names *names, struct tr_question *question) {
  question->is_waiting = 0;
  move_to(&names->out, question);
  struct query *query = tr_calloc(sizeof *query);
  if (!query) {
    question->found.is_short = 1;
    set_answered(names, question);
    return;
  }
  query->names = names;
  query->question = question;
  memcpy(query->key, question->key, sizeof query->key);
  question->query = query;
  names->in_flight++;
  /* It may report at once, which frees the query: the name is the question's, which stays. */
  tr_resolver_ask(names->resolver, question->kind, question->family, question->key + 1, on_report,
                  query);
}

static void expire(struct tr_names *names, const struct tr_link *list, double now) {
  struct tr_question *question;
  while ((question = first_of(list)) && question->deadline <= now) {
    question->found.why = "timed out";
    set_answered(names, question);
  }
}

static void schedule(struct tr_names *names) {
  double at = tr_clock();
  if (tr_list_is_empty(&names->answered)) {
    const struct tr_question *one = first_of(&names->out), *other = first_of(&names->waiting);
    if (!one && !other) {
      tr_timer_stop(&names->timer);
      return;
    }
    at = !other || (one && one->deadline < other->deadline) ? one->deadline : other->deadline;
  }
  tr_timer_set(names->reactor, &names->timer, at);
}

static void send_waiting(struct tr_names *names) {
  struct tr_question *question;
  while (names->in_flight < TR_NAMES_IN_FLIGHT_MAX && (question = first_of(&names->waiting)))
    send_question(names, question);
}

/* What nobody waits for any more is ended as soon as nobody waits for any of it. */
static void end_left_behind(struct tr_names *names) {
  if (names->in_flight > 0 && tr_list_is_empty(&names->out)) tr_resolver_cancel(names->resolver);
}

/* The timer's, and the resolver's after each of its turns. */
static void move_on(void *arg) {
  struct tr_names *names = arg;
  double now = tr_clock();
  expire(names, &names->out, now);
  expire(names, &names->waiting, now);
  end_left_behind(names);
  send_waiting(names);
  if (tell_all(names) == 0) schedule(names);
}

/* ---- birth and death ---- */

struct tr_names *tr_names_new(struct tr_reactor *reactor, const struct tr_names_options *options) {
  struct tr_names *names = tr_calloc(sizeof *names);
  if (!names) return NULL;
  names->reactor = reactor;
  names->timeout = options->timeout;
  names->timer.fire = move_on;
  names->timer.arg = names;
  tr_list_init(&names->waiting);
  tr_list_init(&names->out);
  tr_list_init(&names->answered);
  names->buckets = BUCKETS;
  names->bucket = tr_calloc(BUCKETS * sizeof *names->bucket);
  names->zone = tr_strdup(options->origin_zone);
  names->zone6 = tr_strdup(options->origin6_zone);
  names->cache = tr_cache_new(TR_NAMES_CACHE_MAX);
  names->resolver = tr_resolver_new(reactor, options->timeout, options->servers, move_on, names);
  names->servers = tr_strdup(options->servers);
  if (!names->bucket || !names->zone || !names->zone6 || !names->cache || !names->resolver ||
      (options->servers && !names->servers)) {
    tr_names_free(names);
    return NULL;
  }
  return names;
}

void tr_names_free(struct tr_names *names) {
  if (!names) return;
  tr_resolver_free(names->resolver);
  tr_timer_stop(&names->timer);
  free_all(&names->waiting);
  free_all(&names->out);
  free_all(&names->answered);
  tr_free(names->bucket);
  tr_cache_free(names->cache);
  tr_free(names->zone);
  tr_free(names->zone6);
  tr_free(names->servers);
  names->is_freed = 1;
  if (!names->is_telling) tr_free(names);
}

static int is_same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

int tr_names_is_for(const struct tr_names *names, const struct tr_names_options *options) {
  return names->timeout == options->timeout && is_same_text(names->servers, options->servers) &&
         is_same_text(names->zone, options->origin_zone) &&
         is_same_text(names->zone6, options->origin6_zone);
}

/* What is open is asked of the new servers, and what the old ones said is forgotten. Without memory
** the old ones have to do. */
void tr_names_refresh(struct tr_names *names) {
  if (tr_resolver_is_current(names->resolver)) return;
  struct tr_cache *cache = tr_cache_new(TR_NAMES_CACHE_MAX);
  struct tr_resolver *resolver =
      tr_resolver_new(names->reactor, names->timeout, names->servers, move_on, names);
  if (!cache || !resolver) {
    tr_cache_free(cache);
    tr_resolver_free(resolver);
    return;
  }
  tr_resolver_free(names->resolver);
  tr_cache_free(names->cache);
  names->resolver = resolver;
  names->cache = cache;
  while (!tr_list_is_empty(&names->out)) {
    struct tr_question *last = TR_OWNER(struct tr_question, link, names->out.prev);
    last->is_waiting = 1;
    move_to(names->waiting.next, last);
  }
  send_waiting(names);
  schedule(names);
}

/* ---- asking ---- */

static struct tr_question *new_question(struct tr_names *names, enum tr_query kind, int family,
                                        const char *key) {
  struct tr_question *question = tr_calloc(sizeof *question);
  if (!question) return NULL;
  question->is_waiting = 1;
  question->kind = kind;
  question->family = family;
  question->deadline = tr_clock() + names->timeout;
  tr_list_init(&question->askers);
  memcpy(question->key, key, strlen(key) + 1);
  question->hash = tr_hash(key);
  open_question(names, question);
  tr_list_append(&names->waiting, &question->link);
  return question;
}

static int ask(struct tr_names *names, enum tr_query kind, int family, const char *key,
               struct tr_names_asker *asker) {
  const struct tr_found *kept = tr_cache_get(names->cache, key, tr_clock());
  if (kept) {
    struct tr_found found; /* the asker may change the cache */
    memset(&found, 0, sizeof found);
    memcpy(&found, kept, offsetof(struct tr_found, text) + strlen(kept->text) + 1);
    tell(asker, kind, &found);
    return 0;
  }
  struct tr_question *question = find(names, key);
  if (!question) question = new_question(names, kind, family, key);
  if (!question) return -1;
  asker->question = question;
  tr_list_append(&question->askers, &asker->link);
  send_waiting(names);
  schedule(names);
  return 0;
}

static int literal(const char *text, struct tr_address *address) {
  if (inet_pton(AF_INET, text, &address->ip.v4) == 1)
    address->family = AF_INET;
  else if (inet_pton(AF_INET6, text, &address->ip.v6) == 1)
    address->family = AF_INET6;
  else
    return -1;
  return 0;
}

int tr_names_resolve(struct tr_names *names, const char *host, int family,
                     struct tr_names_asker *asker) {
  struct tr_address address;
  memset(&address, 0, sizeof address);
  if (literal(host, &address) == 0) {
    if (family == AF_UNSPEC || family == address.family)
      asker->address(asker->arg, &address, NULL);
    else
      asker->address(asker->arg, NULL, "an address of the other family");
    return 0;
  }
  if (!tr_dns_is_name(host)) {
    asker->address(asker->arg, NULL, "not a host name");
    return 0;
  }
  char key[TR_NAME_MAX + 2];
  key[0] = family == AF_INET ? '4' : family == AF_INET6 ? '6' : 'h';
  size_t length = 0;
  for (; host[length]; length++)
    key[length + 1] =
        (char)(host[length] >= 'A' && host[length] <= 'Z' ? host[length] | 0x20 : host[length]);
  key[length + 1] = '\0';
  return ask(names, TR_QUERY_HOST, family, key, asker);
}

static int ask_reversed(struct tr_names *names, enum tr_query kind,
                        const struct tr_address *address, const char *zone,
                        struct tr_names_asker *asker) {
  char key[TR_NAME_MAX + 2];
  key[0] = kind == TR_QUERY_POINTER ? 'p' : 'o';
  if (tr_dns_reversed(address, zone, key + 1, sizeof key - 1) != 0) {
    asker->text(asker->arg, NULL, 0);
    return 0;
  }
  return ask(names, kind, 0, key, asker);
}

int tr_names_reverse(struct tr_names *names, const struct tr_address *address,
                     struct tr_names_asker *asker) {
  return ask_reversed(names, TR_QUERY_POINTER, address,
                      address->family == AF_INET6 ? "ip6.arpa" : "in-addr.arpa", asker);
}

int tr_names_origin(struct tr_names *names, const struct tr_address *address,
                    struct tr_names_asker *asker) {
  /* Under an address of IPv4 mapped into IPv6 no zone has anything. */
  if (!tr_address_is_public(address) ||
      (address->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->ip.v6))) {
    asker->text(asker->arg, NULL, 0);
    return 0;
  }
  return ask_reversed(names, TR_QUERY_ORIGIN, address,
                      address->family == AF_INET6 ? names->zone6 : names->zone, asker);
}

void tr_names_forget(struct tr_names *names, struct tr_names_asker *asker) {
  struct tr_question *question = asker->question;
  if (!question) return;
  let_go(asker);
  if (!question->is_waiting || first_asker(question)) return;
  close_question(names, question);
  free_question(question);
}
