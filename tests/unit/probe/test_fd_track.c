// The tracker's table against the kernel's own: a program that makes and ends descriptors in every way there
// is, from four threads at once, is stopped at random moments and the two are compared.
//
// Both ways of following are tried, the one that the kernel refuses is skipped by name.
//
// test_fd_track [STOPS [fexit|sys_exit]]: 40 stops unless given; a source that is named must load.
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
#define EXECS        "100000" // more than it lives for
#define HIGHEST      20480
#define STOP_WAIT_MS 1000
#define SKIP         77
#define PROGRESS     250

static int stops = 40;
static const char *torture, *wanted;

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

static pid_t start(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        execl(torture, "fd_torture", THREADS, EXECS, "4", (char *)NULL);
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

// Whether this source was asked for by name.
static bool is_wanted(const char *source)
{
    return wanted && strcmp(wanted, source) == 0;
}

static void equals_kernels(enum fd_track_source source, const char *name)
{
    if (wanted && !is_wanted(name))
        skip();
    struct error err = {0};
    struct fd_track *t;
    struct fds *f;
    struct seen seen = {.shortest_stack = SIZE_MAX};
    pid_t pid = start();
    const struct fd_track_config config = {.pid = pid, .descriptors = HIGHEST, .source = source};
    assert_int_equal(fds_open(&f, false, &err), 0);
    if (fd_track_open(&t, &config, on_opening, &seen, &err)) {
        print_message("%s: skipped: %s\n", name, err.text);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        fds_close(f);
        assert_false(is_wanted(name));
        skip();
    }
    assert_string_equal(fd_track_source(t), name);
    srand((unsigned int)pid);
    int done = 0, wrong = 0, wrong_files = 0;
    while (done < stops && waitpid(pid, NULL, WNOHANG) == 0) {
        int files;
        usleep((useconds_t)(rand() % 20000 + 200));
        fd_track_dispatch(t);
        if (stop(pid)) {
            wrong += compare(t, f, pid, &files);
            wrong_files += files;
            if (++done % PROGRESS == 0)
                print_message("%s: %d stops, %d differ\n", name, done, wrong + wrong_files);
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
        "%s: %d stops, %d numbers and %d files differ; %u keys, %llu openings, %llu stacks lost\n",
        name, done, wrong, wrong_files, seen.keys, (unsigned long long)opened,
        (unsigned long long)fd_track_lost(t));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fd_track_close(t);
    fds_close(f);
    assert_int_equal(done, stops);
    assert_int_equal(wrong, 0);
    assert_int_equal(wrong_files, 0);
    assert_true(opened > (uint64_t)stops &&
                closed > (uint64_t)stops / 2); // an emulated CPU does few
}

static void test_fexit(void **state)
{
    (void)state;
    equals_kernels(FD_TRACK_FEXIT, "fexit");
}

static void test_sys_exit(void **state)
{
    (void)state;
    equals_kernels(FD_TRACK_TRACEPOINT, "sys_exit");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        stops = atoi(argv[1]);
    if (argc > 2)
        wanted = argv[2];
    torture = getenv("FD_TORTURE");
    if (!torture || access(torture, X_OK)) {
        print_message("skipped: FD_TORTURE does not name the program\n");
        return SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fexit),
                                       cmocka_unit_test(test_sys_exit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
