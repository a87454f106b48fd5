#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/confine/spawner.h"

#define LONG_MS 20000

static struct spawner *open_shell(const char *script, int fd)
{
    char *const argv[] = {"sh", "-c", (char *)script, NULL};
    const struct spawn_program p = {.file = "sh", .argv = argv, .fd = fd};
    struct spawner *s;
    assert_int_equal(spawner_open(&s, &p), 0);
    return s;
}

static void tells_the_end(void **state)
{
    (void)state;
    struct spawner *s = open_shell("exit 7", -1);
    struct spawn_end end;
    pid_t first = spawner_start(s, -1), second = spawner_start(s, -1);
    assert_true(first > 0 && second > 0 && first != second);
    assert_true(spawner_ended(s, second, LONG_MS, &end));
    assert_int_equal(WEXITSTATUS(end.status), 7);
    assert_true(end.cpu_ns > 0);
    assert_true(spawner_ended(s, first, LONG_MS, &end));
    assert_false(spawner_ended(s, first, 0, &end)); // told once
    spawner_close(s);
}

static void signals_its_own_only(void **state)
{
    (void)state;
    struct spawner *s = open_shell("exec sleep 100", -1);
    struct spawn_end end;
    pid_t pid = spawner_start(s, -1);
    assert_false(spawner_ended(s, pid, 0, &end));
    assert_int_equal(spawner_signal(s, getpid(), 0), -ESRCH);
    assert_int_equal(spawner_signal(s, spawner_pid(s), SIGKILL), -ESRCH);
    assert_int_equal(spawner_signal(s, pid, SIGKILL), 0);
    assert_true(spawner_ended(s, pid, LONG_MS, &end));
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
    assert_int_equal(spawner_signal(s, pid, SIGKILL),
                     -ESRCH); // reaped: the number may be another's
    spawner_close(s);
}

// A loop that polls the descriptor makes it non-blocking; an order's answer is waited for all the same.
static void answers_whoever_polls(void **state)
{
    (void)state;
    struct spawn_end end;
    struct spawner *s = open_shell("exit 3", -1);
    assert_int_equal(fcntl(spawner_fd(s), F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = spawner_start(s, -1);
        assert_true(pid > 0);
        assert_true(spawner_ended(s, pid, LONG_MS, &end));
        assert_int_equal(WEXITSTATUS(end.status), 3);
    }
    spawner_close(s);
}

static void passes_one_descriptor(void **state)
{
    (void)state;
    int out[2];
    char text[8] = "";
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct spawner *s = open_shell("echo found >&9", 9);
    assert_int_equal(spawner_start(s, -1), -EAGAIN); // it was to get one
    assert_true(spawner_start(s, out[1]) > 0);
    close(out[1]);
    assert_int_equal(read(out[0], text, sizeof(text)), 6);
    assert_string_equal(strtok(text, "\n"), "found");
    assert_int_equal(read(out[0], text, sizeof(text)), 0); // nobody else holds it
    close(out[0]);
    spawner_close(s);
}

static bool has_memfd(pid_t pid)
{
    char path[64], target[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        found |= strstr(target, "memfd:secret") != NULL;
    }
    closedir(dir);
    return found;
}

// What is started is this program again: it looks at itself, which no shell between them could do without
// changing what it sees. Signals 32 and 33 are the C library's own.
static int look_at_self(void)
{
    sigset_t blocked;
    struct sigaction now;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&blocked, i) > 0)
            return i;
    for (int i = 1; i < NSIG; i++)
        if (sigaction(i, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            return 100 + i;
    return has_memfd(getpid()) || has_memfd(getppid()) ? 99 : 0;
}

// It has nothing of the agent's: neither its close-on-exec descriptors nor its signals.
static void starts_clean(void **state)
{
    (void)state;
    char *const argv[] = {"test", "look", NULL};
    const struct spawn_program p = {.file = "/proc/self/exe", .argv = argv, .fd = -1};
    struct spawn_end end;
    struct spawner *s;
    sigset_t block;
    int secret = memfd_create("secret", MFD_CLOEXEC);
    assert_true(has_memfd(getpid()));
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(spawner_open(&s, &p), 0);
    pid_t pid = spawner_start(s, -1);
    assert_true(spawner_ended(s, pid, LONG_MS, &end));
    assert_int_equal(WEXITSTATUS(end.status), 0);
    assert_true(WIFEXITED(end.status));
    spawner_close(s);
    close(secret);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void a_failed_start_is_told(void **state)
{
    (void)state;
    char *const argv[] = {"none", NULL};
    const struct spawn_program p = {.file = "/nonexistent", .argv = argv, .fd = -1};
    struct spawner *s;
    assert_int_equal(spawner_open(&s, &p), 0);
    assert_int_equal(spawner_start(s, -1), -ENOENT);
    spawner_close(s);
}

static void a_killed_spawner_is_told(void **state)
{
    (void)state;
    struct spawn_end end;
    struct spawner *s = open_shell("exit 0", -1);
    kill(spawner_pid(s), SIGKILL);
    struct pollfd p = {.fd = spawner_fd(s), .events = POLLIN};
    assert_int_equal(poll(&p, 1, LONG_MS), 1);
    assert_false(spawner_is_gone(s));
    assert_false(spawner_ended(s, 1, 0, &end));
    assert_true(spawner_is_gone(s));
    assert_int_equal(spawner_start(s, -1), -EPIPE);
    spawner_close(s);
}

// ^C and a closed terminal are told to the agent, which decides.
static void outlives_signals_of_the_terminal(void **state)
{
    (void)state;
    struct spawner *s = open_shell("exit 0", -1);
    struct spawn_end end;
    kill(spawner_pid(s), SIGINT);
    kill(spawner_pid(s), SIGTERM);
    kill(spawner_pid(s), SIGHUP);
    pid_t pid = spawner_start(s, -1);
    assert_true(pid > 0);
    assert_true(spawner_ended(s, pid, LONG_MS, &end));
    spawner_close(s);
}

static void ends_with_its_owner(void **state)
{
    (void)state;
    int ends[2];
    pid_t spawner;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t owner = fork();
    if (owner == 0) {
        struct spawner *s = open_shell("exit 0", -1);
        spawner = spawner_pid(s);
        _exit(write(ends[1], &spawner, sizeof(spawner)) != sizeof(spawner));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &spawner, sizeof(spawner)), sizeof(spawner));
    waitpid(owner, NULL, 0);
    for (int i = 0; i < LONG_MS / 10 && kill(spawner, 0) == 0; i++) {
        char path[64], state_of[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", spawner);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, state_of, sizeof(state_of) - 1) : 0;
        if (fd >= 0)
            close(fd);
        if (n > 0 && strstr(state_of, ") Z")) // where nobody reaps orphans
            break;
        usleep(10000);
        assert_int_not_equal(i, LONG_MS / 10 - 1);
    }
    close(ends[0]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "look"))
        return look_at_self();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_end),
        cmocka_unit_test(signals_its_own_only),
        cmocka_unit_test(answers_whoever_polls),
        cmocka_unit_test(passes_one_descriptor),
        cmocka_unit_test(starts_clean),
        cmocka_unit_test(a_failed_start_is_told),
        cmocka_unit_test(a_killed_spawner_is_told),
        cmocka_unit_test(outlives_signals_of_the_terminal),
        cmocka_unit_test(ends_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
