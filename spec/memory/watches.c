/* watches: a Lua whose system refuses to watch sockets, for spec/watches_spec.lua. Arguments: a script,
** the errno, and the numbers, counted from 1, of the first and the last socket of TCP that epoll_ctl
** refuses with it when it is to be watched for the first time; 0: of no socket, but everything else.
** Prints what the script's function returns, and how many sockets were refused. */
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int luaopen_traceroute_core(lua_State *L);

static long first, last, count, refused;
static int refusal;

static int is_tcp(int fd) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM;
}

/* In the place of libc's for all of the program. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  if (operation == EPOLL_CTL_ADD && refusal) {
    int is_refused = is_tcp(fd) ? ++count >= first && count <= last : first == 0;
    if (is_refused) {
      refused++;
      errno = refusal;
      return -1;
    }
  }
  return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  first = strtol(argv[3], NULL, 10);
  last = strtol(argv[4], NULL, 10);
  lua_State *L = luaL_newstate();
  if (!L) return 2;
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_traceroute_core);
  lua_setfield(L, -2, "traceroute.core");
  int failed = luaL_loadfile(L, argv[1]) || lua_pcall(L, 0, 1, 0);
  refusal = (int)strtol(argv[2], NULL, 10);
  if (!failed) failed = lua_pcall(L, 0, 1, 0);
  const char *said = lua_tostring(L, -1);
  printf("%s; %ld refused\n", said ? said : "nothing", refused);
  lua_close(L);
  return failed;
}
