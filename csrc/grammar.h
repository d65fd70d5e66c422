/* grammar: what may come where between the tokens of JSON. Two ways of reading go by it, the exact one
** (slicer) and the quick one (skim). Knows bytes, no texts: strings, numbers and literals are
** for others. */
#ifndef TR_GRAMMAR_H
#define TR_GRAMMAR_H

/* What may come; a reader has states of its own for within a token, from TR_BETWEEN_STATES on. */
enum {
  TR_AT_VALUE,       /* a value */
  TR_AT_FIRST_VALUE, /* a value, or the end of an array */
  TR_AT_NAME,        /* a member name */
  TR_AT_FIRST_NAME,  /* a member name, or the end of an object */
  TR_AT_COLON,
  TR_AT_NEXT, /* a comma, or the end of what is open */
  TR_AT_END,  /* white space */
  TR_BETWEEN_STATES
};

/* What a byte is outside strings. The first one takes in control characters and all that is not
** ASCII. */
enum {
  TR_ALIEN,
  TR_SPACE,
  TR_PLAIN,
  TR_QUOTE,
  TR_OPEN_OBJECT,
  TR_OPEN_ARRAY,
  TR_CLOSE_OBJECT,
  TR_CLOSE_ARRAY,
  TR_COMMA,
  TR_COLON
};

#define TR_BIT(class) (1U << (class))
#define TR_VALUE_BITS                                                                              \
  (TR_BIT(TR_PLAIN) | TR_BIT(TR_QUOTE) | TR_BIT(TR_OPEN_OBJECT) | TR_BIT(TR_OPEN_ARRAY))

extern const unsigned char tr_grammar_class[256];

/* Bit c of tr_grammar_may[state] is set when a byte of class c may come; white space always may. */
extern const unsigned tr_grammar_may[TR_BETWEEN_STATES];

static inline unsigned tr_grammar_class_of(char byte) {
  return tr_grammar_class[(unsigned char)byte];
}

#endif
