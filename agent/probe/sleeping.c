// Samples of threads that are off their CPU.
//
// The registers were kept at the switch-out; the stack is read while the thread stays where it is. It has
// stayed there if the slot's sequence is the same, and odd, before and after the read.
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "procfs.h"

#define READ_PATIENCE_NS (50 * NS_PER_MS)
#define STUCK_PAUSE_NS   (1 * NS_PER_S)

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

int64_t proof_min_ns(const struct probe *p)
{
    return p->config.threshold_ns * 2 / 5;
}

// As the kernel side judges; the present wait for a CPU is not in the slot yet.
bool turn_proven(const struct probe *p, const struct thread *t, int64_t begin, int64_t now)
{
    if (!p->estimated)
        return true;
    const struct ls_slot *slot = t->slot;
    int64_t proof = (int64_t)LOAD(slot->proof_at);
    if (proof < begin)
        return false;
    int64_t waited = (int64_t)(slot->turn.off_ns[LS_OFF_RUNQUEUE] - slot->proof_waited);
    int64_t off_since = (int64_t)LOAD(slot->off_since);
    if ((LOAD(slot->off_seq) & 1) && slot->off_kind == LS_OFF_RUNQUEUE && off_since &&
        now > off_since)
        waited += now - (off_since > proof ? off_since : proof);
    return now >= proof + waited + proof_min_ns(p);
}

// The fields that do not depend on where the thread is.
void sample_from_slot(const struct probe *p, const struct thread *t, struct probe_sample *ret)
{
    const struct ls_slot *slot = t->slot;
    *ret = (struct probe_sample){
        .pid = t->process->pid,
        .tid = t->tid,
        .at_ns = p->now_ns,
        .turn_begin_ns = (int64_t)LOAD(slot->busy_since),
        .turn_seq = LOAD(slot->claim) >> CLAIM_LEVEL_BITS,
        .began_before_attach = slot->before_attach,
        .state = '?',
        .syscall = -1,
    };
}

static size_t stack_room(const struct thread *t, uint64_t sp, bool *bounded)
{
    uint64_t end = t->tid == t->process->pid ? t->process->start_stack : 0;
    *bounded = end > sp && end - sp <= STACK_SLEEPING;
    return *bounded ? end - sp : STACK_SLEEPING;
}

void read_stack(struct probe *p, struct thread *t, struct probe_sample *s)
{
    bool bounded;
    size_t room = stack_room(t, s->regs.sp, &bounded);
    if (t->process->memory_stuck_until_ns > p->now_ns) {
        s->why_not = "its memory map is locked";
        return;
    }
    ssize_t n = reader_read(p->reader, s->pid, s->regs.sp, p->stack, room, READ_PATIENCE_NS);
    if (n == -ETIMEDOUT) {
        t->process->memory_stuck_until_ns = p->now_ns + STUCK_PAUSE_NS;
        s->why_not = "its memory map is locked";
    } else if (n == -EPERM) {
        s->why_not = "no permission to read its memory";
    } else if (n <= 0) {
        s->why_not = "its stack cannot be read";
    } else {
        s->stack = p->stack;
        s->stack_len = n;
        s->stack_whole = bounded && (size_t)n == room;
    }
}

static void take_call(struct probe_sample *s)
{
    s->syscall = (long)s->regs.orig_ax;
    if (s->syscall < 0)
        s->syscall = -1;
    const uint64_t args[6] = {s->regs.di,  s->regs.si, s->regs.dx,
                              s->regs.r10, s->regs.r8, s->regs.r9};
    if (s->syscall >= 0)
        memcpy(s->args, args, sizeof(args));
}

static char task_state(const struct thread *t)
{
    struct proc_stat stat;
    return proc_stat(t->process->pid, t->tid, &stat) ? '?' : stat.state;
}

bool look_by_slot(struct probe *p, struct thread *t, struct probe_sample *s)
{
    const struct ls_slot *slot = t->slot;
    uint64_t seq = LOAD(slot->off_seq);
    if (!(seq & 1))
        return false;
    s->regs = slot->regs;
    s->has_regs = true;
    s->stack_base = s->regs.sp;
    s->off_since_ns = (int64_t)slot->off_since;
    split_now(slot, p->now_ns, &s->split);
    if (LOAD(slot->off_seq) != seq)
        return false;
    take_call(s);
    s->state = task_state(t);
    read_stack(p, t, s);
    return LOAD(slot->off_seq) == seq;
}

bool sample_sleeping(struct probe *p, struct thread *t)
{
    struct probe_sample s;
    sample_from_slot(p, t, &s);
    if (!s.turn_begin_ns)
        return true;
    int64_t off_since = (int64_t)LOAD(t->slot->off_since);
    bool long_sleep = off_since && p->now_ns - off_since >= p->config.threshold_ns;
    if (!long_sleep && !turn_proven(p, t, s.turn_begin_ns, p->now_ns))
        return false;
    return p->ops->look(p, t, &s) && deliver_sample(p, t, &s);
}
