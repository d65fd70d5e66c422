/* scrub: memory that is cleared before it is given back; see scrub.h. */
#include "scrub.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc.h"

void *tr_scrub_malloc(size_t size) {
  return malloc(size);
}

void *tr_scrub_calloc(size_t count, size_t size) {
  return calloc(count, size);
}

char *tr_scrub_strdup(const char *text) {
  return strdup(text);
}

/* Gives the pages within the block back, which are zeros from then on wherever malloc has them for
** this process alone, and clears what is around them. As free(3) does, leaves errno alone. */
static void wipe_large(char *block, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t before = (page - (uintptr_t)block % page) % page, pages = (size - before) / page * page;
  int error = errno;
  if (madvise(block + before, pages, MADV_DONTNEED) == 0) {
    tr_wipe(block, before);
    tr_wipe(block + before + pages, size - before - pages);
  } else {
    tr_wipe(block, size); /* locked in memory */
    errno = error;
  }
}

void tr_scrub_free(void *block) {
  size_t size = block ? malloc_usable_size(block) : 0;
  if (size > TR_SCRUB_LARGE)
    wipe_large(block, size);
  else if (size)
    tr_wipe(block, size);
  free(block);
}

/* libc's would leave the old bytes where they were when it moves the block. */
void *tr_scrub_realloc(void *block, size_t size) {
  if (!block) return malloc(size);
  size_t had = malloc_usable_size(block);
  if (size <= had && size >= had / 2) return block;
  void *moved = malloc(size);
  if (!moved) return NULL;
  memcpy(moved, block, size < had ? size : had);
  tr_scrub_free(block);
  return moved;
}
