// Prints the merged stack of a thread, or the tasks of a process: what the walkers see, by hand.
// usage: lang_dump [-n] [-t] [-g] [-r REPEAT] PID [TID]   -n native frames too; -t tasks; -g collector walk
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void print_frame(const struct frame *f)
{
    char text[1024];
    printf("      %s%s  [%s]%s\n", frame_text(f, text, sizeof text), f->runtime ? " (runtime)" : "",
           frame_kind_name(f->kind), f->uncertain ? " uncertain" : "");
}

static void print_merged(const struct native_frame *frames, int n, const struct lang_result *r,
                         bool native)
{
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (native)
            printf("  %2d %#lx sp %#lx bp %#lx %s%s (%s)\n", i, frames[i].pc, frames[i].sp,
                   frames[i].bp, frames[i].jit ? "jit " : "",
                   frames[i].symbol ? frames[i].symbol : "?",
                   frames[i].module ? frames[i].module : "-");
        for (; k < r->nframes && r->frames[k].at == i; k++)
            print_frame(&r->frames[k].frame);
    }
    for (; k < r->nframes; k++)
        print_frame(&r->frames[k].frame);
}

static void dump_stack(struct native *n, const struct lang *l, void *self, int tid,
                       const struct sample *s, bool native, int repeat)
{
    const struct native_frame *frames;
    struct lang_result r;
    native_begin(n, s, 2000);
    int count = native_frames(n, s, &frames);
    int64_t best = INT64_MAX, first = 0;
    for (int i = 0; i < repeat; i++) {
        native_begin(n, s, 2000);
        int64_t t = clock_ns(CLOCK_MONOTONIC);
        l->walk(self, native_mem(n), tid, frames, count, &r);
        t = clock_ns(CLOCK_MONOTONIC) - t;
        first = i ? first : t;
        best = t < best ? t : best;
    }
    printf("%s: %s, %d native frames, %d frames%s%s%s%s; walk %.3f ms first, %.3f ms best, %lu "
           "pages\n",
           l->name, s->on_cpu ? "on CPU" : "asleep", count, r.nframes, r.torn ? ", torn" : "",
           r.gc ? ", gc" : "", r.lock ? ", lock " : "", r.lock ? r.lock : "", first / 1e6,
           best / 1e6, mem_pages(native_mem(n)));
    if (r.task.id)
        printf("  task %s \"%s\" spawned %s\n", r.task.id, r.task.name, r.task.spawn_site);
    print_merged(frames, count, &r, native);
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void dump_tasks(struct native *n, const struct lang *l, void *self, bool gc_walk, int repeat)
{
    struct tasks_answer a;
    int64_t best = INT64_MAX;
    for (int i = 0; i < repeat; i++) {
        native_begin(n, NULL, 20000);
        int64_t t = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        l->tasks(self, native_mem(n), gc_walk, 10000, &a);
        t = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - t;
        best = t < best ? t : best;
    }
    for (int i = 0; repeat == 1 && i < a.nrows; i++) {
        const struct task_row *r = &a.rows[i];
        printf("%#lx %s %s state %d flags %#x number %ld by %#lx waits %s spawn %s error %s sleeps "
               "%.1f s\n",
               r->address, or_dash(r->name), or_dash(r->coroutine), r->state, r->flags, r->number,
               r->awaiter, or_dash(r->waits_on), or_dash(r->spawn_site), or_dash(r->error),
               r->sleep_since_ns == INT64_MIN
                   ? 0.0
                   : (clock_ns(CLOCK_MONOTONIC) - r->sleep_since_ns) / 1e9);
        for (int k = 0; k < r->nchain; k++)
            print_frame(&r->chain[k]);
    }
    printf("%d rows, %ld total, %ld unstable, %ld cut; %.2f ms CPU, %lu pages%s%s\n", a.nrows,
           a.total, a.unstable, a.cut, best / 1e6, mem_pages(native_mem(n)), a.why_not ? "; " : "",
           a.why_not ? a.why_not : "");
}

int main(int argc, char **argv)
{
    bool native = false, tasks = false, gc_walk = false;
    int c, repeat = 1;
    while ((c = getopt(argc, argv, "ntgr:")) > 0) {
        native |= c == 'n';
        tasks |= c == 't';
        gc_walk |= c == 'g';
        if (c == 'r')
            repeat = atoi(optarg);
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: lang_dump [-n] [-t] [-g] [-r REPEAT] PID [TID]\n");
        return 2;
    }
    int pid = atoi(argv[optind]), tid = optind + 1 < argc ? atoi(argv[optind + 1]) : pid;
    static struct sample s;
    struct capture *cap = tasks ? NULL : capture_open(tid);
    struct native *n = native_open(pid);
    if (!n || (!tasks && (!cap || !capture_take(cap, &s, 10000)))) {
        fprintf(stderr, "lang_dump: cannot look into %d (or it does not wake up)\n", pid);
        return 1;
    }
    for (const struct lang *const *l = all_langs; *l; l++) {
        char note[160] = "", version[32] = "";
        native_begin(n, NULL, 2000);
        int64_t t = clock_ns(CLOCK_MONOTONIC);
        void *self = (*l)->attach(native_process(n), native_mem(n), note, version);
        if (self || *note)
            printf("%s %s attached in %.2f ms %s\n", (*l)->name, version,
                   (clock_ns(CLOCK_MONOTONIC) - t) / 1e6, note);
        if (self && tasks && (*l)->tasks)
            dump_tasks(n, *l, self, gc_walk, repeat);
        else if (self && !tasks)
            dump_stack(n, *l, self, tid, &s, native, repeat);
        if (self)
            (*l)->detach(self);
    }
    capture_close(cap);
    native_close(n);
    return 0;
}
