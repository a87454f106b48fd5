// The log goes through a pipe to a collector that is slow at times: writing it on the loop stops the program.
#include "gallery.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#define PIPE_SIZE 4096
#define RECORDS                                                                                    \
    64 // three pipes full: whenever the collector begins to read, one of them has to wait for it

static int collector_fd;

static void *collect(void *arg)
{
    char records[PIPE_SIZE];
    struct timespec pause = {0, 150000000};
    (void)arg;
    while (read(collector_fd, records, sizeof(records)) > 0)
        nanosleep(&pause, NULL);
    return NULL;
}

static int start_collector(void)
{
    int fds[2];
    pthread_t thread;
    if (pipe2(fds, O_CLOEXEC) < 0)
        check(-errno, "pipe");
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
    collector_fd = fds[0];
    check(-pthread_create(&thread, NULL, collect, NULL), "collector");
    pthread_detach(thread);
    return fds[1];
}

static int64_t wrong(void *arg)
{
    int log = start_collector();
    (void)arg;
    dup2(log, STDERR_FILENO); // as a service runs under its supervisor
    while (ls_check() == 0) {
        for (int i = 0; i < RECORDS; i++)
            fprintf(stderr, "INFO order %d packed, %-160s\n", i, "items and addresses");
        check(ls_sleep(LS_MSEC(800)), "sleep");
    }
    return ls_check();
}

static int64_t cured(void *arg)
{
    ls_logger *log;
    (void)arg;
    check(ls_logger_new(&log, &(struct ls_logger_options){.fd = start_collector()}), "logger");
    while (ls_check() == 0) {
        for (int i = 0; i < RECORDS; i++)
            ls_log(log, LS_LOG_INFO, "order packed", ls_int("order", i),
                   ls_str("with", "items and addresses"));
        check(ls_sleep(LS_MSEC(800)), "sleep");
    }
    return ls_check();
}

const struct exhibit loop_sync_log = {
    "loop-sync-log", "log lines are written on the loop, to a pipe whose reader is slow", wrong,
    cured, false};
