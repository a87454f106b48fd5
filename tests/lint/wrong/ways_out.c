#include <loopscope/loopscope.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t upload(void *arg)
{
    return ls_sleep(LS_SEC(arg ? 2 : 1));
}

static ls_task start(void *arg)
{
    return ls_spawn(upload, arg);
}

static int64_t request(void *arg)
{
    ls_task task = start(arg); // expect: task-never-awaited
    if (ls_sleep(LS_MSEC(100)) < 0)
        return -1;
    return ls_await(task);
}

static int64_t cast(void *arg)
{
    ls_task task = ls_spawn(upload, arg); // expect: task-never-awaited
    (void)task;
    return ls_sleep(LS_SEC(1));
}

static int64_t compute(void *arg)
{
    int64_t until = ls_now() + LS_MSEC(200), sum = arg != NULL;
    while (ls_now() < until) // expect: loop-cpu
        sum += sum * 31;
    return sum;
}

static int send_line(int fd)
{
    int copy = dup(fd), s = socket(AF_INET, SOCK_STREAM, 0); // expect: fd-orphan
    if (s < 0)
        return copy;
    if (write(s, "hello\n", 6) < 0)
        return -1;
    close(s);
    return copy;
}

static int64_t run(void *arg)
{
    int64_t rc = ls_await(ls_spawn(request, arg));
    rc = rc < 0 ? rc : ls_await(ls_spawn(cast, arg));
    rc = rc < 0 ? rc : ls_await(ls_spawn(compute, arg));
    return rc < 0 ? rc : send_line(1);
}

int main(void)
{
    return (int)ls_run(run, NULL);
}
