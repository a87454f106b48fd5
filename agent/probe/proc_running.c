// Threads that run: whether their turn has ended unseen, and where they are.
//
// Both need perf events, which one's own processes allow without privilege where perf_event_paranoid is
// at most 2. Without them a loop that always finds work cannot be told from a stuck one, and the stack of
// a running thread is not to be had: stalls are told all the same, without a stack.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "perf.h"
#include "privilege.h"
#include "proc.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

#define LOOK_NS    (10 * NS_PER_MS)
#define PAUSE_NS   (5 * NS_PER_S)
#define STARVED_NS (10 * TICK_PERIOD_NS)
#define SILENCE_NS (4 * TICK_PERIOD_NS) // of the user mode ticks: it is in the kernel

static void close_breakpoints(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    for (int i = 0; i < pt->nbreaks; i++)
        close(pt->break_fds[i]);
    pt->nbreaks = 0;
    t->break_fd = -1;
}

static bool hit(const struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    for (int i = 0; i < pt->nbreaks; i++)
        if (perf_count(pt->break_fds[i]) > 0)
            return true;
    return false;
}

static bool open_breakpoint(struct probe *p, struct thread *t, uint64_t pc)
{
    struct proc_thread *pt = proc_thread(t);
    int fd = perf_open_breakpoint(p->config.opener, t->tid, pc, -1);
    if (fd < 0)
        return false;
    pt->break_fds[pt->nbreaks++] = fd;
    t->break_fd = pt->break_fds[0];
    return !perf_arm(fd, 1);
}

// Of a thread that was never seen in its wait (it always finds work, or has not come back to it since we are
// here) it is not known where it returns from it: there it is watched where it would call it.
static bool open_breakpoints(struct probe *p, struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    if (t->slot->wait_pc)
        return open_breakpoint(p, t, t->slot->wait_pc);
    if (!pt->sites_known)
        pt->nsites = wait_sites_find(t->process->pid, t->kind, pt->sites);
    pt->sites_known = true;
    for (int i = 0; i < pt->nsites; i++)
        if (!open_breakpoint(p, t, pt->sites[i]))
            return false;
    return pt->nsites > 0;
}

static void watch_breakpoint(struct probe *p, struct thread *t, int64_t begin)
{
    if (hit(t)) {
        close_breakpoints(t);
        turn_over(p, t, begin, p->now_ns);
        proc_turn_marks(t);
        return;
    }
    if (t->break_fd >= 0 || p->now_ns < t->break_again_ns) {
        if ((int64_t)LOAD(t->slot->proof_at) < begin)
            set_proof(t, t->break_fd >= 0 ? p->now_ns : begin);
        return;
    }
    if (open_breakpoints(p, t)) {
        set_proof(t, now_ns());
        return;
    }
    close_breakpoints(t);
    t->break_again_ns = p->now_ns + PAUSE_NS;
    set_proof(t, begin);
}

static void open_sampler(struct probe *p, struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    if (pt->sampler || p->now_ns - pt->sampler_opened_ns < PAUSE_NS)
        return;
    pt->sampler_error = sampler_open(&pt->sampler, p->config.opener, t->tid);
    pt->sampler_opened_ns = now_ns();
    pt->taken_cpu_ns = pt->last.sched.cpu_ns;
}

void proc_stop_watching(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    sampler_close(pt->sampler);
    pt->sampler = NULL;
    pt->taken = (struct sampler_sample){0};
    pt->sampler_opened_ns = 0;
    close_breakpoints(t);
}

static void note_newest(struct proc_thread *pt)
{
    if (sampler_newest(pt->sampler, &pt->taken))
        pt->taken_cpu_ns = pt->last.sched.cpu_ns;
}

void proc_watch_running(struct probe *p, struct thread *t)
{
    int64_t begin = (int64_t)t->slot->busy_since;
    if (!begin) {
        proc_stop_watching(t);
        return;
    }
    wake_at(p, p->now_ns + LOOK_NS);
    if (p->now_ns - begin < p->config.threshold_ns / 4)
        return;
    if (!counter_watch(p, t, begin))
        watch_breakpoint(p, t, begin);
    else if ((int64_t)t->slot->busy_since != begin)
        proc_turn_marks(t);
    if (!(t->slot->off_seq & 1))
        open_sampler(p, t);
    struct proc_thread *pt = proc_thread(t);
    if (pt->sampler) // its ring holds three: emptied at each look, the newest is kept
        note_newest(pt);
}

static const char *why_no_sampler(const struct proc_thread *pt)
{
    if (pt->sampler_error == -EACCES || pt->sampler_error == -EPERM)
        return "a running thread's stack needs kernel.perf_event_paranoid at most 2";
    if (pt->sampler_error == -EMFILE)
        return "too few file descriptors (ulimit -n)";
    return "perf_event_open failed";
}

static bool sample_with_stack(struct probe *p, struct thread *t, const struct sampler_sample *taken,
                              int64_t at_ns)
{
    struct probe_sample s;
    sample_from_slot(p, t, &s);
    s.at_ns = at_ns;
    s.on_cpu = true;
    s.state = 'R';
    s.regs = taken->regs;
    s.has_regs = true;
    s.stack_base = taken->regs.sp;
    s.stack = taken->stack;
    s.stack_len = taken->stack_len;
    split_now(t->slot, p->now_ns, &s.split);
    return deliver_sample(p, t, &s);
}

bool proc_sample_running(struct probe *p, struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    int64_t begin = (int64_t)t->slot->busy_since;
    if (!turn_proven(p, t, begin, p->now_ns))
        return false;
    if (!pt->sampler)
        return pt->sampler_error && sample_blindly(p, t, why_no_sampler(pt));
    int64_t due = begin + level_due(p, LOAD(t->slot->claim) & CLAIM_LEVEL_MASK);
    int64_t taken = pt->taken.at_ns, ran = (int64_t)(pt->last.sched.cpu_ns - pt->taken_cpu_ns);
    if (taken >= due)
        return sample_with_stack(p, t, &pt->taken, taken);
    int64_t since = taken > pt->sampler_opened_ns ? taken : pt->sampler_opened_ns;
    int64_t silent = p->now_ns - since;
    if (ran >= SILENCE_NS && silent >= SILENCE_NS)
        return sample_blindly(p, t, "it runs in the kernel, out of sight without privilege");
    if (silent < STARVED_NS)
        return false;
    // It got no CPU: it is still where it was seen last.
    return taken >= begin ? sample_with_stack(p, t, &pt->taken, p->now_ns)
                          : sample_blindly(p, t, "it got no CPU");
}
