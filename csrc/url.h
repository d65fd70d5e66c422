/* url: where credentials may go. Judges the addresses that a script names, with libcurl's own eyes,
** so that what is checked is what is connected to. Opens nothing, resolves nothing. Knows no Lua. */
#ifndef TR_URL_H
#define TR_URL_H

#include "error.h"

/* Whether a base URL can be used: https, or http to a loopback address, or http with `insecure`; no
** user name, query or fragment. 0, 1: out of memory, or -1 with a reason in *error (path base_url). */
int tr_url_check(const char *url, int insecure, struct tr_error *error);

/* Whether a proxy's URL can be used; "" is fine. 0, 1: out of memory, or -1 with a reason (path
** proxy). */
int tr_url_check_proxy(const char *url, struct tr_error *error);

/* Whether what goes to a URL that was checked must pass no proxy: plain http is for loopback, and
** a proxy would carry the credentials to another machine. */
int tr_url_is_direct(const char *url, int insecure);

#endif
