/* trace_flight: the probes that are out; see trace_flight.h. All have the same patience and the
** same ages, so the order of sending is the order in which each of them comes: no queue by time is
** needed, only places in one list. */
#include "trace_flight.h"

#include <math.h>
#include <string.h>

#include "alloc.h"

static const double ages[TR_TRACE_AGES] = {TR_TRACE_SPACING, TR_TRACE_QUIET};

static struct tr_trace_slot *slot_at(const struct tr_link *link) {
  return TR_OWNER(struct tr_trace_slot, link, link);
}

int tr_trace_flight_init(struct tr_trace_flight *f, uint32_t slots, double patience) {
  memset(f, 0, sizeof *f);
  f->slot = tr_calloc(slots * sizeof *f->slot);
  if (!f->slot) return -1;
  f->slots = slots;
  f->patience = patience;
  tr_list_init(&f->idle);
  tr_list_init(&f->out);
  for (uint32_t i = 0; i < slots; i++) {
    f->slot[i].token = i;
    tr_list_append(&f->idle, &f->slot[i].link);
  }
  for (int i = 0; i < TR_TRACE_AGES; i++)
    f->young[i] = &f->out;
  return 0;
}

void tr_trace_flight_cleanup(struct tr_trace_flight *f) {
  tr_free(f->slot);
  memset(f, 0, sizeof *f);
}

/* Tokens are told apart by the number of times that their slot was used: a token is that number
** times the slots, plus the slot's index. */
static uint32_t next_token(const struct tr_trace_flight *f, uint32_t token) {
  if (token > INT32_MAX - f->slots) return token % f->slots + f->slots;
  return token + f->slots;
}

struct tr_trace_slot *tr_trace_flight_begin(struct tr_trace_flight *f, void *target,
                                            struct tr_link *siblings, unsigned ttl, double now) {
  struct tr_trace_slot *slot = slot_at(f->idle.next);
  tr_list_remove(&slot->link);
  tr_list_append(&f->out, &slot->link);
  tr_list_append(siblings, &slot->sibling);
  for (int i = 0; i < TR_TRACE_AGES; i++)
    if (f->young[i] == &f->out) f->young[i] = &slot->link;
  slot->token = next_token(f, slot->token);
  slot->target = target;
  slot->sent_at = now;
  slot->ttl = (unsigned char)ttl;
  slot->is_out = 1;
  slot->is_rested = 0;
  f->out_now++;
  return slot;
}

void tr_trace_flight_end(struct tr_trace_flight *f, struct tr_trace_slot *slot) {
  for (int i = 0; i < TR_TRACE_AGES; i++)
    if (f->young[i] == &slot->link) f->young[i] = slot->link.next;
  if (slot->target) tr_list_remove(&slot->sibling);
  tr_list_remove(&slot->link);
  tr_list_append(f->idle.next, &slot->link); /* as the first: it is in the cache */
  slot->is_out = 0;
  f->out_now--;
}

struct tr_trace_slot *tr_trace_flight_find(const struct tr_trace_flight *f, uint32_t token) {
  struct tr_trace_slot *slot = &f->slot[token % f->slots];
  return slot->is_out && slot->token == token ? slot : NULL;
}

struct tr_trace_slot *tr_trace_flight_oldest(const struct tr_trace_flight *f) {
  return tr_list_is_empty(&f->out) ? NULL : slot_at(f->out.next);
}

struct tr_trace_slot *tr_trace_flight_overdue(const struct tr_trace_flight *f, double now) {
  struct tr_trace_slot *slot = tr_trace_flight_oldest(f);
  return slot && tr_trace_until(slot->sent_at + f->patience, now) == 0 ? slot : NULL;
}

struct tr_trace_slot *tr_trace_flight_aged(struct tr_trace_flight *f, int age, double now) {
  if (f->young[age] == &f->out) return NULL;
  struct tr_trace_slot *slot = slot_at(f->young[age]);
  if (tr_trace_until(slot->sent_at + ages[age], now) > 0) return NULL;
  f->young[age] = slot->link.next;
  if (age == TR_TRACE_AGE_SPACING) slot->is_rested = 1;
  return slot;
}

double tr_trace_flight_wait(const struct tr_trace_flight *f, double now) {
  const struct tr_trace_slot *slot = tr_trace_flight_oldest(f);
  if (!slot) return HUGE_VAL;
  double at = slot->sent_at + f->patience;
  for (int i = 0; i < TR_TRACE_AGES; i++)
    if (f->young[i] != &f->out) at = fmin(at, slot_at(f->young[i])->sent_at + ages[i]);
  return tr_trace_until(at, now);
}
