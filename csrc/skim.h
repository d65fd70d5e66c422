/* skim: the quick way over the inside of a slice, which is nearly all of a text. It goes over whole
** tokens just as the slicer would, and leaves to it whatever is out of the ordinary. Must not know where
** slices begin and end, nor keep bytes. */
#ifndef TR_SKIM_H
#define TR_SKIM_H

#include "slicer.h"

/* From `at`, between two tokens of a slice, on: to a token that is cut at `end`, or wrong, a string with
** escapes, a bracket or a value too many, the bracket that closes the depth `floor`, or `end`.
** The slicer's state, depth and count of values are those there. */
const char *tr_skim(struct tr_slicer *s, unsigned floor, const char *at, const char *end);

#endif
