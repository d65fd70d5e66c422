/* slicer: finds each complete element of result[].colos[] in a JSON text that arrives in pieces,
** hands it out, and keeps the rest of the text, the envelope, with a number in place of each
** element. Knows no Lua, does no I/O, and does not judge values: it follows strings, brackets,
** commas and colons; numbers, literals and escapes are checked by whoever decodes the slices and
** the envelope. For every text and every way of cutting it up: decoding the envelope and filling
** in the decoded slices gives what decoding the whole text gives, or both refuse. */
#ifndef TR_SLICER_H
#define TR_SLICER_H

#include <stddef.h>

#include "buffer.h"

#define TR_SLICER_DEPTH_MAX 64 /* brackets open at once; a deeper text is refused */
#define TR_SLICER_KEY_MAX                                                                          \
  36 /* "result" with every letter written as \u00xx; longer names cannot match */

/* A full answer's envelope has about 20 kB, a colo result of 64 hops with ten nodes each 200 kB:
** what is decoded in one go stays short. */
#define TR_SLICER_ENVELOPE_MAX ((size_t)2 * 1024 * 1024)
#define TR_SLICER_SLICE_MAX ((size_t)1024 * 1024)

/* Values in the envelope, and in one slice: a value takes time of its own to decode, check and
** join, however short it is. Ten targets of a thousand colos have 10,000 in the envelope, a colo
** result of 64 hops with ten nodes each 8,000. */
#define TR_SLICER_VALUES_MAX 32768

enum tr_slicer_event {
  TR_SLICER_MORE,  /* all bytes were taken, no slice is complete */
  TR_SLICER_SLICE, /* a slice is complete: take it, then feed what is left */
  TR_SLICER_ERROR  /* the text is refused; `fault` and `offset` say why and where; final */
};

enum tr_slicer_fault {
  TR_SLICER_FINE,
  TR_SLICER_SYNTAX,   /* not JSON */
  TR_SLICER_DEPTH,    /* nested too deeply */
  TR_SLICER_TRAILING, /* something after the end of the text */
  TR_SLICER_SHORT,    /* the text ended early (from finish) */
  TR_SLICER_FULL,     /* more bytes than the limit, or more values */
  TR_SLICER_NOMEM
};

struct tr_slicer_frame {
  unsigned char kind;  /* '{' or '[' */
  unsigned char place; /* where it stands on the way to result[].colos[], or 0 */
  unsigned count;      /* elements begun, if it is an array of the envelope */
};

struct tr_slicer {
  enum tr_slicer_fault fault;
  size_t offset;             /* bytes taken so far; at an error, where it is */
  struct tr_buffer envelope; /* the rest of the text; element k of all colos stands there as k */
  struct tr_buffer slice;    /* the element that is being collected, or is complete */
  unsigned index;            /* of the complete slice: 0, 1, … in order of appearance */
  unsigned target, colo;     /* of the complete slice: result[target].colos[colo], from 0 */
  /* private, and skim's */
  struct tr_slicer_frame stack[TR_SLICER_DEPTH_MAX];
  unsigned depth;
  size_t limit;
  size_t safe_length; /* of the envelope, after which closing the brackets gives whole JSON */
  unsigned slices;
  unsigned envelope_values, slice_values; /* begun */
  unsigned char state;
  unsigned char escape;   /* the last byte was a backslash in a string */
  unsigned char in_slice; /* bytes go to the slice */
  unsigned char complete; /* the slice waits to be taken */
  unsigned char named;    /* the last member name that mattered is on the way to colos */
  unsigned char key_length;
  char key[TR_SLICER_KEY_MAX]; /* the member name being read, raw, where it matters */
};

/* `limit` bounds envelope and slice together (bytes held, not bytes fed); 4 GiB at most. */
void tr_slicer_init(struct tr_slicer *s, size_t limit);
void tr_slicer_cleanup(struct tr_slicer *s);

/* Takes bytes up to the end of the next slice; *used says how many. A slice that was not taken
** before is dropped; its number stays in the envelope. */
enum tr_slicer_event tr_slicer_feed(struct tr_slicer *s, const char *bytes, size_t length,
                                    size_t *used);

/* After TR_SLICER_SLICE: the slice's text (NUL-ended), the caller's to free with tr_free. NULL
** when none is complete. */
char *tr_slicer_take(struct tr_slicer *s, size_t *length);

/* At the end of the text: TR_SLICER_FINE, or why not (TR_SLICER_SHORT for an early end). */
enum tr_slicer_fault tr_slicer_finish(struct tr_slicer *s);

/* After an early end or an error: cuts the envelope back to the last value that arrived whole,
** or bracket that opened, and closes what is open, so that it decodes to all that is known. A
** member whose value had not begun to arrive is left out, and so is a string, number or literal
** that is cut short (12 could become 123); an array or object that had opened stays with what it
** has; an element of colos that is not complete is left out. 0, or TR_BUFFER_NOMEM; a text
** without a whole value or an open bracket gives an empty envelope. Nothing can be fed after. */
int tr_slicer_mend(struct tr_slicer *s);

#endif
