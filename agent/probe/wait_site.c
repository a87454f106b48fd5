#include "wait_site.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elf_functions.h"

enum { LINE_SIZE = 1024 };

struct mapping {
    uint64_t start, end, offset;
    char name[LINE_SIZE];
};

static const char *const *functions_of(enum wait_kind kind)
{
    static const char *const epoll[WAIT_SITES] = {"epoll_wait", "epoll_pwait", "epoll_pwait2"};
    static const char *const poll[WAIT_SITES] = {"poll", "ppoll", "__poll_chk"};
    static const char *const select[WAIT_SITES] = {"select", "pselect", "__select"};
    switch (kind) {
    case WAIT_EPOLL: return epoll;
    case WAIT_POLL: return poll;
    case WAIT_SELECT: return select;
    case WAIT_URING: // its library makes the system call inline
    case WAIT_NONE: break;
    }
    return NULL;
}

static bool parse_code(const char *line, struct mapping *m)
{
    char mode[8];
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %1023s", &m->start,
                  &m->end, mode, &m->offset, m->name) == 5 &&
           mode[2] == 'x';
}

static bool may_hold_waits(const char *name, const char *exe)
{
    const char *last = strrchr(name, '/');
    return last && (!strncmp(last, "/libc.so", 8) || !strncmp(last, "/libc-", 6) ||
                    !strncmp(last, "/libc.musl", 10) || !strncmp(last, "/ld-musl", 8) ||
                    !strcmp(name, exe));
}

static int sites_in(int pid, const struct mapping *m, const char *const *names,
                    uint64_t sites[WAIT_SITES])
{
    char path[LINE_SIZE + 64];
    uint64_t offsets[WAIT_SITES] = {0};
    int n = 0;
    snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->name);
    if (elf_functions(path, names, WAIT_SITES, offsets) <= 0)
        return 0;
    for (int i = 0; i < WAIT_SITES; i++)
        if (offsets[i] >= m->offset && offsets[i] - m->offset < m->end - m->start)
            sites[n++] = m->start + (offsets[i] - m->offset);
    return n;
}

static void read_exe(int pid, char exe[LINE_SIZE])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t len = readlink(path, exe, LINE_SIZE - 1);
    exe[len > 0 ? len : 0] = '\0';
}

int wait_sites_find(int pid, enum wait_kind kind, uint64_t sites[WAIT_SITES])
{
    const char *const *names = functions_of(kind);
    char path[64], line[LINE_SIZE + 256], exe[LINE_SIZE];
    struct mapping m;
    int n = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *f = names ? fopen(path, "re") : NULL;
    read_exe(pid, exe);
    while (f && !n && fgets(line, sizeof(line), f))
        if (parse_code(line, &m) && may_hold_waits(m.name, exe))
            n = sites_in(pid, &m, names, sites);
    if (f)
        fclose(f);
    return n;
}
