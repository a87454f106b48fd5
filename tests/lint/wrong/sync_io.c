#include <loopscope/loopscope.h>
#include <stdio.h>
#include <unistd.h>

static long load(const char *path)
{
    char line[80];
    FILE *f = fopen(path, "r");                 // expect: loop-sync-io
    long n = f && fgets(line, sizeof(line), f); // expect: loop-sync-io
    if (f)
        fclose(f);
    return n;
}

static int64_t poll_task(void *arg)
{
    for (int i = 0; i < 10; i++) {
        usleep(50000); // expect: loop-sync-io
        ls_yield();
    }
    return load(arg);
}

static int64_t run(void *arg)
{
    return ls_await(ls_spawn(poll_task, arg));
}

int main(void)
{
    return (int)ls_run(run, "/etc/hostname");
}
