#include "wait_site.h"

#include <string.h>

#include "code_files.h"
#include "elf_functions.h"

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

static bool may_hold_waits(const struct code_file *f)
{
    static const char *const names[] = {"libc.so", "libc-", "libc.musl", "ld-musl"};
    bool ret = f->is_exe;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        ret |= !strncmp(f->leaf, names[i], strlen(names[i]));
    return ret;
}

struct search {
    const char *const *names;
    uint64_t *sites; // WAIT_SITES
    int n;
};

static bool look(void *arg, const struct code_file *f)
{
    struct search *s = arg;
    uint64_t offsets[WAIT_SITES] = {0};
    if (!may_hold_waits(f) || elf_functions(f->path, s->names, WAIT_SITES, offsets) <= 0)
        return false;
    for (int i = 0; i < WAIT_SITES; i++)
        if (offsets[i] >= f->offset && offsets[i] - f->offset < f->end - f->start)
            s->sites[s->n++] = f->start + (offsets[i] - f->offset);
    return s->n > 0;
}

int wait_sites_find(int pid, enum wait_kind kind, uint64_t sites[WAIT_SITES])
{
    struct search s = {.names = functions_of(kind), .sites = sites};
    if (s.names)
        code_files_each(pid, look, &s);
    return s.n;
}
