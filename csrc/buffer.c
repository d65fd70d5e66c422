/* buffer: bytes that grow up to a bound; see buffer.h. */
#include "buffer.h"

#include <string.h>

#include "alloc.h"

#define FIRST_CAPACITY 256

void tr_buffer_init(struct tr_buffer *b, size_t limit) {
  memset(b, 0, sizeof *b);
  b->limit = limit;
}

void tr_buffer_cleanup(struct tr_buffer *b) {
  tr_free(b->data);
  tr_buffer_init(b, b->limit);
}

void tr_buffer_clear(struct tr_buffer *b) {
  b->length = 0;
  if (b->data) b->data[0] = '\0';
}

static int reserve(struct tr_buffer *b, size_t more) {
  if (more > b->limit - b->length) return TR_BUFFER_FULL;
  if (more > (size_t)-2 - b->length) return TR_BUFFER_NOMEM; /* no room for the NUL */
  size_t need = b->length + more + 1;
  if (need <= b->capacity) return TR_BUFFER_OK;
  size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
  while (capacity < need) {
    if (capacity > (size_t)-1 / 2) return TR_BUFFER_NOMEM;
    capacity *= 2;
  }
  char *grown = tr_realloc(b->data, capacity);
  if (!grown) return TR_BUFFER_NOMEM;
  if (!b->data) grown[0] = '\0';
  b->data = grown;
  b->capacity = capacity;
  return TR_BUFFER_OK;
}

int tr_buffer_append(struct tr_buffer *b, const char *bytes, size_t length) {
  int status = reserve(b, length);
  if (status != TR_BUFFER_OK) return status;
  if (length) memcpy(b->data + b->length, bytes, length);
  b->length += length;
  b->data[b->length] = '\0';
  return TR_BUFFER_OK;
}

void tr_buffer_drop(struct tr_buffer *b, size_t length) {
  if (length >= b->length) {
    tr_buffer_clear(b);
    return;
  }
  memmove(b->data, b->data + length, b->length - length + 1);
  b->length -= length;
}

char *tr_buffer_take(struct tr_buffer *b, size_t *length) {
  *length = b->length;
  if (b->length == 0) tr_buffer_cleanup(b);
  char *data = b->data;
  tr_buffer_init(b, b->limit);
  return data;
}
