/* blot: keeps a credential out of what the service said, should the service repeat it: in values
** and in the names of members, however they were escaped. Knows no meaning of what it walks
** through. */
#ifndef TR_BLOT_H
#define TR_BLOT_H

#include "shim.h"

/* Whether what that JSON text decodes to may hold the credential: its bytes are there, or an escape
** that could stand for them. So an answer that holds none costs two searches of its text. */
int tr_blot_is_due(const char *text, size_t length, const char *credential);

/* Overwrites it in every string of the table at the top of the stack. A member whose name holds it
** goes, unless the contract knows the name. The path of each, its name being "***" then, is added
** to the array at stack index `dropped`; `path` begins it, "" for none. Raises only for lack of
** memory. */
void tr_blot_table(lua_State *L, const char *credential, const char *path, int dropped);

#endif
