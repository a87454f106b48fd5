// What to do, in the words of the program's own runtime: a sentence here takes the place of one of the rule's
// general ones, which name every runtime's means.
#include <string.h>

#include "engine.h"

static const struct {
    const char *rule;
    int which; // of the rule's sentences
    enum runtime_kind runtime;
    const char *text;
} remedies[] = {
    {"loop-blocked", 1, RUNTIME_LOOPSCOPE,
     "use the runtime's own call, which parks only the task, hand what blocks to ls_offload, "
     "or call ls_yield now and then"},
    {"loop-blocked", 1, RUNTIME_NODE,
     "use the call's asynchronous form (no ...Sync), move computation to a worker_threads "
     "Worker, or cut it into slices with setImmediate"},
    {"loop-blocked", 1, RUNTIME_ASYNCIO,
     "await an asynchronous form, hand what blocks to asyncio.to_thread, or cut it into slices"
     " with await asyncio.sleep(0)"},
    {"loop-blocked", 1, RUNTIME_LIBUV,
     "use libuv's asynchronous form (uv_fs_*, uv_getaddrinfo, uv_spawn), uv_queue_work, or "
     "slices from a uv_idle_t"},
    {"loop-blocked", 1, RUNTIME_REDIS,
     "find the command in SLOWLOG GET and LATENCY DOCTOR; split it up, or run it on a replica"},
    {"loop-blocked", 1, RUNTIME_NGINX,
     "use aio threads for files, and keep blocking calls out of modules and scripts"},

    {"loop-cpu", 0, RUNTIME_LOOPSCOPE,
     "move the computation to the pool with ls_offload; inside a long one call ls_yield every "
     "few milliseconds"},
    {"loop-cpu", 0, RUNTIME_NODE,
     "move the computation to a worker_threads Worker; crypto and zlib have asynchronous forms"
     " of their ...Sync calls"},
    {"loop-cpu", 0, RUNTIME_ASYNCIO,
     "move the computation to processes: loop.run_in_executor with a ProcessPoolExecutor "
     "(threads share the GIL)"},
    {"loop-cpu", 0, RUNTIME_LIBUV, "move the computation to the pool with uv_queue_work"},
    {"loop-cpu", 0, RUNTIME_REDIS,
     "the command is too much for one call: SCAN instead of KEYS, UNLINK instead of DEL, "
     "smaller ranges, shorter scripts (SLOWLOG GET lists them)"},
    {"loop-cpu", 0, RUNTIME_NGINX,
     "lower what is computed on the loop (compression level, regular expressions, filters), or"
     " raise worker_processes"},

    {"loop-sync-io", 0, RUNTIME_LOOPSCOPE,
     "use the runtime's own call, which parks only the task (ls_read, ls_file_read, "
     "ls_tcp_connect, ls_process_wait), or ls_offload for a library that blocks"},
    {"loop-sync-io", 0, RUNTIME_NODE,
     "use the form that takes a callback or gives a promise (fs.promises, "
     "child_process.execFile) instead of the ...Sync one"},
    {"loop-sync-io", 0, RUNTIME_ASYNCIO,
     "await it: asyncio.sleep, streams, asyncio.create_subprocess_exec, an asynchronous "
     "client; what only blocks goes to asyncio.to_thread"},
    {"loop-sync-io", 0, RUNTIME_LIBUV,
     "use libuv's asynchronous form (uv_fs_*, uv_getaddrinfo, uv_spawn, streams), or "
     "uv_queue_work for a library that blocks"},
    {"loop-sync-io", 0, RUNTIME_REDIS,
     "keep slow disks out of its way (appendfsync everysec, no-appendfsync-on-rewrite yes), "
     "and modules and DEBUG commands that block"},
    {"loop-sync-io", 0, RUNTIME_NGINX,
     "aio threads and directio for files; cosockets instead of blocking libraries in scripts"},

    {"loop-sync-log", 0, RUNTIME_LOOPSCOPE, "log with ls_log, which queues and never waits"},
    {"loop-sync-log", 0, RUNTIME_NODE,
     "log through a worker (pino.transport); console.log to a pipe, a file or a terminal waits"},
    {"loop-sync-log", 0, RUNTIME_ASYNCIO,
     "log through logging.handlers.QueueHandler and a QueueListener, which writes on a thread "
     "of its own"},
    {"loop-sync-log", 0, RUNTIME_LIBUV, "log through a bounded queue and a writer thread"},
    {"loop-sync-log", 0, RUNTIME_REDIS,
     "put logfile on a disk that does not stall, or raise loglevel"},
    {"loop-sync-log", 0, RUNTIME_NGINX,
     "use access_log with buffer= and flush=, or raise error_log's level"},

    {"loop-lock", 1, RUNTIME_LOOPSCOPE,
     "between tasks use ls_mutex, which parks the task and not the loop"},
    {"loop-lock", 1, RUNTIME_ASYNCIO,
     "between tasks use asyncio.Lock; wait for a thread with asyncio.to_thread or wrap_future,"
     " never on the loop"},
    {"loop-lock", 1, RUNTIME_NODE, "use Atomics.waitAsync or messages instead of Atomics.wait"},

    {"pool-exhausted", 0, RUNTIME_NODE,
     "dns.lookup, fs, crypto and zlib share one small pool: dns.resolve needs none, long jobs "
     "belong in a worker_threads Worker"},

    {"thread-unsafe", 2, RUNTIME_NODE,
     "an addon calls into the loop through napi_threadsafe_function or uv_async_send: nothing else "
     "of libuv may be called by another thread"},

    {"task-unbounded", 0, RUNTIME_LOOPSCOPE,
     "bound how many run at once: ls_group_open with a limit, or an ls_sem"},
    {"task-orphan", 0, RUNTIME_LOOPSCOPE,
     "await it on every way out of the function that spawned it, or spawn it in a group "
     "(ls_group_spawn), whose end waits for its tasks"},
    {"task-orphan", 1, RUNTIME_LOOPSCOPE,
     "if it is meant to outlive its parent, say so: ls_detach, with a name"},
    {"task-timeout-runs-on", 0, RUNTIME_LOOPSCOPE,
     "use ls_await_for, which cancels the work and waits for its end, instead of ls_wait"},
    {"task-timeout-runs-on", 1, RUNTIME_LOOPSCOPE,
     "where it is meant to go on, say so: ls_detach, with a name"},
    {"task-cancel-ignored", 0, RUNTIME_LOOPSCOPE,
     "return when an await point says -ECANCELED; in long computations ask ls_check; keep "
     "ls_shield short, with a deadline inside"},
    {"task-cancel-leak", 0, RUNTIME_LOOPSCOPE,
     "hand what a task opens to its scope at once: ls_own_fd, or ls_defer for anything else"},
    {"task-never-awaited", 0, RUNTIME_LOOPSCOPE,
     "keep the handle and ls_await it, spawn it in a group, or say that nobody will: "
     "ls_spawn_detached, with a name"},
    {"task-never-awaited", 1, RUNTIME_LOOPSCOPE,
     "LOOPSCOPE_DEBUG=1 prints each one with the line that spawned it"},
    {"task-error-unread", 0, RUNTIME_LOOPSCOPE,
     "await the task and look at what it returns, or give it a group; what is detached handles "
     "its errors itself"},
    {"task-error-unread", 1, RUNTIME_LOOPSCOPE,
     "have them told to a handler of the program: ls_on_unread_error"},
};

// Calls that need another answer than "the asynchronous form of it".
static const struct {
    const char *call;
    enum runtime_kind runtime; // UNKNOWN: any other
    const char *text;
} calls[] = {
    {"nanosleep", RUNTIME_LOOPSCOPE, "sleep with ls_sleep, which parks only the task"},
    {"nanosleep", RUNTIME_ASYNCIO, "await asyncio.sleep instead of time.sleep"},
    {"nanosleep", RUNTIME_LIBUV, "let a uv_timer_t call back instead of sleeping"},
    {"nanosleep", RUNTIME_UNKNOWN, "let a timer of the loop call back instead of sleeping"},
    {"wait", RUNTIME_LOOPSCOPE,
     "wait for the child with ls_process_wait, which parks only the task"},
    {"wait", RUNTIME_NODE,
     "use child_process.execFile or spawn and their events instead of the ...Sync form"},
    {"wait", RUNTIME_ASYNCIO,
     "start the child with asyncio.create_subprocess_exec and await its communicate or wait"},
    {"wait", RUNTIME_LIBUV, "start the child with uv_spawn and act in its exit callback"},
    {"GIL", RUNTIME_UNKNOWN,
     "move the holder's work to a process (ProcessPoolExecutor), or cut it into shorter calls: one "
     "call into C keeps the interpreter's lock until it returns, a regular expression for "
     "instance"},
    {"wait", RUNTIME_UNKNOWN,
     "do not wait for children on the loop: a pidfd or SIGCHLD in its poll tells when they end"},
};

bool waits_for_interpreter(const struct cause *c)
{
    return c->kind == CAUSE_LOCK && c->lock && strcmp(c->lock, "GIL") == 0;
}

// One name for what sleeps and one for what waits for a child; and the lock that is no lock of the program's.
static const char *kind_of_call(const struct cause *c)
{
    static const char *const waits[] = {"wait4", "waitid", "vfork"};
    if (waits_for_interpreter(c))
        return "GIL";
    if (!c->syscall)
        return NULL;
    if (strcmp(c->syscall, "nanosleep") == 0 || strcmp(c->syscall, "clock_nanosleep") == 0)
        return "nanosleep";
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
        if (strcmp(c->syscall, waits[i]) == 0)
            return "wait";
    // execSync polls until its child has ended.
    return c->peer && strncmp(c->peer, "child ", 6) == 0 ? "wait" : NULL;
}

const char *remedy_of_call(const struct cause *c, enum runtime_kind runtime)
{
    const char *call = kind_of_call(c);
    if (runtime == RUNTIME_UVLOOP)
        runtime = RUNTIME_ASYNCIO;
    for (size_t i = 0; call && i < sizeof(calls) / sizeof(*calls); i++)
        if (strcmp(calls[i].call, call) == 0 &&
            (calls[i].runtime == runtime || calls[i].runtime == RUNTIME_UNKNOWN))
            return calls[i].text;
    return NULL;
}

const char *remedy_of(const struct rule *rule, int which, enum runtime_kind runtime)
{
    if (runtime == RUNTIME_UVLOOP)
        runtime = RUNTIME_ASYNCIO;
    for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
        if (remedies[i].which == which && remedies[i].runtime == runtime &&
            strcmp(remedies[i].rule, rule->id) == 0)
            return remedies[i].text;
    return rule->remedy[which];
}
