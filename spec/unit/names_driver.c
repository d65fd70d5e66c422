/* names_driver: asks names what its standard input says, and prints what it answers, for
** spec/names_spec.lua. Arguments: servers, timeout in seconds, and optionally the origin zones.
**
**   resolve 0|4|6 HOST, reverse ADDRESS, origin ADDRESS   asks; questions are numbered from 1
**   run              until every question is answered or forgotten
**   forget N         as if question N's asker were gone
**   again N          when question N is answered, asks the same once more from within
**   free N           when question N is answered, frees everything from within; 0: now
**   starve N         the N-th block of memory that is asked for from here on is refused
**   refuse ERRNO N   from here on the next N sockets are not watched: the system says ERRNO
**
** An answer is a line: its number, "now" (from within the asking) or "later", and the answer; or
** "now refused", where the asking was. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "names.h"

#define QUESTIONS_MAX 8192
#define LINE_MAX_BYTES 1024

struct asked {
  struct tr_names_asker asker;
  unsigned number;
  int is_open, is_asking, asks_again, frees;
  char line[LINE_MAX_BYTES];
};

static struct asked asked[QUESTIONS_MAX + 1];
static unsigned count, left;
static struct tr_names *names;
static unsigned long until_starved; /* 0: not at all */

static void *starving_realloc(void *block, size_t size) {
  if (size && until_starved && --until_starved == 0) return NULL;
  if (size) return realloc(block, size);
  free(block);
  return NULL;
}

static int refusal;
static long until_watched;

/* In the place of libc's for all of the program. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  if (operation == EPOLL_CTL_ADD && until_watched > 0) {
    until_watched--;
    errno = refusal;
    return -1;
  }
  return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

static void ask(struct asked *one);
static void free_names(void);

static void answered(struct asked *one, const char *text) {
  printf("%u %s %s\n", one->number, one->is_asking ? "now" : "later", text);
  if (!one->is_open) printf("%u twice\n", one->number);
  one->is_open = 0;
  left--;
  if (one->asks_again) {
    one->asks_again = 0;
    ask(one);
  }
  if (one->frees) free_names();
}

static void on_text(void *arg, const char *text, int is_short) {
  answered(arg, text ? text : is_short ? "out of memory" : "-");
}

static void on_address(void *arg, const struct tr_address *address, const char *why) {
  char text[INET6_ADDRSTRLEN];
  if (address) inet_ntop(address->family, &address->ip, text, sizeof text);
  answered(arg, address ? text : why ? why : "out of memory");
}

static struct tr_address address_of(const char *text) {
  struct tr_address address;
  memset(&address, 0, sizeof address);
  address.family = strchr(text, ':') ? AF_INET6 : AF_INET;
  if (inet_pton(address.family, text, &address.ip) != 1) abort();
  return address;
}

/* What follows a word and a space, or NULL: the line has another word. */
static const char *after(const char *line, const char *word) {
  size_t length = strlen(word);
  return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static int ask_line(struct asked *one) {
  one->asker = (struct tr_names_asker){.address = on_address, .text = on_text, .arg = one};
  const char *what = after(one->line, "resolve");
  if (what) {
    int family = *what == '4' ? AF_INET : *what == '6' ? AF_INET6 : AF_UNSPEC;
    return tr_names_resolve(names, what + 2, family, &one->asker);
  }
  what = after(one->line, "reverse");
  int is_reverse = what != NULL;
  if (!what) what = after(one->line, "origin");
  if (!what) abort();
  struct tr_address address = address_of(what);
  return is_reverse ? tr_names_reverse(names, &address, &one->asker)
                    : tr_names_origin(names, &address, &one->asker);
}

static void ask(struct asked *one) {
  one->is_open = one->is_asking = 1;
  left++;
  if (ask_line(one) != 0) answered(one, "refused");
  one->is_asking = 0;
}

static void free_names(void) {
  tr_names_free(names);
  names = NULL;
  left = 0;
}

static struct asked *numbered(const char *text) {
  unsigned long number = strtoul(text, NULL, 10);
  if (number > count) abort();
  return &asked[number];
}

static void obey(struct tr_reactor *reactor, const char *line) {
  const char *number;
  if (strcmp(line, "run") == 0) {
    while (left > 0)
      (void)tr_reactor_run(reactor, 10);
  } else if ((number = after(line, "forget"))) {
    struct asked *one = numbered(number);
    tr_names_forget(names, &one->asker);
    left -= (unsigned)one->is_open;
    one->is_open = 0;
  } else if ((number = after(line, "starve"))) {
    until_starved = strtoul(number, NULL, 10);
  } else if ((number = after(line, "refuse"))) {
    char *end;
    refusal = (int)strtol(number, &end, 10);
    until_watched = strtol(end, NULL, 10);
  } else if ((number = after(line, "again"))) {
    numbered(number)->asks_again = 1;
  } else if ((number = after(line, "free"))) {
    struct asked *one = numbered(number);
    if (one == asked)
      free_names();
    else
      one->frees = 1;
  } else {
    if (count == QUESTIONS_MAX) abort();
    struct asked *one = &asked[++count];
    one->number = count;
    memcpy(one->line, line, strlen(line) + 1);
    ask(one);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  tr_realloc_hook = starving_realloc;
  struct tr_names_options options = {strtod(argv[2], NULL), argc > 4 ? argv[3] : "origin.test",
                                     argc > 4 ? argv[4] : "origin6.test", argv[1]};
  struct tr_reactor *reactor = tr_reactor_new();
  names = reactor ? tr_names_new(reactor, &options) : NULL;
  if (!names) return 2;
  char line[LINE_MAX_BYTES];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    obey(reactor, line);
  }
  tr_names_free(names);
  tr_reactor_free(reactor);
  return 0;
}
