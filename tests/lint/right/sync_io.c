#include <loopscope/loopscope.h>
#include <unistd.h>

static int64_t pause_a_while(void *arg)
{
    (void)arg;
    usleep(50000);
    return 0;
}

static int64_t poll_task(void *arg)
{
    char *text;
    for (int i = 0; i < 10; i++)
        ls_sleep(LS_MSEC(50));
    int64_t rc = ls_offload(pause_a_while, NULL, LS_FOREVER);
    return rc < 0 ? rc : ls_file_slurp(arg, &text, 4096, LS_SEC(1));
}

static int64_t run(void *arg)
{
    return ls_await(ls_spawn(poll_task, arg));
}

int main(void)
{
    sleep(0);
    return (int)ls_run(run, "/etc/hostname");
}
