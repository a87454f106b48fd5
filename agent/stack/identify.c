// From the most particular to the most general: a program on our own runtime uses libuv too, node is a
// libuv program, and everything with a loop uses epoll.
#include "identify.h"

#include <stdio.h>
#include <string.h>

#include "culprit.h"
#include "walkers.h"

// uv_loop_t of libuv 1.x on x86-64. backend_fd has been here since 1.0; internal_fields since 1.38, and its
// metrics since 1.45 (flags, then loop_count, events, events_waiting).
#define UV_BACKEND_FD      64
#define UV_INTERNAL_FIELDS 40
#define UV_LOOP_COUNT      8
#define MAX_FD             (1 << 24)

static bool has_mapping(const struct process *p, const char *part)
{
    for (int i = 0; i < p->maps.n; i++)
        if (strstr(p->maps.list[i].path, part))
            return true;
    return false;
}

static bool has_symbol(struct process *p, const char *name)
{
    return process_symbol(p, NULL, name) != 0;
}

static const char *exe_name(struct process *p)
{
    struct module *exe = process_exe(p);
    if (!exe)
        return "";
    const char *slash = strrchr(exe->path, '/');
    return slash ? slash + 1 : exe->path;
}

static bool is_go(struct process *p)
{
    struct module *exe = process_exe(p);
    return exe &&
           (module_has_section(exe, ".go.buildinfo") ||
            module_has_section(exe, ".note.go.buildid") || module_has_section(exe, ".gopclntab"));
}

static bool is_tokio(struct process *p)
{
    struct module *exe = process_exe(p);
    return exe && module_symbol_contains(exe, "5tokio7runtime");
}

static bool has_language(struct process *p, const char *name)
{
    for (int i = 0; i < walkers_count(p->walkers); i++) {
        void *self;
        if (!strcmp(walkers_lang(p->walkers, i, &self)->name, name))
            return true;
    }
    return false;
}

static enum runtime_kind python_runtime(struct process *p)
{
    if (has_mapping(p, "/uvloop/loop."))
        return RUNTIME_UVLOOP;
    if (has_mapping(p, "/_asyncio.") || process_section(p, NULL, ".AsyncioDebug", NULL))
        return RUNTIME_ASYNCIO;
    return RUNTIME_UNKNOWN;
}

static enum runtime_kind runtime_of(struct process *p, struct identity *id)
{
    const char *exe = exe_name(p);
    enum runtime_kind python;
    if (has_mapping(p, "/memfd:loopscope"))
        return RUNTIME_LOOPSCOPE;
    if (is_go(p))
        return RUNTIME_GO;
    if (has_mapping(p, "/libjvm.so"))
        return RUNTIME_JAVA;
    if (has_symbol(p, "v8dbg_off_fp_function") || has_symbol(p, "napi_create_function"))
        return RUNTIME_NODE;
    if ((has_symbol(p, "_PyRuntime") || has_language(p, "python")) &&
        (python = python_runtime(p)) != RUNTIME_UNKNOWN)
        return python;
    if (!strncmp(exe, "redis-", 6) || !strncmp(exe, "valkey-", 7))
        return RUNTIME_REDIS;
    if (!strncmp(exe, "nginx", 5))
        return RUNTIME_NGINX;
    if (id->has_uv)
        return RUNTIME_LIBUV;
    if (has_symbol(p, "event_base_loop"))
        return RUNTIME_LIBEVENT;
    if (has_symbol(p, "ev_run"))
        return RUNTIME_LIBEV;
    return is_tokio(p) ? RUNTIME_TOKIO : RUNTIME_EPOLL;
}

static bool plausible_fd(int fd)
{
    return fd >= 3 && fd < MAX_FD;
}

// Two libraries may each have a default loop (node's own libuv and an addon's): the one that is in use has
// a backend.
static void read_default_loop(struct process *p, struct identity *id)
{
    uint64_t loop = process_symbol(p, NULL, "default_loop_struct");
    uint32_t fd;
    if (!loop || !mem_u32(p->mem, loop + UV_BACKEND_FD, &fd) || !plausible_fd((int)fd))
        return;
    id->uv_loop = loop;
    id->uv_backend_fd = (int)fd;
}

static void read_loop_count(struct process *p, struct identity *id)
{
    uint64_t fields, counts[3];
    if (!id->uv_loop || !mem_u64(p->mem, id->uv_loop + UV_INTERNAL_FIELDS, &fields) ||
        fields < 4096 || fields % 8 != 0 ||
        !mem_read(p->mem, fields + UV_LOOP_COUNT, counts, sizeof(counts)))
        return;
    // Before 1.45 other things lie here. A loop that turns has counted less than 2^48 turns, and never
    // fewer events than wait for it.
    if (counts[0] == 0 || counts[0] >> 48 || counts[1] >> 48 || counts[2] > counts[1])
        return;
    id->uv_loop_count = fields + UV_LOOP_COUNT;
}

void identify(struct process *p, struct identity *ret)
{
    ret->has_uv = has_symbol(p, "uv_run");
    ret->runtime = runtime_of(p, ret);
    snprintf(ret->version, sizeof(ret->version), "%s", walkers_version(p->walkers));
    snprintf(ret->note, sizeof(ret->note), "%s", walkers_note(p->walkers));
    if (ret->has_uv) {
        read_default_loop(p, ret);
        read_loop_count(p, ret);
    }
}
