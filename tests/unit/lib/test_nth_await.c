// A composite task is cancelled, or times out, at each of its await points in turn.
#include "composite.h"

static int64_t target;
static long until; // await points of the target before the cancel
static bool cancelled;

static void on_suspend(const struct ls_hook_info *info, void *ctx)
{
    (void)ctx;
    if (info->task.id == target && until-- == 0) {
        cancelled = true;
        ls_cancel(info->task);
    }
}

TEST(cancel_at_every_await_point)
{
    struct composite c;
    long n = 0;
    int64_t r;
    ls_hook_add(ls_loop_current(), LS_HOOK_SUSPENDED, on_suspend, NULL);
    do {
        int fds = count_fds();
        composite_open(&c);
        cancelled = false;
        until = n;
        ls_task t = ls_spawn(composite_main, &c);
        target = t.id;
        r = ls_await(t);
        assert_true(r == 0 || r == -ECANCELED || r == -ECHILD);
        assert_true(r != 0 || until >= 0 || cancelled);
        composite_close(&c);
        assert_int_equal(count_fds(), fds);
        n++;
    } while (cancelled);
    if (n <= 7) // it has more await points than that
        fail_msg("only %ld await points", n);
    ls_hook_remove(ls_loop_current(), on_suspend, NULL);
}

static int64_t with_deadline(void *arg)
{
    return ls_await_for(ls_spawn(composite_main, arg), LS_USEC(1));
}

TEST(time_out_at_any_time)
{
    struct composite c;
    for (int i = 0; i < 50; i++) {
        composite_open(&c);
        int64_t r = ls_await(ls_spawn(with_deadline, &c));
        assert_true(r == -ETIMEDOUT || r == 0);
        composite_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_at_every_await_point),
        cmocka_unit_test(time_out_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
