/* notation: Lua values out of bytes, for targets that hand a script's arguments on. Every byte means
** something, and inputs can be written by hand:
**
**   n t f      nil, true, false           "text"     a string; \ takes the next byte as it is, \0 is NUL
**   12 -1.5    numbers; i, x: infinite    +5"text"   the text so many times (the digit is a byte)
**              and no number              [a b]      an array
**   c u h      a function, userdata, a    {k v}      a table
**              coroutine                  #5         an array of eight times as many host names
**   @          the table that it is in    !{}        a table whose metamethods raise
**
** Knows no room of csrc. */
#ifndef TR_FUZZ_NOTATION_H
#define TR_FUZZ_NOTATION_H

#include <math.h>

#include "values.h"

#define NOTATION_DEPTH_MAX 24
#define NOTATION_TEXT_MAX 65536

static inline void notation_push(lua_State *L, struct fuzz_input *in, int depth);

static inline int notation_l_raise(lua_State *L) {
  return luaL_error(L, "a metamethod was called");
}

static inline void notation_set_metatable(lua_State *L) {
  static const char *const events[] = {"__index", "__newindex", "__len",      "__pairs", "__ipairs",
                                       "__eq",    "__call",     "__tostring", "__name"};
  lua_newtable(L);
  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    lua_pushcfunction(L, notation_l_raise);
    lua_setfield(L, -2, events[i]);
  }
  lua_setmetatable(L, -2);
}

static inline void notation_push_text(lua_State *L, struct fuzz_input *in) {
  char *text = malloc(in->left + 1);
  size_t length = 0;
  FUZZ_CHECK(text);
  while (in->left) {
    char c = *in->at++;
    in->left--;
    if (c == '"') break;
    if (c == '\\' && in->left) {
      c = *in->at++;
      in->left--;
      if (c == '0') c = '\0';
    }
    text[length++] = c;
  }
  lua_pushlstring(L, text, length);
  free(text);
}

static inline void notation_push_number(lua_State *L, struct fuzz_input *in) {
  char digits[32];
  size_t length = 0;
  while (length < sizeof digits - 1 && in->left && *in->at && strchr("0123456789.-e", *in->at)) {
    digits[length++] = *in->at++;
    in->left--;
  }
  digits[length] = '\0';
  double number = strtod(digits, NULL);
  if (!strpbrk(digits, ".e") && fabs(number) < 1e15)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnumber(L, (lua_Number)number);
}

static inline void notation_push_many(lua_State *L, unsigned times) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (size_t total = 0; text && times > 0 && total < NOTATION_TEXT_MAX; times--, total += length)
    luaL_addlstring(&out, text, length);
  luaL_pushresult(&out);
  lua_remove(L, -2);
}

static inline void notation_push_names(lua_State *L, unsigned count) {
  lua_createtable(L, (int)count, 0);
  for (unsigned i = 1; i <= count; i++) {
    lua_pushfstring(L, "h%d.example", (int)i);
    lua_rawseti(L, -2, (int)i);
  }
}

static inline int notation_is_end(struct fuzz_input *in, char end) {
  while (in->left && (*in->at == ' ' || *in->at == '\n')) {
    in->at++;
    in->left--;
  }
  if (in->left && *in->at != end) return 0;
  if (in->left) {
    in->at++;
    in->left--;
  }
  return 1;
}

static inline void notation_push_array(lua_State *L, struct fuzz_input *in, int depth) {
  lua_newtable(L);
  for (int i = 1; !notation_is_end(in, ']'); i++) {
    notation_push(L, in, depth + 1);
    lua_rawseti(L, -2, i);
  }
}

static inline void notation_push_table(lua_State *L, struct fuzz_input *in, int depth) {
  lua_newtable(L);
  while (!notation_is_end(in, '}')) {
    notation_push(L, in, depth + 1);
    notation_push(L, in, depth + 1);
    if (lua_isnil(L, -2) || (lua_type(L, -2) == LUA_TNUMBER && isnan((double)lua_tonumber(L, -2))))
      lua_pop(L, 2);
    else
      lua_rawset(L, -3);
  }
}

/* Pushes the next value; nil at the end of the input or where it nests too deeply. */
static inline void notation_push(lua_State *L, struct fuzz_input *in, int depth) {
  luaL_checkstack(L, 8, "too deep");
  while (in->left && (*in->at == ' ' || *in->at == '\n')) {
    in->at++;
    in->left--;
  }
  if (in->left == 0 || depth > NOTATION_DEPTH_MAX) {
    in->left = 0;
    lua_pushnil(L);
    return;
  }
  char c = *in->at;
  if ((c >= '0' && c <= '9') || c == '-' || c == '.') {
    notation_push_number(L, in);
    return;
  }
  in->at++;
  in->left--;
  unsigned times;
  switch (c) {
  case 't':
  case 'f':
    lua_pushboolean(L, c == 't');
    break;
  case 'i':
    lua_pushnumber(L, (lua_Number)INFINITY);
    break;
  case 'x':
    lua_pushnumber(L, (lua_Number)NAN);
    break;
  case '"':
    notation_push_text(L, in);
    break;
  case '+':
    times = fuzz_digit(in);
    notation_push(L, in, depth + 1);
    notation_push_many(L, times);
    break;
  case '[':
    notation_push_array(L, in, depth);
    break;
  case '{':
    notation_push_table(L, in, depth);
    break;
  case '#':
    notation_push_names(L, 8 * fuzz_digit(in));
    break;
  case '!':
    notation_push(L, in, depth + 1);
    if (lua_istable(L, -1)) notation_set_metatable(L);
    break;
  case '@':
    if (lua_gettop(L) > 0 && lua_istable(L, -1))
      lua_pushvalue(L, -1);
    else if (lua_gettop(L) > 1 && lua_istable(L, -2)) /* behind a name */
      lua_pushvalue(L, -2);
    else
      lua_pushnil(L);
    break;
  case 'c':
    lua_pushcfunction(L, notation_l_raise);
    break;
  case 'u':
    (void)lua_newuserdata(L, 1);
    break;
  case 'h':
    (void)lua_newthread(L);
    break;
  default:
    lua_pushnil(L);
  }
}

#endif
