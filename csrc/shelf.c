/* shelf: the names that go with a reactor; see shelf.h. */
#include "shelf.h"

#include <stddef.h>
#include <string.h>

#include "alloc.h"

struct place {
  struct tr_names *names; /* NULL: nothing, nor in those that follow */
  unsigned users;
};

/* In the order in which they were asked for, the last first. */
struct shelf {
  struct place place[TR_SHELF_MAX];
};

static const char key = 0;

static void shelf_free(void *arg) {
  struct shelf *shelf = arg;
  for (int i = 0; i < TR_SHELF_MAX; i++)
    tr_names_free(shelf->place[i].names);
  tr_free(shelf);
}

/* NULL: there is no memory for it. */
static struct shelf *shelf_of(struct tr_reactor *reactor) {
  struct shelf *shelf = tr_reactor_attached(reactor, &key);
  if (shelf) return shelf;
  shelf = tr_calloc(sizeof *shelf);
  if (shelf && tr_reactor_attach(reactor, &key, shelf, shelf_free) == 0) return shelf;
  tr_free(shelf);
  return NULL;
}

/* The place that has names for these options, or else where others may take it; -1: all are in
** use. */
static int find(const struct shelf *shelf, const struct tr_names_options *options) {
  int idle = -1;
  for (int i = 0; i < TR_SHELF_MAX; i++) {
    const struct place *place = &shelf->place[i];
    if (!place->names) return i;
    if (tr_names_is_for(place->names, options)) return i;
    if (place->users == 0) idle = i;
  }
  return idle;
}

struct tr_names *tr_shelf_get(struct tr_reactor *reactor, const struct tr_names_options *options) {
  struct shelf *shelf = shelf_of(reactor);
  int at = shelf ? find(shelf, options) : -1;
  if (at < 0) return tr_names_new(reactor, options);
  struct place taken = shelf->place[at];
  if (taken.names && tr_names_is_for(taken.names, options)) {
    tr_names_refresh(taken.names);
  } else {
    struct tr_names *fresh = tr_names_new(reactor, options);
    if (!fresh) return NULL;
    tr_names_free(taken.names);
    taken = (struct place){fresh, 0};
  }
  taken.users++;
  memmove(&shelf->place[1], &shelf->place[0], (size_t)at * sizeof taken);
  shelf->place[0] = taken;
  return taken.names;
}

void tr_shelf_release(struct tr_reactor *reactor, struct tr_names *names) {
  struct shelf *shelf = tr_reactor_attached(reactor, &key);
  for (int i = 0; shelf && i < TR_SHELF_MAX; i++) {
    if (shelf->place[i].names != names) continue;
    shelf->place[i].users--;
    return;
  }
  tr_names_free(names);
}
