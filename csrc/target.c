/* target: host names and addresses as text; see target.h. */
#include "target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Not ctype's, which ask the locale. */
static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int is_label_byte(char c) {
  return is_digit(c) || c == '_' || (lower(c) >= 'a' && lower(c) <= 'z');
}

static int is_ipv6(const char *text) {
  struct in6_addr v6;
  return inet_pton(AF_INET6, text, &v6) == 1;
}

static int is_ipv4(const char *text) {
  struct in_addr v4;
  return inet_pton(AF_INET, text, &v4) == 1;
}

/* Letters, digits, hyphens and underscores in labels of 1 to 63 bytes, with dots between. */
static int is_name(const char *text) {
  size_t label = 0;
  for (const char *p = text; *p; p++) {
    if (*p == '.') {
      if (label == 0 || p[-1] == '-') return 0;
      label = 0;
    } else if (is_label_byte(*p) || (*p == '-' && label > 0)) {
      if (++label > 63) return 0;
    } else {
      return 0;
    }
  }
  size_t length = strlen(text);
  return length > 0 && text[length - 1] != '-';
}

static int is_hex_digit(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/* A name whose last label is a number, hexadecimal ones included, would be read as an address by
** some and as a name by others. */
static int ends_in_number(const char *text) {
  size_t length = strlen(text);
  if (length && text[length - 1] == '.') length--;
  size_t start = length;
  while (start > 0 && text[start - 1] != '.')
    start--;
  int is_hex = length - start > 2 && text[start] == '0' && lower(text[start + 1]) == 'x';
  for (size_t i = start + (is_hex ? 2 : 0); i < length; i++)
    if (!is_digit(text[i]) && !(is_hex && is_hex_digit(text[i]))) return 0;
  return length > start;
}

static int can_be_traced(const char *text) {
  return is_ipv4(text) || is_ipv6(text) || (is_name(text) && !ends_in_number(text));
}

/* What stands between a scheme or user name and a port or path; "" if that is no target either. */
static void host_part(const char *text, char *out, size_t size) {
  const char *scheme = strstr(text, "://");
  if (scheme) text = scheme + 3;
  const char *at = strchr(text, '@');
  if (at && strcspn(text, "/?#") > (size_t)(at - text)) text = at + 1;
  size_t length;
  if (*text == '[') {
    text++;
    length = strcspn(text, "]");
  } else {
    length = strcspn(text, "/?#");
    const char *colon = memchr(text, ':', length);
    int is_v6 = colon && memchr(colon + 1, ':', length - (size_t)(colon - text) - 1);
    if (colon && !is_v6) length = (size_t)(colon - text);
  }
  if (length >= size) length = size - 1;
  memcpy(out, text, length);
  out[length] = '\0';
  if (!can_be_traced(out)) out[0] = '\0';
}

static const char *hinted(const char *fault, const char *text, const char *more, char *hint,
                          size_t size) {
  char host[TR_TARGET_MAX + 1];
  host_part(text, host, sizeof host);
  if (*host)
    snprintf(hint, size, "%s; did you mean \"%s\"?%s", fault, host, more);
  else
    snprintf(hint, size, "%s", fault);
  return hint;
}

static const char *what_it_is(const char *text, char *hint, size_t size) {
  const char *colon = strchr(text, ':');
  if (strstr(text, "://")) return hinted("a URL, not a host name or address", text, "", hint, size);
  if (*text == '[') return hinted("an address in brackets", text, "", hint, size);
  if (strchr(text, '%'))
    return "an address with a zone, which means nothing elsewhere; leave out the %";
  if (strchr(text, '/'))
    return hinted("a path or a network, not a host name or address", text, "", hint, size);
  if (colon && strchr(colon + 1, ':')) return "not an IPv6 address";
  if (colon) return hinted("a host with a port", text, " (a port is the option port)", hint, size);
  if (strchr(text, '@')) return hinted("a user name with a host", text, "", hint, size);
  if (*text == ' ' || text[strlen(text) - 1] == ' ')
    return "no host name: strip the blanks around it";
  if (strchr(text, ' ') || strchr(text, ','))
    return "more than one word; pass several targets as an array";
  if (strchr(text, '*')) return "a wildcard, not a host name";
  for (const char *p = text; *p; p++)
    if ((unsigned char)*p >= 0x80) return "not ASCII; write an internationalised name as xn--…";
  return "not a host name or an IP address";
}

const char *tr_target_fault(const char *text, size_t length, char *hint, size_t size) {
  char copy[TR_TARGET_MAX + 2];
  if (length == 0) return "empty";
  if (length > TR_TARGET_MAX + 1) return "longer than a host name can be (253 bytes)";
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
      return "no host name: it holds a control character; strip white space and line ends";
  memcpy(copy, text, length);
  copy[length] = '\0';
  if (is_ipv4(copy) || is_ipv6(copy)) return NULL;
  if (is_name(copy)) {
    if (ends_in_number(copy)) return "not an IPv4 address (four numbers from 0 to 255)";
    if (length > TR_TARGET_MAX && copy[length - 1] != '.')
      return "longer than a host name can be (253 bytes)";
    return NULL;
  }
  return what_it_is(copy, hint, size);
}

void tr_target_canonical(const char *text, size_t length, char *out) {
  struct in6_addr v6;
  if (length > TR_TARGET_MAX) length = TR_TARGET_MAX;
  for (size_t i = 0; i < length; i++)
    out[i] = lower(text[i]);
  out[length] = '\0';
  if (length && out[length - 1] == '.') out[length - 1] = '\0';
  if (inet_pton(AF_INET6, out, &v6) == 1) (void)inet_ntop(AF_INET6, &v6, out, TR_TARGET_MAX + 1);
}
