// From the most particular to the most general: a program on our own runtime uses libuv too, node is a
// libuv program, and everything with a loop uses epoll.
#include "identify.h"

#include <stdio.h>
#include <string.h>

#include "uv_loop.h"
#include "walkers.h"

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
    return exe && (module_symbol_contains(exe, "5tokio7runtime") ||
                   module_has_bytes(exe, ".rodata", "tokio-runtime-worker"));
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
    if (p->own_runtime)
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
    // libev offers libevent's functions too
    if (has_symbol(p, "ev_run") && !has_mapping(p, "/libevent"))
        return RUNTIME_LIBEV;
    if (has_symbol(p, "event_base_loop"))
        return RUNTIME_LIBEVENT;
    return is_tokio(p) ? RUNTIME_TOKIO : RUNTIME_EPOLL;
}

// node::per_process::metadata begins with the std::string of node's own version: pointer, length.
static void read_node_version(struct process *p, char *ret, size_t size)
{
    uint64_t metadata = process_symbol(p, NULL, "_ZN4node11per_process8metadataE"), string[2];
    if (!metadata || !mem_read(p->mem, metadata, string, sizeof(string)) || string[1] == 0 ||
        string[1] >= size || !mem_read(p->mem, string[0], ret, string[1])) {
        *ret = '\0';
        return;
    }
    ret[string[1]] = '\0';
    if (strspn(ret, "0123456789.") < 5)
        *ret = '\0';
}

static void read_version(struct process *p, struct identity *ret)
{
    char node[32] = "";
    const char *version = walkers_version(p->walkers);
    if (ret->runtime == RUNTIME_NODE)
        read_node_version(p, node, sizeof(node));
    if (*node)
        version = node;
    snprintf(ret->version, sizeof(ret->version), "%s", version);
    unsigned uv = ret->has_uv && ret->runtime == RUNTIME_LIBUV ? uv_version_of(p) : 0;
    if (uv)
        snprintf(ret->version, sizeof(ret->version), "%u.%u.%u", uv >> 16, uv >> 8 & 0xff,
                 uv & 0xff);
}

void identify(struct process *p, struct identity *ret)
{
    ret->has_uv = has_symbol(p, "uv_run");
    ret->runtime = runtime_of(p, ret);
    read_version(p, ret);
    snprintf(ret->note, sizeof(ret->note), "%s",
             p->why_not ? p->why_not : walkers_note(p->walkers));
    if (ret->has_uv)
        read_uv_loop(p, ret);
}
