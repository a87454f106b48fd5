#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <utlist.h>

#include "procfs.h"
#include "threads.h"
#include "trust.h"

#define MS            1000000LL
#define SECOND        (1000 * MS)
#define PERIOD_MIN_NS (200 * MS)
#define PERIOD_MAX_NS (5 * SECOND)
#define SCALED_MIN_NS (20 * MS)
#define COST_TIMES    100 // looks may take a hundredth of a core
#define AGAIN_NS      (100 * MS)
#define FIND_MAX_NS   (30 * SECOND)
#define SETTLED_NS    (1 * SECOND) // a pause: from there on only what has mapped more is searched
#define UV_BACKEND_FD 64           // offset in uv_loop_t of libuv 1.x, 64-bit

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

// A program may start our runtime at any time: its maps are looked at ever more rarely until it has.
static bool may_have_table(const struct proc *p)
{
    switch (p->identity.runtime) {
    case RUNTIME_UNKNOWN:
    case RUNTIME_LOOPSCOPE:
    case RUNTIME_LIBUV:
    case RUNTIME_EPOLL: return !p->exited;
    default: return false;
    }
}

// A table cannot be had without mapping it.
static bool maps_are_as_searched(const struct proc *p)
{
    return p->live_pause_ns >= SETTLED_NS && p->mapped_bytes != SNAP_UNKNOWN &&
           p->mapped_bytes == p->live_mapped_bytes;
}

static void look_for_table(struct model *m, struct proc *p)
{
    if (maps_are_as_searched(p)) {
        p->live_find_ns = m->now_ns + SECOND;
        return;
    }
    p->live_mapped_bytes = p->mapped_bytes;
    int64_t pause = p->live_pause_ns ? p->live_pause_ns * 2 : AGAIN_NS;
    p->live_pause_ns = pause < FIND_MAX_NS ? pause : FIND_MAX_NS;
    p->live_find_ns = m->now_ns + p->live_pause_ns;
    if (live_find(&p->live, p->pid, p->start_ticks) > 0)
        p->identity.runtime = RUNTIME_LOOPSCOPE;
}

static int64_t period_of(const struct model *m, int64_t cost_ns)
{
    int64_t period = cost_ns * COST_TIMES;
    if (period > SECOND && m->wishes.tasks.until_ns > m->now_ns)
        period = SECOND;
    if (period < PERIOD_MIN_NS)
        period = PERIOD_MIN_NS;
    if (period > PERIOD_MAX_NS)
        period = PERIOD_MAX_NS;
    period = (int64_t)((double)period * m->time_scale);
    return period > SCALED_MIN_NS ? period : SCALED_MIN_NS;
}

// The threads that run loops, and what they wait on, are in the table: nothing has to be learnt.
static void know_loops(struct model *m, struct proc *p, struct live *l)
{
    for (uint32_t i = 0; i < l->table.nloops; i++) {
        const struct ls_abi_loop *loop = &l->table.loops[i];
        struct thread *t = loop->tid > 0 ? model_thread(m, loop->tid) : NULL;
        char link[64];
        int fd;
        if (!t || t->proc != p || !proc_is_judged(p) || t->own_epoll >= 0)
            continue;
        if (!target_read(p->pid, loop->address + UV_BACKEND_FD, &fd, sizeof(fd)) || fd < 0 ||
            procfs_link(link, sizeof(link), "/proc/%d/fd/%d", p->pid, fd) < 0 ||
            strcmp(link, "anon_inode:[eventpoll]") != 0)
            continue;
        if (loop->name[0])
            snprintf(t->name, sizeof(t->name), "%s", loop->name);
        trust_own_loop(m, t, fd,
                       l->base + l->table.header.loops_offset +
                           (uint64_t)i * l->table.header.loop_size +
                           offsetof(struct ls_abi_loop, iteration));
    }
}

// A thread that waits in its poll without a bound: no timer of its loop is armed.
static bool waits_for_ever(int pid, int tid)
{
    uint64_t args[6];
    long nr;
    if (procfs_syscall(pid, tid, &nr, args) < 0)
        return false;
    if (nr == SYS_epoll_pwait2)
        return args[3] == 0;
    return (nr == SYS_epoll_wait || nr == SYS_epoll_pwait) && (int)args[3] < 0;
}

// Whether only the loops themselves could wake their tasks: any other thread may knock at the door. Workers of
// libuv's pool do so only for a task that waits for them, which is then not judged anyway.
static bool is_closed_world(const struct proc *p)
{
    const struct thread *t;
    int others = 0;
    DL_FOREACH (p->threads, t) {
        bool is_loop = false;
        for (const struct live *l = p->live; l && !is_loop; l = l->next)
            is_loop = live_loop_of(&l->table, t->tid) >= 0;
        others += is_loop ? !waits_for_ever(p->pid, t->tid) : !t->pool;
    }
    return others == 0;
}

static void refuse(struct model *m, struct proc *p, struct live *l)
{
    const char *why = l->table.why_not[0] ? l->table.why_not : "it cannot be read";
    l->next_ns = INT64_MAX;
    if (l->refused)
        return;
    l->refused = true;
    model_say(m, EVENT_LOST, p->pid, "task table unreadable: %s", why);
}

static void look(struct model *m, struct proc *p, struct live *l)
{
    int64_t before = cpu_ns();
    int r = live_table_look(&l->table);
    if (r == -EAGAIN || r == -ESTALE) {
        l->next_ns = m->now_ns + SECOND;
        return;
    }
    if (r == 0) {
        l->book.closed = is_closed_world(p);
        r = live_book_judge(&l->book, &l->table, m->now_ns, m->time_scale);
    }
    if (r < 0) {
        refuse(m, p, l);
        return;
    }
    know_loops(m, p, l);
    l->read_once = true;
    l->read_ns = m->now_ns;
    l->next_ns = m->now_ns + period_of(m, cpu_ns() - before);
}

void live_tick(struct model *m, struct proc *p)
{
    if (!may_have_table(p))
        return;
    if (!p->live && m->now_ns >= p->live_find_ns)
        look_for_table(m, p);
    for (struct live *l = p->live; l; l = l->next)
        if (m->now_ns >= l->next_ns)
            look(m, p, l);
}

int64_t live_next_ns(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (const struct proc *p = m->procs; p; p = p->hh.next) {
        if (!may_have_table(p))
            continue;
        if (!p->live && p->live_find_ns < next)
            next = p->live_find_ns;
        for (const struct live *l = p->live; l; l = l->next)
            if (l->next_ns < next)
                next = l->next_ns;
    }
    return next;
}

static bool refer_to(const struct live_table *t, uint64_t id, struct snap *box,
                     struct task_ref *ret)
{
    struct ls_abi_task s;
    if (!live_task_now(t, id, &s))
        return false;
    ret->id = snap_printf(box, "%llu", (unsigned long long)id);
    ret->name = live_name(t, &s, box);
    ret->spawn_site = live_site_text(t, s.spawn_site, box);
    ret->await_site = live_site_text(t, s.await_site, box);
    return true;
}

bool live_running_task(struct proc *p, int tid, struct snap *box, struct task_ref *ret)
{
    for (struct live *l = p->live; l; l = l->next) {
        int loop = l->read_once && !l->refused ? live_loop_of(&l->table, tid) : -1;
        if (loop < 0)
            continue;
        uint64_t id = live_current(&l->table, loop);
        if (!id)
            return false;
        if (refer_to(&l->table, id, box, ret) && ret->spawn_site)
            return true;
        live_table_look(&l->table); // its site is newer than our copy of them
        return refer_to(&l->table, id, box, ret);
    }
    return false;
}
