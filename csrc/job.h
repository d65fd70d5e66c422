/* job: the userdata that scripts hold while something runs for them: step, fd, result, cancel. It
** decides when to wait and when all is over, and what is let go then; what arrives meanwhile is
** intake's business. */
#ifndef TR_JOB_H
#define TR_JOB_H

#include "intake.h"
#include "tally.h"

/* What a job may send at most, for whoever paces those of several processes. */
struct tr_demand {
  unsigned requests, tries;
  int quota;
  double timeout; /* seconds after which the job is over in any case */
  char credential[24];
  struct tr_tally *tally; /* the job's to release; NULL: none is kept */
};

struct tr_job;

/* Makes the metatables; once for each Lua state. */
void tr_job_register(lua_State *L);

/* Pushes a new job, which owns a `self` of that size. */
struct tr_job *tr_job_new(lua_State *L, const struct tr_reader *reader, size_t size);

/* A Lua function: whether its argument is a job, of whatever state. */
int tr_job_is(lua_State *L);

void *tr_job_self(struct tr_job *job);
struct tr_demand *tr_job_demand(struct tr_job *job);

/* Has the job, at stack place `index`, make its source and, unless it lives in the thread, start
** it; one in the thread starts at job:send(). Pops two values from the top: the reader's state
** and on_progress or nil. Pushes what the script gets and returns the number of it: the job, or
** nil and an error. */
int tr_job_run(lua_State *L, int index, int in_thread);

/* Lets go what the job, which was never run, owns. Pushes nil and an error; returns 2. */
int tr_job_fail(lua_State *L, struct tr_job *job, const struct tr_error *error);

/* Pushes the metatable that every result gets. */
void tr_job_push_result_metatable(lua_State *L);

#endif
