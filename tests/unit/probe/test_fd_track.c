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
#define STOP_AGAIN   25 // looks: an exec at that moment loses a stop
#define SKIP         77
#define PROGRESS     250
#define TOLD         20 // differences, one by one

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
    for (int i = 0; i < STOP_WAIT_MS * 5; i++) {
        if (i % STOP_AGAIN == 0 && kill(pid, SIGSTOP))
            return false;
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

struct trial {
    const char *name;
    pid_t pid;
    struct fd_track *t;
    struct fds *f;
    struct seen seen;
    int done, wrong, wrong_files;
    uint64_t mended;
    int64_t stopping_ns, comparing_ns;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void tell_difference(const struct trial *x, int fd, bool open)
{
    char path[64], file[128];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", x->pid, fd);
    ssize_t n = readlink(path, file, sizeof(file) - 1);
    file[n < 0 ? 0 : n] = '\0';
    print_message("%s: stop %d: fd %d: open %d, table %d %s\n", x->name, x->done, fd, open, !open,
                  file);
}

// How many numbers differ, by number and by file.
static void compare(struct trial *x)
{
    static bool open[HIGHEST];
    const struct fd_row *rows;
    struct fd_slot slot;
    int n = fds_list(x->f, x->pid, &rows);
    list_proc(x->pid, open);
    for (int fd = 0; fd < HIGHEST; fd++)
        if (open[fd] != fd_track_is_open(x->t, fd) && x->wrong++ < TOLD)
            tell_difference(x, fd, open[fd]);
    for (int i = 0; i < n; i++)
        x->wrong_files += !fd_track_slot(x->t, rows[i].fd, rows[i].file, &slot);
}

// Whether this source was asked for by name.
static bool is_wanted(const char *source)
{
    return wanted && strcmp(wanted, source) == 0;
}

static void end_torture(struct trial *x)
{
    kill(x->pid, SIGKILL);
    waitpid(x->pid, NULL, 0);
    fd_track_close(x->t);
    fds_close(x->f);
}

static void begin(struct trial *x, enum fd_track_source source)
{
    struct error err = {0};
    x->seen.shortest_stack = SIZE_MAX;
    x->pid = start();
    const struct fd_track_config config = {.pid = x->pid, .descriptors = HIGHEST, .source = source};
    assert_int_equal(fds_open(&x->f, false, &err), 0);
    if (fd_track_open(&x->t, &config, on_opening, &x->seen, &err)) {
        print_message("%s: skipped: %s\n", x->name, err.text);
        x->t = NULL;
        end_torture(x);
        assert_false(is_wanted(x->name));
        skip();
    }
    assert_string_equal(fd_track_source(x->t), x->name);
    srand((unsigned int)x->pid);
}

static void stop_and_compare(struct trial *x)
{
    usleep((useconds_t)(rand() % 20000 + 200));
    fd_track_dispatch(x->t);
    int64_t began = now_ns();
    bool stopped = stop(x->pid);
    int64_t stood = now_ns();
    x->stopping_ns += stood - began;
    if (stopped) {
        x->mended = fd_track_settle(x->t);
        compare(x);
        x->comparing_ns += now_ns() - stood;
        if (++x->done % PROGRESS == 0)
            print_message("%s: %d stops, %d differ\n", x->name, x->done, x->wrong + x->wrong_files);
    }
    kill(x->pid, SIGCONT);
}

static void add_counts(const struct trial *x, uint64_t *opened, uint64_t *closed)
{
    for (unsigned int key = 1; key < LS_FD_KEYS; key++) {
        uint64_t o, c;
        fd_track_counts(x->t, key, &o, &c);
        *opened += o;
        *closed += c;
        assert_true(c <= o);
    }
}

static void equals_kernels(enum fd_track_source source, const char *name)
{
    struct trial x = {.name = name};
    uint64_t opened = 0, closed = 0;
    if (wanted && !is_wanted(name))
        skip();
    begin(&x, source);
    int64_t began = now_ns();
    while (x.done < stops && waitpid(x.pid, NULL, WNOHANG) == 0)
        stop_and_compare(&x);
    add_counts(&x, &opened, &closed);
    print_message("%s: %d stops in %.0f s (%.0f stopping, %.0f comparing), %d numbers and %d files "
                  "differ; %u keys, %llu openings, %llu stacks lost, %llu unseen and mended\n",
                  name, x.done, (double)(now_ns() - began) / 1e9, (double)x.stopping_ns / 1e9,
                  (double)x.comparing_ns / 1e9, x.wrong, x.wrong_files, x.seen.keys,
                  (unsigned long long)opened, (unsigned long long)fd_track_lost(x.t),
                  (unsigned long long)x.mended);
    end_torture(&x);
    assert_int_equal(x.done, stops);
    assert_int_equal(x.wrong, 0);
    assert_int_equal(x.wrong_files, 0);
    // An emulated CPU does few.
    assert_true(opened > (uint64_t)stops && closed > (uint64_t)stops / 2);
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
