// One look at a thread: what it does now, from /proc.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

static int open_task_file(const struct thread *t, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", t->process->pid, t->tid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// The files of trusted threads stay open: reading them anew costs a third of opening them.
static int read_kept(const struct thread *t, int *fd, const char *name, char *to, int size)
{
    if (*fd < 0)
        *fd = open_task_file(t, name);
    if (*fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t n = pread(*fd, to, size - 1, 0);
    if (n < 0)
        return -errno;
    to[n] = '\0';
    return n ? (int)n : -ESRCH;
}

void proc_close_files(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    if (pt->syscall_fd >= 0)
        close(pt->syscall_fd);
    if (pt->schedstat_fd >= 0)
        close(pt->schedstat_fd);
    pt->syscall_fd = pt->schedstat_fd = -1;
}

static int read_schedstat(const struct thread *t, struct proc_schedstat *ret)
{
    char text[128];
    int n = read_kept(t, &proc_thread(t)->schedstat_fd, "schedstat", text, sizeof(text));
    return n < 0 ? n : proc_parse_schedstat(text, ret);
}

static int take_sight(const struct thread *t, struct sight *ret)
{
    char text[512];
    int err = read_schedstat(t, &ret->sched);
    if (err)
        return err;
    int n = read_kept(t, &proc_thread(t)->syscall_fd, "syscall", text, sizeof(text));
    if (n < 0)
        return n;
    ret->at_ns = now_ns();
    return proc_parse_syscall(text, &ret->call);
}

// Seen asleep last time, and has not run since: a third of the cost of a full look.
static bool still_asleep(const struct thread *t)
{
    const struct proc_thread *pt = proc_thread(t);
    struct proc_schedstat sched;
    return pt->seen && !pt->last.call.running && !read_schedstat(t, &sched) &&
           sched.slices == pt->last.sched.slices && sched.cpu_ns == pt->last.sched.cpu_ns;
}

static void fill_regs(const struct proc_syscall *call, struct ls_regs *regs)
{
    // The rest is not to be had this way; unwinding makes do with these.
    *regs = (struct ls_regs){
        .orig_ax = (unsigned long long)call->nr,
        .ip = call->pc,
        .sp = call->sp,
        .di = call->args[0],
        .si = call->args[1],
        .dx = call->args[2],
        .r10 = call->args[3],
        .r8 = call->args[4],
        .r9 = call->args[5],
        .cs = 0x33,
    };
}

static void note_wait(struct ls_slot *slot, const struct sight *now)
{
    enum wait_kind kind = wait_kind_of(now->call.nr, now->call.args[2]);
    if (kind == WAIT_NONE)
        return;
    struct ls_wait *to = &slot->waits[0];
    for (int i = 0; i < LS_WAITS; i++) {
        struct ls_wait *w = &slot->waits[i];
        bool same = w->kind == (int)kind &&
                    (wait_has_fd(kind) ? w->fd == (int)now->call.args[0] : w->sp == now->call.sp);
        if (same) {
            to = w;
            break;
        }
        if (w->last_ns < to->last_ns)
            to = w;
    }
    int fd = wait_has_fd(kind) ? (int)now->call.args[0] : -1;
    if (to->kind != (int)kind || to->fd != fd || (fd < 0 && to->sp != now->call.sp))
        *to = (struct ls_wait){.kind = (int)kind, .fd = fd};
    to->sp = now->call.sp;
    to->pc = now->call.pc;
    to->sleeps++;
    to->last_ns = (unsigned long long)now->at_ns;
    slot->waits_noted++;
}

// The slot's sequence as the kernel side keeps it: odd while asleep, another with each time it has run.
static void place(struct ls_slot *slot, const struct sight *last, const struct sight *now,
                  bool moved)
{
    if (now->call.running) {
        slot->off_seq = (slot->off_seq | 1) + 1;
        slot->off_since = 0;
        return;
    }
    bool same = !moved && (slot->off_seq & 1) && !last->call.running;
    if (same)
        return;
    slot->off_seq = (slot->off_seq + 1) | 1;
    slot->off_since = (unsigned long long)now->at_ns;
    fill_regs(&now->call, &slot->regs);
    note_wait(slot, now);
}

int proc_look_at(struct probe *p, struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    struct sight now;
    if (still_asleep(t) && (!pt->slot.busy_since || t->kind == WAIT_NONE))
        return 0;
    int err = take_sight(t, &now);
    if (err)
        return err;
    if (!pt->seen)
        pt->first = now.sched;
    bool moved = !pt->seen || now.sched.slices != pt->last.sched.slices;
    pt->slept_since = pt->slot.off_since;
    place(&pt->slot, &pt->last, &now, moved);
    if (t->kind != WAIT_NONE && pt->seen)
        proc_account(p, t, &now);
    pt->last = now;
    pt->seen = true;
    return 0;
}

// Valid if the thread has not run meanwhile. The look before may end the turn; the sample is then refused
// for its sequence.
bool proc_look_sleeping(struct probe *p, struct thread *t, struct probe_sample *ret)
{
    struct proc_thread *pt = proc_thread(t);
    if (proc_look_at(p, t) || pt->last.call.running || !look_by_slot(p, t, ret))
        return false;
    struct sight after;
    return !take_sight(t, &after) && !after.call.running &&
           after.sched.slices == pt->last.sched.slices;
}
