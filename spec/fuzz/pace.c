/* Fuzzes how fast requests go out. An input is pairs of bytes, of which the first says what
** happens: time passes, requests go out as soon as they may, the quota changes, a hold. However
** these follow one another, no window is overrun, and no wait is longer than what can cause it. */
#include "pace.h"

#include <math.h>

#include "fuzz.h"

#define SENT_MAX 8192

struct run {
  struct tr_pace pace;
  double now;
  int quota;
  double sent[SENT_MAX]; /* while there was a quota */
  int count;
};

/* Those of the last `seconds`, up to now. */
static int sent_within(const struct run *r, double seconds) {
  int n = 0;
  while (n < r->count && r->now - r->sent[r->count - 1 - n] < seconds)
    n++;
  return n;
}

static void send_one(struct run *r) {
  if (r->count == SENT_MAX) return;
  double wait = tr_pace_wait(&r->pace, r->now);
  FUZZ_CHECK(wait >= 0 && wait <= TR_PACE_HOLD_MAX + 1e-6);
  r->now += wait;
  /* What was added may be a hair less than what was asked for. */
  double more = tr_pace_wait(&r->pace, r->now);
  FUZZ_CHECK(more < 1e-6);
  r->now += more > 0 ? 2e-6 : 0;
  FUZZ_CHECK(tr_pace_wait(&r->pace, r->now) == 0);
  tr_pace_sent(&r->pace, r->now);
  if (r->quota == 0) return;
  r->sent[r->count++] = r->now;
  FUZZ_CHECK(sent_within(r, 1.0 - 1e-5) <= TR_PACE_BURST);
  FUZZ_CHECK(sent_within(r, TR_PACE_WINDOW - 1e-5) <= r->quota);
}

static void act(struct run *r, char what, unsigned n) {
  double wait = tr_pace_wait(&r->pace, r->now);
  switch (what) {
  case 's':
    while (n-- > 0)
      send_one(r);
    break;
  case 'q': /* a lower one holds from now on: what went out before is not judged by it */
    r->quota = (int)n * 4;
    r->count = 0;
    FUZZ_CHECK(tr_pace_set_quota(&r->pace, r->quota) == 0);
    break;
  case 'h':
    tr_pace_hold(&r->pace, r->now, n * 10.0 - 20);
    FUZZ_CHECK(tr_pace_wait(&r->pace, r->now) >= wait - 1e-6);
    break;
  case 'm':
    r->now += n / 1000.0;
    break;
  default:
    r->now += n;
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct run run;
  struct fuzz_input in = fuzz_input(data, size);
  memset(&run, 0, sizeof run);
  run.now = 5;
  run.quota = (int)fuzz_digit(&in) * 4;
  FUZZ_CHECK(tr_pace_init(&run.pace, run.quota) == 0);
  while (in.left >= 2) {
    char what = *in.at++;
    in.left--;
    act(&run, what, fuzz_digit(&in));
  }
  tr_pace_cleanup(&run.pace);
  return 0;
}
