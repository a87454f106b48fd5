// Files, folders, handles, terminals, name spaces: what has a path.
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torture.h"

static int by_open(void)
{
    return keep(open("/etc/passwd", O_RDONLY | (coin() ? O_CLOEXEC : 0)));
}

static int by_openat(void)
{
    return keep(openat(AT_FDCWD, "/tmp", O_RDONLY | O_DIRECTORY));
}

static int by_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY};
    return keep((int)syscall(SYS_openat2, AT_FDCWD, "/etc/hostname", &how, sizeof(how)));
}

static int by_creat(void)
{
    char name[64];
    snprintf(name, sizeof(name), "/tmp/t_%u", chance(50));
    return keep(creat(name, 0600));
}

static int unnamed_file(void)
{
    return keep(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int path_only(void)
{
    return keep(open("/etc", O_PATH));
}

static int by_file_handle(void)
{
    struct {
        struct file_handle handle;
        char bytes[128];
    } of = {.handle.handle_bytes = sizeof(of.bytes)};
    int mount_id;
    if (name_to_handle_at(AT_FDCWD, "/tmp", &of.handle, &mount_id, 0))
        return -1;
    int mount = open("/tmp", O_RDONLY);
    int fd = open_by_handle_at(mount, &of.handle, O_RDONLY);
    close(mount);
    return keep(fd);
}

static int terminals_peer(void)
{
    int unlocked = 0, master = keep(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    if (master < 0)
        return -1;
    ioctl(master, TIOCSPTLCK, &unlocked);
    return keep(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

static int owner_of_name_space(void)
{
    int net = keep(open("/proc/self/ns/net", O_RDONLY));
    return net < 0 ? -1 : keep(ioctl(net, NS_GET_USERNS));
}

const struct way file_ways[] = {
    {"open", by_open},
    {"openat", by_openat},
    {"openat2", by_openat2},
    {"creat", by_creat},
    {"O_TMPFILE", unnamed_file},
    {"O_PATH", path_only},
    {"open_by_handle_at", by_file_handle},
    {"TIOCGPTPEER", terminals_peer},
    {"NS_GET_USERNS", owner_of_name_space},
    {0},
};
