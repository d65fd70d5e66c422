/* threads: Lua states in a program of several threads, for spec/threads_spec.lua. Arguments: a script
** that gives a function, and
**   close N   N states are opened and used in one thread each, and closed in another
**   together N   N threads at once, each with a state of its own, use theirs
**   handover N   one thread uses N states one after the other, and each is closed by another thread
**                while the next is used
**   exit N    a state is used N times, and closed by a handler of the process's exit that was there
**             before the core's own
**   fork N    while a thread uses a state, N children are forked that use another one
** Prints "fine", or what is wrong. */
#include <dirent.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_SECONDS 20

int luaopen_traceroute_core(lua_State *L);

static const char *script;

__attribute__((noreturn)) static void fail(lua_State *L) {
  printf("%s\n", lua_tostring(L, -1));
  exit(1);
}

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  if (!L) abort();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_traceroute_core);
  lua_setfield(L, -2, "traceroute.core");
  lua_settop(L, 0);
  if (luaL_loadfile(L, script) == 0 && lua_pcall(L, 0, 1, 0) == 0) return L;
  fail(L);
}

/* Calls the script's function. */
static void use(lua_State *L) {
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 0, 0, 0) != 0) fail(L);
}

static void *open_and_use(void *arg) {
  lua_State *L = *(lua_State **)arg = open_state();
  use(L);
  return NULL;
}

static void *close_state(void *arg) {
  lua_close(*(lua_State **)arg);
  return NULL;
}

static void run_in_thread(void *(*run)(void *arg), void *arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, arg) != 0 || pthread_join(thread, NULL) != 0) abort();
}

static int count_descriptors(void) {
  int count = 0;
  DIR *all = opendir("/proc/self/fd");
  while (all && readdir(all))
    count++;
  if (all) closedir(all);
  return count;
}

static int close_elsewhere(int rounds) {
  int before = 0;
  for (int i = 0; i < rounds; i++) {
    lua_State *L;
    run_in_thread(open_and_use, &L);
    run_in_thread(close_state, &L);
    if (i == 0) before = count_descriptors();
  }
  int after = count_descriptors();
  if (after != before) printf("%d descriptors, then %d\n", before, after);
  return after == before ? 0 : 1;
}

static void *open_use_and_close(void *arg) {
  (void)arg;
  lua_State *L = open_state();
  use(L);
  lua_close(L);
  return NULL;
}

static int use_together(int count) {
  pthread_t *threads = calloc((size_t)count, sizeof *threads);
  if (!threads) abort();
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, open_use_and_close, NULL) != 0) abort();
  for (int i = 0; i < count; i++)
    if (pthread_join(threads[i], NULL) != 0) abort();
  free(threads);
  return 0;
}

/* From the thread that uses states to the one that closes them. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  lua_State *state; /* NULL: none waits */
} hatch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};

/* Puts a state there once the one before is taken, or for NULL takes one. */
static lua_State *hand_over(lua_State *L) {
  pthread_mutex_lock(&hatch.lock);
  while (L ? hatch.state != NULL : hatch.state == NULL)
    pthread_cond_wait(&hatch.changed, &hatch.lock);
  lua_State *taken = hatch.state;
  hatch.state = L;
  pthread_cond_broadcast(&hatch.changed);
  pthread_mutex_unlock(&hatch.lock);
  return taken;
}

static void *use_and_hand_over(void *arg) {
  lua_State *last = NULL;
  for (int left = *(int *)arg; left >= 0; left--) {
    lua_State *L = open_state();
    use(L);
    if (last) hand_over(last);
    for (int i = 0; i < 20; i++) /* while the last one is closed */
      use(L);
    last = L;
  }
  lua_close(last);
  return NULL;
}

static int close_behind(int count) {
  pthread_t user;
  if (pthread_create(&user, NULL, use_and_hand_over, &count) != 0) abort();
  for (int i = 0; i < count; i++)
    lua_close(hand_over(NULL));
  if (pthread_join(user, NULL) != 0) abort();
  return 0;
}

static lua_State *left_open;

static void close_late(void) {
  if (!left_open) return;
  lua_close(left_open);
  printf("fine\n");
}

static int leave_open(int times) {
  left_open = open_state();
  while (times-- > 0)
    use(left_open);
  exit(0);
}

static volatile int is_over;

static void *use_on(void *arg) {
  while (!is_over)
    use(arg);
  return NULL;
}

/* What libraries are loaded is settled before, by a first call: a dlopen is not safe from a fork. */
static int fork_meanwhile(int forks) {
  lua_State *used = open_state(), *forked = open_state();
  pthread_t thread;
  int bad = 0;
  use(used);
  if (pthread_create(&thread, NULL, use_on, used) != 0) abort();
  for (int i = 0; i < forks && !bad; i++) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
      (void)alarm(HANG_SECONDS);
      use(forked);
      _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) abort();
    if (status != 0) printf("child %d: status %x\n", i, (unsigned)status);
    bad = status != 0;
  }
  is_over = 1;
  if (pthread_join(thread, NULL) != 0) abort();
  lua_close(used);
  lua_close(forked);
  return bad;
}

int main(int argc, char **argv) {
  if (argc != 4 || atexit(close_late) != 0) return 2;
  script = argv[1];
  int times = (int)strtol(argv[3], NULL, 10);
  int bad = strcmp(argv[2], "close") == 0      ? close_elsewhere(times)
            : strcmp(argv[2], "together") == 0 ? use_together(times)
            : strcmp(argv[2], "handover") == 0 ? close_behind(times)
            : strcmp(argv[2], "exit") == 0     ? leave_open(times)
                                               : fork_meanwhile(times);
  if (!bad) printf("fine\n");
  return bad;
}
