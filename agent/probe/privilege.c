#include "privilege.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
        snprintf(to + used, size - used, "%s%s", used ? " and " : "", needed[i].name);
    }
    return to[0];
}

int privilege_explain(struct error *err, int errnum, const char *what)
{
    char caps[64];
    if ((errnum == EPERM || errnum == EACCES) && missing_capabilities(caps, sizeof(caps))) {
        error_set(err, STATUS_NO_ATTACH, errnum, "%s: %s is missing", what, caps);
        error_hint(err, "run as root, or: %s; or --backend proc", SETCAP_LINE);
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
