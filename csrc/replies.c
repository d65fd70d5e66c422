/* replies: the lines that mtr-packet writes; see replies.h. */
#include "replies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MICROSECONDS 1e-6
#define RTT_MAX 3600e6 /* µs; more is no round trip time */

void tr_address_write(const struct tr_address *address, char *out, size_t size) {
  out[0] = '\0';
  if (address->family == AF_INET || address->family == AF_INET6)
    (void)inet_ntop(address->family, &address->ip, out, (socklen_t)size);
}

int tr_address_read(const char *text, struct tr_address *address) {
  memset(address, 0, sizeof *address);
  address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
  if (inet_pton(address->family, text, &address->ip) == 1) return 0;
  address->family = 0;
  return -1;
}

int tr_address_equal(const struct tr_address *a, const struct tr_address *b) {
  if (a->family != b->family) return 0;
  if (a->family == AF_INET) return a->ip.v4.s_addr == b->ip.v4.s_addr;
  return memcmp(&a->ip.v6, &b->ip.v6, sizeof a->ip.v6) == 0;
}

static char *next_word(char **rest) {
  char *word = *rest + strspn(*rest, " ");
  size_t length = strcspn(word, " ");
  *rest = word + length;
  if (**rest) *(*rest)++ = '\0';
  return length ? word : NULL;
}

/* A plain decimal number up to `most`; -1: it is none. */
static int read_number(const char *text, double most, double *value) {
  size_t length = strspn(text, "0123456789");
  if (length == 0 || length > 15 || text[length]) return -1;
  *value = strtod(text, NULL);
  return *value <= most ? 0 : -1;
}

/* label,traffic class,bottom of stack,ttl for each label, all separated by commas. */
static int read_labels(char *text, struct tr_reply *reply) {
  double part[4];
  unsigned parts = 0;
  for (char *word = text; word;) {
    char *comma = strchr(word, ',');
    if (comma) *comma = '\0';
    if (read_number(word, UINT32_MAX, &part[parts++]) != 0) return -1;
    if (parts == 4) {
      parts = 0;
      if (reply->labels == TR_TRACE_LABELS_MAX) return 0;
      reply->label[reply->labels].label = (uint32_t)part[0];
      reply->label[reply->labels].traffic_class = (unsigned)part[1];
      reply->label[reply->labels].bottom = (unsigned)part[2];
      reply->label[reply->labels].ttl = (unsigned)part[3];
      reply->labels++;
    }
    word = comma ? comma + 1 : NULL;
  }
  return parts == 0 ? 0 : -1;
}

/* The arguments after the command, in pairs; unknown ones are passed over. */
static int read_arguments(char *rest, struct tr_line_value *value) {
  char *name;
  while ((name = next_word(&rest))) {
    char *text = next_word(&rest);
    double number;
    if (!text) return -1;
    if (strcmp(name, "ip-4") == 0 || strcmp(name, "ip-6") == 0) {
      if (tr_address_read(text, &value->reply.from) != 0) return -1;
    } else if (strcmp(name, "round-trip-time") == 0) {
      if (read_number(text, RTT_MAX, &number) != 0) return -1;
      value->reply.rtt = number * MICROSECONDS;
    } else if (strcmp(name, "mpls") == 0) {
      if (read_labels(text, &value->reply) != 0) return -1;
    } else if (strcmp(name, "support") == 0) {
      (void)snprintf(value->support, sizeof value->support, "%s", text);
    }
  }
  return 0;
}

static const struct {
  const char *name;
  enum tr_answer answer;
} answers[] = {
    {"ttl-expired", TR_ANSWER_EXPIRED},
    {"reply", TR_ANSWER_REACHED},
    {"no-reply", TR_ANSWER_SILENT},
    {"no-route", TR_ANSWER_NO_ROUTE},
    {"probes-exhausted", TR_ANSWER_EXHAUSTED},
    {"network-down", TR_ANSWER_UNSENDABLE},
    {"permission-denied", TR_ANSWER_UNSENDABLE},
    {"address-in-use", TR_ANSWER_EXHAUSTED},
    {"address-not-available", TR_ANSWER_UNSENDABLE},
};

enum tr_line tr_replies_read(char *line, struct tr_line_value *value) {
  char *rest = line;
  char *token = next_word(&rest), *command = token ? next_word(&rest) : NULL;
  double number;
  memset(value, 0, sizeof *value);
  if (!command || read_number(token, UINT32_MAX, &number) != 0) return TR_LINE_NOISE;
  value->token = (uint32_t)number;
  if (strcmp(command, "feature-support") == 0)
    return read_arguments(rest, value) == 0 ? TR_LINE_SUPPORT : TR_LINE_NOISE;
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    if (strcmp(command, answers[i].name) != 0) continue;
    value->reply.answer = answers[i].answer;
    if (read_arguments(rest, value) != 0) return TR_LINE_NOISE;
    int needs_address =
        value->reply.answer == TR_ANSWER_EXPIRED || value->reply.answer == TR_ANSWER_REACHED;
    return needs_address && !value->reply.from.family ? TR_LINE_NOISE : TR_LINE_PROBE;
  }
  return TR_LINE_REFUSED;
}
