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

enum module_role role_of_path(const char *path)
{
    if (!path)
        return ROLE_USER;
    const char *base = base_name(path);
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++)
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

bool is_runtime_function(const char *name)
{
    for (size_t i = 0; i < sizeof(runtime_functions) / sizeof(*runtime_functions); i++)
        if (matches(name, runtime_functions[i]))
            return true;
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

bool is_loop_run(const struct frame *f)
{
    static const char *const native[] = {"uv_run",          "aeProcessEvents",
                                         "event_base_loop", "ev_run",
                                         "g_main_loop_run", "ngx_process_events_and_timers",
                                         "ls_run"};
    if (!f->function)
        return false;
    if (f->kind == FRAME_PYTHON)
        return f->file && ends_with(f->file, "asyncio/base_events.py") &&
               ends_with(f->function, "run_forever");
    for (size_t i = 0; i < sizeof(native) / sizeof(*native); i++)
        if (!strcmp(f->function, native[i]))
            return true;
    return false;
}

int count_loop_runs(const struct frame *frames, int n, int *innermost)
{
    int count = 0;
    *innermost = -1;
    for (int i = n - 1; i >= 0; i--)
        if (is_loop_run(&frames[i])) {
            count++;
            *innermost = i;
        }
    return count;
}

static bool is_language(const struct frame *f)
{
    return f->kind == FRAME_PYTHON || f->kind == FRAME_JAVASCRIPT || f->kind == FRAME_LUA;
}

enum { OWN_CODE, PACKAGE_CODE, LANGUAGE_LIBRARY, NOT_USERS };

static int language_tier(const struct frame *f)
{
    const char *file = f->file ? f->file : "";
    if (starts_with(file, "node:") || starts_with(file, "<frozen") || f->runtime || !*file)
        return LANGUAGE_LIBRARY;
    if (strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") ||
        strstr(file, "/node_modules/"))
        return PACKAGE_CODE;
    const char *library = strstr(file, "/lib/python");
    if (library && library[11] >= '2' && library[11] <= '9' && strchr(library + 11, '/'))
        return LANGUAGE_LIBRARY;
    return OWN_CODE;
}

static int tier(const struct frame *f)
{
    if (is_language(f))
        return language_tier(f);
    return f->runtime || f->kind == FRAME_KERNEL ? NOT_USERS : NOT_USERS - 1;
}

static int outermost_loop(const struct frame *frames, int n)
{
    for (int i = n - 1; i >= 0; i--)
        if (is_loop_run(&frames[i]))
            return i;
    return n;
}

int find_culprit(const struct frame *frames, int n)
{
    int end = outermost_loop(frames, n), best = -1, best_tier = NOT_USERS;
    bool language = false;
    for (int i = 0; i < end; i++)
        language |= is_language(&frames[i]);
    for (int i = 0; i < end; i++) {
        int t = language && !is_language(&frames[i]) ? NOT_USERS : tier(&frames[i]);
        if (t < best_tier) {
            best = i;
            best_tier = t;
        }
    }
    return best;
}
