// What is opened by the system's own calls and stays open on some way out of a task.
#include "clang_rules.h"

#include <string.h>

static bool opens(const char *name)
{
    return !strcmp(name, "open") || !strcmp(name, "openat") || !strcmp(name, "creat") ||
           !strcmp(name, "socket") || !strcmp(name, "accept") || !strcmp(name, "fopen") ||
           !strcmp(name, "accept4") || !strcmp(name, "mkstemp");
}

static bool closes(const char *name)
{
    return !strcmp(name, "close") || !strcmp(name, "fclose") || !strcmp(name, "ls_file_close_at");
}

static bool only_uses(const char *name)
{
    static const char *const users[] = {"read",
                                        "write",
                                        "pread",
                                        "pwrite",
                                        "fstat",
                                        "lseek",
                                        "fread",
                                        "fwrite",
                                        "fgets",
                                        "fputs",
                                        "ftruncate",
                                        "fsync",
                                        "send",
                                        "recv",
                                        "bind",
                                        "listen",
                                        "connect",
                                        "fcntl",
                                        "setsockopt",
                                        "ls_file_read_at",
                                        "ls_file_write_at",
                                        "ls_file_sync_at",
                                        NULL};
    for (int i = 0; users[i]; i++)
        if (!strcmp(name, users[i]))
            return true;
    return closes(name);
}

// Owned by a scope, passed on, stored or returned: somebody else closes it.
static bool escapes(const struct check *c, const struct c_call *call)
{
    for (int i = 0; i < c->u->nuses; i++) {
        const struct c_use *use = &c->u->uses[i];
        if (use->function != call->function || strcmp(use->name, call->var) != 0)
            continue;
        if (use->returned || (use->call >= 0 && !only_uses(c->u->calls[use->call].name)))
            return true;
    }
    return false;
}

static struct place last_close(const struct check *c, const struct c_call *call)
{
    struct place last = {0, 0};
    for (int i = 0; i < c->u->nuses; i++) {
        const struct c_use *use = &c->u->uses[i];
        if (use->function == call->function && !strcmp(use->name, call->var) && use->call >= 0 &&
            closes(c->u->calls[use->call].name) && is_before(last, use->at))
            last = use->at;
    }
    return last;
}

static const struct c_call *first_await(const struct check *c, const struct c_call *call)
{
    for (int i = 0; i < c->u->ncalls; i++) {
        const struct c_call *k = &c->u->calls[i];
        if (k->function == call->function && clang_is_await(k->name) &&
            is_before(call->at, k->at) && k->at.line > call->at.line)
            return k;
    }
    return NULL;
}

// Was it in use just before? Else it was only looked at: if (fd < 0) return.
static bool is_used_last(const struct check *c, const struct c_call *call, struct place out)
{
    const struct c_use *last = NULL;
    for (int i = 0; i < c->u->nuses; i++) {
        const struct c_use *use = &c->u->uses[i];
        if (use->function == call->function && !strcmp(use->name, call->var) &&
            is_before(call->at, use->at) && is_before(use->at, out) &&
            (!last || is_before(last->at, use->at)))
            last = use;
    }
    return last && last->call >= 0 && !closes(c->u->calls[last->call].name);
}

// Nothing is awaited: it is closed at the end, and not where the function leaves before.
static void judge_early_return(struct check *c, const struct c_call *call, struct place closed)
{
    for (int i = 0; i < c->u->nreturns; i++) {
        const struct c_return *out = &c->u->returns[i];
        if (out->function != call->function || !is_before(call->at, out->at) ||
            !is_before(out->at, closed) || !is_used_last(c, call, out->at))
            continue;
        clang_tell(c, "fd-orphan", call, call->var, "close it there too, or ls_own_fd()",
                   "%s of %s() stays open on the way out in line %u", call->var, call->name,
                   out->at.line);
        return;
    }
}

void clang_judge_open(struct check *c, const struct c_call *call)
{
    if (!opens(call->name) || !call->var || escapes(c, call))
        return;
    const struct c_call *await = first_await(c, call);
    struct place closed = last_close(c, call);
    const char *remedy = "ls_own_fd(), or ls_file_open(): closed with the task";
    if (!await || (closed.line && is_before(closed, await->at))) {
        judge_early_return(c, call, closed);
        return;
    }
    if (!closed.line) {
        clang_tell(c, "fd-orphan", call, call->var, remedy, "%s of %s() is never closed", call->var,
                   call->name);
        return;
    }
    for (int i = 0; i < c->u->nreturns; i++) {
        const struct c_return *out = &c->u->returns[i];
        if (out->function == call->function && is_before(await->at, out->at) &&
            is_before(out->at, closed)) {
            clang_tell(c, "fd-orphan", call, call->var, remedy,
                       "%s of %s() stays open on the way out in line %u", call->var, call->name,
                       out->at.line);
            return;
        }
    }
}
