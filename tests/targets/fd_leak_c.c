// A server's work in C with an epoll loop: one of N requests leaves its file open.
//
//   fd_leak_c leak N RATE     every Nth request returns early, without close
//   fd_leak_c healthy N RATE  closes on that way too
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int leaks;
static long nth;
static volatile long served;

__attribute__((noinline)) static int read_profile(long request)
{
    char text[64];
    int fd = open("/etc/hostname", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text));
    if (request % nth == 0) {
        if (!leaks)
            close(fd);
        return -1; // the request is refused
    }
    close(fd);
    return (int)n;
}

__attribute__((noinline)) static int read_limits(long request)
{
    int fd = open("/proc/self/limits", O_RDONLY);
    close(fd);
    return (int)(request & 1);
}

static int start_timer(int epoll, long rate)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec every = {.it_interval.tv_nsec = 1000000000 / rate,
                               .it_value.tv_nsec = 1000000000 / rate};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &every, NULL);
    event.data.fd = timer;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) ? -1 : timer;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    leaks = strcmp(argv[1], "leak") == 0;
    nth = atol(argv[2]);
    int epoll = epoll_create1(0), timer = start_timer(epoll, atol(argv[3]));
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event event;
        unsigned long long due = 0;
        if (epoll_wait(epoll, &event, 1, -1) <= 0 || read(timer, &due, sizeof(due)) < 0)
            continue;
        for (; due > 0; due--) {
            served += read_profile(served + 1) + 1 >= 0;
            read_limits(served);
        }
    }
}
