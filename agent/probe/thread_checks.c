#include "thread_checks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../bpf/thread_records.h"
#include "elf_functions.h"
#include "privilege.h"
#include "thread_checks.skel.h"
#include "uv_file.h"

// Where a function has its loop, and its callback if it is synchronous without one.
#define OF_LOOP    0                                          // uv_f(loop, ...)
#define OF_HANDLE  (1 << LS_CHECK_HANDLE)                     // uv_f(handle, ...)
#define OF_REQUEST (1 << LS_CHECK_HANDLE | 1 << LS_CHECK_ARG) // uv_f(request, handle, ...)
#define TAIL       (1 << LS_CHECK_TAIL) // uv_write ends in a jump to uv_write2
// With its callback in argument n, from 0.
#define OF_LOOP_CB(n) ((unsigned int)((n) + 1) << LS_CHECK_CB)

static const struct {
    const char *name;
    unsigned int about;
} functions[] = {
    {"uv_run", OF_LOOP}, // the first: has a program of its own
    {"uv_stop", OF_LOOP},
    {"uv_update_time", OF_LOOP},
    {"uv_walk", OF_LOOP},
    {"uv_close", OF_HANDLE},
    {"uv_ref", OF_HANDLE},
    {"uv_unref", OF_HANDLE},
    {"uv_async_init", OF_LOOP},
    {"uv_timer_init", OF_LOOP},
    {"uv_timer_start", OF_HANDLE},
    {"uv_timer_stop", OF_HANDLE},
    {"uv_timer_again", OF_HANDLE},
    {"uv_prepare_init", OF_LOOP},
    {"uv_prepare_start", OF_HANDLE},
    {"uv_prepare_stop", OF_HANDLE},
    {"uv_check_init", OF_LOOP},
    {"uv_check_start", OF_HANDLE},
    {"uv_check_stop", OF_HANDLE},
    {"uv_idle_init", OF_LOOP},
    {"uv_idle_start", OF_HANDLE},
    {"uv_idle_stop", OF_HANDLE},
    {"uv_read_start", OF_HANDLE},
    {"uv_read_stop", OF_HANDLE},
    {"uv_write", OF_REQUEST},
    {"uv_write2", OF_REQUEST | TAIL},
    {"uv_try_write", OF_HANDLE},
    {"uv_try_write2", OF_HANDLE | TAIL},
    {"uv_shutdown", OF_REQUEST},
    {"uv_listen", OF_HANDLE},
    {"uv_accept", OF_HANDLE},
    {"uv_tcp_init", OF_LOOP},
    {"uv_tcp_init_ex", OF_LOOP | TAIL},
    {"uv_tcp_open", OF_HANDLE},
    {"uv_tcp_bind", OF_HANDLE},
    {"uv_tcp_connect", OF_REQUEST},
    {"uv_tcp_nodelay", OF_HANDLE},
    {"uv_tcp_keepalive", OF_HANDLE},
    {"uv_tcp_close_reset", OF_HANDLE},
    {"uv_pipe_init", OF_LOOP},
    {"uv_pipe_open", OF_HANDLE},
    {"uv_pipe_bind", OF_HANDLE},
    {"uv_pipe_connect", OF_REQUEST},
    {"uv_tty_init", OF_LOOP},
    {"uv_udp_init", OF_LOOP},
    {"uv_udp_init_ex", OF_LOOP | TAIL},
    {"uv_udp_open", OF_HANDLE},
    {"uv_udp_bind", OF_HANDLE},
    {"uv_udp_connect", OF_HANDLE},
    {"uv_udp_send", OF_REQUEST},
    {"uv_udp_try_send", OF_HANDLE},
    {"uv_udp_recv_start", OF_HANDLE},
    {"uv_udp_recv_stop", OF_HANDLE},
    {"uv_poll_init", OF_LOOP},
    {"uv_poll_init_socket", OF_LOOP},
    {"uv_poll_start", OF_HANDLE},
    {"uv_poll_stop", OF_HANDLE},
    {"uv_signal_init", OF_LOOP},
    {"uv_signal_start", OF_HANDLE},
    {"uv_signal_start_oneshot", OF_HANDLE},
    {"uv_signal_stop", OF_HANDLE},
    {"uv_fs_event_init", OF_LOOP},
    {"uv_fs_event_start", OF_HANDLE},
    {"uv_fs_event_stop", OF_HANDLE},
    {"uv_fs_poll_init", OF_LOOP},
    {"uv_fs_poll_start", OF_HANDLE},
    {"uv_fs_poll_stop", OF_HANDLE},
    {"uv_spawn", OF_LOOP},
    {"uv_queue_work", OF_LOOP},
    {"uv_getaddrinfo", OF_LOOP_CB(2)},
    {"uv_getnameinfo", OF_LOOP_CB(2)},
    {"uv_fs_close", OF_LOOP_CB(3)},
    {"uv_fs_open", OF_LOOP_CB(5)},
    {"uv_fs_read", OF_LOOP_CB(6)},
    {"uv_fs_write", OF_LOOP_CB(6)},
    {"uv_fs_unlink", OF_LOOP_CB(3)},
    {"uv_fs_rename", OF_LOOP_CB(4)},
    {"uv_fs_mkdir", OF_LOOP_CB(4)},
    {"uv_fs_rmdir", OF_LOOP_CB(3)},
    {"uv_fs_scandir", OF_LOOP_CB(4)},
    {"uv_fs_stat", OF_LOOP_CB(3)},
    {"uv_fs_fstat", OF_LOOP_CB(3)},
    {"uv_fs_lstat", OF_LOOP_CB(3)},
    {"uv_fs_fsync", OF_LOOP_CB(3)},
    {"uv_fs_fdatasync", OF_LOOP_CB(3)},
    {"uv_fs_ftruncate", OF_LOOP_CB(4)},
    {"uv_fs_copyfile", OF_LOOP_CB(5)},
    {"uv_fs_sendfile", OF_LOOP_CB(6)},
};

#define FUNCTIONS (sizeof(functions) / sizeof(*functions))
#define NAMES     (FUNCTIONS + 1) // and uv_loop_init

struct places { // of one program's probes
    const char *path;
    unsigned int n;
    uint64_t offsets[NAMES], cookies[NAMES];
};

static void add_place(struct places *p, uint64_t offset, uint64_t cookie)
{
    p->offsets[p->n] = offset;
    p->cookies[p->n++] = cookie;
}

struct thread_checks {
    struct thread_checks_bpf *skel;
    bool multi; // probes are attached at once, which also makes their end one wait of the kernel's
    int multi_fds[3], nmulti;
    struct bpf_link *links[NAMES];
    int nlinks, pid, probed;
    int refused; // errno of the last attempt to attach
    struct ring_buffer *ring;
    thread_call_cb cb;
    void *arg;
};

static int on_record(void *arg, void *data, size_t size)
{
    struct thread_checks *t = arg;
    const struct ls_thread_call *r = data;
    if (size < sizeof(*r) || r->stack_len > size - sizeof(*r) || r->call >= FUNCTIONS)
        return 0;
    struct thread_call c = {
        .tid = (int)r->tid,
        .owner = (int)r->owner,
        .function = functions[r->call].name,
        .loop = r->loop,
        .backend_fd = r->fd,
        .runs = r->runs,
        .at_ns = (int64_t)r->at_ns,
        .calls = (int64_t)r->calls,
        .stack = (const uint8_t *)(r + 1),
        .stack_len = r->stack_len,
    };
    memcpy(&c.regs, r->regs, sizeof(r->regs));
    t->cb(t->arg, &c);
    return 0;
}

// One link for many places, since 6.6. Not in the headers of Debian 12.
#define UPROBE_MULTI 48

struct uprobe_multi {
    unsigned int prog_fd, target_fd, attach_type, flags;
    uint64_t path, offsets, ref_ctr_offsets, cookies;
    unsigned int count, multi_flags, pid;
};

static bool attach_at_once(struct thread_checks *t, const struct bpf_program *prog,
                           const struct places *at)
{
    const struct uprobe_multi order = {.prog_fd = (unsigned int)bpf_program__fd(prog),
                                       .attach_type = UPROBE_MULTI,
                                       .path = (uint64_t)(uintptr_t)at->path,
                                       .offsets = (uint64_t)(uintptr_t)at->offsets,
                                       .cookies = (uint64_t)(uintptr_t)at->cookies,
                                       .count = at->n,
                                       .pid = (unsigned int)t->pid};
    int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &order, sizeof(order));
    if (fd >= 0)
        t->multi_fds[t->nmulti++] = fd;
    return fd >= 0;
}

static bool attach_each(struct thread_checks *t, const struct bpf_program *prog,
                        const struct places *at)
{
    for (unsigned int i = 0; i < at->n; i++) {
        DECLARE_LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = at->cookies[i]);
        struct bpf_link *link =
            bpf_program__attach_uprobe_opts(prog, t->pid, at->path, at->offsets[i], &opts);
        if (!link)
            return false;
        t->links[t->nlinks++] = link;
    }
    return true;
}

static bool attach(struct thread_checks *t, const struct bpf_program *prog, const struct places *at)
{
    errno = 0;
    bool ok = t->multi ? attach_at_once(t, prog, at) : attach_each(t, prog, at);
    t->refused = ok ? 0 : errno;
    t->probed += ok ? (int)at->n : 0;
    return ok;
}

// Whose a loop is must be known before anything is said of it. An older libuv has fewer functions.
static bool attach_file(void *arg, const char *path)
{
    struct thread_checks *t = arg;
    const char *names[NAMES];
    uint64_t offsets[NAMES];
    struct places run = {.path = path}, init = run, call = run;
    for (unsigned int i = 0; i < FUNCTIONS; i++)
        names[i] = functions[i].name;
    names[FUNCTIONS] = "uv_loop_init";
    if (elf_functions(path, names, NAMES, offsets) <= 0 || !offsets[0] || !offsets[FUNCTIONS])
        return false;
    add_place(&run, offsets[0], 0);
    add_place(&init, offsets[FUNCTIONS], 0);
    for (unsigned int i = 1; i < FUNCTIONS; i++)
        if (offsets[i])
            add_place(&call, offsets[i], functions[i].about | i);
    return attach(t, t->skel->progs.on_run, &run) &&
           attach(t, t->skel->progs.on_loop_init, &init) &&
           attach(t, t->skel->progs.on_call, &call);
}

static int load(struct thread_checks *t, struct error *err)
{
    struct bpf_program *prog;
    int e = privilege_check_pids(err);
    if (e)
        return e;
    t->skel = thread_checks_bpf__open();
    if (!t->skel)
        return privilege_explain(err, errno, "cannot watch libuv's functions");
    t->skel->rodata->target = (unsigned int)t->pid;
    bpf_object__for_each_program(prog, t->skel->obj)
    {
        bpf_program__set_autoload(prog, true);
        if (t->multi)
            bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)UPROBE_MULTI);
    }
    e = thread_checks_bpf__load(t->skel);
    if (!e && !(t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.calls), on_record, t, NULL)))
        e = -errno;
    return e ? privilege_explain(err, -e, "cannot watch libuv's functions") : 0;
}

static void unload(struct thread_checks *t)
{
    while (t->nlinks)
        bpf_link__destroy(t->links[--t->nlinks]);
    while (t->nmulti)
        close(t->multi_fds[--t->nmulti]);
    if (t->ring)
        ring_buffer__free(t->ring);
    if (t->skel)
        thread_checks_bpf__destroy(t->skel);
    t->ring = NULL;
    t->skel = NULL;
    t->probed = 0;
}

static int load_and_attach(struct thread_checks *t, bool multi, struct error *err)
{
    t->multi = multi;
    t->refused = 0;
    int e = load(t, err);
    if (e || uv_file_find(t->pid, attach_file, t))
        return e;
    return t->refused
               ? privilege_explain(err, t->refused, "cannot watch libuv's functions")
               : error_set(err, STATUS_NO_ATTACH, ENOENT, "its libuv has no names of functions");
}

int thread_checks_open(struct thread_checks **ret, int pid, thread_call_cb cb, void *arg,
                       struct error *err)
{
    struct thread_checks *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    t->pid = pid;
    t->cb = cb;
    t->arg = arg;
    int e = load_and_attach(t, true, err);
    if (e && e != -ENOENT) { // before 6.6: one by one
        unload(t);
        e = load_and_attach(t, false, err);
    }
    if (e) {
        thread_checks_close(t);
        return e;
    }
    *ret = t;
    return 0;
}

void thread_checks_close(struct thread_checks *t)
{
    if (!t)
        return;
    unload(t);
    free(t);
}

void thread_checks_waiter(struct thread_checks *t, int backend_fd, int tid)
{
    unsigned int value = (unsigned int)tid;
    bpf_map__update_elem(t->skel->maps.waiters, &backend_fd, sizeof(backend_fd), &value,
                         sizeof(value), BPF_ANY);
}

bool thread_checks_same_run(struct thread_checks *t, const struct thread_call *c)
{
    struct ls_loop_owner now;
    bool runs = strcmp(c->function, functions[0].name) == 0; // then it was the caller's own run
    if (bpf_map__lookup_elem(t->skel->maps.loops, &c->loop, sizeof(c->loop), &now, sizeof(now), 0))
        return c->runs == 0 && !runs;
    return now.runs == c->runs + runs && (int)now.tid == (runs ? c->tid : c->owner);
}

int thread_checks_fd(struct thread_checks *t)
{
    return ring_buffer__epoll_fd(t->ring);
}

void thread_checks_dispatch(struct thread_checks *t)
{
    ring_buffer__consume(t->ring);
}

int thread_checks_functions(const struct thread_checks *t)
{
    return t->probed;
}

int64_t thread_checks_lost(const struct thread_checks *t)
{
    return __atomic_load_n(&t->skel->bss->lost, __ATOMIC_RELAXED);
}
