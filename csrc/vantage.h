/* vantage: mtr-packet as a child on pipes, mtr-packet(8), which alone holds the privilege that
** probing needs. One for a reactor, started when it is first needed, shared by all traces, ended
** with the reactor. It knows probes and their answers, not traces. Lives where its reactor runs.
** Knows no Lua. */
#ifndef TR_VANTAGE_H
#define TR_VANTAGE_H

#include "error.h"
#include "reactor.h"
#include "replies.h"

#define TR_VANTAGE_IN_FLIGHT 1000 /* probes out at once; mtr-packet takes 1,024 */

struct tr_vantage;

/* Somebody who sends probes. The functions are called from runs of the reactor, `died` also from
** another's joining. `ready`: the child has begun to listen, for those who joined before it did.
** `died`: the child is gone, nothing that was out will be answered; the user was taken off. */
struct tr_vantage_user {
  void (*ready)(void *arg);
  void (*answer)(void *arg, uint32_t token, const struct tr_reply *reply);
  void (*died)(void *arg, const struct tr_error *why);
  void *arg;
  struct tr_vantage_user *next, **link; /* private; zeroed before */
};

/* The reactor's own; NULL: out of memory. */
struct tr_vantage *tr_vantage_get(struct tr_reactor *r);

/* Starts the child if there is none, or none any more. 0, 1: out of memory, or -1 with *error set
** (not installed, no descriptors, …). */
int tr_vantage_join(struct tr_vantage *v, struct tr_vantage_user *user, struct tr_error *error);

/* Whether the child listens. Before, nothing can be sent: its start would be measured as delay. */
int tr_vantage_is_ready(const struct tr_vantage *v);

/* No more callbacks; what the user has out is forgotten. Idempotent. */
void tr_vantage_leave(struct tr_vantage *v, struct tr_vantage_user *user);

/* Sends a probe; its answer comes by its token, or never, if it cannot be read. 0, or -1: it was not
** sent, and *answer says what became of it. TR_ANSWER_EXHAUSTED: as many are out as can be, or the
** child is not ready; TR_ANSWER_NO_ROUTE and TR_ANSWER_UNSENDABLE: as tr_route_look has them. */
int tr_vantage_send(struct tr_vantage *v, struct tr_vantage_user *user,
                    const struct tr_probe *probe, enum tr_protocol protocol, double wait_time,
                    enum tr_answer *answer);

#endif
