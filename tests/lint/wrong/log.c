#include <loopscope/loopscope.h>
#include <stdio.h>

static int64_t pack(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        fprintf(stderr, "INFO order %d packed\n", i); // expect: loop-sync-log
        int rc = ls_sleep(LS_MSEC(10));
        if (rc < 0)
            return rc;
    }
    return arg != NULL;
}

int main(void)
{
    return (int)ls_run(pack, NULL);
}
