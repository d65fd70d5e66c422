/* trust: whose certificates a transfer takes, and in what order CAs are looked for. Knows libcurl's
** handles and where a system keeps its CAs; nothing of what is transferred. Knows no Lua. */
#ifndef TR_TRUST_H
#define TR_TRUST_H

/* Has the libcurl handle trust the CAs of a file or directory, or for NULL those that libcurl was
** built to trust. Those may be in two places, of which one does mostly: *other is then the one that
** was not named, which lives as long as libcurl, else NULL. 0, or -1: no memory. */
int tr_trust_set(void *easy, const char *path, const char **other);

/* After a transfer ended with that CURLcode: whether it is worth another try with the CAs at *other,
** which it trusts from now on; *other is NULL then. */
int tr_trust_turn(void *easy, int result, const char **other);

#endif
