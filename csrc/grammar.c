/* grammar: what may come where between the tokens of JSON; see grammar.h. */
#include "grammar.h"

/* clang-format off */
const unsigned char tr_grammar_class[256] = {
  ['\t'] = TR_SPACE, ['\n'] = TR_SPACE, ['\r'] = TR_SPACE, [' '] = TR_SPACE,
  ['!'] = TR_PLAIN, ['"'] = TR_QUOTE, ['#'] = TR_PLAIN, ['$'] = TR_PLAIN, ['%'] = TR_PLAIN, ['&'] = TR_PLAIN,
  ['\''] = TR_PLAIN, ['('] = TR_PLAIN, [')'] = TR_PLAIN, ['*'] = TR_PLAIN, ['+'] = TR_PLAIN, [','] = TR_COMMA,
  ['-'] = TR_PLAIN, ['.'] = TR_PLAIN, ['/'] = TR_PLAIN,
  ['0'] = TR_PLAIN, ['1'] = TR_PLAIN, ['2'] = TR_PLAIN, ['3'] = TR_PLAIN, ['4'] = TR_PLAIN,
  ['5'] = TR_PLAIN, ['6'] = TR_PLAIN, ['7'] = TR_PLAIN, ['8'] = TR_PLAIN, ['9'] = TR_PLAIN,
  [':'] = TR_COLON, [';'] = TR_PLAIN, ['<'] = TR_PLAIN, ['='] = TR_PLAIN, ['>'] = TR_PLAIN, ['?'] = TR_PLAIN,
  ['@'] = TR_PLAIN, ['A'] = TR_PLAIN, ['B'] = TR_PLAIN, ['C'] = TR_PLAIN, ['D'] = TR_PLAIN, ['E'] = TR_PLAIN,
  ['F'] = TR_PLAIN, ['G'] = TR_PLAIN, ['H'] = TR_PLAIN, ['I'] = TR_PLAIN, ['J'] = TR_PLAIN, ['K'] = TR_PLAIN,
  ['L'] = TR_PLAIN, ['M'] = TR_PLAIN, ['N'] = TR_PLAIN, ['O'] = TR_PLAIN, ['P'] = TR_PLAIN, ['Q'] = TR_PLAIN,
  ['R'] = TR_PLAIN, ['S'] = TR_PLAIN, ['T'] = TR_PLAIN, ['U'] = TR_PLAIN, ['V'] = TR_PLAIN, ['W'] = TR_PLAIN,
  ['X'] = TR_PLAIN, ['Y'] = TR_PLAIN, ['Z'] = TR_PLAIN,
  ['['] = TR_OPEN_ARRAY, ['\\'] = TR_PLAIN, [']'] = TR_CLOSE_ARRAY, ['^'] = TR_PLAIN, ['_'] = TR_PLAIN,
  ['`'] = TR_PLAIN, ['a'] = TR_PLAIN, ['b'] = TR_PLAIN, ['c'] = TR_PLAIN, ['d'] = TR_PLAIN, ['e'] = TR_PLAIN, ['f'] = TR_PLAIN,
  ['g'] = TR_PLAIN, ['h'] = TR_PLAIN, ['i'] = TR_PLAIN, ['j'] = TR_PLAIN, ['k'] = TR_PLAIN, ['l'] = TR_PLAIN,
  ['m'] = TR_PLAIN, ['n'] = TR_PLAIN, ['o'] = TR_PLAIN, ['p'] = TR_PLAIN, ['q'] = TR_PLAIN, ['r'] = TR_PLAIN,
  ['s'] = TR_PLAIN, ['t'] = TR_PLAIN, ['u'] = TR_PLAIN, ['v'] = TR_PLAIN, ['w'] = TR_PLAIN, ['x'] = TR_PLAIN,
  ['y'] = TR_PLAIN, ['z'] = TR_PLAIN,
  ['{'] = TR_OPEN_OBJECT, ['|'] = TR_PLAIN, ['}'] = TR_CLOSE_OBJECT, ['~'] = TR_PLAIN,
};
/* clang-format on */

const unsigned tr_grammar_may[TR_BETWEEN_STATES] = {
    [TR_AT_VALUE] = TR_VALUE_BITS,
    [TR_AT_FIRST_VALUE] = TR_VALUE_BITS | TR_BIT(TR_CLOSE_ARRAY),
    [TR_AT_NAME] = TR_BIT(TR_QUOTE),
    [TR_AT_FIRST_NAME] = TR_BIT(TR_QUOTE) | TR_BIT(TR_CLOSE_OBJECT),
    [TR_AT_COLON] = TR_BIT(TR_COLON),
    [TR_AT_NEXT] = TR_BIT(TR_COMMA) | TR_BIT(TR_CLOSE_OBJECT) | TR_BIT(TR_CLOSE_ARRAY),
    [TR_AT_END] = 0,
};
