// The system call filter of an attached agent: what is not named here is refused with EPERM rather than by death,
// because libraries try things and live without.
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine.h"

#define WRITING (O_ACCMODE | O_CREAT | O_TRUNC)

#ifndef PR_SET_VMA // the C library names its mappings
#define PR_SET_VMA 0x53564d41
#endif

static int allow(scmp_filter_ctx f, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int err = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
        if (err < 0)
            return err;
    }
    return 0;
}

#define ALLOW(f, ...)                                                                              \
    allow(f, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static int allow_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int allow_files(scmp_filter_ctx f)
{
    return ALLOW(f, SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(preadv),
                 SCMP_SYS(preadv2), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(writev),
                 SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(lseek), SCMP_SYS(_llseek),
                 SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2),
                 SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(flock),
                 SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat), SCMP_SYS(lstat64),
                 SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(fstatat64), SCMP_SYS(newfstatat),
                 SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(statfs64),
                 SCMP_SYS(fstatfs64), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
                 SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents), SCMP_SYS(getdents64),
                 SCMP_SYS(getcwd), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(ftruncate),
                 SCMP_SYS(ftruncate64), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fallocate),
                 SCMP_SYS(memfd_create), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(umask));
}

static int allow_waiting(scmp_filter_ctx f)
{
    return ALLOW(f, SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
                 SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
                 SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(select),
                 SCMP_SYS(_newselect), SCMP_SYS(pselect6), SCMP_SYS(eventfd), SCMP_SYS(eventfd2),
                 SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
                 SCMP_SYS(signalfd), SCMP_SYS(signalfd4), SCMP_SYS(futex), SCMP_SYS(futex_time64),
                 SCMP_SYS(futex_waitv), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
                 SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),
                 SCMP_SYS(time), SCMP_SYS(pause), SCMP_SYS(wait4), SCMP_SYS(waitid),
                 SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
                 SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
                 SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall));
}

static int allow_own_process(scmp_filter_ctx f)
{
    return ALLOW(f, SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
                 SCMP_SYS(msync), SCMP_SYS(mincore), SCMP_SYS(getpid), SCMP_SYS(getppid),
                 SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
                 SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups),
                 SCMP_SYS(getpgrp), SCMP_SYS(getpgid), SCMP_SYS(getsid), SCMP_SYS(getrusage),
                 SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit), SCMP_SYS(times), SCMP_SYS(sysinfo),
                 SCMP_SYS(uname), SCMP_SYS(getrandom), SCMP_SYS(getcpu), SCMP_SYS(capget),
                 SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list),
                 SCMP_SYS(set_tid_address), SCMP_SYS(rseq), SCMP_SYS(membarrier),
                 SCMP_SYS(get_thread_area), SCMP_SYS(exit), SCMP_SYS(exit_group));
}

// serve's clients; a netlink socket to ask for peers; helpers by socketpair. No way out.
static int allow_sockets(scmp_filter_ctx f)
{
    int err = ALLOW(f, SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(socketpair), SCMP_SYS(sendto),
                    SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
                    SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
                    SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
                    SCMP_SYS(sendfile), SCMP_SYS(sendfile64), SCMP_SYS(splice));
    if (!err)
        err = allow_if(f, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
    return err;
}

static int allow_targets(scmp_filter_ctx f)
{
    return ALLOW(f, SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(process_vm_readv));
}

// Threads, not processes. clone3's flags lie in memory: the C library takes clone where it is not there.
static int allow_threads(scmp_filter_ctx f)
{
    int err = allow_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (!err)
        err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!err)
        err = allow_if(f, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (!err)
        err = allow_if(f, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
    if (!err)
        err = allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (!err)
        err = allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA));
    return err;
}

static int allow_memory(scmp_filter_ctx f)
{
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int err = allow_if(f, SCMP_SYS(mmap), no_exec);
    if (!err)
        err = allow_if(f, SCMP_SYS(mmap2), no_exec);
    if (!err)
        err = allow_if(f, SCMP_SYS(mprotect), no_exec);
    return err;
}

// Of the terminal: its size and modes; not TIOCSTI, which types into it. Of perf: all.
static int allow_ioctl(scmp_filter_ctx f)
{
    static const unsigned requests[] = {
        TCGETS,     TCSETS,   TCSETSW, TCSETSF, TCSBRK,   TCXONC,     TCFLSH,     TIOCGWINSZ,
        TIOCOUTQ,   FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, 0x802c542a, 0x402c542b, 0x402c542c,
        0x402c542d, // ... and as newer C libraries get and set modes (TCGETS2 and on)
    };
    int err = allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, '$' << 8));
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && !err; i++)
        err = allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, requests[i]));
    return err;
}

static int allow_opening(scmp_filter_ctx f, const struct confinement *c)
{
    int err = 0;
    if (!c->writes) {
        err = allow_if(f, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY));
        if (!err)
            err = allow_if(f, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, WRITING, O_RDONLY));
        if (!err && c->unlinks)
            err = ALLOW(f, SCMP_SYS(unlink), SCMP_SYS(unlinkat));
        return err;
    }
    return ALLOW(f, SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat), SCMP_SYS(unlink),
                 SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
                 SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(chmod), SCMP_SYS(fchmod),
                 SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchown32), SCMP_SYS(truncate),
                 SCMP_SYS(utimensat));
}

static int fill(scmp_filter_ctx f, const struct confinement *c)
{
    int err = allow_files(f);
    if (!err)
        err = allow_waiting(f);
    if (!err)
        err = allow_own_process(f);
    if (!err)
        err = allow_sockets(f);
    if (!err)
        err = allow_targets(f);
    if (!err)
        err = allow_threads(f);
    if (!err)
        err = allow_memory(f);
    if (!err)
        err = allow_ioctl(f);
    if (!err)
        err = allow_opening(f, c);
    return err;
}

int confine_filter(const struct confinement *c)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!f)
        return -ENOMEM;
    int err = fill(f, c);
#if SCMP_VER_MAJOR > 2 || SCMP_VER_MINOR >= 5
    if (!err)
        seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a tree: a call costs few steps
#endif
    if (!err)
        err = seccomp_load(f);
    seccomp_release(f);
    return err;
}
