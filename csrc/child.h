/* child: a program that runs as a child of this process, on pipes of which our ends never block. A
** process forked from this one has no part in it: its copies of our ends are closed, so that the
** program sees its end when this process ends, and for tr_child_stop none runs there. Knows nothing
** of what is said on them. Knows no Lua. */
#ifndef TR_CHILD_H
#define TR_CHILD_H

#include <sys/types.h>

struct tr_child {
  pid_t pid;                     /* 0: none runs */
  int to, from, complaints;      /* our ends of its input, output and error output; -1: closed */
  unsigned descriptors;          /* that it may have open at once */
  struct tr_child *next, **link; /* private */
};

void tr_child_init(struct tr_child *child);

/* Starts the program, looked for in PATH unless it has a slash. It gets no descriptor but its
** three, no signal blocked or ignored, and a process group of its own. It may open `descriptors` of
** them, or as many as this process may have at most (ulimit -Hn), if that is less; one that is
** set-user-id, which is not ours to change, as many as this process may have now. 0, or an errno,
** and nothing runs. */
int tr_child_start(struct tr_child *child, const char *program, unsigned descriptors);

/* Ends it, whatever it does, and closes the pipes. `is_ending`: its output has ended, so it is
** given the few milliseconds that the rest of an exit takes. Its status as waitpid(2) has it if it
** ended by itself, or -1: we ended it, or somebody else knows. Idempotent. */
int tr_child_stop(struct tr_child *child, int is_ending);

#endif
