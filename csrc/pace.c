/* pace: how fast requests may go out; see pace.h. Knows neither clock nor connection: it keeps
** the times of the last requests, exactly, in a ring, and one time before which nothing goes
** out. */
#include "pace.h"

#include <stdint.h>
#include <string.h>

#include "alloc.h"

#define BURST_WINDOW 1.0
#define HEADER_WAIT_MAX 600

int tr_pace_init(struct tr_pace *p, int quota) {
  memset(p, 0, sizeof *p);
  return tr_pace_set_quota(p, quota);
}

void tr_pace_cleanup(struct tr_pace *p) {
  tr_free(p->sent);
  memset(p, 0, sizeof *p);
}

static double later(double a, double b) {
  return a > b ? a : b;
}

/* When the n-th latest request went out; n is at most count. */
static double sent_before(const struct tr_pace *p, int n) {
  int at = p->next - n;
  return p->sent[at < 0 ? at + p->capacity : at];
}

int tr_pace_set_quota(struct tr_pace *p, int quota) {
  if (quota < 0) quota = 0;
  if (quota > p->capacity) {
    if ((size_t)quota > SIZE_MAX / sizeof *p->sent) return -1;
    double *sent = tr_realloc(NULL, (size_t)quota * sizeof *sent);
    if (!sent) return -1;
    for (int i = 0; i < p->count; i++)
      sent[i] = sent_before(p, p->count - i);
    tr_free(p->sent);
    p->sent = sent;
    p->capacity = quota;
    p->next = p->count;
  }
  p->quota = quota;
  return 0;
}

double tr_pace_wait(const struct tr_pace *p, double now) {
  double until = p->hold;
  if (p->quota > 0 && p->count >= p->quota)
    until = later(until, sent_before(p, p->quota) + TR_PACE_WINDOW);
  if (p->quota > 0 && p->count >= TR_PACE_BURST)
    until = later(until, sent_before(p, TR_PACE_BURST) + BURST_WINDOW);
  return until > now ? until - now : 0;
}

void tr_pace_sent(struct tr_pace *p, double now) {
  if (p->capacity == 0) return;
  p->sent[p->next] = now;
  p->next = p->next + 1 == p->capacity ? 0 : p->next + 1;
  if (p->count < p->capacity) p->count++;
}

void tr_pace_hold(struct tr_pace *p, double now, double seconds) {
  if (seconds > TR_PACE_HOLD_MAX) seconds = TR_PACE_HOLD_MAX;
  if (seconds > 0) p->hold = later(p->hold, now + seconds);
}

static const char *skip_blanks(const char *at) {
  while (*at == ' ' || *at == '\t')
    at++;
  return at;
}

/* To the next semicolon, comma or end; what stands between quotes is stepped over. */
static const char *skip_part(const char *at) {
  int quoted = 0;
  for (; *at && (quoted || (*at != ';' && *at != ',')); at++) {
    if (*at == '"') quoted = !quoted;
    if (quoted && *at == '\\' && at[1]) at++;
  }
  return at;
}

/* A whole number from 0; what is huge counts as HEADER_WAIT_MAX; -1: none stands there alone. */
static int read_number(const char *at, const char *end) {
  int number = 0;
  if (at == end || *at < '0' || *at > '9') return -1;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    number = number * 10 + (*at - '0');
    if (number > HEADER_WAIT_MAX) number = HEADER_WAIT_MAX;
  }
  return skip_blanks(at) == end ? number : -1;
}

/* Reads one policy's parameters, and returns where it ends. */
static const char *read_policy(const char *at, int *remaining, int *seconds) {
  *remaining = *seconds = -1;
  at = skip_part(at); /* the name */
  while (*at == ';') {
    const char *name = skip_blanks(at + 1);
    at = skip_part(name);
    if (*name != 'r' && *name != 't') continue;
    const char *equals = skip_blanks(name + 1);
    if (*equals != '=') continue;
    *(*name == 'r' ? remaining : seconds) = read_number(skip_blanks(equals + 1), at);
  }
  return at;
}

void tr_pace_read(struct tr_pace *p, const char *ratelimit, double now) {
  int remaining, seconds;
  while (ratelimit && *ratelimit) {
    ratelimit = read_policy(ratelimit, &remaining, &seconds);
    if (remaining == 0 && seconds > 0) tr_pace_hold(p, now, seconds);
    if (*ratelimit == ',') ratelimit++;
  }
}
