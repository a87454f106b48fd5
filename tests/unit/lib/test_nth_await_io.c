// A task that does all kinds of I/O is cancelled at each of its await points in turn: nothing of it stays.
#include "io_test.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int64_t serve_one(void *arg)
{
    ls_stream *s;
    char line[32];
    int r = ls_accept(arg, &s, LS_SEC(5));
    if (r < 0)
        return r;
    ssize_t n = ls_read_until(s, line, sizeof(line), '\n', LS_SEC(5));
    return n < 0 ? n : ls_write(s, line, (size_t)n, LS_SEC(5));
}

static int64_t talk(void)
{
    ls_listener *l;
    ls_stream *s;
    char line[32];
    int r = ls_tcp_listen(&l, "127.0.0.1", 0, 0);
    if (r < 0)
        return r;
    ls_task server = ls_spawn(serve_one, l);
    if ((r = ls_tcp_connect(&s, "localhost", (uint16_t)ls_listener_port(l), LS_SEC(5))) < 0 ||
        (r = ls_write(s, "ping\n", 5, LS_SEC(5))) < 0)
        return r;
    if ((r = ls_read_exact(s, line, 5, LS_SEC(5))) < 0)
        return r;
    ls_close(s);
    return ls_await(server);
}

static int64_t store(void)
{
    char path[64], *text;
    snprintf(path, sizeof(path), "/tmp/ls-await-%d", getpid());
    int fd = ls_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, LS_SEC(5));
    if (fd < 0)
        return fd;
    unlink(path);
    int64_t r = ls_file_write(fd, "text", 4, 0, LS_SEC(5));
    if (r < 0 || (r = ls_file_sync(fd, LS_SEC(5))) < 0 || (r = ls_file_close(fd)) < 0)
        return r;
    return ls_file_slurp("/proc/self/stat", &text, 1 << 16, LS_SEC(5));
}

static int64_t child(void)
{
    const char *argv[] = {"cat", NULL};
    struct ls_process_options o = {.argv = argv, .in = LS_STDIO_PIPE, .out = LS_STDIO_PIPE};
    ls_process *p;
    char text[8];
    int r = ls_process_start(&p, &o);
    if (r < 0 || (r = ls_write(ls_process_stream(p, 0), "abc", 3, LS_SEC(5))) < 0 ||
        (r = ls_shutdown(ls_process_stream(p, 0), LS_SEC(5))) < 0 ||
        (r = ls_read_exact(ls_process_stream(p, 1), text, 3, LS_SEC(5))) < 0)
        return r;
    return ls_process_wait(p, LS_SEC(5));
}

static int hear(const struct ls_message *m, void *ctx)
{
    *(size_t *)ctx += m->size;
    return ls_sleep(LS_USEC(100));
}

static int64_t publish(void)
{
    size_t heard = 0;
    struct ls_subscribe_options o = {.queue = 1};
    ls_bus *bus;
    int r = ls_bus_new(&bus);
    if (r < 0)
        return r;
    r = ls_subscribe(bus, NULL, "t", hear, &heard, &o);
    for (int i = 0; r >= 0 && i < 4; i++)
        r = ls_publish(bus, "t", "x", 1, LS_SEC(5));
    if (r >= 0)
        r = ls_bus_drain(bus, LS_SEC(5));
    ls_bus_free(bus);
    ls_shield_begin();
    ls_sleep(LS_MSEC(3)); // the listener ends; it writes into our frame
    ls_shield_end();
    return r < 0 ? r : heard == 4 ? 0 : -EIO;
}

static int64_t double_it(void *arg)
{
    return 2 * (intptr_t)arg;
}

static int64_t all_of_it(void *arg)
{
    int64_t r;
    (void)arg;
    if ((r = talk()) < 0 || (r = store()) < 0 || (r = child()) < 0 || (r = publish()) < 0)
        return r;
    r = ls_offload(double_it, (void *)21, LS_SEC(5));
    return r < 0 ? r : r == 42 ? 0 : -EIO;
}

static int64_t target;
static long until; // await points of the target before the cancel
static bool cancelled;

static void on_suspend(const struct ls_hook_info *info, void *ctx)
{
    (void)ctx;
    if (info->task.id == target && until-- == 0) {
        cancelled = true;
        ls_cancel(info->task);
    }
}

// A question to the name server that is given up runs on in the pool, with descriptors of its own until it is answered.
static int fds_when_quiet(int wanted)
{
    for (int i = 0; i < 20000 && count_fds() != wanted; i++)
        assert_int_equal(ls_sleep(LS_MSEC(1)), 0);
    return count_fds();
}

TEST(cancel_at_every_await_point)
{
    int64_t r =
        ls_await(ls_spawn(all_of_it, NULL)); // the pool's threads exist, names are looked up once
    assert_int_equal(r, 0);
    int fds = count_fds();
    long n = 0;
    ls_hook_add(ls_loop_current(), LS_HOOK_SUSPENDED, on_suspend, NULL);
    do {
        cancelled = false;
        until = n++;
        ls_task t = ls_spawn(all_of_it, NULL);
        target = t.id;
        r = ls_await(t);
        if (r != 0 && r != -ECANCELED && r != -ECHILD)
            fail_msg("cancelled at await %ld: %lld", n - 1, (long long)r);
        assert_int_equal(fds_when_quiet(fds), fds);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child stays
    } while (cancelled);
    assert_int_equal(r, 0);
    if (n <= 15)
        fail_msg("only %ld await points", n);
    ls_hook_remove(ls_loop_current(), on_suspend, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cancel_at_every_await_point)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
