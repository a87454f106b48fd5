// Turns as they show in a row of looks at a thread.
//
// Between two looks a thread seen in its wait may have left it and come back; how much it has run tells
// how long, and the number of its time slices how often. A thread seen outside its wait has been busy for
// at least as long as it has run since. So begins are late and lengths short by at most the time between
// two looks, and all such figures are estimates.
#include <string.h>

#include "proc.h"

static bool in_own_wait(const struct thread *t, const struct proc_syscall *call)
{
    if (call->running || wait_kind_of(call->nr, call->args[2]) != t->kind)
        return false;
    if (wait_has_fd(t->kind))
        return (int)call->args[0] == t->fd;
    struct ls_slot *slot = t->slot;
    if (call->sp > slot->trust_sp)
        slot->trust_sp = call->sp;
    return call->sp + 256 >= slot->trust_sp;
}

static unsigned int kind_of_sleep(const struct thread *t, const struct proc_syscall *call)
{
    struct proc_stat stat;
    if (!proc_stat(t->process->pid, t->tid, &stat) && (stat.state == 'T' || stat.state == 't'))
        return LS_OFF_STOPPED;
    switch (call->nr) {
    case -1: return LS_OFF_FAULT;
    case 202:                      // futex
    case 449:                      // futex_waitv
    case 455: return LS_OFF_FUTEX; // futex_wait
    }
    return LS_OFF_SYSCALL;
}

struct passed {
    int64_t wall, cpu, delay, asleep;
    uint64_t slices;
};

static struct passed passed_since(const struct sight *last, const struct sight *now)
{
    struct passed d = {
        .wall = now->at_ns - last->at_ns,
        .cpu = (int64_t)(now->sched.cpu_ns - last->sched.cpu_ns),
        .delay = (int64_t)(now->sched.run_delay_ns - last->sched.run_delay_ns),
        .slices = now->sched.slices - last->sched.slices,
    };
    d.asleep = d.wall - d.cpu - d.delay;
    if (d.asleep < 0)
        d.asleep = 0;
    return d;
}

void proc_turn_marks(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    struct proc_stat stat;
    pt->begin = pt->last.sched;
    pt->voluntary = proc_voluntary_switches(t->process->pid, t->tid);
    if (proc_stat(t->process->pid, t->tid, &stat))
        return;
    pt->utime_begin = stat.utime;
    pt->stime_begin = stat.stime;
}

static void clear_turn(struct ls_slot *slot)
{
    memset(&slot->turn, 0, sizeof(slot->turn));
    slot->ticks_user = slot->ticks_kernel = 0;
    slot->top_nr = -1;
    slot->top_ns = 0;
}

void proc_turn_from_attach(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    clear_turn(t->slot);
    pt->begin = pt->first;
}

static void begin(struct thread *t, int64_t at_ns)
{
    struct ls_slot *slot = t->slot;
    proc_turn_marks(t);
    clear_turn(slot);
    slot->before_attach = 0;
    slot->in_wait = 0;
    slot->idle_since = 0;
    slot->claim = ((slot->claim >> CLAIM_LEVEL_BITS) + 1) << CLAIM_LEVEL_BITS;
    slot->busy_since = (unsigned long long)at_ns;
}

// The kernel's own account of user and kernel time goes by its ticks.
static void count_ticks(struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    struct proc_stat stat;
    if (proc_stat(t->process->pid, t->tid, &stat))
        return;
    pt->slot.ticks_user = (unsigned int)((stat.utime - pt->utime_begin) / NS_PER_MS);
    pt->slot.ticks_kernel = (unsigned int)((stat.stime - pt->stime_begin) / NS_PER_MS);
}

static void copy_top(struct ls_slot *slot, const struct proc_syscall *call, int64_t slept)
{
    if (call->running || call->nr < 0)
        return;
    if (slot->top_nr == call->nr && slot->top_args[0] == call->args[0]) {
        slot->top_ns += (unsigned long long)slept;
        return;
    }
    if ((uint64_t)slept <= slot->top_ns)
        return;
    slot->top_nr = call->nr;
    slot->top_ns = (unsigned long long)slept;
    for (int i = 0; i < 6; i++)
        slot->top_args[i] = call->args[i];
}

static void tell_turn(struct probe *p, struct thread *t, int64_t end, bool gone,
                      const struct probe_split *split)
{
    const struct ls_slot *slot = t->slot;
    int64_t from = (int64_t)slot->busy_since;
    bool sure = (slot->claim & CLAIM_LEVEL_MASK) ||
                (int64_t)slot->top_ns >= p->config.threshold_ns || turn_proven(p, t, from, end);
    if (end - from < p->config.threshold_ns || !sure)
        return;
    struct probe_turn turn;
    turn_of_slot(t, end, split, &turn);
    turn.gone = gone;
    p->callbacks.turn(p->arg, &turn);
}

static void end(struct probe *p, struct thread *t, int64_t at_ns, bool gone)
{
    struct ls_slot *slot = t->slot;
    int64_t length = at_ns - (int64_t)slot->busy_since;
    if (!gone)
        count_ticks(t);
    slot->off_since = 0; // the sleep of the wait is not the turn's
    struct probe_split split;
    split_now(slot, at_ns, &split);
    tell_turn(p, t, at_ns, gone, &split);
    split_add_to(&slot->sum, &split);
    slot->all_ticks_user += slot->ticks_user;
    slot->all_ticks_kernel += slot->ticks_kernel;
    slot->busy_ns += (unsigned long long)length;
    slot->turns++;
    if (!slot->before_attach) {
        slot->turn_hist[hist_bucket(length)]++;
        if ((uint64_t)length > slot->turn_max_ns)
            slot->turn_max_ns = (unsigned long long)length;
    }
    slot->busy_since = 0;
    slot->claim = ((slot->claim >> CLAIM_LEVEL_BITS) + 1) << CLAIM_LEVEL_BITS;
}

// In its wait at both looks: turns that came and went in between.
static void count_short_turns(struct thread *t, const struct passed *d)
{
    struct ls_slot *slot = t->slot;
    slot->wait_ns += (unsigned long long)d->asleep;
    if (!d->slices)
        return;
    int64_t busy = d->cpu + d->delay, each = busy / (int64_t)d->slices;
    slot->turns += d->slices;
    slot->busy_ns += (unsigned long long)busy;
    slot->sum.cpu_user_ns += (unsigned long long)d->cpu;
    slot->sum.off_ns[LS_OFF_RUNQUEUE] += (unsigned long long)d->delay;
    slot->turn_hist[hist_bucket(each)] += (unsigned int)d->slices;
    if ((uint64_t)each > slot->turn_max_ns)
        slot->turn_max_ns = (unsigned long long)each;
}

static unsigned int foreign_sleep(unsigned int kind)
{
    bool known = kind < LS_OFF_N && kind != LS_OFF_WAIT && kind != LS_OFF_RUNQUEUE;
    return known ? kind : LS_OFF_SYSCALL;
}

static void add_sleep(struct ls_slot *slot, unsigned int kind, int64_t slept)
{
    if (slept > 0)
        slot->turn.off_ns[foreign_sleep(kind)] += (unsigned long long)slept;
}

// A sleep is counted when it is over; while it lasts, split_now() adds it. One that was not seen lies
// between two looks: if the thread sleeps at the second, it is taken for the begin of that sleep.
static void count_sleep(struct thread *t, const struct passed *d, const struct sight *now, bool own)
{
    struct proc_thread *pt = proc_thread(t);
    struct ls_slot *slot = &pt->slot;
    bool woken = d->slices || now->call.running; // it need not have got a CPU yet
    if (pt->last.call.running) {
        if (!now->call.running && !own)
            add_sleep(slot, LS_OFF_SYSCALL, d->asleep);
    } else if (woken) {
        int64_t slept = own ? 0 : d->asleep;
        if (pt->slept_since && pt->last.at_ns > (int64_t)pt->slept_since)
            slept += pt->last.at_ns - (int64_t)pt->slept_since;
        add_sleep(slot, slot->off_kind, slept);
        copy_top(slot, &pt->last.call, slept);
    }
}

// Since the last time that this was asked in the turn.
static bool went_to_sleep(const struct thread *t)
{
    struct proc_thread *pt = proc_thread(t);
    int64_t before = pt->voluntary;
    pt->voluntary = proc_voluntary_switches(t->process->pid, t->tid);
    return before >= 0 && pt->voluntary > before;
}

static int64_t not_accounted(const struct proc_thread *pt, const struct sight *now)
{
    const struct ls_slot *slot = &pt->slot;
    int64_t left = now->at_ns - (int64_t)slot->busy_since;
    left -= (int64_t)(now->sched.cpu_ns - pt->begin.cpu_ns);
    for (int i = 0; i < LS_OFF_N; i++)
        if (i != LS_OFF_RUNQUEUE)
            left -= (int64_t)slot->turn.off_ns[i];
    if ((slot->off_seq & 1) && now->at_ns > (int64_t)slot->off_since)
        left -= now->at_ns - (int64_t)slot->off_since;
    return left > 0 ? left : 0;
}

// The scheduler's account of waiting for a CPU is late by the present wait, which is no longer than since
// the thread last got one. What is left beyond both are sleeps too short to be seen (an fsync's, say), or
// what a hypervisor took.
static void account_busy(struct thread *t, const struct passed *d, const struct sight *now,
                         bool own)
{
    struct proc_thread *pt = proc_thread(t);
    struct ls_slot *slot = &pt->slot;
    count_sleep(t, d, now, own);
    int64_t left = not_accounted(pt, now);
    int64_t waited = (int64_t)(now->sched.run_delay_ns - pt->begin.run_delay_ns);
    if (now->call.running)
        waited += now->at_ns - pt->without_cpu_ns;
    if (!own && left > waited && went_to_sleep(t)) {
        slot->turn.off_ns[LS_OFF_SYSCALL] += (unsigned long long)(left - waited);
        left = waited;
    }
    slot->turn.off_ns[LS_OFF_RUNQUEUE] = (unsigned long long)left;
}

static void note_delay(struct ls_slot *slot, const struct passed *d)
{
    if (d->slices)
        slot->runqueue_hist[hist_bucket(d->delay / (int64_t)d->slices)] += (unsigned int)d->slices;
}

// Seen running twice, has it slept in between? Then it may have been in its wait, and nothing watched.
// What looks like sleep may be a wait for a CPU that the scheduler has not accounted yet.
static bool slept_out_of_sight(struct thread *t, const struct sight *now, const struct passed *d)
{
    bool running = proc_thread(t)->last.call.running && now->call.running;
    if (!running || !d->slices || d->asleep <= d->wall / 4 || t->break_fd >= 0 ||
        t->counter_address)
        return false;
    return went_to_sleep(t);
}

void proc_account(struct probe *p, struct thread *t, const struct sight *now)
{
    struct proc_thread *pt = proc_thread(t);
    struct ls_slot *slot = &pt->slot;
    struct passed d = passed_since(&pt->last, now);
    bool own = in_own_wait(t, &now->call), was_busy = slot->busy_since;
    note_delay(slot, &d);
    if (d.slices)
        pt->without_cpu_ns = pt->last.at_ns;
    if (was_busy && slept_out_of_sight(t, now, &d)) {
        turn_over(p, t, (int64_t)slot->busy_since, now->at_ns);
        proc_turn_marks(t);
    } else if (was_busy) {
        account_busy(t, &d, now, own);
    }
    if (own && was_busy) {
        end(p, t, now->at_ns, false);
    } else if (own && slot->in_wait) {
        count_short_turns(t, &d);
    } else if (!own && !was_busy) {
        int64_t busy = d.cpu + d.delay;
        begin(t, now->at_ns - (busy < d.wall ? busy : d.wall));
        slot->wait_ns += (unsigned long long)d.asleep;
    }
    if (own) {
        slot->wait_pc = now->call.pc;
        if (!slot->in_wait)
            slot->idle_since = (unsigned long long)now->at_ns;
        slot->in_wait = 1;
        slot->off_kind = LS_OFF_WAIT;
        return;
    }
    slot->off_kind = now->call.running ? LS_OFF_RUNQUEUE : kind_of_sleep(t, &now->call);
    if (slot->busy_since)
        count_ticks(t);
}

void proc_turn_gone(struct probe *p, struct thread *t)
{
    if (t->slot->busy_since)
        end(p, t, now_ns(), true);
}
