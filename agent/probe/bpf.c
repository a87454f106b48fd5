// The bpf backend: slots in mapped memory, filled by the programs of bpf/.
#include "bpf.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

static struct bpf_backend *backend(struct probe *p)
{
    return p->backend;
}

static void free_backend(struct probe *p)
{
    struct bpf_backend *b = backend(p);
    ticks_close(&b->ticks);
    bpf_unload(b);
    free(b->free_slots);
    free(b);
    p->backend = NULL;
}

static int bpf_open(struct probe *p, struct error *err)
{
    struct bpf_backend *b = calloc(1, sizeof(*b));
    if (!b)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    p->backend = b;
    ticks_init(&b->ticks);
    b->max_threads = p->config.max_threads;
    b->free_slots = calloc(b->max_threads, sizeof(int));
    int e = -ENOMEM;
    if (!b->free_slots)
        error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    else
        e = bpf_load(p, b, err);
    if (e) {
        free_backend(p);
        return e;
    }
    for (int i = b->max_threads; i-- > 0;)
        b->free_slots[b->nfree++] = i;
    p->estimated = b->source == SOURCE_SCHED;
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(b->ring), &event);
    return 0;
}

static void bpf_close(struct probe *p)
{
    free_backend(p);
}

// The filters hold a bit for each id modulo their size; two ids may share one. So a bit is cleared only
// when nobody is left who needs it.
static void set_bit(unsigned int *filter, int id)
{
    filter[(id >> 5) & (LS_FILTER_WORDS - 1)] |= 1u << (id & 31);
}

static void clear_bit(unsigned int *filter, int id)
{
    filter[(id >> 5) & (LS_FILTER_WORDS - 1)] &= ~(1u << (id & 31));
}

static bool same_bit(int a, int b)
{
    return (a ^ b) % (LS_FILTER_WORDS * 32) == 0;
}

static int bpf_slot_new(struct probe *p, struct thread *t)
{
    struct bpf_backend *b = backend(p);
    if (!b->nfree)
        return -ENOSPC;
    t->index = b->free_slots[b->nfree - 1];
    t->slot = &b->slots[t->index];
    memset(t->slot, 0, sizeof(*t->slot));
    t->slot->tid = t->tid;
    t->slot->tgid = t->process->pid;
    t->slot->cur_wait = -1;
    t->slot->top_nr = -1;
    unsigned int tid = t->tid, index = t->index;
    if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.slot_of_tid), &tid, &index, BPF_ANY))
        return -errno;
    b->nfree--;
    set_bit(b->skel->bss->tid_filter, t->tid);
    return 0;
}

static void bpf_slot_free(struct probe *p, struct thread *t)
{
    struct bpf_backend *b = backend(p);
    unsigned int tid = t->tid;
    bpf_map_delete_elem(bpf_map__fd(b->skel->maps.slot_of_tid), &tid);
    b->free_slots[b->nfree++] = t->index;
    for (struct thread *o = p->threads; o; o = o->hh.next)
        if (o != t && same_bit(o->tid, t->tid))
            return;
    clear_bit(b->skel->bss->tid_filter, t->tid);
}

static int bpf_process_new(struct probe *p, struct process *process)
{
    struct bpf_backend *b = backend(p);
    unsigned int pid = process->pid, one = 1;
    if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.watched), &pid, &one, BPF_ANY))
        return -errno;
    set_bit(b->skel->bss->tgid_filter, process->pid);
    return 0;
}

static void bpf_process_free(struct probe *p, struct process *process)
{
    struct bpf_backend *b = backend(p);
    unsigned int pid = process->pid;
    bpf_map_delete_elem(bpf_map__fd(b->skel->maps.watched), &pid);
    for (struct process *o = p->processes; o; o = o->hh.next)
        if (o != process && same_bit(o->pid, process->pid))
            return;
    clear_bit(b->skel->bss->tgid_filter, process->pid);
}

static void run_seed(struct bpf_backend *b, int tid)
{
    union bpf_iter_link_info info = {.task.tid = tid};
    DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, opts);
    if (tid) {
        opts.link_info = &info;
        opts.link_info_len = sizeof(info);
    }
    struct bpf_link *link = bpf_program__attach_iter(b->skel->progs.seed, &opts);
    if (!link && tid) {
        run_seed(b, 0); // before 6.1 there is no choice by tid: all tasks are gone through
        return;
    }
    if (!link)
        return;
    int fd = bpf_iter_create(bpf_link__fd(link));
    char nothing[64];
    while (fd >= 0 && read(fd, nothing, sizeof(nothing)) > 0)
        ;
    if (fd >= 0)
        close(fd);
    bpf_link__destroy(link);
}

static void bpf_seed(struct probe *p, struct process *process, struct thread *only)
{
    bool single = only || (process->threads && !process->threads->next);
    run_seed(backend(p), single ? (only ? only : process->threads)->tid : 0);
}

static void bpf_untrust(struct probe *p, struct thread *t)
{
    proof_stop(p, t);
    if (!p->trusted)
        ticks_close(&backend(p)->ticks);
}

// News of threads was lost: what is there is looked up.
static void list_anew(struct probe *p)
{
    struct process *process, *next;
    HASH_ITER (hh, p->processes, process, next) {
        int pid = process->pid;
        process_forget_dead_threads(p, process);
        process = process_find(p, pid);
        if (!process)
            continue;
        if (process_list_threads(p, process, true))
            process_exited(p, pid, p->now_ns);
        else
            p->ops->seed(p, process, NULL);
    }
}

static void look_for_losses(struct probe *p)
{
    struct bpf_backend *b = backend(p);
    unsigned int lost = __atomic_load_n(&b->skel->bss->lost_records, __ATOMIC_RELAXED);
    if (lost == b->lost_before)
        return;
    tell_lost(p, 0, (int64_t)(lost - b->lost_before));
    b->lost_before = lost;
    list_anew(p);
}

static void bpf_scan(struct probe *p)
{
    look_for_losses(p);
    for (struct thread *t = p->trusted; t; t = p->scan_next) {
        p->scan_next = t->next_trusted;
        if (p->estimated)
            proof_watch(p, t);
        scan_thread(p, t);
    }
    proof_tracing_over(p);
}

static void bpf_look_slowly(struct probe *p, struct thread *t)
{
    if (p->estimated)
        proof_learn_waits(p, t);
    if (t->kind != WAIT_NONE && p->now_ns >= t->ticks_again_ns)
        ticks_cover(p, t);
}

static void bpf_drain(struct probe *p)
{
    ring_buffer__consume(backend(p)->ring);
}

// The tick of its CPU takes the sample, where it could be opened.
static bool bpf_sample_running(struct probe *p, struct thread *t)
{
    return t->blind_why && sample_blindly(p, t, t->blind_why);
}

static const char *bpf_turn_source(struct probe *p)
{
    switch (backend(p)->source) {
    case SOURCE_FENTRY: return "fentry";
    case SOURCE_EXACT: return "tracepoints";
    case SOURCE_SCHED: break;
    }
    return "sched+breakpoint";
}

const struct probe_ops probe_bpf_ops = {
    .name = "bpf",
    .open = bpf_open,
    .close = bpf_close,
    .slot_new = bpf_slot_new,
    .slot_free = bpf_slot_free,
    .process_new = bpf_process_new,
    .process_free = bpf_process_free,
    .seed = bpf_seed,
    .trust = ticks_cover,
    .untrust = bpf_untrust,
    .scan = bpf_scan,
    .drain = bpf_drain,
    .look_slowly = bpf_look_slowly,
    .look = look_by_slot,
    .sample_running = bpf_sample_running,
    .turn_source = bpf_turn_source,
};
