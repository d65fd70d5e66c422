/* gate: which transfers may begin; see gate.h. */
#include "gate.h"

#include "alloc.h"

#define PATIENCE 0.25 /* seconds that others wait for one's connection */

/* A host with something to do. */
struct tr_lane {
  unsigned long host;
  struct tr_lane *next;
  struct tr_pass *begun, *waiting, **waiting_end;
  size_t count, connections; /* of those that have begun, and which they use */
  struct tr_pass *opener;    /* has begun, may be opening a connection, and others wait for that */
  double patience;           /* the time until which they do */
};

static struct tr_lane *lane_of(struct tr_gate *gate, unsigned long host) {
  struct tr_lane *lane = gate->lanes;
  while (lane && lane->host != host)
    lane = lane->next;
  if (lane || !(lane = tr_calloc(sizeof *lane))) return lane;
  lane->host = host;
  lane->waiting_end = &lane->waiting;
  lane->next = gate->lanes;
  gate->lanes = lane;
  return lane;
}

static void drop_if_empty(struct tr_gate *gate, struct tr_lane *lane) {
  if (lane->begun || lane->waiting) return;
  struct tr_lane **link = &gate->lanes;
  while (*link != lane)
    link = &(*link)->next;
  *link = lane->next;
  tr_free(lane);
}

static int has_room(const struct tr_lane *lane) {
  return lane->count < TR_GATE_STREAMS * (lane->connections ? lane->connections : 1);
}

static int must_wait(const struct tr_lane *lane, double now) {
  return lane->opener && !has_room(lane) && now < lane->patience;
}

static void begin(struct tr_lane *lane, struct tr_pass *pass, double now) {
  if (!has_room(lane)) {
    lane->opener = pass;
    lane->patience = now + PATIENCE;
  }
  pass->is_waiting = 0;
  pass->next = lane->begun;
  pass->link = &lane->begun;
  if (pass->next) pass->next->link = &pass->next;
  lane->begun = pass;
  lane->count++;
}

static void wait_for_turn(struct tr_lane *lane, struct tr_pass *pass) {
  pass->is_waiting = 1;
  pass->next = NULL;
  pass->link = lane->waiting_end;
  *lane->waiting_end = pass;
  lane->waiting_end = &pass->next;
}

static void unlist(struct tr_pass *pass) {
  *pass->link = pass->next;
  if (pass->next)
    pass->next->link = pass->link;
  else if (pass->is_waiting)
    pass->lane->waiting_end = pass->link;
}

static int is_shared(const struct tr_pass *pass) {
  const struct tr_pass *other = pass->lane->begun;
  while (other && (other == pass || other->port != pass->port))
    other = other->next;
  return other != NULL;
}

static void leave_connection(struct tr_pass *pass) {
  if (pass->port && !is_shared(pass)) pass->lane->connections--;
  pass->port = 0;
}

int tr_gate_enter(struct tr_gate *gate, struct tr_pass *pass, double now) {
  struct tr_lane *lane = lane_of(gate, pass->host);
  if (!lane) return -1;
  pass->lane = lane;
  pass->port = 0;
  if (!gate->is_open && (lane->waiting || must_wait(lane, now)))
    wait_for_turn(lane, pass);
  else
    begin(lane, pass, now);
  return pass->is_waiting;
}

void tr_gate_connected(struct tr_pass *pass, int port) {
  struct tr_lane *lane = pass->lane;
  leave_connection(pass);
  pass->port = port;
  if (!is_shared(pass)) lane->connections++;
  if (lane->opener == pass) lane->opener = NULL;
}

void tr_gate_leave(struct tr_gate *gate, struct tr_pass *pass) {
  struct tr_lane *lane = pass->lane;
  unlist(pass);
  if (!pass->is_waiting) {
    lane->count--;
    leave_connection(pass);
    if (lane->opener == pass) lane->opener = NULL;
  }
  pass->lane = NULL;
  drop_if_empty(gate, lane);
}

struct tr_pass *tr_gate_next(struct tr_gate *gate, double now) {
  for (struct tr_lane *lane = gate->lanes; lane; lane = lane->next) {
    struct tr_pass *pass = lane->waiting;
    if (!pass || must_wait(lane, now)) continue;
    unlist(pass);
    begin(lane, pass, now);
    return pass;
  }
  return NULL;
}

double tr_gate_due(const struct tr_gate *gate, double now) {
  double due = -1;
  for (const struct tr_lane *lane = gate->lanes; lane; lane = lane->next) {
    if (!lane->waiting) continue;
    if (!must_wait(lane, now)) return now;
    if (due < 0 || lane->patience < due) due = lane->patience;
  }
  return due;
}
