/* driver: runs a Lua script over and over, each time in a process of its own and with another
** allocation failing, and tells what came of it, for spec/memory_spec.lua. It knows allocators,
** processes and Lua states; what the script does is the script's business.
**
** Arguments: the script, what its function is given, and
**   lua | core   whose allocations fail: those of the Lua state, or those of the core, libcurl
**                and c-ares
**   one | rest   the n-th alone, or all from the n-th on until the script's function is done
**   first, stride   n is each of 1 to first, then every stride-th
**   jobs         processes at a time; 0: n is `first` alone, in this process, for a debugger
**
** The script returns two functions: `run`, whose allocations fail and whose text is the outcome, and
** `check`, which must give "fine" afterwards in the same state. An outcome is the text, or "raised"
** for Lua's "not enough memory". Anything else that is raised is a fault, as are a crash, a hang, a
** block of Lua's left, and blocks of the core's, descriptors or children left that are not left
** where nothing fails. Prints a line for each fault and each sort of outcome. */
#include <ares.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"

#define HANG_SECONDS 60
#define JOBS_MAX 32
#define OUTCOMES_MAX 32

int luaopen_traceroute_core(lua_State *L);

/* ---- allocators ---- */

/* Before each block; the blocks in use are a ring. */
struct head {
  struct head *prev, *next;
  size_t size;
  long number;
};

#define HEAD ((sizeof(struct head) + 15) / 16 * 16)

struct heap {
  pthread_mutex_t lock;
  struct head ring;
  long used, asked, from, to; /* requests from `from` to `to` fail; 0, 0: none */
};

static struct heap of_lua = {.lock = PTHREAD_MUTEX_INITIALIZER},
                   of_core = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void heap_init(struct heap *heap) {
  heap->ring.prev = heap->ring.next = &heap->ring;
}

static void heap_free(struct heap *heap, void *block) {
  if (!block) return;
  struct head *head = (void *)((char *)block - HEAD);
  pthread_mutex_lock(&heap->lock);
  head->prev->next = head->next;
  head->next->prev = head->prev;
  heap->used--;
  pthread_mutex_unlock(&heap->lock);
  free(head);
}

/* Always moves, so that a pointer to the old place shows under a sanitizer. */
static void *heap_resize(struct heap *heap, void *block, size_t size) {
  pthread_mutex_lock(&heap->lock);
  long number = ++heap->asked;
  int fails = number >= heap->from && number <= heap->to;
  pthread_mutex_unlock(&heap->lock);
  struct head *head = fails ? NULL : malloc(HEAD + size);
  if (!head) return NULL;
  head->size = size;
  head->number = number;
  pthread_mutex_lock(&heap->lock);
  head->next = &heap->ring;
  head->prev = heap->ring.prev;
  head->prev->next = head->next->prev = head;
  heap->used++;
  pthread_mutex_unlock(&heap->lock);
  void *fresh = (char *)head + HEAD;
  if (block) {
    size_t before = ((struct head *)(void *)((char *)block - HEAD))->size;
    memcpy(fresh, block, before < size ? before : size);
    heap_free(heap, block);
  }
  return fresh;
}

static void *core_realloc(void *block, size_t size) {
  if (size) return heap_resize(&of_core, block, size);
  heap_free(&of_core, block);
  return NULL;
}

static void *foreign_malloc(size_t size) {
  return heap_resize(&of_core, NULL, size);
}

static void *foreign_realloc(void *block, size_t size) {
  return heap_resize(&of_core, block, size);
}

static void foreign_free(void *block) {
  heap_free(&of_core, block);
}

static void *foreign_calloc(size_t count, size_t size) {
  void *block = heap_resize(&of_core, NULL, count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

static char *foreign_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = heap_resize(&of_core, NULL, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

/* Making a block smaller never fails: Lua relies on it. */
static void *lua_alloc(void *arg, void *block, size_t before, size_t size) {
  (void)arg;
  if (size == 0) {
    heap_free(&of_lua, block);
    return NULL;
  }
  if (block && size <= before) return block;
  return heap_resize(&of_lua, block, size);
}

/* ---- one run ---- */

struct plan {
  const char *script, *what;
  struct heap *heap;
  int all_after;
  long first, stride;
  int jobs;
};

struct report {
  pid_t pid;
  long n, asked, used;
  int descriptors, has_failed;
  char outcome[128], fault[512];
};

static void begin(const struct plan *plan, long n) {
  plan->heap->asked = 0;
  plan->heap->from = n;
  plan->heap->to = n && plan->all_after ? LONG_MAX : n;
}

static void end(const struct plan *plan, struct report *report) {
  plan->heap->from = plan->heap->to = 0;
  report->asked = plan->heap->asked;
  report->has_failed = report->n && report->asked >= report->n;
}

static void complain(struct report *report, const char *what, const char *more) {
  if (*report->fault) return;
  (void)snprintf(report->fault, sizeof report->fault, "%s%.400s", what, more ? more : "");
}

static int l_load(lua_State *L) {
  const struct plan *plan = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_traceroute_core);
  lua_setfield(L, -2, "traceroute.core");
  lua_settop(L, 1);
  if (luaL_loadfile(L, plan->script) != 0) return lua_error(L);
  lua_pushstring(L, plan->what);
  lua_call(L, 1, 2);
  return 2;
}

/* A state with `run` and `check` on its stack. That Lua itself opens one and reads files when
** memory is short is its own business. */
static lua_State *open_state(const struct plan *plan, struct report *report) {
  lua_State *L = lua_newstate(lua_alloc, NULL);
  if (!L) return NULL;
  lua_pushcfunction(L, l_load);
  lua_pushlightuserdata(L, (void *)(uintptr_t)plan);
  if (lua_pcall(L, 1, 2, 0) == 0) return L;
  complain(report, "not loaded: ", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

static void call_run(lua_State *L, const struct plan *plan, struct report *report) {
  const char *outcome = "raised";
  lua_pushvalue(L, 1);
  begin(plan, report->n);
  int status = lua_pcall(L, 0, 1, 0);
  end(plan, report);
  const char *text = lua_tostring(L, -1);
  if (status == 0)
    outcome = text;
  else if (!text || !strstr(text, "not enough memory"))
    complain(report, "raised ", text ? text : "no text");
  (void)snprintf(report->outcome, sizeof report->outcome, "%s", outcome ? outcome : "no text");
  lua_pop(L, 1);
}

static void call_check(lua_State *L, struct report *report) {
#ifdef LUA_GCISRUNNING
  if (!lua_gc(L, LUA_GCISRUNNING, 0)) complain(report, "afterwards: the collector rests", NULL);
#endif
  lua_pushvalue(L, 2);
  int status = lua_pcall(L, 0, 1, 0);
  const char *text = lua_tostring(L, -1);
  if (status != 0 || !text || strcmp(text, "fine") != 0) complain(report, "afterwards: ", text);
}

static int count_descriptors(void) {
  int count = 0;
  DIR *all = opendir("/proc/self/fd");
  while (all && readdir(all))
    count++;
  if (all) closedir(all);
  return count;
}

static void list_blocks(const struct heap *heap, char *text, size_t size) {
  size_t used = 0;
  text[0] = '\0';
  for (const struct head *head = heap->ring.next; head != &heap->ring && used + 32 < size;
       head = head->next)
    used += (size_t)snprintf(text + used, size - used, " %ld:%lu", head->number,
                             (unsigned long)head->size);
}

/* What this process is for; NULL: it is the one that starts the others. */
static struct {
  struct report *report;
  const struct report *usual;
} own;

/* What is left counts when the core's own handlers of a process's exit have run, and as often as
** where nothing fails. */
static void settle(void) {
  struct report *report = own.report;
  char blocks[256];
  if (!report) return;
  report->used = of_core.used;
  report->descriptors = count_descriptors();
  list_blocks(&of_lua, blocks, sizeof blocks);
  if (of_lua.used) complain(report, "left of Lua's, by number and size:", blocks);
  list_blocks(&of_core, blocks, sizeof blocks);
  if (own.usual && report->used != own.usual->used)
    complain(report, "left of the core's, by number and size:", blocks);
  if (own.usual && report->descriptors != own.usual->descriptors)
    complain(report, "descriptors left", NULL);
  if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) complain(report, "children left", NULL);
}

static void run_once(const struct plan *plan, struct report *report) {
  (void)alarm(HANG_SECONDS);
  lua_State *L = open_state(plan, report);
  if (!L) return;
  call_run(L, plan, report);
  call_check(L, report);
  lua_close(L);
}

/* ---- all of them ---- */

static struct {
  char text[128];
  long count, first;
} outcomes[OUTCOMES_MAX];

static void tally(const char *outcome, long n) {
  for (int i = 0; i < OUTCOMES_MAX; i++) {
    if (outcomes[i].count && strcmp(outcomes[i].text, outcome) != 0) continue;
    (void)snprintf(outcomes[i].text, sizeof outcomes[i].text, "%s", outcome);
    if (outcomes[i].count++ == 0) outcomes[i].first = n;
    return;
  }
  printf("fault %ld: one more than %d sorts of outcome, \"%s\"\n", n, OUTCOMES_MAX, outcome);
}

static void start(const struct plan *plan, struct report *report, long n,
                  const struct report *usual) {
  memset(report, 0, sizeof *report);
  report->n = n;
  (void)fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    own.report = report;
    own.usual = usual;
    run_once(plan, report);
    exit(0);
  }
  if (pid < 0) abort();
  report->pid = pid;
}

/* Waits for one to end. Whether an allocation failed in it. */
static int finish(struct report *reports, int jobs) {
  int status;
  pid_t pid = wait(&status);
  for (int i = 0; i < jobs; i++) {
    struct report *report = &reports[i];
    if (report->pid != pid || pid < 0) continue;
    report->pid = 0;
    if (WIFSIGNALED(status))
      printf("fault %ld: ended by signal %d (%s) after \"%s\"\n", report->n, WTERMSIG(status),
             report->fault, report->outcome);
    else if (WEXITSTATUS(status) != 0 || *report->fault)
      printf("fault %ld: %s (%s, status %d)\n", report->n, report->fault, report->outcome,
             WEXITSTATUS(status));
    else
      tally(report->n && !report->has_failed ? "nothing failed" : report->outcome, report->n);
    return report->has_failed || WIFSIGNALED(status);
  }
  abort();
}

static struct report *idle(struct report *reports, int jobs) {
  for (int i = 0; i < jobs; i++)
    if (!reports[i].pid) return &reports[i];
  return NULL;
}

static void run_all(const struct plan *plan, struct report *reports) {
  struct report *usual = &reports[plan->jobs];
  start(plan, usual, 0, NULL);
  (void)finish(usual, 1);
  printf("usual: %s, %ld asked, %ld left\n", usual->outcome, usual->asked, usual->used);
  memset(outcomes, 0, sizeof outcomes);
  int running = 0, is_over = 0;
  for (long n = 1; !is_over || running;) {
    struct report *report = is_over ? NULL : idle(reports, plan->jobs);
    if (report) {
      start(plan, report, n, usual);
      running++;
      n += n < plan->first ? 1 : plan->stride;
    } else {
      /* Past the last allocation. How many there are differs from run to run. */
      if (!finish(reports, plan->jobs) && n > usual->asked) is_over = 1;
      running--;
    }
  }
  for (int i = 0; i < OUTCOMES_MAX && outcomes[i].count; i++)
    printf("outcome %ld: %s (first at %ld)\n", outcomes[i].count, outcomes[i].text,
           outcomes[i].first);
}

static size_t discard(char *bytes, size_t size, size_t count, void *nothing) {
  (void)bytes;
  (void)nothing;
  return size * count;
}

/* What the TLS library reads and looks up for the first handshake of a process, with memory that is not
** among what fails, is done once for all that are started: a fifth of their time. */
static void shake_hands(void) {
  CURL *easy = curl_easy_init();
  if (!easy) return;
  (void)curl_easy_setopt(easy, CURLOPT_URL, getenv("STAND_IN"));
  (void)curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("CA_FILE"));
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
  (void)curl_easy_perform(easy);
  curl_easy_cleanup(easy);
}

static int run_here(const struct plan *plan) {
  static struct report report;
  report.n = plan->first;
  own.report = &report;
  run_once(plan, &report);
  printf("%s, %s\n", report.outcome, report.fault);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  struct plan plan = {.script = argv[1],
                      .what = argv[2],
                      .heap = strcmp(argv[3], "lua") == 0 ? &of_lua : &of_core,
                      .all_after = strcmp(argv[4], "rest") == 0,
                      .first = strtol(argv[5], NULL, 10),
                      .stride = strtol(argv[6], NULL, 10),
                      .jobs = (int)strtol(argv[7], NULL, 10)};
  if (plan.jobs < 0 || plan.jobs > JOBS_MAX || plan.stride < 1) return 2;
  heap_init(&of_lua);
  heap_init(&of_core);
  tr_realloc_hook = core_realloc;
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, foreign_malloc, foreign_free, foreign_realloc,
                           foreign_strdup, foreign_calloc) != CURLE_OK ||
      ares_library_init_mem(ARES_LIB_INIT_ALL, foreign_malloc, foreign_free, foreign_realloc) !=
          ARES_SUCCESS)
    return 1;
  if (plan.jobs == 0) return run_here(&plan);
  size_t size = sizeof(struct report) * (size_t)(plan.jobs + 1);
  struct report *reports =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (reports == MAP_FAILED) return 1;
  if (atexit(settle) != 0) return 1;
  shake_hands();
  run_all(&plan, reports);
  return 0;
}
