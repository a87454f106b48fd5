#include "answer.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ROWS  1000000u
#define MAX_CHAIN 4096u // of one task

static void put_frame(struct writer *w, const struct frame *f)
{
    put_text(w, f->function);
    put_text(w, f->file);
    put_text(w, f->module);
    put_text(w, f->build_id);
    put_u64(w, f->offset);
    put_u32(w, (uint32_t)f->line);
    put_u32(w, f->kind | (uint32_t)f->uncertain << 8 | (uint32_t)f->runtime << 9);
}

static void get_frame(struct reader *r, struct frame *f)
{
    f->function = get_text(r);
    f->file = get_text(r);
    f->module = get_text(r);
    f->build_id = get_text(r);
    f->offset = get_u64(r);
    f->line = (int)get_u32(r);
    uint32_t bits = get_u32(r);
    f->kind = (bits & 0xff) <= FRAME_INLINED ? bits & 0xff : FRAME_NATIVE;
    f->uncertain = bits >> 8 & 1;
    f->runtime = bits >> 9 & 1;
    if (f->line < 0)
        f->line = 0;
}

static void put_task(struct writer *w, const struct task_ref *t)
{
    put_text(w, t->id);
    put_text(w, t->name);
    put_text(w, t->spawn_site);
    put_text(w, t->await_site);
}

static void get_task(struct reader *r, struct task_ref *t)
{
    t->id = get_text(r);
    t->name = get_text(r);
    t->spawn_site = get_text(r);
    t->await_site = get_text(r);
}

void put_stack(struct writer *w, const struct merged *m, const struct stack_facts *facts)
{
    put_text(w, facts->why_not);
    put_text(w, facts->lock);
    put_text(w, facts->holder);
    put_task(w, &facts->task);
    put_bytes(w, &facts->place, sizeof(facts->place));
    put_u32(w, (uint32_t)facts->torn | (uint32_t)facts->live_reads << 1 |
                   (uint32_t)facts->in_language << 2 | (uint32_t)facts->gc << 3 |
                   (uint32_t)m->to_main << 4);
    put_u32(w, (uint32_t)m->loop_runs);
    put_u32(w, (uint32_t)m->loop_run_index);
    put_u32(w, (uint32_t)m->culprit);
    put_u32(w, (uint32_t)m->n);
    for (int i = 0; i < m->n; i++)
        put_frame(w, &m->frames[i]);
}

void put_no_stack(struct writer *w, const char *why_not)
{
    struct merged none = {.culprit = -1, .loop_run_index = -1};
    put_stack(w, &none, &(struct stack_facts){.why_not = why_not, .torn = true});
}

static int index_within(uint32_t v, uint32_t n)
{
    return v < n ? (int)v : -1;
}

bool get_stack(struct reader *r, struct stack_answer *ret)
{
    *ret = (struct stack_answer){.why_not = get_text(r)};
    ret->lock = get_text(r);
    ret->holder = get_text(r);
    get_task(r, &ret->task);
    get_bytes(r, &ret->place, sizeof(ret->place));
    uint32_t bits = get_u32(r);
    ret->live_reads = bits >> 1 & 1;
    ret->in_language = bits >> 2 & 1;
    ret->gc = bits >> 3 & 1;
    uint32_t runs = get_u32(r), run_index = get_u32(r), culprit = get_u32(r), n = get_u32(r);
    ret->loop_run_frames = runs <= n ? (int)runs : 0;
    ret->loop_run_index = index_within(run_index, n);
    if (r->bad || n > MERGED_FRAMES)
        return false;
    struct frame *frames = n ? calloc(n, sizeof(*frames)) : NULL;
    if (n && !frames)
        return false;
    for (uint32_t i = 0; i < n; i++)
        get_frame(r, &frames[i]);
    if (n && !r->bad)
        ret->stack = stack_new(frames, (int)n, index_within(culprit, n), bits & 1, bits >> 4 & 1);
    free(frames);
    return !r->bad;
}

void put_identity(struct writer *w, const struct identity *id)
{
    put_u32(w, id->runtime);
    put_bytes(w, id->version, sizeof(id->version));
    put_u32(w, id->has_uv);
    put_u64(w, id->uv_loop);
    put_u32(w, (uint32_t)id->uv_backend_fd);
    put_u64(w, id->uv_loop_count);
    put_bytes(w, id->note, sizeof(id->note));
}

bool get_identity(struct reader *r, struct identity *ret)
{
    uint32_t runtime = get_u32(r);
    *ret = (struct identity){.runtime = runtime <= RUNTIME_TOKIO ? (enum runtime_kind)runtime
                                                                 : RUNTIME_UNKNOWN};
    get_bytes(r, ret->version, sizeof(ret->version));
    ret->has_uv = get_u32(r);
    ret->uv_loop = get_u64(r);
    ret->uv_backend_fd = (int)get_u32(r);
    ret->uv_loop_count = get_u64(r);
    get_bytes(r, ret->note, sizeof(ret->note));
    ret->version[sizeof(ret->version) - 1] = '\0';
    ret->note[sizeof(ret->note) - 1] = '\0';
    return !r->bad;
}

static void put_row(struct writer *w, const struct task_row *t)
{
    put_u64(w, t->address);
    put_u64(w, t->awaiter);
    put_u64(w, (uint64_t)t->number);
    put_text(w, t->name);
    put_text(w, t->coroutine);
    put_text(w, t->spawn_site);
    put_text(w, t->await_site);
    put_text(w, t->waits_on);
    put_text(w, t->error);
    put_u32(w, t->state);
    put_u32(w, t->flags);
    put_u64(w, (uint64_t)t->sleep_since_ns);
    put_u32(w, (uint32_t)t->nchain);
    for (int i = 0; i < t->nchain; i++)
        put_frame(w, &t->chain[i]);
}

static void get_row(struct reader *r, struct task_row *t, struct frame **chain, size_t *left)
{
    t->address = get_u64(r);
    t->awaiter = get_u64(r);
    t->number = (int64_t)get_u64(r);
    t->name = get_text(r);
    t->coroutine = get_text(r);
    t->spawn_site = get_text(r);
    t->await_site = get_text(r);
    t->waits_on = get_text(r);
    t->error = get_text(r);
    uint32_t state = get_u32(r);
    t->state = state <= TASK_CANCELLED ? (enum task_state)state : TASK_WAITING;
    t->flags = get_u32(r);
    t->sleep_since_ns = (int64_t)get_u64(r);
    uint32_t n = get_u32(r);
    if (n > *left || n > MAX_CHAIN) {
        r->bad = true;
        return;
    }
    t->chain = *chain;
    t->nchain = (int)n;
    for (uint32_t i = 0; i < n; i++)
        get_frame(r, (*chain)++);
    *left -= n;
}

void put_tasks(struct writer *w, const struct tasks_answer *t)
{
    size_t frames = 0;
    for (int i = 0; i < t->nrows; i++)
        frames += (size_t)t->rows[i].nchain;
    put_text(w, t->why_not);
    put_u64(w, (uint64_t)t->total);
    put_u64(w, (uint64_t)t->unstable);
    put_u64(w, (uint64_t)t->cut);
    put_u32(w, (uint32_t)t->nrows);
    put_u64(w, frames);
    for (int i = 0; i < t->nrows; i++)
        put_row(w, &t->rows[i]);
}

bool get_tasks(struct reader *r, struct tasks_answer *ret, struct task_row **rows,
               struct frame **chains)
{
    *ret = (struct tasks_answer){.why_not = get_text(r)};
    ret->total = (int64_t)get_u64(r);
    ret->unstable = (int64_t)get_u64(r);
    ret->cut = (int64_t)get_u64(r);
    uint32_t n = get_u32(r);
    size_t left = get_u64(r), size = (size_t)(r->end - r->at);
    *rows = NULL;
    *chains = NULL;
    // A frame takes at least 32 bytes of the message: no more memory is asked for than that allows.
    if (r->bad || n > MAX_ROWS || n > size / 32 || left > size / 32)
        return false;
    *rows = calloc(n + 1, sizeof(**rows));
    *chains = calloc(left + 1, sizeof(**chains));
    if (!*rows || !*chains)
        return false;
    struct frame *next = *chains;
    for (uint32_t i = 0; i < n && !r->bad; i++)
        get_row(r, &(*rows)[i], &next, &left);
    ret->nrows = (int)n;
    ret->rows = *rows;
    return !r->bad;
}
