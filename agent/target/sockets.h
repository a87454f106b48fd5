// The peer of a socket, by inode.
#ifndef LOOPSCOPE_SOCKETS_H
#define LOOPSCOPE_SOCKETS_H

#include <stddef.h>

// "tcp 10.0.0.1:443", "unix /run/x" of socket `inode` as process pid's network namespace sees it.
// Returns buf or NULL.
const char *socket_peer(int pid, unsigned long inode, char *buf, size_t size);

#endif
