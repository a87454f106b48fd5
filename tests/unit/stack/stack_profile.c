// stack_profile PID [TID] [SECONDS] [-v] [-p SHARE]: samples a running thread by perf's task clock (registers and
// 16 KB of stack, no ptrace) and says how many of the stacks reach main, a loop, a culprit. -v prints each
// stack that does not reach main, -c counts culprits. Needs perf_event_open on the target. The first stack,
// which finds the helper as the preload left it, is waited for alone: that is the cold one.
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stacker.h"

#define STACK_BYTES 16384
#define PAGES       256
#define NAMES       256

// Order of PERF_REG_X86_*: ax bx cx dx si di bp sp ip flags cs ss, then r8..r15 (ds..gs left out).
#define REGS_MASK 0xff0fffull

struct tally {
    char name[200];
    int count;
};

struct counts {
    int pending, n, main, loop, culprit, language, rescued, torn, verbose, show_culprits;
    double us, worst;
    int native_total;
    struct tally names[NAMES];
};

struct flight {
    struct counts *c;
    double begin;
};

// CPU time of all descendants: the helper is one of them.
static int64_t family_cpu_ns(int pid)
{
    char path[64];
    long long run = 0;
    int64_t sum = 0;
    int child;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    FILE *children = fopen(path, "re");
    while (children && fscanf(children, "%d", &child) == 1) {
        snprintf(path, sizeof(path), "/proc/%d/schedstat", child);
        FILE *stat = fopen(path, "re");
        if (stat && fscanf(stat, "%lld", &run) == 1)
            sum += run;
        if (stat)
            fclose(stat);
        sum += family_cpu_ns(child);
    }
    if (children)
        fclose(children);
    return sum;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void print_stack(const struct stack_answer *a)
{
    char text[1024];
    printf("-- %s\n", a->why_not ? a->why_not : "complete");
    for (int i = 0; a->stack && i < a->stack->nframes; i++)
        printf("%c%3d %-10s %s%s\n", i == a->stack->culprit ? '>' : ' ', i,
               frame_kind_name(a->stack->frames[i].kind),
               frame_text(&a->stack->frames[i], text, sizeof(text)),
               a->stack->frames[i].uncertain ? " ?" : "");
}

static void tally(struct counts *c, const char *name)
{
    for (int i = 0; i < NAMES; i++) {
        if (!*c->names[i].name)
            snprintf(c->names[i].name, sizeof(c->names[i].name), "%s", name);
        if (!strcmp(c->names[i].name, name)) {
            c->names[i].count++;
            return;
        }
    }
}

static void on_stack(void *arg, const struct stack_answer *a)
{
    struct flight *f = arg;
    struct counts *c = f->c;
    char text[1024] = "(none)";
    double us = now_us() - f->begin;
    const struct stack *s = a->stack;
    bool language = false, rescued = false;
    c->pending--;
    c->n++;
    c->us += us;
    if (us > c->worst)
        c->worst = us;
    for (int i = 0; s && i < s->nframes; i++) {
        language |= s->frames[i].kind == FRAME_PYTHON || s->frames[i].kind == FRAME_JAVASCRIPT;
        rescued |= s->frames[i].uncertain;
    }
    c->main += s && s->to_main;
    c->torn += s && s->torn;
    c->loop += a->loop_run_frames > 0;
    c->culprit += s && s->culprit >= 0;
    c->language += language;
    c->rescued += rescued;
    if (s && s->culprit >= 0)
        frame_text(&s->frames[s->culprit], text, sizeof(text));
    tally(c, text);
    if (c->verbose > 1 || (c->verbose && !(s && s->to_main)))
        print_stack(a);
    free(f);
}

static int open_perf(int tid)
{
    struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
                                .size = sizeof(a),
                                .config = PERF_COUNT_SW_TASK_CLOCK,
                                .sample_period = 10000000,
                                .sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
                                .sample_regs_user = REGS_MASK,
                                .sample_stack_user = STACK_BYTES,
                                .wakeup_events = 1};
    return (int)syscall(SYS_perf_event_open, &a, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void ring_read(const struct perf_event_mmap_page *page, uint64_t at, void *to, size_t n)
{
    const char *data = (const char *)page + page->data_offset;
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = data[(at + i) % page->data_size];
}

static void take_sample(struct stacker *s, struct counts *c, int pid, int tid,
                        const uint64_t *words)
{
    if (words[0] != PERF_SAMPLE_REGS_ABI_64)
        return;
    const uint64_t *g = words + 1;
    uint64_t size = g[20], used = g[21 + size / 8];
    struct stack_request r = {.pid = pid, .tid = tid, .on_cpu = true};
    r.regs = (struct ls_regs){.ax = g[0],
                              .bx = g[1],
                              .cx = g[2],
                              .dx = g[3],
                              .si = g[4],
                              .di = g[5],
                              .bp = g[6],
                              .sp = g[7],
                              .ip = g[8],
                              .r8 = g[12],
                              .r9 = g[13],
                              .r10 = g[14],
                              .r11 = g[15],
                              .r12 = g[16],
                              .r13 = g[17],
                              .r14 = g[18],
                              .r15 = g[19]};
    r.stack_base = r.regs.sp;
    r.stack = (const uint8_t *)&g[21];
    r.stack_len = used < size ? used : size;
    struct flight *f = malloc(sizeof(*f));
    *f = (struct flight){c, now_us()};
    c->pending++;
    if (stacker_stack(s, &r, on_stack, f) < 0)
        abort();
}

static void drain(struct perf_event_mmap_page *page, struct stacker *s, struct counts *c, int pid,
                  int tid)
{
    static uint64_t words[(STACK_BYTES + 4096) / 8];
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), at = page->data_tail;
    while (at < head && (c->n || !c->pending)) {
        struct perf_event_header h;
        ring_read(page, at, &h, sizeof(h));
        if (h.type == PERF_RECORD_SAMPLE && h.size <= sizeof(words)) {
            ring_read(page, at + sizeof(h), words, h.size - sizeof(h));
            take_sample(s, c, pid, tid, words);
        }
        at += h.size;
    }
    page->data_tail = at;
}

static void on_identity(void *arg, const struct identity *id)
{
    (void)id;
    *(bool *)arg = true;
}

// Identities queue behind the preload: when one is answered, the helper is warm.
static void wait_for_preload(struct stacker *s, int pid)
{
    bool done = false;
    if (stacker_identify(s, pid, on_identity, &done) < 0)
        return;
    while (!done) {
        struct pollfd p = {.fd = stacker_fd(s), .events = POLLIN};
        poll(&p, 1, 100);
        stacker_dispatch(s);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], STACK_HELPER_ARG))
        return stack_helper_main(STACK_HELPER_FD);
    static struct counts c;
    int opt, max_main = -1;
    while ((opt = getopt(argc, argv, "vcp:")) > 0) {
        c.verbose += opt == 'v';
        c.show_culprits |= opt == 'c';
        if (opt == 'p')
            max_main = atoi(optarg);
    }
    if (optind >= argc)
        return 2;
    int pid = atoi(argv[optind]), tid = optind + 1 < argc ? atoi(argv[optind + 1]) : pid;
    double seconds = optind + 2 < argc ? atof(argv[optind + 2]) : 3;
    struct stacker *s;
    struct error err;
    if (stacker_open(&s, NULL, &err) < 0 || stacker_add_process(s, pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 3;
    }
    wait_for_preload(s, pid);
    int64_t begin = family_cpu_ns(getpid()), cold = 0;
    int fd = open_perf(tid);
    struct perf_event_mmap_page *page =
        mmap(NULL, (1 + PAGES) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || page == MAP_FAILED) {
        fprintf(stderr, "perf_event_open: %s\n", strerror(errno));
        return 77;
    }
    for (double end = now_us() + seconds * 1e6; now_us() < end || c.pending;) {
        struct pollfd p[2] = {{fd, POLLIN, 0}, {stacker_fd(s), POLLIN, 0}};
        poll(p, 2, 50);
        if (now_us() < end)
            drain(page, s, &c, pid, tid);
        stacker_dispatch(s);
        if (!cold && c.n)
            cold = family_cpu_ns(getpid()) - begin;
        if (p[0].revents & POLLHUP)
            break;
    }
    int n = c.n ? c.n : 1, warm = c.n > 1 ? c.n - 1 : 1;
    int64_t spent = family_cpu_ns(getpid()) - begin - cold;
    printf("%d stacks: main %.1f%%, torn %d, loop %.1f%%, culprit %.1f%%, language %.1f%%, "
           "uncertain %d; "
           "mean %.0f us, worst %.0f us; helper CPU cold %.0f us, warm %.0f us, RssAnon %lld kB, "
           "restarts %lld\n",
           c.n, 100.0 * c.main / n, c.torn, 100.0 * c.loop / n, 100.0 * c.culprit / n,
           100.0 * c.language / n, c.rescued, c.us / n, c.worst, (double)cold / 1e3,
           (double)spent / 1e3 / warm, (long long)stacker_rss_anon(s) / 1024,
           (long long)stacker_restarts(s));
    for (int i = 0; c.show_culprits && i < NAMES && *c.names[i].name; i++)
        printf("%5d %s\n", c.names[i].count, c.names[i].name);
    stacker_close(s);
    return max_main >= 0 && 100 * c.main < max_main * n;
}
