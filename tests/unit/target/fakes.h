// A model over a probe and a stacker that do and answer only what a test says. The process is real: a child
// that sleeps in epoll_wait on descriptor FAKE_EPOLL, so that /proc has something to tell.
#ifndef TESTS_TARGET_FAKES_H
#define TESTS_TARGET_FAKES_H

// cmocka wants these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/target/model.h"

#define FAKE_EPOLL   100
#define FAKE_ANSWERS 64
#define MS           1000000LL

struct probe {
    enum wait_kind kind; // trusted last
    int fd, trusts;
    uint64_t loop_counter;
    bool peek_fails, other_turn;
    struct probe_sample peek;
    struct probe_stats stats;
};

struct stacker {
    int nstacks; // asked and not answered
    struct {
        stack_cb cb;
        void *arg;
        struct stack_request request;
    } stacks[FAKE_ANSWERS];
    int asked;
    identity_cb identity_cb;
    void *identity_arg;
    tasks_cb tasks_cb;
    void *tasks_arg;
};

struct world {
    struct probe probe;
    struct stacker stacker;
    struct model m;
    int pid;
    struct proc *proc;
    struct thread *thread; // the main one
};

struct world *world_new(void);
void world_free(struct world *w);
void world_pass(struct world *w, int64_t ns); // time goes by
void world_identify(struct world *w, const struct identity *id);
// Answers the oldest stack asked for. frames: names from the leaf on, NULL ends; "-x": of the runtime.
void world_answer(struct world *w, struct stack_answer answer, const char *const *frames);
void world_turn(struct world *w, uint64_t seq, int64_t ms, struct probe_split split);
// A sample of the main thread's turn seq, asleep in the call since it began `ms` ago.
struct probe_sample world_asleep(struct world *w, uint64_t seq, int64_t ms, long syscall);
struct probe_wait world_wait(enum wait_kind kind, int fd, uint64_t sleeps);
// Trusts its epoll at once, as a libuv program.
void world_trust(struct world *w);

#endif
