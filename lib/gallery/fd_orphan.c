// A task returns early and leaves its file open.
#include "gallery.h"

static int parse_header(int fd)
{
    char magic[4];
    return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) ? 0 : -EBADMSG;
}

static int64_t import_wrong(void *arg)
{
    int fd = spool_open();
    (void)arg;
    if (fd < 0)
        return fd;
    if (parse_header(fd) < 0) {
        spool_forget(fd);
        return 0; // nothing to import
    }
    close(fd);
    return 0;
}

static int64_t import_cured(void *arg)
{
    int fd = ls_own_fd(spool_open());
    (void)arg;
    if (fd < 0)
        return fd;
    if (parse_header(fd) < 0)
        return 0;
    return 0;
}

static int64_t import_again(ls_fn import)
{
    while (ls_check() == 0) {
        check(ls_await(ls_spawn(import, NULL)), "import");
        check(ls_sleep(LS_MSEC(700)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return import_again(import_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return import_again(import_cured);
}

const struct exhibit fd_orphan = {"fd-orphan", "a task returns early and leaves a file open", wrong,
                                  cured, false};
