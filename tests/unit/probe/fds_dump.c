// fds_dump PID [proc] [TIMES]: the inventory of a process, and what taking it costs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../../agent/probe/fds.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void print(const struct fd_row *r)
{
    char local[64], remote[64];
    const char *state = fd_state_name(r);
    printf("%6d %-9s %-12s %-32s", r->fd, fd_kind_name(r->kind), state ? state : "-", r->name);
    printf(" %s -> %s", fd_address(r, false, local, sizeof(local)),
           fd_address(r, true, remote, sizeof(remote)));
    if (r->idle_ns != FD_UNKNOWN)
        printf(" idle %.1f s", (double)r->idle_ns / 1e9);
    if (r->unread > 0)
        printf(" unread %lld", (long long)r->unread);
    putchar('\n');
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct fds *f;
    const struct fd_row *rows;
    bool proc = argc > 2 && strcmp(argv[2], "proc") == 0;
    int times = argc > 3 ? atoi(argv[3]) : 1, n = 0;
    if (argc < 2 || fds_open(&f, proc, &err))
        return 1;
    double best = 1e9;
    for (int i = 0; i < times; i++) {
        double begin = now_ms();
        n = fds_list(f, atoi(argv[1]), &rows);
        double took = now_ms() - begin;
        best = took < best ? took : best;
        if (times > 1)
            usleep(100000);
    }
    if (n < 0) {
        fprintf(stderr, "fds_dump: %s\n", strerror(-n));
        return 1;
    }
    for (int i = 0; i < n && i < 100; i++)
        print(&rows[i]);
    printf("%d descriptors by %s in %.2f ms\n", n, fds_source(f), best);
    fds_close(f);
    return 0;
}
