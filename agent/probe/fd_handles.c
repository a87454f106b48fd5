// libuv's handles: the uprobes, and the list of what is open.
#include <bpf/bpf.h>

#include <errno.h>

#include "fd_track_internal.h"
#include "uv_file.h"

static const struct {
    const char *function, *type;
} makers[] = {
    {"uv_timer_init", "uv_timer"},       {"uv_tcp_init", "uv_tcp"},
    {"uv_tcp_init_ex", "uv_tcp"},        {"uv_udp_init", "uv_udp"},
    {"uv_udp_init_ex", "uv_udp"},        {"uv_pipe_init", "uv_pipe"},
    {"uv_tty_init", "uv_tty"},           {"uv_poll_init", "uv_poll"},
    {"uv_poll_init_socket", "uv_poll"},  {"uv_async_init", "uv_async"},
    {"uv_prepare_init", "uv_prepare"},   {"uv_check_init", "uv_check"},
    {"uv_idle_init", "uv_idle"},         {"uv_signal_init", "uv_signal"},
    {"uv_fs_event_init", "uv_fs_event"}, {"uv_fs_poll_init", "uv_fs_poll"},
    {"uv_spawn", "uv_process"},
};

static struct bpf_link *attach(struct bpf_program *prog, int pid, const char *path,
                               const char *function, unsigned int cookie)
{
    DECLARE_LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = function, .bpf_cookie = cookie);
    return bpf_program__attach_uprobe_opts(prog, pid, path, 0, &opts);
}

struct attaching {
    struct fd_track *t;
    int pid;
};

static bool attach_file(void *arg, const char *path)
{
    const struct attaching *to = arg;
    struct fd_track *t = to->t;
    int pid = to->pid;
    struct bpf_link *link = attach(t->skel->progs.on_handle_close, pid, path, "uv_close", 0);
    if (!link)
        return false;
    t->links[t->nlinks++] = link;
    for (unsigned int i = 0; i < sizeof(makers) / sizeof(*makers); i++) {
        link = t->nlinks < FD_TRACK_LINKS
                   ? attach(t->skel->progs.on_handle_init, pid, path, makers[i].function, i)
                   : NULL;
        if (link) // an older libuv has fewer
            t->links[t->nlinks++] = link;
    }
    return true;
}

int fd_handles_attach(struct fd_track *t, int pid)
{
    struct attaching to = {t, pid};
    return uv_file_find(pid, attach_file, &to) ? 0 : -ENOENT;
}

bool fd_track_has_handles(const struct fd_track *t)
{
    return t->handles;
}

void fd_track_list_handles(struct fd_track *t, fd_handle_cb cb, void *arg)
{
    uint64_t at, before;
    int map = bpf_map__fd(t->skel->maps.handles);
    if (!t->handles)
        return;
    for (int e = bpf_map_get_next_key(map, NULL, &at); e == 0;
         before = at, e = bpf_map_get_next_key(map, &before, &at)) {
        struct ls_handle h;
        if (bpf_map_lookup_elem(map, &at, &h))
            continue;
        bool known = h.type < sizeof(makers) / sizeof(*makers);
        cb(arg, &(struct fd_handle){.address = at,
                                    .type = known ? makers[h.type].type : "uv_handle",
                                    .key = h.key,
                                    .opened_ns = (int64_t)h.opened_ns});
    }
}
