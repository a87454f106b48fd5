// Many loops that sleep within their turns: none of them may look as if it had computed. A kernel that
// leaves switches untold (bpf/back.bpf.h) made one in 300 look so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "watching.h"

#define THRESHOLD_NS (50 * MS)
#define SLEEP_NS     (60 * MS)
#define WATCH_NS     (4000 * MS)

enum { LOOPS = 40, LOOK_MS = 5 };

static void *sleeper(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;
    int epoll = epoll_create1(0);
    struct epoll_event event;
    for (;;) {
        for (int i = 1 + rand_r(&seed) % 4; i > 0; i--)
            epoll_wait(epoll, &event, 1, 5);
        sleep_ns(SLEEP_NS);
    }
    return NULL;
}

static void sleepers(void *arg)
{
    pthread_t thread;
    for (uintptr_t i = 1; i < LOOPS; i++)
        pthread_create(&thread, NULL, sleeper, (void *)i);
    sleeper(arg);
}

struct seen {
    struct probe *probe;
    int turns, computed;
    int64_t slept_ns; // in the newest turn, or waited for a CPU
};

static void on_thread(void *arg, const struct probe_thread_event *e)
{
    (void)arg, (void)e;
}

static void on_wait(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct seen *s = arg;
    (void)pid;
    probe_trust(s->probe, tid, waits[n - 1].kind, waits[n - 1].fd, waits[n - 1].user_pc);
}

static void on_sample(void *arg, const struct probe_sample *sample)
{
    (void)arg, (void)sample;
}

static void on_turn(void *arg, const struct probe_turn *t)
{
    struct seen *s = arg;
    if (t->began_before_attach)
        return;
    s->turns++;
    const struct probe_split *split = &t->split;
    s->slept_ns = split->sleep_syscall + split->runqueue;
    if (split->sleep_syscall + split->runqueue >= SLEEP_NS * 8 / 10)
        return;
    s->computed++;
    print_message("thread %d: %.1f ms, of them cpu %.1f, runqueue %.1f, asleep %.1f\n", t->tid,
                  (double)(t->end_ns - t->begin_ns) / MS,
                  (double)(split->cpu_user + split->cpu_kernel) / MS, (double)split->runqueue / MS,
                  (double)split->sleep_syscall / MS);
}

static void on_lost(void *arg, const struct probe_lost *l)
{
    (void)arg, (void)l;
}

typedef void wait_fn(void *arg, int pid, int tid, const struct probe_wait *waits, int n);

static void open_probe(struct seen *s, wait_fn *wait)
{
    struct probe_config config = {
        .backend = BACKEND_BPF, .threshold_ns = THRESHOLD_NS, .max_threads = 2 * LOOPS};
    struct probe_callbacks callbacks = {.thread = on_thread,
                                        .wait_seen = wait,
                                        .sample = on_sample,
                                        .turn = on_turn,
                                        .lost = on_lost};
    s->probe = open_probe_for(&config, &callbacks, s);
}

static void end(struct seen *s, int pid)
{
    end_child(pid);
    probe_close(s->probe);
}

static void sleeping_is_never_taken_for_computing(void **state)
{
    (void)state;
    struct seen s = {0};
    open_probe(&s, on_wait);
    int pid = start_child(sleepers, NULL);
    add_to_probe(s.probe, pid);
    for (int64_t until = now() + WATCH_NS; now() < until;)
        watch_once(s.probe, LOOK_MS);
    end(&s, pid);
    assert_true(s.turns >= LOOPS);
    assert_int_equal(s.computed, 0);
}

static void late(void *arg)
{
    volatile int *slept = arg; // in its one long turn
    int epoll = epoll_create1(0);
    struct epoll_event event;
    for (int i = 0; i < 100; i++)
        epoll_wait(epoll, &event, 1, 5);
    for (*slept = 0; *slept < 2; ++*slept)
        sleep_ns(3 * SLEEP_NS);
    for (;;)
        epoll_wait(epoll, &event, 1, 5);
}

static struct probe_wait known;

static void on_wait_kept(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    (void)arg, (void)pid, (void)tid;
    known = waits[n - 1];
}

// The thread is trusted in the midst of a turn: what it slept before that is the turn's too.
static void a_turn_is_known_from_its_begin(void **state)
{
    (void)state;
    struct seen s = {0};
    open_probe(&s, on_wait_kept);
    volatile int *slept = shared_memory(sizeof(*slept));
    int pid = start_child(late, (void *)slept);
    add_to_probe(s.probe, pid);
    bool trusted = false;
    for (int64_t until = now() + 20000 * MS; now() < until && !s.turns;) {
        watch_once(s.probe, LOOK_MS);
        if (!trusted && *slept == 1)
            trusted = !probe_trust(s.probe, pid, known.kind, known.fd, known.user_pc);
    }
    end(&s, pid);
    assert_true(trusted);
    assert_int_equal(s.turns, 1);
    assert_true(s.slept_ns >= 6 * SLEEP_NS * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sleeping_is_never_taken_for_computing),
                                       cmocka_unit_test(a_turn_is_known_from_its_begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
