/* create: from a script's arguments to a running job that asks the service; see create.h. */
#include "create.h"

#include "job.h"
#include "quota.h"
#include "request.h"
#include "response.h"
#include "result.h"

struct create {
  struct tr_request request; /* its plan is the call's once that is made */
  struct tr_response response;
};

static void take(lua_State *L, int state, void *self, struct tr_piece *piece) {
  tr_response_take(L, state, &((struct create *)self)->response, piece);
}

static void finish(lua_State *L, int state, void *self) {
  tr_result_push(L, state, &((struct create *)self)->response);
}

static void set_count(lua_State *L, const char *name, size_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static void progress(lua_State *L, const void *self, size_t received) {
  const struct tr_response *response = &((const struct create *)self)->response;
  lua_createtable(L, 0, 4);
  set_count(L, "requests", response->requests);
  set_count(L, "requests_done", response->requests_done);
  set_count(L, "colos", response->colos);
  set_count(L, "bytes", received);
}

static unsigned long moved(const void *self) {
  const struct tr_response *response = &((const struct create *)self)->response;
  return response->colos + response->requests_done;
}

static struct tr_source *make(void *self, struct tr_place place) {
  struct create *create = self;
  return tr_call_new(&create->request.plan, place);
}

static void cleanup(void *self) {
  struct create *create = self;
  tr_plan_cleanup(&create->request.plan);
  create->response.credential = NULL;
}

int tr_create_start(lua_State *L, int in_thread) {
  static const struct tr_reader reader = {take, finish, progress, moved, make, cleanup};
  struct tr_error error;
  lua_settop(L, 3);
  struct tr_job *job = tr_job_new(L, &reader, sizeof(struct create));
  struct create *create = tr_job_self(job);
  if (tr_request_read(L, &create->request, &error) != 0) return tr_job_fail(L, job, &error);
  struct tr_plan *plan = &create->request.plan;
  struct tr_demand *demand = tr_job_demand(job);
  demand->requests = plan->requests;
  demand->tries = (unsigned)plan->retries + 1;
  demand->quota = plan->quota;
  demand->timeout = plan->timeout;
  tr_quota_name(plan->credential, demand->credential, sizeof demand->credential);
  if (in_thread && !(plan->tally = tr_tally_new())) tr_raise_out_of_memory(L);
  demand->tally = tr_tally_share(plan->tally);
  create->response.validate = create->request.validate;
  create->response.requests = plan->requests;
  create->response.credential = plan->credential; /* the call keeps it where it is */
  /* Places 5 and 6 hold the targets asked for and on_progress. */
  lua_pushvalue(L, 5);
  tr_response_open(L, &create->response);
  lua_replace(L, 5);
  return tr_job_run(L, 4, in_thread);
}
