// Which epoll is likely a thread's own, when it was not seen to wait yet.
#ifndef LOOPSCOPE_LIKELY_EPOLL_H
#define LOOPSCOPE_LIKELY_EPOLL_H

#include "model.h"

struct epolls {        // those that may be its own
    int count, lowest; // descriptors; lowest -1: none
};
struct epolls epolls_of(const struct thread *t, int except);
// -1: more than one may be it, or none.
int likely_epoll(const struct thread *t, int not_fd);

#endif
