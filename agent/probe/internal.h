// Within the room: the probe, its processes and threads, and what a backend must do.
//
// A backend keeps the slot (struct ls_slot) of each watched thread up to date: bpf by programs in the
// kernel that write into mapped memory, proc by looking at /proc. All figures and the policy of sampling
// sleeping threads are read off the slots and are the same for both.
#ifndef LOOPSCOPE_PROBE_INTERNAL_H
#define LOOPSCOPE_PROBE_INTERNAL_H

#include <linux/types.h>

#include <uthash.h>

#include "probe.h"
#include "reader.h"

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

enum {
    CLAIM_LEVEL_BITS = 16, // of ls_slot.claim
    CLAIM_LEVEL_MASK = 0xffff,
    STACK_SLEEPING = 65536, // bytes of stack read of a sleeping thread
};

struct process;
struct sampler;

struct thread {
    int tid;
    struct process *process;
    struct ls_slot *slot;
    int index; // of the slot, where the backend numbers them
    int64_t added_ns;

    // The wait that ends its turns; WAIT_NONE: not trusted.
    enum wait_kind kind;
    int fd;
    int64_t trusted_ns;
    struct thread *next_trusted, *prev_trusted;

    // What was told of its waits.
    unsigned int noted_told;
    uint64_t own_sleeps;
    int64_t told_ns, own_seen_ns;
    int waits_known;

    struct ls_call calls_before[LS_CALLS]; // at the last report
    uint8_t *call_stack;                   // newest copy, struct ls_sample and the stack; NULL none
    unsigned int lost_before;

    // libuv's own count of its turns.
    uint64_t counter_address;
    int64_t iteration, iteration_before; // INT64_MIN unknown
    int64_t iteration_ns;

    struct sampler *peek;  // of a running thread that is to be looked at; NULL
    const char *blind_why; // why its registers cannot be had while it runs; NULL they can

    // bpf
    int64_t ticks_again_ns; // when to look again whether ticks cover its CPUs
    int break_fd;           // event of this thread; -1 none
    uint64_t break_pc;
    int64_t break_used_ns, break_again_ns;
    int seen_running, learnt;   // looks in a row; attempts to learn its waits while it runs
    void *backend;              // proc: struct proc_thread
    struct thread *next, *prev; // of the process
    UT_hash_handle hh;
};

struct process {
    int pid;
    uint64_t start_stack; // of its main thread; 0 unknown
    uint64_t start_time;  // of /proc/PID/stat: tells a reused pid
    int64_t memory_stuck_until_ns;
    // proc
    int64_t looked_ns; // when its threads were listed last
    uint64_t links;    // of /proc/PID/task then
    int *children, nchildren;
    struct thread *threads;
    UT_hash_handle hh;
};

struct probe_ops {
    const char *name;
    int (*open)(struct probe *p, struct error *err);
    void (*close)(struct probe *p);
    int (*slot_new)(struct probe *p, struct thread *t);
    void (*slot_free)(struct probe *p, struct thread *t);
    int (*process_new)(struct probe *p, struct process *process); // before its threads' slots
    void (*process_free)(struct probe *p, struct process *process);
    void (*seed)(struct probe *p, struct process *process, struct thread *only); // only: NULL all
    void (*trust)(struct probe *p, struct thread *t);
    void (*untrust)(struct probe *p, struct thread *t);
    void (*scan)(struct probe *p); // at each deadline
    void (*drain)(struct probe *p);
    void (*look_slowly)(struct probe *p, struct thread *t); // some times a second; may be NULL
    // The thread where it is off its CPU: registers, call, state, stack; false: it moved meanwhile.
    bool (*look)(struct probe *p, struct thread *t, struct probe_sample *ret);
    // A running thread whose sample is due; true: done with this level.
    bool (*sample_running)(struct probe *p, struct thread *t);
    const char *(*turn_source)(struct probe *p);
};

extern const struct probe_ops probe_bpf_ops, probe_proc_ops;

struct probe {
    struct probe_config config;
    struct probe_callbacks callbacks;
    void *arg;
    const struct probe_ops *ops;
    void *backend; // of ops
    struct process *processes;
    struct thread *threads; // by tid
    struct thread *trusted;
    struct thread *scan_next; // of `trusted`, while it is gone through: a callback may end a trust
    struct reader *reader;
    int epoll_fd, timer_fd;
    int64_t now_ns, deadline_ns;
    int64_t slow_look_ns; // the last look at what need not be quick
    int64_t reported_ns;  // calls and losses, last
    bool scanning;
    unsigned int level_cap;
    int npeeks;
    bool estimated;
    uint8_t *stack; // STACK_SLEEPING bytes: the copy handed to callbacks
};

int64_t now_ns(void);

// levels.c: when a turn of this age is sampled.
unsigned int level_cap_of(int64_t threshold_ns);
int64_t level_due(const struct probe *p, unsigned int level);
unsigned int level_at(const struct probe *p, int64_t age);

// process.c
struct thread *thread_find(struct probe *p, int tid);
struct thread *thread_add(struct probe *p, struct process *process, int tid);
void thread_remove(struct probe *p, struct thread *t);
struct process *process_find(struct probe *p, int pid);
void process_remove(struct probe *p, struct process *process);
int process_list_threads(struct probe *p, struct process *process, bool tell);
void process_forget_dead_threads(struct probe *p, struct process *process);
void tell_lost(struct probe *p, int pid, int64_t records);
// What has happened to a process, by either backend. They tell target and may free what they are given.
void process_exited(struct probe *p, int pid, int64_t at_ns);
void process_execed(struct probe *p, int pid, int64_t at_ns);
void thread_exited(struct probe *p, int tid, int64_t at_ns);
void tell_thread(struct probe *p, enum probe_thread_what what, int pid, int tid, int parent,
                 int64_t at_ns);

// sleeping.c: samples of threads off their CPU.
bool sample_sleeping(struct probe *p, struct thread *t); // true: done with this level
bool look_by_slot(struct probe *p, struct thread *t, struct probe_sample *ret);
void read_stack(struct probe *p, struct thread *t, struct probe_sample *s);
void sample_from_slot(const struct probe *p, const struct thread *t, struct probe_sample *ret);
int64_t proof_min_ns(const struct probe *p); // so long no end must be seen, to believe a turn
bool turn_proven(const struct probe *p, const struct thread *t, int64_t begin, int64_t now);

// peek.c: looks at running threads that are asked for.
bool peek_running(struct probe *p, struct thread *t, struct probe_sample *ret);
void peek_stop(struct probe *p, struct thread *t);

// stats.c
void split_now(const struct ls_slot *slot, int64_t now, struct probe_split *ret);
void split_from(const struct ls_split *from, struct probe_split *ret);
void split_of_sample(const struct ls_sample *s, const struct ls_slot *slot,
                     struct probe_split *ret);

// reports.c: what is told now and then.
void report_waits(struct probe *p, struct thread *t);
void report_calls(struct probe *p, struct thread *t, int64_t window_ns);
void report_lost(struct probe *p);
void keep_call_stack(struct thread *t, const struct ls_sample *s);

// scan.c: what is the same for both backends once the slots are up to date.
void scan_thread(struct probe *p, struct thread *t);
void scan_slowly(struct probe *p);
// Nothing can tell where a running thread is: the stall is told all the same.
bool sample_blindly(struct probe *p, struct thread *t, const char *why);
// Claims the level that is due and gives the sample out; false: the turn is over, or was sampled.
bool deliver_sample(struct probe *p, struct thread *t, struct probe_sample *s);

// counter.c: ends of turns that user space sees.
void set_proof(struct thread *t, int64_t at_ns);
int hist_bucket(int64_t ns); // hist.c: the one that a length falls into

// counter.c, on behalf of such a source. False: it has ended otherwise.
bool turn_over(struct probe *p, struct thread *t, int64_t begin, int64_t now);
void turn_of_slot(const struct thread *t, int64_t end, const struct probe_split *split,
                  struct probe_turn *ret);
void split_add_to(struct ls_split *to, const struct probe_split *from);
bool counter_watch(struct probe *p, struct thread *t, int64_t begin); // false: no counter

// Asks for a scan at this moment.
void wake_at(struct probe *p, int64_t at_ns);

#endif
