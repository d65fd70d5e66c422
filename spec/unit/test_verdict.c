/* Unit tests of verdict: what libcurl's results mean that the libcurl at hand may never give, since
** they differ from one to another. Numbers are those of enum CURLcode. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "verdict.h"

#define OUT_OF_MEMORY 27
#define TIMED_OUT 28
#define TOO_LARGE 100 /* from 8.6 on, in its place where it was a bound of libcurl's */

static const struct tr_ending plain = {
    .words = "", .is_connected = 1, .connect_timeout = 1, .timeout = 1};

/* That the answer is refused, with a message that begins so; NULL: since memory ran out. */
static void check(const struct tr_ending *ending, const char *expected, const char *what) {
  struct tr_error error;
  int is_short = 0;
  tr_error_clear(&error);
  enum tr_outcome outcome = tr_verdict_of_transfer(ending, &error, &is_short);
  if (outcome != TR_OUTCOME_REFUSED || is_short != !expected ||
      error.kind != (expected ? TR_INVALID_RESPONSE : TR_NONE) ||
      strncmp(error.message, expected ? expected : "", expected ? strlen(expected) : 1) != 0)
    fail_msg("%s: outcome %d, %s, \"%s\"%s", what, (int)outcome, tr_kind_name(error.kind),
             error.message, is_short ? ", memory ran out" : "");
}

#define CHECK(expected, ...)                                                                       \
  do {                                                                                             \
    struct tr_ending ending = plain;                                                               \
    __VA_ARGS__;                                                                                   \
    check(&ending, expected, #__VA_ARGS__);                                                        \
  } while (0)

static void test_excess(void **state) {
  (void)state;
  const char *header = "the response cannot be read: a header is too long";
  const char *body = "the response holds more in one go than is taken in";
  CHECK(NULL, ending.result = OUT_OF_MEMORY, ending.is_connected = 0);
  CHECK(NULL, ending.result = OUT_OF_MEMORY, ending.bytes = 1);
  CHECK(header, ending.result = OUT_OF_MEMORY);
  CHECK(body, ending.result = OUT_OF_MEMORY, ending.bytes = 1, ending.is_paused = 1);
  CHECK(header, ending.result = TOO_LARGE);
  CHECK(header, ending.result = TOO_LARGE, ending.bytes = 1);
  CHECK(body, ending.result = TOO_LARGE, ending.bytes = 1, ending.is_paused = 1);
}

/* What a caller may change is named with the value that it has, not with what was left of it. */
static void test_timeout(void **state) {
  (void)state;
  for (int is_try = 0; is_try <= 1; is_try++) {
    struct tr_ending ending = plain;
    struct tr_error error;
    int is_short;
    ending.result = TIMED_OUT;
    ending.timeout = 0.3994;
    ending.option = 0.4;
    ending.is_try = is_try;
    tr_error_clear(&error);
    assert_int_equal(tr_verdict_of_transfer(&ending, &error, &is_short), TR_OUTCOME_TIMEOUT);
    const char *said = is_try ? "no complete answer within 0.4 s; raise try_timeout,"
                              : "no complete answer within 0.4 s; raise timeout,";
    assert_memory_equal(error.message, said, strlen(said));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_timeout),
      cmocka_unit_test(test_excess),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
