// The opener's side: waits for orders, opens, answers.
#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "opener_internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LOOPSCOPE_COVERAGE)
#define SANITIZED 1 // reports need what the filter refuses
#else
#define SANITIZED 0
#endif

static int filter(void)
{
    static const int calls[] = {SCMP_SYS(recvfrom),        SCMP_SYS(sendmsg),
                                SCMP_SYS(perf_event_open), SCMP_SYS(close),
                                SCMP_SYS(rt_sigreturn),    SCMP_SYS(exit_group)};
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        return -ENOMEM;
    int err = 0;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !err; i++)
        err = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
    if (!err)
        err = seccomp_load(f);
    seccomp_release(f);
    return err;
}

static int shed(void)
{
    if (capng_get_caps_process() != 0)
        return -EPERM;
    bool has = capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
    bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_BOTH);
    if (has)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN);
    if ((bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0) || capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return SANITIZED ? 0 : filter();
}

static bool answer(int to, int result)
{
    union one_descriptor control;
    struct iovec body = {&result, sizeof(result)};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1};
    if (result >= 0)
        put_descriptor(&m, &control, result);
    return sendmsg(to, &m, MSG_NOSIGNAL) == sizeof(result);
}

// But stderr, where a sanitizer reports.
static int keep_only(int fd)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (fd > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0) != 0)
        return -errno;
    return close_range((unsigned)fd + 1, ~0u, 0) == 0 ? 0 : -errno;
}

void opener_live(int fd, opener_fn *open)
{
    struct opener_order o;
    prctl(PR_SET_NAME, "loopscope-perf", 0, 0, 0);
    if (keep_only(fd) < 0 || shed() < 0)
        _exit(1);
    while (recv(fd, &o, sizeof(o), 0) == sizeof(o)) {
        int result = open(&o);
        bool told = answer(fd, result);
        if (result >= 0)
            close(result);
        if (!told)
            break;
    }
    _exit(0);
}
