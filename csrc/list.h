/* list: a list through its members, in a ring with its head; whoever is in it can leave it without
** being looked for. Knows no Lua. */
#ifndef TR_LIST_H
#define TR_LIST_H

#include <stddef.h>

struct tr_link {
  struct tr_link *prev, *next;
};

/* What has `member` at this link. */
#define TR_OWNER(type, member, at) ((type *)(void *)((char *)(at)-offsetof(type, member)))

static inline void tr_list_init(struct tr_link *list) {
  list->prev = list->next = list;
}

static inline int tr_list_is_empty(const struct tr_link *list) {
  return list->next == list;
}

static inline void tr_list_remove(struct tr_link *at) {
  at->prev->next = at->next;
  at->next->prev = at->prev;
}

/* Before `list`, which is the end of a list given by its head. */
static inline void tr_list_append(struct tr_link *list, struct tr_link *at) {
  at->prev = list->prev;
  at->next = list;
  list->prev->next = at;
  list->prev = at;
}

#endif
