/* slicing: feeds a slicer for unit tests, in pieces of any size, and writes down what comes of it as
** one line of text, so that all of it is compared. */
#ifndef TR_TEST_SLICING_H
#define TR_TEST_SLICING_H

#include "blocks.h"

#include <stdio.h>

#include "slicer.h"

#define OUTCOME_SIZE 8192
#define NO_LIMIT ((size_t)1 << 20)

struct outcome {
  char text[OUTCOME_SIZE];
  size_t length;
};

static inline void note(struct outcome *o, const char *bytes, size_t length) {
  assert_true(o->length + length < sizeof o->text);
  memcpy(o->text + o->length, bytes, length);
  o->length += length;
  o->text[o->length] = '\0';
}

static inline void note_slice(struct outcome *o, struct tr_slicer *s) {
  char head[64];
  unsigned index = s->index, target = s->target, colo = s->colo;
  size_t length;
  char *slice = tr_slicer_take(s, &length);
  assert_non_null(slice);
  assert_int_equal(slice[length], 0);
  int n = snprintf(head, sizeof head, " %u@%u.%u=", index, target, colo);
  note(o, head, (size_t)n);
  note(o, slice, length);
  tr_free(slice);
}

/* Feeds one piece to its end or to an error. */
static inline int feed_piece(struct tr_slicer *s, const char *bytes, size_t length,
                             struct outcome *o) {
  for (;;) {
    size_t used = length + 1;
    enum tr_slicer_event event = tr_slicer_feed(s, bytes, length, &used);
    assert_true(used <= length);
    assert_true(s->envelope.length + s->slice.length <= s->limit);
    if (event == TR_SLICER_ERROR) return 0;
    bytes += used;
    length -= used;
    if (event == TR_SLICER_MORE) {
      assert_int_equal(length, 0);
      return 1;
    }
    note_slice(o, s);
  }
}

/* Pieces: the first `cut` bytes, then pieces of `step` bytes; 0: the whole rest. Each piece is a
** block of its own, so that a sanitizer sees a read beyond it. */
static inline void feed_cut(struct tr_slicer *s, const char *text, size_t length, size_t cut,
                            size_t step, struct outcome *o) {
  size_t at = 0, size = cut;
  int more = 1;
  o->length = 0;
  note(o, "", 0);
  while (more && at < length) {
    if (at > 0 || size == 0) size = step ? step : length - at;
    if (size > length - at) size = length - at;
    char *piece = malloc(size);
    assert_non_null(piece);
    memcpy(piece, text + at, size);
    more = feed_piece(s, piece, size, o);
    free(piece);
    at += size;
  }
}

#endif
