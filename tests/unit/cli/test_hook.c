// --exec: runs come one after the other with a finding on their stdin; when what starts them is killed, the agent
// goes on and does not spin.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../agent/hook.h"

#define PATIENCE_MS 20000
#define MOMENT_MS   200
#define FEW_TURNS   50

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

// Turns of the loop until `done`, or for so long.
static int turns(uv_loop_t *loop, uint64_t ms, bool (*done)(void *arg), void *arg)
{
    int n = 0;
    bool over = false;
    uv_timer_t timer;
    uv_timer_init(loop, &timer);
    timer.data = &over;
    uv_update_time(loop);
    uv_timer_start(&timer, on_time, ms, 0);
    while (!over && !(done && done(arg))) {
        uv_run(loop, UV_RUN_ONCE);
        n++;
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return n;
}

static void end(struct hook *h, uv_loop_t *loop)
{
    hook_close(h);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static bool has_two_lines(void *arg)
{
    struct stat st;
    return stat(arg, &st) == 0 && st.st_size == 10;
}

static void runs_come_one_after_the_other(void **state)
{
    (void)state;
    char path[] = "/tmp/loopscope-test-hook-XXXXXX", command[100], text[11] = "";
    uv_loop_t loop;
    struct hook *h;
    struct error err;
    int fd = mkstemp(path);
    snprintf(command, sizeof(command), "cat >>%s", path);
    uv_loop_init(&loop);
    assert_int_equal(hook_open(&h, &loop, command, &err), 0);
    hook_run(h, strdup("one.\n"), 5);
    hook_run(h, strdup("two.\n"), 5);
    turns(&loop, PATIENCE_MS, has_two_lines, path);
    assert_int_equal(read(fd, text, sizeof(text)), 10);
    assert_string_equal(text, "one.\ntwo.\n");
    close(fd);
    unlink(path);
    end(h, &loop);
}

static int child_of(int pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%d", &child) != 1)
        child = 0;
    if (f)
        fclose(f);
    return child;
}

static void a_killed_spawner_is_no_busy_loop(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct hook *h;
    struct error err;
    uv_loop_init(&loop);
    assert_int_equal(hook_open(&h, &loop, "exec sleep 100", &err), 0);
    hook_run(h, strdup("{}"), 2);
    int spawner = child_of(getpid()), command = spawner ? child_of(spawner) : 0;
    assert_true(command > 0);
    kill(spawner, SIGKILL);
    int n = turns(&loop, MOMENT_MS, NULL, NULL);
    kill(command, SIGKILL);
    assert_in_range(n, 1, FEW_TURNS);
    end(h, &loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_come_one_after_the_other),
        cmocka_unit_test(a_killed_spawner_is_no_busy_loop),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
