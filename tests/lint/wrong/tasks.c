#include <loopscope/loopscope.h>

#define ROUNDS 2000000000

static int64_t work(void *arg)
{
    int64_t sum = (intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) // expect: loop-cpu
        sum += sum * i;
    return sum;
}

static int64_t signals_much(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) // expect: loop-cpu
        ls_event_set(arg);
    return 0;
}

static int64_t dropped(void *arg)
{
    (void)ls_spawn(work, arg);          // expect: task-never-awaited
    ls_task kept = ls_spawn(work, arg); // expect: task-never-awaited
    ls_task other = ls_spawn(work, arg);
    (void)ls_await(other); // expect: task-error-unread
    return ls_sleep(LS_SEC(1));
}

static int64_t runs_on(void *arg)
{
    ls_task task = ls_spawn(work, arg);
    if (ls_wait(task, LS_SEC(1)) < 0) // expect: task-timeout-runs-on
        return -1;
    return 0;
}

static int64_t many(void *users)
{
    ls_group *group, *lost;
    int64_t rc = ls_group_open(&group, LS_FAIL_FAST, 0);
    for (char *user = users; rc == 0 && *user; user++)
        if (ls_group_spawn(group, work, user, NULL).id < 0) // expect: task-unbounded
            break;
    rc = ls_group_open(&lost, LS_FAIL_FAST, 10); // expect: task-never-awaited
    if (rc == 0)
        ls_group_spawn(lost, work, NULL, NULL);
    return ls_group_wait(group);
}

static int64_t run(void *arg)
{
    int64_t rc = ls_await(ls_spawn(dropped, arg));
    rc = rc < 0 ? rc : ls_await(ls_spawn(signals_much, arg));
    rc = rc < 0 ? rc : ls_await(ls_spawn(runs_on, arg));
    return rc < 0 ? rc : ls_await(ls_spawn(many, arg));
}

int main(void)
{
    return (int)ls_run(run, "abc");
}
