// Every allocation of the I/O part fails in turn: each call returns an error, and leaves no descriptor behind.
#include "io_test.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strndup(const char *s, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strndup(const char *s, size_t n);
char *__wrap_strdup(const char *s);

static __thread long until = -1; // allocations that still succeed on this thread; -1: all
static bool failed;

static bool fails(void)
{
    if (until < 0 || until-- > 0)
        return false;
    until = 0;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

// ---- what allocates; each returns 0 or the first error ----

static int64_t streams(void *arg)
{
    ls_listener *l, *u;
    ls_stream *c, *s, *pair[2];
    char line[16], path[32];
    (void)arg;
    snprintf(path, sizeof(path), "/tmp/ls-alloc-%d", getpid());
    int r = ls_tcp_listen(&l, "127.0.0.1", 0, 0);
    if (r < 0 || (r = ls_unix_listen(&u, path, 0)) < 0)
        return r;
    if ((r = ls_tcp_connect(&c, "127.0.0.1", (uint16_t)ls_listener_port(l), LS_SEC(5))) < 0 ||
        (r = ls_accept(l, &s, LS_SEC(5))) < 0 || (r = ls_stream_pair(pair)) < 0 ||
        (r = ls_write(pair[0], "a\n", 2, LS_SEC(1))) < 0)
        return r;
    r = (int)ls_read_until(pair[1], line, sizeof(line), '\n', LS_SEC(1));
    if (r < 0)
        return r;
    int fd = dup(ls_stream_fd(pair[0])); // not the stream's
    if ((r = ls_own_fd(fd)) < 0) {
        close(fd);
        return r;
    }
    r = ls_poll_fd(fd, LS_WRITABLE, LS_SEC(1));
    return r < 0 ? r : 0;
}

static int64_t files(void *arg)
{
    char *text;
    struct addrinfo *list;
    (void)arg;
    ssize_t n = ls_file_slurp("/proc/self/status", &text, 1 << 20, LS_SEC(5));
    if (n < 0)
        return n;
    return ls_resolve("127.0.0.1", NULL, NULL, &list, LS_SEC(5));
}

static int64_t seven(void *arg)
{
    (void)arg;
    return 7;
}

static int64_t offloads(void *arg)
{
    int64_t r = ls_offload_abandon(seven, arg, NULL, LS_FOREVER);
    return r == 7 ? 0 : r;
}

static int listen_to(const struct ls_message *m, void *ctx)
{
    (void)m;
    (void)ctx;
    return 0;
}

static int64_t buses(void *arg)
{
    ls_bus *bus;
    (void)arg;
    int r = ls_bus_new(&bus);
    if (r < 0)
        return r;
    if ((r = ls_subscribe(bus, NULL, "t*", listen_to, NULL, NULL)) == 0 &&
        (r = ls_publish(bus, "topic", "x", 1, LS_FOREVER)) > 0)
        r = ls_bus_drain(bus, LS_SEC(5));
    ls_bus_free(bus);
    ls_yield();
    return r;
}

static int64_t loggers(void *arg)
{
    ls_logger *log;
    char *text;
    (void)arg;
    int r = ls_logger_new(&log, &(struct ls_logger_options){.path = "/dev/null"});
    if (r < 0)
        return r;
    ls_log(log, LS_LOG_INFO, "x", ls_int("i", 1));
    r = ls_log_flush(log, LS_SEC(20));
    ls_logger_free(log, LS_SEC(5));
    if (r < 0)
        return r;
    ssize_t n = ls_metrics_render(LS_METRICS_JSON, &text);
    free(text);
    return n < 0 ? n : 0;
}

static int64_t processes(void *arg)
{
    const char *argv[] = {"true", NULL};
    struct ls_process_options o = {
        .argv = argv, .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE, .err = LS_STDIO_PIPE};
    ls_process *p;
    ls_signal *s;
    (void)arg;
    int r = ls_process_start(&p, &o);
    if (r < 0 || (r = ls_process_wait(p, LS_SEC(5))) != 0)
        return r;
    return ls_signal_open(&s, (int[]){10, 12}, 2);
}

static ls_fn armed;

static int64_t run_armed(void *arg)
{
    until = *(long *)arg;
    int64_t r = armed(arg);
    until = -1;
    return r;
}

static void fail_each(ls_fn fn, long least)
{
    long n = 0;
    int64_t r;
    armed = fn;
    r = ls_await(ls_spawn(fn, &n)); // what is made once
    assert_int_equal(r, 0);
    do {
        int fds = count_fds();
        failed = false;
        r = ls_await(ls_spawn(run_armed, &n));
        n++;
        assert_true(r == 0 || r == -ENOMEM || r == -ETIMEDOUT);
        assert_int_equal(count_fds(), fds);
    } while (failed);
    assert_int_equal(r, 0);
    assert_true(n > least);
}

TEST(streams_out_of_memory)
{
    fail_each(streams, 6);
}

TEST(files_out_of_memory)
{
    fail_each(files, 4);
}

TEST(offload_out_of_memory)
{
    fail_each(offloads, 1);
}

TEST(buses_out_of_memory)
{
    fail_each(buses, 5);
}

TEST(loggers_out_of_memory)
{
    fail_each(loggers, 3);
}

TEST(processes_out_of_memory)
{
    fail_each(processes, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_out_of_memory), cmocka_unit_test(files_out_of_memory),
        cmocka_unit_test(offload_out_of_memory), cmocka_unit_test(buses_out_of_memory),
        cmocka_unit_test(loggers_out_of_memory), cmocka_unit_test(processes_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
