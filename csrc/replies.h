/* replies: the lines that mtr-packet writes, mtr-packet(8), as values. Pure text; every byte is
** taken for hostile. Knows no Lua. */
#ifndef TR_REPLIES_H
#define TR_REPLIES_H

#include "trace.h"

#define TR_REPLY_LINE_MAX 1024 /* bytes of a line; a longer one is no reply */
#define TR_REPLY_VALUE_MAX 64

enum tr_line {
  TR_LINE_PROBE,   /* what became of a probe: token and reply are set */
  TR_LINE_SUPPORT, /* an answer to check-support: token and support are set */
  TR_LINE_REFUSED, /* invalid-argument, unexpected-error, …: the token is set; a mistake of ours,
                      an old version, or no descriptor left, of which 0.95 says the same */
  TR_LINE_NOISE    /* nothing that can be understood */
};

struct tr_line_value {
  uint32_t token;
  struct tr_reply reply;
  char support[TR_REPLY_VALUE_MAX];
};

/* Reads one line (NUL-ended, without its newline; it is taken apart in place). */
enum tr_line tr_replies_read(char *line, struct tr_line_value *value);

/* An address as text, "" if it has no family; `out` has INET6_ADDRSTRLEN bytes or more. */
void tr_address_write(const struct tr_address *address, char *out, size_t size);

/* 0, or -1: the text is no address. */
int tr_address_read(const char *text, struct tr_address *address);

int tr_address_equal(const struct tr_address *a, const struct tr_address *b);

#endif
