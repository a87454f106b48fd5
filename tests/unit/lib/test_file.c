// Files, offloaded work, names.
#include "io_test.h"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *temporary(void)
{
    static char path[64];
    static int n;
    snprintf(path, sizeof(path), "/tmp/ls-test-%d-%d", getpid(), n++);
    return path;
}

TEST(what_is_written_is_read)
{
    const char *path = temporary();
    char renamed[80], text[16] = "", *all;
    struct stat st;
    int fds = count_fds();
    int fd = ls_file_open(path, O_RDWR | O_CREAT, 0600, LS_SEC(5));
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(ls_file_write(fd, "hello world", 11, -1, LS_SEC(5)), 11);
    assert_int_equal(ls_file_write(fd, "W", 1, 6, LS_SEC(5)), 1);
    assert_int_equal(ls_file_read(fd, text, 5, 6, LS_SEC(5)), 5);
    assert_string_equal(text, "World");
    assert_int_equal(ls_file_read(fd, text, 5, -1, LS_SEC(5)), 0);
    assert_int_equal(ls_file_sync(fd, LS_SEC(5)), 0);
    assert_int_equal(ls_file_close(fd), 0);
    assert_int_equal(ls_file_close(fd), -EBADF);
    snprintf(renamed, sizeof(renamed), "%s.new", path);
    assert_int_equal(ls_file_rename(path, renamed, LS_SEC(5)), 0);
    assert_int_equal(ls_file_stat(path, &st, LS_SEC(5)), -ENOENT);
    assert_int_equal(ls_file_stat(renamed, &st, LS_SEC(5)), 0);
    assert_int_equal(st.st_size, 11);
    assert_int_equal(ls_file_slurp(renamed, &all, 11, LS_SEC(5)), 11);
    assert_string_equal(all, "hello World");
    assert_int_equal(ls_file_slurp(renamed, &all, 10, LS_SEC(5)), -EFBIG);
    assert_null(all);
    assert_int_equal(ls_file_unlink(renamed, LS_SEC(5)), 0);
    assert_int_equal(ls_file_open(renamed, O_RDONLY, 0, LS_SEC(5)), -ENOENT);
    assert_int_equal(count_fds(), fds);
}

TEST(a_file_of_unknown_size_is_read_whole)
{
    char *all;
    ssize_t n = ls_file_slurp("/proc/self/smaps", &all, 1 << 20, LS_SEC(5));
    assert_true(n > 8192); // longer than its first guess: st_size is 0
    assert_int_equal(strlen(all), n);
    assert_non_null(strstr(all, "[stack]"));
    assert_int_equal(ls_file_slurp("/proc/self/smaps", &all, 8192, LS_SEC(5)), -EFBIG);
}

static int64_t opens(void *arg)
{
    return ls_file_open(arg, O_RDONLY, 0, LS_FOREVER);
}

TEST(a_file_is_closed_with_its_task)
{
    int fds = count_fds();
    assert_true(ls_await(ls_spawn(opens, "/dev/null")) >= 0);
    assert_int_equal(count_fds(), fds);
}

// Cancels the opening of a FIFO once it runs on the pool. One that is cancelled while it is queued ends at once: then
// again, with more time for the pool.
static ls_task cancel_while_it_runs(const char *path)
{
    for (int64_t given = LS_MSEC(20);; given *= 2) {
        ls_task t = ls_spawn(opens, (void *)(uintptr_t)path);
        assert_int_equal(ls_sleep(given), 0);
        assert_int_equal(ls_cancel(t), 0);
        assert_int_equal(ls_sleep(LS_MSEC(20)), 0);
        if (ls_alive(t))
            return t;
        assert_int_equal(ls_await(t), -ECANCELED);
        assert_true(given < LS_SEC(10));
    }
}

// The open of a FIFO sleeps on the pool until a writer comes. Cancelled meanwhile: waited for, and not leaked.
TEST(an_operation_that_runs_is_waited_for)
{
    const char *path = temporary();
    assert_int_equal(mkfifo(path, 0600), 0);
    int fds = count_fds();
    ls_task t = cancel_while_it_runs(path);
    int w = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(w >= 0);
    assert_true(ls_await(t) >= 0);
    close(w);
    assert_int_equal(count_fds(), fds);
    unlink(path);
}

// ---- offload ----

static int64_t on_thread(void *arg)
{
    return pthread_equal(pthread_self(), *(pthread_t *)arg) ? -EEXIST : 42;
}

TEST(offloaded_work_runs_on_another_thread)
{
    pthread_t self = pthread_self();
    assert_int_equal(ls_offload(on_thread, &self, LS_FOREVER), 42);
    assert_int_equal(ls_offload_abandon(on_thread, &self, NULL, LS_FOREVER), 42);
}

static int runs;
static sem_t gate; // work runs only when it is opened, however slow the machine is

static int64_t run_when_open(void *arg)
{
    (void)arg;
    while (sem_wait(&gate) < 0)
        continue;
    return __atomic_add_fetch(&runs, 1, __ATOMIC_RELAXED);
}

static int64_t offload_gated(void *arg)
{
    return ls_offload(run_when_open, arg, LS_FOREVER);
}

TEST(queued_work_that_is_cancelled_never_runs)
{
    enum { BUSY = 16 };
    ls_task busy[BUSY];
    runs = 0;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    for (int i = 0; i < BUSY; i++) // more than the pool has threads
        busy[i] = ls_spawn(offload_gated, NULL);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    ls_task queued = ls_spawn(offload_gated, NULL);
    assert_int_equal(ls_yield(), 0);
    assert_int_equal(ls_cancel(queued), 0);
    assert_int_equal(ls_await(queued), -ECANCELED); // while all before it stand at the gate
    assert_int_equal(__atomic_load_n(&runs, __ATOMIC_RELAXED), 0);
    for (int i = 0; i < BUSY; i++)
        sem_post(&gate);
    for (int i = 0; i < BUSY; i++)
        assert_true(ls_await(busy[i]) > 0);
    assert_int_equal(runs, BUSY);
}

static int drops;

static void drop(void *arg)
{
    (void)arg;
    drops++;
}

static int64_t abandons(void *arg)
{
    int64_t r = ls_offload_abandon(run_when_open, arg, drop, LS_MSEC(5));
    sem_post(&gate);
    return r;
}

// The loop ends only after the work that was left behind.
static void work_left_behind_is_dropped_before_the_loop_ends(void **state)
{
    (void)state;
    drops = runs = 0;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(ls_run(abandons, NULL), -ETIMEDOUT);
    assert_int_equal(runs, 1);
    assert_int_equal(drops, 1);
}

// ---- names ----

TEST(names_are_resolved)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *list;
    assert_int_equal(ls_resolve("127.0.0.1", "80", &hints, &list, LS_SEC(10)), 0);
    assert_non_null(list);
    assert_int_equal(list->ai_family, AF_INET);
    ls_addrinfo_free(list);
    ls_addrinfo_free(NULL);
    assert_int_equal(ls_resolve("localhost", NULL, &hints, &list, LS_SEC(10)),
                     0); // freed with the task
    assert_true(ls_resolve("no-such-host.invalid", NULL, NULL, &list, LS_SEC(20)) < 0);
    assert_null(list);
    assert_int_equal(ls_resolve("localhost", NULL, NULL, &list, 0), -ETIMEDOUT);
}

static int64_t resolve_one(void *arg)
{
    struct addrinfo *list;
    return ls_resolve(arg, NULL, NULL, &list, LS_FOREVER);
}

TEST(a_question_can_be_given_up)
{
    for (int i = 0; i < 20; i++) { // queued, running, or answered when the cancel comes
        ls_task t = ls_spawn(resolve_one, "localhost");
        for (int k = 0; k < i; k++)
            ls_yield();
        if (i % 4 == 3)
            ls_sleep(LS_USEC(200));
        if (ls_alive(t))
            ls_cancel(t);
        int64_t r = ls_await(t);
        assert_true(r == 0 || r == -ECANCELED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_file_of_unknown_size_is_read_whole),
        cmocka_unit_test(a_file_is_closed_with_its_task),
        cmocka_unit_test(an_operation_that_runs_is_waited_for),
        cmocka_unit_test(offloaded_work_runs_on_another_thread),
        cmocka_unit_test(queued_work_that_is_cancelled_never_runs),
        cmocka_unit_test(work_left_behind_is_dropped_before_the_loop_ends),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(a_question_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
