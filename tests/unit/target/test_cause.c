// What a system call waits for, told from descriptors, memory and locks that are really there: our own.
#include "fakes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/target/cause.h"
#include "agent/target/fdinfo.h"
#include "agent/target/locks.h"
#include "agent/target/syscalls.h"

static struct cause cause_of(struct snap *box, long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct cause c;
    const uint64_t args[6] = {a0, a1, a2};
    cause_of_call(getpid(), getpid(), nr, args, box, &c);
    return c;
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(syscall_name(SYS_fsync), "fsync");
    assert_string_equal(syscall_name(SYS_openat), "openat");
    assert_null(syscall_name(100000));
    assert_null(syscall_name(-1));
    assert_int_equal(syscall_fd_arg(SYS_write), 0);
    assert_int_equal(syscall_fd_arg(SYS_openat), -1);
}

static void test_log_file(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    char path[] = "/tmp/cause.XXXXXX.log";
    int fd = mkstemps(path, 4);
    struct cause c = cause_of(box, SYS_fsync, (uint64_t)fd, 0, 0);
    assert_int_equal(c.kind, CAUSE_SYSCALL);
    assert_string_equal(c.syscall, "fsync");
    assert_int_equal(c.fd, fd);
    assert_string_equal(c.path, path);
    assert_true(c.is_log);
    assert_false(c.nonblock_missing); // a file never blocks that way
    c = cause_of(box, SYS_read, (uint64_t)fd, 0, 0);
    assert_false(c.is_log); // reading a log is no logging
    close(fd);
    unlink(path);
    snap_unref(box);
}

static void test_paths_that_are_logs(void **state)
{
    (void)state;
    assert_true(path_is_log("/srv/app.log"));
    assert_true(path_is_log("/var/log/messages"));
    assert_true(path_is_log("/srv/app.log.1"));
    assert_true(path_is_log("/dev/log"));
    assert_false(path_is_log("/srv/catalog"));
    assert_false(path_is_log("/srv/log/app.db"));
}

static void test_pipe_and_socket(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    int p[2], s[2];
    assert_int_equal(pipe(p), 0);
    struct cause c = cause_of(box, SYS_read, (uint64_t)p[0], 0, 0);
    assert_int_equal(strncmp(c.path, "pipe:[", 6), 0);
    assert_true(c.nonblock_missing);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    c = cause_of(box, SYS_read, (uint64_t)p[0], 0, 0);
    assert_false(c.nonblock_missing);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    c = cause_of(box, SYS_recvfrom, (uint64_t)s[0], 0, 0);
    assert_int_equal(strncmp(c.path, "socket:[", 8), 0);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(s[i]);
    }
    snap_unref(box);
}

static void test_tcp_peer(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    char expected[64];
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(server, 1), 0);
    getsockname(server, (struct sockaddr *)&at, &len);
    snprintf(expected, sizeof(expected), "tcp 127.0.0.1:%u", ntohs(at.sin_port));
    // Not connected yet: the address is in the call's own arguments.
    struct cause c =
        cause_of(box, SYS_connect, (uint64_t)client, (uint64_t)(uintptr_t)&at, sizeof(at));
    assert_string_equal(c.peer, expected);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
    c = cause_of(box, SYS_recvfrom, (uint64_t)client, 0, 0);
    assert_string_equal(c.peer, expected);
    close(client);
    close(server);
    snap_unref(box);
}

static void test_path_argument(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    static const char path[] = "/data/fifo";
    struct cause c = cause_of(box, SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)(uintptr_t)path, 0);
    assert_string_equal(c.path, path);
    assert_int_equal(c.fd, SNAP_UNKNOWN);
    c = cause_of(box, SYS_openat, 0, 0x10, 0); // a pointer to nowhere
    assert_null(c.path);
    snap_unref(box);
}

static void test_bad_descriptor_stays_unknown(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    struct cause c = cause_of(box, SYS_read, 9999, 0, 0);
    assert_int_equal(c.fd, 9999);
    assert_null(c.path);
    assert_null(c.peer);
    snap_unref(box);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static pid_t holder_tid;

static void *hold(void *arg)
{
    holder_tid = (pid_t)syscall(SYS_gettid);
    pthread_mutex_lock(&mutex);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void test_mutex_and_its_holder(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&barrier);
    struct cause c =
        cause_of(box, SYS_futex, (uint64_t)(uintptr_t)&mutex, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2);
    assert_int_equal(c.kind, CAUSE_LOCK);
    assert_int_equal(strncmp(c.lock, "mutex 0x", 8), 0);
    assert_int_equal(c.holder_tid, holder_tid);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    snap_unref(box);
}

static void test_other_futex_has_no_holder(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    uint32_t words[4] = {7, 0, 1, 0}; // a counter that looks like a tid: of no thread of ours
    struct cause c = cause_of(box, SYS_futex, (uint64_t)(uintptr_t)words, FUTEX_WAIT, 7);
    assert_int_equal(c.kind, CAUSE_LOCK);
    assert_int_equal(strncmp(c.lock, "futex 0x", 8), 0);
    assert_int_equal(c.holder_tid, SNAP_UNKNOWN);
    uint64_t wake[6] = {(uint64_t)(uintptr_t)words, FUTEX_WAKE};
    assert_false(syscall_is_lock(SYS_futex, wake));
    snap_unref(box);
}

static void test_flock_and_its_holder(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    char path[] = "/tmp/cause.XXXXXX", byte;
    int fd = mkstemp(path), ready[2];
    assert_int_equal(pipe(ready), 0);
    int child = fork();
    if (child == 0) {
        int own = open(path, O_RDWR);
        flock(own, LOCK_EX);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct cause c = cause_of(box, SYS_flock, (uint64_t)fd, LOCK_EX, 0);
    assert_int_equal(c.kind, CAUSE_LOCK);
    assert_string_equal(c.lock, "flock");
    assert_string_equal(c.path, path);
    assert_int_equal(c.holder_tid, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(path);
    close(fd);
    close(ready[0]);
    close(ready[1]);
    snap_unref(box);
}

static void test_child_that_is_waited_for(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    char expected[64];
    int child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(expected, sizeof(expected), "child %d (", child);
    struct cause c = cause_of(box, SYS_wait4, (uint64_t)child, 0, 0);
    assert_int_equal(strncmp(c.peer, expected, strlen(expected)), 0);
    c = cause_of(box, SYS_wait4, (uint64_t)-1, 0, 0); // any: the newest
    assert_int_equal(strncmp(c.peer, expected, strlen(expected)), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    snap_unref(box);
}

static void test_childs_command_line(void **state)
{
    (void)state;
    struct snap *box = snap_new();
    char expected[64];
    int child;
    char *const argv[] = {"sleep", "30.5", NULL}, *const none[] = {NULL};
    if (posix_spawnp(&child, "sleep", NULL, NULL, argv, none) != 0)
        skip();
    usleep(100000);
    snprintf(expected, sizeof(expected), "child %d (sleep 30.5)", child);
    struct cause c = cause_of(box, SYS_wait4, (uint64_t)child, 0, 0);
    assert_string_equal(c.peer, expected);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    snap_unref(box);
}

static enum cause_kind kind_of(struct probe_sample s)
{
    struct snap *box = snap_new();
    struct cause c;
    s.pid = s.tid = getpid();
    cause_of_sample(&s, box, &c);
    snap_unref(box);
    return c.kind;
}

static void test_kind_of_a_sample(void **state)
{
    (void)state;
    struct probe_sample s = {.state = 'S', .syscall = SYS_read};
    assert_int_equal(kind_of(s), CAUSE_SYSCALL);
    s.syscall = -1;
    assert_int_equal(kind_of(s), CAUSE_PAGE_FAULT);
    s.state = 'T';
    assert_int_equal(kind_of(s), CAUSE_STOPPED);
    s.state = 'R';
    s.split.runqueue = 90 * MS;
    s.split.cpu_user = 10 * MS;
    assert_int_equal(kind_of(s), CAUSE_RUNQUEUE);
    s.split.cpu_user = 95 * MS; // preempted for a moment: it computes
    assert_int_equal(kind_of(s), CAUSE_CPU_USER);
    s.on_cpu = true;
    assert_int_equal(kind_of(s), CAUSE_CPU_USER);
    s.kernel_mode = true;
    assert_int_equal(kind_of(s), CAUSE_CPU_KERNEL);
}

static void test_winner(void **state)
{
    (void)state;
    double ratio;
    struct time_split t = {.cpu_user = 30, .cpu_kernel = 40, .syscall = 60, .runqueue = 10};
    assert_int_equal(split_winner(&t, 140, &ratio), CAUSE_CPU_KERNEL); // 70 of computing
    assert_float_equal((float)ratio, 0.5f, 0.001f);
    t.syscall = 80;
    assert_int_equal(split_winner(&t, 160, &ratio), CAUSE_SYSCALL);
    assert_int_equal(split_winner(&(struct time_split){0}, 160, &ratio), CAUSE_UNKNOWN);
    // The collector's time is computing, too: neither what waits for a CPU nor the kernel had more than that.
    t = (struct time_split){.cpu_user = 10, .cpu_kernel = 14, .gc = 24, .runqueue = 40};
    assert_int_equal(split_winner(&t, 100, &ratio), CAUSE_GC);
    assert_true(ratio > 0.23 && ratio < 0.25);
    t = (struct time_split){.cpu_user = 13, .cpu_kernel = 14, .gc = 12, .runqueue = 20};
    assert_int_equal(split_winner(&t, 60, &ratio), CAUSE_CPU_USER);
    t = (struct time_split){.cpu_user = 5, .cpu_kernel = 30, .gc = 12};
    assert_int_equal(split_winner(&t, 60, &ratio), CAUSE_CPU_KERNEL);
    const struct probe_split p = {.sleep_syscall = 100, .sleep_futex = 5};
    const uint64_t args[6] = {0};
    t = split_of_turn(&p, SYS_flock, args, 90); // a file lock's sleep is a lock's
    assert_int_equal(t.lock, 95);
    assert_int_equal(t.syscall, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_log_file),
        cmocka_unit_test(test_paths_that_are_logs),
        cmocka_unit_test(test_pipe_and_socket),
        cmocka_unit_test(test_tcp_peer),
        cmocka_unit_test(test_path_argument),
        cmocka_unit_test(test_bad_descriptor_stays_unknown),
        cmocka_unit_test(test_mutex_and_its_holder),
        cmocka_unit_test(test_other_futex_has_no_holder),
        cmocka_unit_test(test_flock_and_its_holder),
        cmocka_unit_test(test_child_that_is_waited_for),
        cmocka_unit_test(test_childs_command_line),
        cmocka_unit_test(test_kind_of_a_sample),
        cmocka_unit_test(test_winner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
