/* hash: a text's number, for tables that find by texts. Knows no Lua. */
#ifndef TR_HASH_H
#define TR_HASH_H

#include <stdint.h>

/* FNV-1a. Whoever chooses the texts could give many the same number. */
static inline uint32_t tr_hash(const char *text) {
  uint32_t hash = 2166136261u;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 16777619u;
  return hash;
}

#endif
