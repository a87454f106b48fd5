// The proc backend's parts.
#ifndef LOOPSCOPE_PROBE_PROC_H
#define LOOPSCOPE_PROBE_PROC_H

#include "internal.h"
#include "procfs.h"
#include "sampler.h"
#include "wait_site.h"

// One look at a thread.
struct sight {
    int64_t at_ns;
    struct proc_schedstat sched;
    struct proc_syscall call;
};

// What the backend keeps of a thread beside its slot.
struct proc_thread {
    struct ls_slot slot;
    int syscall_fd, schedstat_fd; // kept open of trusted threads; -1
    struct sight last;
    bool seen;
    struct proc_schedstat first;       // at the first look
    int64_t voluntary;                 // times it went to sleep, at the last look that asked
    uint64_t utime_begin, stime_begin; // at the begin of the present turn
    int64_t looked_ns;                 // of an untrusted thread
    uint64_t slept_since;              // begin of the sleep that the thread was last seen in
    struct proc_schedstat begin;       // at the begin of the present turn
    int64_t without_cpu_ns;            // the last look after which it got a CPU, or got it anew
    struct sampler *sampler;
    int64_t sampler_opened_ns;
    uint64_t taken_cpu_ns;       // the thread's CPU time then
    struct sampler_sample taken; // the newest
    int sampler_error;
    int break_fds[WAIT_SITES], nbreaks; // where its wait returns, or where it would call it
    uint64_t sites[WAIT_SITES];         // of the latter
    int nsites;
    bool sites_known;
};

struct proc_backend {
    int64_t life_ns; // the last look for threads and processes that came and went
};

static inline struct proc_thread *proc_thread(const struct thread *t)
{
    return t->backend;
}

// proc_look.c: one look at a thread, and what follows for its slot.
int proc_look_at(struct probe *p, struct thread *t); // -ESRCH: gone
void proc_close_files(struct thread *t);
bool proc_look_sleeping(struct probe *p, struct thread *t, struct probe_sample *ret);

// proc_turn.c: turns as they show in a row of looks.
void proc_account(struct probe *p, struct thread *t, const struct sight *now);
void proc_turn_marks(struct thread *t);       // what is counted from the begin of a turn
void proc_turn_from_attach(struct thread *t); // it was not seen to begin
void proc_turn_gone(struct probe *p, struct thread *t);

// proc_running.c: proof and samples of running threads.
void proc_watch_running(struct probe *p, struct thread *t);
bool proc_sample_running(struct probe *p, struct thread *t);
void proc_stop_watching(struct thread *t);

// proc_life.c
void proc_look_for_life(struct probe *p);

#endif
