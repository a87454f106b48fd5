// stack_dump PID [TID] [-n] [-r N] [-i]: the stack of a thread that sleeps in a system call, as the agent
// would show it. Registers come from /proc/PID/task/TID/syscall: stack pointer and pc only, which is enough
// where call frame information is complete. -n keeps interpreter frames, -r repeats, -i identifies too.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stacker.h"

static int pending;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void on_stack(void *arg, const struct stack_answer *a)
{
    char text[1024];
    double ms = now_ms() - *(double *)arg;
    pending--;
    printf("%.3f ms, why not: %s, loop runs %d at %d%s%s%s\n", ms, a->why_not ? a->why_not : "-",
           a->loop_run_frames, a->loop_run_index, a->live_reads ? ", live" : "",
           a->in_language ? ", in language" : "", a->gc ? ", gc" : "");
    if (!a->stack)
        return;
    printf("%s%s culprit %d\n", a->stack->torn ? "torn " : "", a->stack->to_main ? "to main" : "",
           a->stack->culprit);
    for (int i = 0; i < a->stack->nframes; i++) {
        const struct frame *f = &a->stack->frames[i];
        printf("%c%3d %-10s %s%s%s\n", i == a->stack->culprit ? '>' : ' ', i,
               frame_kind_name(f->kind), frame_text(f, text, sizeof(text)),
               f->uncertain ? " ?" : "", f->runtime ? " [runtime]" : "");
    }
}

static void on_identity(void *arg, const struct identity *id)
{
    (void)arg;
    pending--;
    if (id)
        printf("runtime %s %s, uv %d loop 0x%llx fd %d count 0x%llx, note '%s'\n",
               runtime_name(id->runtime), id->version, id->has_uv, (unsigned long long)id->uv_loop,
               id->uv_backend_fd, (unsigned long long)id->uv_loop_count, id->note);
    else
        printf("not identified\n");
}

static void wait_all(struct stacker *s)
{
    while (pending > 0) {
        struct pollfd p = {.fd = stacker_fd(s), .events = POLLIN};
        poll(&p, 1, 100);
        stacker_dispatch(s);
    }
}

static int read_registers(int pid, int tid, struct ls_regs *r)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    *r = (struct ls_regs){0};
    if (sscanf(text, "%llu %*x %*x %*x %*x %*x %*x %llx %llx", &r->orig_ax, &r->sp, &r->ip) == 3)
        return 0;
    return sscanf(text, "-1 %llx %llx", &r->sp, &r->ip) == 2 ? 0 : -EAGAIN;
}

static size_t copy_stack(int pid, uint64_t sp, uint8_t *buf, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, buf, size, (off_t)sp);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void dump(struct stacker *s, int pid, int tid, bool native)
{
    static uint8_t stack[16384];
    struct stack_request r = {.pid = pid, .tid = tid, .native = native};
    int err = read_registers(pid, tid, &r.regs);
    if (err < 0) {
        printf("registers of %d: %s\n", tid, strerror(-err));
        return;
    }
    r.stack_base = r.regs.sp;
    r.stack = stack;
    r.stack_len = copy_stack(pid, r.regs.sp, stack, sizeof(stack));
    double begin = now_ms();
    if (stacker_stack(s, &r, on_stack, &begin) == 0) {
        pending++;
        wait_all(s);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], STACK_HELPER_ARG))
        return stack_helper_main(STACK_HELPER_FD);
    bool native = false, identify = false;
    int repeat = 1, c;
    while ((c = getopt(argc, argv, "nir:")) > 0) {
        native |= c == 'n';
        identify |= c == 'i';
        if (c == 'r')
            repeat = atoi(optarg);
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: stack_dump [-n] [-i] [-r N] PID [TID]\n");
        return 2;
    }
    int pid = atoi(argv[optind]), tid = optind + 1 < argc ? atoi(argv[optind + 1]) : pid;
    struct stacker *s;
    struct error err;
    if (stacker_open(&s, NULL, &err) < 0 || stacker_add_process(s, pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 3;
    }
    if (identify && stacker_identify(s, pid, on_identity, NULL) == 0) {
        pending++;
        wait_all(s);
    }
    for (int i = 0; i < repeat; i++)
        dump(s, pid, tid, native);
    printf("helper: RssAnon %lld kB, CPU %.1f ms, restarts %lld\n",
           (long long)stacker_rss_anon(s) / 1024, (double)stacker_cpu_ns(s) / 1e6,
           (long long)stacker_restarts(s));
    stacker_close(s);
    return 0;
}
