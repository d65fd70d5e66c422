/* blocks: an allocator for unit tests that counts the blocks in use and fails where it is told to.
 */
#ifndef TR_TEST_BLOCKS_H
#define TR_TEST_BLOCKS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"

static long blocks_used, blocks_asked, blocks_fail_from, blocks_fail_to;
static tr_realloc_fn blocks_usual;

static inline void *blocks_realloc(void *block, size_t size) {
  if (size == 0) {
    if (block) blocks_used--;
    free(block);
    return NULL;
  }
  blocks_asked++;
  if (blocks_asked >= blocks_fail_from && blocks_asked <= blocks_fail_to) return NULL;
  void *fresh = realloc(block, size);
  assert_non_null(fresh);
  if (!block) blocks_used++;
  return fresh;
}

/* Requests number `from` to `to` fail, counted from 1; 0, 0: none. */
static inline void blocks_begin(long from, long to) {
  if (!blocks_usual) blocks_usual = tr_realloc_hook;
  blocks_used = blocks_asked = 0;
  blocks_fail_from = from;
  blocks_fail_to = to;
  tr_realloc_hook = blocks_realloc;
}

/* Nothing is left in use. Answers whether a request was made to fail. */
static inline int blocks_end(void) {
  tr_realloc_hook = blocks_usual;
  assert_int_equal(blocks_used, 0);
  return blocks_fail_from > 0 && blocks_asked >= blocks_fail_from;
}

#endif
