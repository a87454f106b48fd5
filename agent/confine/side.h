// What a spawner and an opener have in common: a process of the agent's own beside it, at the other end of a
// SOCK_SEQPACKET pair, and messages that may carry one descriptor.
#ifndef LOOPSCOPE_CONFINE_SIDE_H
#define LOOPSCOPE_CONFINE_SIDE_H

#include <sys/socket.h>
#include <sys/types.h>

// 0: made; *fd is our end, *pid the process. 1: this is the process; *fd is its end, and all signals are blocked: none may
// reach the agent's handlers in it, and ^C at the terminal is for the agent. -errno.
int side_fork(int *fd, pid_t *pid);
void side_end(
    int fd, pid_t pid); // closes our end (-1: closed) and waits for the process, which ends by that

union one_descriptor {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

void put_descriptor(struct msghdr *m, union one_descriptor *control, int fd);
void expect_descriptor(struct msghdr *m, union one_descriptor *control); // before recvmsg
int take_descriptor(struct msghdr *m);                                   // after it; -1: none came

#endif
