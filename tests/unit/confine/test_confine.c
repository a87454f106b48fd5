// Each case runs in a child that is confined, and says by its status what it could do there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/confine/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LOOPSCOPE_COVERAGE)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { WENT, REFUSED, OTHERWISE };

static int outcome(long result)
{
    return result >= 0 ? WENT : errno == EPERM ? REFUSED : OTHERWISE;
}

static int child_after(struct confinement c, int (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(confine(&c, NULL) < 0 ? 99 : act());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int try_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int try_exec(void)
{
    char *argv[] = {"true", NULL}, *none[] = {NULL};
    return outcome(execve("/bin/true", argv, none));
}

static int try_kill(void)
{
    return outcome(kill(getppid(), 0));
}

static int try_ptrace(void)
{
    return outcome(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
}

static int try_write_memory(void)
{
    static char bytes[8];
    struct iovec v = {bytes, sizeof(bytes)};
    return outcome(process_vm_writev(getppid(), &v, 1, &v, 1, 0));
}

static int try_open_memory(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
    return outcome(open(path, O_RDWR));
}

static int try_open_for_writing(void)
{
    return outcome(open("/dev/null", O_WRONLY));
}

static int try_create(void)
{
    return outcome(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int try_unlink(void)
{
    return unlink("/nonexistent/file") < 0 && errno == ENOENT ? WENT : outcome(-1);
}

static int try_connect(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_exec_memory(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? outcome(-1) : WENT;
}

static int try_setuid(void)
{
    return outcome(syscall(SYS_setuid, getuid()));
}

static int try_type(void)
{
    return outcome(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static void what_harms_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*act)(void);
    } refused[] = {
        {"fork", try_fork},
        {"execve", try_exec},
        {"kill", try_kill},
        {"ptrace", try_ptrace},
        {"process_vm_writev", try_write_memory},
        {"open of memory for writing", try_open_memory},
        {"open for writing", try_open_for_writing},
        {"create", try_create},
        {"unlink", try_unlink},
        {"socket", try_connect},
        {"executable memory", try_exec_memory},
        {"setuid", try_setuid},
        {"TIOCSTI", try_type},
    };
    if (SANITIZED)
        skip();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int got = child_after((struct confinement){0}, refused[i].act);
        if (got != REFUSED)
            fail_msg("%s: outcome %d", refused[i].name, got);
    }
}

static int read_a_file(void)
{
    char byte;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1 ? WENT : outcome(-1);
}

static int read_memory(void)
{
    static char from[8] = "content", to[8];
    struct iovec l = {to, sizeof(to)}, r = {from, sizeof(from)};
    return process_vm_readv(getpid(), &l, 1, &r, 1, 0) == sizeof(to) && !strcmp(to, "content")
               ? WENT
               : outcome(-1);
}

static void *nothing(void *arg)
{
    return arg;
}

static int start_a_thread(void)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, nothing, NULL);
    return errno ? outcome(-1) : outcome(-pthread_join(thread, NULL));
}

static int ask_for_peers(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 4));
}

static int abort_itself(void)
{
    abort();
}

static void what_is_needed_goes(void **state)
{
    (void)state;
    const struct confinement writes = {.writes = true}, unlinks = {.unlinks = true}, none = {0};
    assert_int_equal(child_after(none, read_a_file), WENT);
    assert_int_equal(child_after(none, read_memory), WENT);
    assert_int_equal(child_after(none, start_a_thread), WENT);
    assert_int_equal(child_after(none, ask_for_peers), WENT);
    assert_int_equal(child_after(none, abort_itself), -SIGABRT);
    assert_int_equal(child_after(writes, try_open_for_writing), WENT);
    assert_int_equal(child_after(writes, try_create), WENT);
    assert_int_equal(child_after(writes, try_unlink), WENT);
    assert_int_equal(child_after(unlinks, try_unlink), WENT);
}

static uint64_t set_of(const char *name)
{
    char line[256];
    unsigned long long set = ~0ull;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)))
            set = strtoull(line + strlen(name) + 1, NULL, 16);
    if (f)
        fclose(f);
    return set;
}

#define KEPT (1ull << 39 | 1ull << 38 | 1ull << 19 | 1ull << 2 | 1ull << 40)

static int keeps_at_most_five(void)
{
    bool right = !(set_of("CapEff") & ~KEPT) && !(set_of("CapPrm") & ~KEPT) &&
                 set_of("CapInh") == 0 && set_of("CapAmb") == 0 && set_of("NoNewPrivs") == 1;
    if (geteuid() == 0)
        right = right && set_of("CapBnd") == 0;
    return right ? WENT : OTHERWISE;
}

static int keeps_the_override(void)
{
    return set_of("CapEff") >> 1 & 1 ? WENT : OTHERWISE; // CAP_DAC_OVERRIDE
}

static void capabilities_are_shed(void **state)
{
    (void)state;
    assert_int_equal(child_after((struct confinement){0}, keeps_at_most_five), WENT);
    assert_int_equal(child_after((struct confinement){.output = "/tmp/x.lsr", .writes = true},
                                 keeps_at_most_five),
                     WENT);
}

// root's right to write into the folder of another is kept when that is what it was told to do, and only then.
static void anothers_folder_can_be_written(void **state)
{
    (void)state;
    char folder[] = "/tmp/loopscope-confine-XXXXXX", file[64];
    if (!(set_of("CapEff") >> 1 & 1) || geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chown(folder, 65534, 65534), 0);
    snprintf(file, sizeof(file), "%s/out", folder);
    int got = child_after((struct confinement){.output = file, .writes = true}, keeps_the_override);
    rmdir(folder);
    assert_int_equal(got, WENT);
}

static int enters_twice(void)
{
    struct confinement again = {.entered = true};
    return confine(&again, NULL) == 0 ? WENT : OTHERWISE;
}

static void a_second_time_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(child_after((struct confinement){0}, enters_twice), WENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_harms_is_refused),
        cmocka_unit_test(what_is_needed_goes),
        cmocka_unit_test(capabilities_are_shed),
        cmocka_unit_test(anothers_folder_can_be_written),
        cmocka_unit_test(a_second_time_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
