/* Fuzzes the way of a colo's result that goes past lua-cjson. An input is its text. What is usual
** is JSON, has nothing in it that the strictest check would find, and is the same tables either
** way, to the kind of each number. */
#include "usual.h"

#include "schema.h"
#include "values.h"

static lua_State *L;

static int l_open(lua_State *state) {
  tr_usual_register(state);
  return 0;
}

static int l_compare(lua_State *state) {
  const struct fuzz_input *in = lua_touserdata(state, 1);
  char *text = fuzz_text(*in);
  size_t length = in->left;
  int is_usual = tr_usual_push(state, text, length);
  FUZZ_CHECK(lua_gettop(state) == 1 + is_usual);
  if (is_usual) {
    struct tr_check check;
    memset(&check, 0, sizeof check);
    check.mode = TR_VALIDATE_STRICT;
    FUZZ_CHECK(values_decode(state, text, length));
    FUZZ_CHECK(tr_schema_value(state, 3, TR_OBJECT_colo_result, "", &check) == 0);
    FUZZ_CHECK(values_same(state, 2, 3));
  }
  free(text);
  return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  L = values_open();
  values_run(L, l_open, NULL);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct fuzz_input in = fuzz_input(data, size);
  values_run(L, l_compare, &in);
  return 0;
}
