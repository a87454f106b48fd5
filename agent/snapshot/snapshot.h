// The immutable, versioned picture that every way of looking at loopscope shares.
//
// target/ fills the facts, rules/ adds the findings, then it is frozen: views, exporters and recordings
// only read. A recording gives the same picture back, so nobody downstream knows which it is.
//
// Ownership: reference counted; all strings and arrays lie in the snapshot's own arena except stacks,
// on which it holds references. Main thread only.
// Units: *_ns in nanoseconds; points in time count from started_at (so 0 is the attach), unless named
// *_unix_ns. Unknown is SNAP_UNKNOWN (integers), NAN (doubles), NULL (strings): never a false 0.
// Enums are stored in recordings: append only.
#ifndef LOOPSCOPE_SNAPSHOT_H
#define LOOPSCOPE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack.h"

#define SNAP_UNKNOWN INT64_MIN

enum runtime_kind {
    RUNTIME_UNKNOWN,
    RUNTIME_LOOPSCOPE,
    RUNTIME_LIBUV,
    RUNTIME_NODE,
    RUNTIME_ASYNCIO,
    RUNTIME_UVLOOP,
    RUNTIME_REDIS,
    RUNTIME_NGINX,
    RUNTIME_LIBEVENT,
    RUNTIME_LIBEV,
    RUNTIME_EPOLL, // generic: epoll, poll, select or io_uring of unknown make
    RUNTIME_GO,    // from here on: a poller that is no event loop; recognised, not judged
    RUNTIME_JAVA,
    RUNTIME_TOKIO,
};

enum loop_state {
    LOOP_WAITING,   // in its poll call
    LOOP_RUNNING,   // in a turn, below the threshold
    LOOP_BLOCKED,   // in a turn, above it
    LOOP_SPINNING,  // polls return at once without progress
    LOOP_STARVED,   // runnable, not on a CPU, above the threshold
    LOOP_STOPPED,   // SIGSTOP, a debugger, the freezer
    LOOP_EXITED,
    LOOP_NO_PROBES, // cannot be watched: why_not says why
};

enum cause_kind {
    CAUSE_UNKNOWN,
    CAUSE_CPU_USER,
    CAUSE_CPU_KERNEL,
    CAUSE_SYSCALL,    // asleep in a system call
    CAUSE_LOCK,       // futex of a mutex, the GIL, flock, ...
    CAUSE_RUNQUEUE,   // runnable, not running
    CAUSE_PAGE_FAULT, // asleep in a page fault (no system call)
    CAUSE_GC,
    CAUSE_STOPPED,
};

enum severity { SEV_INFO, SEV_WARNING, SEV_CRITICAL };

// Where the wall time of a stall went, in ns. Sums to at most the duration; the rest is unknown.
struct time_split {
    int64_t cpu_user, cpu_kernel, syscall, lock, runqueue, page_fault, gc, stopped;
};

struct cause {
    enum cause_kind kind;
    const char *syscall; // name; NULL none
    int64_t fd;          // SNAP_UNKNOWN none
    const char *path;    // file, "pipe:[n]", "socket:[n]", "/dev/pts/3"; NULL unknown
    const char *peer;    // "tcp 127.0.0.1:80", "unix /run/x", "child 4711 (sleep)"; NULL unknown
    const char *lock;    // "mutex 0x55..", "GIL", "flock"; NULL none
    int64_t holder_tid;  // SNAP_UNKNOWN unknown
    struct stack *holder_stack;
    double ratio;        // share of the stall's wall time that this kind explains
    bool is_log;         // fd 1/2, a tty, *.log, a syslog socket, a full pipe of fd 1/2
    bool nonblock_missing; // the fd has no O_NONBLOCK where it could have
};

struct task_ref { // which task runs or waits; id NULL: none known
    const char *id, *name, *spawn_site, *await_site;
};

// One look into a stall at 1x, 2x, 4x the threshold.
struct stall_sample {
    int64_t at_ns;
    int64_t elapsed_ns; // since the turn began, as far as known
    int level;          // 1, 2, 4, ... times the threshold
    bool on_cpu;
    struct stack *stack; // NULL: could not be read (why_not)
    const char *why_not;
    struct cause cause;
};

// One turn that passed the stall threshold: open (still lasting) or ended since the last snapshot.
struct snap_stall {
    uint64_t id; // unique in a session, rising
    int pid, tid;
    int64_t begin_ns; // of the turn, or of the attach when began_before_attach
    int64_t end_ns;   // SNAP_UNKNOWN while open
    int64_t duration_ns;
    int64_t threshold_ns;
    bool open, lower_bound, began_before_attach;
    bool gone; // the thread or process ended within the stall
    int64_t captured_after_ns; // threshold passed to first stack; UNKNOWN if none yet or began before attach
    int64_t attached_after_ns; // attach to first stack; UNKNOWN unless began_before_attach
    struct time_split split;
    struct cause cause; // the kind that took most of the time, details from the samples
    int64_t ready_fds;  // events waiting unserved; UNKNOWN
    struct task_ref task;
    int nsamples;
    struct stall_sample *samples; // oldest first
    int64_t suppressed;           // samples not taken because of the capture budget
};

// Blocking calls of one culprit on one loop, summed over a sliding window, stalls included.
struct snap_calls {
    int pid, tid;
    struct cause cause; // kind SYSCALL or LOCK, with path or peer
    struct stack *stack;
    int64_t window_ns, calls, total_ns, max_ns;
};

// Calls of libuv from a thread that is not the loop's, from one place: where they are looked for (--thread-checks).
struct snap_misuse {
    int pid, tid, loop_tid; // who called, whose loop it was; of the newest
    const char *function, *thread, *loop; // thread: the caller's name; loop: its address
    int64_t calls, last_ns; // since it is watched; the newest's point in time
    struct stack *stack;    // of the caller; NULL unknown
};

// What a loop did over a sliding window (10 s unless younger).
struct loop_window {
    int64_t window_ns; // covered
    int64_t turns, polls_empty; // polls that returned at once without work in between
    int64_t busy_ns, wait_ns, cpu_user_ns, cpu_kernel_ns, runqueue_ns, stopped_ns;
    int64_t turn_p50_ns, turn_p99_ns, turn_max_ns;
    int64_t runqueue_p99_ns;
    int64_t hot_fd; // the fd that is always ready (loop-spin); UNKNOWN
    int64_t pool_busy_ns; // all workers of the pool busy while the loop idles; UNKNOWN
    const char *starved_by; // who ran instead ("comm (pid)"); NULL unknown
    struct stack *busy_stack; // a typical on-CPU stack of the window; NULL none
};

#define LOOP_SPARK 60
struct snap_loop {
    int pid, tid;
    const char *name; // thread's comm, or the runtime's name of it
    enum loop_state state;
    const char *why_not; // for NO_PROBES
    bool judged;         // the stall rules have watched it
    int64_t judged_ns;   // for how long
    int64_t turns;       // since attach; UNKNOWN where turns cannot be counted
    bool turns_estimated;
    int64_t busy_ns;     // in turns, since attach; UNKNOWN, or 0 where nobody counts it
    double busy_ratio;   // of the window
    int64_t lag_p50_ns, lag_p90_ns, lag_p99_ns, lag_max_ns; // turn lengths since attach
    int64_t blocked_ns;  // age of the present stall, 0 when not blocked
    int64_t iteration;   // libuv's or the runtime's own count; UNKNOWN
    struct loop_window window;
    struct task_ref task;      // runs now
    struct stack *stack;       // newest stack of an open stall
    int64_t spark_ns[LOOP_SPARK]; // worst turn of each of the last 60 s, newest last; UNKNOWN
    uint32_t lag_hist[16];     // turns by length: bounds in snap_lag_bounds_ns, last is the rest
};
extern const int64_t snap_lag_bounds_ns[15];

struct snap_process {
    int pid, ppid;
    const char *name, *exe, *cmdline;
    enum runtime_kind runtime;
    const char *runtime_version; // "20.20.2", "3.11.7"; NULL unknown
    bool judged;                 // false: why_not
    const char *why_not;         // also what of a judged one cannot be read; NULL
    bool exited;
    int64_t started_unix_ns;
    int64_t fd_count, fd_limit, fd_limit_hard;
    int64_t lost; // records lost for this process
    int nloops;
    int *loops; // tids
    int64_t ntasks, norphans; // UNKNOWN where tasks cannot be seen
    int64_t zombies, zombie_oldest_ns;
    const char *zombie_command;
    int64_t rss_bytes;
    struct { // calls of the runtime from threads that they do not belong to
        int64_t calls;                // since it began; UNKNOWN where nobody counts, 0 none
        int tid, loop_tid;            // of the newest: who called, and whose loop it was; 0 unknown
        const char *function, *site;  // of the newest
        const char *why_not;          // why calls of its libuv from other threads are not seen; NULL
    } misuse;
};

enum task_state {
    TASK_NEW, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_DONE, TASK_FAILED, TASK_CANCELLED,
};

enum task_flag {
    TASKF_ORPHANED = 1 << 0,
    TASKF_STUCK = 1 << 1,
    TASKF_TIMED_OUT = 1 << 2,
    TASKF_ERROR_UNREAD = 1 << 3,
    TASKF_CANCEL_REQUESTED = 1 << 4,
    TASKF_NEVER_STARTED = 1 << 5,
    TASKF_NEVER_AWAITED = 1 << 6,
    TASKF_DETACHED = 1 << 7,
    TASKF_SELF_WAKING = 1 << 8,
    TASKF_CYCLE = 1 << 9,
    TASKF_UNSTABLE = 1 << 10, // changed while it was read: do not judge
    TASKF_UNHELD = 1 << 11,
    TASKF_NO_WAKER = 1 << 12, // nothing is left that could wake it
};

struct snap_task { // a row wished for, or one that a finding names
    const char *id, *parent, *name;
    int pid, tid;
    enum task_state state;
    unsigned flags;
    int64_t age_ns, busy_ns, wait_ns, steps; // wait: since it last ran
    const char *spawn_site, *await_site, *waits_on, *error;
    struct stack *chain; // await chain, innermost first
};

struct snap_task_site { // all tasks of one spawn site
    int pid;
    const char *site, *name;
    int64_t live, orphaned, spawned, completed, failed, cancelled;
    double growth_per_s;
    int64_t oldest_ns, mean_ns, p99_ns;
    int64_t never_awaited, errors_unread; // ended so, since the runtime began; UNKNOWN where nobody counts
    const char *last_error;               // of the newest failure; NULL none known
    // Looks that met a task of it after 100 and more wakes since the look before, and those that found it to have
    // given way to others only; UNKNOWN where nobody looks.
    int64_t busy_looks, self_wakes;
};

struct snap_fd {
    int fd;
    int64_t age_ns, idle_ns, rx, tx; // UNKNOWN where not to be had
    const char *state, *target;      // "CLOSE_WAIT"; path or peer
    struct task_ref task;
};

#define FD_HORIZONS 7

// Of the descriptors that reached age H and were opened at least 2 H ago: who is still there, unused?
struct fd_cohort {
    int64_t horizon_ns;  // H; 0: watched for too short a time
    int64_t survivors;   // still open, and not used within H
    int64_t closed;      // since
    int64_t quarters[4]; // survivors by when they were opened, oldest first, within span
    int64_t span_ns;
    int64_t aged; // open now and older than H, used lately or not
};

struct snap_fd_site { // descriptors of one opening stack, or of one kind where none is known
    int pid;
    const char *kind;    // "tcp", "file", "pipe", ...; "uv_timer", ...
    bool is_handle;      // of libuv: no descriptors
    struct stack *stack; // NULL: opened before attach, or not tracked
    int64_t opened, closed, open, oldest_ns;
    double growth_per_s;
    const char *verdict; // "leak", "suspect", "ok", "unknown"
    int ndetail;
    struct snap_fd *detail;
    // What the leak rules judge by; see target/fd_sites.h.
    const char *note;     // why no line is known, or what the descriptors are; NULL nothing to add
    const char *examples; // a few paths or peers; NULL
    int64_t watched_ns;   // its openings have been followed for so long
    bool never_closed;    // not one of them was closed
    bool can_follow;      // without a stack: its openers can be followed, and are when it looks like a leak
    int64_t sixths[6];    // opened in each sixth of the time watched and still open
    int ncohorts;         // FD_HORIZONS, or 0
    struct fd_cohort *cohorts;
    int64_t close_wait, close_wait_oldest_ns, close_wait_unread; // sockets whose peer has closed
    // Who opened them, of programs whose tasks are known; read at the opening itself.
    struct task_ref task; // spawn site of most of the open ones; id: when one task opened them all
    int64_t task_open;    // so many of the open ones; UNKNOWN: openers' tasks are not known
    int64_t orphans;      // of these: their task has ended, nobody has used them since or waits on them
    int64_t orphan_tasks; // so many tasks, and the time from the first's end to the newest's:
    int64_t orphan_span_ns, orphan_oldest_ns; // oldest: since the first's end
};

struct evidence {
    const char *key, *unit, *text; // text is the sentence a person reads
    double value;                  // NAN when it has none
};

struct occurrence {
    int64_t at_ns, duration_ns, captured_after_ns;
    struct stack *stack;
    struct cause cause;
};

struct finding {
    const char *id; // "F12": stable in a session
    const char *rule;
    int nalso;
    const char **also;
    int nrelated;
    const char **related;
    enum severity severity;
    bool open;
    int pid, tid; // tid 0: the process
    const char *subject, *title;
    int64_t first_seen_ns, last_seen_ns, count, suppressed;
    int64_t duration_ns; // newest occurrence
    bool duration_is_lower_bound, still_open, began_before_attach, captured_during;
    double confidence;
    struct cause cause;
    int64_t captured_after_ns, attached_after_ns;
    int noccurrences;
    struct occurrence *occurrences; // newest first, at most 100
    struct task_ref task;
    struct stack *stack;
    int nevidence;
    struct evidence *evidence;
    int nremedy;
    const char **remedy;
    const char *verify; // a full command line
};

enum snap_event_kind {
    EVENT_ATTACHED, EVENT_OPEN, EVENT_UPDATE, EVENT_CLOSE, EVENT_DETACHED, EVENT_LOST,
};
struct snap_event { // since the snapshot before: what `watch` prints
    enum snap_event_kind kind;
    int64_t at_ns;
    int pid;
    const char *finding; // id, for OPEN UPDATE CLOSE
    const char *text;    // why detached, what was lost
};

struct not_judged {
    const char *rule, *why;
};

struct snap_host {
    const char *hostname, *kernel;
    int cpus;
    double steal_ratio;
};

struct snap_agent {
    const char *version, *backend; // "bpf", "proc"
    const char *turn_source;       // "fentry", "sched+breakpoint", "tracepoints", "proc", ...
    bool turns_estimated;
    double cpu_ratio; // of one core, last 60 s, helper included
    int64_t cpu_ns, rss_bytes, lost_records, torn_stacks, stacks, drift;
};

struct snap {
    int refs;
    uint64_t version; // rises by one each snapshot of a session
    int64_t started_unix_ns;
    int64_t now_ns; // since started_at
    double time_scale;
    int64_t threshold_ns;
    int64_t target_exit; // of -- COMMAND: its wait status as a shell would show it; UNKNOWN
    bool recorded;       // comes from a recording
    const char *source;  // what was asked for: "4711", "--name node", "x.lsr"
    struct snap_host host;
    struct snap_agent agent;
    int nprocesses, nloops, nstalls, ncalls, nfindings, ntasks, ntask_sites, nfds, nevents,
        nnot_judged, nmisuses;
    struct snap_process *processes;
    struct snap_loop *loops;
    struct snap_stall *stalls;
    struct snap_calls *calls;
    struct finding *findings; // open ones and history; most severe first
    struct snap_task *tasks;
    struct snap_task_site *task_sites;
    struct snap_fd_site *fds;
    struct snap_event *events;
    struct snap_misuse *misuses;
    struct not_judged *not_judged;
    int64_t tasks_total, tasks_by_state[8]; // UNKNOWN where unknown
    struct arena *arena;
    struct stack **held; // every stack referenced above, one reference each
    int nheld, held_cap;
};

struct snap *snap_new(void);
struct snap *snap_ref(struct snap *s);
void snap_unref(struct snap *s); // NULL is fine

// Memory of the snapshot's arena; zeroed; never NULL (aborts with a message when out of memory).
void *snap_alloc(struct snap *s, size_t size);
char *snap_strdup(struct snap *s, const char *text);               // NULL gives NULL
char *snap_printf(struct snap *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct stack *snap_hold(struct snap *s, struct stack *stack);      // takes a reference; NULL gives NULL
// Deep copies of strings and arrays into s, stacks held.
void snap_copy_cause(struct snap *s, struct cause *dst, const struct cause *src);
void snap_copy_finding(struct snap *s, struct finding *dst, const struct finding *src);
void snap_copy_task_ref(struct snap *s, struct task_ref *dst, const struct task_ref *src);

const struct snap_process *snap_process_of(const struct snap *s, int pid); // NULL: not in it
const struct snap_loop *snap_loop_of(const struct snap *s, int tid);       // likewise

// The words of cli.md's schema.
const char *runtime_name(enum runtime_kind k);
bool runtime_is_judged(enum runtime_kind k); // false for GO, JAVA, TOKIO
const char *loop_state_name(enum loop_state s);
const char *cause_kind_name(enum cause_kind k);
const char *severity_name(enum severity s);
const char *task_state_name(enum task_state s);

#endif
