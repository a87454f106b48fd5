// What reading a live table costs the agent: CPU time of the first look and of those after it.
//
// usage: table PID LOOKS   prints the number of tasks, and the CPU time in ms of the first look and the median of the
// rest, a second apart
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../agent/target/live.h"

#define LOOKS_MAX 100

static double ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double look(struct live *l)
{
    double began = ms(CLOCK_THREAD_CPUTIME_ID);
    int r = live_table_look(&l->table);
    if (r == 0)
        r = live_book_judge(&l->book, &l->table, (int64_t)(ms(CLOCK_MONOTONIC) * 1e6), 1);
    if (r < 0) {
        fprintf(stderr, "table: %s\n", l->table.why_not[0] ? l->table.why_not : "cannot be read");
        exit(1);
    }
    return ms(CLOCK_THREAD_CPUTIME_ID) - began;
}

int main(int argc, char **argv)
{
    struct live *l = NULL;
    double first, rest[LOOKS_MAX];
    int n = argc == 3 ? atoi(argv[2]) : 0;
    if (n < 2 || n > LOOKS_MAX || live_find(&l, atoi(argv[1]), 0) < 1) {
        fputs("usage: table PID LOOKS, of a program with a live table\n", stderr);
        return 2;
    }
    first = look(l);
    for (int i = 0; i < n - 1; i++) {
        sleep(1);
        rest[i] = look(l);
    }
    qsort(rest, (size_t)n - 1, sizeof(*rest), by_size);
    printf("%lld %.1f %.1f\n", (long long)l->book.total, first, rest[(n - 1) / 2]);
    return 0;
}
