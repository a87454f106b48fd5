// Figures of a thread, read off its slot. The present turn, and the sleep within it, are added in.
#include "internal.h"

#include <errno.h>
#include <string.h>

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

void split_from(const struct ls_split *from, struct probe_split *ret)
{
    *ret = (struct probe_split){
        .cpu_user = from->cpu_user_ns,
        .cpu_kernel = from->cpu_kernel_ns,
        .runqueue = from->off_ns[LS_OFF_RUNQUEUE],
        .stopped = from->off_ns[LS_OFF_STOPPED],
        .sleep_syscall = from->off_ns[LS_OFF_SYSCALL],
        .sleep_futex = from->off_ns[LS_OFF_FUTEX],
        .sleep_fault = from->off_ns[LS_OFF_FAULT],
    };
}

static int64_t *off_field(struct probe_split *split, unsigned int kind)
{
    switch (kind) {
    case LS_OFF_RUNQUEUE: return &split->runqueue;
    case LS_OFF_SYSCALL: return &split->sleep_syscall;
    case LS_OFF_FUTEX: return &split->sleep_futex;
    case LS_OFF_FAULT: return &split->sleep_fault;
    case LS_OFF_STOPPED: return &split->stopped;
    }
    return NULL;
}

static int64_t off_cpu(const struct probe_split *split)
{
    return split->runqueue + split->stopped + split->sleep_syscall + split->sleep_futex +
           split->sleep_fault;
}

// As the kernel side splits a turn at its end: by the turn's ticks, else by those of all turns before.
static void split_cpu(const struct ls_slot *slot, uint64_t user, uint64_t kernel, int64_t cpu,
                      struct probe_split *ret)
{
    if (!(user + kernel)) {
        user = slot->all_ticks_user;
        kernel = slot->all_ticks_kernel;
    }
    ret->cpu_kernel = user + kernel ? (int64_t)((double)cpu * kernel / (user + kernel)) : 0;
    ret->cpu_user = cpu - ret->cpu_kernel;
}

void split_now(const struct ls_slot *slot, int64_t now, struct probe_split *ret)
{
    int64_t begin = (int64_t)LOAD(slot->busy_since), off_since = (int64_t)LOAD(slot->off_since);
    memset(ret, 0, sizeof(*ret));
    if (!begin || begin > now)
        return;
    split_from(&slot->turn, ret);
    int64_t *off = off_field(ret, slot->off_kind);
    if (off && off_since && (LOAD(slot->off_seq) & 1)) {
        int64_t from = off_since > begin ? off_since : begin;
        if (now > from)
            *off += now - from;
    }
    int64_t cpu = now - begin - off_cpu(ret);
    split_cpu(slot, slot->ticks_user, slot->ticks_kernel, cpu > 0 ? cpu : 0, ret);
}

void split_of_sample(const struct ls_sample *s, const struct ls_slot *slot, struct probe_split *ret)
{
    split_from(&s->turn, ret);
    int64_t cpu = (int64_t)(s->now_ns - s->busy_since) - off_cpu(ret);
    split_cpu(slot, s->ticks_user, s->ticks_kernel, cpu > 0 ? cpu : 0, ret);
}

static void split_add(struct probe_split *to, const struct probe_split *more)
{
    to->cpu_user += more->cpu_user;
    to->cpu_kernel += more->cpu_kernel;
    to->runqueue += more->runqueue;
    to->stopped += more->stopped;
    to->sleep_syscall += more->sleep_syscall;
    to->sleep_futex += more->sleep_futex;
    to->sleep_fault += more->sleep_fault;
}

static void sum_present_turn(const struct ls_slot *slot, struct probe_stats *ret)
{
    if (ret->busy_since_ns && ret->now_ns > ret->busy_since_ns) {
        struct probe_split present;
        split_now(slot, ret->now_ns, &present);
        split_add(&ret->split, &present);
        ret->busy_ns += ret->now_ns - ret->busy_since_ns;
    } else if (ret->in_wait && slot->idle_since && ret->now_ns > (int64_t)slot->idle_since) {
        ret->wait_ns += ret->now_ns - (int64_t)slot->idle_since;
    }
}

int probe_stats(struct probe *p, int tid, struct probe_stats *ret)
{
    struct thread *t = thread_find(p, tid);
    if (!t)
        return -ESRCH;
    const struct ls_slot *slot = t->slot;
    *ret = (struct probe_stats){
        .now_ns = now_ns(),
        .in_wait = slot->in_wait,
        .running = !(LOAD(slot->off_seq) & 1),
        .estimated = p->estimated,
        .busy_since_ns = (int64_t)LOAD(slot->busy_since),
        .turn_seq = LOAD(slot->claim) >> CLAIM_LEVEL_BITS,
        .turns = slot->turns,
        .polls_empty = p->estimated ? INT64_MIN : (int64_t)slot->polls_empty,
        .busy_ns = slot->busy_ns,
        .wait_ns = slot->wait_ns,
        .turn_max_ns = slot->turn_max_ns,
        .iteration = t->iteration,
        .last_wait_fd = t->kind == WAIT_NONE ? -1 : slot->trust_fd,
        .starved_by_pid = slot->starver,
    };
    split_from(&slot->sum, &ret->split);
    memcpy(ret->turn_hist, slot->turn_hist, sizeof(ret->turn_hist));
    memcpy(ret->runqueue_hist, slot->runqueue_hist, sizeof(ret->runqueue_hist));
    sum_present_turn(slot, ret);
    return 0;
}

bool probe_same_turn(struct probe *p, int tid, uint64_t seq)
{
    struct thread *t = thread_find(p, tid);
    return t && LOAD(t->slot->busy_since) && LOAD(t->slot->claim) >> CLAIM_LEVEL_BITS == seq;
}
