/* skim: the quick way over the inside of a slice; see skim.h. */
#include "skim.h"

#include "grammar.h"
#include "scan.h"

/* Behind a string without escapes or control characters, or a scalar, that ends before the piece
** does; `at` if it is another. */
static const char *behind(const char *at, const char *end, unsigned class) {
  if (class == TR_QUOTE) {
    const char *quote = tr_scan_string(at + 1, end);
    return quote < end && *quote == '"' ? quote + 1 : at;
  }
  const char *behind = tr_scan_scalar(at + 1, end);
  return behind < end ? behind : at;
}

/* Goes over members whose names and values follow each other without a space, from a name on, up to
** what opens or closes, is cut, or a value too many; *state is the one there. */
static const char *behind_members(const char *at, const char *end, unsigned *values,
                                  unsigned char *state) {
  while (at < end && *at == '"') {
    const char *value = behind(at, end, TR_QUOTE);
    if (value == at || value == end || *value != ':') break;
    at = ++value;
    *state = TR_AT_VALUE;
    unsigned class = value < end ? tr_grammar_class_of(*value) : TR_SPACE;
    if ((class != TR_QUOTE && class != TR_PLAIN) || *values == TR_SLICER_VALUES_MAX) break;
    const char *next = behind(value, end, class);
    if (next == value) break;
    ++*values;
    at = next;
    *state = TR_AT_NEXT;
    if (next == end || *next != ',') break;
    at++;
    *state = TR_AT_NAME;
  }
  return at;
}

static unsigned char state_behind(unsigned class, unsigned char state, unsigned char kind) {
  switch (class) {
  case TR_COMMA:
    return kind == '{' ? TR_AT_NAME : TR_AT_VALUE;
  case TR_COLON:
    return TR_AT_VALUE;
  case TR_OPEN_OBJECT:
    return TR_AT_FIRST_NAME;
  case TR_OPEN_ARRAY:
    return TR_AT_FIRST_VALUE;
  case TR_QUOTE:
    return state == TR_AT_NAME || state == TR_AT_FIRST_NAME ? TR_AT_COLON : TR_AT_NEXT;
  default:
    return TR_AT_NEXT;
  }
}

const char *tr_skim(struct tr_slicer *s, unsigned floor, const char *at, const char *end) {
  unsigned char state = s->state, kind = s->stack[s->depth - 1].kind;
  unsigned values = s->slice_values;
  while (at < end) {
    if (state == TR_AT_NAME || state == TR_AT_FIRST_NAME) {
      at = behind_members(at, end, &values, &state);
      if (at == end) break;
    }
    unsigned class = tr_grammar_class_of(*at);
    const char *next = at + 1;
    if (class == TR_SPACE) {
      at = next;
      continue;
    }
    if (!(tr_grammar_may[state] & TR_BIT(class))) break;
    int is_value =
        (TR_BIT(class) & TR_VALUE_BITS) && state != TR_AT_NAME && state != TR_AT_FIRST_NAME;
    if (is_value && values == TR_SLICER_VALUES_MAX) break;
    if (class == TR_QUOTE || class == TR_PLAIN) {
      next = behind(at, end, class);
      if (next == at) break;
    } else if (class == TR_OPEN_OBJECT || class == TR_OPEN_ARRAY) {
      if (s->depth == TR_SLICER_DEPTH_MAX) break;
      kind = (unsigned char)*at;
      s->stack[s->depth++] = (struct tr_slicer_frame){kind, 0, 0}; /* on the way to no slice */
    } else if (class == TR_CLOSE_OBJECT || class == TR_CLOSE_ARRAY) {
      if (s->depth == floor || kind != (class == TR_CLOSE_OBJECT ? '{' : '[')) break;
      kind = s->stack[--s->depth - 1].kind;
    }
    values += (unsigned)is_value;
    state = state_behind(class, state, kind);
    at = next;
  }
  s->slice_values = values;
  s->state = state;
  return at;
}
