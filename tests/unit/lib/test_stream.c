// Streams and listeners: what is read is what was written; ends, errors, closing under a waiting task, ownership.
#include "io_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

static int64_t echo(void *arg)
{
    ls_stream *s = arg;
    char buffer[4096];
    ssize_t n;
    assert_int_equal(ls_stream_adopt(s), 0);
    while ((n = ls_read(s, buffer, sizeof(buffer), LS_FOREVER)) > 0)
        if (ls_write(s, buffer, (size_t)n, LS_FOREVER) < 0)
            break;
    return n;
}

static int64_t serve(void *arg)
{
    ls_listener *l = arg;
    ls_stream *s;
    int r = ls_accept(l, &s, LS_FOREVER);
    return r < 0 ? r : ls_await(ls_spawn(echo, s));
}

static void check_echo(ls_stream *s)
{
    static char sent[300000], got[sizeof(sent)];
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 31 + i / 251);
    for (size_t at = 0; at < sizeof(sent); at += 50000) {
        assert_int_equal(ls_write(s, sent + at, 50000, LS_SEC(5)), 0);
        assert_int_equal(ls_read_exact(s, got + at, 50000, LS_SEC(5)), 0);
    }
    assert_memory_equal(sent, got, sizeof(sent));
}

TEST(tcp_carries_bytes_both_ways)
{
    ls_listener *l;
    ls_stream *s;
    char peer[64], byte;
    int fds = count_fds();
    assert_int_equal(ls_tcp_listen(&l, "127.0.0.1", 0, 0), 0);
    int port = ls_listener_port(l);
    assert_true(port > 0);
    ls_task server = ls_spawn(serve, l);
    assert_int_equal(ls_tcp_connect(&s, "127.0.0.1", (uint16_t)port, LS_SEC(5)), 0);
    assert_int_equal(ls_stream_nodelay(s, true), 0);
    assert_int_equal(ls_stream_peer(s, peer, sizeof(peer)), 0);
    assert_memory_equal(peer, "127.0.0.1:", 10);
    assert_int_equal(atoi(peer + 10), port);
    check_echo(s);
    assert_int_equal(ls_shutdown(s, LS_FOREVER), 0);
    assert_int_equal(ls_write(s, "x", 1, LS_FOREVER), -EPIPE);
    assert_int_equal(ls_read(s, &byte, 1, LS_SEC(5)), 0);
    assert_int_equal(ls_await(server), 0);
    ls_close(s);
    ls_listener_close(l);
    assert_int_equal(count_fds(), fds);
}

TEST(a_name_is_resolved_and_its_addresses_tried)
{
    ls_listener *l;
    ls_stream *s;
    assert_int_equal(ls_tcp_listen(&l, "127.0.0.1", 0, 0), 0);
    ls_task server = ls_spawn(serve, l);
    assert_int_equal(ls_tcp_connect(&s, "localhost", (uint16_t)ls_listener_port(l), LS_SEC(5)), 0);
    check_echo(s);
    ls_close(s);
    assert_int_equal(ls_await(server), 0);
    assert_int_equal(ls_tcp_connect(&s, "no-such-host.invalid", 1, LS_SEC(20)) < 0, 1);
    assert_null(s);
}

TEST(unix_sockets_by_path_and_abstract)
{
    char path[64], name[64];
    snprintf(path, sizeof(path), "/tmp/ls-test-%d.sock", getpid());
    snprintf(name, sizeof(name), "@ls-test-%d", getpid());
    const char *paths[] = {path, name};
    for (int i = 0; i < 2; i++) {
        ls_listener *l;
        ls_stream *s;
        char peer[128], wanted[128];
        assert_int_equal(ls_unix_listen(&l, paths[i], 0), 0);
        assert_true(ls_listener_port(l) < 0);
        ls_task server = ls_spawn(serve, l);
        assert_int_equal(ls_unix_connect(&s, paths[i], LS_SEC(5)), 0);
        assert_int_equal(ls_stream_peer(s, peer, sizeof(peer)), 0);
        snprintf(wanted, sizeof(wanted), "unix:%s", paths[i]);
        assert_string_equal(peer, wanted);
        check_echo(s);
        ls_close(s);
        assert_int_equal(ls_await(server), 0);
        ls_listener_close(l);
    }
    assert_int_equal(access(path, F_OK), -1);
    ls_stream *s;
    assert_int_equal(ls_unix_connect(&s, path, LS_SEC(1)), -ENOENT);
}

TEST(errors_of_a_peer_are_told)
{
    ls_stream *s, *pair[2];
    char byte;
    assert_int_equal(ls_tcp_connect(&s, "127.0.0.1", 1, LS_SEC(5)), -ECONNREFUSED);
    assert_null(s);
    assert_int_equal(ls_stream_pair(pair), 0);
    ls_close(pair[1]);
    assert_int_equal(ls_write(pair[0], "x", 1, LS_FOREVER), -EPIPE);
    assert_int_equal(ls_read(pair[0], &byte, 1, LS_FOREVER), 0);
    ls_close(pair[0]);
}

TEST(a_reset_wakes_the_reader)
{
    ls_listener *l;
    ls_stream *s, *c;
    char byte;
    struct linger hard = {1, 0};
    assert_int_equal(ls_tcp_listen(&l, "127.0.0.1", 0, 0), 0);
    assert_int_equal(ls_tcp_connect(&c, "127.0.0.1", (uint16_t)ls_listener_port(l), LS_SEC(5)), 0);
    assert_int_equal(ls_accept(l, &s, LS_SEC(5)), 0);
    assert_int_equal(ls_write(c, "x", 1, LS_FOREVER), 0); // unread: closing resets
    setsockopt(ls_stream_fd(s), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    ls_close(s);
    assert_int_equal(ls_read(c, &byte, 1, LS_SEC(5)), -ECONNRESET);
}

TEST(a_pipe_that_nobody_reads_is_no_signal)
{
    int fds[2];
    ls_stream *w;
    struct sigaction before = {.sa_handler = SIG_DFL}, now;
    sigaction(SIGPIPE, &before, NULL);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(ls_stream_from_fd(&w, fds[1]), 0);
    close(fds[0]);
    assert_int_equal(ls_write(w, "x", 1, LS_FOREVER), -EPIPE);
    sigaction(SIGPIPE, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    ls_close(w);
}

TEST(shutdown_of_a_pipe_ends_it_for_the_reader)
{
    int fds[2];
    ls_stream *r, *w;
    char text[8];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(ls_stream_from_fd(&r, fds[0]), 0);
    assert_int_equal(ls_stream_from_fd(&w, fds[1]), 0);
    assert_int_equal(ls_write(w, "abc", 3, LS_FOREVER), 0);
    assert_int_equal(ls_shutdown(w, LS_FOREVER), 0);
    assert_int_equal(ls_read(r, text, 8, LS_SEC(1)), 3);
    assert_int_equal(ls_read(r, text, 8, LS_SEC(1)), 0);
    assert_int_equal(ls_write(w, "x", 1, LS_FOREVER), -EPIPE);
}

TEST(lines_are_cut_at_their_delimiter)
{
    ls_stream *s[2];
    char line[16];
    assert_int_equal(ls_stream_pair(s), 0);
    assert_int_equal(ls_write(s[1], "one\ntwo\n\nthis line is too long\nrest", 35, LS_FOREVER), 0);
    assert_int_equal(ls_shutdown(s[1], LS_FOREVER), 0);
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), 4);
    assert_string_equal(line, "one\n");
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), 4);
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), 1);
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), -EMSGSIZE);
    assert_string_equal(line, "this line is to");
    assert_int_equal(ls_read(s[0], line, 7, LS_SEC(1)), 7); // what was read ahead is not lost
    assert_memory_equal(line, "o long\n", 7);
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), 4);
    assert_string_equal(line, "rest");
    assert_int_equal(ls_read_until(s[0], line, sizeof(line), '\n', LS_SEC(1)), 0);
}

TEST(exact_reads_tell_an_early_end)
{
    ls_stream *s[2];
    char bytes[8];
    assert_int_equal(ls_stream_pair(s), 0);
    assert_int_equal(ls_write(s[1], "abc", 3, LS_FOREVER), 0);
    ls_close(s[1]);
    assert_int_equal(ls_read_exact(s[0], bytes, 8, LS_SEC(1)), -ENODATA);
}

TEST(a_timeout_of_zero_tries_once)
{
    ls_stream *s[2];
    ls_listener *l;
    char byte;
    assert_int_equal(ls_stream_pair(s), 0);
    assert_int_equal(ls_read(s[0], &byte, 1, 0), -ETIMEDOUT);
    assert_int_equal(ls_write(s[1], "x", 1, 0), 0);
    assert_int_equal(ls_read(s[0], &byte, 1, 0), 1);
    assert_int_equal(ls_tcp_listen(&l, "127.0.0.1", 0, 0), 0);
    ls_stream *c;
    assert_int_equal(ls_accept(l, &c, 0), -ETIMEDOUT);
}

// ---- closed under a waiting task ----

static int64_t reader(void *arg)
{
    char byte;
    return ls_read(arg, &byte, 1, LS_FOREVER);
}

static char megabytes[4 << 20];

static int64_t writer(void *arg)
{
    return ls_write(arg, megabytes, sizeof(megabytes), LS_FOREVER);
}

TEST(closing_a_stream_wakes_who_waits_on_it)
{
    ls_stream *s[2];
    int fds = count_fds();
    assert_int_equal(ls_stream_pair(s), 0);
    ls_task r = ls_spawn(reader, s[0]), w = ls_spawn(writer, s[0]);
    assert_int_equal(ls_sleep(LS_MSEC(10)), 0);
    char byte;
    assert_int_equal(ls_read(s[0], &byte, 1, 0), -EBUSY);
    assert_int_equal(ls_write(s[0], "x", 1, 0), -EBUSY);
    ls_close(s[0]);
    assert_int_equal(ls_await(r), -EBADF);
    assert_int_equal(ls_await(w), -EBADF);
    ls_close(s[1]);
    assert_int_equal(count_fds(), fds);
}

// The reader is woken by data, and the stream closed before it runs.
static int64_t write_and_close(void *arg)
{
    ls_stream **s = arg;
    assert_int_equal(ls_write(s[1], "x", 1, LS_FOREVER), 0);
    struct ls_deadline d;
    ls_deadline_begin(&d, LS_MSEC(50));
    while (ls_check() == 0) // the loop polls, and wakes the reader after this task
        ls_yield();
    ls_deadline_end(&d);
    ls_close(s[0]);
    return 0;
}

TEST(closing_a_stream_whose_reader_is_about_to_run)
{
    ls_stream *s[2];
    assert_int_equal(ls_stream_pair(s), 0);
    ls_task r = ls_spawn(reader, s[0]);
    ls_task c = ls_spawn(write_and_close, s);
    assert_int_equal(ls_await(c), 0);
    int64_t got = ls_await(r);
    assert_true(got == -EBADF || got == 1);
}

static int64_t acceptor(void *arg)
{
    ls_stream *s;
    return ls_accept(arg, &s, LS_FOREVER);
}

TEST(closing_a_listener_wakes_who_waits_on_it)
{
    ls_listener *l;
    int fds = count_fds();
    assert_int_equal(ls_tcp_listen(&l, NULL, 0, 0), 0);
    ls_task a = ls_spawn(acceptor, l), b = ls_spawn(acceptor, l);
    assert_int_equal(ls_sleep(LS_MSEC(10)), 0);
    ls_listener_close(l);
    assert_int_equal(ls_await(a), -EBADF);
    assert_int_equal(ls_await(b), -EBADF);
    assert_int_equal(count_fds(), fds);
}

// ---- ownership ----

static int64_t opens_and_ends(void *arg)
{
    ls_stream *s[2];
    assert_int_equal(ls_stream_pair(s), 0);
    if (arg)
        assert_int_equal(ls_stream_disown(s[0]), 0), *(ls_stream **)arg = s[0];
    return 0;
}

TEST(a_stream_ends_with_its_task_unless_disowned)
{
    int fds = count_fds();
    ls_stream *kept;
    assert_int_equal(ls_await(ls_spawn(opens_and_ends, NULL)), 0);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(ls_await(ls_spawn(opens_and_ends, &kept)), 0);
    assert_int_equal(count_fds(), fds + 1);
    ls_close(kept);
    assert_int_equal(count_fds(), fds);
}

static void disowned_streams_end_with_the_loop(void **state)
{
    int fds = count_fds();
    ls_stream *kept;
    (void)state;
    assert_int_equal(ls_run(opens_and_ends, &kept), 0);
    assert_int_equal(count_fds(), fds);
}

// One task that always has something to read does not keep another from running.
static int64_t flood(void *arg)
{
    ls_stream **s = arg;
    char byte;
    for (;;) {
        int r = ls_write(s[1], "x", 1, LS_FOREVER);
        if (r < 0 || (r = (int)ls_read(s[0], &byte, 1, LS_FOREVER)) < 0)
            return r;
    }
    return 0;
}

TEST(a_busy_stream_lets_others_run)
{
    ls_stream *s[2];
    assert_int_equal(ls_stream_pair(s), 0);
    ls_task t = ls_spawn(flood, s);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ls_sleep(LS_MSEC(2)), 0);
    assert_int_equal(ls_cancel(t), 0);
    assert_int_equal(ls_await(t), -ECANCELED);
}

TEST(descriptors_of_the_program_can_be_polled)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(ls_poll_fd(fds[0], LS_READABLE, 0), -ETIMEDOUT);
    assert_int_equal(ls_poll_fd(fds[1], LS_READABLE | LS_WRITABLE, LS_FOREVER), LS_WRITABLE);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(ls_poll_fd(fds[0], LS_READABLE, LS_FOREVER), LS_READABLE);
    assert_int_equal(ls_poll_fd(fds[0], LS_READABLE, 0), LS_READABLE);
    close(fds[1]);
    close(fds[0]);
    assert_int_equal(ls_poll_fd(fds[0], LS_READABLE, LS_FOREVER), -EBADF);
    assert_int_equal(ls_poll_fd(-1, LS_READABLE, LS_FOREVER), -EINVAL);
}

static void only_tasks_may_wait(void **state)
{
    char byte;
    (void)state;
    assert_int_equal(ls_read(NULL, &byte, 1, 0), -EPERM);
    assert_int_equal(ls_accept(NULL, &(ls_stream *){NULL}, 0), -EPERM);
    assert_int_equal(ls_stream_pair((ls_stream *[2]){NULL}), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_carries_bytes_both_ways),
        cmocka_unit_test(a_name_is_resolved_and_its_addresses_tried),
        cmocka_unit_test(unix_sockets_by_path_and_abstract),
        cmocka_unit_test(errors_of_a_peer_are_told),
        cmocka_unit_test(a_reset_wakes_the_reader),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_no_signal),
        cmocka_unit_test(shutdown_of_a_pipe_ends_it_for_the_reader),
        cmocka_unit_test(lines_are_cut_at_their_delimiter),
        cmocka_unit_test(exact_reads_tell_an_early_end),
        cmocka_unit_test(a_timeout_of_zero_tries_once),
        cmocka_unit_test(closing_a_stream_wakes_who_waits_on_it),
        cmocka_unit_test(closing_a_stream_whose_reader_is_about_to_run),
        cmocka_unit_test(closing_a_listener_wakes_who_waits_on_it),
        cmocka_unit_test(a_stream_ends_with_its_task_unless_disowned),
        cmocka_unit_test(disowned_streams_end_with_the_loop),
        cmocka_unit_test(a_busy_stream_lets_others_run),
        cmocka_unit_test(descriptors_of_the_program_can_be_polled),
        cmocka_unit_test(only_tasks_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
