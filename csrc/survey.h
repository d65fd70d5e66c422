/* survey: traceroutes run from here, as a whole: names resolved, probes sent through the
** vantage, what was found looked up, each target handed out as a piece when it is done. A
** source: it lives where its reactor runs. Decides when; what it comes to is sightings'
** business. Knows no Lua. */
#ifndef TR_SURVEY_H
#define TR_SURVEY_H

#include "error.h"
#include "names.h"
#include "networks.h"
#include "source.h"
#include "trace.h"

/* Targets that have begun and were not handed out, at most. One whose names are still to come counts:
** where no name server answers, this is how many are begun in the time for one question. */
#define TR_SURVEY_BEGUN_MAX 4096

/* Filled by whoever starts a survey, taken over by tr_survey_new: all texts come from
** tr_realloc. */
struct tr_survey_plan {
  char **targets;
  unsigned count;
  struct tr_trace_options trace;
  struct tr_rule rule; /* which addresses may be probed, once they are known */
  int family;          /* AF_INET, AF_INET6, AF_UNSPEC: of names that have both */
  int reverse;         /* names of nodes are looked up */
  int origin;          /* and their AS numbers */
  double timeout;      /* seconds for the whole survey */
  double dns_timeout;  /* for one question */
  char *dns_servers, *asn_zone, *asn6_zone; /* NULL: the system's, and the usual ones */
};

void tr_survey_plan_cleanup(struct tr_survey_plan *plan);

/* What a piece of kind TR_PIECE_SIGHT carries: what came of one target. */
struct tr_sight {
  unsigned target; /* from 0 */
  struct tr_trace_result
      *trace;         /* NULL: it was not probed, `why` or is_forbidden says the reason */
  const char *why;    /* could not be resolved: a static text */
  int is_forbidden;   /* by the plan's rule */
  unsigned nodes;     /* of all hops; name and asn are by their order */
  char **name, **asn; /* NULL where not known */
};

/* Takes the plan over in any case. NULL: out of memory. Its last piece is of kind TR_PIECE_END,
** whose report's error says why not all was done, if so. */
struct tr_source *tr_survey_new(struct tr_survey_plan *plan, struct tr_place place);

#endif
