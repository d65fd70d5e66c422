/* Fuzzes the slicer. An input is five digits and a text: the sizes of pieces, taken in turn (0: the
** whole rest), and a limit (0: none). However the text is cut, what comes out is the same; and the
** decoded envelope with the decoded slices in their places is what lua-cjson makes of the whole
** text, or both refuse. What broke off is mended into something that decodes.
**
** One difference is accepted: lua-cjson takes a NUL for the end of the text, and does not look at
** what follows; the slicer refuses it, as JSON has it. */
#include "slicer.h"

#include "alloc.h"
#include "values.h"

#define CUTS 4
#define NO_LIMIT ((size_t)1 << 24)

static lua_State *L;

struct slice {
  char *text;
  size_t length;
  unsigned index, target, colo;
};

/* All that comes out of a text. */
struct outcome {
  struct tr_slicer slicer;
  enum tr_slicer_fault fault;
  char *envelope; /* before mending */
  size_t envelope_length;
  struct slice *slices;
  size_t count;
};

static void take_slice(struct outcome *o) {
  struct tr_slicer *s = &o->slicer;
  struct slice slice = {NULL, 0, s->index, s->target, s->colo};
  slice.text = tr_slicer_take(s, &slice.length);
  FUZZ_CHECK(slice.text && slice.text[slice.length] == '\0');
  FUZZ_CHECK(slice.index == o->count);
  if ((o->count & (o->count + 1)) == 0) { /* full: grow to the next power of two */
    struct slice *larger = realloc(o->slices, (2 * o->count + 2) * sizeof *larger);
    FUZZ_CHECK(larger);
    o->slices = larger;
  }
  o->slices[o->count++] = slice;
}

static int feed(struct outcome *o, const char *bytes, size_t length) {
  struct tr_slicer *s = &o->slicer;
  for (;;) {
    size_t used = length + 1, before = s->offset;
    enum tr_slicer_event event = tr_slicer_feed(s, bytes, length, &used);
    FUZZ_CHECK(used <= length && s->offset == before + used);
    FUZZ_CHECK(s->envelope.length + s->slice.length <= s->limit);
    if (event == TR_SLICER_ERROR) return -1;
    bytes += used;
    length -= used;
    if (event == TR_SLICER_MORE) {
      FUZZ_CHECK(length == 0);
      return 0;
    }
    take_slice(o);
  }
}

/* As exchange does it: only a text that is complete is finished. */
static void slice_text(struct outcome *o, struct fuzz_input text, size_t limit,
                       const unsigned *cuts, int is_complete) {
  memset(o, 0, sizeof *o);
  tr_slicer_init(&o->slicer, limit);
  for (unsigned piece = 0; text.left; piece++) {
    size_t size = cuts ? cuts[piece % CUTS] : 0;
    if (size == 0 || size > text.left) size = text.left;
    char *copy = fuzz_copy(text.at, size);
    int status = feed(o, copy, size);
    free(copy);
    if (status != 0) break;
    text.at += size;
    text.left -= size;
  }
  o->fault = is_complete ? tr_slicer_finish(&o->slicer) : o->slicer.fault;
  FUZZ_CHECK(o->fault == o->slicer.fault);
  o->envelope_length = o->slicer.envelope.length;
  o->envelope = fuzz_copy(o->slicer.envelope.data, o->envelope_length);
  FUZZ_CHECK(tr_slicer_mend(&o->slicer) == TR_BUFFER_OK);
}

static void cleanup(struct outcome *o) {
  for (size_t i = 0; i < o->count; i++)
    tr_free(o->slices[i].text);
  free(o->slices);
  free(o->envelope);
  tr_slicer_cleanup(&o->slicer);
}

static int is_equal(const char *a, size_t a_length, const char *b, size_t b_length) {
  return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static void compare(const struct outcome *a, const struct outcome *b) {
  const struct tr_buffer *one = &a->slicer.envelope, *other = &b->slicer.envelope;
  FUZZ_CHECK(a->fault == b->fault);
  FUZZ_CHECK(a->slicer.offset == b->slicer.offset);
  FUZZ_CHECK(is_equal(a->envelope, a->envelope_length, b->envelope, b->envelope_length));
  FUZZ_CHECK(is_equal(one->data, one->length, other->data, other->length));
  FUZZ_CHECK(a->count == b->count);
  for (size_t i = 0; i < a->count; i++) {
    const struct slice *x = &a->slices[i], *y = &b->slices[i];
    FUZZ_CHECK(is_equal(x->text, x->length, y->text, y->length));
    FUZZ_CHECK(x->target == y->target && x->colo == y->colo);
  }
}

/* Puts the decoded slices, at index `slices`, in the place of their numbers. */
static void fill_in(int envelope, int slices) {
  if (!lua_istable(L, envelope)) return;
  lua_getfield(L, envelope, "result");
  int results = lua_istable(L, -1) ? (int)tr_raw_length(L, -1) : 0;
  for (int i = 1; i <= results; i++) {
    lua_rawgeti(L, -1, i);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "colos");
      int colos = lua_istable(L, -1) ? (int)tr_raw_length(L, -1) : 0;
      for (int k = 1; k <= colos; k++) {
        lua_rawgeti(L, -1, k);
        FUZZ_CHECK(lua_type(L, -1) == LUA_TNUMBER);
        lua_rawgeti(L, slices, (int)lua_tonumber(L, -1) + 1);
        FUZZ_CHECK(!lua_isnil(L, -1));
        lua_rawseti(L, -3, k);
        lua_pop(L, 1);
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Decodes a mended or whole envelope and what goes into it; pushes it and returns 1, or 0 if a part
** does not decode. */
static int put_together(const struct outcome *o) {
  const struct tr_buffer *envelope = &o->slicer.envelope;
  int top = lua_gettop(L);
  lua_newtable(L);
  for (size_t i = 0; i < o->count; i++) {
    if (!values_decode(L, o->slices[i].text, o->slices[i].length)) return 0;
    lua_rawseti(L, top + 1, (int)i + 1);
  }
  if (!values_decode(L, envelope->data, envelope->length)) return 0;
  fill_in(top + 2, top + 1);
  return 1;
}

struct question {
  struct fuzz_input text;
  const unsigned *cuts;
  const struct outcome *whole;
};

/* A text that decodes still does when it broke off somewhere. */
static void break_off(const struct question *q) {
  struct outcome part;
  struct fuzz_input text = q->text;
  text.left = (q->cuts[0] + 256 * q->cuts[1]) % (text.left + 1);
  slice_text(&part, text, NO_LIMIT, q->cuts, 0);
  if (part.slicer.envelope.length) FUZZ_CHECK(put_together(&part));
  cleanup(&part);
}

static int l_decode(lua_State *state) {
  const struct question *q = lua_touserdata(state, 1);
  int has_nul = memchr(q->text.at, '\0', q->text.left) != NULL;
  int is_json = values_decode(L, q->text.at, q->text.left) && !has_nul;
  int expected = lua_gettop(L);
  int is_sliced = q->whole->fault == TR_SLICER_FINE && put_together(q->whole);
  FUZZ_CHECK(is_sliced == is_json);
  if (!is_json) return 0;
  FUZZ_CHECK(values_same(L, expected, lua_gettop(L)));
  break_off(q);
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  L = values_open();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const unsigned single[CUTS] = {1, 1, 1, 1};
  struct fuzz_input in = fuzz_input(data, size);
  unsigned cuts[CUTS];
  for (int i = 0; i < CUTS; i++)
    cuts[i] = fuzz_digit(&in);
  unsigned bound = fuzz_digit(&in);
  size_t limit = bound ? bound : NO_LIMIT;
  if (in.left == 0) return 0;
  struct outcome whole, cut, bytes;
  slice_text(&whole, in, limit, NULL, 1);
  slice_text(&cut, in, limit, cuts, 1);
  slice_text(&bytes, in, limit, single, 1);
  compare(&cut, &whole);
  compare(&bytes, &whole);
  struct question question = {in, cuts, &whole};
  if (!bound) values_run(L, l_decode, &question);
  cleanup(&whole);
  cleanup(&cut);
  cleanup(&bytes);
  return 0;
}
