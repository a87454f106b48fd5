// A long-lived worker closes the files of its jobs, except of those that fail.
#include "gallery.h"

#include <sys/resource.h>

static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run_job(unsigned job, bool always_close)
{
    int fd = spool_open(), r = 0;
    if (fd < 0)
        return fd;
    if (job % 8 == 3)
        r = -EINVAL;
    if (r < 0 && !always_close)
        return r;
    close(fd);
    return r;
}

static int64_t work(bool always_close)
{
    allow_many_files();
    for (unsigned job = 0; ls_check() == 0; job++) {
        int r = run_job(job, always_close);
        check(r == -EINVAL ? 0 : r, "job");
        check(ls_sleep(LS_MSEC(50)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return work(false);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return work(true);
}

const struct exhibit fd_leak = {"fd-leak", "files of failed jobs are never closed", wrong, cured,
                                false};
