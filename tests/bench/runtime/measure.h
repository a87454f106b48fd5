// Timing of one operation, the same for all peers: user and system CPU time of the process, by getrusage, and the
// wall clock. One line a measure: PEER OPERATION COUNT WALL USER SYS (ns an operation).
#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct usage {
    double wall, user, sys;
};

static inline struct usage usage_now(void)
{
    struct timespec t;
    struct rusage r;
    clock_gettime(CLOCK_MONOTONIC, &t);
    getrusage(RUSAGE_SELF, &r);
    return (struct usage){(double)t.tv_sec * 1e9 + (double)t.tv_nsec,
                          (double)r.ru_utime.tv_sec * 1e9 + (double)r.ru_utime.tv_usec * 1e3,
                          (double)r.ru_stime.tv_sec * 1e9 + (double)r.ru_stime.tv_usec * 1e3};
}

static inline void print_usage(const char *peer, const char *operation, long n, struct usage from)
{
    struct usage to = usage_now();
    double count = (double)n;
    printf("%s %s %ld %.2f %.2f %.2f\n", peer, operation, n, (to.wall - from.wall) / count,
           (to.user - from.user) / count, (to.sys - from.sys) / count);
    fflush(stdout);
}

// A line of /proc/self/status in bytes ("VmRSS", "VmPTE").
static inline double status_bytes(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, key, strlen(key)))
            kb = atof(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return kb * 1024;
}

static inline long count_argument(int argc, char **argv, long otherwise)
{
    return argc > 2 ? atol(argv[2]) : otherwise;
}

#endif
