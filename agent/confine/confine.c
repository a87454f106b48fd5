#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LOOPSCOPE_COVERAGE)
#define SANITIZED 1 // reports need what the filter refuses
#else
#define SANITIZED 0
#endif

#ifndef CAP_CHECKPOINT_RESTORE // headers before 5.9
#define CAP_CHECKPOINT_RESTORE 40
#endif

static const unsigned kept[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
                                CAP_CHECKPOINT_RESTORE};

static int keep(const unsigned *list, size_t n)
{
    bool had[64] = {false};
    for (size_t i = 0; i < n; i++)
        had[list[i]] = capng_have_capability(CAPNG_EFFECTIVE, list[i]);
    bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < n; i++)
        if (had[list[i]])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, list[i]);
    if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return -EPERM;
    return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

static bool may_write_in_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) >= sizeof(folder))
        return false;
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
             slash ? path : ".");
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 &&
           (access(path, F_OK) != 0 || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0);
}

static bool output_can_be_written(const struct confinement *c)
{
    return !c->output || may_write_in_folder_of(c->output);
}

// Root writes into anybody's folder by CAP_DAC_OVERRIDE: kept only where it was told to and where trying without it
// fails. 1: it is needed; 0: it is not, or is not there; -errno.
static int override_is_needed(const struct confinement *c)
{
    if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE) || !output_can_be_written(c))
        return 0;
    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return -EPERM;
    bool without = output_can_be_written(c);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE);
    return capng_apply(CAPNG_SELECT_CAPS) != 0 ? -EPERM : !without;
}

static int drop_capabilities(const struct confinement *c)
{
    unsigned list[sizeof(kept) / sizeof(kept[0]) + 2];
    size_t n = sizeof(kept) / sizeof(kept[0]);
    memcpy(list, kept, sizeof(kept));
    if (capng_get_caps_process() != 0)
        return -EPERM;
    int r = override_is_needed(c);
    if (r < 0)
        return r;
    if (r > 0)
        list[n++] = CAP_DAC_OVERRIDE;
    if (c->uprobes) // perf's, which take no less
        list[n++] = CAP_SYS_ADMIN;
    return keep(list, n);
}

int confine(struct confinement *c, struct error *err)
{
    if (c->entered)
        return 0;
    int r = drop_capabilities(c);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        r = -errno;
    if (r == 0 && !SANITIZED)
        r = confine_filter(c);
    if (r < 0)
        return error_set(err, STATUS_INTERNAL, -r, "cannot shed privileges: %s", strerror(-r));
    c->entered = true;
    return 0;
}
