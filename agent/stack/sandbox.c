// The filter allows what reading passed descriptors, mapping them and answering needs. Everything else is
// refused with EPERM rather than by death: libdw looks for further files by itself and lives without.
#include "sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY   65534
#define MAX_DATA (512ull << 20) // of our own memory; mapped files do not count
#define MAX_FDS  8192           // two a process

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 // shadow memory and reports need what the filter and the limits refuse
#else
#define SANITIZED 0
#endif

static int close_others(int keep)
{
    if (keep != STDERR_FILENO + 1)
        return -EINVAL;
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        return -errno;
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    return close_range((unsigned)keep + 1, ~0u, 0) == 0 ? 0 : -errno;
}

static int limit(int resource, rlim_t max)
{
    struct rlimit now, l = {max, max};
    if (getrlimit(resource, &now) == 0 && now.rlim_max < max)
        l.rlim_cur = l.rlim_max = now.rlim_max;
    return setrlimit(resource, &l) == 0 ? 0 : -errno;
}

static int set_limits(void)
{
    int err = limit(RLIMIT_CORE, 0);
    if (!err)
        err = limit(RLIMIT_FSIZE, 0);
    if (!err)
        err = limit(RLIMIT_NOFILE, MAX_FDS);
    if (!err && !SANITIZED)
        err = limit(RLIMIT_DATA, MAX_DATA);
    return err;
}

static int drop_privileges(void)
{
    capng_clear(CAPNG_SELECT_BOTH);
    capng_apply(CAPNG_SELECT_BOUNDS); // where CAP_SETPCAP allows it
    // In a user namespace without a nobody this fails; then the capabilities alone go.
    if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return -errno;
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno;
    // After the change of user, which clears it: a killed agent leaves no helper behind.
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 ? 0 : -errno;
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (err < 0)
            return err;
    }
    return 0;
}

static int load_filter(void)
{
    static const int calls[] = {
        SCMP_SYS(read),       SCMP_SYS(pread64),         SCMP_SYS(recvmsg),
        SCMP_SYS(sendmsg),    SCMP_SYS(write),           SCMP_SYS(close),
        SCMP_SYS(fstat),      SCMP_SYS(newfstatat),      SCMP_SYS(lseek),
        SCMP_SYS(munmap),     SCMP_SYS(mremap),          SCMP_SYS(madvise),
        SCMP_SYS(brk),        SCMP_SYS(futex),           SCMP_SYS(clock_gettime),
        SCMP_SYS(getrandom),  SCMP_SYS(rt_sigreturn),    SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(getpid),     SCMP_SYS(gettid),          SCMP_SYS(exit),
        SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int err = allow(filter, calls, sizeof(calls) / sizeof(*calls));
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec);
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
    const struct scmp_arg_cmp get_flags = SCMP_A1(SCMP_CMP_EQ, F_GETFL);
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &get_flags);
    const struct scmp_arg_cmp itself = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()); // abort()
    if (!err)
        err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}

int sandbox_enter(int keep_fd)
{
    int err = close_others(keep_fd);
    if (!err)
        err = set_limits();
    if (!err)
        err = drop_privileges();
    if (!err && !SANITIZED)
        err = load_filter();
    return err;
}
