// A client that asks at a steady rate, or as fast as the server answers.
//
// usage: load redis|http UNIX-PATH|PORT RATE CONNECTIONS COUNTER-FILE
// RATE is requests a second, 0: each connection always has one request under way. The number of
// replies so far is the 64-bit word in COUNTER-FILE, which the benchmark reads as it runs.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64

static const char redis_request[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
static const char http_request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

static struct {
    const char *request;
    size_t request_size;
    const char *mark; // each reply holds it once
    int fds[MAX_CONNECTIONS], n;
    bool waiting[MAX_CONNECTIONS];
    volatile uint64_t *replies;
} load;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        die(path);
    return fd;
}

static int connect_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    return fd;
}

static void ask(int i)
{
    if (write(load.fds[i], load.request, load.request_size) != (ssize_t)load.request_size)
        die("request");
    load.waiting[i] = true;
}

static void take_reply(int i)
{
    static char buf[65536];
    ssize_t n = read(load.fds[i], buf, sizeof buf - 1);
    if (n <= 0)
        exit(0); // the server is gone: so are we
    buf[n] = 0;
    for (const char *at = buf; (at = strstr(at, load.mark)); at++) {
        load.waiting[i] = false;
        ++*load.replies;
    }
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int next_free(int *at)
{
    for (int k = 0; k < load.n; k++) {
        *at = (*at + 1) % load.n;
        if (!load.waiting[*at])
            return *at;
    }
    return -1;
}

// Requests that are due go out on free connections; what finds none waits for the next round.
static void run_at_rate(int epoll, double rate)
{
    struct epoll_event events[MAX_CONNECTIONS];
    int64_t start = now_ns(), asked = 0;
    for (int at = 0;;) {
        int64_t due = (int64_t)((double)(now_ns() - start) / 1e9 * rate);
        for (int i; asked < due && (i = next_free(&at)) >= 0; asked++)
            ask(i);
        if (due - asked > load.n) // never catch up in a burst
            asked = due;
        int n = epoll_wait(epoll, events, load.n, 0);
        for (int k = 0; k < n; k++)
            take_reply((int)events[k].data.u32);
        if (n == 0)
            nanosleep(&(struct timespec){0, 20000}, NULL);
    }
}

static void run_flat_out(int epoll)
{
    struct epoll_event events[MAX_CONNECTIONS];
    for (int i = 0; i < load.n; i++)
        ask(i);
    for (;;) {
        int n = epoll_wait(epoll, events, load.n, -1);
        for (int k = 0; k < n; k++) {
            int i = (int)events[k].data.u32;
            take_reply(i);
            if (!load.waiting[i])
                ask(i);
        }
    }
}

static void map_counter(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 8))
        die(path);
    void *map = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        die(path);
    load.replies = map;
}

int main(int argc, char **argv)
{
    if (argc != 6 || (load.n = atoi(argv[4])) < 1 || load.n > MAX_CONNECTIONS)
        return 2;
    bool redis = !strcmp(argv[1], "redis");
    load.request = redis ? redis_request : http_request;
    load.request_size = strlen(load.request);
    load.mark = redis ? "$5\r\n" : "HTTP/1.1 200";
    map_counter(argv[5]);
    int epoll = epoll_create1(0);
    for (int i = 0; i < load.n; i++) {
        load.fds[i] = redis ? connect_unix(argv[2]) : connect_port(atoi(argv[2]));
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, load.fds[i], &event);
    }
    double rate = atof(argv[3]);
    if (rate > 0)
        run_at_rate(epoll, rate);
    else
        run_flat_out(epoll);
}
