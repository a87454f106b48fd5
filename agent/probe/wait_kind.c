// Wait calls by their system call numbers.
#include <sys/syscall.h>

#include "probe.h"

enum wait_kind wait_kind_of(long syscall, uint64_t third_arg)
{
    switch (syscall) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return WAIT_EPOLL;
    case SYS_poll:
    case SYS_ppoll: return WAIT_POLL;
    case SYS_select:
    case SYS_pselect6: return WAIT_SELECT;
    case SYS_io_uring_enter: return (uint32_t)third_arg ? WAIT_URING : WAIT_NONE;
    }
    return WAIT_NONE;
}

bool wait_has_fd(enum wait_kind kind)
{
    return kind == WAIT_EPOLL || kind == WAIT_URING;
}
