// An opener holds one capability and three system calls, answers what it was made for, and ends with its agent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/confine/opener.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LOOPSCOPE_COVERAGE)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { OPEN, REFUSE, TRESPASS };

static int act(const struct opener_order *o)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .exclude_kernel = 1,
                                   .disabled = 1};
    switch (o->kind) {
    case OPEN: {
        int fd = (int)syscall(SYS_perf_event_open, &attr, o->tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    case TRESPASS: return (int)syscall(SYS_getpid);
    default: return -(int)o->address;
    }
}

static struct opener *start(void)
{
    struct opener *o;
    assert_int_equal(opener_open(&o, act), 0);
    return o;
}

static int ask(struct opener *o, uint32_t kind, int tid, uint64_t address)
{
    return opener_ask(o, &(struct opener_order){.kind = kind, .tid = tid, .address = address});
}

static uint64_t set_of(pid_t pid, const char *name, int base)
{
    char path[64], line[256];
    unsigned long long set = ~0ull;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            set = strtoull(line + strlen(name) + 1, NULL, base);
    if (f)
        fclose(f);
    return set;
}

static void passes_what_it_opens(void **state)
{
    (void)state;
    char path[64], kind[64] = "";
    struct opener *o = start();
    for (int i = 0; i < 100; i++) {
        int fd = ask(o, OPEN, getpid(), 0);
        if (fd == -EACCES || fd == -EPERM) { // not root, and a kernel that asks for it
            opener_close(o);
            skip();
        }
        assert_true(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_true(readlink(path, kind, sizeof(kind) - 1) > 0);
        assert_non_null(strstr(kind, "perf_event"));
        close(fd);
    }
    opener_close(o);
}

static void passes_why_not(void **state)
{
    (void)state;
    struct opener *o = start();
    assert_int_equal(ask(o, REFUSE, 1, EMFILE), -EMFILE);
    assert_int_equal(ask(o, OPEN, 0x7ffffffe, 0), -ESRCH);
    assert_int_equal(ask(o, REFUSE, 1, EINVAL), -EINVAL); // it lives on
    opener_close(o);
}

static void holds_one_capability(void **state)
{
    (void)state;
    struct opener *o = start();
    assert_int_equal(ask(o, REFUSE, 1, EINVAL), -EINVAL); // it has shed the rest by now
    pid_t pid = opener_pid(o);
    assert_int_equal(set_of(pid, "CapEff", 16) & ~(1ull << 21), 0); // CAP_SYS_ADMIN
    assert_int_equal(set_of(pid, "CapPrm", 16) & ~(1ull << 21), 0);
    assert_int_equal(set_of(pid, "CapInh", 16), 0);
    assert_int_equal(set_of(pid, "CapAmb", 16), 0);
    if (geteuid() == 0)
        assert_int_equal(set_of(pid, "CapBnd", 16), 0);
    assert_int_equal(set_of(pid, "NoNewPrivs", 10), 1);
    if (!SANITIZED)
        assert_int_equal(set_of(pid, "Seccomp", 10), 2);
    opener_close(o);
}

static void dies_of_any_other_call(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    struct opener *o = start();
    assert_int_equal(ask(o, TRESPASS, 1, 0), -EPIPE);
    assert_int_equal(ask(o, REFUSE, 1, EINVAL), -EPIPE); // no answer is awaited from the dead
    opener_close(o);
}

static void holds_no_descriptor_of_the_agent(void **state)
{
    (void)state;
    int pair[2];
    char path[64], byte;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    struct opener *o = start();
    assert_int_equal(ask(o, REFUSE, 1, EINVAL), -EINVAL);
    close(pair[1]);
    assert_int_equal(read(pair[0], &byte, 1), 0); // the opener does not hold its other end
    close(pair[0]);
    snprintf(path, sizeof(path), "/proc/%d/fd", opener_pid(o));
    DIR *dir = opendir(path);
    int n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    assert_in_range(n, 1, 2); // stderr, and what it talks by
    opener_close(o);
}

static void ends_with_the_agent(void **state)
{
    (void)state;
    int pair[2];
    pid_t pid = 0;
    assert_int_equal(pipe(pair), 0);
    pid_t agent = fork();
    if (agent == 0) {
        struct opener *o;
        if (opener_open(&o, act) < 0)
            _exit(1);
        pid = opener_pid(o);
        _exit(write(pair[1], &pid, sizeof(pid)) != sizeof(pid)); // without a word to it
    }
    close(pair[1]);
    assert_int_equal(read(pair[0], &pid, sizeof(pid)), sizeof(pid));
    close(pair[0]);
    waitpid(agent, NULL, 0);
    int lives = 1;
    for (int i = 0; i < 2000 && lives; i++) { // gone, or a zombie that nobody has reaped yet
        usleep(10000);
        lives = set_of(pid, "Threads", 10) == 1 && set_of(pid, "VmSize", 10) != ~0ull;
    }
    assert_false(lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_what_it_opens),
        cmocka_unit_test(passes_why_not),
        cmocka_unit_test(holds_one_capability),
        cmocka_unit_test(dies_of_any_other_call),
        cmocka_unit_test(holds_no_descriptor_of_the_agent),
        cmocka_unit_test(ends_with_the_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
