#include "snapshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define MS 1000000LL
const int64_t snap_lag_bounds_ns[15] = {
    1 * MS,   2 * MS,    5 * MS,    10 * MS,   20 * MS,    50 * MS,   100 * MS,  200 * MS,
    500 * MS, 1000 * MS, 2000 * MS, 5000 * MS, 10000 * MS, INT64_MAX, INT64_MAX,
};

struct snap *snap_new(void)
{
    struct arena *a = arena_new();
    struct snap *s = arena_alloc(a, sizeof(*s));
    s->refs = 1;
    s->arena = a;
    s->time_scale = 1;
    s->target_exit = SNAP_UNKNOWN;
    return s;
}

struct snap *snap_ref(struct snap *s)
{
    s->refs++;
    return s;
}

void snap_unref(struct snap *s)
{
    if (!s || --s->refs > 0)
        return;
    for (int i = 0; i < s->nheld; i++)
        stack_unref(s->held[i]);
    free(s->held);
    arena_free(s->arena); // s itself lies in it
}

void *snap_alloc(struct snap *s, size_t size)
{
    return arena_alloc(s->arena, size);
}

char *snap_strdup(struct snap *s, const char *text)
{
    return arena_strdup(s->arena, text);
}

char *snap_printf(struct snap *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *out = arena_alloc(s->arena, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(out, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return out;
}

struct stack *snap_hold(struct snap *s, struct stack *stack)
{
    if (!stack)
        return NULL;
    if (s->nheld == s->held_cap) {
        int cap = s->held_cap ? s->held_cap * 2 : 16;
        struct stack **grown = realloc(s->held, sizeof(*grown) * (size_t)cap);
        if (!grown) {
            fputs("loopscope: out of memory\n", stderr);
            abort();
        }
        s->held = grown;
        s->held_cap = cap;
    }
    s->held[s->nheld++] = stack_ref(stack);
    return stack;
}

void snap_copy_cause(struct snap *s, struct cause *dst, const struct cause *src)
{
    *dst = *src;
    dst->syscall = snap_strdup(s, src->syscall);
    dst->path = snap_strdup(s, src->path);
    dst->peer = snap_strdup(s, src->peer);
    dst->lock = snap_strdup(s, src->lock);
    dst->holder_stack = snap_hold(s, src->holder_stack);
}

void snap_copy_task_ref(struct snap *s, struct task_ref *dst, const struct task_ref *src)
{
    dst->id = snap_strdup(s, src->id);
    dst->name = snap_strdup(s, src->name);
    dst->spawn_site = snap_strdup(s, src->spawn_site);
    dst->await_site = snap_strdup(s, src->await_site);
}

static const char **copy_texts(struct snap *s, const char **texts, int n)
{
    const char **out = snap_alloc(s, sizeof(*out) * (size_t)(n ? n : 1));
    for (int i = 0; i < n; i++)
        out[i] = snap_strdup(s, texts[i]);
    return out;
}

static void copy_occurrences(struct snap *s, struct finding *dst, const struct finding *src)
{
    dst->occurrences = snap_alloc(s, sizeof(*dst->occurrences) * (size_t)(src->noccurrences + 1));
    for (int i = 0; i < src->noccurrences; i++) {
        dst->occurrences[i] = src->occurrences[i];
        snap_hold(s, src->occurrences[i].stack);
        snap_copy_cause(s, &dst->occurrences[i].cause, &src->occurrences[i].cause);
    }
}

static void copy_evidence(struct snap *s, struct finding *dst, const struct finding *src)
{
    dst->evidence = snap_alloc(s, sizeof(*dst->evidence) * (size_t)(src->nevidence + 1));
    for (int i = 0; i < src->nevidence; i++) {
        const struct evidence *e = &src->evidence[i];
        dst->evidence[i] = (struct evidence){.key = snap_strdup(s, e->key),
                                             .unit = snap_strdup(s, e->unit),
                                             .text = snap_strdup(s, e->text),
                                             .value = e->value};
    }
}

void snap_copy_finding(struct snap *s, struct finding *dst, const struct finding *src)
{
    *dst = *src;
    dst->id = snap_strdup(s, src->id);
    dst->rule = snap_strdup(s, src->rule);
    dst->also = copy_texts(s, src->also, src->nalso);
    dst->related = copy_texts(s, src->related, src->nrelated);
    dst->subject = snap_strdup(s, src->subject);
    dst->title = snap_strdup(s, src->title);
    dst->remedy = copy_texts(s, src->remedy, src->nremedy);
    dst->verify = snap_strdup(s, src->verify);
    snap_copy_cause(s, &dst->cause, &src->cause);
    snap_copy_task_ref(s, &dst->task, &src->task);
    snap_hold(s, src->stack);
    copy_occurrences(s, dst, src);
    copy_evidence(s, dst, src);
}

#define NAME_OF(table, k)                                                                          \
    ((unsigned)(k) < sizeof(table) / sizeof(*(table)) ? (table)[k] : "unknown")

const char *runtime_name(enum runtime_kind k)
{
    static const char *const names[] = {"unknown", "loopscope", "libuv", "node",     "asyncio",
                                        "uvloop",  "redis",     "nginx", "libevent", "libev",
                                        "epoll",   "go",        "java",  "tokio"};
    return NAME_OF(names, k);
}

bool runtime_is_judged(enum runtime_kind k)
{
    return k != RUNTIME_GO && k != RUNTIME_JAVA && k != RUNTIME_TOKIO;
}

const char *loop_state_name(enum loop_state s)
{
    static const char *const names[] = {"waiting", "running", "blocked", "spinning",
                                        "starved", "stopped", "exited",  "no-probes"};
    return NAME_OF(names, s);
}

const char *cause_kind_name(enum cause_kind k)
{
    static const char *const names[] = {"unknown",  "cpu-user",   "cpu-kernel", "syscall", "lock",
                                        "runqueue", "page-fault", "gc",         "stopped"};
    return NAME_OF(names, k);
}

const char *severity_name(enum severity s)
{
    static const char *const names[] = {"info", "warning", "critical"};
    return NAME_OF(names, s);
}

const char *task_state_name(enum task_state s)
{
    static const char *const names[] = {"new",  "ready",  "running",  "waiting",
                                        "done", "failed", "cancelled"};
    return NAME_OF(names, s);
}

const struct snap_process *snap_process_of(const struct snap *s, int pid)
{
    for (int i = 0; i < s->nprocesses; i++)
        if (s->processes[i].pid == pid)
            return &s->processes[i];
    return NULL;
}

const struct snap_loop *snap_loop_of(const struct snap *s, int tid)
{
    for (int i = 0; i < s->nloops; i++)
        if (s->loops[i].tid == tid)
            return &s->loops[i];
    return NULL;
}
