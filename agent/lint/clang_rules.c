// The rules for C: what a task must not call, handles that nobody awaits, what is left open.
#include "clang_rules.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MANY      100000000LL // rounds of a C loop that are certainly long: some 50 ms
#define MAX_CHAIN 16

static const struct {
    const char *rule, *name, *remedy;
} blocking[] = {
    {"loop-sync-io", "sleep", "ls_sleep()"},
    {"loop-sync-io", "usleep", "ls_sleep()"},
    {"loop-sync-io", "nanosleep", "ls_sleep()"},
    {"loop-sync-io", "clock_nanosleep", "ls_sleep()"},
    {"loop-sync-io", "system", "ls_process_start() and ls_process_wait()"},
    {"loop-sync-io", "popen", "ls_process_start() with LS_STDIO_PIPE"},
    {"loop-sync-io", "wait", "ls_process_wait()"},
    {"loop-sync-io", "waitpid", "ls_process_wait()"},
    {"loop-sync-io", "getaddrinfo", "ls_resolve()"},
    {"loop-sync-io", "getnameinfo", "ls_offload()"},
    {"loop-sync-io", "gethostbyname", "ls_resolve()"},
    {"loop-sync-io", "gethostbyaddr", "ls_offload()"},
    {"loop-sync-io", "poll", "the runtime's streams and ls_sleep()"},
    {"loop-sync-io", "select", "the runtime's streams and ls_sleep()"},
    {"loop-sync-io", "epoll_wait", "the runtime's streams and ls_sleep()"},
    {"loop-sync-io", "connect", "ls_tcp_connect()"},
    {"loop-sync-io", "fopen", "ls_file_open() or ls_file_slurp()"},
    {"loop-sync-io", "fread", "ls_file_read() or ls_file_slurp()"},
    {"loop-sync-io", "fgets", "ls_file_read() or ls_file_slurp()"},
    {"loop-sync-io", "getline", "ls_file_read() or ls_file_slurp()"},
    {"loop-sync-io", "fwrite", "ls_file_write()"},
    {"loop-sync-io", "fsync", "ls_file_sync()"},
    {"loop-sync-io", "fdatasync", "ls_file_sync()"},
    {"loop-sync-io", "pread", "ls_file_read()"},
    {"loop-sync-io", "pwrite", "ls_file_write()"},
    {"loop-sync-io", "getchar", "a stream on standard input"},
    {"loop-sync-io", "scanf", "a stream on standard input"},
    {"loop-sync-io", "curl_easy_perform", "ls_offload()"},
    {"loop-sync-io", "PQconnectdb", "ls_offload()"},
    {"loop-sync-io", "PQexec", "ls_offload()"},
    {"loop-sync-io", "mysql_query", "ls_offload()"},
    {"loop-sync-io", "mysql_real_query", "ls_offload()"},
    {"loop-sync-io", "sqlite3_exec", "ls_offload()"},
    {"loop-sync-io", "sqlite3_step", "ls_offload()"},
    {"loop-sync-log", "syslog", "ls_log()"},
    {"loop-lock", "flock", "ls_offload()"},
    {"loop-lock", "lockf", "ls_offload()"},
    {"loop-lock", "pthread_join", "ls_offload() starts and awaits in one"},
    {"loop-lock", "pthread_cond_wait", "ls_cond_wait(), or ls_event_wait() and ls_post()"},
    {"loop-lock", "sem_wait", "ls_sem_acquire()"},
    {"loop-cpu", "crypt", "ls_offload()"},
};

static char *format(const char *fmt, va_list ap)
{
    char *text;
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    return text;
}

struct lint_finding *clang_tell(struct check *c, const char *rule_id, const struct c_call *call,
                                const char *about, const char *remedy, const char *fmt, ...)
{
    const struct lint_rule *rule = lint_rule_find(rule_id);
    va_list ap;
    va_start(ap, fmt);
    struct lint_finding f = {.rule = rule->id,
                             .severity = rule->severity,
                             .file = strdup(c->path),
                             .line = (int)call->at.line,
                             .column = (int)call->at.column,
                             .function = strdup(c->u->functions[call->function].name),
                             .message = format(fmt, ap),
                             .remedy = strdup(remedy),
                             .about = strdup(about),
                             .blocked_ms = NAN};
    va_end(ap);
    lint_add(c->r, &f);
    return &c->r->findings[c->r->n - 1];
}

// From the task down to the function, as the calls that led there.
static void add_chain(struct check *c, struct lint_finding *f, const int *from, int function)
{
    int way[MAX_CHAIN], n = 0;
    for (int at = function; n < MAX_CHAIN; at = c->u->calls[from[at]].function) {
        way[n++] = at;
        if (from[at] < 0)
            break;
    }
    if (n < 2)
        return;
    f->chain = calloc((size_t)n, sizeof(*f->chain));
    for (int i = n - 1; f->chain && i >= 0; i--) {
        const struct c_function *fn = &c->u->functions[way[i]];
        int line = from[way[i]] < 0 ? (int)fn->at.line : (int)c->u->calls[from[way[i]]].at.line;
        f->chain[f->nchain++] = (struct lint_step){strdup(fn->name), line};
    }
}

// Breadth first from the functions that `is_root` says, so that chains are the shortest.
static int *reach(const struct unit *u, bool threads)
{
    int *from = calloc((size_t)u->nfunctions + 1, sizeof(int));
    int *queue = calloc((size_t)u->nfunctions + 1, sizeof(int)), head = 0, tail = 0;
    if (!from || !queue)
        abort();
    for (int i = 0; i < u->nfunctions; i++) {
        bool root = threads ? u->functions[i].is_thread : u->functions[i].is_task;
        from[i] = root ? -1 : -2;
        if (root)
            queue[tail++] = i;
    }
    while (head < tail) {
        int at = queue[head++];
        for (int i = 0; i < u->ncalls; i++) {
            int to = u->calls[i].function == at ? unit_function(u, u->calls[i].name) : -1;
            if (to < 0 || from[to] != -2)
                continue;
            from[to] = i;
            queue[tail++] = to;
        }
    }
    free(queue);
    return from;
}

static void judge_blocking(struct check *c, const struct c_call *call)
{
    const char *rule = NULL, *remedy = "ls_offload()";
    for (size_t i = 0; i < sizeof(blocking) / sizeof(*blocking) && !rule; i++)
        if (!strcmp(call->name, blocking[i].name)) {
            rule = blocking[i].rule;
            remedy = blocking[i].remedy;
        }
    for (int i = 0; i < c->settings->ncalls && !rule; i++)
        if (!strcmp(call->name, c->settings->calls[i].name))
            rule = c->settings->calls[i].rule;
    bool polls = !strcmp(call->name, "poll") || !strcmp(call->name, "epoll_wait");
    if (!rule || (polls && call->args[2] == 0) || (polls && call->args[3] == 0) ||
        (!strcmp(call->name, "waitpid") && call->args[2] == 1))
        return;
    struct lint_finding *f =
        clang_tell(c, rule, call, call->name, remedy, "%s() blocks the loop", call->name);
    add_chain(c, f, c->from, call->function);
}

// stderr has no buffer: each round waits for the terminal or the pipe.
static void judge_log(struct check *c, int i)
{
    const struct c_call *call = &c->u->calls[i];
    bool prints = !strcmp(call->name, "fprintf") || !strcmp(call->name, "fputs");
    bool to_stderr = !strcmp(call->name, "perror") || !strcmp(call->name, "dprintf");
    for (int k = 0; k < c->u->nuses && prints; k++)
        to_stderr |= c->u->uses[k].call == i && !strcmp(c->u->uses[k].name, "stderr");
    if (!to_stderr || call->rounds == ROUNDS_NONE)
        return;
    struct lint_finding *f = clang_tell(c, "loop-sync-log", call, call->name, "ls_log()",
                                        "%s() in a loop writes the log on the loop", call->name);
    add_chain(c, f, c->from, call->function);
}

// Those that loopscope.h marks "awaits", as their macros call them; what sets, opens or closes takes a site, too.
bool clang_is_await(const char *name)
{
    static const char *const await[] = {
        "await",       "wait",       "yield",           "sleep",       "group_wait",   "gather",
        "sem_acquire", "mutex_lock", "event_wait",      "cond_wait",   "chan_send",    "chan_recv",
        "select",      "offload",    "offload_abandon", "tcp_connect", "unix_connect", "accept",
        "read",        "read_exact", "read_until",      "write",       "writev",       "shutdown",
        "poll_fd",     "resolve",    "process_wait",    "signal_wait", "publish",      "bus_drain",
        "log_flush",   NULL};
    size_t n = strlen(name);
    if (strncmp(name, "ls_", 3) != 0 || n < 6 || strcmp(name + n - 3, "_at") != 0)
        return false;
    if (!strncmp(name, "ls_file_", 8))
        return true;
    for (int i = 0; await[i]; i++)
        if (strlen(await[i]) == n - 6 && !strncmp(name + 3, await[i], n - 6))
            return true;
    return false;
}

static bool awaits_within(const struct check *c, const struct c_loop *l)
{
    for (int i = 0; i < c->u->ncalls; i++) {
        const struct c_call *call = &c->u->calls[i];
        if (call->function == l->function && clang_is_await(call->name) &&
            is_before(l->at, call->at) && is_before(call->at, l->end))
            return true;
    }
    return false;
}

// A server: each round waits for something, a client or the time.
static bool is_paced(const struct check *c, const struct c_call *call)
{
    for (int i = 0; i < c->u->nloops; i++) {
        const struct c_loop *l = &c->u->loops[i];
        if (l->function == call->function && is_before(l->at, call->at) &&
            is_before(call->at, l->end) && awaits_within(c, l))
            return true;
    }
    return false;
}

static bool is_blocking(const char *name)
{
    for (size_t i = 0; i < sizeof(blocking) / sizeof(*blocking); i++)
        if (!strcmp(name, blocking[i].name))
            return true;
    return false;
}

// while (ls_now() < until): the clock is asked in its head, and nothing in it sleeps.
static bool waits_for_time(const struct check *c, const struct c_loop *l)
{
    static const char *const clocks[] = {"ls_now", "time", "clock", "clock_gettime",
                                         "gettimeofday"};
    bool asks = false;
    for (int i = 0; i < c->u->ncalls; i++) {
        const struct c_call *call = &c->u->calls[i];
        if (call->function != l->function || !is_before(l->at, call->at) ||
            !is_before(call->at, l->end))
            continue;
        if (is_blocking(call->name))
            return false;
        for (size_t k = 0; k < sizeof(clocks) / sizeof(*clocks); k++)
            asks |= is_before(call->at, l->body) && !strcmp(call->name, clocks[k]);
    }
    return asks;
}

static void judge_loops(struct check *c)
{
    for (int i = 0; i < c->u->nloops; i++) {
        const struct c_loop *l = &c->u->loops[i];
        bool many = l->rounds >= MANY;
        if (c->from[l->function] == -2 || (!many && !waits_for_time(c, l)) || awaits_within(c, l))
            continue;
        struct c_call at = {.function = l->function, .at = l->at};
        struct lint_finding *f =
            clang_tell(c, "loop-cpu", &at, "loop", "ls_offload(), or ls_yield() in it",
                       many ? "a loop of %lld rounds computes on the loop"
                            : "a loop until a point in time computes on the loop",
                       l->rounds);
        f->end_line = (int)l->end.line;
        add_chain(c, f, c->from, l->function);
    }
}

// Is the variable used after this place (by a call of that name, where one is given)?
static bool is_used(const struct check *c, int function, const char *var, struct place after,
                    const char *by)
{
    for (int i = 0; i < c->u->nuses; i++) {
        const struct c_use *use = &c->u->uses[i];
        if (use->function != function || strcmp(use->name, var) != 0 || use->discarded ||
            !is_before(after, use->at))
            continue;
        if (!by || (use->call >= 0 && !strcmp(c->u->calls[use->call].name, by)))
            return true;
    }
    return false;
}

static void judge_handle(struct check *c, const struct c_call *call)
{
    bool lost =
        call->dropped || (call->var && !is_used(c, call->function, call->var, call->at, NULL));
    if (!strcmp(call->name, "ls_spawn_at") && lost)
        clang_tell(c, "task-never-awaited", call, "ls_spawn",
                   "ls_await() it, spawn it in a group, or ls_spawn_detached()",
                   "the handle of ls_spawn() is dropped: nobody awaits the task");
    if (!strcmp(call->name, "ls_await_at") && lost)
        clang_tell(c, "task-error-unread", call, "ls_await",
                   "look at the result: negative is an error",
                   "the result of ls_await() is dropped: its error is lost");
}

static bool is_used_between(const struct check *c, const struct c_call *call, struct place end)
{
    for (int i = 0; i < c->u->nuses; i++) {
        const struct c_use *use = &c->u->uses[i];
        if (use->function == call->function && !strcmp(use->name, call->var) && !use->discarded &&
            is_before(call->at, use->at) && is_before(use->at, end))
            return true;
    }
    return false;
}

// Awaited on one way, forgotten on another that leaves before it.
static void judge_way_out(struct check *c, const struct c_call *call)
{
    if (!call->is_task || !call->var || call->rounds != ROUNDS_NONE ||
        !is_used(c, call->function, call->var, call->at, NULL))
        return;
    for (int i = 0; i < c->u->nreturns; i++) {
        const struct c_return *out = &c->u->returns[i];
        if (out->function != call->function || !is_before(call->at, out->at) ||
            is_used_between(c, call, out->end))
            continue;
        clang_tell(c, "task-never-awaited", call, call->var,
                   "ls_await() it on every way out, or spawn it in a group",
                   "on the way out in line %u nobody awaits the task %s", out->at.line, call->var);
        return;
    }
}

// The variable that an argument of this call names; NULL. (The site of the macro is none.)
static const char *variable_of(const struct check *c, int call)
{
    for (int i = 0; i < c->u->nuses; i++)
        if (c->u->uses[i].call == call && strcmp(c->u->uses[i].name, "ls_site_") != 0)
            return c->u->uses[i].name;
    return NULL;
}

static void judge_wait(struct check *c, int i)
{
    const struct c_call *call = &c->u->calls[i];
    const char *task = variable_of(c, i);
    if (strcmp(call->name, "ls_wait_at") != 0 || call->args[2] == -1 || !task)
        return;
    if (!is_used(c, call->function, task, call->at, "ls_cancel_at") &&
        !is_used(c, call->function, task, call->at, "ls_await_at") &&
        !is_used(c, call->function, task, call->at, "ls_wait_at"))
        clang_tell(
            c, "task-timeout-runs-on", call, task, "ls_await_for() cancels it and waits for that",
            "after the timeout of ls_wait() the task %s runs on: nobody cancels or awaits it",
            task);
}

static bool is_limited(const struct check *c, const struct c_call *spawn, const char *group)
{
    for (int i = 0; i < c->u->ncalls; i++) {
        const struct c_call *open = &c->u->calls[i];
        const char *opened = variable_of(c, i);
        if (open->function == spawn->function && !strcmp(open->name, "ls_group_open_at") &&
            opened && !strcmp(opened, group))
            return open->args[3] != 0;
    }
    return true; // opened elsewhere: not known
}

static bool acquires(const struct check *c, const struct c_call *spawn)
{
    for (int i = 0; i < c->u->ncalls; i++)
        if (c->u->calls[i].function == spawn->function &&
            !strcmp(c->u->calls[i].name, "ls_sem_acquire_at"))
            return true;
    return false;
}

static void judge_number(struct check *c, int i)
{
    const struct c_call *call = &c->u->calls[i];
    const char *group = variable_of(c, i);
    if (call->rounds != ROUNDS_ANY || acquires(c, call) || is_paced(c, call))
        return;
    if (!strcmp(call->name, "ls_group_spawn_at") && group && !is_limited(c, call, group))
        clang_tell(c, "task-unbounded", call, group, "ls_group_open(..., LIMIT), 10 to 100 a core",
                   "a task a round, and the group %s has no limit", group);
}

static void judge_group(struct check *c, int i)
{
    const struct c_call *call = &c->u->calls[i];
    const char *group = variable_of(c, i);
    if (strcmp(call->name, "ls_group_open_at") != 0 || !group)
        return;
    for (int k = 0; k < c->u->nuses; k++) {
        const struct c_use *use = &c->u->uses[k];
        const char *by = use->call >= 0 ? c->u->calls[use->call].name : "";
        bool same = use->function == call->function && !strcmp(use->name, group);
        bool spawns = !strcmp(by, "ls_group_spawn_at") || !strcmp(by, "ls_group_open_at");
        if (same && (!spawns || is_paced(c, &c->u->calls[use->call])))
            return; // waited for, somebody else's to wait for, or a server's that runs until cancelled
    }
    clang_tell(c, "task-never-awaited", call, group, "ls_group_wait(), on every way out",
               "the group %s is never waited for", group);
}

static void judge_thread(struct check *c, const struct c_call *call)
{
    static const char *const any_thread[] = {
        "ls_now",     "ls_post",   "ls_version", "ls_log_at",       "ls_ticket_",   "ls_spawn_from",
        "ls_logger_", "ls_run",    "ls_attach",  "ls_loop_current", "ls_str",       "ls_int",
        "ls_uint",    "ls_double", "ls_bool",    "ls_error",        "ls_field_end", NULL};
    bool is_public = !strncmp(call->name, "ls_", 3) && call->name[3] != '_';
    if (!is_public || unit_function(c->u, call->name) >= 0)
        return;
    for (int i = 0; any_thread[i]; i++)
        if (!strncmp(call->name, any_thread[i], strlen(any_thread[i])))
            return;
    char name[64];
    size_t n = strlen(call->name);
    bool at = n > 3 && !strcmp(call->name + n - 3, "_at");
    snprintf(name, sizeof(name), "%.*s", (int)(at ? n - 3 : n), call->name);
    struct lint_finding *f = clang_tell(
        c, "thread-unsafe", call, name, "ls_post() runs a function on the loop's thread",
        "%s() from a thread: only functions marked \"any thread\" may be called there", name);
    add_chain(c, f, c->from_thread, call->function);
}

void clang_rules_judge(struct lint_report *r, const struct unit *u, const char *path,
                       const struct lint_settings *settings)
{
    struct check c = {.r = r, .u = u, .path = path, .settings = settings};
    c.from = reach(u, false);
    c.from_thread = reach(u, true);
    for (int i = 0; i < u->ncalls; i++) {
        const struct c_call *call = &u->calls[i];
        bool in_task = c.from[call->function] != -2;
        judge_handle(&c, call);
        judge_way_out(&c, call);
        judge_wait(&c, i);
        judge_number(&c, i);
        judge_group(&c, i);
        if (in_task) {
            judge_blocking(&c, call);
            judge_log(&c, i);
            clang_judge_open(&c, call);
        } else if (c.from_thread[call->function] != -2) {
            judge_thread(&c, call);
        }
    }
    judge_loops(&c);
    free(c.from);
    free(c.from_thread);
}
