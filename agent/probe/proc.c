// The proc backend: the same records, of processes of the same user, without any privilege. Trusted
// threads are looked at every few milliseconds while one is busy and twice a threshold at rest, the others
// in turns; turns are estimates.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "proc.h"

#define LIFE_NS     (1 * NS_PER_S)    // between looks for what came and went
#define NEW_LOOK_NS (20 * NS_PER_MS)  // between two looks at a thread not known yet
#define OLD_LOOK_NS (500 * NS_PER_MS) // after its first seconds
#define NEW_NS      (3 * NS_PER_S)

enum { UNTRUSTED_BATCH = 64 };

static int proc_open(struct probe *p, struct error *err)
{
    p->backend = calloc(1, sizeof(struct proc_backend));
    if (!p->backend)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    p->estimated = true;
    return 0;
}

static void proc_close(struct probe *p)
{
    free(p->backend);
    p->backend = NULL;
}

static int proc_slot_new(struct probe *p, struct thread *t)
{
    (void)p;
    struct proc_thread *pt = calloc(1, sizeof(*pt));
    if (!pt)
        return -ENOMEM;
    pt->syscall_fd = pt->schedstat_fd = -1;
    pt->slot.tid = t->tid;
    pt->slot.tgid = t->process->pid;
    pt->slot.cur_wait = -1;
    t->backend = pt;
    t->slot = &pt->slot;
    return 0;
}

static void proc_slot_free(struct probe *p, struct thread *t)
{
    (void)p;
    proc_stop_watching(t);
    proc_close_files(t);
    free(t->backend);
    t->backend = NULL;
}

static int proc_process_new(struct probe *p, struct process *process)
{
    (void)p, (void)process;
    return 0;
}

static void proc_process_free(struct probe *p, struct process *process)
{
    (void)p;
    free(process->children);
}

static void look_untrusted(struct probe *p, struct thread *t)
{
    proc_look_at(p, t);
    proc_thread(t)->looked_ns = p->now_ns;
    proc_close_files(t);
}

static void proc_seed(struct probe *p, struct process *process, struct thread *only)
{
    if (only) {
        look_untrusted(p, only);
        return;
    }
    struct thread *t;
    DL_FOREACH (process->threads, t)
        look_untrusted(p, t);
}

static void proc_trust(struct probe *p, struct thread *t)
{
    proc_look_at(p, t);
    proc_turn_marks(t);
    proc_turn_from_attach(t);
}

static void proc_untrust(struct probe *p, struct thread *t)
{
    (void)p;
    proc_stop_watching(t);
    proc_close_files(t);
}

static void note_gone(struct probe *p, struct thread *t)
{
    int pid = t->process->pid;
    struct proc_stat stat;
    proc_turn_gone(p, t);
    if (proc_stat(pid, 0, &stat) || stat.state == 'Z' || stat.state == 'X')
        process_exited(p, pid, p->now_ns);
    else
        thread_exited(p, t->tid, p->now_ns);
}

static void scan_trusted(struct probe *p)
{
    for (struct thread *t = p->trusted; t; t = p->scan_next) {
        p->scan_next = t->next_trusted;
        if (proc_look_at(p, t) == -ESRCH) {
            note_gone(p, t);
            continue;
        }
        if (t->kind == WAIT_NONE) // a callback has ended the trust
            continue;
        proc_watch_running(p, t);
        scan_thread(p, t);
    }
}

static bool untrusted_due(struct probe *p, const struct thread *t)
{
    if (t->kind != WAIT_NONE)
        return false;
    bool fresh = p->now_ns - t->added_ns < NEW_NS;
    int64_t due = proc_thread(t)->looked_ns + (fresh ? NEW_LOOK_NS : OLD_LOOK_NS);
    wake_at(p, due > p->now_ns ? due : p->now_ns + NEW_LOOK_NS);
    return due <= p->now_ns;
}

// A batch at a time: there may be thousands.
static void scan_untrusted(struct probe *p)
{
    int n = 0;
    struct thread *t, *next;
    HASH_ITER (hh, p->threads, t, next) {
        if (!untrusted_due(p, t))
            continue;
        if (++n > UNTRUSTED_BATCH)
            break;
        look_untrusted(p, t);
        report_waits(p, t);
    }
}

static void proc_scan(struct probe *p)
{
    struct proc_backend *b = p->backend;
    scan_trusted(p);
    scan_untrusted(p);
    if (p->now_ns - b->life_ns < LIFE_NS)
        return;
    b->life_ns = p->now_ns;
    proc_look_for_life(p);
}

static void proc_drain(struct probe *p)
{
    (void)p;
}

static const char *proc_turn_source(struct probe *p)
{
    (void)p;
    return "proc";
}

const struct probe_ops probe_proc_ops = {
    .name = "proc",
    .open = proc_open,
    .close = proc_close,
    .slot_new = proc_slot_new,
    .slot_free = proc_slot_free,
    .process_new = proc_process_new,
    .process_free = proc_process_free,
    .seed = proc_seed,
    .trust = proc_trust,
    .untrust = proc_untrust,
    .scan = proc_scan,
    .drain = proc_drain,
    .look = proc_look_sleeping,
    .sample_running = proc_sample_running,
    .turn_source = proc_turn_source,
};
