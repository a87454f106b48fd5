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
};

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
