/* gate: which transfers may begin, so that many at once share few connections. A pure machine: no
** I/O, the clock is handed in.
**
** A connection is full at 32 streams. Until libcurl knows whether a new one takes streams too, it
** opens another for each transfer that finds the others full: seventy for a hundred. So transfers
** to a host that are more than its connections take begin one by one, the next when the one before
** has its connection, or could have had it. Hosts do not wait for each other. */
#ifndef TR_GATE_H
#define TR_GATE_H

#include <stddef.h>

#define TR_GATE_STREAMS 32 /* libcurl looks at each whenever one of them moves */

struct tr_lane;

/* Embed it in what wants to begin, with `host` set: the same for all that may share a connection. */
struct tr_pass {
  unsigned long host;
  struct tr_lane *lane; /* private, like the rest: set from entering to leaving */
  struct tr_pass *next, **link;
  int is_waiting;
  int port; /* our end of its connection; 0: none yet */
};

/* Zeroed at first. */
struct tr_gate {
  struct tr_lane *lanes;
  int is_open; /* nobody has to wait, where it is not known who is connected */
};

/* 0: it may begin; 1: it waits; -1: out of memory. */
int tr_gate_enter(struct tr_gate *gate, struct tr_pass *pass, double now);

/* It began and has a connection, or another one than before. */
void tr_gate_connected(struct tr_pass *pass, int port);

/* It ended, or does not want to begin any more. */
void tr_gate_leave(struct tr_gate *gate, struct tr_pass *pass);

/* One that waited and may begin now; it counts as begun. NULL: none. */
struct tr_pass *tr_gate_next(struct tr_gate *gate, double now);

/* When to ask for the next one even if nothing happens before; below 0: never. */
double tr_gate_due(const struct tr_gate *gate, double now);

#endif
