// Which wait of a thread is believed, by which proof, and when no longer.
#include "fakes.h"

#include <stdlib.h>
#include <sys/syscall.h>

#include "agent/target/threads.h"
#include "agent/target/trust.h"

static const struct identity generic = {.runtime = RUNTIME_EPOLL, .uv_backend_fd = -1};
static const struct identity libuv = {
    .runtime = RUNTIME_LIBUV, .has_uv = true, .uv_backend_fd = FAKE_EPOLL, .uv_loop_count = 0x5000};
static const char *const in_loop[] = {"-epoll_wait", "-uv__io_poll", "-uv_run", "main", NULL};
static const char *const resolving[] = {"-poll", "-getaddrinfo", "load", "-uv_run", "main", NULL};
static const char *const bare[] = {"-epoll_wait", "serve", "main", NULL};

static void seen(struct world *w, struct probe_wait wait)
{
    trust_waits_seen(&w->m, w->thread, &wait, 1);
}

static void expect_trust(const struct world *w, enum trust how, enum wait_kind kind, int fd)
{
    assert_int_equal(w->thread->trust, how);
    assert_int_equal(w->probe.kind, kind);
    assert_int_equal(w->probe.fd, fd);
}

static void test_backend_fd_is_proof(void **state)
{
    (void)state;
    struct world *w = world_new();
    seen(w, world_wait(WAIT_EPOLL, FAKE_EPOLL, 1));
    assert_int_equal(w->thread->trust, TRUST_NO); // not identified yet
    world_identify(w, &libuv);
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, FAKE_EPOLL);
    assert_int_equal(w->probe.loop_counter, 0x5000);
    assert_int_equal(w->m.events->kind, EVENT_ATTACHED);
    world_free(w);
}

static void test_one_loop_run_frame_is_proof(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_identify(w, &generic); // looks at the main thread once
    assert_int_equal(w->stacker.nstacks, 1);
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 2}, in_loop);
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_callbacks_poll_is_no_proof(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->probe.peek.syscall = SYS_poll;
    world_identify(w, &libuv);
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 3}, resolving);
    // It began before we came: a block, to be ended by the loop's own epoll.
    expect_trust(w, TRUST_GUESSED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_nested_loop_at_attach_is_a_block(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->probe.peek.args[0] = 12; // execSync polls an epoll of its own
    world_identify(w, &libuv);
    world_answer(w, (struct stack_answer){.loop_run_frames = 2, .loop_run_index = 2}, in_loop);
    expect_trust(w, TRUST_GUESSED, WAIT_EPOLL, FAKE_EPOLL);
    w->probe.stats.in_wait = true; // it came back
    trust_tick(&w->m, w->thread);
    assert_int_equal(w->thread->trust, TRUST_PROVED);
    world_free(w);
}

static void test_wait_under_a_language_call_is_a_block(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->probe.peek.args[0] = 12;
    world_identify(w, &libuv);
    world_answer(
        w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 2, .in_language = true},
        in_loop);
    expect_trust(w, TRUST_GUESSED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_coming_back_is_proof(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_identify(w, &generic);
    world_answer(w, (struct stack_answer){.why_not = "torn", .loop_run_index = -1}, NULL);
    seen(w, world_wait(WAIT_EPOLL, FAKE_EPOLL, 1));
    assert_int_equal(w->thread->trust, TRUST_NO);
    seen(w, world_wait(WAIT_EPOLL, FAKE_EPOLL, 2));
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_synchronous_program_is_no_loop(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->probe.peek.syscall = SYS_poll;
    world_identify(w, &generic);
    world_answer(w, (struct stack_answer){.in_language = true, .loop_run_index = -1}, bare);
    for (uint64_t n = 1; n < 100; n++)
        seen(w, world_wait(WAIT_POLL, -1, n));
    assert_int_equal(w->thread->trust, TRUST_NO);
    world_free(w);
}

static void test_workers_poll_is_believed_late(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_identify(w, &generic);
    world_answer(w, (struct stack_answer){.why_not = "torn", .loop_run_index = -1}, NULL);
    struct thread *worker = model_add_thread(&w->m, w->proc, w->pid + 100000);
    worker->asks = 1;
    worker->ask_after_ns = INT64_MAX;
    struct probe_wait wait = world_wait(WAIT_POLL, -1, 3);
    trust_waits_seen(&w->m, worker, &wait, 1);
    assert_int_equal(worker->trust, TRUST_NO);
    wait.sleeps = 20;
    trust_waits_seen(&w->m, worker, &wait, 1);
    assert_int_equal(worker->trust, TRUST_PROVED);
    world_free(w);
}

static void test_idle_epoll_of_unknown_make(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_identify(w, &generic);
    world_answer(w, (struct stack_answer){.loop_run_index = -1}, bare);
    trust_tick(&w->m, w->thread);
    assert_int_equal(w->thread->trust, TRUST_NO);
    world_pass(w, 1100 * MS); // and the child sleeps there still
    trust_tick(&w->m, w->thread);
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_moved_loop_is_learnt_anew(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_trust(w);
    w->probe.peek.args[0] = 9;
    world_pass(w, 1000 * MS);
    seen(w, world_wait(WAIT_EPOLL, 9, 1));
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 2}, in_loop);
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, 9);
    world_free(w);
}

static void test_nested_loop_stays_a_block(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_trust(w);
    w->probe.peek.args[0] = 12;
    world_pass(w, 1000 * MS);
    seen(w, world_wait(WAIT_EPOLL, 12, 30));
    world_answer(w, (struct stack_answer){.loop_run_frames = 2, .loop_run_index = 2}, in_loop);
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, FAKE_EPOLL);
    world_free(w);
}

static void test_long_absence_without_a_stack(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_trust(w);
    w->probe.peek_fails = true;
    for (uint64_t n = 1; n <= 40; n++) {
        world_pass(w, 100 * MS);
        seen(w, world_wait(WAIT_EPOLL, 9, n * 10));
        if (n < 30)
            assert_int_equal(w->probe.fd, FAKE_EPOLL);
    }
    expect_trust(w, TRUST_PROVED, WAIT_EPOLL, 9);
    world_free(w);
}

static void test_go_is_not_judged(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_identify(w, &(struct identity){.runtime = RUNTIME_GO, .uv_backend_fd = -1});
    seen(w, world_wait(WAIT_EPOLL, FAKE_EPOLL, 50));
    assert_int_equal(w->thread->trust, TRUST_NO);
    assert_string_not_equal(w->proc->why_not, "");
    world_free(w);
}

static void test_runtimes_own_loop_is_none(void **state)
{
    (void)state;
    static const char *const v8[] = {"-epoll_wait", "-uv_run",
                                     "-node::WorkerThreadsTaskRunner::DelayedTaskScheduler::Run()",
                                     NULL};
    struct world *w = world_new();
    world_identify(w, &libuv);
    world_answer(w, (struct stack_answer){.loop_run_frames = 1, .loop_run_index = 1}, v8);
    seen(w, world_wait(WAIT_EPOLL, 55, 50));
    assert_true(w->thread->helper);
    assert_int_equal(w->thread->trust, TRUST_NO);
    world_free(w);
}

static void test_exec_is_learnt_anew(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_trust(w);
    struct probe_thread_event e = {.what = PROBE_PROCESS_EXEC, .pid = w->pid, .tid = w->pid};
    thread_event(&w->m, &e);
    w->thread = model_thread(&w->m, w->pid);
    assert_non_null(w->thread);
    assert_int_equal(w->thread->trust, TRUST_NO);
    assert_false(w->proc->identified);
    world_identify(w, &libuv); // another program, which is asked for again
    assert_true(w->proc->identified);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend_fd_is_proof),
        cmocka_unit_test(test_one_loop_run_frame_is_proof),
        cmocka_unit_test(test_callbacks_poll_is_no_proof),
        cmocka_unit_test(test_nested_loop_at_attach_is_a_block),
        cmocka_unit_test(test_wait_under_a_language_call_is_a_block),
        cmocka_unit_test(test_coming_back_is_proof),
        cmocka_unit_test(test_synchronous_program_is_no_loop),
        cmocka_unit_test(test_workers_poll_is_believed_late),
        cmocka_unit_test(test_idle_epoll_of_unknown_make),
        cmocka_unit_test(test_moved_loop_is_learnt_anew),
        cmocka_unit_test(test_nested_loop_stays_a_block),
        cmocka_unit_test(test_long_absence_without_a_stack),
        cmocka_unit_test(test_go_is_not_judged),
        cmocka_unit_test(test_runtimes_own_loop_is_none),
        cmocka_unit_test(test_exec_is_learnt_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
