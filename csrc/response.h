/* response: arriving pieces -> tables, or an error. Each colo result is decoded and checked as
** it comes; an envelope is decoded at the end of its try and filled in. Keeps what it has in one
** Lua table, so that the collector owns it. No I/O. */
#ifndef TR_RESPONSE_H
#define TR_RESPONSE_H

#include "call.h"
#include "schema.h"

struct tr_response {
  enum tr_validate validate;
  unsigned requests;
  unsigned long colos; /* decoded so far */
  unsigned requests_done;
  unsigned unusual;       /* colos in a row that were not as usual */
  const char *credential; /* must show nowhere; lives as long as the call */
};

/* Pops the array of targets asked for, pushes the state. */
void tr_response_open(lua_State *L, const struct tr_response *r);

/* Takes in one piece, which stays the caller's. Raises only for lack of memory. */
void tr_response_take(lua_State *L, int state, struct tr_response *r, struct tr_piece *piece);

/* ---- for result.c, which sums it up ---- */

/* Places in the state. */
enum { TR_AT_ASKED = 1, TR_AT_FIRST_REQUEST };

/* Places in the table of a request. */
enum {
  TR_AT_SLICES = 1, /* the decoded colos of the running try, by their number */
  TR_AT_RESULT,     /* array of target results that arrived */
  TR_AT_ERROR,      /* of the last try, nil if it went well */
  TR_AT_INFO,
  TR_AT_FAULT,  /* what was first wrong with a slice of the running try: message and path */
  TR_AT_FAULTY, /* set of the places in result[] of targets with such slices */
  TR_AT_LOST    /* array of their names, where nothing worse is wrong with the answer */
};

/* Pushes the table of request i, counted from 0. */
void tr_response_get_request(lua_State *L, int state, unsigned request);

/* Pushes the array of targets that request i asked for. */
void tr_response_push_targets(lua_State *L, int state, unsigned request);

#endif
