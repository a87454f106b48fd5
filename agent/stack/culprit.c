// The culprit is the function a person would change. So of all frames inside the loop's run function the
// innermost that is the user's: language frames before native ones (a blocking read under json.load is
// the Python caller's doing), and of these the user's own code before installed packages, and packages
// before what the language itself brings.
#include "culprit.h"

#include <stddef.h>
#include <string.h>

struct prefix {
    const char *text;
    enum module_role role;
};

static const struct prefix modules[] = {
    {"libc.so", ROLE_LIBC},
    {"libc-2.", ROLE_LIBC},
    {"libc.musl", ROLE_LIBC},
    {"ld-linux", ROLE_LIBC},
    {"ld-musl", ROLE_LIBC},
    {"ld-2.", ROLE_LIBC},
    {"libpthread", ROLE_LIBC},
    {"libm.so", ROLE_LIBC},
    {"libm-2.", ROLE_LIBC},
    {"libmvec", ROLE_LIBC},
    {"librt.so", ROLE_LIBC},
    {"librt-2.", ROLE_LIBC},
    {"libdl", ROLE_LIBC},
    {"libresolv", ROLE_LIBC},
    {"libnss_", ROLE_LIBC},
    {"libstdc++", ROLE_LIBC},
    {"libgcc_s", ROLE_LIBC},
    {"libc++", ROLE_LIBC},
    {"libunwind", ROLE_LIBC},
    {"libasan", ROLE_LIBC},
    {"[vdso]", ROLE_LIBC},
    {"[vsyscall]", ROLE_LIBC},
    {"libjemalloc", ROLE_LIBC},
    {"libtcmalloc", ROLE_LIBC},
    {"libuv.so", ROLE_LOOP},
    {"libevent", ROLE_LOOP},
    {"libev.so", ROLE_LOOP},
    {"libglib-2.", ROLE_LOOP},
    {"libloopscope", ROLE_LOOP},
    {"libnode.so", ROLE_INTERPRETER},
    {"libpython", ROLE_INTERPRETER},
};

// Names as a whole, or, ending in '*', their beginning.
static const char *const runtime_functions[] = {
    // loops, linked into the program
    "uv_*",
    "uv__*",
    "aeMain",
    "aeProcessEvents",
    "aeApiPoll",
    "event_base_*",
    "event_process_active*",
    "epoll_dispatch",
    "ev_run",
    "ev_invoke_pending",
    "epoll_poll",
    "g_main_*",
    "ls_*",
    "ngx_process_events_and_timers",
    "ngx_epoll_process_events",
    "ngx_worker_process_cycle",
    // Lua, which programs are linked with
    "lua_*",
    "luaL_*",
    "luaB_*",
    "luaC_*",
    "luaD_*",
    "luaF_*",
    "luaG_*",
    "luaH_*",
    "luaS_*",
    "luaV_*",
    // what every C++ and Rust program instantiates
    "std::*",
    "core::*",
    "alloc::*",
    "__gnu_cxx::*",
    "tokio::runtime::*",
    // how programs and threads begin
    "_start",
    "__libc_start_*",
    "__libc_csu_*",
    "start_thread",
    "__clone*",
    "clone3",
    "clone",
    "libc_start_main_stage2",
    // calls, where libc is linked into the program
    "__syscall*",
    "syscall",
    "__internal_syscall*",
    "__cp_*",
    "epoll_wait",
    "epoll_pwait*",
    "poll",
    "ppoll",
    "select",
    "pselect*",
    "nanosleep",
    "clock_nanosleep*",
    "usleep",
    "sleep",
    "read",
    "readv",
    "pread*",
    "preadv*",
    "write",
    "writev",
    "pwrite*",
    "pwritev*",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendto",
    "sendmsg",
    "accept*",
    "connect",
    "open",
    "open64",
    "openat*",
    "flock",
    "fcntl*",
    "fsync",
    "fdatasync",
    "wait4",
    "waitpid",
    "waitid",
    "futex*",
    "ioctl",
    "getdents*",
    "memcpy*",
    "memmove*",
    "memset*",
    "strlen*",
    "malloc",
    "free",
    "calloc",
    "realloc",
    "_int_malloc",
    "_int_free",
    "pthread_*",
    "__pthread_*",
    "__lll_lock_*",
    "lll_*",
    "__futex_*",
    "__timedwait*",
    "__wait",
    "__GI_*",
    "__libc_*",
    "_IO_*",
    "qsort",
    "qsort_r",
    "msort_*",
    "getaddrinfo",
    "gaih_*",
    "__res_*",
    "send_dg",
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

// "node", "node18", "nodejs"; "python3.11", "python": an executable's own name, not "node_exporter".
static bool is_named(const char *base, const char *name)
{
    if (!starts_with(base, name))
        return false;
    const char *rest = base + strlen(name);
    return rest[strspn(rest, "0123456789.dm")] == '\0';
}

// A program may be called libevent-demo: only shared objects are libraries.
static bool is_library(const char *base)
{
    return *base == '[' || strstr(base, ".so");
}

enum module_role role_of_path(const char *path)
{
    if (!path)
        return ROLE_USER;
    const char *base = base_name(path);
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules) && is_library(base); i++)
        if (starts_with(base, modules[i].text))
            return modules[i].role;
    if (is_named(base, "node") || is_named(base, "nodejs") || is_named(base, "python") ||
        is_named(base, "pypy") || strstr(path, "/lib-dynload/"))
        return ROLE_INTERPRETER;
    if (strstr(path, "/uvloop/loop"))
        return ROLE_LOOP;
    return ROLE_USER;
}

static bool matches(const char *name, const char *pattern)
{
    size_t n = strlen(pattern);
    return pattern[n - 1] == '*' ? !strncmp(name, pattern, n - 1) : !strcmp(name, pattern);
}

static bool is_listed(const char *name)
{
    for (size_t i = 0; i < sizeof(runtime_functions) / sizeof(*runtime_functions); i++)
        if (matches(name, runtime_functions[i]))
            return true;
    return false;
}

// glibc has each call under its reserved name as well: __nanosleep, __clock_nanosleep.
bool is_runtime_function(const char *name)
{
    return is_listed(name) || (starts_with(name, "__") && is_listed(name + 2));
}

bool is_runtime_source(const char *file)
{
    return file && (starts_with(file, "/rustc/") || strstr(file, "/rustlib/src/rust/library/") ||
                    strstr(file, "/include/c++/") || starts_with(file, "library/core/") ||
                    starts_with(file, "library/std/") || starts_with(file, "library/alloc/"));
}

bool is_start_function(const char *name)
{
    static const char *const starts[] = {"main",    "_start",   "start_thread", "clone",   "clone3",
                                         "__clone", "__clone3", "Py_BytesMain", "_start_c"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
        if (!strcmp(name, starts[i]))
            return true;
    return starts_with(name, "__libc_start_") || starts_with(name, "libc_start_main_");
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

static bool is_language(const struct frame *f)
{
    return f->kind == FRAME_PYTHON || f->kind == FRAME_JAVASCRIPT || f->kind == FRAME_LUA;
}

static bool is_loop_run(const struct frame *f)
{
    static const char *const native[] = {"uv_run",
                                         "aeMain",
                                         "aeProcessEvents",
                                         "event_base_loop",
                                         "ev_run",
                                         "g_main_loop_run",
                                         "ngx_process_events_and_timers"};
    if (!f->function)
        return false;
    if (is_language(f))
        return f->file && ends_with(f->file, "asyncio/base_events.py") &&
               ends_with(f->function, "run_forever");
    for (size_t i = 0; i < sizeof(native) / sizeof(*native); i++)
        if (!strcmp(f->function, native[i]))
            return true;
    return false;
}

// uvloop's own functions have no names: what calls it stands for them.
static bool is_loop_caller(const struct frame *f)
{
    return f->kind == FRAME_PYTHON && f->function && f->file &&
           ends_with(f->file, "asyncio/runners.py") && !strcmp(f->function, "Runner.run");
}

static struct loop_runs find_by(bool (*is)(const struct frame *f), const struct frame *frames,
                                int n)
{
    struct loop_runs r = {0, -1, -1};
    for (int i = 0; i < n; i++) {
        if (!is(&frames[i]))
            continue;
        if (r.innermost < 0)
            r.innermost = i;
        // aeProcessEvents called by aeMain: one loop
        if (r.outermost < 0 || r.outermost != i - 1)
            r.count++;
        r.outermost = i;
    }
    return r;
}

struct loop_runs find_loop_runs(const struct frame *frames, int n)
{
    struct loop_runs r = find_by(is_loop_run, frames, n);
    return r.count > 0 ? r : find_by(is_loop_caller, frames, n);
}

// asyncio's machinery between the loop and the task it runs.
static bool is_loop_library(const struct frame *f)
{
    return f->file && f->kind == FRAME_PYTHON &&
           (strstr(f->file, "/asyncio/") || ends_with(f->file, "/selectors.py"));
}

enum { OWN_CODE, PACKAGE_CODE, LANGUAGE_LIBRARY, NOT_USERS };

static bool is_language_library(const char *file)
{
    const char *library = strstr(file, "/lib/python");
    return starts_with(file, "node:") || starts_with(file, "<frozen") ||
           (library && library[11] >= '2' && library[11] <= '9' && strchr(library + 11, '/'));
}

static int language_tier(const struct frame *f)
{
    const char *file = f->file ? f->file : "";
    if (is_loop_library(f))
        return NOT_USERS;
    if (strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") ||
        strstr(file, "/node_modules/"))
        return PACKAGE_CODE;
    return !*file || is_language_library(file) ? LANGUAGE_LIBRARY : OWN_CODE;
}

static int tier(const struct frame *f)
{
    if (is_language(f))
        return language_tier(f);
    // Nameless code in anonymous memory is a JIT's: whose, only its walker could tell.
    bool nobodys = f->runtime || f->kind == FRAME_KERNEL || (!f->function && !f->module);
    return nobodys ? NOT_USERS : NOT_USERS - 1;
}

// Stripped redis and nginx: the nameless static function that these call is the one that polls and hands
// out events.
static bool is_poller_of(const struct frame *f, const struct frame *caller)
{
    return !f->function && f->module && caller->function && caller->module &&
           !strcmp(f->module, caller->module) &&
           (!strcmp(caller->function, "aeMain") ||
            !strcmp(caller->function, "ngx_process_events_and_timers"));
}

// Of a stripped Lua too only the outer functions have names: whether f, called by `caller`, is one of the
// others, given that the caller is Lua's.
static bool is_lua_of(const struct frame *f, const struct frame *caller)
{
    return !f->function && f->module && caller->module && !strcmp(f->module, caller->module);
}

// From the outermost inwards: what a nameless function is follows from its caller.
void mark_runtime(struct frame *frames, int n)
{
    bool lua = false;
    for (int i = n - 1; i >= 0; i--) {
        struct frame *f = &frames[i];
        const struct frame *caller = i + 1 < n ? &frames[i + 1] : NULL;
        lua = f->function ? f->kind == FRAME_NATIVE && starts_with(f->function, "lua_")
                          : lua && is_lua_of(f, caller);
        if (is_language(f))
            f->runtime = language_tier(f) >= LANGUAGE_LIBRARY;
        else if (lua || (caller && is_poller_of(f, caller)))
            f->runtime = true;
    }
}

static int end_of_loop(const struct frame *frames, int n)
{
    struct loop_runs r = find_loop_runs(frames, n);
    return r.count > 0 ? r.outermost : n;
}

bool is_in_language(const struct frame *frames, int n)
{
    int end = end_of_loop(frames, n);
    for (int i = 0; i < end; i++)
        if (is_language(&frames[i]) && !is_loop_library(&frames[i]))
            return true;
    return false;
}

// A stripped program's static function has no name: the nearest caller in the same file that has one says
// more (redis's evalGenericCommand for its nameless Lua machine).
static int with_name(const struct frame *frames, int culprit, int end)
{
    const char *module = frames[culprit].module;
    for (int i = culprit; i < end && module; i++) {
        if (!frames[i].module || strcmp(frames[i].module, module) != 0 || frames[i].runtime)
            break;
        if (frames[i].function)
            return i;
    }
    return culprit;
}

int find_culprit(const struct frame *frames, int n)
{
    int end = end_of_loop(frames, n), best = -1, best_tier = NOT_USERS;
    bool language = is_in_language(frames, n);
    for (int i = 0; i < end; i++) {
        int t = language && !is_language(&frames[i]) ? NOT_USERS : tier(&frames[i]);
        if (t < best_tier) {
            best = i;
            best_tier = t;
        }
    }
    return best < 0 ? -1 : with_name(frames, best, end);
}
