// Has the turn of a busy thread ended unseen?
//
// By sched_switch alone a loop that always finds work never seems to come back to its wait. So from a
// quarter of the threshold on, each busy thread is watched by the gentlest means that work for it:
//
//   counter     libuv's own count of its turns, read from its memory every scan;
//   breakpoint  an execution breakpoint of that thread alone at the instruction after its wait's system
//               call. Its program (on_breakpoint) ends the turn in the slot. Two hits, then it is silent
//               until it is opened anew: so a saturated loop pays some 20 us in 10 to 20 ms;
//   tracepoints of system calls, which all processes pay for: for at most 100 ms in any 5 s, and the
//               verdict is kept until the next look.
//
// proof_at in the slot says since when an end could not have been missed. The kernel side takes no sample
// of a turn without it, and neither do we.
#include <errno.h>
#include <unistd.h>

#include "bpf.h"
#include "perf.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

#define LOOK_NS        (10 * NS_PER_MS)
#define BREAK_KEEP_NS  (1 * NS_PER_S)
#define BREAK_PAUSE_NS (5 * NS_PER_S)
#define SATURATED_NS   (200 * NS_PER_MS)
#define TRACE_NS       (100 * NS_PER_MS)
#define TRACE_PAUSE_NS (5 * NS_PER_S)

enum { HITS = 2, RUNNING_LOOKS = 3, LEARN_TRIES = 3 };

// A breakpoint that has had its hits is opened anew: from 6.17 on (seen on 6.18) IOC_REFRESH does not start
// it again, though it counts as enabled. An old one is closed first, so that it cannot use up the new hits.
static bool open_breakpoint(struct probe *p, struct thread *t, uint64_t pc)
{
    struct bpf_backend *b = p->backend;
    proof_stop(p, t);
    t->break_pc = pc;
    t->slot->at_return = 0;
    t->break_fd = perf_open_breakpoint(p->config.opener, t->tid, pc,
                                       bpf_program__fd(b->skel->progs.on_breakpoint));
    if (t->break_fd < 0)
        return false;
    __atomic_store_n(&t->slot->hits_left, HITS, __ATOMIC_RELEASE);
    if (!perf_arm(t->break_fd, HITS))
        return true;
    proof_stop(p, t);
    return false;
}

static bool watch_breakpoint(struct probe *p, struct thread *t, int64_t begin)
{
    uint64_t pc = LOAD(t->slot->wait_pc);
    if (!pc || p->now_ns < t->break_again_ns)
        return false;
    bool armed = t->break_fd >= 0 && t->break_pc == pc && LOAD(t->slot->hits_left);
    if (armed) {
        if ((int64_t)LOAD(t->slot->proof_at) < begin)
            set_proof(t, p->now_ns);
    } else if (open_breakpoint(p, t, pc)) {
        set_proof(t, now_ns());
    } else {
        t->break_again_ns = p->now_ns + BREAK_PAUSE_NS; // a debugger may hold the registers
        return false;
    }
    t->break_used_ns = p->now_ns;
    t->slot->mute_hist = 0;
    return true;
}

static void watch_by_tracing(struct probe *p, struct thread *t, int64_t begin)
{
    struct bpf_backend *b = p->backend;
    if (b->tracing.on) {
        if ((int64_t)LOAD(t->slot->proof_at) < begin)
            set_proof(t, begin > b->tracing.since_ns ? begin : p->now_ns);
        return;
    }
    if (p->now_ns < b->trace_again_ns)
        return;
    if (wait_calls_trace(b))
        b->trace_again_ns = p->now_ns + TRACE_PAUSE_NS;
    else
        set_proof(t, now_ns());
}

// With the tracepoints gone an end may be missed again: what was a turn of its own goes on as proven (it
// has lasted all the while), all others are not believed until the next look. Nor is one that hardly ran
// while they were there.
static void after_tracing(struct probe *p, struct thread *t)
{
    int64_t begin = (int64_t)LOAD(t->slot->busy_since);
    bool stuck =
        begin && turn_proven(p, t, begin, p->now_ns) && p->now_ns - begin >= p->config.threshold_ns;
    if (!stuck)
        set_proof(t, 0);
    t->slot->mute_hist = !stuck && begin;
}

void proof_tracing_over(struct probe *p)
{
    struct bpf_backend *b = p->backend;
    if (!b->tracing.on || b->source != SOURCE_SCHED)
        return;
    if (p->now_ns - b->tracing.since_ns < TRACE_NS) {
        wake_at(p, b->tracing.since_ns + TRACE_NS);
        return;
    }
    wait_calls_untrace(b);
    b->trace_again_ns = p->now_ns + TRACE_PAUSE_NS;
    for (struct thread *t = p->trusted; t; t = t->next_trusted)
        if (!t->counter_address && t->break_fd < 0)
            after_tracing(p, t);
}

static bool saturated(const struct probe *p, const struct thread *t)
{
    int64_t hit = (int64_t)LOAD(t->slot->hit_ns), over = (int64_t)t->slot->turn_over_ns;
    return p->now_ns - (hit > over ? hit : over) < SATURATED_NS;
}

// A loop known to be saturated is looked at again before its next turn can look long.
void proof_watch(struct probe *p, struct thread *t)
{
    int64_t begin = (int64_t)LOAD(t->slot->busy_since);
    int64_t patience = begin && saturated(p, t) ? LOOK_NS : p->config.threshold_ns / 4;
    if (!begin || p->now_ns - begin < patience) {
        if (t->break_fd >= 0 && p->now_ns - t->break_used_ns > BREAK_KEEP_NS)
            proof_stop(p, t); // its debug register may be wanted by others
        if (begin)
            wake_at(p, begin + patience);
        return;
    }
    wake_at(p, p->now_ns + LOOK_NS);
    if (!counter_watch(p, t, begin) && !watch_breakpoint(p, t, begin))
        watch_by_tracing(p, t, begin);
}

// A loop whose wait never sleeps is not seen to wait by sched_switch: a thread that is found running again
// and again and has no known wait is looked at by the tracepoints, a few times.
void proof_learn_waits(struct probe *p, struct thread *t)
{
    struct bpf_backend *b = p->backend;
    bool off = (LOAD(t->slot->off_seq) & 1) && t->slot->off_kind != LS_OFF_RUNQUEUE;
    bool known = t->kind != WAIT_NONE || LOAD(t->slot->waits_noted);
    t->seen_running = off || known ? 0 : t->seen_running + 1;
    if (t->seen_running < RUNNING_LOOKS || t->learnt >= LEARN_TRIES ||
        p->now_ns < b->trace_again_ns)
        return;
    t->seen_running = 0;
    t->learnt++;
    if (!wait_calls_trace(b))
        wake_at(p, p->now_ns + TRACE_NS);
}

void proof_stop(struct probe *p, struct thread *t)
{
    (void)p;
    if (t->break_fd >= 0)
        close(t->break_fd);
    t->break_fd = -1;
    t->slot->hits_left = 0;
}
