// Mounts that are not attached anywhere.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torture.h"

static int by_open_tree(void)
{
    return keep((int)syscall(SYS_open_tree, AT_FDCWD, "/tmp", OPEN_TREE_CLONE));
}

static int by_fsopen(void)
{
    return keep((int)syscall(SYS_fsopen, "tmpfs", 0));
}

static int by_fsmount(void)
{
    int made = (int)syscall(SYS_fsopen, "tmpfs", 0);
    if (made < 0)
        return -1;
    syscall(SYS_fsconfig, made, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    int fd = keep((int)syscall(SYS_fsmount, made, 0, 0));
    close(made);
    return fd;
}

static int by_fspick(void)
{
    return keep((int)syscall(SYS_fspick, AT_FDCWD, "/", 0));
}

const struct way mount_ways[] = {
    {"open_tree", by_open_tree},
    {"fsopen", by_fsopen},
    {"fsmount", by_fsmount},
    {"fspick", by_fspick},
    {0},
};
