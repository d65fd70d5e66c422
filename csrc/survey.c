/* survey: traceroutes run from here, as a whole; see survey.h. */
#include "survey.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "shelf.h"
#include "vantage.h"

#define RESOLVING_MAX 64 /* host names being resolved at once */

struct survey;

/* A host name being resolved. */
struct resolving {
  struct tr_names_asker asker;
  struct survey *survey;
  unsigned target;
  struct resolving *next, **link;
};

struct lookup;

/* A question about a node. */
struct asked {
  struct tr_names_asker asker;
  struct lookup *lookup;
  unsigned node;
  int is_origin;
};

/* A finished target whose nodes are being looked up. */
struct lookup {
  struct survey *survey;
  struct tr_sight *sight;
  struct asked *asked; /* two for each node */
  unsigned open;       /* answers to come, and one while questions are being asked */
  struct lookup *next, **link;
};

struct survey {
  struct tr_source source;
  struct tr_survey_plan plan;
  struct tr_vantage *vantage;
  struct tr_vantage_user user;
  int has_joined;
  struct tr_names *names;
  struct tr_trace *trace;
  unsigned next;      /* the first target not begun */
  unsigned resolving; /* begun, and not yet in the trace */
  unsigned tracing;   /* in the trace, and not finished */
  unsigned naming;    /* finished, and not handed out for want of names */
  struct resolving *resolvings;
  struct lookup *lookups;
  struct tr_timer turn;     /* when to send on */
  struct tr_timer deadline; /* when all is over */
  struct tr_error error;    /* why it ends early; kind TR_NONE: it does not */
  int is_short;             /* of memory */
  int is_over;
};

void tr_survey_plan_cleanup(struct tr_survey_plan *plan) {
  for (unsigned i = 0; plan->targets && i < plan->count; i++)
    tr_free(plan->targets[i]);
  tr_free(plan->targets);
  tr_rule_cleanup(&plan->rule);
  tr_free(plan->dns_servers);
  tr_free(plan->asn_zone);
  tr_free(plan->asn6_zone);
  memset(plan, 0, sizeof *plan);
}

/* ---- handing out ---- */

static void sight_free(void *arg) {
  struct tr_sight *sight = arg;
  if (!sight) return;
  tr_trace_result_free(sight->trace);
  for (unsigned i = 0; sight->name && i < sight->nodes; i++)
    tr_free(sight->name[i]);
  for (unsigned i = 0; sight->asn && i < sight->nodes; i++)
    tr_free(sight->asn[i]);
  tr_free(sight->name);
  tr_free(sight->asn);
  tr_free(sight);
}

static void hand_out(struct survey *survey, struct tr_sight *sight) {
  struct tr_piece *piece = sight ? tr_piece_new(TR_PIECE_SIGHT) : NULL;
  if (!piece) {
    sight_free(sight);
    survey->is_short = 1;
    return;
  }
  piece->load = sight;
  piece->release = sight_free;
  tr_outbox_put(&survey->source.outbox, piece);
}

/* why NULL: it may not be probed. */
static void hand_out_failure(struct survey *survey, unsigned target, const char *why) {
  struct tr_sight *sight = tr_calloc(sizeof *sight);
  if (sight) {
    sight->target = target;
    sight->why = why;
    sight->is_forbidden = !why;
  }
  hand_out(survey, sight);
}

static void end(struct survey *survey) {
  survey->is_over = 1;
  tr_timer_stop(&survey->turn);
  tr_timer_stop(&survey->deadline);
  if (survey->has_joined) tr_vantage_leave(survey->vantage, &survey->user);
  survey->has_joined = 0;
  struct tr_piece *piece = tr_piece_new(TR_PIECE_END);
  if (!piece || survey->is_short) {
    tr_piece_free(piece);
    tr_outbox_lose(&survey->source.outbox);
    return;
  }
  piece->report->error = survey->error;
  piece->final = 1;
  tr_outbox_put(&survey->source.outbox, piece);
  tr_outbox_close(&survey->source.outbox);
}

static void end_if_done(struct survey *survey) {
  int all_begun = survey->next == survey->plan.count || survey->error.kind != TR_NONE;
  if (!survey->is_over && all_begun && survey->resolving == 0 && survey->tracing == 0 &&
      survey->naming == 0)
    end(survey);
}

static void soon(struct survey *survey) {
  if (!survey->is_over) tr_timer_set(survey->source.reactor, &survey->turn, 0);
}

/* ---- names of what was found ---- */

/* No answer will come to it any more. */
static void lookup_free(struct lookup *lookup) {
  for (unsigned i = 0; lookup->open > 0 && i < 2 * lookup->sight->nodes; i++)
    tr_names_forget(lookup->survey->names, &lookup->asked[i].asker);
  *lookup->link = lookup->next;
  if (lookup->next) lookup->next->link = lookup->link;
  lookup->survey->naming--;
  tr_free(lookup->asked);
  tr_free(lookup);
}

/* An answer came, or the questions are all asked. */
static void lookup_settle(struct lookup *lookup) {
  struct survey *survey = lookup->survey;
  struct tr_sight *sight = lookup->sight;
  if (--lookup->open > 0) return;
  lookup_free(lookup);
  hand_out(survey, sight);
  soon(survey);
}

static void on_text(void *arg, const char *text, int is_short) {
  const struct asked *asked = arg;
  struct lookup *lookup = asked->lookup;
  if (is_short) lookup->survey->is_short = 1;
  char **texts = asked->is_origin ? lookup->sight->asn : lookup->sight->name;
  if (text && !texts[asked->node]) {
    texts[asked->node] = tr_strdup(text);
    if (!texts[asked->node]) lookup->survey->is_short = 1;
  }
  lookup_settle(lookup);
}

static void ask(struct lookup *lookup, const struct tr_address *address, unsigned node,
                int is_origin) {
  struct asked *asked = &lookup->asked[2 * node + (unsigned)is_origin];
  *asked = (struct asked){{.text = on_text, .arg = asked}, lookup, node, is_origin};
  lookup->open++;
  struct tr_names *names = lookup->survey->names;
  int status = is_origin ? tr_names_origin(names, address, &asked->asker)
                         : tr_names_reverse(names, address, &asked->asker);
  if (status == 0) return;
  lookup->open--;
  lookup->survey->is_short = 1;
}

static void ask_all(struct lookup *lookup) {
  const struct tr_survey_plan *plan = &lookup->survey->plan;
  const struct tr_trace_result *trace = lookup->sight->trace;
  unsigned node = 0;
  for (unsigned h = 0; h < trace->hops; h++) {
    for (unsigned n = 0; n < trace->hop[h].nodes; n++, node++) {
      const struct tr_address *address = &trace->hop[h].node[n].address;
      if (!address->family) continue;
      if (plan->reverse) ask(lookup, address, node, 0);
      if (plan->origin) ask(lookup, address, node, 1);
    }
  }
}

static unsigned count_nodes(const struct tr_trace_result *trace) {
  unsigned nodes = 0;
  for (unsigned h = 0; h < trace->hops; h++)
    nodes += trace->hop[h].nodes;
  return nodes;
}

static void look_up(struct survey *survey, struct tr_trace_result *trace) {
  struct tr_sight *sight = tr_calloc(sizeof *sight);
  struct lookup *lookup = tr_calloc(sizeof *lookup);
  unsigned nodes = count_nodes(trace);
  if (sight) {
    sight->target = trace->id;
    sight->trace = trace;
    sight->nodes = nodes;
    sight->name = tr_calloc(sizeof *sight->name * (nodes + 1));
    sight->asn = tr_calloc(sizeof *sight->asn * (nodes + 1));
  }
  struct asked *asked = tr_calloc(sizeof *asked * (2 * nodes + 1));
  /* What cannot be handed out whole is not handed out: the survey ends for want of memory. */
  if (!sight || !lookup || !asked || !sight->name || !sight->asn) {
    if (!sight) tr_trace_result_free(trace);
    sight_free(sight);
    tr_free(lookup);
    tr_free(asked);
    survey->is_short = 1;
    return;
  }
  *lookup = (struct lookup){survey, sight, asked, 1, survey->lookups, &survey->lookups};
  if (lookup->next) lookup->next->link = &lookup->next;
  survey->lookups = lookup;
  survey->naming++;
  /* What ends early is handed out as it is. */
  if (!survey->is_short && survey->error.kind == TR_NONE) ask_all(lookup);
  lookup_settle(lookup);
}

/* ---- tracing ---- */

static void collect(struct survey *survey) {
  struct tr_trace_result *trace;
  while ((trace = tr_trace_finished(survey->trace))) {
    survey->tracing--;
    look_up(survey, trace);
  }
}

static void send_what_may_go(struct survey *survey) {
  const struct tr_trace_options *options = &survey->plan.trace;
  struct tr_probe probe;
  double now = tr_clock(), wait;
  while (tr_trace_next(survey->trace, now, &probe, &wait)) {
    struct tr_reply unsent = {.answer = TR_ANSWER_EXHAUSTED, .is_local = 1};
    if (tr_vantage_send(survey->vantage, &survey->user, &probe, options->protocol,
                        options->wait_time, &unsent.answer) != 0)
      tr_trace_reply(survey->trace, probe.token, &unsent, now);
  }
  if (wait < HUGE_VAL) tr_timer_set(survey->source.reactor, &survey->turn, now + wait);
}

static void forget_resolving(struct survey *survey) {
  while (survey->resolvings) {
    struct resolving *resolving = survey->resolvings;
    survey->resolvings = resolving->next;
    if (survey->resolvings) survey->resolvings->link = &survey->resolvings;
    tr_names_forget(survey->names, &resolving->asker);
    tr_free(resolving);
  }
  survey->resolving = 0;
}

/* Names that were still to come are left out. */
static void drop_lookups(struct survey *survey) {
  while (survey->lookups) {
    struct tr_sight *sight = survey->lookups->sight;
    lookup_free(survey->lookups);
    hand_out(survey, sight);
  }
}

/* Ends all that has begun with what is known of it. */
static void abandon(struct survey *survey, const struct tr_error *error) {
  if (survey->is_over || survey->error.kind != TR_NONE) return;
  survey->error = *error;
  forget_resolving(survey);
  tr_trace_abort(survey->trace, tr_clock());
  collect(survey);
  if (survey->tracing) survey->is_short = 1; /* it had no memory to end them */
  drop_lookups(survey);
  soon(survey);
}

static void on_ready(void *arg) {
  soon(arg);
}

static void on_answer(void *arg, uint32_t token, const struct tr_reply *reply) {
  struct survey *survey = arg;
  tr_trace_reply(survey->trace, token, reply, tr_clock());
  soon(survey);
}

static void on_death(void *arg, const struct tr_error *why) {
  struct survey *survey = arg;
  survey->has_joined = 0;
  abandon(survey, why);
}

/* ---- resolving ---- */

static void on_address(void *arg, const struct tr_address *address, const char *why) {
  struct resolving *resolving = arg;
  struct survey *survey = resolving->survey;
  unsigned target = resolving->target;
  *resolving->link = resolving->next;
  if (resolving->next) resolving->next->link = resolving->link;
  tr_free(resolving);
  survey->resolving--;
  if (why)
    hand_out_failure(survey, target, why);
  else if (address && !tr_rule_permits(&survey->plan.rule, address))
    hand_out_failure(survey, target, NULL);
  else if (address && tr_trace_add(survey->trace, address, target) == 0)
    survey->tracing++;
  else
    survey->is_short = 1; /* no memory to look it up, or to trace it */
  soon(survey);
}

static void resolve(struct survey *survey, unsigned target) {
  struct resolving *resolving = tr_calloc(sizeof *resolving);
  if (!resolving) {
    survey->is_short = 1;
    return;
  }
  *resolving = (struct resolving){{.address = on_address, .arg = resolving},
                                  survey,
                                  target,
                                  survey->resolvings,
                                  &survey->resolvings};
  if (resolving->next) resolving->next->link = &resolving->next;
  survey->resolvings = resolving;
  survey->resolving++;
  if (tr_names_resolve(survey->names, survey->plan.targets[target], survey->plan.family,
                       &resolving->asker) != 0)
    survey->is_short = 1;
}

/* ---- a turn ---- */

static int may_begin(const struct survey *survey) {
  return survey->error.kind == TR_NONE && !survey->is_short && survey->next < survey->plan.count &&
         survey->resolving < RESOLVING_MAX &&
         survey->resolving + survey->tracing + survey->naming < TR_SURVEY_BEGUN_MAX;
}

static void on_turn(void *arg) {
  struct survey *survey = arg;
  if (survey->is_over) return;
  while (may_begin(survey))
    resolve(survey, survey->next++);
  if (survey->error.kind == TR_NONE && tr_vantage_is_ready(survey->vantage))
    send_what_may_go(survey);
  collect(survey);
  if (survey->is_short)
    end(survey);
  else
    end_if_done(survey);
}

static void on_deadline(void *arg) {
  struct tr_error error;
  struct survey *survey = arg;
  tr_error_clear(&error);
  tr_error_set(&error, TR_TIMEOUT,
               "not all was traced within %.3g s; raise timeout or rate, or lower max_ttl or "
               "packets_per_ttl",
               survey->plan.timeout);
  abandon(survey, &error);
}

/* ---- as a source ---- */

static void start(struct tr_source *source) {
  struct survey *survey = (struct survey *)source;
  struct tr_error error;
  if (survey->is_over) return;
  const struct tr_names_options names = {
      .timeout = survey->plan.dns_timeout,
      .origin_zone = survey->plan.asn_zone,
      .origin6_zone = survey->plan.asn6_zone,
      .servers = survey->plan.dns_servers,
  };
  survey->vantage = tr_vantage_get(source->reactor);
  survey->names = tr_shelf_get(source->reactor, &names);
  survey->plan.trace.seed =
      (uint32_t)getpid() * UINT32_C(2246822519) ^ (uint32_t)(tr_clock() * 1e6);
  survey->trace = tr_trace_new(&survey->plan.trace);
  if (!survey->vantage || !survey->names || !survey->trace) {
    survey->is_short = 1;
    end(survey);
    return;
  }
  survey->user = (struct tr_vantage_user){on_ready, on_answer, on_death, survey, NULL, NULL};
  tr_timer_set(source->reactor, &survey->deadline, tr_clock() + survey->plan.timeout);
  int status = tr_vantage_join(survey->vantage, &survey->user, &error);
  survey->has_joined = status == 0;
  if (status > 0) survey->is_short = 1;
  if (status < 0) abandon(survey, &error);
  soon(survey);
}

static void cancel(struct tr_source *source, const char *message) {
  struct survey *survey = (struct survey *)source;
  struct tr_error error;
  if (survey->is_over) return;
  tr_error_clear(&error);
  tr_error_set(&error, TR_CANCELLED, "%s", message);
  if (survey->trace)
    abandon(survey, &error);
  else
    survey->error = error; /* it was never started */
  end(survey);
}

static void resume(struct tr_source *source) {
  (void)source;
}

static void survey_free(struct tr_source *source) {
  struct survey *survey = (struct survey *)source;
  tr_timer_stop(&survey->turn);
  tr_timer_stop(&survey->deadline);
  if (survey->has_joined) tr_vantage_leave(survey->vantage, &survey->user);
  forget_resolving(survey);
  while (survey->lookups) {
    struct tr_sight *sight = survey->lookups->sight;
    lookup_free(survey->lookups);
    sight_free(sight);
  }
  if (survey->names) tr_shelf_release(source->reactor, survey->names);
  tr_trace_free(survey->trace);
  tr_source_cleanup(source);
  tr_survey_plan_cleanup(&survey->plan);
  tr_free(survey);
}

struct tr_source *tr_survey_new(struct tr_survey_plan *plan, struct tr_place place) {
  static const struct tr_source_acts acts = {start, cancel, resume, survey_free};
  struct survey *survey = tr_calloc(sizeof *survey);
  if (!survey || tr_source_init(&survey->source, place, &acts) != 0) {
    tr_free(survey);
    tr_survey_plan_cleanup(plan);
    return NULL;
  }
  survey->plan = *plan;
  memset(plan, 0, sizeof *plan);
  tr_error_clear(&survey->error);
  survey->turn.fire = on_turn;
  survey->deadline.fire = on_deadline;
  survey->turn.arg = survey->deadline.arg = survey;
  return &survey->source;
}
