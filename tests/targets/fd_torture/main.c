// fd_torture THREADS EXECS SECONDS    starts itself anew EXECS times, after SECONDS each
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "torture.h"

#define WAYS_MAX    96
#define THREADS_MAX 16
#define MANY_KEPT   200 // closes more than it opens from here
#define DESCRIPTORS 20000

static struct way ways[WAYS_MAX];
static unsigned long succeeded[WAYS_MAX], failed[WAYS_MAX];
static int nways, nthreads, seconds;

bool has_threads(void)
{
    return nthreads > 1;
}

static void collect(const struct way *list)
{
    while (list->name && nways < WAYS_MAX)
        ways[nways++] = *list++;
}

static int find(const char *name)
{
    int i = 0;
    while (i < nways - 1 && strcmp(ways[i].name, name) != 0)
        i++;
    return i;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *torture(void *arg)
{
    const int closing = find("close");
    const double end = now() + seconds;
    for (unsigned long i = 0; i % 64 || now() < end; i++) {
        bool close_one = kept_count() > MANY_KEPT || chance(100) < 28;
        int way = close_one ? closing : (int)chance((unsigned)nways);
        bool ok = ways[way].go() >= 0;
        __atomic_fetch_add(ok ? &succeeded[way] : &failed[way], 1, __ATOMIC_RELAXED);
        if (i % 64 == 0 && chance(4) == 0)
            usleep(chance(300));
    }
    return arg;
}

static void tell(int execs)
{
    unsigned long all = 0;
    fprintf(stderr, "%d execs left; never succeeded:", execs);
    for (int i = 0; i < nways; i++) {
        all += succeeded[i];
        if (!succeeded[i])
            fprintf(stderr, " %s (%lu tried),", ways[i].name, failed[i]);
    }
    fprintf(stderr, " %lu succeeded, %d ways\n", all, nways);
}

static int start_anew(char **argv, int execs)
{
    char left[16];
    snprintf(left, sizeof(left), "%d", execs - 1);
    char *const again[] = {argv[0], argv[1], left, argv[3], NULL};
    execv("/proc/self/exe", again);
    perror("fd_torture: exec");
    return 1;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    const struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};
    if (argc != 4) {
        fprintf(stderr, "usage: fd_torture THREADS EXECS SECONDS\n");
        return 2;
    }
    nthreads = atoi(argv[1]) < THREADS_MAX ? atoi(argv[1]) : THREADS_MAX;
    int execs = atoi(argv[2]);
    seconds = atoi(argv[3]);
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    const struct way *const all[] = {file_ways,  socket_ways, duplicate_ways, anonymous_ways,
                                     mount_ways, uring_ways,  passing_ways,   process_ways};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        collect(all[i]);
    for (int i = 1; i < nthreads; i++)
        pthread_create(&threads[i], NULL, torture, NULL);
    torture(NULL);
    tell(execs);
    return execs > 0 ? start_anew(argv, execs) : 0;
}
