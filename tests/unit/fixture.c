#include "fixture.h"

#include <math.h>
#include <string.h>

#define MS       1000000LL
#define S        1000000000LL
#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

// 2026-03-01T08:00:00Z
#define STARTED 1772352000000000000LL

static struct stack *hold_new(struct snap *s, const struct frame *frames, int n, int culprit,
                              bool torn, bool to_main)
{
    struct stack *stack = stack_new(frames, n, culprit, torn, to_main);
    snap_hold(s, stack);
    stack_unref(stack);
    return stack;
}

static struct stack *python_stack(struct snap *s)
{
    static const struct frame frames[] = {
        {.function = "__read_nocancel",
         .module = "/usr/lib/x86_64-linux-gnu/libc.so.6",
         .build_id = "9dc46d4b2f64cf8d0bb0c1a9a6d3f5a8c1b2d3e4",
         .offset = 0xf82d0,
         .runtime = true},
        {.function = "_io_FileIO_readall",
         .module = "/usr/bin/python3.11",
         .build_id = "77f04bb8d1c5a9e2e3c4d5e6f708192a3b4c5d6e",
         .offset = 0x2a41f0,
         .runtime = true},
        {.function = "load_profile",
         .file = "/srv/billing/profiles.py",
         .line = 41,
         .module = "/srv/billing/profiles.py",
         .kind = FRAME_PYTHON},
        {.function = "handle_request",
         .file = "/srv/billing/app.py",
         .line = 88,
         .module = "/srv/billing/app.py",
         .kind = FRAME_PYTHON},
        {.function = "run_forever",
         .file = "/usr/lib/python3.11/asyncio/base_events.py",
         .line = 607,
         .module = "/usr/lib/python3.11/asyncio/base_events.py",
         .kind = FRAME_PYTHON,
         .runtime = true},
        {.function = "main",
         .module = "/usr/bin/python3.11",
         .build_id = "77f04bb8d1c5a9e2e3c4d5e6f708192a3b4c5d6e",
         .offset = 0x1f1d0,
         .runtime = true},
    };
    return hold_new(s, frames, COUNT(frames), 2, false, true);
}

static struct stack *node_stack(struct snap *s)
{
    static const struct frame frames[] = {
        {.function = "v8::internal::JsonStringifier::Serialize_",
         .module = "/usr/bin/node",
         .build_id = "0123456789abcdef0123456789abcdef01234567",
         .offset = 0xd1e2f3,
         .runtime = true},
        {.function = "renderInvoice",
         .file = "/srv/web/invoice.js",
         .line = 130,
         .module = "/srv/web/invoice.js",
         .kind = FRAME_JAVASCRIPT},
        {.function = "onTick",
         .file = "/srv/web/server.js",
         .line = 12,
         .module = "/srv/web/server.js",
         .kind = FRAME_JAVASCRIPT,
         .uncertain = true},
        {.function = "uv__run_timers",
         .module = "/usr/bin/node",
         .build_id = "0123456789abcdef0123456789abcdef01234567",
         .offset = 0x1801a2b,
         .runtime = true},
        {.module = "/usr/bin/node",
         .build_id = "0123456789abcdef0123456789abcdef01234567",
         .offset = 0xb00150},
    };
    return hold_new(s, frames, COUNT(frames), 1, false, true);
}

static struct stack *redis_stack(struct snap *s)
{
    static const struct frame frames[] = {
        {.function = "luaV_execute", .module = "/usr/bin/redis-server", .offset = 0x15a2b0},
        {.function = "evalGenericCommand",
         .file = "src/eval.c",
         .line = 580,
         .module = "/usr/bin/redis-server",
         .offset = 0x99010},
        {.function = "call",
         .file = "src/server.c",
         .line = 3352,
         .module = "/usr/bin/redis-server",
         .offset = 0x5e1c0,
         .kind = FRAME_INLINED},
        {.module = NULL, .offset = 0x7f12a0001234},
    };
    return hold_new(s, frames, COUNT(frames), 0, true, false);
}

static struct stack *opener_stack(struct snap *s)
{
    static const struct frame frames[] = {
        {.function = "connect_upstream",
         .file = "/srv/billing/upstream.py",
         .line = 19,
         .module = "/srv/billing/upstream.py",
         .kind = FRAME_PYTHON},
        {.function = "fetch_orders",
         .file = "/srv/billing/orders.py",
         .line = 7,
         .module = "/srv/billing/orders.py",
         .kind = FRAME_PYTHON},
    };
    return hold_new(s, frames, COUNT(frames), 0, false, false);
}

static struct cause no_cause(void)
{
    return (struct cause){.fd = SNAP_UNKNOWN, .holder_tid = SNAP_UNKNOWN, .ratio = NAN};
}

static struct cause read_cause(void)
{
    struct cause c = no_cause();
    c.kind = CAUSE_SYSCALL;
    c.syscall = "read";
    c.fd = 7;
    c.path = "/srv/billing/profiles.db";
    c.ratio = 0.98;
    c.nonblock_missing = true;
    return c;
}

static struct cause cpu_cause(void)
{
    struct cause c = no_cause();
    c.kind = CAUSE_CPU_USER;
    c.ratio = 0.96;
    return c;
}

static void processes(struct snap *s)
{
    static const struct snap_process list[] = {
        {.pid = 4411,
         .ppid = 1,
         .name = "billing",
         .exe = "/usr/bin/python3.11",
         .cmdline = "/usr/bin/python3 /srv/billing/app.py",
         .runtime = RUNTIME_ASYNCIO,
         .runtime_version = "3.11.2",
         .judged = true,
         .started_unix_ns = STARTED - 3600 * S,
         .fd_count = 812,
         .fd_limit = 1024,
         .fd_limit_hard = 1048576,
         .ntasks = 6,
         .norphans = 1,
         .zombies = 0,
         .zombie_oldest_ns = SNAP_UNKNOWN,
         .rss_bytes = 88 << 20},
        {.pid = 5120,
         .ppid = 1,
         .name = "gateway",
         .exe = "/usr/bin/node",
         .cmdline = "node /srv/web/server.js",
         .runtime = RUNTIME_NODE,
         .runtime_version = "20.20.2",
         .judged = true,
         .started_unix_ns = STARTED - 7200 * S,
         .fd_count = 96,
         .fd_limit = 65536,
         .fd_limit_hard = 1048576,
         .lost = 3,
         .ntasks = SNAP_UNKNOWN,
         .norphans = SNAP_UNKNOWN,
         .zombies = 6,
         .zombie_oldest_ns = 75 * S,
         .zombie_command = "convert",
         .rss_bytes = 143 << 20},
        {.pid = 6003,
         .ppid = 1,
         .name = "redis-server",
         .exe = "/usr/bin/redis-server",
         .cmdline = "redis-server *:6379",
         .runtime = RUNTIME_REDIS,
         .judged = true,
         .started_unix_ns = STARTED - 86400 * S,
         .fd_count = 58,
         .fd_limit = 10032,
         .fd_limit_hard = SNAP_UNKNOWN,
         .ntasks = SNAP_UNKNOWN,
         .norphans = SNAP_UNKNOWN,
         .zombies = SNAP_UNKNOWN,
         .zombie_oldest_ns = SNAP_UNKNOWN,
         .rss_bytes = SNAP_UNKNOWN},
        {.pid = 7121,
         .ppid = 1,
         .name = "legacyd",
         .exe = "/opt/legacy/bin/legacyd",
         .runtime = RUNTIME_GO,
         .why_not = "Go's network poller is no event loop",
         .started_unix_ns = SNAP_UNKNOWN,
         .fd_count = SNAP_UNKNOWN,
         .fd_limit = SNAP_UNKNOWN,
         .fd_limit_hard = SNAP_UNKNOWN,
         .ntasks = SNAP_UNKNOWN,
         .norphans = SNAP_UNKNOWN,
         .zombies = SNAP_UNKNOWN,
         .zombie_oldest_ns = SNAP_UNKNOWN,
         .rss_bytes = SNAP_UNKNOWN},
    };
    static const int tids[][2] = {{4411, 4420}, {5120, 0}, {6003, 0}, {0, 0}};
    static const int counts[] = {2, 1, 1, 0};
    s->nprocesses = COUNT(list);
    s->processes = snap_alloc(s, sizeof(list));
    memcpy(s->processes, list, sizeof(list));
    for (int i = 0; i < s->nprocesses; i++) {
        s->processes[i].nloops = counts[i];
        s->processes[i].loops = snap_alloc(s, sizeof(tids[i]));
        memcpy(s->processes[i].loops, tids[i], sizeof(tids[i]));
    }
}

static struct loop_window window(int64_t busy_ns)
{
    return (struct loop_window){.window_ns = 10 * S,
                                .turns = 5000,
                                .polls_empty = SNAP_UNKNOWN,
                                .busy_ns = busy_ns,
                                .wait_ns = 10 * S - busy_ns,
                                .cpu_user_ns = busy_ns / 2,
                                .cpu_kernel_ns = busy_ns / 8,
                                .runqueue_ns = busy_ns / 50,
                                .stopped_ns = 0,
                                .turn_p50_ns = 2 * MS,
                                .turn_p99_ns = 38 * MS,
                                .turn_max_ns = 2310 * MS,
                                .runqueue_p99_ns = 4 * MS,
                                .hot_fd = SNAP_UNKNOWN,
                                .pool_busy_ns = SNAP_UNKNOWN};
}

static void spark(struct snap_loop *l, int64_t base)
{
    for (int i = 0; i < LOOP_SPARK; i++) // the loop is 50 s old; a stall every tenth second
        l->spark_ns[i] = i < 10 ? SNAP_UNKNOWN : base + (i % 10 == 9 ? 700 * MS : i * 10000);
    for (int i = 0; i < 14; i++)
        l->lag_hist[i] = (uint32_t)(20000 >> i);
}

static void loops(struct snap *s, int tick)
{
    s->nloops = 5;
    s->loops = snap_alloc(s, sizeof(*s->loops) * 5);
    s->loops[0] = (struct snap_loop){
        .pid = 4411,
        .tid = 4411,
        .name = "main",
        .state = LOOP_BLOCKED,
        .judged = true,
        .judged_ns = s->now_ns,
        .turns = 918204,
        .busy_ratio = 0.972,
        .lag_p50_ns = 41 * MS,
        .lag_p90_ns = 310 * MS,
        .lag_p99_ns = 1200 * MS,
        .lag_max_ns = 2310 * MS,
        .blocked_ns = 2310 * MS + tick * S,
        .iteration = SNAP_UNKNOWN,
        .window = window(9720 * MS),
        .task = {"T4", "request-118", "/srv/billing/app.py:52", "/srv/billing/app.py:88"},
        .stack = python_stack(s)};
    s->loops[1] = (struct snap_loop){.pid = 4411,
                                     .tid = 4420,
                                     .name = "io-1",
                                     .state = LOOP_WAITING,
                                     .judged = true,
                                     .judged_ns = s->now_ns,
                                     .turns = 402,
                                     .busy_ratio = 0.003,
                                     .lag_p50_ns = 100000,
                                     .lag_p90_ns = 200000,
                                     .lag_p99_ns = 300000,
                                     .lag_max_ns = 2 * MS,
                                     .iteration = SNAP_UNKNOWN,
                                     .window = window(30 * MS)};
    s->loops[2] = (struct snap_loop){.pid = 5120,
                                     .tid = 5120,
                                     .name = "main",
                                     .state = LOOP_RUNNING,
                                     .judged = true,
                                     .judged_ns = s->now_ns,
                                     .turns = 51000 + 100 * tick,
                                     .turns_estimated = true,
                                     .busy_ratio = 0.63,
                                     .lag_p50_ns = 1100000,
                                     .lag_p90_ns = 9 * MS,
                                     .lag_p99_ns = 38 * MS,
                                     .lag_max_ns = 640 * MS,
                                     .iteration = 88123 + 100 * tick,
                                     .window = window(6300 * MS)};
    s->loops[2].window.busy_stack = node_stack(s);
    s->loops[3] = (struct snap_loop){.pid = 6003,
                                     .tid = 6003,
                                     .name = "redis-server",
                                     .state = LOOP_SPINNING,
                                     .judged = true,
                                     .judged_ns = s->now_ns,
                                     .turns = 2500000,
                                     .busy_ratio = 0.999,
                                     .lag_p50_ns = 90000,
                                     .lag_p90_ns = 120000,
                                     .lag_p99_ns = 400000,
                                     .lag_max_ns = 1100000,
                                     .iteration = SNAP_UNKNOWN,
                                     .window = window(9990 * MS)};
    s->loops[3].window.hot_fd = 12;
    s->loops[3].window.polls_empty = 200000;
    s->loops[4] = (struct snap_loop){.pid = 7121,
                                     .tid = 7121,
                                     .name = "legacyd",
                                     .state = LOOP_NO_PROBES,
                                     .why_not = "Go's network poller is no event loop",
                                     .turns = SNAP_UNKNOWN,
                                     .busy_ratio = NAN,
                                     .lag_p50_ns = SNAP_UNKNOWN,
                                     .lag_p90_ns = SNAP_UNKNOWN,
                                     .lag_p99_ns = SNAP_UNKNOWN,
                                     .lag_max_ns = SNAP_UNKNOWN,
                                     .blocked_ns = SNAP_UNKNOWN,
                                     .iteration = SNAP_UNKNOWN};
    for (int i = 0; i < 4; i++)
        spark(&s->loops[i], 100000);
    for (int i = 0; i < LOOP_SPARK; i++)
        s->loops[4].spark_ns[i] = SNAP_UNKNOWN;
}

static void stalls(struct snap *s, int tick)
{
    s->nstalls = 2;
    s->stalls = snap_alloc(s, sizeof(*s->stalls) * 2);
    struct stall_sample *samples = snap_alloc(s, sizeof(*samples) * 3);
    for (int i = 0; i < 3; i++)
        samples[i] = (struct stall_sample){.at_ns = 40 * S + (100 << i) * MS + 8 * MS,
                                           .elapsed_ns = (100 << i) * MS + 8 * MS,
                                           .level = 1 << i,
                                           .stack = python_stack(s),
                                           .cause = read_cause()};
    s->stalls[0] = (struct snap_stall){.id = 14,
                                       .pid = 4411,
                                       .tid = 4411,
                                       .begin_ns = 40 * S,
                                       .end_ns = SNAP_UNKNOWN,
                                       .duration_ns = 2310 * MS + tick * S,
                                       .threshold_ns = 100 * MS,
                                       .open = true,
                                       .lower_bound = true,
                                       .captured_after_ns = 8 * MS,
                                       .attached_after_ns = SNAP_UNKNOWN,
                                       .split = {.cpu_user = 20 * MS, .syscall = 2290 * MS},
                                       .cause = read_cause(),
                                       .ready_fds = 3,
                                       .task = s->loops[0].task,
                                       .nsamples = 3,
                                       .samples = samples};
    struct stall_sample *one = snap_alloc(s, sizeof(*one) * 2);
    one[0] = (struct stall_sample){.at_ns = 37 * S + 110 * MS,
                                   .elapsed_ns = 110 * MS,
                                   .level = 1,
                                   .on_cpu = true,
                                   .stack = node_stack(s),
                                   .cause = cpu_cause()};
    one[1] = (struct stall_sample){.at_ns = 37 * S + 210 * MS,
                                   .elapsed_ns = 210 * MS,
                                   .level = 2,
                                   .on_cpu = true,
                                   .why_not = "the turn ended while it was read",
                                   .cause = cpu_cause()};
    s->stalls[1] = (struct snap_stall){.id = 13,
                                       .pid = 5120,
                                       .tid = 5120,
                                       .begin_ns = 37 * S,
                                       .end_ns = 37 * S + 640 * MS,
                                       .duration_ns = 640 * MS,
                                       .threshold_ns = 100 * MS,
                                       .captured_after_ns = 10 * MS,
                                       .attached_after_ns = SNAP_UNKNOWN,
                                       .split = {.cpu_user = 614 * MS, .cpu_kernel = 20 * MS},
                                       .cause = cpu_cause(),
                                       .ready_fds = SNAP_UNKNOWN,
                                       .nsamples = 2,
                                       .samples = one,
                                       .suppressed = 1};
    s->ncalls = 1;
    s->calls = snap_alloc(s, sizeof(*s->calls));
    s->calls[0] = (struct snap_calls){.pid = 4411,
                                      .tid = 4411,
                                      .cause = read_cause(),
                                      .stack = python_stack(s),
                                      .window_ns = 10 * S,
                                      .calls = 37,
                                      .total_ns = 3100 * MS,
                                      .max_ns = 2310 * MS};
}

static const char **texts(struct snap *s, const char *a, const char *b)
{
    const char **list = snap_alloc(s, sizeof(*list) * 2);
    list[0] = a;
    list[1] = b;
    return list;
}

static struct finding plain_finding(const char *id, const char *rule, enum severity severity,
                                    int pid, int tid)
{
    return (struct finding){.id = id,
                            .rule = rule,
                            .severity = severity,
                            .open = true,
                            .still_open = true,
                            .pid = pid,
                            .tid = tid,
                            .count = 1,
                            .first_seen_ns = 30 * S,
                            .last_seen_ns = 42 * S,
                            .duration_ns = SNAP_UNKNOWN,
                            .confidence = 0.9,
                            .cause = no_cause(),
                            .captured_after_ns = SNAP_UNKNOWN,
                            .attached_after_ns = SNAP_UNKNOWN};
}

static void evidence(struct snap *s, struct finding *f, int n, const struct evidence *list)
{
    f->nevidence = n;
    f->evidence = snap_alloc(s, sizeof(*list) * (size_t)n);
    memcpy(f->evidence, list, sizeof(*list) * (size_t)n);
}

static void sync_io_finding(struct snap *s, struct finding *f, int tick)
{
    *f = plain_finding("F3", "loop-sync-io", SEV_CRITICAL, 4411, 4411);
    f->nalso = 1;
    f->also = texts(s, "loop-blocked", NULL);
    f->nrelated = 1;
    f->related = texts(s, "F7", NULL);
    f->subject = "billing (4411) main";
    f->title = "blocked 2.31 s in read() of /srv/billing/profiles.db, called by load_profile";
    f->count = 14;
    f->suppressed = 2;
    f->last_seen_ns = s->now_ns;
    f->duration_ns = 2310 * MS + tick * S;
    f->duration_is_lower_bound = true;
    f->captured_during = true;
    f->captured_after_ns = 8 * MS;
    f->confidence = 0.99;
    f->cause = read_cause();
    f->task = s->loops[0].task;
    f->stack = python_stack(s);
    f->noccurrences = 2;
    f->occurrences = snap_alloc(s, sizeof(*f->occurrences) * 2);
    f->occurrences[0] = (struct occurrence){40 * S, f->duration_ns, 8 * MS, f->stack, read_cause()};
    f->occurrences[1] = (struct occurrence){31 * S, 420 * MS, 11 * MS, f->stack, read_cause()};
    evidence(s, f, 3,
             (struct evidence[]){{"duration", "ns", "the loop has not polled for 2.31 s", 2310e6},
                                 {"syscall_ratio", "ratio",
                                  "98 % of it in read(7) of /srv/billing/profiles.db", 0.98},
                                 {"nonblock", NULL, "descriptor 7 has no O_NONBLOCK", NAN}});
    f->nremedy = 2;
    f->remedy = texts(s, "Move the read to a thread: await asyncio.to_thread(load_profile, ...)",
                      "or keep the profiles in memory and reload them when the file changes");
    f->verify = "loopscope check 4411 --for 30s";
}

static void leak_finding(struct snap *s, struct finding *f)
{
    *f = plain_finding("F5", "fd-leak", SEV_WARNING, 4411, 0);
    f->subject = "billing (4411)";
    f->title = "31 tcp sockets opened by connect_upstream were never closed";
    f->count = 31;
    f->stack = opener_stack(s);
    f->task = (struct task_ref){"T2", "poller", "/srv/billing/app.py:30", NULL};
    evidence(s, f, 2,
             (struct evidence[]){
                 {"open", "count", "31 of 31 opened in 40 s are still open", 31},
                 {"limit_in", "ns", "the limit of 1024 is reached in 4 min 30 s", 270e9}});
    f->nremedy = 1;
    f->remedy = texts(s, "Close the connection on every way out: async with", NULL);
    f->verify = "loopscope check 4411 --for 2m";
}

static void findings(struct snap *s, int tick)
{
    s->nfindings = 6;
    s->findings = snap_alloc(s, sizeof(*s->findings) * 6);
    struct finding *f = s->findings;
    sync_io_finding(s, &f[0], tick);

    f[1] = plain_finding("F7", "loop-hung", SEV_CRITICAL, 4411, 4411);
    f[1].subject = "billing (4411) main";
    f[1].title = "no end in sight: the same stack for 5 s";
    f[1].nrelated = 1;
    f[1].related = texts(s, "F3", NULL);
    f[1].began_before_attach = true;
    f[1].attached_after_ns = 12 * MS;
    f[1].stack = python_stack(s);

    leak_finding(s, &f[2]);

    f[3] = plain_finding("F6", "task-never-awaited", SEV_WARNING, 4411, 4411);
    f[3].subject = "billing (4411) main";
    f[3].title = "task 'audit' was created 12 s ago and nobody awaits it";
    f[3].task = (struct task_ref){"T5", "audit", "/srv/billing/app.py:61", NULL};

    f[4] = plain_finding("F2", "loop-cpu", SEV_WARNING, 5120, 5120);
    f[4].open = f[4].still_open = false;
    f[4].subject = "gateway (5120) main";
    f[4].title = "blocked 640 ms computing in renderInvoice";
    f[4].nalso = 1;
    f[4].also = texts(s, "loop-blocked", NULL);
    f[4].last_seen_ns = 37 * S + 640 * MS;
    f[4].duration_ns = 640 * MS;
    f[4].captured_during = true;
    f[4].captured_after_ns = 10 * MS;
    f[4].cause = cpu_cause();
    f[4].stack = node_stack(s);
    f[4].noccurrences = 1;
    f[4].occurrences = snap_alloc(s, sizeof(struct occurrence));
    f[4].occurrences[0] = (struct occurrence){37 * S, 640 * MS, 10 * MS, f[4].stack, cpu_cause()};
    f[4].verify = "loopscope check 5120 --for 30s";

    f[5] = plain_finding("F1", "loop-spin", SEV_INFO, 6003, 6003);
    f[5].subject = "redis-server (6003)";
    f[5].title = "20 000 polls a second without progress; fd 12 is always ready";
    f[5].stack = redis_stack(s);
}

static void tasks(struct snap *s)
{
    static const struct snap_task list[] = {
        {.id = "T1",
         .name = "main",
         .state = TASK_WAITING,
         .age_ns = 3600 * S,
         .busy_ns = 2 * S,
         .wait_ns = 2310 * MS,
         .steps = 120,
         .await_site = "/srv/billing/app.py:120"},
        {.id = "T2",
         .parent = "T1",
         .name = "poller",
         .state = TASK_DONE,
         .age_ns = 900 * S,
         .busy_ns = 400 * MS,
         .wait_ns = 0,
         .steps = 11,
         .spawn_site = "/srv/billing/app.py:30"},
        {.id = "T3",
         .parent = "T2",
         .name = "upstream",
         .state = TASK_WAITING,
         .flags = TASKF_ORPHANED,
         .age_ns = 700 * S,
         .busy_ns = 10 * MS,
         .wait_ns = 600 * S,
         .steps = 4,
         .spawn_site = "/srv/billing/upstream.py:8",
         .await_site = "/srv/billing/upstream.py:19",
         .waits_on = "socket 31 readable"},
        {.id = "T4",
         .parent = "T1",
         .name = "request-118",
         .state = TASK_RUNNING,
         .age_ns = 3 * S,
         .busy_ns = 2400 * MS,
         .wait_ns = 0,
         .steps = 3,
         .spawn_site = "/srv/billing/app.py:52",
         .await_site = "/srv/billing/app.py:88"},
        {.id = "T5",
         .parent = "T4",
         .name = "audit",
         .state = TASK_NEW,
         .flags = TASKF_NEVER_STARTED | TASKF_NEVER_AWAITED,
         .age_ns = 12 * S,
         .busy_ns = 0,
         .wait_ns = SNAP_UNKNOWN,
         .steps = 0,
         .spawn_site = "/srv/billing/app.py:61"},
        {.id = "T6",
         .parent = "T1",
         .name = "mailer",
         .state = TASK_FAILED,
         .flags = TASKF_ERROR_UNREAD,
         .age_ns = 65 * S,
         .busy_ns = SNAP_UNKNOWN,
         .wait_ns = SNAP_UNKNOWN,
         .steps = SNAP_UNKNOWN,
         .spawn_site = "/srv/billing/app.py:70",
         .error = "ConnectionRefusedError: smtp"},
    };
    s->ntasks = COUNT(list);
    s->tasks = snap_alloc(s, sizeof(list));
    memcpy(s->tasks, list, sizeof(list));
    for (int i = 0; i < s->ntasks; i++)
        s->tasks[i].pid = s->tasks[i].tid = 4411;
    s->tasks[2].chain = opener_stack(s);
    s->tasks_total = s->ntasks;
    static const int64_t by_state[] = {1, 0, 1, 2, 1, 1, 0};
    memcpy(s->tasks_by_state, by_state, sizeof(by_state));

    static const struct snap_task_site sites[] = {
        {4411, "/srv/billing/app.py:52", "request", 1, 0, 118, 117, 0, 0, 0.1, 3 * S, 80 * MS,
         900 * MS},
        {4411, "/srv/billing/upstream.py:8", "upstream", 1, 1, 31, 30, 0, 0, 0, 700 * S,
         SNAP_UNKNOWN, SNAP_UNKNOWN},
        {4411, NULL, "mailer", 0, 0, 4, 3, 1, 0, NAN, 65 * S, 12 * MS, 40 * MS},
    };
    s->ntask_sites = COUNT(sites);
    s->task_sites = snap_alloc(s, sizeof(sites));
    memcpy(s->task_sites, sites, sizeof(sites));
}

static void fds(struct snap *s)
{
    s->nfds = 3;
    s->fds = snap_alloc(s, sizeof(*s->fds) * 3);
    struct snap_fd *detail = snap_alloc(s, sizeof(*detail) * 2);
    detail[0] = (struct snap_fd){31,
                                 700 * S,
                                 600 * S,
                                 512,
                                 128,
                                 "CLOSE_WAIT",
                                 "tcp 10.0.0.9:5432",
                                 {"T3", "upstream", NULL, NULL}};
    detail[1] = (struct snap_fd){32,           690 * S,       SNAP_UNKNOWN,        SNAP_UNKNOWN,
                                 SNAP_UNKNOWN, "ESTABLISHED", "tcp 10.0.0.9:5432", {0}};
    s->fds[0] = (struct snap_fd_site){.pid = 4411,
                                      .kind = "tcp",
                                      .stack = opener_stack(s),
                                      .opened = 31,
                                      .closed = 0,
                                      .open = 31,
                                      .oldest_ns = 700 * S,
                                      .growth_per_s = 0.79,
                                      .verdict = "leak",
                                      .ndetail = 2,
                                      .detail = detail};
    s->fds[1] = (struct snap_fd_site){.pid = 4411,
                                      .kind = "file",
                                      .opened = SNAP_UNKNOWN,
                                      .closed = SNAP_UNKNOWN,
                                      .open = 9,
                                      .oldest_ns = 3600 * S,
                                      .growth_per_s = 0,
                                      .verdict = "ok"};
    s->fds[2] = (struct snap_fd_site){.pid = 5120,
                                      .kind = "eventfd",
                                      .opened = SNAP_UNKNOWN,
                                      .closed = SNAP_UNKNOWN,
                                      .open = 4,
                                      .oldest_ns = SNAP_UNKNOWN,
                                      .growth_per_s = NAN,
                                      .verdict = "unknown"};
}

static void events(struct snap *s, int tick)
{
    static const struct snap_event first[] = {
        {EVENT_ATTACHED, 0, 4411, NULL, NULL},
        {EVENT_OPEN, 40 * S + 108 * MS, 4411, "F3", NULL},
        {EVENT_CLOSE, 41 * S, 5120, "F2", NULL},
        {EVENT_LOST, 41 * S, 5120, NULL, "3 records: ring buffer full"},
        {EVENT_DETACHED, 41 * S, 8800, NULL, "the process exited"},
    };
    static const struct snap_event later[] = {{EVENT_UPDATE, 0, 4411, "F3", NULL}};
    s->nevents = tick == 0 ? COUNT(first) : COUNT(later);
    s->events = snap_alloc(s, sizeof(first));
    if (tick == 0)
        memcpy(s->events, first, sizeof(first));
    else
        s->events[0] = later[0];
    if (tick > 0)
        s->events[0].at_ns = s->now_ns;
    static const struct not_judged not_judged[] = {
        {"fd-leak", "needs 30 s of history for gateway (5120)"},
        {"task-unbounded", "no tasks can be seen in redis-server (6003)"},
    };
    s->nnot_judged = COUNT(not_judged);
    s->not_judged = snap_alloc(s, sizeof(not_judged));
    memcpy(s->not_judged, not_judged, sizeof(not_judged));
}

static struct snap *basis(void)
{
    struct snap *s = snap_new();
    s->version = 1;
    s->started_unix_ns = STARTED;
    s->now_ns = 42 * S + 310 * MS;
    s->threshold_ns = 100 * MS;
    s->source = "--all";
    s->host = (struct snap_host){"web-3", "6.1.0-18-amd64", 8, 0.0125};
    s->agent = (struct snap_agent){.version = "0.1.0",
                                   .backend = "bpf",
                                   .turn_source = "sched+breakpoint",
                                   .turns_estimated = true,
                                   .cpu_ratio = 0.0042,
                                   .cpu_ns = 180 * MS,
                                   .rss_bytes = 21 << 20,
                                   .lost_records = 3,
                                   .torn_stacks = 1,
                                   .stacks = 44,
                                   .drift = 0};
    for (int i = 0; i < 8; i++)
        s->tasks_by_state[i] = SNAP_UNKNOWN;
    s->tasks_total = SNAP_UNKNOWN;
    return s;
}

struct snap *fixture_rich(int tick)
{
    struct snap *s = basis();
    s->version += (uint64_t)tick;
    s->now_ns += tick * S;
    for (int i = 0; i < 8; i++)
        s->tasks_by_state[i] = 0;
    processes(s);
    loops(s, tick);
    stalls(s, tick);
    tasks(s);
    fds(s);
    findings(s, tick);
    events(s, tick);
    return s;
}

struct snap *fixture_quiet(void)
{
    struct snap *s = basis();
    processes(s);
    loops(s, 0);
    s->processes += 2; // redis-server
    s->nprocesses = 1;
    s->loops += 3;
    s->nloops = 1;
    s->loops[0].state = LOOP_WAITING;
    s->loops[0].busy_ratio = 0.12;
    s->source = "6003";
    return s;
}

struct snap *fixture_empty(void)
{
    struct snap *s = basis();
    s->now_ns = 2 * S;
    s->source = "4711";
    s->host = (struct snap_host){NULL, NULL, 1, NAN};
    s->agent = (struct snap_agent){.cpu_ratio = NAN,
                                   .cpu_ns = SNAP_UNKNOWN,
                                   .rss_bytes = SNAP_UNKNOWN,
                                   .lost_records = SNAP_UNKNOWN,
                                   .torn_stacks = SNAP_UNKNOWN,
                                   .stacks = SNAP_UNKNOWN,
                                   .drift = SNAP_UNKNOWN};
    return s;
}
