// Turns: how one begins and ends, what it was spent on, and when it is to be sampled.
//
// A turn runs from the return of the loop's wait to its next wait. Where wait calls are traced both ends
// are seen. By sched_switch alone only the waits that sleep are: a loop that always finds work looks like
// one long turn. So, unless `exact`, a long turn is believed only when its end could not have been missed
// for a while: user space watches for it (an execution breakpoint, libuv's counter) and says since when
// in `proof_at`.
#ifndef LOOPSCOPE_BPF_TURN_H
#define LOOPSCOPE_BPF_TURN_H

#include "hist.bpf.h"
#include "state.bpf.h"

enum { LEVEL_BITS = 16, LEVEL_MASK = 0xffff };

// The age at which a turn's sample of this level is due: 1x 2x 4x ... the threshold, then in equal steps.
static __always_inline u64 level_due(u32 level)
{
    if (level <= level_cap)
        return threshold_ns << level;
    return (threshold_ns << level_cap) * (level - level_cap + 1);
}

static __always_inline u32 level_at(u64 age) // age >= threshold_ns
{
    u64 gap = threshold_ns << level_cap;
    u64 level = age >= gap ? level_cap - 1 + age / gap : log2_of(age / threshold_ns);
    return level < LEVEL_MASK ? level : LEVEL_MASK - 1;
}

// While it waits for a CPU a thread cannot end its turn: such time proves nothing.
static __always_inline bool proven(const struct ls_slot *slot, u64 begin, u64 now)
{
    if (exact)
        return true;
    u64 proof = READ_ONCE(slot->proof_at);
    u64 waited = slot->turn.off_ns[LS_OFF_RUNQUEUE] - slot->proof_waited;
    return proof >= begin && now >= proof + waited + proof_min_ns;
}

// Whether what the thread is off its CPU for counts. Before it is trusted everything does, from its newest
// wait on: the turn in which the trust comes is then known from its begin.
static __always_inline bool in_turn(const struct ls_slot *slot)
{
    return slot->busy_since || !slot->trust_kind;
}

// How long a woken thread waited for its CPU only the scheduler knows, and it accounts that after
// sched_switch has run: so the wait is learnt at the next look at the running thread. (A preempted one is
// simply off its CPU: that time is taken at its return, for it may also be throttled, which the scheduler
// does not call waiting.)
static __always_inline void settle_run_delay(struct ls_slot *slot, struct task_struct *task)
{
    if (!bpf_core_field_exists(task->sched_info.run_delay))
        return;
    u64 total = task->sched_info.run_delay, before = slot->run_delay;
    slot->run_delay = total;
    if (!slot->run_delay_known || total <= before) {
        slot->run_delay_known = 1;
        return;
    }
    u64 delay = total - before;
    u32 from = slot->pending;
    slot->pending = LS_OFF_RUNQUEUE;
    if (slot->trust_kind && delay > 1000000 && slot->starver_maybe)
        slot->starver = slot->starver_maybe;
    if (from == LS_OFF_RUNQUEUE)
        return;
    if (slot->trust_kind)
        hist_add(slot->runqueue_hist, delay, 1);
    if (!in_turn(slot))
        return;
    if (from == LS_OFF_WAIT && !slot->busy_since)
        return;
    slot->turn.off_ns[LS_OFF_RUNQUEUE] += delay;
    if (from == LS_OFF_WAIT) { // ready, not running: the loop was late already
        slot->busy_since -= delay;
        slot->wait_ns -= delay < slot->wait_ns ? delay : slot->wait_ns;
    } else if (from < LS_OFF_N) {
        u64 slept = slot->turn.off_ns[from];
        slot->turn.off_ns[from] = slept > delay ? slept - delay : 0;
    }
}

static __always_inline void clear_turn(struct ls_slot *slot)
{
    slot->ticks_user = slot->ticks_kernel = 0;
    __builtin_memset(&slot->turn, 0, sizeof(slot->turn));
    slot->top_nr = -1;
    slot->top_ns = 0;
}

static __always_inline void begin_turn(struct ls_slot *slot, u64 now)
{
    if (slot->idle_since && now > slot->idle_since)
        slot->wait_ns += now - slot->idle_since;
    slot->idle_since = 0;
    slot->in_wait = 0;
    slot->before_attach = 0;
    clear_turn(slot);
    slot->claim = ((slot->claim >> LEVEL_BITS) + 1) << LEVEL_BITS;
    barrier();
    WRITE_ONCE(slot->busy_since, now);
}

// What was not spent off the CPU was spent on it; the ticks tell user from kernel mode. A turn too short
// for a tick is split as all turns before it.
static __always_inline void split_cpu(struct ls_slot *slot, u64 length)
{
    u64 off = 0;
#pragma unroll
    for (int i = LS_OFF_RUNQUEUE; i < LS_OFF_N; i++)
        off += slot->turn.off_ns[i];
    u64 cpu = length > off ? length - off : 0;
    u64 user = slot->ticks_user, kernel = slot->ticks_kernel;
    slot->all_ticks_user += user;
    slot->all_ticks_kernel += kernel;
    if (!(user + kernel)) {
        user = slot->all_ticks_user;
        kernel = slot->all_ticks_kernel;
    }
    u64 in_kernel = user + kernel ? cpu * kernel / (user + kernel) : 0;
    slot->turn.cpu_kernel_ns = in_kernel;
    slot->turn.cpu_user_ns = cpu - in_kernel;
}

static __always_inline void sum_turn(struct ls_slot *slot, u64 length)
{
#pragma unroll
    for (int i = LS_OFF_RUNQUEUE; i < LS_OFF_N; i++)
        slot->sum.off_ns[i] += slot->turn.off_ns[i];
    slot->sum.cpu_user_ns += slot->turn.cpu_user_ns;
    slot->sum.cpu_kernel_ns += slot->turn.cpu_kernel_ns;
    slot->busy_ns += length;
}

static __always_inline void emit_turn_end(struct ls_slot *slot, u64 begin, u64 now, u32 gone)
{
    struct ls_turn_end *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
    if (!r) {
        count_lost(slot);
        return;
    }
    r->type = LS_TURN_END;
    r->tid = slot->tid;
    r->tgid = slot->tgid;
    r->before_attach = slot->before_attach;
    r->gone = gone;
    r->pad = 0;
    r->begin_ns = begin;
    r->end_ns = now;
    r->seq = slot->claim >> LEVEL_BITS;
    __builtin_memcpy(&r->split, &slot->turn, sizeof(r->split));
    r->top_nr = slot->top_nr;
    __builtin_memcpy(r->top_args, slot->top_args, sizeof(r->top_args));
    r->top_ns = slot->top_ns;
    bpf_ringbuf_submit(r, 0);
}

static __always_inline bool worth_telling(struct ls_slot *slot, u64 begin, u64 now)
{
    if (now - begin < threshold_ns)
        return false;
    return (slot->claim & LEVEL_MASK) || slot->top_ns >= threshold_ns || proven(slot, begin, now);
}

// Ends the turn without a judgement of its length in the histogram; returns the length.
static __always_inline u64 close_turn(struct ls_slot *slot, u64 now, u32 gone)
{
    u64 begin = slot->busy_since;
    u64 length = now > begin ? now - begin : 0;
    split_cpu(slot, length);
    if (worth_telling(slot, begin, now))
        emit_turn_end(slot, begin, now, gone);
    sum_turn(slot, length);
    WRITE_ONCE(slot->busy_since, 0);
    barrier();
    slot->claim = ((slot->claim >> LEVEL_BITS) + 1) << LEVEL_BITS;
    return length;
}

// A stretch that was watched at its end was one turn, or at least its last part was; a long one that
// nobody watched may have been any number of them.
static __always_inline bool one_turn(const struct ls_slot *slot, u64 now)
{
    return exact || now < slot->busy_since + proof_min_ns || slot->proof_at >= slot->busy_since;
}

static __always_inline void end_stretch(struct ls_slot *slot, u64 now)
{
    slot->merged_ns += close_turn(slot, now, 0);
    slot->turns++;
}

enum { TOLD_MIN = 16, TOLD_MAX = 256, WEIGHT_MAX = 1000000 };

static __always_inline void note_told(struct ls_slot *slot, u64 length)
{
    slot->told_ns += length;
    if (++slot->told == TOLD_MAX) { // the newer ones count for more
        slot->told /= 2;
        slot->told_ns /= 2;
    }
}

// Stretches that were not told apart are taken to consist of turns as long as the exact ones are on average.
// One turn alone says nothing of that: the next one after a long stretch may be a thousandth of its turns.
static __always_inline u64 turns_merged(struct ls_slot *slot)
{
    if (!slot->merged_ns || slot->told < TOLD_MIN || slot->told_ns < TOLD_MAX)
        return 0;
    u64 turns = slot->merged_ns / (slot->told_ns / slot->told);
    slot->merged_ns = 0;
    return turns < WEIGHT_MAX ? turns : WEIGHT_MAX;
}

static __always_inline void end_turn(struct ls_slot *slot, u64 now)
{
    if (!slot->busy_since)
        return;
    if (!one_turn(slot, now)) {
        end_stretch(slot, now);
        return;
    }
    u32 before = slot->before_attach;
    u64 length = close_turn(slot, now, 0);
    if (before || slot->mute_hist) {
        slot->turns++;
        return;
    }
    note_told(slot, length);
    u64 weight = 1 + turns_merged(slot);
    slot->turns += weight;
    hist_add(slot->turn_hist, length, weight);
    if (length > slot->turn_max_ns)
        slot->turn_max_ns = length;
}

static __always_inline void enter_wait(struct ls_slot *slot, u64 now)
{
    end_turn(slot, now);
    if (!slot->in_wait)
        slot->idle_since = now;
    slot->in_wait = 1;
}

#endif
