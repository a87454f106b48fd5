// Each backend watches a child that keeps its own account of its stalls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watching.h"

#define THRESHOLD_NS (50 * MS)
#define STALL_NS     (230 * MS)

enum { SAMPLES_MAX = 256, STALLS = 4, NANOSLEEP = 230, LOOK_MS = 20 };

// What the child writes: shared memory.
struct account {
    volatile int done;
    volatile int64_t begin[STALLS], end[STALLS];
    volatile bool asleep[STALLS];
    volatile int64_t cpu[STALLS]; // what it got of it
};

struct seen {
    struct probe *probe;
    struct probe_sample samples[SAMPLES_MAX]; // without their memory
    size_t stack_len[SAMPLES_MAX];
    int nsamples;
    struct probe_turn turns[SAMPLES_MAX];
    int nturns;
    struct probe_thread_event events[64];
    int nevents;
    int64_t lost;
    bool hold_trust;
};

static void on_thread(void *arg, const struct probe_thread_event *e)
{
    struct seen *s = arg;
    if (s->nevents < 64)
        s->events[s->nevents++] = *e;
}

static void on_wait(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct seen *s = arg;
    if (!s->hold_trust && tid == pid)
        probe_trust(s->probe, tid, waits[n - 1].kind, waits[n - 1].fd, waits[n - 1].user_pc);
}

static void on_sample(void *arg, const struct probe_sample *sample)
{
    struct seen *s = arg;
    if (s->nsamples == SAMPLES_MAX)
        return;
    s->stack_len[s->nsamples] = sample->stack_len;
    s->samples[s->nsamples++] = *sample;
}

static void on_turn(void *arg, const struct probe_turn *turn)
{
    struct seen *s = arg;
    if (s->nturns < SAMPLES_MAX)
        s->turns[s->nturns++] = *turn;
}

static void on_lost(void *arg, const struct probe_lost *l)
{
    struct seen *s = arg;
    s->lost += l->records;
}

static void open_probe(struct seen *s, enum backend backend)
{
    struct probe_config config = {
        .backend = backend, .threshold_ns = THRESHOLD_NS, .max_threads = 256};
    struct probe_callbacks callbacks = {.thread = on_thread,
                                        .wait_seen = on_wait,
                                        .sample = on_sample,
                                        .turn = on_turn,
                                        .lost = on_lost};
    s->probe = open_probe_for(&config, &callbacks, s);
}

static void watch_until(struct seen *s, const volatile int *done, int64_t until)
{
    while (now() < until && !(done && *done))
        watch_once(s->probe, LOOK_MS);
}

static int64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void idle(int epoll, int turns)
{
    struct epoll_event event;
    for (int i = 0; i < turns; i++)
        epoll_wait(epoll, &event, 1, 5);
}

static void stalling_child(void *arg)
{
    struct account *a = arg;
    int epoll = epoll_create1(0);
    idle(epoll, 100);
    for (int i = 0; i < STALLS; i++) {
        a->asleep[i] = i & 1;
        int64_t cpu = cpu_time();
        a->begin[i] = now();
        if (i & 1) {
            sleep_ns(STALL_NS);
        } else {
            while (now() < a->begin[i] + STALL_NS)
                ;
        }
        a->end[i] = now();
        a->cpu[i] = cpu_time() - cpu;
        idle(epoll, 40);
    }
    a->done = 1;
    idle(epoll, 1000);
}

static int64_t sum(const struct probe_split *s)
{
    return s->cpu_user + s->cpu_kernel + s->runqueue + s->stopped + s->sleep_syscall +
           s->sleep_futex + s->sleep_fault;
}

static const struct probe_turn *turn_of(const struct seen *s, const struct account *a, int stall)
{
    for (int i = 0; i < s->nturns; i++)
        if (s->turns[i].begin_ns < a->end[stall] && s->turns[i].end_ns > a->begin[stall])
            return &s->turns[i];
    return NULL;
}

// The proc backend misses a stall where the agent itself gets no CPU for as long.
static bool machine_busy(void)
{
    double load;
    return getloadavg(&load, 1) == 1 && load > (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static void check_stall(const struct seen *s, const struct account *a, int stall)
{
    const struct probe_turn *t = turn_of(s, a, stall);
    if (!t && !a->asleep[stall] && a->cpu[stall] < STALL_NS / 2)
        return; // it hardly ran: no proof that it did not come to its wait
    if (!t && !strcmp(probe_backend(s->probe), "proc") && machine_busy()) {
        print_message("stall %d was missed; the machine is busy\n", stall);
        return;
    }
    assert_non_null(t);
    int64_t length = t->end_ns - t->begin_ns;
    print_message(
        "stall %d %s %.1f ms: turn begins %+.1f ends %+.1f top %ld (%.1f ms) cpu %.1f runqueue %.1f"
        " asleep in calls %.1f locks %.1f faults %.1f\n",
        stall, a->asleep[stall] ? "asleep" : "computing",
        (double)(a->end[stall] - a->begin[stall]) / MS,
        (double)(t->begin_ns - a->begin[stall]) / MS, (double)(t->end_ns - a->end[stall]) / MS,
        t->top_syscall, (double)t->top_ns / MS,
        (double)(t->split.cpu_user + t->split.cpu_kernel) / MS, (double)t->split.runqueue / MS,
        (double)t->split.sleep_syscall / MS, (double)t->split.sleep_futex / MS,
        (double)t->split.sleep_fault / MS);
    assert_in_range(length, STALL_NS - 60 * MS, a->end[stall] - a->begin[stall] + 120 * MS);
    assert_true(sum(&t->split) <= length + 1 * MS);
    assert_true(sum(&t->split) >= length - 20 * MS);
    if (a->asleep[stall]) {
        assert_int_equal(t->top_syscall, NANOSLEEP);
        assert_true((t->split.sleep_syscall + t->split.runqueue) * 10 > length * 8);
    } else {
        assert_true((t->split.cpu_user + t->split.cpu_kernel + t->split.runqueue) * 10 >
                    length * 8);
    }
    unsigned int levels = 0;
    for (int i = 0; i < s->nsamples; i++) {
        const struct probe_sample *p = &s->samples[i];
        if (p->turn_seq != t->seq)
            continue;
        assert_false(levels & (1u << p->level)); // each once
        levels |= 1u << p->level;
        assert_true(p->at_ns - p->turn_begin_ns >= THRESHOLD_NS << p->level);
        if (a->asleep[stall]) {
            assert_false(p->on_cpu);
            assert_int_equal(p->syscall, NANOSLEEP);
            assert_true(s->stack_len[i] > 0 || p->why_not);
        }
    }
    assert_true(levels); // not always the first: a look may come late where a machine is slow
}

static void stalls_are_seen_while_they_last(void **state)
{
    struct seen s = {0};
    struct account *a = shared_memory(sizeof(*a));
    open_probe(&s, *(enum backend *)*state);
    int pid = start_child(stalling_child, a);
    add_to_probe(s.probe, pid);
    watch_until(&s, &a->done, now() + 10000 * MS);
    watch_until(&s, NULL, now() + 100 * MS);
    struct probe_stats stats;
    assert_int_equal(probe_stats(s.probe, pid, &stats), 0);
    end_child(pid);
    assert_true(a->done);
    for (int i = 0; i < STALLS; i++)
        check_stall(&s, a, i);
    assert_int_equal(s.lost, 0);
    assert_true(stats.turns >= STALLS + 40);
    assert_true(stats.busy_ns >= STALLS * STALL_NS * 9 / 10);
    assert_true(stats.turn_max_ns >= STALL_NS * 7 / 10);
    probe_close(s.probe);
}

static void endless_child(void *arg)
{
    struct account *a = arg;
    int epoll = epoll_create1(0);
    idle(epoll, 1);
    a->done = epoll;
    for (;;)
        pause();
}

// It slept in a call before we came: trusted with its epoll's number alone.
static void a_stall_from_before_the_attach_is_sampled(void **state)
{
    struct seen s = {.hold_trust = true};
    struct account *a = shared_memory(sizeof(*a));
    open_probe(&s, *(enum backend *)*state);
    int pid = start_child(endless_child, a);
    while (!a->done)
        usleep(1000);
    usleep(50000);
    add_to_probe(s.probe, pid);
    assert_int_equal(probe_trust(s.probe, pid, WAIT_EPOLL, a->done, 0), 0);
    watch_until(&s, NULL, now() + 500 * MS);
    end_child(pid);
    assert_true(s.nsamples >= 3);
    assert_true(s.samples[0].began_before_attach);
    assert_false(s.samples[0].on_cpu);
    assert_true(s.stack_len[0] > 0);
    assert_true(s.samples[0].regs.sp != 0);
    probe_close(s.probe);
}

static void *short_life(void *arg)
{
    usleep(100000);
    return arg;
}

static void lively_child(void *arg)
{
    (void)arg;
    pthread_t thread;
    usleep(300000);
    pthread_create(&thread, NULL, short_life, NULL);
    usleep(1500000);
    int child = fork();
    if (!child) {
        usleep(1500000);
        _exit(0);
    }
    usleep(1500000);
    execl("/bin/sleep", "sleep", "1.5", (char *)NULL);
}

static bool happened(const struct seen *s, enum probe_thread_what what)
{
    for (int i = 0; i < s->nevents; i++)
        if (s->events[i].what == what)
            return true;
    return false;
}

static void what_comes_and_goes_is_told(void **state)
{
    enum backend backend = *(enum backend *)*state;
    struct seen s = {0};
    open_probe(&s, backend);
    int pid = start_child(lively_child, NULL);
    add_to_probe(s.probe, pid);
    watch_until(&s, NULL, now() + 6500 * MS);
    waitpid(pid, NULL, 0);
    watch_until(&s, NULL, now() + 1200 * MS);
    assert_true(happened(&s, PROBE_THREAD_NEW));
    assert_true(happened(&s, PROBE_PROCESS_FORK));
    assert_true(happened(&s, PROBE_PROCESS_EXEC));
    assert_true(happened(&s, PROBE_PROCESS_EXIT));
    if (backend == BACKEND_BPF) // too short a life for a look now and then
        assert_true(happened(&s, PROBE_THREAD_EXIT));
    assert_int_equal(s.events[s.nevents - 1].what, PROBE_PROCESS_EXIT);
    probe_close(s.probe);
}

static void bad_targets_are_refused(void **state)
{
    struct seen s = {0};
    struct error err;
    open_probe(&s, *(enum backend *)*state);
    assert_true(probe_add_process(s.probe, 0x7ffffff0, &err) < 0);
    assert_int_equal(err.status, STATUS_NO_ATTACH);
    assert_true(probe_add_process(s.probe, 2, &err) < 0); // kthreadd
    int pid = fork();
    if (!pid)
        _exit(0);
    usleep(50000);
    assert_true(probe_add_process(s.probe, pid, &err) < 0); // a zombie
    waitpid(pid, NULL, 0);
    probe_close(s.probe);
}

int main(void)
{
    static enum backend bpf = BACKEND_BPF, proc = BACKEND_PROC;
    const struct CMUnitTest tests[] = {
        {"bpf: stalls are seen while they last", stalls_are_seen_while_they_last, NULL, NULL, &bpf},
        {"proc: stalls are seen while they last", stalls_are_seen_while_they_last, NULL, NULL,
         &proc},
        {"bpf: a stall from before", a_stall_from_before_the_attach_is_sampled, NULL, NULL, &bpf},
        {"proc: a stall from before", a_stall_from_before_the_attach_is_sampled, NULL, NULL, &proc},
        {"bpf: what comes and goes is told", what_comes_and_goes_is_told, NULL, NULL, &bpf},
        {"proc: what comes and goes is told", what_comes_and_goes_is_told, NULL, NULL, &proc},
        {"bpf: bad targets are refused", bad_targets_are_refused, NULL, NULL, &bpf},
        {"proc: bad targets are refused", bad_targets_are_refused, NULL, NULL, &proc},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
