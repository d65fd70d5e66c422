/* child: a program that runs as a child of this process, on pipes of which our ends never block.
** Knows nothing of what is said on them. Knows no Lua. */
#ifndef TR_CHILD_H
#define TR_CHILD_H

#include <sys/types.h>

struct tr_child {
  pid_t pid;                /* 0: none runs */
  int to, from, complaints; /* our ends of its input, output and error output; -1: closed */
};

void tr_child_init(struct tr_child *child);

/* Starts the program, looked for in PATH unless it has a slash. It gets no descriptor but its
** three, and no signal blocked or ignored. 0, or an errno, and nothing runs. */
int tr_child_start(struct tr_child *child, const char *program);

/* Ends it, whatever it does, and closes the pipes. `is_ending`: its output has ended, so it is given
** the few milliseconds that the rest of an exit takes. Its status as waitpid(2) has it if it ended
** by itself, or -1: we ended it, or somebody else knows. Idempotent. */
int tr_child_stop(struct tr_child *child, int is_ending);

#endif
