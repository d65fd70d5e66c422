/* target: is a text a host name, an IPv4 or an IPv6 address, and do two texts name the same
** target. Pure text; nothing is resolved. Knows no Lua. */
#ifndef TR_TARGET_H
#define TR_TARGET_H

#include <stddef.h>

#define TR_TARGET_MAX 253 /* bytes of the longest host name */

/* NULL: it can be traced. Else what is wrong with it, with a hint, as a text that needs no
** freeing or is written to `hint` (of size bytes). The text need not end in NUL and may hold any
** bytes. */
const char *tr_target_fault(const char *text, size_t length, char *hint, size_t size);

/* The form in which two spellings of one target are equal: lower case, no final dot, IPv6 as
** inet_ntop writes it. `out` has TR_TARGET_MAX + 1 bytes; a longer text is cut. */
void tr_target_canonical(const char *text, size_t length, char *out);

#endif
