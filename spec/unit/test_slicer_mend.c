/* Unit tests of the slicer where a text ends early, is refused, or memory runs out: what is left is
** mended, and is JSON whatever it broke off in. */
#include "slicing.h"

/* A small checker of JSON: where the value at `at` ends; NULL if it is none. */
static const char *json_end(const char *at) {
  if (*at == '"') {
    for (at++; *at && *at != '"'; at++)
      if (*at == '\\' && *++at == '\0') return NULL;
    return *at ? at + 1 : NULL;
  }
  if (*at == '{' || *at == '[') {
    char kind = *at, close = kind == '{' ? '}' : ']';
    at += 1 + strspn(at + 1, " \n");
    if (*at == close) return at + 1;
    for (;;) {
      if (kind == '{') {
        if (*at != '"' || !(at = json_end(at))) return NULL;
        at += strspn(at, " \n");
        if (*at++ != ':') return NULL;
        at += strspn(at, " \n");
      }
      if (!(at = json_end(at))) return NULL;
      at += strspn(at, " \n");
      if (*at == close) return at + 1;
      if (*at++ != ',') return NULL;
      at += strspn(at, " \n");
    }
  }
  static const char *const words[] = {"true", "false", "null"};
  for (int i = 0; i < 3; i++)
    if (strncmp(at, words[i], strlen(words[i])) == 0) return at + strlen(words[i]);
  if (*at == '-') at++;
  size_t digits = strspn(at, "0123456789");
  if (digits == 0 || (digits > 1 && *at == '0')) return NULL;
  at += digits;
  if (*at != '.') return at;
  digits = strspn(at + 1, "0123456789");
  return digits ? at + 1 + digits : NULL;
}

static int is_json(const char *text) {
  text += strspn(text, " \n");
  const char *end = json_end(text);
  return end && end[strspn(end, " \n")] == '\0';
}

static const char sample[] =
    " {\"success\":true, "
    "\"errors\":[{\"code\":-10.25,\"x\\\"y\":\"a\\\\\"}],\n\"result\":[{\"colos\":"
    "[{\"a\":1,\"b\":[2,{}]},\"s\\\"\", 7 "
    ",null],\"target\":\"t\"},{\"colos\":[],\"more\":[[],[false"
    "]]},{\"target\":\"u\",\"colos\":[{\"b\":[]}]}],\"n\":120} \n";

/* Feeds the first bytes, mends, and answers with the envelope, for the caller to free. */
static char *mended(const char *text, size_t length, size_t step) {
  static struct outcome o;
  struct tr_slicer s;
  size_t ignored;
  tr_slicer_init(&s, NO_LIMIT);
  feed_cut(&s, text, length, 0, step, &o);
  assert_int_equal(tr_slicer_mend(&s), 0);
  char *once = strdup(s.envelope.length ? s.envelope.data : "");
  assert_int_equal(tr_slicer_mend(&s), 0); /* a second time changes nothing */
  assert_string_equal(s.envelope.length ? s.envelope.data : "", once);
  assert_int_equal(strlen(once), s.envelope.length);
  assert_int_equal(s.slice.length, 0);
  assert_null(tr_slicer_take(&s, &ignored));
  if (s.fault != TR_SLICER_FINE)
    assert_int_equal(tr_slicer_feed(&s, " ", 1, &ignored), TR_SLICER_ERROR);
  tr_slicer_cleanup(&s);
  return once;
}

static void test_mend_everywhere(void **state) {
  (void)state;
  size_t longest = 0;
  assert_true(is_json(sample));
  for (size_t length = 0; length < sizeof sample; length++) {
    char *whole = mended(sample, length, 0);
    char *bytes = mended(sample, length, 1);
    assert_string_equal(whole, bytes);
    if (length < 2) {
      assert_string_equal(whole, "");
    } else if (!is_json(whole)) {
      fail_msg("%zu bytes: %s", length, whole);
    }
    /* what is known grows: without its closing brackets the text never gets shorter */
    size_t kept = strlen(whole);
    while (kept > 0 && strchr("]}", whole[kept - 1]))
      kept--;
    assert_true(kept >= longest);
    longest = kept;
    free(whole);
    free(bytes);
  }
}

static const struct {
  const char *text, *envelope;
} mends[] = {
    {"", ""},
    {"  ", ""},
    {"12", ""},
    {"12 ", "12"},
    {"\"ab", ""},
    {"{", "{}"},
    {"{\"a", "{}"},
    {"{\"a\"", "{}"},
    {"{\"a\":", "{}"},
    {"{\"a\":12", "{}"},
    {"{\"a\":12 ", "{\"a\":12}"},
    {"{\"a\":12,", "{\"a\":12}"},
    {"{\"a\":12,\"b\"", "{\"a\":12}"},
    {"{\"a\":\"x\"", "{\"a\":\"x\"}"},
    {"{\"a\":\"x\\", "{}"},
    {"{\"a\":[", "{\"a\":[]}"},
    {"{\"a\":[[1],[tru", "{\"a\":[[1],[]]}"},
    {"{\"success\":true,\"result\":[{\"colos\":[{\"a\":1},{\"b\":",
     "{\"success\":true,\"result\":[{\"colos\":[0]}]}"},
    {"{\"result\":[{\"colos\":[", "{\"result\":[{\"colos\":[]}]}"},
    {"{\"result\":[{\"colos\":[{\"a\":[[[[", "{\"result\":[{\"colos\":[]}]}"},
    {"{\"result\":[{\"colos\":[1,\"a", "{\"result\":[{\"colos\":[0]}]}"},
    {"{\"result\":[{\"colos\":[1,23", "{\"result\":[{\"colos\":[0]}]}"},
    /* after an error */
    {"{\"a\":1,]", "{\"a\":1}"},
    {"{\"a\":[1}", "{\"a\":[1]}"},
    {"{\"result\":[{\"colos\":[1,{\"a\":}", "{\"result\":[{\"colos\":[0]}]}"},
    {"{\"a\":1}x", "{\"a\":1}"},
    {"x", ""},
    {"]", ""},
    {"[x]]", "[x]"},
};

static void test_mend_exactly(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mends / sizeof *mends; i++) {
    for (size_t step = 0; step < 4; step++) {
      char *envelope = mended(mends[i].text, strlen(mends[i].text), step);
      if (strcmp(envelope, mends[i].envelope) != 0) fail_msg("%s: %s", mends[i].text, envelope);
      free(envelope);
    }
  }
}

/* A slice that is complete but not yet taken outlives the mending, and the limit does not hinder
** it. */
static void test_mend_keeps(void **state) {
  (void)state;
  static const char text[] = "{\"result\":[{\"colos\":[{}";
  struct tr_slicer s;
  size_t used, length;
  tr_slicer_init(&s, sizeof text); /* what is held: text and number */
  assert_int_equal(tr_slicer_feed(&s, text, sizeof text - 1, &used), TR_SLICER_SLICE);
  assert_int_equal(tr_slicer_finish(&s), TR_SLICER_SHORT);
  assert_int_equal(tr_slicer_mend(&s), 0);
  assert_string_equal(s.envelope.data, "{\"result\":[{\"colos\":[0]}]}");
  char *slice = tr_slicer_take(&s, &length);
  assert_string_equal(slice, "{}");
  tr_free(slice);
  tr_slicer_cleanup(&s);
  char deep[TR_SLICER_DEPTH_MAX + 1], closed[2 * TR_SLICER_DEPTH_MAX + 1] = "";
  memset(deep, '[', sizeof deep);
  memset(closed, '[', TR_SLICER_DEPTH_MAX);
  memset(closed + TR_SLICER_DEPTH_MAX, ']', TR_SLICER_DEPTH_MAX);
  tr_slicer_init(&s, TR_SLICER_DEPTH_MAX);
  assert_int_equal(tr_slicer_feed(&s, deep, sizeof deep, &used), TR_SLICER_ERROR);
  assert_int_equal(s.fault, TR_SLICER_FULL);
  assert_int_equal(used, TR_SLICER_DEPTH_MAX);
  assert_int_equal(tr_slicer_mend(&s), 0);
  assert_string_equal(s.envelope.data, closed);
  tr_slicer_cleanup(&s);
}

/* Feeds the text while requests for memory fail. Answers whether one did. */
static int starved(const char *text, size_t length, size_t step, long from, long to) {
  static struct outcome o;
  struct tr_slicer s;
  blocks_begin(from, to);
  tr_slicer_init(&s, NO_LIMIT);
  feed_cut(&s, text, length, 0, step, &o);
  enum tr_slicer_fault fault = tr_slicer_finish(&s);
  assert_true(fault == TR_SLICER_NOMEM || fault == TR_SLICER_FINE);
  assert_true((fault == TR_SLICER_NOMEM) == (blocks_asked >= from));
  int status = tr_slicer_mend(&s);
  if (status == 0 && s.envelope.length > 0) assert_true(is_json(s.envelope.data));
  if (status == 0 && s.envelope.length == 0) assert_int_equal(fault, TR_SLICER_NOMEM);
  tr_slicer_cleanup(&s);
  return blocks_end();
}

static void test_out_of_memory(void **state) {
  (void)state;
  static const size_t steps[] = {0, 1, 7, 100};
  static char text[4096];
  size_t used = 0;
  char x[701] = "", y[701] = "";
  memset(x, 'x', 700);
  memset(y, 'y', 700);
  used += (size_t)snprintf(text, sizeof text, "{\"result\":[{\"colos\":[");
  for (int i = 0; i < 40; i++)
    used += (size_t)snprintf(text + used, sizeof text - used,
                             "{\"some name\":[\"some text that is not short\",12]},");
  (void)snprintf(text + used, sizeof text - used, "\"%s\"],\"more\":\"%s\"}]}", x, y);
  assert_true(is_json(text));
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    long n = 1;
    while (starved(text, strlen(text), steps[i], n, n))
      assert_true(n++ < 1000);
    assert_true(n > 40);
    for (n = 1; starved(text, strlen(text), steps[i], n, 100000); n++)
      assert_true(n < 1000);
  }
}

/* Memory runs out at each sort of byte: the first block is full after 255. */
static void test_out_of_memory_anywhere(void **state) {
  (void)state;
  char text[600], tail[] = "\",{\"a\":[true,{}],\"b\":\"c\"},[[]]]";
  for (size_t pad = 200; pad < 256; pad++) {
    memset(text, 'x', pad);
    memcpy(text, "[\"", 2);
    memcpy(text + pad, tail, sizeof tail);
    assert_true(is_json(text));
    for (size_t step = 0; step < 3; step++)
      assert_int_equal(starved(text, strlen(text), step, 2, 2), strlen(text) > 255);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mend_everywhere),
      cmocka_unit_test(test_mend_exactly),
      cmocka_unit_test(test_mend_keeps),
      cmocka_unit_test(test_out_of_memory),
      cmocka_unit_test(test_out_of_memory_anywhere),
  };
  return cmocka_run_group_tests_name("slicer_mend", tests, NULL, NULL);
}
