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
    ls_task task = start(arg);
    if (task.id < 0)
        return task.id;
    int rc = ls_sleep(LS_MSEC(100));
    int64_t uploaded = ls_await(task);
    if (rc < 0)
        return rc;
    return uploaded;
}

static int64_t both(void *arg)
{
    ls_task first = ls_spawn(upload, arg), second = ls_spawn(upload, arg);
    int64_t a = ls_await(first), b = ls_await(second);
    return a < 0 ? a : b;
}

static int64_t compute(void *arg)
{
    int64_t until = ls_now() + LS_MSEC(200), sum = arg != NULL;
    while (ls_now() < until)
        sum += sum * 31;
    return sum;
}

static int64_t slices(void *arg)
{
    int64_t until = ls_now() + LS_MSEC(200), sum = arg != NULL;
    while (ls_now() < until) {
        sum += sum * 31;
        if (ls_yield() < 0)
            return -1;
    }
    return sum;
}

static int send_line(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), rc = 0;
    if (s < 0)
        return -1;
    if (write(s, "hello\n", 6) < 0)
        rc = -1;
    close(s);
    return rc;
}

static int64_t run(void *arg)
{
    int64_t rc = ls_await(ls_spawn(request, arg));
    rc = rc < 0 ? rc : ls_await(ls_spawn(both, arg));
    rc = rc < 0 ? rc : ls_offload(compute, arg, LS_FOREVER);
    rc = rc < 0 ? rc : ls_await(ls_spawn(slices, arg));
    return rc < 0 ? rc : send_line();
}

int main(void)
{
    return (int)ls_run(run, NULL);
}
