#include "facts.h"

#include <math.h>
#include <string.h>

#define MAX 16

struct snap *facts_new(double now_s)
{
    struct snap *s = snap_new();
    s->now_ns = (int64_t)(now_s * 1e9);
    s->threshold_ns = 100 * MS;
    s->source = "4711";
    s->host.steal_ratio = NAN;
    s->agent.cpu_ratio = 0.001;
    s->processes = snap_alloc(s, sizeof(*s->processes) * MAX);
    s->loops = snap_alloc(s, sizeof(*s->loops) * MAX);
    s->stalls = snap_alloc(s, sizeof(*s->stalls) * MAX);
    s->calls = snap_alloc(s, sizeof(*s->calls) * MAX);
    s->processes[s->nprocesses++] = (struct snap_process){.pid = FACTS_PID,
                                                          .name = "server",
                                                          .fd_count = 10,
                                                          .fd_limit = 1024,
                                                          .zombie_oldest_ns = SNAP_UNKNOWN};
    int64_t window = s->now_ns < 10 * SECOND ? s->now_ns : 10 * SECOND;
    s->loops[s->nloops++] = (struct snap_loop){
        .pid = FACTS_PID,
        .tid = FACTS_PID,
        .judged = true,
        .judged_ns = s->now_ns,
        .busy_ratio = 0.2,
        .window = {.window_ns = window,
                   .turns = 1000,
                   .polls_empty = 0,
                   .busy_ns = window / 5,
                   .wait_ns = window / 5 * 4,
                   .turn_p50_ns = MS,
                   .turn_p99_ns = 5 * MS,
                   .turn_max_ns = 8 * MS,
                   .runqueue_p99_ns = MS,
                   .hot_fd = SNAP_UNKNOWN,
                   .pool_busy_ns = 0},
    };
    return s;
}

struct snap_loop *facts_loop(struct snap *s)
{
    return &s->loops[0];
}

static void fill_split(struct time_split *t, enum cause_kind kind, int64_t ns)
{
    switch (kind) {
    case CAUSE_CPU_USER: t->cpu_user = ns; break;
    case CAUSE_CPU_KERNEL: t->cpu_kernel = ns; break;
    case CAUSE_SYSCALL: t->syscall = ns; break;
    case CAUSE_LOCK: t->lock = ns; break;
    case CAUSE_RUNQUEUE: t->runqueue = ns; break;
    case CAUSE_PAGE_FAULT: t->page_fault = ns; break;
    case CAUSE_GC: t->gc = ns; break;
    case CAUSE_STOPPED: t->stopped = ns; break;
    default: break;
    }
}

struct snap_stall *facts_stall(struct snap *s, uint64_t id, double age_ms, enum cause_kind kind,
                               const char *syscall)
{
    struct snap_stall *k = &s->stalls[s->nstalls++];
    int64_t age = (int64_t)(age_ms * 1e6);
    *k = (struct snap_stall){.id = id,
                             .pid = FACTS_PID,
                             .tid = FACTS_PID,
                             .begin_ns = s->now_ns - age,
                             .end_ns = SNAP_UNKNOWN,
                             .duration_ns = age,
                             .threshold_ns = s->threshold_ns,
                             .open = true,
                             .lower_bound = true,
                             .captured_after_ns = 5 * MS,
                             .attached_after_ns = SNAP_UNKNOWN,
                             .ready_fds = SNAP_UNKNOWN,
                             .cause = {.kind = kind,
                                       .syscall = syscall,
                                       .fd = SNAP_UNKNOWN,
                                       .holder_tid = SNAP_UNKNOWN,
                                       .ratio = 1}};
    fill_split(&k->split, kind, age);
    k->samples = snap_alloc(s, sizeof(*k->samples) * MAX);
    return k;
}

void facts_end(struct snap_stall *stall, const struct snap *s)
{
    stall->open = stall->lower_bound = false;
    stall->end_ns = s->now_ns;
}

static struct stack *stack_named(struct snap *s, const char *function)
{
    struct frame frames[] = {
        {.function = "read", .module = "/lib/libc.so.6", .runtime = true},
        {.function = function, .file = "/src/app.c", .line = 88, .module = "/usr/bin/server"},
        {.function = "uv_run", .module = "/lib/libuv.so.1", .runtime = true},
        {.function = "main", .module = "/usr/bin/server"},
    };
    struct stack *stack = stack_new(frames, 4, 1, false, true);
    snap_hold(s, stack);
    stack_unref(stack); // the snapshot has it now
    return stack;
}

void facts_look(struct snap *s, struct snap_stall *stall, const char *function)
{
    stall->samples[stall->nsamples++] = (struct stall_sample){.at_ns = s->now_ns,
                                                              .elapsed_ns = stall->duration_ns,
                                                              .level = 1,
                                                              .stack = stack_named(s, function),
                                                              .cause = stall->cause};
}

struct snap_calls *facts_calls(struct snap *s, enum cause_kind kind, const char *syscall,
                               const char *function, int calls, double total_ms)
{
    struct snap_calls *c = &s->calls[s->ncalls++];
    *c = (struct snap_calls){.pid = FACTS_PID,
                             .tid = FACTS_PID,
                             .cause = {.kind = kind,
                                       .syscall = syscall,
                                       .fd = 7,
                                       .path = "/data/file",
                                       .holder_tid = SNAP_UNKNOWN},
                             .stack = function ? stack_named(s, function) : NULL,
                             .window_ns = 10 * SECOND,
                             .calls = calls,
                             .total_ns = (int64_t)(total_ms * 1e6),
                             .max_ns = (int64_t)(total_ms * 1e6 / calls)};
    return c;
}

const struct finding *facts_finding(const struct snap *s, const char *rule)
{
    for (int i = 0; i < s->nfindings; i++)
        if (strcmp(s->findings[i].rule, rule) == 0)
            return &s->findings[i];
    return NULL;
}

int facts_events(const struct snap *s, enum snap_event_kind kind)
{
    int n = 0;
    for (int i = 0; i < s->nevents; i++)
        n += s->events[i].kind == kind;
    return n;
}

bool facts_not_judged(const struct snap *s, const char *rule)
{
    for (int i = 0; i < s->nnot_judged; i++)
        if (strcmp(s->not_judged[i].rule, rule) == 0)
            return true;
    return false;
}

struct rules *facts_rules(const char *setting)
{
    struct rules *r = NULL;
    struct error err = {0};
    assert_int_equal(rules_new(&r, &setting, setting != NULL, 1, &err), 0);
    return r;
}

const char *facts_evidence(const struct finding *f, const char *key)
{
    for (int i = 0; i < f->nevidence; i++)
        if (strcmp(f->evidence[i].key, key) == 0)
            return f->evidence[i].text;
    return NULL;
}
