/* Fuzzes what is read out of an answer's headers, up to the pause before the next try. An input is
** a digit, of the status, and header lines. Whatever they say, what is kept is within bounds, plain
** numbers are read as strtod reads them, and no pause is longer than the time that is left. */
#include "wire.h"

#include <math.h>

#include "pace.h"

#define REMAINING 100.0
#define SECONDS_MAX 1e9 /* what retry.h promises */
#define SECRET "fuzz-credential"

/* Digits, perhaps with a fraction, and white space around them: where they begin, or NULL. */
static const char *plain_number(const char *text) {
  static const char blanks[] = " \t\r\n", digits[] = "0123456789";
  text += strspn(text, blanks);
  const char *at = text + strspn(text, digits);
  if (at == text) return NULL;
  if (*at == '.') {
    size_t fraction = strspn(at + 1, digits);
    if (fraction == 0) return NULL;
    at += 1 + fraction;
  }
  return at[strspn(at, blanks)] ? NULL : text;
}

/* Within a hair of the bound, where rounding decides, either answer will do. */
static void check_seconds(struct fuzz_input line) {
  char *text = fuzz_text(line);
  const char *number = plain_number(text);
  double seconds = tr_retry_seconds(text, 0.001);
  double expected = number ? strtod(number, NULL) / 1000 : -1;
  if (!(fabs(expected - SECONDS_MAX) < 1e-3)) {
    if (!(expected <= SECONDS_MAX)) expected = -1;
    FUZZ_CHECK(fabs(seconds - expected) <= 1e-6 * fabs(expected) + 1e-11);
    FUZZ_CHECK((seconds < 0) == (expected < 0));
  }
  FUZZ_CHECK(seconds == -1 || (seconds >= 0 && seconds <= SECONDS_MAX));
  free(text);
}

/* Nothing is said of how long: held for as long as the header may make one wait, and no longer. */
static void check_pace(const char *ratelimit) {
  struct tr_pace pace;
  FUZZ_CHECK(tr_pace_init(&pace, 0) == 0);
  tr_pace_read(&pace, ratelimit, 1000);
  double wait = tr_pace_wait(&pace, 1000);
  FUZZ_CHECK(wait >= 0 && wait <= 600);
  FUZZ_CHECK(wait == 0 || (strchr(ratelimit, 'r') && strchr(ratelimit, 't')));
  tr_pace_cleanup(&pace);
}

static void check_pause(const struct tr_report *report) {
  struct tr_retry_question question = {.outcome = report->outcome,
                                       .status = report->status,
                                       .tries = 1,
                                       .retries = 2,
                                       .should_retry = report->headers.should_retry,
                                       .retry_after = report->headers.retry_after,
                                       .remaining = REMAINING,
                                       .random = 0.5};
  double pause = tr_retry_pause(&question);
  FUZZ_CHECK(pause < REMAINING && pause == pause);
  if (pause >= 0 && report->headers.retry_after >= 0)
    FUZZ_CHECK(pause == report->headers.retry_after);
}

static void check_report(const struct tr_report *report) {
  FUZZ_CHECK(isfinite(report->headers.retry_after));
  FUZZ_CHECK(report->headers.retry_after == -1 || report->headers.retry_after >= 0);
  FUZZ_CHECK(report->headers.should_retry >= -1 && report->headers.should_retry <= 1);
  FUZZ_CHECK(memchr(report->headers.ratelimit, '\0', sizeof report->headers.ratelimit));
  FUZZ_CHECK(memchr(report->headers.ray, '\0', sizeof report->headers.ray));
  FUZZ_CHECK(!strstr(report->headers.ray, SECRET) && !strstr(report->error.message, SECRET));
  for (const char *c = report->headers.ray; *c; c++)
    FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void ignore(void *arg) {
  (void)arg;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const long statuses[] = {429, 200, 503, 302, 401, 100};
  char *lines[] = {NULL}, url[] = "https://example.com/", agent[] = "fuzz";
  struct tr_endpoint endpoint = {.url = url,
                                 .headers = lines,
                                 .user_agent = agent,
                                 .secret = SECRET,
                                 .connect_timeout = 1,
                                 .max_bytes = 1000};
  struct tr_sink sink = {NULL, NULL, ignore, NULL};
  struct fuzz_input in = fuzz_input(data, size);
  wire_status = statuses[fuzz_digit(&in) % (sizeof statuses / sizeof statuses[0])];
  struct tr_exchange *x = tr_exchange_new(&endpoint, sink);
  FUZZ_CHECK(x);
  while (in.left) {
    struct fuzz_input line = fuzz_part(&in, '\n');
    check_seconds(line);
    wire_header(x, line);
  }
  wire_end(x, CURLE_OK);
  check_report(&x->report);
  check_pace(x->report.headers.ratelimit);
  check_pause(&x->report);
  tr_exchange_free(x);
  return 0;
}
