/* names: questions, who asked them, and what is known already; see names.h.
**
** What the resolver reports is only written down where it does; askers are told later, outside
** of it, so that they may do anything, up to freeing all of this. A question that runs out of
** time leaves its query behind, since the resolver cannot end one of several: it counts among
** those in flight until it ends, and fills the cache at most. */
#include "names.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "alloc.h"
#include "cache.h"
#include "networks.h"
#include "resolver.h"

#define KEPT_MAX 300.0 /* seconds, whatever the TTL */
#define BUCKETS 256

struct asker {
  struct asker *next;
  tr_names_address_fn address;
  tr_names_text_fn text;
  void *arg;
};

struct question {
  struct question *next; /* in its list */
  struct question *chain;
  struct query *query; /* while it is out */
  enum tr_query kind;
  int family;
  double deadline;
  struct asker *askers, **last;
  struct tr_found found;
  char key[TR_NAME_MAX + 2]; /* a letter for the kind, and what is asked about */
};

/* What the resolver has; freed when it reports. */
struct query {
  struct tr_names *names;
  struct question *question; /* NULL: out of time */
  char key[TR_NAME_MAX + 2];
};

/* All questions have the same time: the lists are in the order of their deadlines. */
struct list {
  struct question *first, **last;
};

struct tr_names {
  struct tr_reactor *reactor;
  struct tr_resolver *resolver;
  struct tr_cache *cache;
  double timeout;
  char *zone, *zone6, *servers;
  struct tr_timer timer;
  struct list waiting, out, answered;
  unsigned in_flight;
  int is_telling, is_freed; /* freed while askers are told: the last bit goes after them */
  struct question *bucket[BUCKETS];
};

/* ---- lists ---- */

static void list_init(struct list *list) {
  list->first = NULL;
  list->last = &list->first;
}

static void list_add(struct list *list, struct question *question) {
  question->next = NULL;
  *list->last = question;
  list->last = &question->next;
}

static void list_remove(struct list *list, struct question *question) {
  struct question **link = &list->first;
  while (*link != question)
    link = &(*link)->next;
  *link = question->next;
  if (!question->next) list->last = link;
}

static struct question **bucket_of(struct tr_names *names, const char *key) {
  uint32_t hash = 2166136261u;
  for (; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 16777619u;
  return &names->bucket[hash % BUCKETS];
}

static struct question *find(struct tr_names *names, const char *key) {
  struct question *question = *bucket_of(names, key);
  while (question && strcmp(question->key, key) != 0)
    question = question->chain;
  return question;
}

static void free_question(struct question *question) {
  while (question->askers) {
    struct asker *asker = question->askers;
    question->askers = asker->next;
    tr_free(asker);
  }
  tr_free(question);
}

static void free_list(struct list *list) {
  while (list->first) {
    struct question *question = list->first;
    list->first = question->next;
    free_question(question);
  }
}

/* ---- answers ---- */

/* From one of the open lists to those whose askers are to be told. */
static void set_answered(struct tr_names *names, struct list *from, struct question *question) {
  struct question **link = bucket_of(names, question->key);
  while (*link != question)
    link = &(*link)->chain;
  *link = question->chain;
  list_remove(from, question);
  if (question->query) {
    question->query->question = NULL;
    question->query = NULL;
  }
  list_add(&names->answered, question);
}

/* The cache has answers without what follows their text. */
static void keep(struct tr_names *names, const char *key, const struct tr_found *found,
                 double seconds) {
  if (seconds > KEPT_MAX) seconds = KEPT_MAX;
  if (seconds <= 0) return;
  size_t size = offsetof(struct tr_found, text) + strlen(found->text) + 1;
  tr_cache_put(names->cache, key, found, size, tr_clock() + seconds);
}

static void tell(const struct asker *asker, enum tr_query kind, const struct tr_found *found) {
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
  names->is_telling = 1;
  while (names->answered.first) {
    struct question *question = names->answered.first;
    struct asker *asker = question->askers;
    if (!asker) {
      list_remove(&names->answered, question);
      free_question(question);
      continue;
    }
    question->askers = asker->next;
    struct asker one = *asker;
    struct tr_found found = question->found;
    enum tr_query kind = question->kind;
    tr_free(asker);
    tell(&one, kind, &found);
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
      set_answered(query->names, &query->names->out, query->question);
    }
  }
  tr_free(query);
}

/* ---- moving on ---- */

static void send_question(struct tr_names *names, struct question *question) {
  list_remove(&names->waiting, question);
  list_add(&names->out, question);
  struct query *query = tr_calloc(sizeof *query);
  if (!query) {
    question->found.is_short = 1;
    set_answered(names, &names->out, question);
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

static void expire(struct tr_names *names, struct list *list, double now) {
  while (list->first && list->first->deadline <= now) {
    list->first->found.why = "timed out";
    set_answered(names, list, list->first);
  }
}

static void schedule(struct tr_names *names) {
  double at = tr_clock();
  if (!names->answered.first) {
    const struct question *one = names->out.first, *other = names->waiting.first;
    if (!one && !other) {
      tr_timer_stop(&names->timer);
      return;
    }
    at = !other || (one && one->deadline < other->deadline) ? one->deadline : other->deadline;
  }
  tr_timer_set(names->reactor, &names->timer, at);
}

static void send_waiting(struct tr_names *names) {
  while (names->waiting.first && names->in_flight < TR_NAMES_IN_FLIGHT_MAX)
    send_question(names, names->waiting.first);
}

/* What nobody waits for any more is ended as soon as nobody waits for any of it. */
static void end_left_behind(struct tr_names *names) {
  if (names->in_flight > 0 && !names->out.first) tr_resolver_cancel(names->resolver);
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
  list_init(&names->waiting);
  list_init(&names->out);
  list_init(&names->answered);
  names->zone = tr_strdup(options->origin_zone);
  names->zone6 = tr_strdup(options->origin6_zone);
  names->cache = tr_cache_new(TR_NAMES_CACHE_MAX);
  names->resolver = tr_resolver_new(reactor, options->timeout, options->servers, move_on, names);
  names->servers = tr_strdup(options->servers);
  if (!names->zone || !names->zone6 || !names->cache || !names->resolver ||
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
  free_list(&names->waiting);
  free_list(&names->out);
  free_list(&names->answered);
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
  *names->out.last = names->waiting.first;
  if (names->waiting.first) names->out.last = names->waiting.last;
  names->waiting.first = names->out.first;
  names->waiting.last = names->out.first ? names->out.last : &names->waiting.first;
  list_init(&names->out);
  send_waiting(names);
  schedule(names);
}

/* ---- asking ---- */

static struct question *new_question(struct tr_names *names, enum tr_query kind, int family,
                                     const char *key) {
  struct question *question = tr_calloc(sizeof *question);
  if (!question) return NULL;
  question->kind = kind;
  question->family = family;
  question->deadline = tr_clock() + names->timeout;
  question->last = &question->askers;
  memcpy(question->key, key, strlen(key) + 1);
  struct question **bucket = bucket_of(names, key);
  question->chain = *bucket;
  *bucket = question;
  list_add(&names->waiting, question);
  return question;
}

static int ask(struct tr_names *names, enum tr_query kind, int family, const char *key,
               const struct asker *who) {
  const struct tr_found *kept = tr_cache_get(names->cache, key, tr_clock());
  if (kept) {
    struct tr_found found; /* the asker may change the cache */
    memset(&found, 0, sizeof found);
    memcpy(&found, kept, offsetof(struct tr_found, text) + strlen(kept->text) + 1);
    tell(who, kind, &found);
    return 0;
  }
  struct asker *asker = tr_calloc(sizeof *asker);
  if (!asker) return -1;
  *asker = *who;
  struct question *question = find(names, key);
  if (!question) question = new_question(names, kind, family, key);
  if (!question) {
    tr_free(asker);
    return -1;
  }
  *question->last = asker;
  question->last = &asker->next;
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
                     tr_names_address_fn answer, void *arg) {
  struct tr_address address;
  memset(&address, 0, sizeof address);
  if (literal(host, &address) == 0) {
    if (family == AF_UNSPEC || family == address.family)
      answer(arg, &address, NULL);
    else
      answer(arg, NULL, "an address of the other family");
    return 0;
  }
  if (!tr_dns_is_name(host)) {
    answer(arg, NULL, "not a host name");
    return 0;
  }
  char key[TR_NAME_MAX + 2];
  key[0] = family == AF_INET ? '4' : family == AF_INET6 ? '6' : 'h';
  size_t length = 0;
  for (; host[length]; length++)
    key[length + 1] =
        (char)(host[length] >= 'A' && host[length] <= 'Z' ? host[length] | 0x20 : host[length]);
  key[length + 1] = '\0';
  struct asker who = {NULL, answer, NULL, arg};
  return ask(names, TR_QUERY_HOST, family, key, &who);
}

static int ask_reversed(struct tr_names *names, enum tr_query kind,
                        const struct tr_address *address, const char *zone, tr_names_text_fn answer,
                        void *arg) {
  char key[TR_NAME_MAX + 2];
  key[0] = kind == TR_QUERY_POINTER ? 'p' : 'o';
  if (tr_dns_reversed(address, zone, key + 1, sizeof key - 1) != 0) {
    answer(arg, NULL, 0);
    return 0;
  }
  struct asker who = {NULL, NULL, answer, arg};
  return ask(names, kind, 0, key, &who);
}

int tr_names_reverse(struct tr_names *names, const struct tr_address *address,
                     tr_names_text_fn answer, void *arg) {
  return ask_reversed(names, TR_QUERY_POINTER, address,
                      address->family == AF_INET6 ? "ip6.arpa" : "in-addr.arpa", answer, arg);
}

int tr_names_origin(struct tr_names *names, const struct tr_address *address,
                    tr_names_text_fn answer, void *arg) {
  /* Under an address of IPv4 mapped into IPv6 no zone has anything. */
  if (!tr_address_is_public(address) ||
      (address->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->ip.v6))) {
    answer(arg, NULL, 0);
    return 0;
  }
  return ask_reversed(names, TR_QUERY_ORIGIN, address,
                      address->family == AF_INET6 ? names->zone6 : names->zone, answer, arg);
}

static void forget_in(struct list *list, const void *arg) {
  for (struct question *question = list->first; question; question = question->next) {
    struct asker **link = &question->askers;
    while (*link) {
      struct asker *asker = *link;
      if (asker->arg == arg) {
        *link = asker->next;
        tr_free(asker);
      } else {
        link = &asker->next;
      }
    }
    question->last = link;
  }
}

void tr_names_forget(struct tr_names *names, const void *arg) {
  forget_in(&names->waiting, arg);
  forget_in(&names->out, arg);
  forget_in(&names->answered, arg);
}
