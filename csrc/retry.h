/* retry: is a failed try worth another, and after what pause. Pure functions of their inputs.
** Numbers follow the service's own SDKs: two retries, min(0.5 * 2^n, 8) s, times 0.75 to 1. */
#ifndef TR_RETRY_H
#define TR_RETRY_H

/* How a try ended, whatever was said in it. */
enum tr_outcome {
  TR_OUTCOME_ANSWER,     /* a whole HTTP response came */
  TR_OUTCOME_CONNECTION, /* resolving, connecting, TLS set-up, or the connection broke */
  TR_OUTCOME_TIMEOUT,    /* the time for it ran out */
  TR_OUTCOME_REFUSED     /* another try mends nothing: certificate, size, malformed text, memory */
};

struct tr_retry_question {
  enum tr_outcome outcome;
  int status;         /* HTTP status of an answer, else 0 */
  int answered_well;  /* the answer was taken: nothing to try again */
  int tries;          /* tries made so far, 1 or more */
  int retries;        /* further tries allowed in all */
  int retry_timeouts; /* a timeout may be tried again */
  int should_retry;   /* x-should-retry: 1 true, 0 false, -1 absent */
  double retry_after; /* seconds that the answer asks to wait; below 0: it does not say */
  double remaining;   /* seconds left for the whole call */
  double random;      /* 0 <= random < 1 */
};

/* Seconds to pause before the next try, or below 0: this was the last. A pause that would not
** leave any time for the try is no pause: the answer is then below 0. */
double tr_retry_pause(const struct tr_retry_question *q);

/* "120" or "1.5" as seconds; below 0 when it is no plain number of seconds (a date, say), or
** above 1e9. `scale` multiplies: 0.001 for retry-after-ms. */
double tr_retry_seconds(const char *value, double scale);

#endif
