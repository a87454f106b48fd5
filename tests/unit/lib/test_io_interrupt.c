// Every blocking operation of the I/O part: timed out, under a deadline, cancelled; its descriptors are gone afterwards.
#include "io_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

static int64_t do_read(int64_t timeout_ns)
{
    ls_stream *s[2];
    char byte;
    assert_int_equal(ls_stream_pair(s), 0);
    return ls_read(s[0], &byte, 1, timeout_ns);
}

static int64_t do_read_exact(int64_t timeout_ns)
{
    ls_stream *s[2];
    char bytes[8];
    assert_int_equal(ls_stream_pair(s), 0);
    ls_shield_begin(); // the interrupt is for what follows
    assert_int_equal(ls_write(s[1], "half", 4, LS_FOREVER), 0);
    ls_shield_end();
    return ls_read_exact(s[0], bytes, 8, timeout_ns);
}

static int64_t do_read_until(int64_t timeout_ns)
{
    ls_stream *s[2];
    char line[64];
    assert_int_equal(ls_stream_pair(s), 0);
    ls_shield_begin();
    assert_int_equal(ls_write(s[1], "no end", 6, LS_FOREVER), 0);
    ls_shield_end();
    return ls_read_until(s[0], line, sizeof(line), '\n', timeout_ns);
}

static char megabytes[4 << 20];

static int64_t do_write(int64_t timeout_ns)
{
    ls_stream *s[2];
    assert_int_equal(ls_stream_pair(s), 0);
    return ls_write(s[0], megabytes, sizeof(megabytes), timeout_ns);
}

static int64_t do_writev(int64_t timeout_ns)
{
    ls_stream *s[2];
    struct iovec iov[40];
    for (int i = 0; i < 40; i++)
        iov[i] = (struct iovec){megabytes, 100000};
    assert_int_equal(ls_stream_pair(s), 0);
    return ls_writev(s[0], iov, 40, timeout_ns);
}

static int64_t do_write_pipe(int64_t timeout_ns)
{
    int fds[2];
    ls_stream *s;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(ls_own_fd(fds[0]), fds[0]);
    assert_int_equal(ls_stream_from_fd(&s, fds[1]), 0);
    return ls_write(s, megabytes, sizeof(megabytes), timeout_ns);
}

static int64_t do_accept(int64_t timeout_ns)
{
    ls_listener *l;
    ls_stream *s;
    assert_int_equal(ls_tcp_listen(&l, "127.0.0.1", 0, 0), 0);
    return ls_accept(l, &s, timeout_ns);
}

// A full accept queue: the kernel leaves the next ones unanswered.
static uint16_t full_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    assert_int_equal(ls_own_fd(fd), fd);
    for (int i = 0; i < 3; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(connect(client, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
        assert_int_equal(ls_own_fd(client), client);
    }
    return ntohs(a.sin_port);
}

static int64_t do_tcp_connect(int64_t timeout_ns)
{
    ls_stream *s;
    return ls_tcp_connect(&s, "127.0.0.1", full_port(), timeout_ns);
}

static int64_t do_unix_connect(int64_t timeout_ns)
{
    char path[40];
    int length = snprintf(path, sizeof(path), "@loopscope-test-full-%d", getpid());
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    ls_stream *s;
    socklen_t size = (socklen_t)(sizeof(sa_family_t) + (size_t)length);
    memcpy(a.sun_path + 1, path + 1, (size_t)length - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(ls_own_fd(fd), fd);
    for (int i = 0; i < 2; i++) {
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(ls_own_fd(client), client);
        connect(client, (struct sockaddr *)&a, size);
    }
    return ls_unix_connect(&s, path, timeout_ns);
}

static int64_t do_poll(int64_t timeout_ns)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(ls_own_fd(fds[0]), fds[0]);
    assert_int_equal(ls_own_fd(fds[1]), fds[1]);
    return ls_poll_fd(fds[0], LS_READABLE, timeout_ns);
}

static int64_t do_process(int64_t timeout_ns)
{
    const char *argv[] = {"sleep", "100", NULL};
    struct ls_process_options o = {.argv = argv, .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE};
    ls_process *p;
    assert_int_equal(ls_process_start(&p, &o), 0);
    return ls_process_wait(p, timeout_ns);
}

static int64_t do_signal(int64_t timeout_ns)
{
    ls_signal *s;
    assert_int_equal(ls_signal_open(&s, (int[]){SIGUSR1, SIGUSR2}, 2), 0);
    return ls_signal_wait(s, timeout_ns);
}

// Work that ends when its gate is opened: by a task of the same loop, whose timer fires after the one that interrupts. So
// however slow the machine is, the interrupt comes first.
static sem_t gates[2 * 4];
static int ngates;

static int64_t wait_at_gate(void *arg)
{
    while (sem_wait(arg) < 0)
        continue;
    return 7;
}

static int64_t open_later(void *gate)
{
    int r = ls_sleep(LS_MSEC(60)); // or until the task that waits at the gate is cancelled
    sem_post(gate);
    return r;
}

struct gated {
    sem_t *gate;
    ls_task opener;
};

static struct gated gated_begin(void)
{
    assert_in_range(ngates, 0, sizeof(gates) / sizeof(*gates) - 1);
    struct gated g = {.gate = &gates[ngates++]};
    assert_int_equal(sem_init(g.gate, 0, 0), 0);
    g.opener = ls_spawn(open_later, g.gate);
    return g;
}

static void gated_end(struct gated g)
{
    ls_shield_begin();
    int64_t r = ls_await(g.opener);
    assert_true(r == 0 || r == -ECANCELED);
    ls_shield_end();
}

static int64_t do_offload(int64_t timeout_ns)
{
    struct gated g = gated_begin();
    int64_t r = ls_offload(wait_at_gate, g.gate, timeout_ns);
    gated_end(g);
    return r;
}

static int dropped;

static void drop(void *arg)
{
    (void)arg;
    dropped++;
}

static int64_t do_offload_abandon(int64_t timeout_ns)
{
    struct gated g = gated_begin();
    int64_t r = ls_offload_abandon(wait_at_gate, g.gate, drop, timeout_ns);
    gated_end(g);
    return r;
}

static int64_t do_flush(int64_t timeout_ns)
{
    int fds[2];
    ls_logger *log;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    assert_int_equal(ls_logger_new(&log, &(struct ls_logger_options){.fd = fds[1]}), 0);
    for (int i = 0; i < 100; i++)
        ls_log(log, LS_LOG_INFO, "a line for a pipe that nobody reads", ls_int("i", i));
    int64_t r = ls_log_flush(log, timeout_ns);
    close(fds[0]); // the writer gets EPIPE
    assert_int_equal(ls_logger_free(log, LS_SEC(5)), 0);
    close(fds[1]);
    return r;
}

static int wait_for_ever(const struct ls_message *message, void *ctx)
{
    (void)message;
    return ls_event_wait(ctx, LS_FOREVER);
}

struct busy_bus {
    ls_bus *bus;
    ls_event *never;
};

static struct busy_bus full_bus(void)
{
    struct busy_bus b;
    struct ls_subscribe_options o = {.queue = 1};
    assert_int_equal(ls_bus_new(&b.bus), 0);
    assert_int_equal(ls_event_new(&b.never), 0);
    assert_int_equal(ls_subscribe(b.bus, NULL, "t", wait_for_ever, b.never, &o), 0);
    ls_shield_begin();
    assert_int_equal(ls_publish(b.bus, "t", "1", 1, LS_FOREVER), 1);
    assert_int_equal(ls_yield(), 0); // the listener has taken it
    assert_int_equal(ls_publish(b.bus, "t", "2", 1, LS_FOREVER), 1);
    ls_shield_end();
    return b;
}

static void end_bus(struct busy_bus b)
{
    assert_int_equal(ls_shield_begin(), 0);
    assert_int_equal(ls_bus_free(b.bus), 0);
    assert_int_equal(ls_event_set(b.never), 0);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(ls_event_free(b.never), 0);
    ls_shield_end();
}

static int64_t do_publish(int64_t timeout_ns)
{
    struct busy_bus b = full_bus();
    int64_t r = ls_publish(b.bus, "t", "3", 1, timeout_ns);
    end_bus(b);
    return r;
}

static int64_t do_drain(int64_t timeout_ns)
{
    struct busy_bus b = full_bus();
    int64_t r = ls_bus_drain(b.bus, timeout_ns);
    end_bus(b);
    return r;
}

static const struct blocking operations[] = {
    {"ls_read", do_read},
    {"ls_read_exact", do_read_exact},
    {"ls_read_until", do_read_until},
    {"ls_write", do_write},
    {"ls_writev", do_writev},
    {"ls_write to a pipe", do_write_pipe},
    {"ls_accept", do_accept},
    {"ls_tcp_connect", do_tcp_connect},
    {"ls_unix_connect", do_unix_connect},
    {"ls_poll_fd", do_poll},
    {"ls_process_wait", do_process},
    {"ls_signal_wait", do_signal},
    {"ls_offload", do_offload},
    {"ls_offload_abandon", do_offload_abandon},
    {"ls_log_flush", do_flush},
    {"ls_publish", do_publish},
    {"ls_bus_drain", do_drain},
};

TEST(each_operation_can_be_interrupted)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
        interrupt_in_every_way(&operations[i]);
    for (int i = 0; i < 10000 && dropped < 4; i++)
        assert_int_equal(ls_sleep(LS_MSEC(1)), 0);
    assert_int_equal(dropped, 4); // three that ran on, one that never ran
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_operation_can_be_interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
