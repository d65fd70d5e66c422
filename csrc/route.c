/* route: whether this machine has a way to an address; see route.h. */
#include "route.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 33434 /* any but 0 */

/* Connecting a datagram socket looks the route up, as sending would. 0, or an errno. */
static int connect_to(int fd, const struct tr_address *to) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } name;
  memset(&name, 0, sizeof name);
  socklen_t length = sizeof name.v4;
  if (to->family == AF_INET) {
    name.v4.sin_family = AF_INET;
    name.v4.sin_port = htons(PORT);
    name.v4.sin_addr = to->ip.v4;
  } else {
    length = sizeof name.v6;
    name.v6.sin6_family = AF_INET6;
    name.v6.sin6_port = htons(PORT);
    name.v6.sin6_addr = to->ip.v6;
  }
  return connect(fd, &name.any, length) == 0 ? 0 : errno;
}

enum tr_answer tr_route_look(const struct tr_address *to, enum tr_answer otherwise) {
  int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int reason = fd < 0 ? errno : connect_to(fd, to);
  if (fd >= 0) close(fd);
  switch (reason) {
  case ENETUNREACH:
  case EHOSTUNREACH:
  case EADDRNOTAVAIL: /* no address of ours to send from */
  case EAFNOSUPPORT:
    return TR_ANSWER_NO_ROUTE;
  case EACCES:
  case EPERM:
  case EINVAL: /* a blackhole, or a scope without its link */
    return TR_ANSWER_UNSENDABLE;
  default:
    return otherwise;
  }
}
