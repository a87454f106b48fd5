// The tracker's table against the kernel's own: a program that makes and ends descriptors in every way there
// is, from four threads at once, is stopped at random moments and the two are compared.
//
// test_fd_track [STOPS]: 40 unless given.
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../agent/probe/fd_track.h"
#include "../../../agent/probe/fds.h"

#define THREADS      "4"
#define HIGHEST      20480
#define STOP_WAIT_MS 1000
#define SKIP         77

static int stops = 40;
static const char *torture;

struct seen {
    unsigned int keys;
    size_t shortest_stack;
};

static void on_opening(void *arg, const struct fd_opening *o)
{
    struct seen *s = arg;
    s->keys++;
    if (o->stack_len < s->shortest_stack)
        s->shortest_stack = o->stack_len;
}

static pid_t start(const char *execs)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        execl(torture, "fd_torture", THREADS, execs, "4", (char *)NULL);
        _exit(127);
    }
    usleep(100000);
    return pid;
}

static bool is_stopped(int pid, const char *tid)
{
    char path[320], line[512]; // tid is a name of a directory: up to 255 bytes to the compiler
    snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, tid);
    FILE *f = fopen(path, "re");
    if (!f)
        return true;
    const char *end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    fclose(f);
    return !end || strchr("TtZX", end[2]);
}

static bool all_stopped(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *d = opendir(path);
    bool stopped = d != NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && !is_stopped(pid, e->d_name))
            stopped = false;
    if (d)
        closedir(d);
    return stopped;
}

static bool stop(int pid)
{
    if (kill(pid, SIGSTOP))
        return false;
    for (int i = 0; i < STOP_WAIT_MS * 5; i++) {
        if (all_stopped(pid))
            return true;
        usleep(200);
    }
    return false;
}

static void list_proc(int pid, bool *open)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    memset(open, 0, HIGHEST);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && atoi(e->d_name) < HIGHEST)
            open[atoi(e->d_name)] = true;
    if (d)
        closedir(d);
}

// How many numbers differ, by number and by file.
static int compare(struct fd_track *t, struct fds *f, int pid, int *files)
{
    static bool open[HIGHEST];
    const struct fd_row *rows;
    struct fd_slot slot;
    int wrong = 0, n = fds_list(f, pid, &rows);
    list_proc(pid, open);
    for (int fd = 0; fd < HIGHEST; fd++)
        if (open[fd] != fd_track_is_open(t, fd)) {
            if (wrong < 5)
                print_message("fd %d: open %d, table %d\n", fd, open[fd], fd_track_is_open(t, fd));
            wrong++;
        }
    *files = 0;
    for (int i = 0; i < n; i++)
        *files += !fd_track_slot(t, rows[i].fd, rows[i].file, &slot);
    return wrong;
}

static void test_table_equals_kernels(void **state)
{
    (void)state;
    struct error err = {0};
    struct fd_track *t;
    struct fds *f;
    struct seen seen = {.shortest_stack = SIZE_MAX};
    char execs[16];
    snprintf(execs, sizeof(execs), "%d", 2 + stops / 50);
    pid_t pid = start(execs);
    assert_int_equal(fds_open(&f, false, &err), 0);
    if (fd_track_open(&t, pid, HIGHEST, on_opening, &seen, &err)) {
        print_message("skipped: %s\n", err.text);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        exit(SKIP);
    }
    srand((unsigned int)pid);
    int done = 0, wrong = 0, wrong_files = 0;
    while (done < stops && waitpid(pid, NULL, WNOHANG) == 0) {
        int files;
        usleep((useconds_t)(rand() % 20000 + 200));
        fd_track_dispatch(t);
        if (stop(pid)) {
            wrong += compare(t, f, pid, &files);
            wrong_files += files;
            done++;
        }
        kill(pid, SIGCONT);
    }
    uint64_t opened = 0, closed = 0;
    for (unsigned int key = 1; key < LS_FD_KEYS; key++) {
        uint64_t o, c;
        fd_track_counts(t, key, &o, &c);
        opened += o;
        closed += c;
        assert_true(c <= o);
    }
    print_message(
        "%d stops, %d numbers and %d files differ; %u keys, %llu openings, %llu stacks lost\n",
        done, wrong, wrong_files, seen.keys, (unsigned long long)opened,
        (unsigned long long)fd_track_lost(t));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fd_track_close(t);
    fds_close(f);
    assert_int_equal(done, stops);
    assert_int_equal(wrong, 0);
    assert_int_equal(wrong_files, 0);
    assert_true(opened > 1000 && closed > 1000);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        stops = atoi(argv[1]);
    torture = getenv("FD_TORTURE");
    if (!torture || access(torture, X_OK)) {
        print_message("skipped: FD_TORTURE does not name the program\n");
        return SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table_equals_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
