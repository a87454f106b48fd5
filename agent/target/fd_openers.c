#include "fd_openers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../probe/fd_track.h"
#include "intern.h"
#include "procs.h"
#include "threads.h"

#define NR_ACCEPT        43
#define NR_ACCEPT4       288
#define DESCRIPTORS_MORE 1024 // than the limit says: it may be raised

enum opening_state { OPENING_UNSEEN, OPENING_ASKED, OPENING_KNOWN, OPENING_LOST };

struct opening {
    enum opening_state state;
    struct stack *stack; // interned, a reference; NULL when LOST
    bool accepted;
};

struct fd_openers {
    struct fd_track_start *start; // until it is ready
    struct fd_track *track;       // from then on
    struct model *model;
    int pid;
    uint64_t generation; // answers that come late find their openers by it
    int64_t since_ns, drift;
    uint64_t mended; // descriptors that no event told of
    struct opening keys[LS_FD_KEYS];
    unsigned int nkeys; // highest seen and one
};

struct asked { // a stack
    struct model *m;
    int pid;
    uint64_t generation;
    unsigned int key;
    int tid;
    bool taken; // with the frames of a language that has them elsewhere
};

static struct fd_openers *openers_of(const struct asked *a)
{
    struct proc *p = proc_find(a->m, a->pid);
    struct fd_openers *o = p && p->fds ? p->fds->openers : NULL;
    return o && o->generation == a->generation ? o : NULL;
}

static void take_frames(struct fd_openers *o, int tid, const struct frame_place *p)
{
    const struct ls_fd_place place = {.cframe = p->cframe,
                                      .frame = p->frame,
                                      .current = p->current,
                                      .previous = p->previous,
                                      .code = p->code,
                                      .instr = p->instr};
    fd_track_frames(o->track, tid, p->thread, &place);
}

static void on_stack(void *arg, const struct stack_answer *answer)
{
    struct asked a = *(struct asked *)arg;
    struct fd_openers *o = openers_of(&a);
    free(arg);
    if (!o)
        return;
    struct opening *k = &o->keys[a.key];
    // Its frames were not taken, and are others by now. The next opening's will be.
    if (answer->place.thread && !a.taken) {
        take_frames(o, a.tid, &answer->place);
        k->state = OPENING_LOST;
        return;
    }
    k->state = answer->stack ? OPENING_KNOWN : OPENING_LOST;
    if (answer->stack)
        k->stack = stack_ref(stack_intern(o->model, answer->stack));
}

static void on_opening(void *arg, const struct fd_opening *opening)
{
    struct fd_openers *o = arg;
    struct proc *p = proc_find(o->model, o->pid);
    if (!p || opening->key >= LS_FD_KEYS)
        return;
    struct opening *k = &o->keys[opening->key];
    struct asked *a = malloc(sizeof(*a));
    k->state = OPENING_LOST;
    k->accepted = opening->syscall == NR_ACCEPT || opening->syscall == NR_ACCEPT4;
    if (opening->key >= o->nkeys)
        o->nkeys = opening->key + 1;
    if (!a)
        return;
    *a = (struct asked){o->model,     o->pid,       o->generation,
                        opening->key, opening->tid, opening->nframes > 0};
    struct stack_request r = {.pid = o->pid,
                              .tid = opening->tid,
                              .runtime = p->identity.runtime,
                              .native = o->model->native,
                              .regs = opening->regs,
                              .stack_base = opening->regs.sp,
                              .stack = opening->stack,
                              .stack_len = opening->stack_len};
    _Static_assert(TAKEN_FRAMES == LS_FD_FRAMES, "all of them fit");
    for (r.ntaken = 0; r.ntaken < opening->nframes; r.ntaken++)
        r.taken[r.ntaken] =
            (struct taken_frame){opening->frames[r.ntaken].code, opening->frames[r.ntaken].instr};
    if (stacker_stack(o->model->stacker, &r, on_stack, a) < 0)
        free(a);
    else if (k->state == OPENING_LOST)
        k->state = OPENING_ASKED;
}

int fd_openers_new(struct fd_openers **ret, struct model *m, struct proc *p)
{
    static uint64_t generations;
    struct fd_openers *o = calloc(1, sizeof(*o));
    if (!o)
        return -ENOMEM;
    o->model = m;
    o->pid = p->pid;
    o->generation = ++generations;
    int64_t highest = p->fd_limit == SNAP_UNKNOWN ? p->fd_count : p->fd_limit;
    if (highest > (1 << 20))
        highest = 1 << 20;
    const struct fd_track_config config = {.pid = p->pid,
                                           .source = (enum fd_track_source)m->tracker_source,
                                           .descriptors = (int)highest + DESCRIPTORS_MORE,
                                           .handles = m->wishes.handles_until_ns > m->now_ns};
    int e = fd_track_start(&o->start, &config);
    if (e) {
        free(o);
        return e;
    }
    *ret = o;
    return 0;
}

int fd_openers_ready(struct fd_openers *o, const struct proc *p)
{
    struct error err;
    int r = fd_track_started(o->start, &o->track, on_opening, o, &err);
    if (r == 0)
        return 0;
    o->start = NULL;
    if (r < 0)
        return r;
    o->model->tracker_source = fd_track_in_use(o->track); // others need not try again
    fd_openers_tasks(o, p);
    o->since_ns = o->model->now_ns;
    return 1;
}

void fd_openers_free(struct fd_openers *o)
{
    if (!o)
        return;
    fd_track_give_up(o->start);
    fd_track_close(o->track);
    for (unsigned int i = 0; i < o->nkeys; i++)
        stack_unref(o->keys[i].stack);
    free(o);
}

void fd_openers_dispatch(struct fd_openers *o)
{
    fd_track_dispatch(o->track);
}

void fd_openers_tasks(struct fd_openers *o, const struct proc *p)
{
    fd_tasks_tell(o->track, p);
}

int fd_openers_fd(const struct fd_openers *o)
{
    return fd_track_fd(o->track);
}

// The innermost frame that is the program's own is what a person can change.
static bool has_user_frame(const struct stack *s)
{
    return s && s->culprit >= 0 && s->culprit < s->nframes && !s->frames[s->culprit].runtime;
}

static enum fd_opener find_key(const struct fd_openers *o, unsigned int key, int64_t opened_ns,
                               struct fd_place *ret)
{
    if (key == 0)
        return FD_OPENER_NONE;
    const struct opening *k = &o->keys[key < LS_FD_KEYS ? key : 0];
    if (k->state == OPENING_UNSEEN || k->state == OPENING_ASKED)
        return FD_OPENER_PENDING;
    ret->opened_ns = opened_ns;
    ret->began_ns = o->since_ns;
    ret->stack = k->stack;
    ret->accepted = k->accepted;
    ret->user = has_user_frame(k->stack);
    return k->stack ? FD_OPENER_KNOWN : FD_OPENER_NONE;
}

bool fd_openers_handles(struct fd_openers *o, fd_handle_cb cb, void *arg)
{
    fd_track_list_handles(o->track, cb, arg);
    return fd_track_has_handles(o->track);
}

enum fd_opener fd_openers_of_handle(const struct fd_openers *o, const struct fd_handle *h,
                                    struct fd_place *ret)
{
    return find_key(o, h->key, h->opened_ns, ret);
}

enum fd_opener fd_openers_find(struct fd_openers *o, const struct fd_row *row, struct fd_place *ret)
{
    struct fd_slot slot;
    if (!row->file || !fd_track_slot(o->track, row->fd, row->file, &slot))
        return FD_OPENER_NONE;
    ret->task = fd_task_of(proc_find(o->model, o->pid), &slot);
    return find_key(o, slot.key, slot.opened_ns, ret);
}

const char *fd_openers_note(const struct fd_place *at, const char *what, char *buf, size_t size)
{
    char copy[120];
    snprintf(copy, sizeof(copy), "%s", what ? what : ""); // what may be buf
    if (at->user)
        snprintf(buf, size, "%s", copy);
    else if (at->accepted && copy[0])
        snprintf(buf, size, "no line: %s by the loop", copy);
    else if (at->accepted)
        snprintf(buf, size, "no line: accepted by the loop");
    else
        snprintf(buf, size, "no line: opened by the runtime or its pool%s%s", copy[0] ? ", " : "",
                 copy);
    return buf[0] ? buf : NULL;
}

static bool same_site(const struct stack *a, const struct stack *b)
{
    char x[200], y[200];
    if (!a || !b)
        return false;
    return a == b || strcmp(fd_site_name(a, x, sizeof(x)), fd_site_name(b, y, sizeof(y))) == 0;
}

bool fd_openers_counts(struct fd_openers *o, const struct stack *stack, int64_t *opened,
                       int64_t *closed)
{
    bool any = false;
    *opened = *closed = 0;
    for (unsigned int i = 1; i < o->nkeys; i++) {
        uint64_t n, gone;
        if (!same_site(o->keys[i].stack, stack) || !fd_track_counts(o->track, i, &n, &gone))
            continue;
        any = true;
        *opened += (int64_t)n;
        *closed += (int64_t)gone;
    }
    return any;
}

int64_t fd_openers_since_ns(const struct fd_openers *o)
{
    return o->since_ns;
}

// What the kernel told nobody counts as lost: its openers stay unknown.
static void settle(struct fd_openers *o)
{
    uint64_t mended = fd_track_settle(o->track);
    o->model->lost_records += (int64_t)(mended - o->mended);
    o->mended = mended;
}

void fd_openers_compare(struct fd_openers *o, const struct fd_row *rows, int n)
{
    struct fd_slot unused;
    o->drift = 0;
    for (int i = 0; i < n; i++)
        o->drift += rows[i].file && !fd_track_slot(o->track, rows[i].fd, rows[i].file, &unused);
    settle(o);
}

int64_t fd_openers_drift(const struct fd_openers *o)
{
    return o->drift;
}
