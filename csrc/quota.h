/* quota: the paces of this process, one for each credential, shared by all its calls and threads.
** Knows how to find one and keeps it locked while it is used; how fast may be gone is pace's
** business. */
#ifndef TR_QUOTA_H
#define TR_QUOTA_H

#include <stddef.h>

struct tr_quota;

/* The pace of `credential`, for at least that quota. Kept as a hash, never as text. NULL: out of
** memory. Paired with a release; what was sent is remembered for as long as it counts. */
struct tr_quota *tr_quota_get(const char *credential, int quota);
void tr_quota_release(struct tr_quota *q);

/* A text that is the same for the same credential and does not tell it. */
void tr_quota_name(const char *credential, char *out, size_t size);

/* At that many requests in a window: 0: one request goes out now, and was counted. Above 0:
** seconds to wait and ask again. */
double tr_quota_take(struct tr_quota *q, int quota, double now);

/* What an answer said: its Ratelimit header, and seconds to hold back after a 429 (below 0:
** none). */
void tr_quota_heed(struct tr_quota *q, const char *ratelimit, double hold, double now);

#endif
