// Which finding of the run time names lint's rule, and by what command.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../../agent/rules/lint_link.h"

static struct stack *stack;

// A stack of read() in load() of that file; deeper, it was called by a task of the runtime.
static struct finding found(const char *rule, const char *file, int depth)
{
    struct frame frames[] = {{.function = "read"},
                             {.function = "load", .file = (char *)file, .line = 7},
                             {.function = "ls_await_at", .file = "lib/task.c"}};
    stack_unref(stack);
    stack = stack_new(frames, depth, 1, false, false);
    assert_non_null(stack);
    return (struct finding){.rule = rule, .stack = stack};
}

static void expect_link(const struct finding *f, const char *rule, const char *command)
{
    struct lint_link link;
    assert_true(lint_link_of(f, &link));
    assert_string_equal(link.rule, rule);
    assert_string_equal(link.command, command);
}

static void a_stall_is_linked_by_its_culprit(void **state)
{
    (void)state;
    struct finding f = found("loop-sync-io", "/srv/shop.py", 2);
    f.task = (struct task_ref){"T1", "main", "/srv/other.py:3", NULL};
    expect_link(&f, "loop-sync-io", "loopscope lint /srv/shop.py");
    f = found("loop-cpu", "file:///srv/shop.mjs", 2);
    expect_link(&f, "loop-cpu", "loopscope lint /srv/shop.mjs");
}

static void a_mixed_stall_is_linked_by_its_cause(void **state)
{
    (void)state;
    struct finding f = found("loop-hung", "/srv/shop.py", 2);
    f.cause.kind = CAUSE_SYSCALL;
    expect_link(&f, "loop-sync-io", "loopscope lint /srv/shop.py");
    f.cause.is_log = true;
    expect_link(&f, "loop-sync-log", "loopscope lint /srv/shop.py");
    f.cause.kind = CAUSE_RUNQUEUE;
    assert_false(lint_link_of(&f, &(struct lint_link){0}));
}

static void a_task_is_linked_by_where_it_was_spawned(void **state)
{
    (void)state;
    struct finding f = found("task-orphan", "/usr/lib/python3/asyncio.py", 2);
    f.task = (struct task_ref){"T1", "main", "app/shop.py:12", NULL};
    expect_link(&f, "task-error-unread", "loopscope lint app/shop.py");
    f.task.spawn_site = "shop.c:12";
    expect_link(&f, "task-never-awaited", "loopscope lint shop.c");
}

static void c_is_linked_only_on_the_runtime(void **state)
{
    (void)state;
    struct finding f = found("loop-sync-io", "server.c", 2);
    assert_false(lint_link_of(&f, &(struct lint_link){0}));
    f = found("loop-sync-io", "server.c", 3);
    expect_link(&f, "loop-sync-io", "loopscope lint server.c");
}

static void what_lint_cannot_see_is_not_linked(void **state)
{
    (void)state;
    const char *const rules[] = {"loop-spin", "fd-limit", "task-deadlock", "self-degraded"};
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        struct finding f = found(rules[i], "/srv/shop.py", 2);
        assert_false(lint_link_of(&f, &(struct lint_link){0}));
    }
    char *const files[] = {"<stdin>", "", "app.rb", ".py", NULL};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct finding f = found("loop-cpu", files[i], 2);
        assert_false(lint_link_of(&f, &(struct lint_link){0}));
    }
    assert_false(lint_link_of(&(struct finding){.rule = "loop-cpu"}, &(struct lint_link){0}));
}

static void a_name_is_one_word_of_the_shell(void **state)
{
    (void)state;
    struct finding f = found("loop-cpu", "/srv/it's $(a) shop.py", 2);
    expect_link(&f, "loop-cpu", "loopscope lint '/srv/it'\\''s $(a) shop.py'");
    f = found("loop-cpu", "-c.py", 2);
    expect_link(&f, "loop-cpu", "loopscope lint './-c.py'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stall_is_linked_by_its_culprit),
        cmocka_unit_test(a_mixed_stall_is_linked_by_its_cause),
        cmocka_unit_test(a_task_is_linked_by_where_it_was_spawned),
        cmocka_unit_test(c_is_linked_only_on_the_runtime),
        cmocka_unit_test(what_lint_cannot_see_is_not_linked),
        cmocka_unit_test(a_name_is_one_word_of_the_shell),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stack_unref(stack);
    return failed;
}
