// What the kernel side and user space share: plain fixed-size records, no pointers.
// Included by *.bpf.c and by agent/. Times are CLOCK_MONOTONIC nanoseconds.
//
// Two ways lead from the kernel to user space. What is true of a thread now lies in its slot (struct
// ls_slot), an element of an array that user space has mapped: it is looked at without a system call.
// What has happened (a sample, the end of a long turn, a thread born) goes through the ring buffer.
//
// Who writes a slot: each field belongs to one side. The kernel side runs on the thread itself or on the
// CPU that switches it, so it never races with itself; the few words both sides change (`claim`,
// `busy_since`) are changed by compare and swap.
#ifndef LOOPSCOPE_RECORDS_H
#define LOOPSCOPE_RECORDS_H

// The user registers of a thread, in the order of x86-64's struct pt_regs.
struct ls_regs {
    unsigned long long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax,
        ip, cs, flags, sp, ss;
};

enum {
    LS_WAITS = 6,           // wait calls remembered a thread
    LS_CALLS = 6,           // calls summed a thread
    LS_HIST = 96,           // log-linear buckets, 4 a power of two of microseconds
    LS_FILTER_WORDS = 2048, // 65536 bits: "this tid is perhaps watched"
    LS_STACK_SMALL = 4096,
    LS_STACK_LARGE = 16384,
};

// The wait calls; the same values as enum wait_kind of probe.h.
enum ls_wait_kind { LS_WAIT_NONE, LS_WAIT_EPOLL, LS_WAIT_POLL, LS_WAIT_SELECT, LS_WAIT_URING };

// Why a thread is off its CPU.
enum ls_off {
    LS_OFF_WAIT, // in the loop's own wait
    LS_OFF_RUNQUEUE,
    LS_OFF_SYSCALL,
    LS_OFF_FUTEX,
    LS_OFF_FAULT,
    LS_OFF_STOPPED,
    LS_OFF_N,
};

// A wait call the thread slept in. Polls and selects have no descriptor of their own: told apart by depth.
struct ls_wait {
    int kind, fd;
    unsigned long long sp, pc;
    unsigned long long sleeps;
    unsigned long long last_ns, woke_ns;
};

// Sleeps in one call (number and first argument) within turns.
struct ls_call {
    long long nr;
    unsigned long long args[6]; // of the newest
    unsigned long long calls, total_ns, max_ns;
    unsigned int want_stack; // user space asks: copy the stack at the next switch-out
    unsigned int pad;
};

struct ls_split {
    unsigned long long off_ns[LS_OFF_N]; // WAIT unused
    unsigned long long cpu_user_ns, cpu_kernel_ns;
};

struct ls_slot {
    // What a scan looks at.
    int tid, tgid;
    unsigned long long busy_since; // 0: in its wait, or not trusted
    unsigned long long claim;      // sequence of the turn << 16 | next sample's level
    unsigned long long off_seq;    // odd: off its CPU and regs valid; changes with each switch
    unsigned long long off_since;
    // Written by user space: from when on the end of the turn could not have been missed.
    unsigned long long proof_at;
    unsigned long long proof_waited; // the turn's time in the run queue then
    unsigned int in_wait;
    unsigned int off_kind;    // enum ls_off
    unsigned int waits_noted; // sleeps in wait calls, own or foreign
    unsigned int pad;

    // Written by user space.
    int trust_kind, trust_fd;
    unsigned long long trust_sp; // polls: the outermost stack pointer seen (kernel raises it)
    unsigned int hits_left;      // breakpoint hits granted and not used (kernel counts down)
    unsigned int mute_hist;      // turns are not to be believed: keep them out of the figures

    unsigned int prev_state;         // of the task at switch-out
    unsigned int before_attach;      // the present turn began before we could see it
    unsigned long long wait_pc;      // of its newest trusted sleep
    unsigned long long hit_ns;       // newest breakpoint hit
    unsigned long long turn_over_ns; // newest end of a turn that user space found
    unsigned long long idle_since;   // in its wait since
    unsigned long long merged_ns;    // turns not told apart, to be weighed by the exact ones
    unsigned long long told_ns;      // the newest exact ones, and their number
    unsigned int told, pad2;
    unsigned int at_return;          // woken from its wait, which has not returned yet
    unsigned int lost;               // records that found no room

    // The scheduler's own account of waiting for a CPU, at the last look.
    unsigned long long run_delay;
    unsigned int run_delay_known, pending; // enum ls_off of the sleep it was woken from
    int starver, starver_maybe;            // who had the CPU
    unsigned long long ran_ns;             // in all, when it last left its CPU
    unsigned int unseen_returns;           // to its CPU, of which sched_switch told nothing
    unsigned int run_delay_stale;          // since such a one

    // The present turn.
    unsigned int ticks_user, ticks_kernel;
    struct ls_split turn;
    long long top_nr;
    unsigned long long top_args[6], top_ns;

    // Since it was trusted.
    unsigned long long turns, busy_ns, wait_ns, turn_max_ns, polls_empty;
    unsigned long long all_ticks_user, all_ticks_kernel;
    struct ls_split sum;
    unsigned int turn_hist[LS_HIST], runqueue_hist[LS_HIST];

    struct ls_regs regs;
    int cur_wait;             // index of the wait it sleeps in, -1 none
    unsigned int want_stacks; // some call below wants a stack (user space sets, kernel clears)
    struct ls_wait waits[LS_WAITS];
    struct ls_call calls[LS_CALLS];
};

enum ls_record_type {
    LS_SAMPLE = 1,  // struct ls_sample
    LS_CALL_STACK,  // struct ls_sample, of a call that user space asked for
    LS_TURN_END,    // struct ls_turn_end
    LS_THREAD_NEW,  // struct ls_life
    LS_THREAD_EXIT, // struct ls_life; other: 1 when the process is gone too
    LS_EXEC,        // struct ls_life; other: the old tid
    LS_FORK,        // struct ls_life; tid: the child
};

struct ls_sample {
    unsigned int type;
    int tid, tgid, level;
    unsigned long long now_ns, busy_since, seq;
    unsigned int kernel_mode, before_attach;
    unsigned int stack_len, stack_whole;
    unsigned int ticks_user, ticks_kernel;
    struct ls_split turn;
    struct ls_regs regs;
    // stack_len bytes follow
};

struct ls_turn_end {
    unsigned int type;
    int tid, tgid;
    unsigned int before_attach, gone, pad;
    unsigned long long begin_ns, end_ns, seq;
    struct ls_split split;
    long long top_nr;
    unsigned long long top_args[6], top_ns;
};

struct ls_life {
    unsigned int type;
    int tid, tgid, other;
    unsigned long long now_ns;
};

#endif
