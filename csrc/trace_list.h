/* trace_list: a list through its members, in a ring with its head; whoever is in it can leave it
** without being looked for. Private to trace. Knows no Lua. */
#ifndef TR_TRACE_LIST_H
#define TR_TRACE_LIST_H

#include <stddef.h>

struct tr_trace_link {
  struct tr_trace_link *prev, *next;
};

/* What has `member` at this link. */
#define TR_TRACE_OWNER(type, member, at) ((type *)(void *)((char *)(at)-offsetof(type, member)))

static inline void tr_trace_list_init(struct tr_trace_link *list) {
  list->prev = list->next = list;
}

static inline int tr_trace_list_is_empty(const struct tr_trace_link *list) {
  return list->next == list;
}

static inline void tr_trace_list_remove(struct tr_trace_link *at) {
  at->prev->next = at->next;
  at->next->prev = at->prev;
}

/* Before `list`, which is the end of a list given by its head. */
static inline void tr_trace_list_append(struct tr_trace_link *list, struct tr_trace_link *at) {
  at->prev = list->prev;
  at->next = list;
  list->prev->next = at;
  list->prev = at;
}

#endif
