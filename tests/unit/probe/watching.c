#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watching.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

void sleep_ns(int64_t ns)
{
    nanosleep(&(struct timespec){.tv_sec = ns / (1000 * MS), .tv_nsec = ns % (1000 * MS)}, NULL);
}

struct probe *open_probe_for(const struct probe_config *config, const struct probe_callbacks *to,
                             void *arg)
{
    struct probe *p = NULL;
    struct error err;
    if (probe_open(&p, config, to, arg, &err)) {
        printf("skipped: %s\n", err.text);
        skip();
    }
    return p;
}

void add_to_probe(struct probe *p, int pid)
{
    struct error err;
    assert_int_equal(probe_add_process(p, pid, &err), 0);
}

void watch_once(struct probe *p, int wait_ms)
{
    struct pollfd fd = {.fd = probe_fd(p), .events = POLLIN};
    poll(&fd, 1, wait_ms);
    probe_dispatch(p);
}

void *shared_memory(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

int start_child(void (*run)(void *arg), void *arg)
{
    int pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run(arg);
    _exit(0);
}

void end_child(int pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
