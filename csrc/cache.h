/* cache: answers by key, each until its time, the oldest going first when there are too many. It
** knows bytes, not what they mean, and gets its clock handed in. Knows no Lua. */
#ifndef TR_CACHE_H
#define TR_CACHE_H

#include <stddef.h>

struct tr_cache;

/* Keeps at most `max` entries, from 1. NULL: out of memory. */
struct tr_cache *tr_cache_new(size_t max);
void tr_cache_free(struct tr_cache *cache); /* NULL is fine */

/* Keeps a copy until the clock shows `until`, in place of what the key had. Without memory the
** key has nothing after: a cache may forget. */
void tr_cache_put(struct tr_cache *cache, const char *key, const void *value, size_t size,
                  double until);

/* The value, aligned for anything and good until the next put or get, or NULL. */
const void *tr_cache_get(struct tr_cache *cache, const char *key, double now);

size_t
tr_cache_count(const struct tr_cache *cache); /* those whose time is over may be among them */

#endif
