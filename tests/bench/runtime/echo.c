// TCP echo, 50 connections, one request of 64 bytes in flight on each: what a request costs the server.
//   echo loopscope|uv-write|uv-try-write|epoll [REQUESTS]
// Prints as measure.h says, and the server's user instructions a request as a seventh word (0: not countable).
#include <loopscope/loopscope.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "measure.h"

#define CONNECTIONS 50
#define SIZE        64

static long requests;
static int listener;
static int left = CONNECTIONS;

// ---- the client: a process of its own ----

static int connect_client(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        exit(1);
    return fd;
}

static void run_client(uint16_t port)
{
    struct epoll_event events[CONNECTIONS], e = {.events = EPOLLIN};
    char buffer[SIZE] = "request";
    int epoll = epoll_create1(0);
    long sent = 0, answered = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        e.data.fd = connect_client(port);
        epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
        sent += write(e.data.fd, buffer, SIZE) == SIZE;
    }
    while (answered < requests) {
        int n = epoll_wait(epoll, events, CONNECTIONS, -1);
        for (int i = 0; i < n; i++) {
            if (read(events[i].data.fd, buffer, SIZE) <= 0)
                exit(1);
            answered++;
            if (sent < requests)
                sent += write(events[i].data.fd, buffer, SIZE) == SIZE;
        }
    }
    exit(0);
}

// ---- loopscope ----

static int64_t echo_task(void *arg)
{
    char buffer[4096];
    ssize_t n;
    if (ls_stream_adopt(arg) < 0)
        return -1;
    while ((n = ls_read(arg, buffer, sizeof(buffer), LS_FOREVER)) > 0)
        if (ls_write(arg, buffer, (size_t)n, LS_FOREVER) < 0)
            break;
    return 0;
}

static int64_t serve_tasks(void *arg)
{
    ls_group *group;
    (void)arg;
    if (ls_group_open(&group, LS_FAIL_FAST, 0) < 0)
        return 1;
    for (int i = 0; i < CONNECTIONS; i++) {
        ls_stream *s;
        int fd = accept(listener, NULL, NULL);
        if (ls_stream_from_fd(&s, fd) < 0 || ls_stream_disown(s) < 0 ||
            ls_group_spawn(group, echo_task, s, NULL).id < 0)
            return 1;
    }
    return ls_group_wait(group);
}

// ---- libuv ----

static bool try_write;

struct request {
    uv_write_t write;
    char data[];
};

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char memory[4096];
    (void)handle;
    (void)size;
    *buffer = uv_buf_init(memory, sizeof(memory));
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    if (n <= 0) {
        if (n < 0)
            uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned)n);
    if (try_write && uv_try_write(stream, &out, 1) == n)
        return;
    struct request *r = malloc(sizeof(*r) + (size_t)n);
    if (!r)
        abort();
    memcpy(r->data, buffer->base, (size_t)n);
    out.base = r->data;
    uv_write(&r->write, stream, &out, 1, on_written);
}

static void serve_uv(void)
{
    uv_loop_t *loop = uv_default_loop();
    for (int i = 0; i < CONNECTIONS; i++) {
        uv_tcp_t *tcp = malloc(sizeof(*tcp));
        if (!tcp || uv_tcp_init(loop, tcp) < 0 ||
            uv_tcp_open(tcp, accept(listener, NULL, NULL)) < 0)
            abort();
        uv_read_start((uv_stream_t *)tcp, on_alloc, on_read);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

// ---- bare epoll: the floor ----

static void serve_epoll(void)
{
    struct epoll_event events[CONNECTIONS], e = {.events = EPOLLIN};
    char buffer[4096];
    int epoll = epoll_create1(0);
    for (int i = 0; i < CONNECTIONS; i++) {
        e.data.fd = accept(listener, NULL, NULL);
        epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
    }
    while (left > 0) {
        int n = epoll_wait(epoll, events, CONNECTIONS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t size = read(fd, buffer, sizeof(buffer));
            if (size <= 0 || write(fd, buffer, (size_t)size) < 0) {
                close(fd);
                left--;
            }
        }
    }
}

// ---- measuring ----

static int count_instructions(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint16_t open_listener(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(listener, CONNECTIONS) < 0 ||
        getsockname(listener, (struct sockaddr *)&a, &size) < 0)
        exit(1);
    return ntohs(a.sin_port);
}

static int serve(const char *peer)
{
    if (!strcmp(peer, "loopscope"))
        return (int)ls_run(serve_tasks, NULL);
    if (!strcmp(peer, "epoll")) {
        serve_epoll();
        return 0;
    }
    try_write = !strcmp(peer, "uv-try-write");
    serve_uv();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    requests = count_argument(argc, argv, 200000);
    uint16_t port = open_listener();
    pid_t client = fork();
    if (client == 0)
        run_client(port);
    int counter = count_instructions(), status;
    uint64_t instructions = 0;
    struct usage from = usage_now();
    int r = serve(argv[1]);
    struct usage to = usage_now();
    if (counter >= 0 && read(counter, &instructions, sizeof(instructions)) < 0)
        instructions = 0;
    waitpid(client, &status, 0);
    if (r != 0 || status != 0)
        return 1;
    double n = (double)requests;
    printf("%s echo %ld %.2f %.2f %.2f %.0f\n", argv[1], requests, (to.wall - from.wall) / n,
           (to.user - from.user) / n, (to.sys - from.sys) / n, (double)instructions / n);
    return 0;
}
