/* retry: is a failed try worth another, and after what pause; see retry.h. Knows neither clock
** nor connection. Comparisons are written so that a NaN falls on the careful side. */
#include "retry.h"

#include <stddef.h>

#define FIRST_PAUSE 0.5
#define LONGEST_PAUSE 8.0
#define JITTER 0.25
#define SECONDS_MAX 1e9
#define FRACTION_DIGITS 9 /* more say nothing about a pause */

static int status_is_passing(int status) {
  return status == 408 || status == 409 || status == 429 || status >= 500;
}

static int is_worth_it(const struct tr_retry_question *q) {
  if (q->answered_well || q->tries > q->retries) return 0;
  switch (q->outcome) {
  case TR_OUTCOME_ANSWER:
    return q->should_retry < 0 ? status_is_passing(q->status) : q->should_retry;
  case TR_OUTCOME_CONNECTION:
    return 1;
  case TR_OUTCOME_TIMEOUT:
    return q->retry_timeouts;
  case TR_OUTCOME_REFUSED:
    break;
  }
  return 0;
}

static double backoff(int tries, double random) {
  double pause = FIRST_PAUSE;
  for (int n = 1; n < tries && pause < LONGEST_PAUSE; n++)
    pause *= 2;
  if (!(random >= 0 && random < 1)) random = 0;
  return pause * (1 - JITTER * random);
}

double tr_retry_pause(const struct tr_retry_question *q) {
  if (!is_worth_it(q)) return -1;
  double pause = q->retry_after >= 0 ? q->retry_after : backoff(q->tries, q->random);
  return pause < q->remaining ? pause : -1;
}

static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* By hand: strtod reads signs, exponents, hexadecimal, "inf", and the locale's decimal point. */
double tr_retry_seconds(const char *value, double scale) {
  if (!value) return -1;
  while (is_blank(*value))
    value++;
  if (!is_digit(*value)) return -1;
  double number = 0, divisor = 1;
  for (; is_digit(*value); value++)
    number = number * 10 + (*value - '0');
  if (*value == '.') {
    value++;
    if (!is_digit(*value)) return -1;
    for (int digits = 0; is_digit(*value); value++) {
      if (digits++ == FRACTION_DIGITS) break;
      number = number * 10 + (*value - '0');
      divisor *= 10;
    }
    while (is_digit(*value))
      value++;
  }
  while (is_blank(*value))
    value++;
  if (*value) return -1;
  double seconds = number / divisor * scale;
  return seconds >= 0 && seconds <= SECONDS_MAX ? seconds : -1;
}
