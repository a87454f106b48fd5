// Attaches the probe to processes with a trivial policy (the wait a thread sleeps in most is trusted) and
// prints what comes: for looking at a kernel or a target by hand. Usage: probe_dump [-b bpf|proc] [-e]
// [-t MS] [-n SECONDS] [-q] [-c ADDRESS] [-T EPOLL_FD] PID...
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../../agent/probe/probe.h"

struct dump {
    struct probe *probe;
    int64_t start_ns, threshold_ns;
    int samples, turns;
    int trusted[4096], ntrusted;
    uint64_t counter;
    int trust_fd; // >= 0: trust this epoll of the main thread at once
    bool quiet;
};

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double ms(int64_t ns)
{
    return ns / 1e6;
}

static void on_thread(void *arg, const struct probe_thread_event *e)
{
    static const char *const names[] = {"new", "exit", "process exit", "exec", "fork"};
    struct dump *d = arg;
    if (!d->quiet || e->what != PROBE_THREAD_NEW)
        printf("%9.3f %d/%d thread %s\n", ms(e->at_ns - d->start_ns), e->pid, e->tid,
               names[e->what]);
}

static void on_wait(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct dump *d = arg;
    const struct probe_wait *best = waits;
    for (int i = 1; i < n; i++)
        if (waits[i].sleeps > best->sleeps)
            best = &waits[i];
    for (int i = 0; i < d->ntrusted; i++)
        if (d->trusted[i] == tid)
            return;
    printf("%9.3f %d/%d trusts kind %d fd %d of %d (pc %" PRIx64 " sp %" PRIx64 ", %" PRIu64
           " sleeps)\n",
           ms(now() - d->start_ns), pid, tid, best->kind, best->fd, n, best->user_pc, best->user_sp,
           best->sleeps);
    probe_trust(d->probe, tid, best->kind, best->fd, best->user_pc);
    if (d->counter && pid == tid)
        probe_loop_counter(d->probe, tid, d->counter);
    if (d->ntrusted < 4096)
        d->trusted[d->ntrusted++] = tid;
}

static void print_split(const struct probe_split *s)
{
    printf(" [user %.1f kernel %.1f runq %.1f stop %.1f sys %.1f futex %.1f fault %.1f]",
           ms(s->cpu_user), ms(s->cpu_kernel), ms(s->runqueue), ms(s->stopped),
           ms(s->sleep_syscall), ms(s->sleep_futex), ms(s->sleep_fault));
}

static void on_sample(void *arg, const struct probe_sample *s)
{
    struct dump *d = arg;
    d->samples++;
    printf("%9.3f %d/%d SAMPLE %d %s%s state %c age %.1f late %.1f told +%.2f seq %" PRIu64
           " syscall %ld(%" PRIx64 ") ip %llx sp %llx stack %zu%s%s%s%s",
           ms(s->at_ns - d->start_ns), s->pid, s->tid, s->level, s->on_cpu ? "on" : "off",
           s->kernel_mode ? " kernel" : "", s->state, ms(s->at_ns - s->turn_begin_ns),
           ms(s->at_ns - s->turn_begin_ns - (d->threshold_ns << s->level)), ms(now() - s->at_ns),
           s->turn_seq, s->syscall, s->args[0], s->regs.ip, s->regs.sp, s->stack_len,
           s->stack_whole ? " whole" : "", s->began_before_attach ? " before-attach" : "",
           s->why_not ? " why-not: " : "", s->why_not ? s->why_not : "");
    print_split(&s->split);
    printf("\n");
}

static void on_turn(void *arg, const struct probe_turn *t)
{
    struct dump *d = arg;
    d->turns++;
    printf("%9.3f %d/%d TURN %.1f ms seq %" PRIu64 " top syscall %ld(%" PRIx64 ") %.1f ms%s%s",
           ms(t->end_ns - d->start_ns), t->pid, t->tid, ms(t->end_ns - t->begin_ns), t->seq,
           t->top_syscall, t->top_args[0], ms(t->top_ns), t->gone ? " gone" : "",
           t->began_before_attach ? " before-attach" : "");
    print_split(&t->split);
    printf("\n");
}

static void on_calls(void *arg, const struct probe_calls *c)
{
    struct dump *d = arg;
    if (d->quiet)
        return;
    printf("%9.3f %d/%d calls of %ld(%" PRIx64 "): %" PRId64 " in %.1f ms, max %.1f, stack %s\n",
           ms(c->end_ns - d->start_ns), c->pid, c->tid, c->syscall, c->args[0], c->calls,
           ms(c->total_ns), ms(c->max_ns), c->sample ? "yes" : "no");
}

static void on_lost(void *arg, const struct probe_lost *l)
{
    (void)arg;
    printf("lost: pid %d, %" PRId64 " %s\n", l->pid, l->records, l->what);
}

static void print_stats(struct dump *d)
{
    for (int i = 0; i < d->ntrusted && i < 20; i++) {
        struct probe_stats s;
        if (probe_stats(d->probe, d->trusted[i], &s))
            continue;
        uint64_t n = 0, sum = 0;
        for (int b = 0; b < PROBE_HIST; b++)
            n += s.turn_hist[b];
        int p50 = -1, p99 = -1;
        for (int b = 0; b < PROBE_HIST; b++) {
            sum += s.turn_hist[b];
            if (p50 < 0 && sum * 2 >= n)
                p50 = b;
            if (p99 < 0 && sum * 100 >= n * 99)
                p99 = b;
        }
        printf("tid %d: turns %" PRId64 " (hist %" PRIu64
               ") busy %.1f wait %.1f max %.1f p50 <= %.3f p99 <= %.3f ms%s iteration %" PRId64
               " starved by %d empty %" PRId64,
               d->trusted[i], s.turns, n, ms(s.busy_ns), ms(s.wait_ns), ms(s.turn_max_ns),
               n ? ms(probe_hist_ns(p50)) : 0, n ? ms(probe_hist_ns(p99)) : 0,
               s.estimated ? " estimated" : "", s.iteration, s.starved_by_pid, s.polls_empty);
        print_split(&s.split);
        printf("\n");
    }
}

static void run(struct dump *d, int64_t end_ns)
{
    while (now() < end_ns) {
        struct pollfd fd = {.fd = probe_fd(d->probe), .events = POLLIN};
        poll(&fd, 1, (int)(probe_interval_ns(d->probe) / 1000000 + 1));
        probe_dispatch(d->probe);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct dump d = {.start_ns = now(), .trust_fd = -1};
    struct probe_config config = {.threshold_ns = 100000000};
    double seconds = 5;
    int option;
    while ((option = getopt(argc, argv, "b:et:n:qc:T:")) > 0) {
        switch (option) {
        case 'b': config.backend = strcmp(optarg, "proc") ? BACKEND_BPF : BACKEND_PROC; break;
        case 'e': config.exact = true; break;
        case 't': config.threshold_ns = atoll(optarg) * 1000000; break;
        case 'n': seconds = atof(optarg); break;
        case 'q': d.quiet = true; break;
        case 'T': d.trust_fd = atoi(optarg); break;
        case 'c': d.counter = strtoull(optarg, NULL, 16); break;
        default: return 2;
        }
    }
    d.threshold_ns = config.threshold_ns;
    struct probe_callbacks callbacks = {on_thread, on_wait, on_sample, on_turn, on_calls, on_lost};
    struct error err = {0};
    if (probe_open(&d.probe, &config, &callbacks, &d, &err)) {
        fprintf(stderr, "%s\n%s\n", err.text, err.hint);
        return err.status;
    }
    printf("backend %s, turns by %s, open %.1f ms\n", probe_backend(d.probe),
           probe_turn_source(d.probe), ms(now() - d.start_ns));
    for (int i = optind; i < argc; i++) {
        int64_t before = now();
        if (probe_add_process(d.probe, atoi(argv[i]), &err)) {
            fprintf(stderr, "%s\n%s\n", err.text, err.hint);
            return err.status;
        }
        printf("added %s in %.2f ms\n", argv[i], ms(now() - before));
        if (d.trust_fd >= 0)
            probe_trust(d.probe, atoi(argv[i]), WAIT_EPOLL, d.trust_fd, 0);
    }
    run(&d, now() + (int64_t)(seconds * 1e9));
    print_stats(&d);
    printf("%d samples, %d turns\n", d.samples, d.turns);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("agent cpu %.1f ms in %.1f s\n", cpu.tv_sec * 1e3 + cpu.tv_nsec / 1e6, seconds);
    probe_close(d.probe);
    return 0;
}
