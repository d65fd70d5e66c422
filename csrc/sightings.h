/* sightings: what a survey saw -> tables of the API's shape, checked by its schema. No I/O. */
#ifndef TR_SIGHTINGS_H
#define TR_SIGHTINGS_H

#include "schema.h"
#include "survey.h"

struct tr_sightings {
  char colo[65], city[129]; /* what this vantage point is called; city "" for none */
  unsigned count;           /* targets */
  unsigned done;
  unsigned long hops;    /* seen so far */
  struct tr_error error; /* of the survey's end, kind TR_NONE if it was a good one */
};

/* Pops the array of targets, pushes the state. */
void tr_sightings_open(lua_State *L, struct tr_sightings *s);

/* Takes in one piece, which stays the caller's. Raises only for lack of memory. */
void tr_sightings_take(lua_State *L, int state, struct tr_sightings *s, struct tr_piece *piece);

/* After the last piece: pushes result, err and info. */
void tr_sightings_push(lua_State *L, int state, const struct tr_sightings *s);

#endif
