/* alloc: the one place that calls libc's allocator; see alloc.h. */
#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *block, size_t size) {
  if (size == 0) {
    free(block);
    return NULL;
  }
  return realloc(block, size);
}

tr_realloc_fn tr_realloc_hook = libc_realloc;

void *tr_realloc(void *block, size_t size) {
  return tr_realloc_hook(block, size);
}

void *tr_calloc(size_t size) {
  void *block = tr_realloc_hook(NULL, size);
  if (block) memset(block, 0, size);
  return block;
}

char *tr_strdup(const char *text) {
  if (!text) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = tr_realloc_hook(NULL, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

void tr_free(void *block) {
  if (block) (void)tr_realloc_hook(block, 0);
}

void tr_wipe(void *block, size_t size) {
  explicit_bzero(block, size);
}
