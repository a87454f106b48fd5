// What a descriptor of the target leads to.
#ifndef LOOPSCOPE_FDINFO_H
#define LOOPSCOPE_FDINFO_H

#include "../snapshot/snapshot.h"

// Fills fd, path, peer, is_log, nonblock_missing of cause. Strings into box. What is not known
// stays NULL.
void fd_describe(int pid, int fd, bool writing, struct snap *box, struct cause *cause);
// "tcp 10.0.0.1:443", "unix /run/x", from the bytes of a sockaddr; NULL.
const char *address_text(struct snap *box, const void *bytes, size_t len, const char *protocol);
bool path_is_log(const char *path);

#endif
