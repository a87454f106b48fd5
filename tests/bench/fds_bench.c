// What looking at descriptors costs: the inventory of many, and a pair of eventfd() and close() in a program
// that is not watched, beside an inventory that runs, and with its openers followed. CPU time of the program's own,
// the median of rounds that take turns, so that what else the machine does weighs on all alike.
#include <bpf/libbpf.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../agent/probe/fd_track.h"
#include "../../agent/probe/fds.h"

#define MANY      19000
#define LISTS     15
#define BLOCKS    5
#define ROUNDS    25 // of all blocks; a tracker is attached once a block
#define PAIRS     20000
#define GOAL_MS   15.0
#define GOAL_PAIR 2.0
#define GOAL_IDLE 1.03 // 1.00 and the noise of a median

enum how { HOW_ALONE, HOW_INVENTORY, HOW_OTHER_TRACKED, HOW_TRACKED, HOWS };

struct child {
    pid_t pid;
    int to, from;
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_size);
    return values[n / 2];
}

static double pair_ns(void)
{
    int64_t began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < PAIRS; i++)
        close(eventfd(0, EFD_CLOEXEC));
    return (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - began) / PAIRS;
}

// Answers each byte with the cost of a pair.
static void serve(int from, int to)
{
    char c;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(from, &c, 1) == 1) {
        double ns = pair_ns();
        if (write(to, &ns, sizeof(ns)) != sizeof(ns))
            break;
    }
    _exit(0);
}

static struct child start(void)
{
    int there[2], back[2];
    if (pipe(there) || pipe(back))
        exit(1);
    struct child c = {.pid = fork(), .to = there[1], .from = back[0]};
    if (c.pid == 0) {
        close(there[1]);
        close(back[0]);
        serve(there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    return c;
}

static double ask(const struct child *c)
{
    double ns = 0;
    if (write(c->to, "x", 1) != 1 || read(c->from, &ns, sizeof(ns)) != sizeof(ns))
        exit(1);
    return ns;
}

static void on_opening(void *arg, const struct fd_opening *o)
{
    (void)arg, (void)o;
}

static struct fd_track *track(pid_t pid)
{
    struct fd_track *t;
    struct error err = {0};
    const struct fd_track_config config = {.pid = pid, .descriptors = 4096};
    if (fd_track_open(&t, &config, on_opening, NULL, &err)) {
        printf("skipped: %s\n", err.text);
        exit(77);
    }
    return t;
}

static double ask_beside_inventory(struct fds *f, const struct child *other, const struct child *c)
{
    const struct fd_row *rows;
    double ns = 0;
    if (write(c->to, "x", 1) != 1)
        exit(1);
    for (int i = 0; i < 10; i++) // of another process, while it works
        fds_list(f, other->pid, &rows);
    return read(c->from, &ns, sizeof(ns)) == sizeof(ns) ? ns : 0;
}

static void measure(enum how how, struct fds *f, const struct child *c, const struct child *other,
                    double *ns)
{
    struct fd_track *t = how == HOW_TRACKED         ? track(c->pid)
                         : how == HOW_OTHER_TRACKED ? track(other->pid)
                                                    : NULL;
    if (t)
        ask(c); // keys are made
    for (int i = 0; i < ROUNDS / BLOCKS; i++)
        ns[i] = how == HOW_INVENTORY ? ask_beside_inventory(f, other, c) : ask(c);
    fd_track_close(t);
}

static bool pairs(struct fds *f)
{
    static const char *const names[HOWS] = {"not watched", "beside an inventory",
                                            "another's openers followed", "its openers followed"};
    static double ns[HOWS][ROUNDS];
    struct child c = start(), other = start();
    struct fd_track *t = track(c.pid);
    printf("openers are followed by %s\n", fd_track_source(t));
    bool fexit = strcmp(fd_track_source(t), "fexit") == 0, good = true;
    fd_track_close(t);
    for (int block = 0; block < BLOCKS; block++)
        for (int how = 0; how < HOWS; how++)
            measure((enum how)how, f, &c, &other, &ns[how][block * (ROUNDS / BLOCKS)]);
    double alone = median(ns[HOW_ALONE], ROUNDS);
    for (int how = 0; how < HOWS; how++) {
        double each = how == HOW_ALONE ? alone : median(ns[how], ROUNDS), ratio = each / alone;
        bool judged =
            how == HOW_INVENTORY || how == HOW_TRACKED || (how == HOW_OTHER_TRACKED && fexit);
        bool ok = !judged || ratio <= (how == HOW_TRACKED ? GOAL_PAIR : GOAL_IDLE);
        printf("%-28s %7.0f ns  %.3fx%s\n", names[how], each, ratio, ok ? "" : "  ABOVE THE GOAL");
        good &= ok;
    }
    kill(c.pid, SIGKILL);
    kill(other.pid, SIGKILL);
    return good;
}

static bool inventory(struct fds *f)
{
    struct rlimit limit;
    const struct fd_row *rows;
    double ms[LISTS];
    int n = 0, ready[2];
    char c;
    if (pipe(ready))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        while (n < MANY && eventfd(0, 0) >= 0)
            n++;
        (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    (void)!read(ready[0], &c, 1);
    for (int i = 0; i < LISTS; i++) {
        int64_t began = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        n = fds_list(f, pid, &rows);
        ms[i] = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - began) / 1e6;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    double each = median(ms, LISTS);
    printf("inventory of %d descriptors (%s): %.1f ms%s\n", n, fds_source(f), each,
           each <= GOAL_MS ? "" : "  ABOVE THE GOAL");
    return each <= GOAL_MS;
}

int main(void)
{
    struct error err = {0};
    struct fds *f;
    libbpf_set_print(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (fds_open(&f, false, &err)) {
        printf("failed: %s\n", err.text);
        return 1;
    }
    bool good = inventory(f);
    good &= pairs(f);
    fds_close(f);
    return good ? 0 : 1;
}
