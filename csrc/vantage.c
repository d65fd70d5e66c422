/* vantage: mtr-packet as a child on pipes; see vantage.h. */
#include "vantage.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "buffer.h"

#define PROGRAM "mtr-packet"
#define LOCATION_VARIABLE "MTR_PACKET" /* as mtr itself has it */
#define OUT_MAX (256 * 1024)           /* bytes of commands that wait for the pipe */
#define FLUSH_SECONDS 0.002            /* until a full pipe is tried again */
#define COMPLAINT_MAX 200

extern char **environ;

/* A probe that is out. The token on the pipe is its slot and how often that was used. */
struct slot {
  struct tr_vantage_user *user; /* NULL: nobody waits for it any more, or it is free */
  uint32_t token;               /* the user's */
  uint32_t uses;
  int is_out;
  int next_free;
};

struct tr_vantage {
  struct tr_reactor *reactor;
  pid_t pid; /* 0: no child runs */
  int to;    /* the child's standard input */
  struct tr_watch from, complaints;
  struct tr_timer flush;
  struct tr_buffer out;
  char line[TR_REPLY_LINE_MAX];
  size_t line_length;
  int line_is_long; /* the rest of an overlong line is skipped */
  char complaint[COMPLAINT_MAX];
  size_t complaint_length;
  struct tr_vantage_user *users;
  struct slot slots[TR_VANTAGE_IN_FLIGHT];
  int first_free;
};

/* ---- slots ---- */

static void free_all_slots(struct tr_vantage *v) {
  for (int i = 0; i < TR_VANTAGE_IN_FLIGHT; i++) {
    v->slots[i].user = NULL;
    v->slots[i].is_out = 0;
    v->slots[i].next_free = i + 1 < TR_VANTAGE_IN_FLIGHT ? i + 1 : -1;
  }
  v->first_free = 0;
}

static uint32_t pipe_token(const struct tr_vantage *v, int i) {
  return v->slots[i].uses % (INT32_MAX / TR_VANTAGE_IN_FLIGHT) * TR_VANTAGE_IN_FLIGHT + (uint32_t)i;
}

/* ---- the child's end ---- */

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void stop_child(struct tr_vantage *v) {
  if (!v->pid) return;
  tr_timer_stop(&v->flush);
  tr_watch_stop(v->reactor, &v->from);
  tr_watch_stop(v->reactor, &v->complaints);
  close_fd(&v->to);
  close_fd(&v->from.fd);
  close_fd(&v->complaints.fd);
  /* It ends by itself at the end of its input; somebody else may have reaped it already. */
  (void)kill(v->pid, SIGTERM);
  while (waitpid(v->pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  v->pid = 0;
  tr_buffer_clear(&v->out);
  v->line_length = 0;
  v->line_is_long = 0;
  free_all_slots(v);
}

static void unlink_user(struct tr_vantage_user *user) {
  if (!user->link) return;
  *user->link = user->next;
  if (user->next) user->next->link = user->link;
  user->link = NULL;
}

/* Everybody learns of it; the next to join starts another child. */
static void bury(struct tr_vantage *v) {
  struct tr_error error;
  char said[COMPLAINT_MAX];
  tr_excerpt(said, sizeof said, v->complaint, v->complaint_length);
  stop_child(v);
  tr_error_clear(&error);
  if (*said)
    tr_error_set(
        &error, TR_PERMISSION,
        "mtr-packet ended: %s; it needs the capability net_raw: setcap cap_net_raw+ep on it, "
        "or reinstall mtr-tiny",
        said);
  else
    tr_error_set(&error, TR_CONNECTION, "mtr-packet ended in the middle of a trace; try again");
  while (v->users) {
    struct tr_vantage_user *user = v->users;
    unlink_user(user);
    user->died(user->arg, &error);
  }
}

/* ---- what it says ---- */

static void deliver(struct tr_vantage *v, const struct tr_line_value *value) {
  int i = (int)(value->token % TR_VANTAGE_IN_FLIGHT);
  struct slot *slot = &v->slots[i];
  if (!slot->is_out || pipe_token(v, i) != value->token) return;
  struct tr_vantage_user *user = slot->user;
  uint32_t token = slot->token;
  slot->is_out = 0;
  slot->user = NULL;
  slot->next_free = v->first_free;
  v->first_free = i;
  if (user) user->answer(user->arg, token, &value->reply);
}

static void take_line(struct tr_vantage *v) {
  struct tr_line_value value;
  switch (tr_replies_read(v->line, &value)) {
  case TR_LINE_PROBE:
    deliver(v, &value);
    break;
  case TR_LINE_REFUSED:
    value.reply.answer = TR_ANSWER_UNSENDABLE;
    deliver(v, &value);
    break;
  default:
    break;
  }
}

static void take_bytes(struct tr_vantage *v, const char *bytes, size_t length) {
  for (size_t i = 0; i < length && v->pid; i++) {
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

static void on_answers(void *arg) {
  struct tr_vantage *v = arg;
  char bytes[16384];
  ssize_t got = read(v->from.fd, bytes, sizeof bytes);
  if (got > 0) {
    take_bytes(v, bytes, (size_t)got);
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    bury(v);
  }
}

static void on_complaint(void *arg) {
  struct tr_vantage *v = arg;
  char bytes[512];
  ssize_t got = read(v->complaints.fd, bytes, sizeof bytes);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) tr_watch_stop(v->reactor, &v->complaints);
    return;
  }
  size_t room = sizeof v->complaint - v->complaint_length;
  size_t part = (size_t)got < room ? (size_t)got : room;
  memcpy(v->complaint + v->complaint_length, bytes, part);
  v->complaint_length += part;
}

/* ---- what it is told ---- */

static void flush(void *arg) {
  struct tr_vantage *v = arg;
  while (v->out.length) {
    ssize_t put = write(v->to, v->out.data, v->out.length);
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
                    const struct tr_probe *probe, enum tr_protocol protocol, double wait_time) {
  static const char *const names[] = {"icmp", "udp", "tcp"};
  char address[64], line[256];
  int i = v->first_free;
  if (!v->pid || i < 0) return -1;
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
  slot->is_out = 1;
  /* Commands of one run go out together. */
  if (!v->flush.link) tr_timer_set(v->reactor, &v->flush, 0);
  return 0;
}

/* ---- the child's beginning ---- */

struct pipes {
  int in[2], out[2], complaints[2];
};

static void close_pipes(struct pipes *p) {
  int *all[] = {p->in, p->out, p->complaints};
  for (int i = 0; i < 3; i++) {
    close_fd(&all[i][0]);
    close_fd(&all[i][1]);
  }
}

static int open_pipes(struct pipes *p) {
  *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
  if (pipe2(p->in, O_CLOEXEC) != 0 || pipe2(p->out, O_CLOEXEC) != 0 ||
      pipe2(p->complaints, O_CLOEXEC) != 0 || fcntl(p->in[1], F_SETFL, O_NONBLOCK) != 0 ||
      fcntl(p->out[0], F_SETFL, O_NONBLOCK) != 0 ||
      fcntl(p->complaints[0], F_SETFL, O_NONBLOCK) != 0) {
    int reason = errno;
    close_pipes(p);
    return reason;
  }
  return 0;
}

/* 0 or an errno. The child gets no signal blocked or ignored: we may be in a thread with all of
** them blocked. */
static int spawn(const struct pipes *p, pid_t *pid) {
  char *const arguments[] = {(char[]){PROGRAM}, NULL};
  const char *program = getenv(LOCATION_VARIABLE);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
  if (posix_spawnattr_init(&attributes) != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return ENOMEM;
  }
  posix_spawn_file_actions_adddup2(&actions, p->in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, p->out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, p->complaints[1], 2);
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 34)
  /* It outlives whatever the program has open now: nginx's connections, which are not closed on
  ** exec, would stay open with it. */
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int status = posix_spawnp(pid, program && *program ? program : PROGRAM, &actions, &attributes,
                            arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

static int start_child(struct tr_vantage *v) {
  struct pipes p;
  int status = open_pipes(&p);
  if (status != 0) return status;
  status = spawn(&p, &v->pid);
  if (status != 0) {
    v->pid = 0;
    close_pipes(&p);
    return status;
  }
  v->to = p.in[1];
  v->from.fd = p.out[0];
  v->complaints.fd = p.complaints[0];
  close(p.in[0]);
  close(p.out[1]);
  close(p.complaints[1]);
  v->complaint_length = 0;
  if (tr_watch_start(v->reactor, &v->from) == 0 && tr_watch_start(v->reactor, &v->complaints) == 0)
    return 0;
  status = errno;
  stop_child(v);
  return status;
}

int tr_vantage_join(struct tr_vantage *v, struct tr_vantage_user *user, struct tr_error *error) {
  int status = v->pid ? 0 : start_child(v);
  if (status != 0) {
    tr_error_clear(error);
    if (status == ENOENT)
      tr_error_set(error, TR_PERMISSION,
                   "mtr-packet is not installed; it is in the package mtr-tiny (or mtr)");
    else
      tr_error_set(error, TR_PERMISSION, "mtr-packet cannot be started: %s", strerror(status));
    return -1;
  }
  user->next = v->users;
  user->link = &v->users;
  if (user->next) user->next->link = &user->next;
  v->users = user;
  return 0;
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
  stop_child(v);
  tr_buffer_cleanup(&v->out);
  tr_free(v);
}

struct tr_vantage *tr_vantage_get(struct tr_reactor *r) {
  struct tr_vantage *v = tr_reactor_attached(r, &key);
  if (v) return v;
  v = tr_calloc(sizeof *v);
  if (!v) return NULL;
  v->reactor = r;
  v->to = v->from.fd = v->complaints.fd = -1;
  v->from.ready = on_answers;
  v->complaints.ready = on_complaint;
  v->flush.fire = flush;
  v->from.arg = v->complaints.arg = v->flush.arg = v;
  tr_buffer_init(&v->out, OUT_MAX);
  free_all_slots(v);
  if (tr_reactor_attach(r, &key, v, vantage_free) == 0) return v;
  vantage_free(v);
  return NULL;
}
