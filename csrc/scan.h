/* scan: to the end of a token of JSON, sixteen bytes at a time where every processor of the kind can,
** and whether it is a certain one: tokens are short, and a loop over single bytes ends where no
** processor foresees it. Knows no more of JSON. */
#ifndef TR_SCAN_H
#define TR_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline int tr_scan_same8(const char *one, const char *other) {
  uint64_t ours, theirs;
  memcpy(&ours, one, sizeof ours);
  memcpy(&theirs, other, sizeof theirs);
  return ours == theirs;
}

/* Whether both have the same bytes. */
static inline int tr_scan_same(const char *one, const char *other, size_t length) {
  if (length < 8) {
    while (length > 0 && *one == *other) {
      one++;
      other++;
      length--;
    }
    return length == 0;
  }
  for (size_t at = 0; at + 8 < length; at += 8)
    if (!tr_scan_same8(one + at, other + at)) return 0;
  return tr_scan_same8(one + length - 8, other + length - 8);
}

/* The first byte from `at` on that is a quote, a backslash or a control character; or `end`. */
static inline const char *tr_scan_string(const char *at, const char *end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    ends = _mm_or_si128(ends, _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
    int found = _mm_movemask_epi8(ends);
    if (found) return at + __builtin_ctz((unsigned)found);
  }
#endif
  while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
    at++;
  return at;
}

/* The first byte from `at` on that is white space or punctuation of JSON, a quote, a control character
** or not ASCII: what a number or a literal ends with. Or `end`. */
static inline const char *tr_scan_scalar(const char *at, const char *end) {
#ifdef __SSE2__
  const __m128i first = _mm_set1_epi8(0x21), del = _mm_set1_epi8(0x7f), round = _mm_set1_epi8(0x20);
  const __m128i quote = _mm_set1_epi8('"'), comma = _mm_set1_epi8(','), colon = _mm_set1_epi8(':');
  const __m128i opening = _mm_set1_epi8('{'), closing = _mm_set1_epi8('}');
  for (; end - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i rounded = _mm_or_si128(bytes, round); /* of square brackets, curly ones */
    __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, comma), _mm_cmpeq_epi8(rounded, closing));
    ends = _mm_or_si128(ends, _mm_cmpeq_epi8(rounded, opening));
    ends = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, quote));
    ends = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, colon));
    ends = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, del));
    ends = _mm_or_si128(ends, _mm_cmplt_epi8(bytes, first)); /* signed: not ASCII is below 0 */
    int found = _mm_movemask_epi8(ends);
    if (found) return at + __builtin_ctz((unsigned)found);
  }
#endif
  while (at<end && * at> 0x20 && *at < 0x7f && *at != '"' && *at != ',' && *at != ':' &&
         (*at | 0x20) != '{' && (*at | 0x20) != '}')
    at++;
  return at;
}

#endif
