/* doorbell: lets a program that waits on sockets of its own (nginx) wait for sources that live in
** the thread. It connects to a private unix socket and says which source it waits for; a byte comes
** whenever there is something to take; when the connection ends, the source is cancelled. When the
** door was closed first, the connection may be kept and told another's number; a byte of the door
** before may still come then. Knows no Lua and nothing of nginx. */
#ifndef TR_DOORBELL_H
#define TR_DOORBELL_H

#include "source.h"

#define TR_DOORBELL_PATH_MAX 64

/* One door: a source that may be waited for. */
struct tr_door;

/* Opens a door for the source. NULL, with errno set: no memory, no descriptors, or no directory
** in which a socket can be made. `path` is where to connect to; *number is to be sent there in
** decimal digits and a newline. */
struct tr_door *tr_door_open(struct tr_thread *thread, struct tr_source *source,
                             char path[TR_DOORBELL_PATH_MAX], unsigned long *number);

/* Closes it, before the source is freed. The door is gone for the caller. NULL is fine. */
void tr_door_close(struct tr_door *door);

#endif
