/* slicer: a structure machine over JSON that arrives in pieces; see slicer.h. It knows brackets,
** commas, colons, strings and the one path to the elements of colos; it must not know what a
** value means.
**
** Every byte taken goes to the envelope or to the slice, so the bytes held grow by one a byte
** between two slices, and where the limit strikes does not depend on how the text is cut. In the
** envelope bytes are kept before the state that they lead to is entered: whatever fails,
** safe_length and the stack agree. Within a slice nothing but its end matters, and its bytes are
** kept in one run. */
#include "slicer.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "grammar.h"
#include "skim.h"

/* Within a token; between two, the state is one of grammar's. */
enum { IN_NAME = TR_BETWEEN_STATES, IN_STRING, IN_SCALAR };

/* The frames of the way to a slice; their depth is fixed. */
enum { NOWHERE, TOP, RESULT, TARGET, COLOS };

struct cursor {
  const char *run; /* first byte taken that is not kept yet */
  const char *at;  /* first byte not taken */
  const char *end;
};

void tr_slicer_init(struct tr_slicer *s, size_t limit) {
  /* Every element leaves a byte in the envelope: under this bound no count can wrap. */
  if (limit > UINT_MAX - TR_SLICER_DEPTH_MAX) limit = UINT_MAX - TR_SLICER_DEPTH_MAX;
  memset(s, 0, sizeof *s);
  s->limit = limit;
  tr_buffer_init(&s->envelope, limit + TR_SLICER_DEPTH_MAX); /* mend may add the closing brackets */
  tr_buffer_init(&s->slice, limit);
}

void tr_slicer_cleanup(struct tr_slicer *s) {
  tr_buffer_cleanup(&s->envelope);
  tr_buffer_cleanup(&s->slice);
}

static enum tr_slicer_event refuse(struct tr_slicer *s, enum tr_slicer_fault fault) {
  s->fault = fault;
  return TR_SLICER_ERROR;
}

static enum tr_slicer_event keep(struct tr_slicer *s, struct cursor *c) {
  if (c->run == c->at) return TR_SLICER_MORE;
  struct tr_buffer *to = s->in_slice ? &s->slice : &s->envelope;
  if (tr_buffer_append(to, c->run, (size_t)(c->at - c->run)) != TR_BUFFER_OK)
    return refuse(s, TR_SLICER_NOMEM); /* the limit was looked at before */
  c->run = c->at;
  return TR_SLICER_MORE;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* No other escape than \uxxxx gives a letter, and no pair of surrogates does. */
static int key_is(const struct tr_slicer *s, const char *word) {
  size_t i = 0, length = s->key_length;
  for (; *word; word++) {
    if (i == length) return 0;
    if (s->key[i] != '\\') {
      if (s->key[i++] != *word) return 0;
      continue;
    }
    if (length - i < 6 || s->key[i + 1] != 'u') return 0;
    int code = 0;
    for (size_t k = i + 2; k < i + 6; k++) {
      int digit = hex_value(s->key[k]);
      if (digit < 0) return 0;
      code = code * 16 + digit;
    }
    if (code != *word) return 0;
    i += 6;
  }
  return i == length;
}

/* A name that is too long is marked by a length that no name has. */
static void key_add(struct tr_slicer *s, const char *bytes, size_t length) {
  if (s->key_length > TR_SLICER_KEY_MAX) return;
  if (length > (size_t)TR_SLICER_KEY_MAX - s->key_length) {
    s->key_length = TR_SLICER_KEY_MAX + 1;
    return;
  }
  memcpy(s->key + s->key_length, bytes, length);
  s->key_length = (unsigned char)(s->key_length + length);
}

static unsigned char place_now(const struct tr_slicer *s) {
  return s->depth ? s->stack[s->depth - 1].place : NOWHERE;
}

static int key_matters(const struct tr_slicer *s) {
  unsigned char place = place_now(s);
  return place == TOP || place == TARGET;
}

static void key_end(struct tr_slicer *s) {
  s->named =
      s->key_length <= TR_SLICER_KEY_MAX && key_is(s, place_now(s) == TOP ? "result" : "colos");
}

static unsigned char place_of(const struct tr_slicer *s, char kind) {
  if (s->depth == 0) return kind == '{' ? TOP : NOWHERE;
  switch (place_now(s)) {
  case TOP:
    return kind == '[' && s->named ? RESULT : NOWHERE;
  case RESULT:
    return kind == '{' ? TARGET : NOWHERE;
  case TARGET:
    return kind == '[' && s->named ? COLOS : NOWHERE;
  default:
    return NOWHERE;
  }
}

static enum tr_slicer_event slice_end(struct tr_slicer *s, struct cursor *c) {
  char number[16];
  int digits = snprintf(number, sizeof number, "%u", s->slices);
  if (keep(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
  if ((size_t)digits > s->limit - s->envelope.length - s->slice.length)
    return refuse(s, TR_SLICER_FULL);
  if (tr_buffer_append(&s->envelope, number, (size_t)digits) != TR_BUFFER_OK)
    return refuse(s, TR_SLICER_NOMEM);
  s->safe_length = s->envelope.length;
  s->in_slice = 0;
  s->complete = 1;
  s->index = s->slices++;
  s->target = s->stack[RESULT - 1].count - 1;
  s->colo = s->stack[COLOS - 1].count - 1;
  return TR_SLICER_SLICE;
}

static enum tr_slicer_event value_end(struct tr_slicer *s, struct cursor *c) {
  s->state = s->depth ? TR_AT_NEXT : TR_AT_END;
  if (s->in_slice) return s->depth == COLOS ? slice_end(s, c) : TR_SLICER_MORE;
  if (keep(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
  s->safe_length = s->envelope.length;
  return TR_SLICER_MORE;
}

static enum tr_slicer_event value_begin(struct tr_slicer *s, struct cursor *c) {
  unsigned *values = s->in_slice ? &s->slice_values : &s->envelope_values;
  if (*values == TR_SLICER_VALUES_MAX) return refuse(s, TR_SLICER_FULL);
  ++*values;
  if (s->in_slice || s->depth == 0) return TR_SLICER_MORE;
  struct tr_slicer_frame *frame = &s->stack[s->depth - 1];
  if (frame->kind == '[') frame->count++;
  if (frame->place != COLOS) return TR_SLICER_MORE;
  if (keep(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
  s->in_slice = 1;
  s->slice_values = 0;
  return TR_SLICER_MORE;
}

static enum tr_slicer_event bracket_open(struct tr_slicer *s, struct cursor *c) {
  char kind = *c->at;
  if (s->depth == TR_SLICER_DEPTH_MAX) return refuse(s, TR_SLICER_DEPTH);
  if (value_begin(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
  c->at++;
  struct tr_slicer_frame frame = {(unsigned char)kind, NOWHERE, 0};
  if (!s->in_slice) {
    if (keep(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
    s->safe_length = s->envelope.length;
    frame.place = place_of(s, kind);
  }
  s->stack[s->depth++] = frame;
  s->state = kind == '{' ? TR_AT_FIRST_NAME : TR_AT_FIRST_VALUE;
  return TR_SLICER_MORE;
}

static enum tr_slicer_event bracket_close(struct tr_slicer *s, struct cursor *c) {
  unsigned char kind = *c->at == '}' ? '{' : '[';
  if (s->stack[s->depth - 1].kind != kind) return refuse(s, TR_SLICER_SYNTAX);
  c->at++;
  if (!s->in_slice && keep(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
  s->depth--;
  return value_end(s, c);
}

static enum tr_slicer_event quote_open(struct tr_slicer *s, struct cursor *c) {
  if (s->state == TR_AT_NAME || s->state == TR_AT_FIRST_NAME) {
    s->state = IN_NAME;
    s->key_length = 0;
  } else {
    if (value_begin(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
    s->state = IN_STRING;
  }
  c->at++;
  return TR_SLICER_MORE;
}

/* Moves to the quote that ends the string, or to the end of the piece. */
static void string_scan(struct tr_slicer *s, struct cursor *c) {
  const char *at = c->at, *end = c->end;
  if (s->escape) {
    s->escape = 0;
    at++;
  }
  for (;;) {
    while (at < end && *at != '"' && *at != '\\')
      at++;
    if (at == end || *at == '"') break;
    if (end - at == 1) {
      s->escape = 1;
      at = end;
      break;
    }
    at += 2;
  }
  c->at = at;
}

static enum tr_slicer_event string_read(struct tr_slicer *s, struct cursor *c) {
  const char *from = c->at;
  int key = s->state == IN_NAME && key_matters(s);
  string_scan(s, c);
  if (key) key_add(s, from, (size_t)(c->at - from));
  if (c->at == c->end) return TR_SLICER_MORE;
  c->at++;
  if (s->state == IN_STRING) return value_end(s, c);
  if (key) key_end(s);
  s->state = TR_AT_COLON;
  return TR_SLICER_MORE;
}

static enum tr_slicer_event scalar_read(struct tr_slicer *s, struct cursor *c) {
  while (c->at < c->end && tr_grammar_class_of(*c->at) == TR_PLAIN)
    c->at++;
  return c->at < c->end ? value_end(s, c) : TR_SLICER_MORE;
}

/* One byte between tokens, or the first of a token. */
static enum tr_slicer_event token_read(struct tr_slicer *s, struct cursor *c) {
  unsigned class = tr_grammar_class_of(*c->at);
  if (class == TR_SPACE) {
    c->at++;
    return TR_SLICER_MORE;
  }
  if (!(tr_grammar_may[s->state] & TR_BIT(class)))
    return refuse(s, s->state == TR_AT_END && class != TR_ALIEN ? TR_SLICER_TRAILING
                                                                : TR_SLICER_SYNTAX);
  switch (class) {
  case TR_QUOTE:
    return quote_open(s, c);
  case TR_OPEN_OBJECT:
  case TR_OPEN_ARRAY:
    return bracket_open(s, c);
  case TR_CLOSE_OBJECT:
  case TR_CLOSE_ARRAY:
    return bracket_close(s, c);
  case TR_COMMA:
    s->state = s->stack[s->depth - 1].kind == '{' ? TR_AT_NAME : TR_AT_VALUE;
    break;
  case TR_COLON:
    s->state = TR_AT_VALUE;
    break;
  default:
    if (value_begin(s, c) == TR_SLICER_ERROR) return TR_SLICER_ERROR;
    s->state = IN_SCALAR;
  }
  c->at++;
  return TR_SLICER_MORE;
}

static enum tr_slicer_event read_piece(struct tr_slicer *s, struct cursor *c) {
  enum tr_slicer_event event = TR_SLICER_MORE;
  while (c->at < c->end && event == TR_SLICER_MORE) {
    if (s->in_slice && s->depth > COLOS && s->state < TR_BETWEEN_STATES)
      c->at = tr_skim(s, COLOS + 1, c->at, c->end);
    if (c->at == c->end) break;
    if (s->state < TR_BETWEEN_STATES)
      event = token_read(s, c);
    else if (s->state == IN_SCALAR)
      event = scalar_read(s, c);
    else
      event = string_read(s, c);
  }
  return event;
}

enum tr_slicer_event tr_slicer_feed(struct tr_slicer *s, const char *bytes, size_t length,
                                    size_t *used) {
  *used = 0;
  if (s->fault != TR_SLICER_FINE) return TR_SLICER_ERROR;
  if (s->complete) {
    tr_buffer_clear(&s->slice);
    s->complete = 0;
  }
  if (length == 0) return TR_SLICER_MORE;
  size_t room = s->limit - s->envelope.length - s->slice.length;
  struct cursor c = {bytes, bytes, bytes + (length < room ? length : room)};
  enum tr_slicer_event event = read_piece(s, &c);
  if (event == TR_SLICER_MORE && length > room) event = refuse(s, TR_SLICER_FULL);
  if (event != TR_SLICER_SLICE && keep(s, &c) == TR_SLICER_ERROR) event = TR_SLICER_ERROR;
  *used = (size_t)(c.at - bytes);
  s->offset += *used;
  return event;
}

char *tr_slicer_take(struct tr_slicer *s, size_t *length) {
  *length = 0;
  if (!s->complete) return NULL;
  s->complete = 0;
  return tr_buffer_take(&s->slice, length);
}

enum tr_slicer_fault tr_slicer_finish(struct tr_slicer *s) {
  if (s->fault != TR_SLICER_FINE) return s->fault;
  if (s->depth == 0 && s->state == IN_SCALAR) {
    s->state = TR_AT_END; /* only the end of the text ends it */
    s->safe_length = s->envelope.length;
  }
  if (s->state != TR_AT_END) s->fault = TR_SLICER_SHORT;
  return s->fault;
}

int tr_slicer_mend(struct tr_slicer *s) {
  char closing[TR_SLICER_DEPTH_MAX];
  size_t length = 0;
  for (unsigned depth = s->in_slice ? COLOS : s->depth; depth > 0; depth--)
    closing[length++] = s->stack[depth - 1].kind == '{' ? '}' : ']';
  if (s->fault == TR_SLICER_FINE && s->state != TR_AT_END) s->fault = TR_SLICER_SHORT;
  if (!s->complete) tr_buffer_clear(&s->slice);
  if (s->safe_length == 0) {
    tr_buffer_clear(&s->envelope);
    return TR_BUFFER_OK;
  }
  s->envelope.length = s->safe_length;
  s->envelope.data[s->safe_length] = '\0';
  int status = tr_buffer_append(&s->envelope, closing, length);
  if (status != TR_BUFFER_OK) return status;
  s->safe_length = s->envelope.length;
  s->depth = 0;
  s->in_slice = 0;
  s->state = TR_AT_END;
  return TR_BUFFER_OK;
}
