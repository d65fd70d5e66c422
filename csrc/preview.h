/* preview: what a call would send, as a table for whoever wants to look before anything is sent.
** Holds no credential. Nothing is opened or sent here. */
#ifndef TR_PREVIEW_H
#define TR_PREVIEW_H

#include "shim.h"

/* Makes the metatable; once for each Lua state. */
void tr_preview_register(lua_State *L);

/* Reads account, targets and opts at stack places 1 to 3 as a call does, but that no credentials
** are needed. Pushes {method, url, headers, bodies, requests, timeout}, or nil and an error; the
** number of values pushed. Each header is one line; what may be a credential is "***" there. */
int tr_preview_push(lua_State *L);

#endif
