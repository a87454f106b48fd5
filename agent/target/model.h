// What we know of the watched processes and their recent history: plain structs that the files of
// this room share. The kernel's side comes in through probe's callbacks (threads.c, trust.c,
// stalls.c, calls.c), stacks through stacker's answers; once a second the window turns (window.c)
// and assemble.c makes a snapshot of it all.
//
// A thread's way:  seen --(a wait is proved, trust.c)--> loop --(turn passes the threshold)-->
// stall
//                                                         ^-----------(turn ends)-------------'
// Only a loop has a history; a thread that never waits, a pool's worker and a runtime's own helper
// stay "seen". Exec and exit take the threads away; the process keeps its place until its last
// snapshot.
//
// Ownership: the model owns all; answers that come late find their thread by tid and stall by id,
// never by pointer. Times are CLOCK_MONOTONIC ns; main thread only.
#ifndef LOOPSCOPE_MODEL_H
#define LOOPSCOPE_MODEL_H

#include <sys/types.h>
#include <uthash.h>

#include "../probe/probe.h"
#include "../snapshot/snapshot.h"
#include "../stack/stacker.h"
#include "../wish.h"

#define WAITS_MAX         8
#define STALL_SAMPLES_MAX 8
#define WINDOW_SLOTS      11 // 10 s of one-second readings and the one before
#define CALL_SLOTS        10
#define NAME_MAX_LEN      64

struct model;
struct proc;
struct interned;
struct task_book;
struct fd_book;
struct thread_calls;
struct fds;
struct live;

// A stall's facts and the memory they lie in.
struct stall {
    struct stall *prev, *next;
    uint64_t id, turn_seq;
    int pid, tid;
    struct snap *box; // owns every string and stack of facts and samples
    struct snap_stall facts;
    struct stall_sample samples[STALL_SAMPLES_MAX];
    bool gc[STALL_SAMPLES_MAX];
    int64_t gc_of_cpu, gc_of_lock; // where the split's share of the collector was taken from
    struct probe_split base;       // of the thread's cumulative split, when the turn began
    bool have_base;
    int pending;        // answers outstanding
    bool captured;      // its first look has been answered, with or without a stack
    bool shown_ended;   // a snapshot has had its end
    bool severe;        // its passing 1 s was made known
    bool in_other_wait; // asleep in a wait that is not the loop's own
};

struct reading { // of probe_stats, for windows
    int64_t at_ns, turns, polls_empty, busy_ns, wait_ns;
    struct probe_split split;
    uint32_t turn_hist[PROBE_HIST], runqueue_hist[PROBE_HIST];
};

struct loop_history {
    struct reading ring[WINDOW_SLOTS];
    int nring, head; // head: the newest
    struct probe_stats now;
    bool have_now;
    int64_t spark[LOOP_SPARK]; // newest last
    int64_t second_max_ns;     // longest turn that ended in the present second, where known exactly
    int64_t stalled_max_ns;    // longest turn known from stalls
    struct stack *busy_stack;  // newest on-CPU stack
    int64_t busy_stack_ns;
    int64_t pool_busy_ns[CALL_SLOTS]; // pool.c; a second each, newest first
    bool pool_known;
    int64_t spin_turns, spin_at_ns, spin_work, spin_polls; // spin.c
    bool spin_fast, spin_unknown;
};

struct call_sum { // one (system call, first argument) of one loop
    struct call_sum *next;
    long syscall;
    uint64_t arg0;
    struct snap *box; // cause and stack
    struct cause cause;
    struct stack *stack;
    int64_t seen_ns;
    struct {
        int64_t calls, total_ns, max_ns;
    } slots[CALL_SLOTS]; // head is the present second
    int head;
};

enum trust {
    TRUST_NO,      // nothing proved yet
    TRUST_GUESSED, // found blocked: the wait that will end it is a guess
    TRUST_PROVED,
};

struct thread {
    UT_hash_handle hh;
    struct thread *prev, *next; // of its process
    int pid, tid;
    struct proc *proc;
    char name[NAME_MAX_LEN];
    bool at_attach; // was there when we came
    bool helper;    // the runtime's own thread: not a loop of the program
    bool pool;      // a worker of libuv's pool
    int pool_looks;
    int64_t seen_ns;
    int64_t ended_ns; // kept after its end for the last picture; 0: it runs

    // trust.c
    enum trust trust;
    enum wait_kind kind;
    int wait_fd;
    uint64_t wait_pc;
    int64_t trusted_ns;
    int nwaits;
    struct probe_wait waits[WAITS_MAX];
    int asks;
    bool asking, stack_seen;
    int own_epoll;      // of the loop that a live table says it runs; -1 none
    bool language_only; // waits under language frames without a loop: a synchronous program
    int64_t ask_after_ns;
    struct probe_wait weak; // a wait with a whole stack but no known loop around it
    int64_t weak_since_ns;
    int64_t doubt_since_ns, doubt_turns; // no turn since, though it sleeps in other waits
    uint64_t doubt_sleeps;

    struct loop_history *history; // NULL: not a loop
    struct stall *stall;          // open
    int64_t stalled_until_ns;     // end of its last one; 0: never
    struct call_sum *calls;
};

struct proc {
    UT_hash_handle hh;
    int pid, ppid;
    uint64_t start_ticks; // tells a reused pid
    int64_t started_unix_ns, added_ns;
    uid_t uid;
    char name[NAME_MAX_LEN], *exe, *cmdline;
    bool identified; // asked and answered, whatever the answer
    int asked;       // how often; libraries and loops are made after the start
    int64_t ask_again_ns, asked_mapped_bytes; // mapped_bytes when last asked
    struct identity identity;
    bool attached_said, exited;
    int64_t exited_ns;
    bool root;         // asked for by pid, or our command
    bool forked;       // its program is its parent's: it has not exec'd since its fork
    char why_not[160]; // cannot be watched or judged; empty: can
    struct thread *threads;
    int nthreads;
    int64_t lost;
    // the inventory of every few seconds
    int64_t fd_count, fd_limit, fd_limit_hard, rss_bytes, mapped_bytes;
    int64_t zombies, zombie_since_ns;
    char zombie_command[NAME_MAX_LEN];
    struct task_book *tasks; // NULL: none can be read
    struct live *live;       // live tables of our runtime; NULL: none
    int64_t live_find_ns, live_pause_ns;
    int64_t live_mapped_bytes;         // mapped_bytes at the last search for a table
    struct fd_book *fds;               // NULL: not looked at yet
    struct thread_calls *thread_calls; // NULL: not looked for
    int64_t pool_all_ns;               // all workers of its pool have been at work since; 0 not
    // capture budget
    int64_t budget_second, budget_used;
};

struct model_event {
    struct model_event *next;
    enum snap_event_kind kind;
    int64_t at_ns;
    int pid;
    char text[160];
};

struct model {
    struct probe *probe;
    struct stacker *stacker;
    int64_t now_ns, started_ns; // now: of this dispatch
    int64_t threshold_ns;
    double time_scale;
    bool native, gc_walk;
    unsigned inventories;   // looks at what the processes hold
    int64_t keep_ended_ns;  // how long what has ended is still shown
    bool only_loops;        // show no process without a loop (--all, children of a command)
    struct proc *procs;     // by pid
    struct thread *threads; // by tid
    struct stall *stalls;   // open ones, and ended ones no snapshot has had
    uint64_t next_stall;
    struct model_event *events;  // oldest first
    struct interned *interned;   // one struct stack an id (intern.c)
    unsigned int sweep_interned; // when so many are there
    int64_t torn_stacks, stacks, lost_records;
    bool urgent; // a snapshot is due now
    bool fresh;  // it has a stall that nobody has seen yet
    struct wishes wishes;
    struct fds *fds;    // the inventory's source; NULL until it is asked for the first time
    bool no_openers;    // descriptors' openers cannot be followed here
    int tracker_source; // enum fd_track_source, that which was found to load
    // What follows children and restarts (find_targets.c) hears of births here. May be NULL.
    void (*born)(void *arg, int parent, int pid);
    void (*execed)(void *arg, int pid);
    void *born_arg;
};

// model.c
void model_start(struct model *m, int64_t now_ns);
void model_finish(struct model *m); // removes every process; probe and stacker stay the caller's
void model_say(struct model *m, enum snap_event_kind kind, int pid, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int64_t mono_ns(void);

#endif
