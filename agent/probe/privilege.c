#include "privilege.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "procfs.h"

bool capable(enum capability capability)
{
    char text[4096];
    if (proc_read("/proc/self/status", text, sizeof(text)) < 0)
        return false;
    const char *line = strstr(text, "\nCapEff:");
    uint64_t set = 0;
    if (!line || sscanf(line, "\nCapEff: %" SCNx64, &set) != 1)
        return false;
    return set >> capability & 1;
}

long sysctl_number(const char *path)
{
    char text[32];
    return proc_read(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 10) : -1;
}

static bool missing_capabilities(char *to, size_t size)
{
    static const struct {
        enum capability capability;
        const char *name;
    } needed[] = {
        {CAPABILITY_BPF, "CAP_BPF"},
        {CAPABILITY_PERFMON, "CAP_PERFMON"},
    };
    to[0] = '\0';
    if (capable(CAPABILITY_SYS_ADMIN))
        return false;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (capable(needed[i].capability))
            continue;
        size_t used = strlen(to);
        snprintf(to + used, size - used, "%s%s", used ? ", " : "", needed[i].name);
    }
    return to[0];
}

// Atomic compare and exchange, and the current task as a typed pointer, came with 5.12.
static bool kernel_too_old(char *release, size_t size)
{
    struct utsname name;
    int major, minor;
    if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
        return false;
    snprintf(release, size, "%d.%d", major, minor);
    return major < 5 || (major == 5 && minor < 12);
}

#define FIRST_PID_NAMESPACE 0xeffffffcu // its inode, the same on every machine

int privilege_check_pids(struct error *err)
{
    struct stat st;
    if (stat("/proc/self/ns/pid", &st) != 0 || st.st_ino == FIRST_PID_NAMESPACE)
        return 0;
    error_set(err, STATUS_NO_ATTACH, EOPNOTSUPP,
              "the kernel probes know no pids of a namespace, and this is one (a container)");
    error_hint(err, "start it outside, or with the machine's pids (--pid=host, hostPID: true); "
                    "or --backend proc");
    return -EOPNOTSUPP;
}

int privilege_explain(struct error *err, int errnum, const char *what)
{
    char caps[64], release[32];
    if ((errnum == EPERM || errnum == EACCES) && missing_capabilities(caps, sizeof(caps))) {
        error_set(err, STATUS_NO_ATTACH, errnum, "%s: missing %s", what, caps);
        error_hint(err, "run as root, or: %s; or --backend proc", SETCAP_LINE);
    } else if (kernel_too_old(release, sizeof(release))) {
        error_set(err, STATUS_NO_ATTACH, errnum, "%s: kernel %s is older than 5.12", what, release);
        error_hint(err, "a newer kernel; or --backend proc");
    } else if (access("/sys/kernel/btf/vmlinux", R_OK)) {
        error_set(err, STATUS_NO_ATTACH, errnum, "%s: this kernel has no type information (BTF)",
                  what);
        error_hint(err, "a kernel with CONFIG_DEBUG_INFO_BTF=y; or --backend proc");
    } else {
        error_set(err, STATUS_NO_ATTACH, errnum, "%s: %s", what, strerror(errnum));
        error_hint(err, "loopscope doctor tells which part; --backend proc needs none");
    }
    return -errnum;
}

static bool same_user(int pid)
{
    char path[32];
    struct stat owner;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    return !stat(path, &owner) && owner.st_uid == geteuid();
}

void privilege_hint_process(struct error *err, int pid)
{
    long scope = sysctl_number("/proc/sys/kernel/yama/ptrace_scope");
    if (!same_user(pid))
        error_hint(err, "run as its user or as root, or: %s", SETCAP_OTHERS_LINE);
    else if (scope > 0 && !capable(CAPABILITY_SYS_PTRACE))
        error_hint(err, "sysctl kernel.yama.ptrace_scope=0 (it is %ld), or: %s", scope,
                   SETCAP_LINE);
    else
        error_hint(err, "it protects itself (setuid, or not dumpable): run as root");
}
