/* buffer: bytes that grow up to a bound. Knows nothing of what the bytes mean. */
#ifndef TR_BUFFER_H
#define TR_BUFFER_H

#include <stddef.h>

struct tr_buffer {
  char *data; /* NUL after the last byte once anything was added; NULL before */
  size_t length;
  size_t capacity;
  size_t limit; /* the most bytes it may ever hold */
};

enum { TR_BUFFER_OK = 0, TR_BUFFER_FULL = -1, TR_BUFFER_NOMEM = -2 };

void tr_buffer_init(struct tr_buffer *b, size_t limit);
void tr_buffer_cleanup(struct tr_buffer *b); /* frees; the buffer can be used again */
void tr_buffer_clear(struct tr_buffer *b);   /* empties, keeps the memory */

/* All of the bytes are added, or none: TR_BUFFER_OK, TR_BUFFER_FULL, TR_BUFFER_NOMEM. */
int tr_buffer_append(struct tr_buffer *b, const char *bytes, size_t length);

/* Takes so many bytes, or all if there are fewer, away from the front. */
void tr_buffer_drop(struct tr_buffer *b, size_t length);

/* Hands the memory over: the caller frees it with tr_free; the buffer is empty after. NULL if
** it was. */
char *tr_buffer_take(struct tr_buffer *b, size_t *length);

#endif
