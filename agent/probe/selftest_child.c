#include "selftest_child.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The child runs between fork and its end on these few calls only.

static volatile uint64_t marker = 0x6c6f6f7073636f70;

static int64_t ms_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

__attribute__((noinline)) static void step(void)
{
    for (volatile int i = 0; i < 1000; i++)
        ;
}

// Of its own CPU time: on a busy machine much less of it than of the clock's passes.
static void compute(int ms)
{
    int64_t end = ms_of(CLOCK_MONOTONIC) + ms, used = ms_of(CLOCK_PROCESS_CPUTIME_ID) + ms;
    while (ms_of(CLOCK_MONOTONIC) < end || ms_of(CLOCK_PROCESS_CPUTIME_ID) < used)
        step();
}

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};
    nanosleep(&t, NULL);
}

static void turn(int epoll, int timer)
{
    struct epoll_event event;
    uint64_t expirations;
    if (epoll_wait(epoll, &event, 1, 100) > 0 && read(timer, &expirations, sizeof(expirations)) < 0)
        _exit(1);
    step();
}

static void run(void)
{
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec every = {{0, 5000000}, {0, 5000000}};
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event))
        _exit(1);
    for (;;) {
        for (int i = 0; i < 10; i++)
            turn(epoll, timer);
        sleep_ms(CHILD_STALL_MS);
        for (int i = 0; i < 10; i++)
            turn(epoll, timer);
        compute(CHILD_STALL_MS);
    }
}

int selftest_child_start(struct selftest_child *ret)
{
    int pid = fork();
    if (pid < 0)
        return -errno;
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run();
    }
    *ret = (struct selftest_child){
        .pid = pid,
        .marker = marker,
        .marker_address = (uint64_t)(uintptr_t)&marker,
        .step_address = (uint64_t)(uintptr_t)step,
    };
    return 0;
}

void selftest_child_end(const struct selftest_child *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
}
