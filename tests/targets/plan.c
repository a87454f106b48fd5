#include "plan.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

static int64_t waited_ns(void)
{
    char text[128] = "";
    long long ran, waited = 0;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
        sscanf(text, "%lld %lld", &ran, &waited);
    if (fd >= 0)
        close(fd);
    return waited;
}

static struct cpu_times cpu_times(void)
{
    struct rusage used = {0};
    getrusage(RUSAGE_THREAD, &used);
    return (struct cpu_times){timeval_ns(used.ru_utime), timeval_ns(used.ru_stime), waited_ns()};
}

static uint64_t next_random(struct plan *p) // splitmix64: the same on every machine
{
    uint64_t z = (p->rng += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static long between(struct plan *p, int lo, int hi)
{
    return lo + (long)(next_random(p) % (uint64_t)(hi - lo + 1));
}

static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--seed N] [--count N] [--min MS] [--max MS] [--gap-min MS] [--gap-max MS]"
            " [--start MS] [--causes A,B] [--endless] [--log FILE]\n",
            program);
    exit(2);
}

static void parse_causes(struct plan *p, char *list, const char *const *all)
{
    for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
        const char *const *known = all;
        while (*known && strcmp(*known, word))
            known++;
        if (!*known || p->ncauses == PLAN_MAX_CAUSES) {
            fprintf(stderr, "unknown cause %s\n", word);
            exit(2);
        }
        p->causes[p->ncauses++] = *known;
    }
}

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

void plan_parse(struct plan *p, int argc, char **argv, const char *const *all)
{
    enum { SEED = 1, COUNT, MIN, MAX, GAP_MIN, GAP_MAX, START, CAUSES, ENDLESS, LOG };
    static const struct option options[] = {
        {"seed", 1, NULL, SEED},
        {"count", 1, NULL, COUNT},
        {"min", 1, NULL, MIN},
        {"max", 1, NULL, MAX},
        {"gap-min", 1, NULL, GAP_MIN},
        {"gap-max", 1, NULL, GAP_MAX},
        {"start", 1, NULL, START},
        {"causes", 1, NULL, CAUSES},
        {"endless", 0, NULL, ENDLESS},
        {"log", 1, NULL, LOG},
        {NULL, 0, NULL, 0},
    };
    *p = (struct plan){.seed = 1,
                       .min_ms = 300,
                       .max_ms = 800,
                       .gap_min_ms = 200,
                       .gap_max_ms = 500,
                       .start_ms = 1000,
                       .log_fd = -1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case SEED: p->seed = strtoull(optarg, NULL, 10); break;
        case COUNT: p->count = atoi(optarg); break;
        case MIN: p->min_ms = atoi(optarg); break;
        case MAX: p->max_ms = atoi(optarg); break;
        case GAP_MIN: p->gap_min_ms = atoi(optarg); break;
        case GAP_MAX: p->gap_max_ms = atoi(optarg); break;
        case START: p->start_ms = atoi(optarg); break;
        case CAUSES: parse_causes(p, optarg, all); break;
        case ENDLESS: p->endless = true; break;
        case LOG: p->log_fd = open_log(optarg); break;
        default: usage(argv[0]);
        }
    }
    if (optind < argc || p->min_ms > p->max_ms || p->gap_min_ms > p->gap_max_ms)
        usage(argv[0]);
    p->rng = p->seed;
    if (!p->ncauses)
        for (; all[p->ncauses] && p->ncauses < PLAN_MAX_CAUSES; p->ncauses++)
            p->causes[p->ncauses] = all[p->ncauses];
}

__attribute__((format(printf, 2, 3))) static void note(const struct plan *p, const char *format,
                                                       ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (p->log_fd >= 0 && write(p->log_fd, line, (size_t)n) != n) {
        perror("target's own log");
        exit(1);
    }
}

void plan_ready(struct plan *p)
{
    note(p, "ready %lld %lld %d %ld %llu\n", (long long)now_ns(),
         (long long)clock_ns(CLOCK_REALTIME), getpid(), syscall(SYS_gettid),
         (unsigned long long)p->seed);
}

bool plan_finished(const struct plan *p)
{
    return p->count && p->made >= p->count;
}

static void shuffle(struct plan *p)
{
    for (int i = 0; i < p->ncauses; i++)
        p->order[i] = i;
    for (int i = p->ncauses - 1; i > 0; i--) {
        int j = (int)between(p, 0, i), kept = p->order[i];
        p->order[i] = p->order[j];
        p->order[j] = kept;
    }
}

const char *plan_next_cause(struct plan *p)
{
    if (p->next == 0)
        shuffle(p);
    const char *cause = p->causes[p->order[p->next]];
    p->next = (p->next + 1) % p->ncauses;
    return cause;
}

long plan_length_ms(struct plan *p)
{
    return p->endless ? 24L * 3600 * 1000 : between(p, p->min_ms, p->max_ms);
}

long plan_gap_ms(struct plan *p)
{
    return between(p, p->gap_min_ms, p->gap_max_ms);
}

void plan_begin(struct plan *p, const char *cause, const struct plan_site *at)
{
    p->at_begin = cpu_times();
    note(p, "begin %d %lld %s %s %s %d-%d\n", p->made, (long long)now_ns(), cause, at->function,
         at->file, at->line, at->last_line);
}

void plan_end(struct plan *p)
{
    int64_t ended = now_ns();
    struct cpu_times cpu = cpu_times();
    note(p, "end %d %lld %lld %lld %lld\n", p->made++, (long long)ended,
         (long long)(cpu.user - p->at_begin.user), (long long)(cpu.kernel - p->at_begin.kernel),
         (long long)(cpu.waited - p->at_begin.waited));
}

void plan_done(struct plan *p)
{
    note(p, "done %lld\n", (long long)now_ns());
}
