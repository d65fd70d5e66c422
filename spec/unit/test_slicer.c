/* Unit tests of the slicer: every text is fed whole, byte by byte and cut in two everywhere, and
** the outcome must be the same: fault, offset, envelope, and each slice with its number and
** place. */
#include "slicing.h"

static void run_cut(const char *text, size_t length, size_t limit, size_t cut, size_t step,
                    struct outcome *o) {
  struct tr_slicer s;
  tr_slicer_init(&s, limit);
  feed_cut(&s, text, length, cut, step, o);
  enum tr_slicer_fault fault = tr_slicer_finish(&s);
  assert_int_equal(fault, s.fault);
  assert_true(s.envelope.length <= limit);
  char head[64];
  int n = snprintf(head, sizeof head, " fault %d at %zu: ", (int)fault, s.offset);
  note(o, head, (size_t)n);
  if (s.envelope.length) note(o, s.envelope.data, s.envelope.length);
  tr_slicer_cleanup(&s);
}

/* The outcome, which is the same for every way of cutting. */
static void run(const char *text, size_t length, size_t limit, struct outcome *o) {
  static struct outcome other;
  run_cut(text, length, limit, 0, 0, o);
  run_cut(text, length, limit, 0, 1, &other);
  assert_string_equal(other.text, o->text);
  for (size_t cut = 1; cut < length; cut++) {
    run_cut(text, length, limit, cut, 0, &other);
    assert_string_equal(other.text, o->text);
  }
}

#define IN_COLOS(elements) "{\"result\":[{\"colos\":[" elements "]}]}"

/* What is expected of each text: its slices; then its envelope. */
static const struct {
  const char *text, *slices, *envelope;
} taken[] = {
    {"{}", "", "{}"},
    {" [ ] \r\n\t", "", " [ ] \r\n\t"},
    {"12", "", "12"},
    {" true ", "", " true "},
    {"\"a\\\"b\\\\\"", "", "\"a\\\"b\\\\\""},
    {"\"{[,:\"", "", "\"{[,:\""},
    {"[1,[],{},\"\",{\"a\":null,\"b\":[0]}]", "", "[1,[],{},\"\",{\"a\":null,\"b\":[0]}]"},
    {IN_COLOS(""), "", IN_COLOS("")},
    {IN_COLOS(" \n"), "", IN_COLOS(" \n")},
    {IN_COLOS("{\"a\":1}"), " 0@0.0={\"a\":1}", IN_COLOS("0")},
    {IN_COLOS(" {\"a\" : [ 1 ] } , 7 "), " 0@0.0={\"a\" : [ 1 ] } 1@0.1=7", IN_COLOS(" 0 , 1 ")},
    {IN_COLOS("[],\"x,]}\\\"\",-1.5e3,null,[[{}]]"),
     " 0@0.0=[] 1@0.1=\"x,]}\\\"\" 2@0.2=-1.5e3 3@0.3=null 4@0.4=[[{}]]", IN_COLOS("0,1,2,3,4")},
    {IN_COLOS("{\"a\\\"b\":\"c\\\\\",\"d\\\\\":[\"\\\"\",\"]}\"],\"e\":\"\"} "),
     " 0@0.0={\"a\\\"b\":\"c\\\\\",\"d\\\\\":[\"\\\"\",\"]}\"],\"e\":\"\"}", IN_COLOS("0 ")},
    {IN_COLOS("1,1,1,1,1,1,1,1,1,1,1"),
     " 0@0.0=1 1@0.1=1 2@0.2=1 3@0.3=1 4@0.4=1 5@0.5=1 6@0.6=1 7@0.7=1 8@0.8=1 9@0.9=1 10@0.10=1",
     IN_COLOS("0,1,2,3,4,5,6,7,8,9,10")},
    /* within a slice the names mean nothing */
    {IN_COLOS("{\"result\":[{\"colos\":[9]}]}"), " 0@0.0={\"result\":[{\"colos\":[9]}]}",
     IN_COLOS("0")},
    {IN_COLOS("[{\"colos\":[9]}],8"), " 0@0.0=[{\"colos\":[9]}] 1@0.1=8", IN_COLOS("0,1")},
    /* target and colo count elements of any sort, each in its own array */
    {"{\"result\":[{\"colos\":[1,2]},null,[3],{\"x\":{}},{\"colos\":[4],\"t\":[5,6]}]}",
     " 0@0.0=1 1@0.1=2 2@4.0=4",
     "{\"result\":[{\"colos\":[0,1]},null,[3],{\"x\":{}},{\"colos\":[2],\"t\":[5,6]}]}"},
    /* duplicate members slice again */
    {"{\"result\":[{\"colos\":[1],\"colos\":[2]}],\"result\":[{\"colos\":[3]}]}",
     " 0@0.0=1 1@0.0=2 2@0.0=3",
     "{\"result\":[{\"colos\":[0],\"colos\":[1]}],\"result\":[{\"colos\":[2]}]}"},
    /* names count after unescaping */
    {"{\"\\u0072esult\":[{\"c\\u006fl\\u006Fs\":[5]}]}", " 0@0.0=5",
     "{\"\\u0072esult\":[{\"c\\u006fl\\u006Fs\":[0]}]}"},
    {"{\"\\u0072\\u0065\\u0073\\u0075\\u006c\\u0074\":[{\"colos\":[5]}]}", " 0@0.0=5",
     "{\"\\u0072\\u0065\\u0073\\u0075\\u006c\\u0074\":[{\"colos\":[0]}]}"},
    {"{\"a\\\"\":0,\"\\\\\":0,\"result\":[{\"\\\"\":1,\"colos\":[5]}]}", " 0@0.0=5",
     "{\"a\\\"\":0,\"\\\\\":0,\"result\":[{\"\\\"\":1,\"colos\":[0]}]}"},
};

/* Texts whose names or shapes come close to the way, and are not: no slice, envelope is the text.
 */
static const char *const untouched[] = {
    "[{\"result\":[{\"colos\":[1]}]}]",
    "{\"x\":{\"result\":[{\"colos\":[1]}]}}",
    "{\"result\":{\"colos\":[1]}}",
    "{\"result\":[[{\"colos\":[1]}]]}",
    "{\"result\":[[[1]]]}",
    "{\"result\":[{\"colos\":[],\"x\":[1]}],\"x\":[{\"colos\":[1]}]}",
    "{\"result\":[{\"x\":{\"colos\":[1]}}]}",
    "{\"result\":[{\"colos\":{\"a\":[1]}}]}",
    "{\"result\":[{\"colos\":1,\"x\":[2]}]}",
    "{\"result\":1,\"x\":[{\"colos\":[1]}]}",
    "{\"colos\":[{\"result\":[1]}]}",
    "{\"Result\":[{\"colos\":[1]}]}",
    "{\"resul\":[{\"colos\":[1]}]}",
    "{\"results\":[{\"colos\":[1]}]}",
    "{\"\":[{\"colos\":[1]}]}",
    "{\"result\":[{\"colo\":[1],\"coloss\":[2],\"colos \":[3],\"result\":[4]}]}",
    "{\"\\u0172esult\":[{\"colos\":[1]}]}",
    "{\"\\u00g2esult\":[{\"colos\":[1]}]}",
    "{\"\\result\":[{\"colos\":[1]}]}",
    "{\"result\\u0000\":[{\"colos\":[1]}]}",
    "{\"result\\u\":[{\"colos\":[1]}]}",
    "{\"resul\\u007\":[{\"colos\":[1]}]}",
    "{\"resultresultresultresultresultresult1\":[{\"colos\":[1]}]}",
    "{\"resultresultresultresultresultresultresultresultresult\":[{\"colos\":[1]}]}",
    "{\"result\":[\"colos\",[1]]}",
    "[\"result\",[{\"colos\":[1]}]]",
    "{\"a\":[\"b\",{\"c\":\"result\"},[{\"colos\":[1]}]]}",
};

static void test_taken(void **state) {
  (void)state;
  static struct outcome o;
  char expected[OUTCOME_SIZE];
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    size_t length = strlen(taken[i].text);
    run(taken[i].text, length, NO_LIMIT, &o);
    snprintf(expected, sizeof expected, "%s fault 0 at %zu: %s", taken[i].slices, length,
             taken[i].envelope);
    assert_string_equal(o.text, expected);
  }
}

static void test_untouched(void **state) {
  (void)state;
  static struct outcome o;
  char expected[OUTCOME_SIZE];
  for (size_t i = 0; i < sizeof untouched / sizeof *untouched; i++) {
    size_t length = strlen(untouched[i]);
    run(untouched[i], length, NO_LIMIT, &o);
    snprintf(expected, sizeof expected, " fault 0 at %zu: %s", length, untouched[i]);
    assert_string_equal(o.text, expected);
  }
}

#define REFUSED(text, fault, offset)                                                               \
  { (text), sizeof(text) - 1, (fault), (offset) }

static const struct {
  const char *text;
  size_t length;
  enum tr_slicer_fault fault;
  size_t offset;
} refused[] = {
    REFUSED("", TR_SLICER_SHORT, 0),
    REFUSED("  ", TR_SLICER_SHORT, 2),
    REFUSED("{", TR_SLICER_SHORT, 1),
    REFUSED("{\"a", TR_SLICER_SHORT, 3),
    REFUSED("{\"a\":1", TR_SLICER_SHORT, 6),
    REFUSED("\"a\\", TR_SLICER_SHORT, 3),
    REFUSED("\"a\\\"", TR_SLICER_SHORT, 4),
    REFUSED("[1,2", TR_SLICER_SHORT, 4),
    REFUSED("{\"result\":[{\"colos\":[1", TR_SLICER_SHORT, 22),
    REFUSED("\xEF\xBB\xBF{}", TR_SLICER_SYNTAX, 0),
    REFUSED("\0{}", TR_SLICER_SYNTAX, 0),
    REFUSED("[\0]", TR_SLICER_SYNTAX, 1),
    REFUSED("[1\0]", TR_SLICER_SYNTAX, 2),
    REFUSED("{}\0", TR_SLICER_SYNTAX, 2),
    REFUSED("[1\x7F]", TR_SLICER_SYNTAX, 2),
    REFUSED("[\f]", TR_SLICER_SYNTAX, 1),
    REFUSED(",", TR_SLICER_SYNTAX, 0),
    REFUSED(":", TR_SLICER_SYNTAX, 0),
    REFUSED("]", TR_SLICER_SYNTAX, 0),
    REFUSED("}", TR_SLICER_SYNTAX, 0),
    REFUSED("[}", TR_SLICER_SYNTAX, 1),
    REFUSED("{]", TR_SLICER_SYNTAX, 1),
    REFUSED("[1}", TR_SLICER_SYNTAX, 2),
    REFUSED("{\"a\":1]", TR_SLICER_SYNTAX, 6),
    REFUSED("[,1]", TR_SLICER_SYNTAX, 1),
    REFUSED("[1,]", TR_SLICER_SYNTAX, 3),
    REFUSED("[1,,2]", TR_SLICER_SYNTAX, 3),
    REFUSED("[1 2]", TR_SLICER_SYNTAX, 3),
    REFUSED("[1\"a\"]", TR_SLICER_SYNTAX, 2),
    REFUSED("[\"a\"1]", TR_SLICER_SYNTAX, 4),
    REFUSED("[1:2]", TR_SLICER_SYNTAX, 2),
    REFUSED("[[]{}]", TR_SLICER_SYNTAX, 3),
    REFUSED("{,}", TR_SLICER_SYNTAX, 1),
    REFUSED("{1:2}", TR_SLICER_SYNTAX, 1),
    REFUSED("{a:2}", TR_SLICER_SYNTAX, 1),
    REFUSED("{[]:2}", TR_SLICER_SYNTAX, 1),
    REFUSED("{\"a\"}", TR_SLICER_SYNTAX, 4),
    REFUSED("{\"a\" 1}", TR_SLICER_SYNTAX, 5),
    REFUSED("{\"a\",1}", TR_SLICER_SYNTAX, 4),
    REFUSED("{\"a\":}", TR_SLICER_SYNTAX, 5),
    REFUSED("{\"a\":,}", TR_SLICER_SYNTAX, 5),
    REFUSED("{\"a\"::1}", TR_SLICER_SYNTAX, 5),
    REFUSED("{\"a\":1,}", TR_SLICER_SYNTAX, 7),
    REFUSED("{\"a\":1,2}", TR_SLICER_SYNTAX, 7),
    REFUSED("{\"a\":1 \"b\":2}", TR_SLICER_SYNTAX, 7),
    REFUSED("{\"a\":1:2}", TR_SLICER_SYNTAX, 6),
    REFUSED("{}{}", TR_SLICER_TRAILING, 2),
    REFUSED("[] ,", TR_SLICER_TRAILING, 3),
    REFUSED("[]]", TR_SLICER_TRAILING, 2),
    REFUSED("1 2", TR_SLICER_TRAILING, 2),
    REFUSED("1{", TR_SLICER_TRAILING, 1),
    REFUSED("\"\"\"\"", TR_SLICER_TRAILING, 2),
    REFUSED("{\"result\":[{\"colos\":[,1]}]}", TR_SLICER_SYNTAX, 21),
    REFUSED("{\"result\":[{\"colos\":[1,]}]}", TR_SLICER_SYNTAX, 23),
    REFUSED("{\"result\":[{\"colos\":[{\"a\":1,}]}]}", TR_SLICER_SYNTAX, 28),
    REFUSED("{\"result\":[{\"colos\":[{\"a\":1]}]}", TR_SLICER_SYNTAX, 27),
    REFUSED("{\"result\":[{\"colos\":[{}}]}", TR_SLICER_SYNTAX, 23),
};

static void test_refused(void **state) {
  (void)state;
  static struct outcome o;
  char expected[64];
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    run(refused[i].text, refused[i].length, NO_LIMIT, &o);
    snprintf(expected, sizeof expected, " fault %d at %zu: ", (int)refused[i].fault,
             refused[i].offset);
    if (!strstr(o.text, expected)) fail_msg("%s: %s", refused[i].text, o.text);
  }
}

static void test_refused_within_a_slice(void **state) {
  (void)state;
  static struct outcome o;
  static const char before[] = "{\"result\":[{\"colos\":[[";
  char text[256], expected[64];
  size_t head = sizeof before - 1;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    int is_open = *refused[i].text == '[' || *refused[i].text == '{';
    if (refused[i].fault != TR_SLICER_SYNTAX || !is_open) continue;
    memcpy(text, before, head);
    memcpy(text + head, refused[i].text, refused[i].length);
    memcpy(text + head + refused[i].length, "]]}]}", 5);
    run(text, head + refused[i].length + 5, NO_LIMIT, &o);
    snprintf(expected, sizeof expected, " fault %d at %zu: ", (int)TR_SLICER_SYNTAX,
             head + refused[i].offset);
    if (!strstr(o.text, expected)) fail_msg("%s: %s", refused[i].text, o.text);
  }
}

static void test_bytes_in_strings(void **state) {
  (void)state;
  static struct outcome o;
  static const char text[] = "{\"result\":[{\"colos\":[\"\0\n\xFF\"]}]}";
  static const char slice[] = " 0@0.0=\"\0\n\xFF\" fault 0 at 30: {\"result\":[{\"colos\":[0]}]}";
  run(text, sizeof text - 1, NO_LIMIT, &o);
  assert_int_equal(o.length, sizeof slice - 1);
  assert_memory_equal(o.text, slice, sizeof slice);
}

static void check_depth(const char *before, unsigned open, const char *after) {
  static struct outcome o;
  char text[256], expected[64];
  for (unsigned extra = 0; extra < 2; extra++) {
    size_t head = strlen(before), depth = 64 - open + extra;
    memcpy(text, before, head);
    memset(text + head, '[', depth);
    memset(text + head + depth, ']', depth);
    snprintf(text + head + 2 * depth, sizeof text - head - 2 * depth, "%s", after);
    run(text, strlen(text), NO_LIMIT, &o);
    snprintf(expected, sizeof expected,
             " fault %d at %zu: ", (int)(extra ? TR_SLICER_DEPTH : TR_SLICER_FINE),
             extra ? head + depth - 1 : strlen(text));
    if (!strstr(o.text, expected)) fail_msg("%s: %s", text, o.text);
  }
}

static void test_depth(void **state) {
  (void)state;
  assert_int_equal(TR_SLICER_DEPTH_MAX, 64);
  check_depth("", 0, "");
  check_depth("{\"a\":", 1, "}");
  check_depth("{\"result\":[{\"colos\":[", 4, "]}]}");
}

/* The smallest limit that a text passes under is the most that is ever held of it, and with less
 *the
 ** fault and its place do not depend on the cut. */
static void check_limit(const char *text) {
  static struct outcome o;
  struct tr_slicer s;
  size_t most = 0, length = strlen(text);
  tr_slicer_init(&s, NO_LIMIT);
  for (size_t i = 0; i < length;) {
    size_t used, held;
    int slice = tr_slicer_feed(&s, text + i, 1, &used) == TR_SLICER_SLICE;
    held = s.envelope.length + s.slice.length;
    if (held > most) most = held;
    if (slice) tr_free(tr_slicer_take(&s, &held));
    i += used;
  }
  tr_slicer_cleanup(&s);
  for (size_t limit = 0; limit <= length + 1; limit++) {
    run(text, length, limit, &o);
    assert_true((strstr(o.text, " fault 5 at ") != NULL) == (limit < most));
    assert_true((strstr(o.text, " fault 0 at ") != NULL) == (limit >= most));
  }
}

static void test_limit(void **state) {
  (void)state;
  static const char short_ones[] =
      "{\"result\":[{\"colos\":[{\"a\":1},\"xyz\",12,[]]}],\"z\":\"123\"} ";
  static const char long_ones[] = IN_COLOS("[1],\"a slice that is the most of it\"");
  static const char long_number[] = IN_COLOS("[1],12345678901234567890");
  static struct outcome o;
  assert_int_equal(TR_SLICER_FULL, 5);
  check_limit(short_ones);
  check_limit(long_ones);
  check_limit(long_number);
  run(short_ones, sizeof short_ones - 1, 24, &o);
  assert_string_equal(o.text, " fault 5 at 24: {\"result\":[{\"colos\":[");
  run(IN_COLOS("{}"), 27, 23, &o); /* the slice fits, its number does not */
  assert_string_equal(o.text, " fault 5 at 23: {\"result\":[{\"colos\":[");
}

static void test_take(void **state) {
  (void)state;
  static const char text[] = "{\"result\":[{\"colos\":[{},\"b\"]}]}";
  struct tr_slicer s;
  size_t used, length = 99;
  tr_slicer_init(&s, NO_LIMIT);
  assert_null(tr_slicer_take(&s, &length));
  assert_int_equal(length, 0);
  assert_int_equal(tr_slicer_feed(&s, text, sizeof text - 1, &used), TR_SLICER_SLICE);
  assert_int_equal(used, 23);
  assert_int_equal(s.offset, 23);
  /* not taken: dropped */
  assert_int_equal(tr_slicer_feed(&s, text + 23, sizeof text - 1 - 23, &used), TR_SLICER_SLICE);
  assert_int_equal(used, 4);
  assert_int_equal(s.index, 1);
  char *slice = tr_slicer_take(&s, &length);
  assert_string_equal(slice, "\"b\"");
  assert_int_equal(length, 3);
  tr_free(slice);
  assert_null(tr_slicer_take(&s, &length));
  assert_int_equal(tr_slicer_feed(&s, text + 27, sizeof text - 1 - 27, &used), TR_SLICER_MORE);
  assert_int_equal(tr_slicer_finish(&s), TR_SLICER_FINE);
  assert_string_equal(s.envelope.data, "{\"result\":[{\"colos\":[0,1]}]}");
  /* a fault is final */
  assert_int_equal(tr_slicer_feed(&s, "x", 1, &used), TR_SLICER_ERROR);
  assert_int_equal(used, 0);
  assert_int_equal(tr_slicer_feed(&s, " ", 1, &used), TR_SLICER_ERROR);
  assert_int_equal(tr_slicer_finish(&s), TR_SLICER_TRAILING);
  tr_slicer_cleanup(&s);
}

/* Feeds `text`, then `values` zeros with commas between, then `tail`, each in pieces of `step`
** bytes; the fault, and in *slices how many there were. */
static enum tr_slicer_fault feed_values(const char *head, size_t values, const char *tail,
                                        size_t step, unsigned *slices) {
  size_t zeros = 2 * values - 1, length = strlen(head) + zeros + strlen(tail), used;
  char *text = malloc(length + 1), *end = text;
  assert_non_null(text);
  end += sprintf(end, "%s", head);
  for (size_t i = 0; i < zeros; i++)
    *end++ = i % 2 ? ',' : '0';
  (void)sprintf(end, "%s", tail);
  struct tr_slicer s;
  tr_slicer_init(&s, NO_LIMIT);
  *slices = 0;
  for (size_t at = 0; at < length && s.fault == TR_SLICER_FINE; at += used)
    *slices += tr_slicer_feed(&s, text + at, length - at < step ? length - at : step, &used) ==
               TR_SLICER_SLICE;
  enum tr_slicer_fault fault = tr_slicer_finish(&s);
  tr_slicer_cleanup(&s);
  free(text);
  return fault;
}

/* The envelope and each slice may have so many values, names not counted. */
static void test_values(void **state) {
  (void)state;
  static const size_t steps[] = {1, 1000, (size_t)1 << 20};
  const size_t most = TR_SLICER_VALUES_MAX;
  unsigned slices;
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    size_t step = steps[i];
    assert_int_equal(feed_values("{\"a\":[", most - 2, "]}", step, &slices), TR_SLICER_FINE);
    assert_int_equal(feed_values("{\"a\":[", most - 1, "]}", step, &slices), TR_SLICER_FULL);
    static const char colos[] = "{\"result\":[{\"colos\":["; /* four values */
    assert_int_equal(feed_values(colos, most - 4, "]}]}", step, &slices), TR_SLICER_FINE);
    assert_int_equal(slices, most - 4);
    assert_int_equal(feed_values(colos, most - 3, "]}]}", step, &slices), TR_SLICER_FULL);
    assert_int_equal(slices, most - 4);
    static const char nodes[] = "{\"result\":[{\"colos\":[[1,{\"a\":[2]}],[";
    assert_int_equal(feed_values(nodes, most, "],[3]]}]}", step, &slices), TR_SLICER_FINE);
    assert_int_equal(slices, 3);
    assert_int_equal(feed_values(nodes, most + 1, "],[3]]}]}", step, &slices), TR_SLICER_FULL);
    assert_int_equal(slices, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_taken),
      cmocka_unit_test(test_untouched),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_refused_within_a_slice),
      cmocka_unit_test(test_bytes_in_strings),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_take),
  };
  return cmocka_run_group_tests_name("slicer", tests, NULL, NULL);
}
