/* dns: names of addresses, and the answers to them; see dns.h. */
#include "dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 12
#define LABEL_MAX 63
#define NAME_LENGTH_MAX 253
#define TYPE_PTR 12
#define TYPE_TXT 16
#define CLASS_IN 1
#define TXT_MAX 512    /* bytes read of one record */
#define ORIGINS_MAX 16 /* AS numbers kept of one answer */

/* Not isalnum, which follows the locale. */
static int is_name_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

int tr_dns_is_name(const char *text) {
  size_t label = 0, length = 0;
  for (; text[length]; length++) {
    if (length == NAME_LENGTH_MAX + 1) return 0;
    if (text[length] == '.') {
      if (label == 0) return 0;
      label = 0;
    } else if (!is_name_byte((unsigned char)text[length]) || ++label > LABEL_MAX) {
      return 0;
    }
  }
  return length > 0 && length - (label == 0) <= NAME_LENGTH_MAX;
}

static int is_port(const char *text) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 5 || text[digits]) return 0;
  long port = strtol(text, NULL, 10);
  return port >= 1 && port <= 65535;
}

static int is_server(const char *text, size_t length) {
  char copy[INET6_ADDRSTRLEN + sizeof "[]:65535"];
  struct in6_addr address;
  if (length >= sizeof copy) return 0;
  memcpy(copy, text, length);
  copy[length] = '\0';
  char *close = strchr(copy, ']'), *colon = strrchr(copy, ':');
  if (copy[0] == '[') {
    if (!close || (close[1] && (close[1] != ':' || !is_port(close + 2)))) return 0;
    *close = '\0';
    return inet_pton(AF_INET6, copy + 1, &address) == 1;
  }
  if (inet_pton(AF_INET6, copy, &address) == 1) return 1;
  if (colon && !is_port(colon + 1)) return 0;
  if (colon) *colon = '\0';
  return inet_pton(AF_INET, copy, &address) == 1;
}

int tr_dns_are_servers(const char *text) {
  for (;;) {
    size_t length = strcspn(text, ",");
    if (!is_server(text, length)) return 0;
    if (!text[length]) return 1;
    text += length + 1;
  }
}

int tr_dns_reversed(const struct tr_address *address, const char *zone, char *out, size_t size) {
  static const char digits[] = "0123456789abcdef";
  int length;
  if (address->family == AF_INET6) {
    char nibbles[4 * 16 + 1], *at = nibbles;
    for (int i = 15; i >= 0; i--) {
      unsigned char byte = address->ip.v6.s6_addr[i];
      *at++ = digits[byte & 15];
      *at++ = '.';
      *at++ = digits[byte >> 4];
      *at++ = '.';
    }
    *at = '\0';
    length = snprintf(out, size, "%s%s", nibbles, zone);
  } else {
    unsigned char byte[4];
    memcpy(byte, &address->ip.v4, sizeof byte);
    length = snprintf(out, size, "%u.%u.%u.%u.%s", byte[3], byte[2], byte[1], byte[0], zone);
  }
  return length >= 0 && (size_t)length < size ? 0 : -1;
}

/* ---- reading an answer ---- */

struct reader {
  const unsigned char *bytes;
  size_t length, at; /* at <= length */
};

static unsigned two_at(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 8 | bytes[1];
}

static int skip_name(struct reader *r) {
  while (r->at < r->length) {
    unsigned char size = r->bytes[r->at];
    if (size > LABEL_MAX) { /* a pointer ends a name */
      if (size < 0xc0 || r->length - r->at < 2) return -1;
      r->at += 2;
      return 0;
    }
    if (r->length - r->at - 1 < size) return -1;
    r->at += 1u + size;
    if (size == 0) return 0;
  }
  return -1;
}

/* The name at `at` as text. A pointer has to lead to before where it was found, so this ends. */
static int read_name(const struct reader *r, size_t at, char *name) {
  size_t written = 0, before = at;
  for (;;) {
    if (at >= r->length) return -1;
    unsigned char size = r->bytes[at];
    if (size == 0) break;
    if (size > LABEL_MAX) {
      if (size < 0xc0 || r->length - at < 2) return -1;
      size_t to = two_at(r->bytes + at) & 0x3fff;
      if (to >= before) return -1;
      before = at = to;
      continue;
    }
    if (r->length - at - 1 < size || TR_DNS_NAME_MAX - written < size + 2u) return -1;
    if (written > 0) name[written++] = '.';
    for (size_t i = 1; i <= size; i++) {
      if (!is_name_byte(r->bytes[at + i])) return -1;
      name[written++] = (char)r->bytes[at + i];
    }
    at += 1u + size;
  }
  name[written] = '\0';
  return written > 0 && written <= NAME_LENGTH_MAX ? 0 : -1;
}

/* Past header and questions; the number of records that follow, 0 if it is no such answer. */
static unsigned start(struct reader *r, const unsigned char *bytes, size_t length) {
  r->bytes = bytes;
  r->length = length;
  r->at = HEADER;
  if (length < HEADER) return 0;
  for (unsigned questions = two_at(bytes + 4); questions > 0; questions--) {
    if (skip_name(r) != 0 || r->length - r->at < 4) return 0;
    r->at += 4;
  }
  return two_at(bytes + 6);
}

struct record {
  unsigned type;
  unsigned ttl;
  size_t at, length; /* of its data */
};

static int next_record(struct reader *r, struct record *record) {
  if (skip_name(r) != 0 || r->length - r->at < 10) return -1;
  const unsigned char *fixed = r->bytes + r->at;
  record->type = two_at(fixed + 2) == CLASS_IN ? two_at(fixed) : 0;
  record->ttl = two_at(fixed + 4) << 16 | two_at(fixed + 6);
  if (record->ttl >> 31) record->ttl = 0; /* as RFC 2181 has it */
  record->length = two_at(fixed + 8);
  record->at = r->at + 10;
  if (r->length - record->at < record->length) return -1;
  r->at = record->at + record->length;
  return 0;
}

/* The chain of aliases is not followed: whoever answers could have said anything in its place.
** An alias bounds how long the answer holds. */
int tr_dns_pointer(const unsigned char *answer, size_t length, char *name, unsigned *ttl) {
  struct reader r;
  struct record record;
  unsigned least = UINT32_MAX;
  for (unsigned left = start(&r, answer, length); left > 0; left--) {
    if (next_record(&r, &record) != 0) return 0;
    if (record.ttl < least) least = record.ttl;
    if (record.type != TYPE_PTR) continue;
    struct reader within = {answer, record.at + record.length, record.at};
    if (read_name(&within, record.at, name) != 0) return 0;
    *ttl = least;
    return 1;
  }
  return 0;
}

/* ---- origins ---- */

struct origins {
  unsigned prefix, count;
  uint32_t number[ORIGINS_MAX]; /* in ascending order */
};

static void add_origin(struct origins *o, uint32_t number) {
  unsigned i = o->count;
  while (i > 0 && o->number[i - 1] > number)
    i--;
  if ((i > 0 && o->number[i - 1] == number) || o->count == ORIGINS_MAX) return;
  memmove(o->number + i + 1, o->number + i, (o->count - i) * sizeof *o->number);
  o->number[i] = number;
  o->count++;
}

/* A decimal number up to `max`; -1: there is none. Moves *text past its digits. */
static long long number_at(const char **text, long long max) {
  if (**text < '0' || **text > '9') return -1;
  long long number = 0;
  for (; **text >= '0' && **text <= '9'; (*text)++) {
    number = number * 10 + (**text - '0');
    if (number > max) return -1;
  }
  return number;
}

/* One record's text. What is not of the form adds nothing. */
static void read_origin(struct origins *all, const char *text) {
  struct origins here = {0, 0, {0}};
  while (*text == ' ')
    text++;
  while (*text != '|') {
    long long number = number_at(&text, UINT32_MAX);
    if (number <= 0 || (*text != ' ' && *text != '|')) return;
    add_origin(&here, (uint32_t)number);
    while (*text == ' ')
      text++;
  }
  const char *slash = strpbrk(text + 1, "/|");
  if (here.count == 0 || !slash || *slash != '/') return;
  slash++;
  long long prefix = number_at(&slash, 128);
  if (prefix < 0 || (all->count > 0 && (unsigned)prefix < all->prefix)) return;
  if ((unsigned)prefix > all->prefix) all->count = 0;
  all->prefix = (unsigned)prefix;
  for (unsigned i = 0; i < here.count; i++)
    add_origin(all, here.number[i]);
}

/* A TXT record's strings, joined. A NUL in them ends the text. */
static void join_strings(const struct reader *r, const struct record *record, char *text) {
  size_t at = record->at, end = record->at + record->length, written = 0;
  while (at < end) {
    size_t size = r->bytes[at++];
    if (size > end - at) break;
    size_t room = TXT_MAX - written;
    memcpy(text + written, r->bytes + at, size < room ? size : room);
    written += size < room ? size : room;
    at += size;
  }
  text[written] = '\0';
}

int tr_dns_origins(const unsigned char *answer, size_t length, char *text, unsigned *ttl) {
  struct reader r;
  struct record record;
  struct origins origins = {0, 0, {0}};
  char txt[TXT_MAX + 1];
  *ttl = UINT32_MAX;
  for (unsigned left = start(&r, answer, length); left > 0; left--) {
    if (next_record(&r, &record) != 0) break;
    if (record.ttl < *ttl) *ttl = record.ttl;
    if (record.type != TYPE_TXT) continue;
    join_strings(&r, &record, txt);
    read_origin(&origins, txt);
  }
  size_t written = 0;
  for (unsigned i = 0; i < origins.count; i++) {
    char one[16];
    size_t size = (size_t)snprintf(one, sizeof one, "%sAS%lu", i > 0 ? " " : "",
                                   (unsigned long)origins.number[i]);
    if (TR_DNS_ASN_MAX - written <= size) break;
    memcpy(text + written, one, size + 1);
    written += size;
  }
  return written > 0;
}
