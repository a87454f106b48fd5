// Registers and memory in, frames out: the client side of the helper process in which all foreign
// bytes (ELF, DWARF, V8, CPython) are parsed. The helper may die; the request is then answered as
// torn, and a new one is started.
//
// Threads: main thread only. Callbacks come from within stacker_dispatch() (or stacker_close). Stacks are
// answered in order and overtake everything else; each request has a deadline and a read budget in the
// helper.
#ifndef LOOPSCOPE_STACKER_H
#define LOOPSCOPE_STACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/records.h"
#include "../confine/spawner.h"
#include "../error.h"
#include "../snapshot/snapshot.h"

struct stacker;

// A frame of a language that keeps its frames on its own heap, where they are gone a moment later: taken by
// the kernel's side together with the stack.
#define TAKEN_FRAMES 8
struct taken_frame {
    uint64_t code, instr;
};

// Where such a language keeps the frames of a thread: an address and offsets of its structs, -1 not there.
struct frame_place {
    uint64_t thread; // 0: no such language, or not found
    int cframe, frame, current, previous, code, instr;
};

struct stack_request {
    int pid, tid;
    enum runtime_kind runtime; // a hint: which walkers to try first
    bool native;               // keep interpreter frames (--native)
    bool on_cpu;
    struct ls_regs regs;
    uint64_t stack_base;
    const uint8_t *stack;
    size_t stack_len;
    bool stack_whole;
    int ntaken; // in place of what the thread executes now; 0: none were taken
    struct taken_frame taken[TAKEN_FRAMES]; // leaf first
};

struct stack_answer {
    struct stack *stack;  // owned by the callee's caller: take a reference to keep it. NULL: none
    const char *why_not;  // NULL when there is one; also set for a torn one
    bool live_reads;      // older frames were read from the running process: check the turn again
    int loop_run_frames;  // how many are a loop's run function (uv_run, aeMain, run_forever, ...)
    int loop_run_index;   // of the innermost of them in stack; -1 none
    bool in_language;     // a wait under a language call (execSync): see architecture 2
    bool gc;              // the runtime collects garbage here
    const char *lock;     // what a futex is part of, "GIL", "a semaphore"; NULL: nothing tells
    const char *holder;   // of that lock: "thread NAME in FUNCTION (FILE:LINE)"; NULL unknown
    struct task_ref task; // asyncio's running task; id NULL: none
    struct frame_place place;
};

typedef void (*stack_cb)(void *arg, const struct stack_answer *answer);

// What a process is, read from its ELF files and memory.
struct identity {
    enum runtime_kind runtime;
    char version[32];       // empty unknown
    bool has_uv;            // any libuv in it
    uint64_t uv_loop;       // address of the default loop struct; 0 unknown
    int uv_backend_fd;      // -1 unknown
    uint64_t uv_loop_count; // address of its turn counter (libuv >= 1.45); 0 none
    char note[160];         // "V8 13.6 is not known: native frames only"; empty
};
typedef void (*identity_cb)(void *arg, const struct identity *id); // NULL: could not be read

// asyncio's tasks (issue 3): rows are valid until the callback returns.
struct task_row {
    uint64_t address, awaiter; // of the task objects; awaiter 0: nobody
    int64_t number;            // creation order where known, else -1
    const char *name, *coroutine, *spawn_site, *await_site, *waits_on, *error;
    enum task_state state;
    unsigned flags; // enum task_flag
    int nchain;
    const struct frame *chain; // innermost first
    int64_t sleep_since_ns;    // CLOCK_MONOTONIC start of its asyncio.sleep; INT64_MIN unknown
};
struct tasks_answer {
    int nrows;
    const struct task_row *rows;
    int64_t total, unstable, cut; // cut: not read because of the bounds
    const char *why_not;
};
typedef void (*tasks_cb)(void *arg, const struct tasks_answer *answer);

// The helper is this very program, started again: a program that calls stacker_open begins its main with
//     if (argc == 2 && !strcmp(argv[1], STACK_HELPER_ARG))
//         return stack_helper_main(STACK_HELPER_FD);
#define STACK_HELPER_ARG "--stack-helper"
#define STACK_HELPER_FD  3
int stack_helper_main(int fd); // returns the exit status when the agent is gone

// A spawner of helpers, for an agent that will give up the right to start them; the caller's to close.
int stacker_spawner(struct spawner **ret, struct error *err);

// spawner: NULL makes one of its own; else it must outlive the stacker.
int stacker_open(struct stacker **ret, struct spawner *spawner, struct error *err);
void stacker_close(struct stacker *s); // pending callbacks are answered first, as failed
int stacker_fd(struct stacker *s);     // readable: call stacker_dispatch
void stacker_dispatch(struct stacker *s);
int64_t stacker_deadline_ns(struct stacker *s); // CLOCK_MONOTONIC; INT64_MAX: nothing pending

// Opens /proc/PID/mem and friends for the helper. Call again after an exec. -errno, *err filled.
int stacker_add_process(struct stacker *s, int pid, struct error *err);
void stacker_remove_process(struct stacker *s, int pid);

int stacker_stack(struct stacker *s, const struct stack_request *r, stack_cb cb, void *arg);
int stacker_identify(struct stacker *s, int pid, identity_cb cb, void *arg);
int stacker_tasks(struct stacker *s, int pid, bool gc_walk, int max_rows, tasks_cb cb, void *arg);

int64_t stacker_cpu_ns(struct stacker *s);
int64_t stacker_rss_anon(struct stacker *s);
int64_t stacker_restarts(struct stacker *s);

#endif
