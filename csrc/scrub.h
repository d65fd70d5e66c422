/* scrub: memory that is cleared before it is given back, for a library that copies secrets into
** buffers of its own and does not clear them. The functions are those of libc otherwise: a block of
** the one may be freed by the other. */
#ifndef TR_SCRUB_H
#define TR_SCRUB_H

#include <stddef.h>

/* What is larger holds what a server sends, and most of it was never touched: to clear it byte by
** byte costs more than all the rest of a small call. */
#define TR_SCRUB_LARGE ((size_t)128 * 1024)

void *tr_scrub_malloc(size_t size);
void *tr_scrub_calloc(size_t count, size_t size);
void *tr_scrub_realloc(void *block, size_t size);
char *tr_scrub_strdup(const char *text);
void tr_scrub_free(void *block);

#endif
