/* error: the kinds of failure, their messages, and keeping secrets out of them; see error.h.
** Every byte that goes into a message is taken for hostile; nothing here allocates. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAG_MAX 1024 /* bytes that a markup tag is looked for in */

void tr_error_clear(struct tr_error *e) {
  memset(e, 0, sizeof *e);
  e->retry_after = -1;
}

static int is_continuation(char c) {
  return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length of the UTF-8 sequence at s and the character it stands for; 0: not UTF-8. Longer forms
** than needed, surrogates and what lies above U+10FFFF are not. */
static size_t decode(const char *s, size_t left, unsigned *character) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = (unsigned char)*s;
  *character = first;
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length > left) return 0;
  unsigned c = first & (0x7FU >> length);
  for (size_t i = 1; i < length; i++) {
    if (!is_continuation(s[i])) return 0;
    c = c << 6 | ((unsigned char)s[i] & 0x3F);
  }
  if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
  *character = c;
  return length;
}

/* Control characters, and those that break a line or turn the direction of writing: a terminal
** would show something else than what was said. */
static int is_control(unsigned c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static int is_white(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What is shown for the character at s: itself, a space, or '?'. */
struct glyph {
  size_t taken;
  const char *shown;
  size_t length;
};

static struct glyph glyph_at(const char *s, size_t left) {
  unsigned character;
  size_t taken = decode(s, left, &character);
  if (is_white(*s)) return (struct glyph){1, " ", 1};
  if (taken == 0) return (struct glyph){1, "?", 1};
  if (is_control(character)) return (struct glyph){taken, "?", 1};
  return (struct glyph){taken, s, taken};
}

void tr_error_set(struct tr_error *e, enum tr_kind kind, const char *format, ...) {
  char text[TR_MESSAGE_MAX]; /* the arguments may lie in the old message */
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  size_t length = wanted < 0 ? 0 : (size_t)wanted;
  if (length >= sizeof text) {
    length = sizeof text - 1;
    while (length > 0 && is_continuation(text[length - 1]))
      length--;
    if (length > 0 && (unsigned char)text[length - 1] >= 0xC0) length--;
  }
  e->kind = kind;
  size_t used = 0;
  for (size_t at = 0; at < length;) { /* no glyph is longer than what it is taken from */
    struct glyph g = glyph_at(text + at, length - at);
    memcpy(e->message + used, g.shown, g.length);
    used += g.length;
    at += g.taken;
  }
  e->message[used] = '\0';
}

const char *tr_kind_name(enum tr_kind kind) {
  static const char *const names[TR_KINDS] = {
      [TR_NONE] = "none",
      [TR_INVALID_REQUEST] = "invalid_request",
      [TR_AUTHENTICATION] = "authentication",
      [TR_PERMISSION] = "permission",
      [TR_NOT_FOUND] = "not_found",
      [TR_RATE_LIMIT] = "rate_limit",
      [TR_API] = "api",
      [TR_SERVER] = "server",
      [TR_CONNECTION] = "connection",
      [TR_TIMEOUT] = "timeout",
      [TR_INVALID_RESPONSE] = "invalid_response",
      [TR_CANCELLED] = "cancelled",
  };
  return (unsigned)kind < TR_KINDS ? names[kind] : names[TR_NONE];
}

enum tr_kind tr_kind_of_status(int status) {
  switch (status) {
  case 400:
  case 405:
  case 406:
  case 409:
  case 411:
  case 413:
  case 414:
  case 415:
  case 422:
    return TR_INVALID_REQUEST;
  case 401:
    return TR_AUTHENTICATION;
  case 403:
    return TR_PERMISSION;
  case 404:
    return TR_NOT_FOUND;
  case 408:
    return TR_TIMEOUT;
  case 429:
    return TR_RATE_LIMIT;
  default:
    break;
  }
  if (status >= 500) return TR_SERVER;
  if (status >= 400) return TR_API;
  if (status >= 200 && status < 300) return TR_API; /* it said no inside the envelope */
  return TR_INVALID_RESPONSE;
}

void tr_redact(char *text, size_t length, const char *secret) {
  size_t size = secret ? strlen(secret) : 0;
  if (!text || size < TR_REDACT_MIN) return;
  /* Occurrences may overlap: a byte is overwritten only after every match that begins at it or
  ** before it was seen. */
  size_t covered = 0;
  for (size_t at = 0; at < length; at++) {
    size_t left = length - at, compared = left < size ? left : size;
    if (compared >= TR_REDACT_MIN && memcmp(text + at, secret, compared) == 0)
      covered = at + compared;
    if (at < covered) text[at] = '*';
  }
}

/* Length of the markup tag at s, 0 if none: '<' alone is text, and so is what no '>' ends. */
static size_t tag_length(const char *s, size_t left) {
  if (left < 3 || *s != '<') return 0;
  unsigned char next = (unsigned char)s[1] | 0x20; /* letters become small ones */
  if (!(next >= 'a' && next <= 'z') && s[1] != '/' && s[1] != '!' && s[1] != '?') return 0;
  const char *end = memchr(s, '>', left < TAG_MAX ? left : TAG_MAX);
  return end ? (size_t)(end - s) + 1 : 0;
}

void tr_excerpt(char *out, size_t size, const char *bytes, size_t length) {
  if (size == 0) return;
  size_t used = 0, at = 0, gap = 0;
  while (at < length) {
    size_t tag = tag_length(bytes + at, length - at);
    if (tag > 0 || is_white(bytes[at])) {
      gap = used > 0;
      at += tag > 0 ? tag : 1;
      continue;
    }
    struct glyph g = glyph_at(bytes + at, length - at);
    if (used + gap + g.length >= size) break;
    if (gap) out[used++] = ' ';
    gap = 0;
    memcpy(out + used, g.shown, g.length);
    used += g.length;
    at += g.taken;
  }
  out[used] = '\0';
}

void tr_excerpt_without(char *out, size_t size, char *bytes, size_t length, const char *secret) {
  tr_redact(bytes, length, secret);
  tr_excerpt(out, size, bytes, length);
}
