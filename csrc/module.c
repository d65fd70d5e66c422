/* module: luaopen_traceroute_core, the one list of what Lua sees of the core. */
#include <dlfcn.h>

#include "collector.h"
#include "create.h"
#include "decode.h"
#include "errtable.h"
#include "job.h"
#include "keeper.h"
#include "libcurl.h"
#include "preview.h"
#include "probe.h"
#include "receipt.h"
#include "schema.h"
#include "usual.h"
#include "version.h"
#include "vet.h"

/* Locks, atfork handlers and libcurl's state belong to the process, not to one Lua state: the
** code must stay when lua_close unloads the module, or a later callback runs into unmapped
** memory. */
static void stay_loaded(void) {
  Dl_info here;
  static const char anchor = 0;
  if (dladdr(&anchor, &here)) (void)dlopen(here.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
}

static int l_start(lua_State *L) {
  return tr_create_start(L, 0);
}

static int l_start_in_thread(lua_State *L) {
  return tr_create_start(L, 1);
}

static int l_survey(lua_State *L) {
  return tr_probe_start(L, 0);
}

static int l_survey_in_thread(lua_State *L) {
  return tr_probe_start(L, 1);
}

static int l_plan(lua_State *L) {
  return tr_preview_push(L);
}

static int l_schema(lua_State *L) {
  tr_schema_push(L);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_traceroute_core(lua_State *L);

int luaopen_traceroute_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"start", l_start},
                                       {"start_in_thread", l_start_in_thread},
                                       {"survey", l_survey},
                                       {"survey_in_thread", l_survey_in_thread},
                                       {"plan", l_plan},
                                       {"is_job", tr_job_is},
                                       {"vet_options", tr_vet_options},
                                       {"vet_targets", tr_vet_targets},
                                       {"schema", l_schema},
                                       {NULL, NULL}};
  stay_loaded();
  tr_collector_register(L);
  tr_decode_register(L);
  tr_usual_register(L);
  tr_errtable_register(L);
  tr_keeper_register(L);
  tr_job_register(L);
  tr_preview_register(L);
  tr_receipt_register(L);
  lua_newtable(L);
  tr_set_functions(L, functions);
  tr_job_push_result_metatable(L);
  lua_setfield(L, -2, "result_metatable");
  tr_errtable_push_metatable(L);
  lua_setfield(L, -2, "error_metatable");
  lua_pushliteral(L, TR_VERSION);
  lua_setfield(L, -2, "VERSION");
  lua_pushstring(L, tr_libcurl_about()->name);
  lua_setfield(L, -2, "LIBCURL");
  return 1;
}
