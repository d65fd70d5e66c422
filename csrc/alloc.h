/* alloc: where the rooms that know no Lua get their memory. One function behind one pointer, so
** that a test can make every allocation fail in turn. Nothing here aborts: whoever asks checks
** the answer. */
#ifndef TR_ALLOC_H
#define TR_ALLOC_H

#include <stddef.h>

/* Like realloc(3), but a size of 0 frees and gives NULL. The default is libc's. Not to be
** changed while anything is allocated. */
typedef void *(*tr_realloc_fn)(void *block, size_t size);
extern tr_realloc_fn tr_realloc_hook;

void *tr_realloc(void *block, size_t size); /* NULL: out of memory, the block is untouched */
void *tr_calloc(size_t size);               /* zeroed; NULL: out of memory */
char *tr_strdup(const char *text);          /* NULL: out of memory, or text was NULL */
void tr_free(void *block);                  /* NULL is fine */

/* Clears memory that held a secret, in a way no compiler leaves out. */
void tr_wipe(void *block, size_t size);

#endif
