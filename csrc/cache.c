/* cache: a hash table whose entries are also in a list by age; see cache.h. */
#include "cache.h"

#include <string.h>

#include "alloc.h"
#include "hash.h"

#define BUCKETS 1024 /* a power of two */

struct entry {
  struct entry *next;            /* in its bucket */
  struct entry *older, *younger; /* by when they were put */
  double until;
  const char *key; /* behind the value, in the same block */
  union {
    long long integer;
    long double number;
    void *pointer;
  } value[]; /* aligned for anything */
};

struct tr_cache {
  size_t count, max;
  struct entry *oldest, *youngest;
  struct entry *bucket[BUCKETS];
};

/* Whoever chooses the keys could fill one bucket; the bound keeps that harmless. */
static size_t bucket_of(const char *key) {
  return tr_hash(key) & (BUCKETS - 1);
}

/* The link that points to the key's entry, or to NULL. */
static struct entry **find(struct tr_cache *cache, const char *key) {
  struct entry **link = &cache->bucket[bucket_of(key)];
  while (*link && strcmp((*link)->key, key) != 0)
    link = &(*link)->next;
  return link;
}

static void drop(struct tr_cache *cache, struct entry **link) {
  struct entry *entry = *link;
  *link = entry->next;
  if (entry->older)
    entry->older->younger = entry->younger;
  else
    cache->oldest = entry->younger;
  if (entry->younger)
    entry->younger->older = entry->older;
  else
    cache->youngest = entry->older;
  cache->count--;
  tr_free(entry);
}

struct tr_cache *tr_cache_new(size_t max) {
  struct tr_cache *cache = tr_calloc(sizeof *cache);
  if (cache) cache->max = max;
  return cache;
}

void tr_cache_free(struct tr_cache *cache) {
  if (!cache) return;
  while (cache->oldest)
    drop(cache, find(cache, cache->oldest->key));
  tr_free(cache);
}

void tr_cache_put(struct tr_cache *cache, const char *key, const void *value, size_t size,
                  double until) {
  struct entry **link = find(cache, key);
  if (*link) drop(cache, link);
  size_t length = strlen(key);
  struct entry *entry = tr_calloc(sizeof *entry + size + length + 1);
  if (!entry) return;
  if (cache->count == cache->max) drop(cache, find(cache, cache->oldest->key));
  char *text = (char *)entry->value + size;
  memcpy(entry->value, value, size);
  memcpy(text, key, length + 1);
  entry->key = text;
  entry->until = until;
  entry->older = cache->youngest;
  if (entry->older)
    entry->older->younger = entry;
  else
    cache->oldest = entry;
  cache->youngest = entry;
  link = &cache->bucket[bucket_of(key)];
  entry->next = *link;
  *link = entry;
  cache->count++;
}

const void *tr_cache_get(struct tr_cache *cache, const char *key, double now) {
  struct entry **link = find(cache, key);
  if (!*link) return NULL;
  if ((*link)->until > now) return (*link)->value;
  drop(cache, link);
  return NULL;
}

size_t tr_cache_count(const struct tr_cache *cache) {
  return cache->count;
}
