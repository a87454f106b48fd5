// What the helper gives up before it reads its first foreign byte.
#ifndef LOOPSCOPE_STACK_SANDBOX_H
#define LOOPSCOPE_STACK_SANDBOX_H

// Closes every descriptor but stderr and keep_fd, becomes nobody when root, drops all capabilities, sets
// resource limits and a system call filter that opens nothing. -errno: the caller must not go on.
int sandbox_enter(int keep_fd);

#endif
