/* libcurl: what there is of libcurl once in a process: its set-up, and what it was built as. Knows
** no transfers. Knows no Lua. */
#ifndef TR_LIBCURL_H
#define TR_LIBCURL_H

struct tr_libcurl {
  unsigned version; /* 0x075801: 7.88.1 */
  char name[80];    /* "libcurl/7.88.1 OpenSSL/3.0.17" */
  /* The system's CAs, NULL: unknown. The directory is there, and one of which the TLS library reads
  ** what it needs. */
  const char *ca_file, *ca_directory;
};

/* What is the same in all of a process's life, as is the pointer. */
const struct tr_libcurl *tr_libcurl_about(void);

/* Sets libcurl up, unless it is. 0, or -1: no memory; the next call tries again. */
int tr_libcurl_init(void);

#endif
