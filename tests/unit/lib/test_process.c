// Child processes and signals.
#include "io_test.h"

#include <signal.h>
#include <sys/wait.h>

static int start(ls_process **p, const char *script, enum ls_stdio in, enum ls_stdio out)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct ls_process_options o = {.argv = argv, .in = in, .out = out};
    return ls_process_start(p, &o);
}

TEST(status_and_output_come_back)
{
    ls_process *p;
    char text[32] = "";
    int fds = count_fds();
    assert_int_equal(start(&p, "read x; echo \"got $x\"; exit 7", LS_STDIO_PIPE, LS_STDIO_PIPE), 0);
    assert_true(ls_process_pid(p) > 0);
    assert_null(ls_process_stream(p, 2));
    assert_int_equal(ls_write(ls_process_stream(p, 0), "me\n", 3, LS_SEC(5)), 0);
    assert_int_equal(ls_read_until(ls_process_stream(p, 1), text, 32, '\n', LS_SEC(5)), 7);
    assert_string_equal(text, "got me\n");
    assert_int_equal(ls_process_wait(p, LS_SEC(5)), 7);
    assert_int_equal(ls_process_wait(p, 0), 7);
    assert_int_equal(ls_process_kill(p, SIGTERM), -ESRCH);
    ls_process_free(p);
    assert_int_equal(count_fds(), fds);
}

TEST(a_signal_is_128_and_more)
{
    ls_process *p;
    assert_int_equal(start(&p, "exec sleep 100", LS_STDIO_NULL, LS_STDIO_NULL), 0);
    assert_int_equal(ls_process_wait(p, LS_MSEC(10)), -ETIMEDOUT);
    assert_int_equal(ls_process_kill(p, SIGKILL), 0);
    assert_int_equal(ls_process_wait(p, LS_SEC(5)), 128 + SIGKILL);
}

TEST(closing_its_input_ends_a_filter)
{
    ls_process *p;
    char text[16];
    assert_int_equal(start(&p, "cat", LS_STDIO_PIPE, LS_STDIO_PIPE), 0);
    assert_int_equal(ls_write(ls_process_stream(p, 0), "abc", 3, LS_SEC(5)), 0);
    ls_close(ls_process_stream(p, 0)); // the object does not close it again
    assert_null(ls_process_stream(p, 0));
    assert_int_equal(ls_read_exact(ls_process_stream(p, 1), text, 3, LS_SEC(5)), 0);
    assert_int_equal(ls_read(ls_process_stream(p, 1), text, 1, LS_SEC(5)), 0);
    assert_int_equal(ls_process_wait(p, LS_SEC(5)), 0);
}

static int64_t leaves_child(void *arg)
{
    ls_process *p;
    char said[8];
    int r = start(&p, arg, LS_STDIO_PIPE, LS_STDIO_PIPE);
    if (r == 0) // when it has set its traps
        r = (int)ls_read_until(ls_process_stream(p, 1), said, sizeof(said), '\n', LS_SEC(60));
    return r < 0 ? r : ls_process_pid(p);
}

TEST(a_child_ends_with_its_task_and_is_reaped)
{
    int64_t pid = ls_await(ls_spawn(leaves_child, "echo; exec sleep 100"));
    assert_true(pid > 0);
    assert_int_equal(kill((pid_t)pid, 0), -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

TEST(a_stubborn_child_is_killed)
{
    int64_t began = ls_now();
    int64_t pid =
        ls_await(ls_spawn(leaves_child, "trap '' TERM; echo; while :; do sleep 0.1; done"));
    assert_true(pid > 0);
    assert_true(ls_now() - began >= LS_SEC(2));
    assert_int_equal(kill((pid_t)pid, 0), -1);
}

TEST(what_cannot_be_started_leaves_nothing)
{
    const char *argv[] = {"/no/such/program", NULL};
    struct ls_process_options o = {.argv = argv, .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE};
    ls_process *p;
    int fds = count_fds();
    assert_int_equal(ls_process_start(&p, &o), -ENOENT);
    assert_null(p);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(ls_process_start(&p, NULL), -EINVAL);
    argv[0] = "/etc/passwd";
    assert_int_equal(ls_process_start(&p, &o), -EACCES);
    argv[0] = "/etc";
    assert_int_equal(ls_process_start(&p, &o), -EACCES);
    argv[0] = "no-such-program-anywhere";
    assert_int_equal(ls_process_start(&p, &o), -ENOENT);
    assert_int_equal(count_fds(), fds);
}

TEST(a_child_has_the_environment_and_folder_it_is_given)
{
    const char *argv[] = {"sh", "-c", "echo $PWD $GREETING $(trap)", NULL};
    const char *env[] = {"PATH=/nowhere:/bin:/usr/bin", "GREETING=hello", NULL};
    struct ls_process_options o = {.argv = argv, .env = env, .cwd = "/usr", .out = LS_STDIO_PIPE};
    ls_process *p;
    char line[64] = "";
    assert_int_equal(ls_process_start(&p, &o), 0);
    assert_true(ls_read_until(ls_process_stream(p, 1), line, sizeof(line), '\n', LS_SEC(30)) > 0);
    assert_string_equal(line, "/usr hello\n");
    assert_int_equal(ls_process_wait(p, LS_SEC(30)), 0);
    env[0] = "PATH=/nowhere";
    assert_int_equal(ls_process_start(&p, &o), -ENOENT);
}

// A pipe for it may get the number of a standard descriptor.
TEST(a_child_is_started_by_a_program_without_standard_input)
{
    ls_process *p;
    char text[8] = "";
    int kept = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    int r = start(&p, "cat", LS_STDIO_PIPE, LS_STDIO_PIPE);
    dup2(kept, STDIN_FILENO);
    close(kept);
    assert_int_equal(r, 0);
    assert_int_equal(ls_write(ls_process_stream(p, 0), "abc", 3, LS_SEC(30)), 0);
    ls_close(ls_process_stream(p, 0));
    assert_int_equal(ls_read_exact(ls_process_stream(p, 1), text, 3, LS_SEC(30)), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(ls_process_wait(p, LS_SEC(30)), 0);
}

// ---- signals ----

TEST(signals_are_counted_between_waits)
{
    ls_signal *s;
    assert_int_equal(ls_signal_open(&s, (int[]){SIGUSR1, SIGUSR2}, 2), 0);
    raise(SIGUSR2);
    assert_int_equal(ls_signal_wait(s, LS_SEC(5)), SIGUSR2);
    raise(SIGUSR1); // on this thread, so that it is there at the next poll
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    raise(SIGUSR1);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(ls_signal_wait(s, 0), SIGUSR1);
    assert_int_equal(ls_signal_wait(s, 0), SIGUSR1);
    assert_int_equal(ls_signal_wait(s, 0), -ETIMEDOUT);
    ls_signal_close(s);
    assert_int_equal(ls_signal_open(&s, (int[]){SIGKILL}, 1), -EINVAL);
    assert_null(s);
}

static int64_t wait_signal(void *arg)
{
    return ls_signal_wait(arg, LS_FOREVER);
}

TEST(closing_wakes_who_waits_for_a_signal)
{
    ls_signal *s;
    assert_int_equal(ls_signal_open(&s, (int[]){SIGUSR1}, 1), 0);
    ls_task t = ls_spawn(wait_signal, s);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    ls_signal_close(s);
    assert_int_equal(ls_await(t), -EBADF);
}

static int64_t wait_process(void *arg)
{
    return ls_process_wait(arg, LS_FOREVER);
}

TEST(freeing_wakes_who_waits_for_a_process)
{
    ls_process *p;
    assert_int_equal(start(&p, "exec sleep 100", LS_STDIO_NULL, LS_STDIO_NULL), 0);
    ls_task t = ls_spawn(wait_process, p);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    ls_process_free(p);
    int64_t r = ls_await(t);
    assert_true(r == 128 + SIGTERM || r == -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_and_output_come_back),
        cmocka_unit_test(a_signal_is_128_and_more),
        cmocka_unit_test(closing_its_input_ends_a_filter),
        cmocka_unit_test(a_child_ends_with_its_task_and_is_reaped),
        cmocka_unit_test(a_stubborn_child_is_killed),
        cmocka_unit_test(what_cannot_be_started_leaves_nothing),
        cmocka_unit_test(a_child_has_the_environment_and_folder_it_is_given),
        cmocka_unit_test(a_child_is_started_by_a_program_without_standard_input),
        cmocka_unit_test(signals_are_counted_between_waits),
        cmocka_unit_test(closing_wakes_who_waits_for_a_signal),
        cmocka_unit_test(freeing_wakes_who_waits_for_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
