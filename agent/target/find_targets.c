// A scan of /proc every two seconds finds what matches; what does not is looked at again ever more rarely. In
// between, births among the watched processes are told by probe: a child is looked at a moment after its
// fork, when it has exec'd, and not at all when it is gone by then.
#include "find_targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../confine/confine.h"
#include "match.h"
#include "procfs.h"
#include "procs.h"
#include "threads.h"

#define MS            1000000LL
#define SCAN_EVERY_NS (2000 * MS)
#define BIRTH_NS      (50 * MS) // from fork to exec, and past the life of most helpers
#define RETRY_MAX_NS  (32000 * MS)
#define ADDS_A_TICK   8

struct candidate { // a pid seen and not watched
    UT_hash_handle hh;
    int pid;
    int64_t due_ns, pause_ns;
    bool queued; // matched: to be added
    bool child;  // of a watched process
    uint64_t scan;
};

struct follow {
    struct model *m;
    const struct opts *opts;
    int root_pid;
    char *text;
    struct candidate *candidates;
    int64_t next_scan_ns;
    bool pending; // some candidate may have something due
    uint64_t scans;
    int self, starter; // starter: of our helpers
};

static bool matches(const struct follow *f, const struct candidate *c)
{
    switch (f->opts->target) {
    case TARGET_NAME: return match_name(c->pid, f->opts->text);
    case TARGET_ALL: return match_has_loop(c->pid);
    case TARGET_CGROUP: return match_cgroup(c->pid, f->opts->text);
    case TARGET_UNIT: return match_unit(c->pid, f->opts->text);
    case TARGET_COMMAND: return c->child;
    default: return false;
    }
}

static bool is_own(const struct follow *f, int pid)
{
    struct proc_stat stat;
    if (pid == f->self || pid == f->starter)
        return true;
    // Our helper, by parent; a command's own process is a child of ours too, and is added by its pid.
    return proc_stat(pid, 0, &stat) < 0 || stat.ppid == f->self ||
           (f->starter && stat.ppid == f->starter);
}

static struct candidate *candidate(struct follow *f, int pid)
{
    struct candidate *c;
    HASH_FIND_INT(f->candidates, &pid, c);
    if (c || !(c = calloc(1, sizeof(*c))))
        return c;
    c->pid = pid;
    c->pause_ns = SCAN_EVERY_NS;
    HASH_ADD_INT(f->candidates, pid, c);
    return c;
}

static void drop(struct follow *f, struct candidate *c)
{
    HASH_DEL(f->candidates, c);
    free(c);
}

static void judge(struct follow *f, struct candidate *c)
{
    if (!is_own(f, c->pid) && matches(f, c)) {
        c->queued = f->pending = true;
        return;
    }
    c->due_ns = f->m->now_ns + c->pause_ns;
    c->pause_ns = c->pause_ns * 2 < RETRY_MAX_NS ? c->pause_ns * 2 : RETRY_MAX_NS;
}

static bool scan_one(void *arg, int pid)
{
    struct follow *f = arg;
    struct proc *p = proc_find(f->m, pid);
    struct candidate *c = p && !p->exited ? NULL : candidate(f, pid);
    if (!c)
        return true;
    c->scan = f->scans;
    if (!c->queued && c->due_ns <= f->m->now_ns)
        judge(f, c);
    return true;
}

static void scan(struct follow *f)
{
    struct candidate *c, *next;
    f->scans++;
    procfs_numbers("/proc", scan_one, f);
    HASH_ITER (hh, f->candidates, c, next)
        if (c->scan != f->scans && !c->child)
            drop(f, c); // gone: its pid may come back as another process
    f->next_scan_ns = f->m->now_ns + SCAN_EVERY_NS;
}

static void add_queued(struct follow *f)
{
    struct candidate *c, *next;
    int added = 0;
    if (!f->pending)
        return;
    f->pending = false;
    HASH_ITER (hh, f->candidates, c, next) {
        if (c->child && !c->queued && c->due_ns <= f->m->now_ns) {
            judge(f, c);
            c->child = c->queued;
        }
        f->pending |= c->queued || c->child;
        if (!c->queued || added++ >= ADDS_A_TICK)
            continue;
        struct error err;
        c->queued = c->child = false;
        if (proc_add(f->m, c->pid, &err) == 0) {
            drop(f, c);
        } else { // not ours to see, or gone: tried again, rarely
            c->pause_ns = RETRY_MAX_NS;
            c->due_ns = f->m->now_ns + RETRY_MAX_NS;
        }
    }
}

static bool scans(const struct follow *f)
{
    switch (f->opts->target) {
    case TARGET_NAME:
    case TARGET_ALL:
    case TARGET_CGROUP:
    case TARGET_UNIT: return true;
    default: return false;
    }
}

void follow_tick(struct follow *f)
{
    if (scans(f) && f->m->now_ns >= f->next_scan_ns)
        scan(f);
    add_queued(f);
}

int64_t follow_next_ns(const struct follow *f)
{
    int64_t next = scans(f) ? f->next_scan_ns : INT64_MAX;
    for (const struct candidate *c = f->pending ? f->candidates : NULL; c; c = c->hh.next) {
        if (c->queued)
            return f->m->now_ns;
        if (c->child && c->due_ns < next)
            next = c->due_ns;
    }
    return next;
}

bool follow_has_ended(const struct follow *f)
{
    if (scans(f))
        return false;
    const struct proc *root = proc_find(f->m, f->root_pid);
    return !root || root->exited;
}

bool follow_scanned(const struct follow *f)
{
    if (!scans(f))
        return true;
    for (const struct candidate *c = f->pending ? f->candidates : NULL; c; c = c->hh.next)
        if (c->queued)
            return false;
    return f->scans > 0;
}

static void child_born(void *arg, int parent, int pid)
{
    struct follow *f = arg;
    (void)parent;
    if (f->opts->target == TARGET_PID || proc_find(f->m, pid))
        return;
    struct candidate *c = candidate(f, pid);
    if (!c)
        return;
    c->child = f->pending = true;
    c->queued = false;
    c->due_ns = f->m->now_ns + BIRTH_NS;
}

static char *describe(const struct opts *o, int root_pid)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    switch (o->target) {
    case TARGET_NAME: fprintf(out, "--name %s", o->text); break;
    case TARGET_ALL: fputs("--all", out); break;
    case TARGET_CGROUP: fprintf(out, "--cgroup %s", o->text); break;
    case TARGET_UNIT: fprintf(out, "--unit %s", o->text); break;
    case TARGET_COMMAND:
        fputs("--", out);
        for (char **a = o->argv; a && *a; a++)
            fprintf(out, " %s", *a);
        break;
    default: fprintf(out, "%d", root_pid); break;
    }
    fclose(out);
    return text;
}

int follow_new(struct follow **ret, struct model *m, const struct opts *opts, int root_pid,
               struct error *err)
{
    struct follow *f = calloc(1, sizeof(*f));
    if (!f)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    *f = (struct follow){.m = m, .opts = opts, .root_pid = root_pid, .self = getpid()};
    if (opts->confinement)
        f->starter = spawner_pid(opts->confinement->helpers);
    f->text = describe(opts, root_pid);
    m->born = child_born;
    m->born_arg = f;
    int r = scans(f) ? 0 : proc_add(m, root_pid, err);
    if (r < 0) {
        follow_free(f);
        return r;
    }
    if (!scans(f))
        proc_find(m, root_pid)->root = true;
    *ret = f;
    return 0;
}

void follow_free(struct follow *f)
{
    struct candidate *c, *next;
    if (!f)
        return;
    HASH_ITER (hh, f->candidates, c, next)
        drop(f, c);
    f->m->born = NULL;
    free(f->text);
    free(f);
}

const char *follow_text(const struct follow *f)
{
    return f->text ? f->text : "";
}
