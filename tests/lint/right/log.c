#include <loopscope/loopscope.h>
#include <stdio.h>

static int64_t pack(void *arg)
{
    ls_logger *log = arg;
    for (int i = 0; i < 1000; i++) {
        ls_log(log, LS_LOG_INFO, "order packed", ls_int("order", i));
        int rc = ls_sleep(LS_MSEC(10));
        if (rc < 0)
            return rc;
    }
    fprintf(stderr, "all packed\n"); // once
    return 0;
}

int main(void)
{
    ls_logger *log;
    if (ls_logger_new(&log, &(struct ls_logger_options){.fd = 1}) < 0)
        return 1;
    for (int i = 0; i < 3; i++)
        fprintf(stderr, "starting in %d\n", 3 - i); // before the loop runs
    return (int)ls_run(pack, log);
}
