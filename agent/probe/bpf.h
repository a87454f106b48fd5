// The bpf backend's parts.
#ifndef LOOPSCOPE_PROBE_BPF_H
#define LOOPSCOPE_PROBE_BPF_H

#include <bpf/libbpf.h>

#include <sched.h>

#include "internal.h"
#include "probe.skel.h"

enum turn_source { SOURCE_FENTRY, SOURCE_EXACT, SOURCE_SCHED };

struct tracing { // the wait calls, by tracepoints
    bool on;
    struct bpf_link *links[2];
    int64_t since_ns;
};

struct ticks {
    int fds[CPU_SETSIZE]; // by CPU; negative: none, or why not
};

struct bpf_backend {
    struct probe_bpf *skel;
    struct bpf_link *links[32];
    int nlinks;
    struct ring_buffer *ring;
    struct ls_slot *slots; // mapped
    size_t slots_size;
    int *free_slots;
    int nfree, max_threads;
    unsigned int variant; // of the programs, as it loaded
    enum turn_source source;
    struct tracing tracing;
    int64_t trace_again_ns; // not before
    unsigned int lost_before;
    struct ticks ticks;
};

// bpf_load.c
int bpf_load(struct probe *p, struct bpf_backend *b, struct error *err);
void bpf_unload(struct bpf_backend *b);
int bpf_attach(struct bpf_backend *b);  // what was loaded: done by bpf_load
void bpf_detach(struct bpf_backend *b); // and loaded it stays
int wait_calls_trace(struct bpf_backend *b);
void wait_calls_untrace(struct bpf_backend *b);

// bpf_drain.c
int bpf_record(void *arg, void *data, size_t size);

// ticks.c
void ticks_init(struct ticks *ticks);
void ticks_close(struct ticks *ticks);
void ticks_cover(struct probe *p, struct thread *t); // that thread can be sampled where it runs

// proof.c: has the turn of a busy thread ended unseen?
void proof_watch(struct probe *p, struct thread *t);
void proof_stop(struct probe *p, struct thread *t);
void proof_tracing_over(struct probe *p);
void proof_learn_waits(struct probe *p, struct thread *t);

#endif
