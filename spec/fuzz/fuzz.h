/* fuzz: what the targets share: the functions that libFuzzer or replay calls, reading an input, and
** a check that ends the process, as the fuzzer expects of a bug. Knows no target. */
#ifndef TR_FUZZ_H
#define TR_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);               \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* What is left of an input. */
struct fuzz_input {
  const char *at;
  size_t left;
};

static inline struct fuzz_input fuzz_input(const uint8_t *data, size_t size) {
  return (struct fuzz_input){(const char *)data, size};
}

/* The next byte, counted from '0', so that inputs can be written by hand; 0 at the end. */
static inline unsigned fuzz_digit(struct fuzz_input *in) {
  if (in->left == 0) return 0;
  in->left--;
  return (unsigned char)(*in->at++ - '0');
}

/* What stands before the next `end`, which is stepped over, or all that is left. */
static inline struct fuzz_input fuzz_part(struct fuzz_input *in, char end) {
  struct fuzz_input part = *in;
  const char *found = in->left ? memchr(in->at, end, in->left) : NULL;
  if (found) part.left = (size_t)(found - in->at);
  in->at += part.left + (found ? 1 : 0);
  in->left -= part.left + (found ? 1 : 0);
  return part;
}

/* A block of its own that ends where the bytes end, so that a sanitizer sees a read beyond them. */
static inline char *fuzz_copy(const char *bytes, size_t length) {
  char *copy = calloc(length ? length : 1, 1);
  FUZZ_CHECK(copy);
  if (length) memcpy(copy, bytes, length);
  return copy;
}

/* The same with a NUL behind; one within the bytes ends the text. */
static inline char *fuzz_text(struct fuzz_input part) {
  char *text = malloc(part.left + 1);
  FUZZ_CHECK(text);
  if (part.left) memcpy(text, part.at, part.left);
  text[part.left] = '\0';
  return text;
}

#endif
