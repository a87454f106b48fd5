// A stall's life: opened by its first look, shown from its first answer, ended by its turn.
#include "fakes.h"

#include <string.h>
#include <sys/syscall.h>

#include "agent/target/assemble.h"
#include "agent/target/calls.h"
#include "agent/target/stalls.h"
#include "agent/target/threads.h"

static const char *const blocked[] = {"-read", "load", "-uv_run", "main", NULL};

static struct snap *assembled(struct world *w)
{
    struct snap *s = snap_new();
    assemble(&w->m, s);
    return s;
}

static struct world *trusted(void)
{
    struct world *w = world_new();
    world_trust(w);
    world_pass(w, 1000 * MS);
    return w;
}

static void look(struct world *w, uint64_t seq, int64_t ms)
{
    struct probe_sample s = world_asleep(w, seq, ms, SYS_read);
    stall_sample(&w->m, w->thread, &s);
}

static void test_shown_from_the_first_answer(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 0); // not yet
    snap_unref(s);
    w->m.urgent = false;
    world_answer(w, (struct stack_answer){0}, blocked);
    assert_true(w->m.urgent);
    s = assembled(w);
    assert_int_equal(s->nstalls, 1);
    const struct snap_stall *k = &s->stalls[0];
    assert_true(k->open);
    assert_true(k->lower_bound);
    assert_int_equal(k->duration_ns, 105 * MS);
    assert_int_equal(k->captured_after_ns, 5 * MS);
    assert_int_equal(k->attached_after_ns, SNAP_UNKNOWN);
    assert_int_equal(k->cause.kind, CAUSE_SYSCALL);
    assert_string_equal(k->cause.syscall, "read");
    assert_string_equal(k->samples[0].stack->frames[1].function, "load");
    assert_int_equal(s->loops[0].state, LOOP_BLOCKED);
    assert_int_equal(s->loops[0].blocked_ns, 105 * MS);
    snap_unref(s);
    world_free(w);
}

static void test_no_turn_has_no_percentile(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct snap *s = assembled(w);
    assert_int_equal(s->loops[0].lag_p50_ns, SNAP_UNKNOWN);
    assert_int_equal(s->loops[0].lag_max_ns, SNAP_UNKNOWN);
    snap_unref(s);
    w->probe.stats.turn_hist[10] = 1;
    w->probe.stats.turn_max_ns = 3 * MS;
    s = assembled(w);
    assert_true(s->loops[0].lag_p50_ns >= 0 && s->loops[0].lag_p99_ns <= 3 * MS);
    assert_int_equal(s->loops[0].lag_max_ns, 3 * MS);
    snap_unref(s);
    world_free(w);
}

static void test_ended_is_shown_once(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    world_answer(w, (struct stack_answer){0}, blocked);
    world_pass(w, 300 * MS);
    world_turn(w, 5, 405, (struct probe_split){.sleep_syscall = 400 * MS, .cpu_user = 5 * MS});
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 1);
    assert_false(s->stalls[0].open);
    assert_false(s->stalls[0].lower_bound);
    assert_int_equal(s->stalls[0].duration_ns, 405 * MS);
    assert_true(s->stalls[0].cause.ratio > 0.98);
    assert_int_equal(s->loops[0].blocked_ns, 0);
    snap_unref(s);
    s = assembled(w);
    assert_int_equal(s->nstalls, 0);
    snap_unref(s);
    assert_null(w->m.stalls);
    world_free(w);
}

static void test_split_decides_in_the_end(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105); // asleep at the look
    world_answer(w, (struct stack_answer){0}, blocked);
    world_turn(w, 5, 500,
               (struct probe_split){.sleep_syscall = 110 * MS,
                                    .cpu_user = 200 * MS,
                                    .cpu_kernel = 150 * MS,
                                    .runqueue = 40 * MS});
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].cause.kind, CAUSE_CPU_USER);
    assert_float_equal((float)s->stalls[0].cause.ratio, 0.7f, 0.01f);
    snap_unref(s);
    world_free(w);
}

static void test_turn_that_nobody_looked_at(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_turn turn = {.pid = w->pid,
                              .tid = w->pid,
                              .seq = 9,
                              .begin_ns = w->m.now_ns - 150 * MS,
                              .end_ns = w->m.now_ns,
                              .split = {.sleep_syscall = 140 * MS},
                              .top_syscall = SYS_fsync,
                              .top_args = {FAKE_EPOLL},
                              .top_ns = 140 * MS};
    stall_turn(&w->m, w->thread, &turn);
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 1);
    assert_int_equal(s->stalls[0].nsamples, 0);
    assert_string_equal(s->stalls[0].cause.syscall, "fsync");
    assert_int_equal(s->stalls[0].captured_after_ns, SNAP_UNKNOWN);
    snap_unref(s);
    turn.begin_ns = w->m.now_ns - 50 * MS; // below the threshold
    stall_turn(&w->m, w->thread, &turn);
    s = assembled(w);
    assert_int_equal(s->nstalls, 0);
    snap_unref(s);
    world_free(w);
}

static void test_stale_live_reads_are_dropped(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    w->probe.other_turn = true;
    world_answer(w, (struct stack_answer){.live_reads = true}, blocked);
    struct snap *s = assembled(w);
    assert_null(s->stalls[0].samples[0].stack);
    assert_non_null(s->stalls[0].samples[0].why_not);
    assert_int_equal(s->stalls[0].captured_after_ns, SNAP_UNKNOWN);
    snap_unref(s);
    world_free(w);
}

static void test_from_before_the_attach(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 101, SYS_read);
    sample.began_before_attach = true;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){0}, blocked);
    struct snap *s = assembled(w);
    assert_true(s->stalls[0].began_before_attach);
    assert_int_equal(s->stalls[0].captured_after_ns, SNAP_UNKNOWN);
    assert_int_equal(s->stalls[0].attached_after_ns, 101 * MS);
    snap_unref(s);
    world_free(w);
}

static void test_target_ends_within(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    world_answer(w, (struct stack_answer){0}, blocked);
    world_pass(w, 200 * MS);
    struct probe_thread_event e = {.what = PROBE_PROCESS_EXIT, .pid = w->pid, .tid = w->pid};
    thread_event(&w->m, &e);
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 1);
    assert_true(s->stalls[0].gone);
    assert_true(s->stalls[0].lower_bound);
    assert_int_equal(s->stalls[0].duration_ns, 305 * MS);
    snap_unref(s);
    world_free(w);
}

static void test_a_targets_loop_outlives_it_in_the_last_picture(void **state)
{
    (void)state;
    struct world *w = trusted();
    w->proc->root = true;
    world_pass(w, 4000 * MS);
    struct probe_thread_event e = {.what = PROBE_THREAD_EXIT, .pid = w->pid, .tid = w->pid};
    thread_event(&w->m, &e);
    e.what = PROBE_PROCESS_EXIT;
    thread_event(&w->m, &e);
    struct snap *s = assembled(w);
    assert_int_equal(s->nloops, 1);
    assert_int_equal(s->loops[0].state, LOOP_EXITED);
    assert_true(s->loops[0].judged);
    assert_true(s->loops[0].judged_ns >= 4000 * MS);
    snap_unref(s);
    world_free(w);
}

static void test_calls_of_a_stall_are_not_told_twice(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    world_answer(w, (struct stack_answer){0}, blocked);
    struct probe_calls c = {.pid = w->pid,
                            .tid = w->pid,
                            .syscall = SYS_fsync,
                            .begin_ns = w->m.now_ns - 50 * MS,
                            .end_ns = w->m.now_ns,
                            .calls = 7,
                            .total_ns = 40 * MS,
                            .max_ns = 9 * MS};
    calls_seen(&w->m, w->thread, &c);
    assert_null(w->thread->calls);
    world_turn(w, 5, 400, (struct probe_split){.sleep_syscall = 400 * MS});
    calls_seen(&w->m, w->thread, &c); // its last second came late
    assert_null(w->thread->calls);
    world_pass(w, 1000 * MS);
    c.begin_ns = w->m.now_ns - 50 * MS;
    c.end_ns = w->m.now_ns;
    calls_seen(&w->m, w->thread, &c);
    assert_non_null(w->thread->calls);
    world_free(w);
}

static void test_lost_end_does_not_merge_turns(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    world_answer(w, (struct stack_answer){0}, blocked);
    world_pass(w, 1000 * MS);
    look(w, 6, 105);
    world_answer(w, (struct stack_answer){0}, blocked);
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 2);
    assert_false(s->stalls[0].open);
    assert_true(s->stalls[0].lower_bound);
    assert_true(s->stalls[1].open);
    snap_unref(s);
    world_free(w);
}

static void test_looks_are_thinned(void **state)
{
    (void)state;
    struct world *w = trusted();
    look(w, 5, 105);
    for (int i = 0; i < 30; i++)
        look(w, 5, 106 + i);
    assert_true(w->stacker.asked <= 11);
    while (w->stacker.nstacks)
        world_answer(w, (struct stack_answer){0}, blocked);
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].nsamples, STALL_SAMPLES_MAX);
    assert_true(s->stalls[0].suppressed >= 20);
    snap_unref(s);
    world_free(w);
}

static void test_stacker_knows_the_lock(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 105, SYS_futex);
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.lock = "GIL"}, blocked);
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].cause.kind, CAUSE_LOCK);
    assert_string_equal(s->stalls[0].cause.lock, "GIL");
    snap_unref(s);
    world_free(w);
}

static void test_stack_says_what_a_futex_is_part_of(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 105, SYS_futex);
    sample.args[0] = 0x1000;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.lock = "a semaphore"}, blocked);
    struct snap *s = assembled(w);
    assert_string_equal(s->stalls[0].cause.lock, "a semaphore (futex 0x1000)");
    snap_unref(s);
    world_free(w);
}

// A collector with helper threads: part of its time is a futex that waits for them.
static void test_the_collectors_waits_are_its_own(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 105, SYS_futex);
    sample.split.sleep_futex = 104 * MS;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.gc = true}, blocked);
    world_turn(w, 5, 400, (struct probe_split){.sleep_futex = 250 * MS, .cpu_user = 149 * MS});
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].cause.kind, CAUSE_GC);
    assert_int_equal(s->stalls[0].split.gc, 250 * MS);
    assert_int_equal(s->stalls[0].split.lock, 0);
    snap_unref(s);
    world_free(w);
}

static void test_garbage_collection_is_a_cause(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 105, -1);
    sample.on_cpu = true;
    sample.state = 'R';
    sample.split.cpu_user = 104 * MS;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.gc = true}, blocked);
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].cause.kind, CAUSE_GC);
    assert_int_equal(s->stalls[0].split.gc, 104 * MS);
    assert_int_equal(s->stalls[0].split.cpu_user, 0);
    snap_unref(s);
    world_free(w);
}

// On a busy machine most looks meet the thread while others have its CPU.
static void test_collector_without_a_cpu(void **state)
{
    (void)state;
    struct world *w = trusted();
    struct probe_sample sample = world_asleep(w, 5, 105, -1);
    sample.state = 'R';
    sample.split.cpu_user = 40 * MS;
    sample.split.runqueue = 64 * MS;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.gc = true}, blocked);
    struct snap *s = assembled(w);
    assert_int_equal(s->stalls[0].cause.kind, CAUSE_RUNQUEUE);
    assert_int_equal(s->stalls[0].split.gc, 40 * MS);
    assert_int_equal(s->stalls[0].split.cpu_user, 0);
    snap_unref(s);
    world_free(w);
}

static void test_guess_that_was_the_loops_own_wait(void **state)
{
    (void)state;
    static const char *const in_loop[] = {"-epoll_wait", "-uv__io_poll", "-uv_run", "main", NULL};
    struct world *w = world_new();
    w->probe.peek.syscall = SYS_read;
    world_identify(w, &(struct identity){.runtime = RUNTIME_LIBEV, .uv_backend_fd = -1});
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 2}, blocked);
    assert_int_equal(w->thread->trust, TRUST_GUESSED);
    struct probe_sample sample = world_asleep(w, 5, 105, SYS_epoll_wait);
    sample.args[0] = 33;
    stall_sample(&w->m, w->thread, &sample);
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 2}, in_loop);
    assert_int_equal(w->thread->trust, TRUST_PROVED);
    assert_int_equal(w->probe.fd, 33);
    struct snap *s = assembled(w);
    assert_int_equal(s->nstalls, 0);
    snap_unref(s);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown_from_the_first_answer),
        cmocka_unit_test(test_no_turn_has_no_percentile),
        cmocka_unit_test(test_ended_is_shown_once),
        cmocka_unit_test(test_split_decides_in_the_end),
        cmocka_unit_test(test_turn_that_nobody_looked_at),
        cmocka_unit_test(test_stale_live_reads_are_dropped),
        cmocka_unit_test(test_from_before_the_attach),
        cmocka_unit_test(test_target_ends_within),
        cmocka_unit_test(test_a_targets_loop_outlives_it_in_the_last_picture),
        cmocka_unit_test(test_calls_of_a_stall_are_not_told_twice),
        cmocka_unit_test(test_lost_end_does_not_merge_turns),
        cmocka_unit_test(test_looks_are_thinned),
        cmocka_unit_test(test_stacker_knows_the_lock),
        cmocka_unit_test(test_stack_says_what_a_futex_is_part_of),
        cmocka_unit_test(test_the_collectors_waits_are_its_own),
        cmocka_unit_test(test_garbage_collection_is_a_cause),
        cmocka_unit_test(test_collector_without_a_cpu),
        cmocka_unit_test(test_guess_that_was_the_loops_own_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
