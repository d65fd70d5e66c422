/* trust: whose certificates a transfer takes, and in what order CAs are looked for. Knows libcurl's
** handles and where a system keeps its CAs; nothing of what is transferred. Knows no Lua. */
#ifndef TR_TRUST_H
#define TR_TRUST_H

#define TR_TRUST_WORDS_MAX 256 /* libcurl's CURL_ERROR_SIZE */

/* Of one transfer. Private. */
struct tr_trust {
  const char *other; /* the place to look in if the first one does not do; NULL: none */
  int has_turned;    /* … which it has not: how the transfer ended there */
  int result;
  char words[TR_TRUST_WORDS_MAX];
};

/* Has the libcurl handle trust the CAs of a file or directory, or for NULL those that libcurl was
** built to trust. Those may be in two places, of which one does mostly. 0, or -1: no memory. */
int tr_trust_set(void *easy, const char *path, struct tr_trust *trust);

/* After the transfer ended with a CURLcode and libcurl's words about it, TR_TRUST_WORDS_MAX bytes.
** 1: the same again is worth a try, with other CAs trusted. 0: it is not, and what stands at the
** pointers is what to say. -1: no memory. Nothing was sent to a server that is not trusted. */
int tr_trust_turn(void *easy, struct tr_trust *trust, int *result, char *words);

#endif
