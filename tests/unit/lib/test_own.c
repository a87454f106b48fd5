// Clean-up: defer, scopes, descriptors, memory.
#include "lib_test.h"

#include <fcntl.h>

static char order[16];
static void note(void *arg)
{
    size_t n = strlen(order);
    order[n] = (char)(intptr_t)arg;
    order[n + 1] = 0;
}

static int64_t defers(void *arg)
{
    for (intptr_t c = 'a'; c <= 'e'; c++)
        assert_int_equal(ls_defer(note, (void *)c), 0);
    assert_int_equal(ls_undefer(note, (void *)(intptr_t)'c'), 0);
    assert_int_equal(ls_undefer(note, (void *)(intptr_t)'z'), -ENOENT);
    return arg ? ls_sleep(LS_SEC(3600)) : 4;
}

TEST(runs_last_first_on_return_and_on_cancel)
{
    order[0] = 0;
    assert_int_equal(ls_await(ls_spawn(defers, NULL)), 4);
    assert_string_equal(order, "edba");
    order[0] = 0;
    ls_task t = ls_spawn(defers, (void *)1);
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_string_equal(order, "edba");
}

static int slept;
static void slow_clean_up(void *arg)
{
    (void)arg;
    slept = ls_sleep(LS_MSEC(3));
}

static int64_t cleans_slowly(void *arg)
{
    (void)arg;
    assert_int_equal(ls_defer(slow_clean_up, NULL), 0);
    return ls_sleep(LS_SEC(3600));
}

TEST(clean_up_may_await_after_a_cancel)
{
    slept = 1;
    ls_task t = ls_spawn(cleans_slowly, NULL);
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(slept, 0);
}

static void endless_clean_up(void *arg)
{
    (void)arg;
    slept = ls_sleep(LS_SEC(3600));
}

static int64_t main_with_short_bound(void *arg)
{
    (void)arg;
    assert_int_equal(ls_defer(endless_clean_up, NULL), 0);
    return 1;
}

static void clean_up_is_bounded(void **state)
{
    struct ls_options options = {.cleanup_ns = LS_MSEC(10)};
    (void)state;
    assert_int_equal(ls_run_with(&options, main_with_short_bound, NULL), 1);
    assert_int_equal(slept, -ETIMEDOUT);
}

TEST(scopes)
{
    order[0] = 0;
    assert_int_equal(ls_defer(note, (void *)(intptr_t)'x'), 0);
    struct ls_scope outer = ls_scope_begin();
    assert_int_equal(ls_defer(note, (void *)(intptr_t)'a'), 0);
    struct ls_scope inner = ls_scope_begin();
    assert_int_equal(ls_defer(note, (void *)(intptr_t)'b'), 0);
    ls_scope_end(inner);
    assert_string_equal(order, "b");
    ls_scope_end(outer);
    assert_string_equal(order, "ba");
    assert_int_equal(ls_undefer(note, (void *)(intptr_t)'x'), 0);
}

static int64_t opens(void *arg)
{
    for (int i = 0; i < 10; i++) {
        int fd = ls_own_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
        assert_true(fd >= 0);
        if (i == 3) {
            assert_int_equal(ls_disown_fd(fd), 0);
            close(fd);
            assert_int_equal(ls_disown_fd(fd), -ENOENT);
        }
    }
    char *memory = ls_alloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 1, 1000);
    void *other = ls_alloc(10);
    ls_free(other);
    ls_free(NULL);
    return arg ? ls_sleep(LS_SEC(3600)) : 0;
}

TEST(descriptors_and_memory_go_with_the_task)
{
    int before = count_fds();
    assert_int_equal(ls_await(ls_spawn(opens, NULL)), 0);
    assert_int_equal(count_fds(), before);
    assert_int_equal(ls_await_for(ls_spawn(opens, (void *)1), LS_MSEC(5)), -ETIMEDOUT);
    assert_int_equal(count_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_last_first_on_return_and_on_cancel),
        cmocka_unit_test(clean_up_may_await_after_a_cancel),
        cmocka_unit_test(clean_up_is_bounded),
        cmocka_unit_test(scopes),
        cmocka_unit_test(descriptors_and_memory_go_with_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
