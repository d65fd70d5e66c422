/* vantage: mtr-packet as a child on pipes; see vantage.h. */
#include "vantage.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "buffer.h"
#include "child.h"
#include "route.h"

#define PROGRAM "mtr-packet"
#define LOCATION_VARIABLE "MTR_PACKET" /* as mtr itself has it */
#define OUT_MAX ((size_t)256 * 1024)   /* bytes of commands that wait for the pipe */
#define FLUSH_SECONDS 0.002            /* until a full pipe is tried again */
#define ANSWERS_MAX 262144             /* bytes: more than the answers to all that can be out */
#define READ_BYTES 16384
#define COMPLAINT_MAX 200
#define OWN_DESCRIPTORS 24 /* what it has open besides; a TCP probe takes one while it is out */
#define GREETING INT32_MAX /* a token that no probe has */
#define GREETING_SECONDS 5 /* in which the child has to answer it */

/* A probe that is out. The token on the pipe is its slot and how often that was used. */
struct slot {
  struct tr_vantage_user *user; /* NULL: nobody waits for it any more, or it is free */
  uint32_t token;               /* the user's */
  struct tr_address to;
  uint32_t uses;
  int is_out;
  int next_free;
  double until; /* it is out no longer, whatever comes of it */
};

struct tr_vantage {
  struct tr_reactor *reactor;
  struct tr_child child;
  int is_known; /* it answered our greeting: it is mtr-packet */
  struct tr_watch from, complaints;
  struct tr_timer flush, patience;
  struct tr_buffer out;
  char line[TR_REPLY_LINE_MAX];
  size_t line_length;
  int line_is_long; /* the rest of an overlong line is skipped */
  char complaint[COMPLAINT_MAX];
  size_t complaint_length;
  struct tr_vantage_user *users;
  struct slot slots[TR_VANTAGE_IN_FLIGHT];
  int first_free;
  double overdue_at; /* when the first slot may be so; looked for only when none is free */
};

/* ---- slots ---- */

/* As many are for use as the child has descriptors for: of one that it cannot open it says no more
** than of a command that it does not understand. */
static void free_all_slots(struct tr_vantage *v) {
  int most = TR_VANTAGE_IN_FLIGHT;
  if (v->child.descriptors < TR_VANTAGE_IN_FLIGHT + OWN_DESCRIPTORS)
    most = (int)v->child.descriptors - OWN_DESCRIPTORS;
  for (int i = 0; i < TR_VANTAGE_IN_FLIGHT; i++) {
    v->slots[i].user = NULL;
    v->slots[i].is_out = 0;
    v->slots[i].next_free = i + 1 < most ? i + 1 : -1;
  }
  v->first_free = 0;
  v->overdue_at = HUGE_VAL;
}

static uint32_t pipe_token(const struct tr_vantage *v, int i) {
  return v->slots[i].uses % (INT32_MAX / TR_VANTAGE_IN_FLIGHT) * TR_VANTAGE_IN_FLIGHT + (uint32_t)i;
}

static void free_slot(struct tr_vantage *v, int i) {
  v->slots[i].user = NULL;
  v->slots[i].is_out = 0;
  v->slots[i].next_free = v->first_free;
  v->first_free = i;
}

/* A probe whose answer cannot be read, or never comes, would hold its slot for ever. */
static void free_overdue(struct tr_vantage *v, double now) {
  if (now < v->overdue_at) return;
  v->overdue_at = HUGE_VAL;
  for (int i = 0; i < TR_VANTAGE_IN_FLIGHT; i++) {
    struct slot *slot = &v->slots[i];
    if (!slot->is_out) continue;
    if (slot->until <= now)
      free_slot(v, i);
    else if (slot->until < v->overdue_at)
      v->overdue_at = slot->until;
  }
}

/* ---- the child's end ---- */

/* Its status, as tr_child_stop has it. */
static int stop_child(struct tr_vantage *v, int is_ending) {
  if (!v->child.pid) return -1;
  tr_timer_stop(&v->flush);
  tr_timer_stop(&v->patience);
  tr_watch_stop(v->reactor, &v->from);
  tr_watch_stop(v->reactor, &v->complaints);
  v->is_known = 0;
  int status = tr_child_stop(&v->child, is_ending);
  tr_buffer_clear(&v->out);
  v->line_length = 0;
  v->line_is_long = 0;
  return status;
}

static void unlink_user(struct tr_vantage_user *user) {
  if (!user->link) return;
  *user->link = user->next;
  if (user->next) user->next->link = user->link;
  user->link = NULL;
}

/* Everybody learns of it; the next to join starts another child. Those who join from within are
** not among them. */
static void tell_all(struct tr_vantage *v, const struct tr_error *error) {
  struct tr_vantage_user *dead = v->users;
  v->users = NULL;
  if (dead) dead->link = &dead;
  while (dead) {
    struct tr_vantage_user *user = dead;
    unlink_user(user);
    user->died(user->arg, error);
  }
}

static void take_complaints(struct tr_vantage *v) {
  char bytes[512];
  ssize_t got;
  while ((got = read(v->child.complaints, bytes, sizeof bytes)) > 0) {
    size_t room = sizeof v->complaint - v->complaint_length;
    size_t part = (size_t)got < room ? (size_t)got : room;
    memcpy(v->complaint + v->complaint_length, bytes, part);
    v->complaint_length += part;
  }
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) tr_watch_stop(v->reactor, &v->complaints);
}

/* It has ended: before it ever answered it could not run, and later it was killed or broke. */
static void bury(struct tr_vantage *v) {
  struct tr_error error;
  char said[COMPLAINT_MAX + 1];
  int was_known = v->is_known;
  take_complaints(v); /* they may be behind its end */
  tr_excerpt(said, sizeof said, v->complaint, v->complaint_length);
  int status = stop_child(v, 1);
  if (!*said && status >= 0 && WIFSIGNALED(status))
    snprintf(said, sizeof said, "signal %d", WTERMSIG(status));
  else if (!*said && status >= 0)
    snprintf(said, sizeof said, "exit status %d", WEXITSTATUS(status));
  tr_error_clear(&error);
  if (was_known)
    tr_error_set(&error, TR_CONNECTION, "mtr-packet ended in the middle of a trace%s%s; try again",
                 *said ? ": " : "", said);
  else
    tr_error_set(&error, TR_PERMISSION,
                 "mtr-packet does not run here%s%s; it needs the capability net_raw: as root, "
                 "setcap cap_net_raw+ep \"$(command -v mtr-packet)\", or reinstall mtr-tiny",
                 *said ? ": " : "", said);
  tell_all(v, &error);
}

/* It does not speak mtr-packet's language. */
static void dismiss(void *arg) {
  struct tr_vantage *v = arg;
  struct tr_error error;
  (void)stop_child(v, 0);
  tr_error_clear(&error);
  tr_error_set(&error, TR_PERMISSION,
               "what is called mtr-packet here does not answer as mtr-packet 0.87 and later do; "
               "install mtr-tiny (or mtr), and see that MTR_PACKET names its mtr-packet");
  tell_all(v, &error);
}

/* ---- what it says ---- */

/* A refusal does not say its reason, but a route may have gone since the first probe. */
static void deliver(struct tr_vantage *v, struct tr_line_value *value, int is_refused) {
  int i = (int)(value->token % TR_VANTAGE_IN_FLIGHT);
  struct slot *slot = &v->slots[i];
  if (!slot->is_out || pipe_token(v, i) != value->token) return;
  struct tr_vantage_user *user = slot->user;
  uint32_t token = slot->token;
  free_slot(v, i);
  if (!user) return;
  if (is_refused) {
    value->reply.answer = tr_route_look(&slot->to, TR_ANSWER_REFUSED);
    value->reply.is_local = value->reply.answer != TR_ANSWER_REFUSED;
  }
  user->answer(user->arg, token, &value->reply);
}

/* None of them joins or leaves at once. */
static void tell_ready(struct tr_vantage *v) {
  for (struct tr_vantage_user *user = v->users; user; user = user->next)
    user->ready(user->arg);
}

static void take_line(struct tr_vantage *v) {
  struct tr_line_value value;
  enum tr_line line = tr_replies_read(v->line, &value);
  if (!v->is_known) {
    if (line != TR_LINE_SUPPORT || value.token != GREETING) {
      dismiss(v);
      return;
    }
    v->is_known = 1;
    tr_timer_stop(&v->patience);
    tell_ready(v);
  } else if (line == TR_LINE_PROBE || line == TR_LINE_REFUSED) {
    deliver(v, &value, line == TR_LINE_REFUSED);
  }
}

static void take_bytes(struct tr_vantage *v, const char *bytes, size_t length) {
  for (size_t i = 0; i < length && v->child.pid; i++) {
    if (bytes[i] == '\n') {
      v->line[v->line_length] = '\0';
      int is_fine = !v->line_is_long;
      v->line_length = 0;
      v->line_is_long = 0;
      if (is_fine) take_line(v);
    } else if (v->line_length + 1 < sizeof v->line) {
      v->line[v->line_length++] = bytes[i] ? bytes[i] : '?';
    } else {
      v->line_is_long = 1;
    }
  }
}

/* All that is there, so that what waited for us in the pipe is known before anybody looks which
** probes are overdue: a caller may have stepped long after they were answered. */
static void on_answers(void *arg) {
  struct tr_vantage *v = arg;
  char bytes[READ_BYTES];
  for (int i = 0; i < ANSWERS_MAX / READ_BYTES && v->child.pid; i++) {
    ssize_t got = read(v->child.from, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) bury(v);
    if (got > 0) take_bytes(v, bytes, (size_t)got);
    if (got < READ_BYTES) return;
  }
}

static void on_complaint(void *arg) {
  take_complaints(arg);
}

/* ---- what it is told ---- */

static void flush(void *arg) {
  struct tr_vantage *v = arg;
  while (v->out.length) {
    ssize_t put = write(v->child.to, v->out.data, v->out.length);
    if (put < 0 && errno == EINTR) continue;
    /* A broken pipe shows as the end of its answers, too. */
    if (put < 0) {
      if (errno == EAGAIN) tr_timer_set(v->reactor, &v->flush, tr_clock() + FLUSH_SECONDS);
      return;
    }
    tr_buffer_drop(&v->out, (size_t)put);
  }
}

int tr_vantage_send(struct tr_vantage *v, struct tr_vantage_user *user,
                    const struct tr_probe *probe, enum tr_protocol protocol, double wait_time,
                    enum tr_answer *answer) {
  static const char *const names[] = {"icmp", "udp", "tcp"};
  char address[64], line[256];
  double now = tr_clock();
  if (v->first_free < 0) free_overdue(v, now);
  int i = v->first_free;
  *answer = TR_ANSWER_EXHAUSTED;
  if (!v->is_known || i < 0) return -1;
  /* mtr-packet 0.95 falls over an unreachable route. Every target is first probed with this TTL. */
  if (probe->ttl == 1) *answer = tr_route_look(probe->to, *answer);
  if (*answer != TR_ANSWER_EXHAUSTED) return -1;
  struct slot *slot = &v->slots[i];
  slot->uses++;
  tr_address_write(probe->to, address, sizeof address);
  int length = snprintf(line, sizeof line, "%u send-probe ip-%c %s protocol %s ttl %u timeout %d",
                        (unsigned)pipe_token(v, i), probe->to->family == AF_INET6 ? '6' : '4',
                        address, names[protocol], probe->ttl, (int)ceil(wait_time));
  if (protocol != TR_PROTOCOL_ICMP)
    length += snprintf(line + length, sizeof line - (size_t)length, " port %u", probe->port);
  /* mtr-packet 0.95 does not know an IPv6 probe again whose ports are both given. */
  if (probe->local_port && probe->to->family == AF_INET)
    length +=
        snprintf(line + length, sizeof line - (size_t)length, " local-port %u", probe->local_port);
  line[length++] = '\n';
  if (tr_buffer_append(&v->out, line, (size_t)length) != TR_BUFFER_OK) return -1;
  v->first_free = slot->next_free;
  slot->user = user;
  slot->token = probe->token;
  slot->to = *probe->to;
  slot->is_out = 1;
  slot->until = now + ceil(wait_time) + TR_TRACE_GRACE;
  if (slot->until < v->overdue_at) v->overdue_at = slot->until;
  /* Commands of one run go out together. */
  if (!v->flush.timers) tr_timer_set(v->reactor, &v->flush, 0);
  return 0;
}

/* ---- the child's beginning ---- */

/* Asks it for its version, so that a program which is not mtr-packet, or too old to know the
** question, shows at once and not as a network that keeps silent. */
static int greet(struct tr_vantage *v) {
  char line[64];
  int length = snprintf(line, sizeof line, "%d check-support feature version\n", GREETING);
  if (tr_buffer_append(&v->out, line, (size_t)length) != TR_BUFFER_OK) {
    errno = ENOMEM;
    return -1;
  }
  tr_timer_set(v->reactor, &v->flush, 0);
  tr_timer_set(v->reactor, &v->patience, tr_clock() + GREETING_SECONDS);
  return 0;
}

static int start_child(struct tr_vantage *v) {
  const char *program = secure_getenv(LOCATION_VARIABLE);
  int status = tr_child_start(&v->child, program && *program ? program : PROGRAM,
                              TR_VANTAGE_IN_FLIGHT + OWN_DESCRIPTORS);
  if (status != 0) return status;
  /* While it cannot write it sees nothing of what arrives, and takes it for late. */
  (void)fcntl(v->child.from, F_SETPIPE_SZ, ANSWERS_MAX);
  free_all_slots(v);
  v->from.fd = v->child.from;
  v->complaints.fd = v->child.complaints;
  v->complaint_length = 0;
  if (tr_watch_start(v->reactor, &v->from) == 0 &&
      tr_watch_start(v->reactor, &v->complaints) == 0 && greet(v) == 0)
    return 0;
  status = errno;
  (void)stop_child(v, 0);
  return status;
}

static int is_shortage(int status) {
  return status == EMFILE || status == ENFILE || status == ENOSPC || status == EAGAIN;
}

/* Why it did not start. */
static void describe_start(int status, struct tr_error *error) {
  tr_error_clear(error);
  if (status == ENOENT)
    tr_error_set(error, TR_PERMISSION,
                 "mtr-packet is not installed; it is in the package mtr-tiny (or mtr)");
  else
    tr_error_set(error, is_shortage(status) ? TR_CONNECTION : TR_PERMISSION,
                 "mtr-packet cannot be started: %s", strerror(status));
}

/* Whether it has ended and nobody has looked since. */
static int has_ended(const struct tr_vantage *v) {
  struct pollfd from = {.fd = v->child.from};
  return v->child.pid && poll(&from, 1, 0) > 0;
}

int tr_vantage_join(struct tr_vantage *v, struct tr_vantage_user *user, struct tr_error *error) {
  if (has_ended(v)) bury(v);
  int status = v->child.pid ? 0 : start_child(v);
  if (status == ENOMEM) return 1;
  if (status != 0) {
    describe_start(status, error);
    return -1;
  }
  user->next = v->users;
  user->link = &v->users;
  if (user->next) user->next->link = &user->next;
  v->users = user;
  return 0;
}

int tr_vantage_is_ready(const struct tr_vantage *v) {
  return v->is_known;
}

void tr_vantage_leave(struct tr_vantage *v, struct tr_vantage_user *user) {
  unlink_user(user);
  for (int i = 0; i < TR_VANTAGE_IN_FLIGHT; i++)
    if (v->slots[i].user == user) v->slots[i].user = NULL;
}

/* ---- one for a reactor ---- */

static const char key = 0;

static void vantage_free(void *arg) {
  struct tr_vantage *v = arg;
  (void)stop_child(v, 0);
  tr_buffer_cleanup(&v->out);
  tr_free(v);
}

struct tr_vantage *tr_vantage_get(struct tr_reactor *r) {
  struct tr_vantage *v = tr_reactor_attached(r, &key);
  if (v) return v;
  v = tr_calloc(sizeof *v);
  if (!v) return NULL;
  v->reactor = r;
  tr_child_init(&v->child);
  v->from.ready = on_answers;
  v->complaints.ready = on_complaint;
  v->flush.fire = flush;
  v->patience.fire = dismiss;
  v->from.arg = v->complaints.arg = v->flush.arg = v->patience.arg = v;
  tr_buffer_init(&v->out, OUT_MAX);
  if (tr_reactor_attach(r, &key, v, vantage_free) == 0) return v;
  vantage_free(v);
  return NULL;
}
