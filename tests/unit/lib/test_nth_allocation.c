// Every allocation of the runtime fails in turn: the loop's own when it is made, and a composite task's.
#include "composite.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strndup(const char *s, size_t n);

static long until = -1; // allocations that still succeed; -1: all
static bool failed;

static bool fails(void)
{
    if (until < 0)
        return false;
    if (until-- > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

TEST(every_allocation_of_a_task_fails_in_turn)
{
    struct composite c;
    long n = 0;
    int64_t r;
    do {
        int fds = count_fds();
        composite_open(&c);
        failed = false;
        until = n++;
        ls_task t = ls_spawn(composite_main, &c);
        r = ls_await(t);
        until = -1;
        assert_true(r == 0 || r == -ENOMEM || r == -ECHILD);
        composite_close(&c);
        assert_int_equal(count_fds(), fds);
    } while (failed);
    assert_int_equal(r, 0);
    assert_true(n > 5);
}

static int64_t nothing(void *arg)
{
    return (intptr_t)arg;
}

static int64_t more_tasks(void *arg)
{
    ls_task t[200];
    int64_t sum = 0;
    for (int i = 0; i < 200; i++)
        t[i] = ls_spawn(nothing, (void *)1);
    for (int i = 0; i < 200; i++) {
        int64_t r = ls_await(t[i]);
        assert_true(r == 1 || r == -ENOMEM);
        sum += r == 1;
    }
    return sum + (intptr_t)arg;
}

static void every_allocation_of_a_loop_fails_in_turn(void **state)
{
    long n = 0;
    int64_t r;
    (void)state;
    do {
        failed = false;
        until = n++;
        r = ls_run(more_tasks, NULL);
        until = -1;
        assert_true(r == -ENOMEM || (r >= 0 && r <= 200));
    } while (failed);
    assert_int_equal(r, 200);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_task_fails_in_turn),
        cmocka_unit_test(every_allocation_of_a_loop_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
