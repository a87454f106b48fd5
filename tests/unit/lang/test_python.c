// Python stacks of live stalls: function and line as the program itself says them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "interpreters.h"
#include "live.h"

static const char *mode;

static void check_culprit(struct live *l)
{
    const struct frame *f = live_culprit(l);
    bool right = f && f->function && strstr(f->function, l->function) && f->line >= l->first_line &&
                 f->line <= l->last_line;
    if (!right)
        live_print(l);
    assert_true(right);
    assert_int_equal(f->kind, FRAME_PYTHON);
    assert_non_null(strstr(f->file, "stalls.py"));
}

static void check_task(struct live *l)
{
    assert_non_null(l->result.task.id);
    assert_string_equal(l->result.task.name, "worker");
    assert_non_null(strstr(l->result.task.spawn_site, "outer"));
    assert_true(l->result.nframes >= 3);
    assert_string_equal(l->result.frames[1].frame.function, "middle");
    assert_string_equal(l->result.frames[2].frame.function, "outer");
}

// The frames of sorted() stay between those of the key function and of its caller.
static void check_places(struct live *l)
{
    for (int i = 1; i < l->result.nframes; i++)
        assert_true(l->result.frames[i].at >= l->result.frames[i - 1].at);
    assert_true(l->result.frames[1].at - l->result.frames[0].at > 1);
}

static void check_interpreter_lock(const struct live *l)
{
    if (!l->result.holder)
        live_print(l);
    assert_non_null(l->result.lock);
    assert_string_equal(l->result.lock, "GIL");
    assert_non_null(l->result.holder);
    if (strncmp(l->result.holder, "thread hog in hold_interpreter (stalls.py:", 42) != 0)
        fail_msg("held by %s", l->result.holder);
}

static void run(const char *program)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, STALLS_PY, mode, NULL};
    assert_true(live_start(l, argv));
    if (!live_attach(l, "CPython"))
        fail_msg("%s: %s", program, l->note);
    assert_true(live_stall(l));
    check_culprit(l);
    assert_true(l->result.in_language);
    if (!strcmp(mode, "gil"))
        check_interpreter_lock(l);
    if (!strcmp(mode, "task"))
        check_task(l);
    if (!strcmp(mode, "method"))
        check_places(l);
    live_stop(l);
    free(l);
}

static void test_mode(void **state)
{
    mode = *state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", run) > 0);
}

int main(void)
{
    struct capture *c = capture_open(getpid());
    if (!c) {
        puts("skipped: perf events are not permitted");
        return 77;
    }
    capture_close(c);
#define MODE(name)                                                                                 \
    {                                                                                              \
        "python " name, test_mode, NULL, NULL, (void *)name                                        \
    }
    const struct CMUnitTest tests[] = {
        MODE("sleep"),     MODE("socket"), MODE("json"),       MODE("hash"),
        MODE("file"),      MODE("spin"),   MODE("subprocess"), MODE("task"),
        MODE("generator"), MODE("method"), MODE("gil"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
