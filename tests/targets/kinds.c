// Small loops of many makes: every kind of wait, and loops that are sick in other ways than a stall.
//
// usage: kinds MODE [--healthy]
// epoll poll ppoll select pselect uring: a loop of that kind; blocks 300 ms in stall_now() each second
//                                        unless --healthy
// spin-fd:    an event that is always ready and that nobody takes: polls return at once
// saturated:  always something small to do, never a long turn
// idle:       a turn each second
// threads N:  a loop and N threads that do nothing
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#define TICK_MS 20

static bool healthy;
static volatile unsigned long sink;

__attribute__((noinline)) static void stall_now(void)
{
    struct timespec t = {0, 300000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
    sink++;
}

// What a tick does: little, and once a second too much.
__attribute__((noinline)) static void on_tick(void)
{
    static int ticks;
    if (++ticks % (1000 / TICK_MS) == 0 && !healthy)
        stall_now();
    sink++;
}

static void run_epoll(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        epoll_wait(epoll, &event, 1, TICK_MS);
        on_tick();
    }
}

static void run_idle(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (;;) {
        epoll_wait(epoll, &event, 1, 1000);
        sink++;
    }
}

static void run_poll(void)
{
    struct pollfd fds = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
    for (;;) {
        poll(&fds, 1, TICK_MS);
        on_tick();
    }
}

static void run_ppoll(void)
{
    struct pollfd fds = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
    struct timespec timeout = {0, TICK_MS * 1000000};
    for (;;) {
        ppoll(&fds, 1, &timeout, NULL);
        on_tick();
    }
}

static void run_select(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    for (;;) {
        struct timeval timeout = {0, TICK_MS * 1000};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        select(fd + 1, &set, NULL, NULL, &timeout);
        on_tick();
    }
}

static void run_pselect(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    struct timespec timeout = {0, TICK_MS * 1000000};
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        pselect(fd + 1, &set, NULL, NULL, &timeout, &none);
        on_tick();
    }
}

static void run_uring(void)
{
#ifdef HAVE_LIBURING
    struct io_uring ring;
    struct __kernel_timespec tick = {0, TICK_MS * 1000000LL};
    struct io_uring_cqe *done;
    if (io_uring_queue_init(8, &ring, 0)) {
        fprintf(stderr, "io_uring is not to be had here\n");
        exit(77);
    }
    for (;;) {
        struct io_uring_sqe *request = io_uring_get_sqe(&ring);
        io_uring_prep_timeout(request, &tick, 0, 0);
        io_uring_submit_and_wait(&ring, 1);
        if (io_uring_peek_cqe(&ring, &done) == 0)
            io_uring_cqe_seen(&ring, done);
        on_tick();
    }
#else
    exit(77);
#endif
}

static void run_spin_fd(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, EFD_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    for (;;)
        epoll_wait(epoll, &event, 1, -1); // whose event is it? nobody reads it
}

__attribute__((noinline)) static void small_work(int fd)
{
    unsigned long long value;
    for (int i = 0; i < 3000; i++)
        sink = sink * 31 + (unsigned long)i;
    if (read(fd, &value, sizeof value) != sizeof value)
        exit(1);
    value = 1;
    if (write(fd, &value, sizeof value) != sizeof value)
        exit(1);
}

static void run_saturated(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, EFD_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    for (;;)
        if (epoll_wait(epoll, &event, 1, -1) == 1)
            small_work(event.data.fd);
}

static void *idle(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

static void start_threads(int count)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, idle, NULL)) {
            fprintf(stderr, "only %d threads\n", i);
            exit(77);
        }
    }
}

static const struct {
    const char *mode;
    void (*run)(void);
} modes[] = {
    {"epoll", run_epoll},   {"poll", run_poll},       {"ppoll", run_ppoll},
    {"select", run_select}, {"pselect", run_pselect}, {"uring", run_uring},
    {"idle", run_idle},     {"spin-fd", run_spin_fd}, {"saturated", run_saturated},
};

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "epoll";
    healthy = argc > 2 && !strcmp(argv[argc - 1], "--healthy");
    if (!strcmp(mode, "threads")) {
        start_threads(argc > 2 ? atoi(argv[2]) : 1000);
        mode = "epoll";
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].mode, mode))
            modes[i].run();
    fprintf(stderr, "kinds: unknown mode %s\n", mode);
    return 2;
}
