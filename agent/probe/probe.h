// Everything that touches the kernel: trial loads, attach, detach, draining, privileges; and the /proc
// backend, which gives the same records without privilege. Knows nothing of what a process means.
//
// The policy of which wait is a loop's own is target's: probe reports the waits it sees of a thread, and
// is told which to trust. Until then the thread's turns are not counted (nothing is judged).
//
// Threads: main thread only. Callbacks come from within probe_dispatch(). Memory handed to a callback
// is valid until it returns. A callback may call all of this but probe_remove_process, probe_close and
// probe_dispatch. Times: CLOCK_MONOTONIC ns. Errors: negative errno, *err filled.
#ifndef LOOPSCOPE_PROBE_H
#define LOOPSCOPE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/records.h"
#include "../error.h"
#include "../opts.h"

struct probe;

enum wait_kind { WAIT_NONE, WAIT_EPOLL, WAIT_POLL, WAIT_SELECT, WAIT_URING };
// io_uring_enter waits only when its third argument asks for completions.
enum wait_kind wait_kind_of(long syscall, uint64_t third_arg);
bool wait_has_fd(enum wait_kind kind); // else it is told by its depth on the stack

// A wait call that a thread was seen to sleep in (or call, where calls are traced).
struct probe_wait {
    enum wait_kind kind;
    int fd;           // of epoll, io_uring; -1 else
    uint64_t user_sp; // at its newest sleep: a nested loop waits deeper (lower)
    uint64_t user_pc; // return address into user space of the wait's system call
    uint64_t sleeps;  // times seen
    uint64_t last_ns;
};

enum probe_thread_what {
    PROBE_THREAD_NEW, // found at add, or created since
    PROBE_THREAD_EXIT,
    PROBE_PROCESS_EXIT,
    PROBE_PROCESS_EXEC, // the process is another program now: learn all anew
    PROBE_PROCESS_FORK, // child is pid, parent is tid's process
};

struct probe_thread_event {
    enum probe_thread_what what;
    int pid, tid;
    int parent_pid; // FORK
    int64_t at_ns;
};

// Wall time of a turn, split. Sums to at most end - begin.
struct probe_split {
    int64_t cpu_user, cpu_kernel, runqueue, stopped;
    int64_t sleep_syscall, sleep_futex, sleep_fault; // asleep, by where
};

// A look into a turn that passed 1x, 2x, 4x, ... the threshold, taken while it lasts.
struct probe_sample {
    int pid, tid;
    int64_t at_ns;
    int64_t turn_begin_ns;
    uint64_t turn_seq; // changes with each turn of the thread
    int level;
    bool on_cpu;
    bool kernel_mode;         // on_cpu: the tick hit inside the kernel
    bool began_before_attach; // turn_begin_ns is then the attach
    char state;               // of the task: R S D T t ...; off CPU
    int64_t off_since_ns;     // off CPU
    long syscall;             // -1 none (user mode or page fault)
    uint64_t args[6];
    struct ls_regs regs;
    bool has_regs;        // false: the backend could not get them (proc, running thread)
    uint64_t stack_base;  // == regs.sp
    const uint8_t *stack; // copy, taken together with regs
    size_t stack_len;
    bool stack_whole;         // up to the stack's end; else the older part must be read live
    const char *why_not;      // when there is no stack
    struct probe_split split; // of the turn so far; all 0: not known
};

// A turn longer than the threshold has ended.
struct probe_turn {
    int pid, tid;
    uint64_t seq;
    int64_t begin_ns, end_ns;
    bool began_before_attach, gone; // gone: by exit of thread or process
    struct probe_split split;
    long top_syscall; // the call it slept longest in; -1 none
    uint64_t top_args[6];
    int64_t top_ns;
};

// Calls a thread slept in inside its turns, summed per (syscall, first argument) since the last report.
// Reported about once a second for those above 0.1 % of the time, with a stack where one was copied.
struct probe_calls {
    int pid, tid;
    long syscall;
    uint64_t args[6]; // of the newest
    int64_t begin_ns, end_ns, calls, total_ns, max_ns;
    const struct probe_sample *sample; // NULL: none copied
};

struct probe_lost {
    int pid; // 0: not known whose
    int64_t records;
    const char *what;
};

#define PROBE_HIST 96 // bucket i: log-linear, 4 per power of two of microseconds; see probe_hist_ns
int64_t probe_hist_ns(int bucket); // upper bound of a bucket; the last is INT64_MAX

// Cumulative figures of one thread since it was trusted; subtract two readings for a window.
struct probe_stats {
    int64_t now_ns;
    bool in_wait, running, estimated;
    int64_t busy_since_ns; // 0: in its wait
    uint64_t turn_seq;
    int64_t turns, polls_empty; // polls_empty SNAP-like INT64_MIN when calls are not traced
    int64_t busy_ns, wait_ns;
    struct probe_split split; // within turns
    uint32_t turn_hist[PROBE_HIST], runqueue_hist[PROBE_HIST];
    int64_t turn_max_ns;
    int64_t iteration; // libuv's loop_count; INT64_MIN
    int last_wait_fd;
    int starved_by_pid; // who ran on the CPU while it was runnable; 0 unknown
};

struct probe_config {
    enum backend backend;
    int64_t threshold_ns;
    bool exact;
    int max_threads;       // slots; 0: default 4096
    struct opener *opener; // opens perf events; NULL: this process does. Stays the caller's
};

struct probe_callbacks {
    void (*thread)(void *arg, const struct probe_thread_event *e);
    // A thread not trusted yet slept in a wait call (rate-limited), or a trusted one in foreign ones only.
    void (*wait_seen)(void *arg, int pid, int tid, const struct probe_wait *waits, int n);
    void (*sample)(void *arg, const struct probe_sample *s);
    void (*turn)(void *arg, const struct probe_turn *t);
    void (*calls)(void *arg, const struct probe_calls *c);
    void (*lost)(void *arg, const struct probe_lost *l);
};

int probe_open(struct probe **ret, const struct probe_config *config,
               const struct probe_callbacks *callbacks, void *arg, struct error *err);
void probe_close(struct probe *p); // detaches all; NULL is fine

// Watches all threads of a process, present and future. Children are reported (FORK), not followed.
// For each present thread its state at this moment is looked at once, so that a thread that is already
// asleep in a call is known.
int probe_add_process(struct probe *p, int pid, struct error *err);
void probe_remove_process(struct probe *p, int pid);

// The wait that ends a turn of this thread. Replaces an earlier one. WAIT_NONE: not a loop (any more).
int probe_trust(struct probe *p, int tid, enum wait_kind kind, int fd, uint64_t user_pc);
// Where libuv >= 1.45 counts its turns in the target's memory (0: nowhere): tells saturated from stuck.
void probe_loop_counter(struct probe *p, int tid, uint64_t address);
// The thread as it is now, as a sample of level 0 (for proofs: which loop-run frames are on its stack). Of one
// that runs the first call may have no registers: ask again 10 ms later or at any time.
int probe_peek(struct probe *p, int tid,
               struct probe_sample *ret); // memory valid until the next call

int probe_stats(struct probe *p, int tid, struct probe_stats *ret);
// True while the turn `seq` of the thread lasts: a stack read live is valid only then.
bool probe_same_turn(struct probe *p, int tid, uint64_t seq);

int probe_fd(struct probe *p);              // readable: call probe_dispatch
int64_t probe_interval_ns(struct probe *p); // and call it at least this often now (10 ms while hot)
void probe_dispatch(struct probe *p);
// Makes probe_fd readable when fd is, until fd is closed. For what is dispatched besides the probe.
int probe_also_poll(struct probe *p, int fd);

const char *probe_backend(struct probe *p);     // "bpf", "proc"
const char *probe_turn_source(struct probe *p); // "fentry", "sched+breakpoint", ...
bool probe_turns_estimated(struct probe *p);

// doctor: each part proved on a child of its own.
struct probe_check {
    const char *id, *what; // "sched_switch", "what it is for"
    bool ok;
    char detail[256]; // why not, or how it was proved
    char remedy[256]; // how to get it; empty when ok
};
// Returns the number of checks written. bpf and proc: whether each backend can watch.
int probe_selftest(struct probe_check *checks, int max, bool *bpf, bool *proc);

#endif
