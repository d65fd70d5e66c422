/* number: the text of a number -> a double; see number.h. */
#include "number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DIGITS 15 /* so many are exact in a double */
#define WHOLE_DIGITS 19 /* so many are in 64 bits, and so is the power of ten behind as many */
#define LENGTH_MAX 40   /* bytes of one; a double needs 24 */

/* In which a decimal point is one, whatever the program has set. */
static locale_t c_locale;

static void make_locale(void) {
  c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

void tr_number_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, make_locale);
}

struct digits {
  uint64_t value; /* of all of them, as long as they fit in */
  long count;     /* without zeros in front of all */
};

/* Behind the digits, which are added to the value. */
static const char *read_digits(const char *at, uint64_t *value) {
  for (unsigned digit; (digit = (unsigned)(unsigned char)*at - '0') <= 9; at++)
    *value = *value * 10 + digit;
  return at;
}

/* Zeros in front of a number's other digits, the point left out. */
static long leading_zeros(const char *at) {
  long zeros = 0;
  for (; *at == '0' || *at == '.'; at++)
    zeros += *at == '0';
  return zeros;
}

/* Behind an exponent, or where none is; NULL: it is broken off. */
static const char *skip_exponent(const char *at) {
  if (*at != 'e' && *at != 'E') return at;
  const char *digits = at + (at[1] == '+' || at[1] == '-' ? 2 : 1);
  for (at = digits; *at >= '0' && *at <= '9'; at++) {
  }
  return at > digits ? at : NULL;
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;

/* The quotient of both, shifted until their highest bits are set, has 63 bits or 64: ten more than
** a double, which is enough to round once, as long as the last one tells of a rest. */
static double divide(uint64_t value, uint64_t power) {
  if (value == 0) return 0;
  int value_shift = __builtin_clzll(value), power_shift = __builtin_clzll(power);
  uint128 numerator = (uint128)(value << value_shift) << 63;
  uint64_t denominator = power << power_shift;
  uint64_t quotient = (uint64_t)(numerator / denominator);
  uint64_t has_rest = (uint128)quotient * denominator != numerator;
  /* A power of two between 2^-126 and 1, by its bits. */
  uint64_t bits = (uint64_t)(1023 + power_shift - value_shift - 63) << 52;
  double shift;
  memcpy(&shift, &bits, sizeof shift);
  return (double)(quotient | has_rest) * shift;
}
#endif

/* The double nearest to value / 10^fraction; 0: it cannot be told here. */
static int scale(const struct digits *d, long fraction, double *number) {
  static const double power[WHOLE_DIGITS + 1] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                 1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  if (FLT_EVAL_METHOD != 0) return 0; /* more digits than a double has would be rounded twice */
  if (d->count <= EXACT_DIGITS && fraction <= EXACT_DIGITS) { /* both are exact */
    *number = (double)d->value / power[fraction];
    return 1;
  }
#ifdef __SIZEOF_INT128__
  if (d->count <= WHOLE_DIGITS && fraction <= WHOLE_DIGITS) {
    *number = divide(d->value, (uint64_t)power[fraction]);
    return 1;
  }
#endif
  return 0;
}

const char *tr_number_read(const char *text, int is_integer, double *number) {
  struct digits d = {0, 0};
  int is_negative = *text == '-';
  long fraction = 0;
  const char *first = text + is_negative, *at = read_digits(first, &d.value);
  if (at == first || (*first == '0' && at > first + 1)) return NULL;
  d.count = at - first;
  if (*at == '.') {
    const char *point = at;
    at = read_digits(point + 1, &d.value);
    fraction = at - (point + 1);
    if (fraction == 0) return NULL;
    d.count += fraction;
  }
  if (d.count > EXACT_DIGITS) d.count -= leading_zeros(first);
  const char *behind = skip_exponent(at);
  if (!behind) return NULL;
  if (is_integer && (behind != at || fraction > 0 || d.count > EXACT_DIGITS)) return NULL;
  if (behind == at && scale(&d, fraction, number)) {
    if (is_negative) *number = -*number;
    return behind;
  }
  if (behind - text > LENGTH_MAX || !c_locale) return NULL;
  char *end;
  *number = strtod_l(text, &end, c_locale);
  return end == behind && !isinf(*number) ? behind : NULL;
}
