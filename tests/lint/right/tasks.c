#include <loopscope/loopscope.h>

#define ROUNDS 2000000000

static int64_t work(void *arg)
{
    int64_t sum = (intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        sum += sum * i;
        if (i % 10000 == 0)
            ls_yield();
    }
    return sum;
}

static int64_t kept(void *arg)
{
    ls_task task = ls_spawn(work, arg), other = ls_spawn(work, arg);
    int64_t rc = ls_await_for(task, LS_SEC(1));
    if (ls_wait(other, LS_SEC(1)) < 0)
        ls_cancel(other);
    int64_t more = ls_await(other);
    ls_spawn_detached("audit", work, arg);
    return rc < 0 ? rc : more;
}

static int64_t many(void *users)
{
    ls_group *group;
    int64_t rc = ls_group_open(&group, LS_FAIL_FAST, 10);
    if (rc < 0)
        return rc;
    for (char *user = users; *user; user++)
        if (ls_group_spawn(group, work, user, NULL).id < 0)
            break;
    return ls_group_wait(group);
}

static int64_t run(void *arg)
{
    int64_t rc = ls_await(ls_spawn(kept, arg));
    return rc < 0 ? rc : ls_await(ls_spawn(many, arg));
}

int main(void)
{
    return (int)ls_run(run, "abc");
}
