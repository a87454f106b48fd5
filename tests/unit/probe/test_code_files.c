// The files of a process's code, by paths that can be opened: also of a program with a blank in its name that
// was removed after its start.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/probe/code_files.h"

#define LOOKS 2000 // of 10 ms: more than any machine takes

struct seen {
    int files;
    bool libc, exe, exe_opens;
};

static bool look(void *arg, const struct code_file *f)
{
    struct seen *s = arg;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    s->files++;
    assert_true(f->end > f->start);
    assert_null(strchr(f->leaf, '/'));
    s->libc |= fd >= 0 && !strncmp(f->leaf, "libc.so", 7);
    s->exe |= f->is_exe;
    s->exe_opens |= f->is_exe && fd >= 0;
    if (fd >= 0)
        close(fd);
    return false;
}

static void own_files_are_found(void **state)
{
    (void)state;
    struct seen s = {0};
    assert_false(code_files_each(getpid(), look, &s));
    assert_true(s.libc && s.exe_opens);
}

static bool stop(void *arg, const struct code_file *f)
{
    (void)f;
    ++*(int *)arg;
    return true;
}

static void it_ends_when_told_to(void **state)
{
    (void)state;
    int calls = 0;
    assert_true(code_files_each(getpid(), stop, &calls));
    assert_int_equal(calls, 1);
    assert_false(code_files_each(0x7ffffff0, stop, &calls));
    assert_false(code_files_each(2, stop, &calls)); // a kernel thread has no code
    assert_int_equal(calls, 1);
}

static void copy_self(const char *path)
{
    struct stat st;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(from >= 0 && to >= 0 && fstat(from, &st) == 0);
    while (sendfile(to, from, NULL, (size_t)st.st_size) > 0)
        ;
    close(from);
    close(to);
}

// Until the exec, the child is this program.
static bool runs(int pid, const char *path)
{
    char link[64], exe[256];
    snprintf(link, sizeof(link), "/proc/%d/exe", pid);
    ssize_t n = readlink(link, exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = '\0';
    return !strcmp(exe, path);
}

static void a_removed_program_is_found(void **state)
{
    (void)state;
    char folder[] = "/tmp/loopscope-test-code-XXXXXX", path[64];
    struct seen s = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/my program", folder);
    copy_self(path);
    int pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(path, path, "pause", (char *)NULL);
        _exit(1);
    }
    for (int i = 0; i < LOOKS && !runs(pid, path); i++)
        usleep(10000);
    unlink(path);
    rmdir(folder);
    code_files_each(pid, look, &s);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(s.exe && s.exe_opens);
}

int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_files_are_found),
        cmocka_unit_test(it_ends_when_told_to),
        cmocka_unit_test(a_removed_program_is_found),
    };
    for (; argc > 1;) // the program that is removed
        pause();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
