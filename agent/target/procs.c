#include "procs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs.h"

#define KERNEL_THREAD 0x00200000 // PF_KTHREAD
#define FORK_NO_EXEC  0x00000040 // PF_FORKNOEXEC
#define ELF_CLASS     4          // e_ident's index
#define ELF_CLASS_32  1

static int check_is_process(int pid, struct proc_stat *stat, struct error *err)
{
    int tgid;
    if (pid <= 0 || proc_stat(pid, 0, stat) < 0)
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "no process with pid %d", pid);
    if (!procfs_is_tgid(pid, &tgid) && tgid > 0) {
        error_set(err, STATUS_NO_ATTACH, ESRCH, "%d is a thread of process %d", pid, tgid);
        error_hint(err, "watch the process: loopscope %d", tgid);
        return -ESRCH;
    }
    if (stat->flags & KERNEL_THREAD)
        return error_set(err, STATUS_NO_ATTACH, EINVAL, "%d (%s) is a kernel thread", pid,
                         stat->comm);
    if (stat->state == 'Z' || stat->state == 'X')
        return error_set(err, STATUS_NO_ATTACH, ESRCH,
                         "%d (%s) has already exited: a zombie its parent %d has not reaped", pid,
                         stat->comm, stat->ppid);
    return 0;
}

static int check_may_read(int pid, const char *comm, struct error *err)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    int e = errno;
    struct passwd *pw = stat("/proc/self", &st) == 0 ? getpwuid(geteuid()) : NULL;
    char me[32];
    snprintf(me, sizeof(me), "%u", (unsigned)geteuid());
    error_set(err, STATUS_NO_ATTACH, e, "no permission to watch %d (%s) as user %s", pid, comm,
              pw ? pw->pw_name : me);
    if (geteuid() == 0)
        error_hint(err, "even root is refused: a security module, a container's border or no "
                        "CAP_SYS_PTRACE");
    else
        error_hint(err,
                   "run as root (sudo loopscope ...) or as the user of the process; see loopscope "
                   "doctor %d",
                   pid);
    return -e;
}

static int check_is_64_bit(int pid, const char *comm, struct error *err)
{
    char path[64];
    unsigned char ident[16] = {0};
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; // unlinked or not ours to open: nothing says that it is 32-bit
    ssize_t n = read(fd, ident, sizeof(ident));
    close(fd);
    if (n == sizeof(ident) && memcmp(ident, "\177ELF", 4) == 0 && ident[ELF_CLASS] == ELF_CLASS_32)
        return error_set(err, STATUS_NO_ATTACH, ENOEXEC,
                         "%d (%s) is a 32-bit program, which loopscope cannot read", pid, comm);
    return 0;
}

int proc_check(int pid, struct error *err)
{
    struct proc_stat stat;
    int r = check_is_process(pid, &stat, err);
    if (r == 0 && pid == getpid())
        r = error_set(err, STATUS_NO_ATTACH, EINVAL, "%d is loopscope itself", pid);
    if (r == 0)
        r = check_may_read(pid, stat.comm, err);
    if (r == 0)
        r = check_is_64_bit(pid, stat.comm, err);
    return r;
}

static int64_t boot_unix_ns(void)
{
    char buf[8192];
    if (procfs_read(buf, sizeof(buf), "/proc/stat") < 0)
        return SNAP_UNKNOWN;
    const char *at = strstr(buf, "btime ");
    return at ? strtoll(at + 6, NULL, 10) * 1000000000LL : SNAP_UNKNOWN;
}

// /proc/PID/cmdline's words with blanks between them.
static char *read_cmdline(int pid)
{
    char buf[1024];
    ssize_t n = procfs_read(buf, sizeof(buf), "/proc/%d/cmdline", pid);
    while (n > 0 && !buf[n - 1])
        n--;
    for (ssize_t i = 0; i < n; i++)
        if (!buf[i])
            buf[i] = ' ';
    return n > 0 ? strndup(buf, (size_t)n) : NULL;
}

void proc_read_names(struct proc *p)
{
    char exe[PATH_MAX];
    procfs_comm(p->pid, p->pid, p->name, sizeof(p->name));
    free(p->exe);
    free(p->cmdline);
    p->exe = procfs_link(exe, sizeof(exe), "/proc/%d/exe", p->pid) > 0 ? strdup(exe) : NULL;
    p->cmdline = read_cmdline(p->pid);
}

int proc_new(struct model *m, int pid, struct proc **ret, struct error *err)
{
    struct proc_stat stat;
    int r = proc_check(pid, err);
    if (r < 0)
        return r;
    if (proc_stat(pid, 0, &stat) < 0)
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "no process with pid %d", pid);
    struct proc *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    char path[32];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    p->uid = lstat(path, &st) == 0 ? st.st_uid : (uid_t)-1;
    p->pid = pid;
    p->ppid = stat.ppid;
    p->start_ticks = stat.start_time;
    p->forked = stat.flags & FORK_NO_EXEC;
    int64_t boot = boot_unix_ns();
    p->started_unix_ns =
        boot == SNAP_UNKNOWN
            ? SNAP_UNKNOWN
            : boot + (int64_t)(stat.start_time * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK)));
    p->added_ns = m->now_ns;
    p->identity.uv_backend_fd = -1;
    p->fd_limit = p->fd_limit_hard = SNAP_UNKNOWN;
    p->zombies = p->zombie_since_ns = SNAP_UNKNOWN;
    proc_read_names(p);
    proc_inventory(p);
    *ret = p;
    return 0;
}

void proc_free(struct proc *p)
{
    free(p->exe);
    free(p->cmdline);
    free(p);
}

void proc_judge_runtime(struct proc *p)
{
    if (runtime_is_judged(p->identity.runtime))
        return;
    snprintf(p->why_not, sizeof(p->why_not),
             "a %s program: its poller moves work between threads and is no event loop, so it is "
             "not judged",
             runtime_name(p->identity.runtime));
}

bool script_name(const char *cmdline, char *buf, size_t size)
{
    const char *at = cmdline ? strchr(cmdline, ' ') : NULL;
    while (at) {
        at += strspn(at, " ");
        size_t n = strcspn(at, " ");
        if (*at && *at != '-') {
            const char *base = at;
            for (size_t i = 0; i < n; i++)
                if (at[i] == '/' && i + 1 < n)
                    base = at + i + 1;
            snprintf(buf, size, "%.*s", (int)(at + n - base), base);
            return n > 0;
        }
        at = strchr(at, ' ');
    }
    return false;
}
