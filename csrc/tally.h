/* tally: how many requests a call has sent until now, and whether it may send more, for whoever
** accounts for it and may outlive it: it is shared, also between threads. Knows no Lua. */
#ifndef TR_TALLY_H
#define TR_TALLY_H

struct tr_tally;

/* Of one owner; NULL: out of memory. Everywhere else NULL is fine, and does nothing. */
struct tr_tally *tr_tally_new(void);
struct tr_tally *tr_tally_share(struct tr_tally *tally); /* the same, of one owner more */
void tr_tally_release(struct tr_tally *tally);           /* by the last owner: frees it */

void tr_tally_add(struct tr_tally *tally);
void tr_tally_close(struct tr_tally *tally); /* nothing will be added; idempotent */

/* Whether it is closed. *sent: what was added until now. */
int tr_tally_read(const struct tr_tally *tally, unsigned long *sent);

#endif
