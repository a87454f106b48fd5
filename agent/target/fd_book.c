#include "fd_book.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd_handles.h"
#include "fd_openers.h"
#include "procfs.h"

#define GROUPS_MAX 512 // sites beyond go into their kind's

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

// A line is one site, whatever led to it: the stacks of a function differ once it is compiled.
const char *fd_site_name(const struct stack *s, char *buf, size_t size)
{
    const struct frame *f =
        s->culprit >= 0 && s->culprit < s->nframes ? &s->frames[s->culprit] : NULL;
    if (f && !f->runtime && f->function && f->line)
        snprintf(buf, size, "%s|%s|%d", f->function, f->file ? f->file : "", f->line);
    else
        snprintf(buf, size, "%s", s->id);
    return buf;
}

struct fd_group *fd_group_of(struct fd_book *b, const char *kind, struct stack *stack,
                             const char *note, int64_t began_ns)
{
    char key[400];
    struct fd_group *g;
    bool full = HASH_COUNT(b->groups) >= GROUPS_MAX;
    char where[200] = "";
    if (stack && !full)
        fd_site_name(stack, where, sizeof(where));
    snprintf(key, sizeof(key), "%s|%s|%s", kind, where, note && !full ? note : "");
    HASH_FIND_STR(b->groups, key, g);
    if (g)
        return g;
    g = must(calloc(1, sizeof(*g)));
    g->key = must(strdup(key));
    g->kind = kind;
    g->note = note && !full ? must(strdup(note)) : NULL;
    g->stack = stack && !full ? stack_ref(stack) : NULL;
    g->site.began_ns = began_ns;
    HASH_ADD_KEYPTR(hh, b->groups, g->key, strlen(g->key), g);
    return g;
}

static void group_free(struct fd_book *b, struct fd_group *g)
{
    HASH_DEL(b->groups, g);
    stack_unref(g->stack);
    free(g->key);
    free(g->note);
    free(g);
}

static const struct fd_row *listener_of(const struct fd_row *row, const struct fd_row *rows, int n)
{
    for (int i = 0; i < n; i++)
        if (rows[i].kind == FD_LISTENER && rows[i].local_port == row->local_port)
            return &rows[i];
    return NULL;
}

// Without a stack: what can be told of it by what it is.
static const char *note_of(const struct fd_row *row, const struct fd_row *rows, int n, char *buf,
                           size_t size)
{
    char address[80];
    const struct fd_row *listener;
    buf[0] = '\0';
    if (row->kind != FD_TCP || row->local_port == 0)
        return NULL;
    if ((listener = listener_of(row, rows, n)))
        snprintf(buf, size, "accepted on %s",
                 fd_address(listener, false, address, sizeof(address)));
    else if (row->remote_port)
        snprintf(buf, size, "connected to %s", fd_address(row, true, address, sizeof(address)));
    return buf[0] ? buf : NULL;
}

static bool same_file(const struct fd_row *a, const struct fd_row *b)
{
    return a->file == b->file && a->inode == b->inode && a->family == b->family &&
           (a->file || a->kind == b->kind);
}

static void entry_close(struct fd_book *b, struct fd_entry *e, int64_t now_ns)
{
    if (e->group)
        fd_closed(&b->clock, &e->life, now_ns);
    b->changes++;
    HASH_DEL(b->entries, e);
    free(e->target);
    free(e);
}

// Into the group of its opener, as soon as that is known.
static void place(struct fd_book *b, struct fd_entry *e, const struct fd_row *rows, int n,
                  int64_t now_ns)
{
    char note[120];
    bool before = b->round == 1;
    struct fd_place at = {.opened_ns = now_ns, .began_ns = b->began_ns};
    enum fd_opener known = b->openers ? fd_openers_find(b->openers, &e->row, &at) : FD_OPENER_NONE;
    if (known == FD_OPENER_PENDING)
        return;
    const char *what = note_of(&e->row, rows, n, note, sizeof(note));
    if (known == FD_OPENER_KNOWN)
        what = fd_openers_note(&at, what, note, sizeof(note));
    else if (before)
        what = "opened before the attach";
    e->task = at.task;
    e->users = at.user;
    e->group = fd_group_of(b, fd_kind_name(e->row.kind), at.stack, what, at.began_ns);
    if (known == FD_OPENER_KNOWN)
        fd_site_resume(&e->group->site, at.began_ns);
    fd_opened(&e->group->site, &e->life, at.opened_ns, before);
}

static void follow_task(struct fd_entry *e, int64_t now_ns)
{
    if (e->task.id && !e->task_over_ns && fd_task_is_over(&e->task, e->life.opened_ns))
        e->task_over_ns = now_ns;
}

static void entry_use(struct fd_entry *e, const struct fd_row *row, int64_t now_ns)
{
    if (row->idle_ns != FD_UNKNOWN)
        fd_used(&e->life, now_ns - row->idle_ns);
    if (row->position != e->row.position)
        fd_used(&e->life, now_ns);
    if (row->kind != FD_TCP || row->state != TCP_CLOSE_WAIT)
        e->close_wait_since_ns = 0;
    else if (!e->close_wait_since_ns)
        e->close_wait_since_ns = now_ns;
    e->row = *row;
}

static struct fd_entry *entry_new(struct fd_book *b, const struct fd_row *row)
{
    struct fd_entry *e = must(calloc(1, sizeof(*e)));
    b->changes++;
    e->fd = row->fd;
    e->row = *row;
    HASH_ADD_INT(b->entries, fd, e);
    return e;
}

static void close_gone(struct fd_book *b, int64_t now_ns)
{
    struct fd_entry *e, *next;
    HASH_ITER (hh, b->entries, e, next)
        if (e->round != b->round)
            entry_close(b, e, now_ns);
}

static void forget_empty(struct fd_book *b, int64_t now_ns)
{
    struct fd_group *g, *next;
    int64_t keep = 2 * fd_horizon_ns(&b->clock, FD_HORIZONS - 1);
    HASH_ITER (hh, b->groups, g, next) {
        if (g->site.open > 0)
            g->quiet_since_ns = 0;
        else if (!g->quiet_since_ns)
            g->quiet_since_ns = now_ns;
        else if (now_ns - g->quiet_since_ns > keep)
            group_free(b, g);
    }
}

void fd_book_look(struct fd_book *b, const struct fd_row *rows, int n, int64_t now_ns)
{
    if (b->round++ == 0)
        b->began_ns = now_ns;
    for (int i = 0; i < n; i++) {
        struct fd_entry *e;
        HASH_FIND_INT(b->entries, &rows[i].fd, e);
        if (e && !same_file(&e->row, &rows[i])) {
            entry_close(b, e, now_ns);
            e = NULL;
        }
        if (!e)
            e = entry_new(b, &rows[i]);
        e->round = b->round;
        if (!e->group)
            place(b, e, rows, n, now_ns);
        entry_use(e, &rows[i], now_ns);
        follow_task(e, now_ns);
    }
    close_gone(b, now_ns);
    fd_handles_look(b, now_ns);
    for (struct fd_group *g = b->groups; g; g = g->hh.next)
        fd_site_tick(&b->clock, &g->site, now_ns);
    forget_empty(b, now_ns);
    b->quiet_rounds = b->changes == b->changes_before ? b->quiet_rounds + 1 : 0;
    b->changes_before = b->changes;
}

struct fd_entry *fd_entry_of(struct fd_life *life)
{
    return (struct fd_entry *)((char *)life - offsetof(struct fd_entry, life));
}

bool fd_entry_is_orphan(const struct fd_entry *e)
{
    return e->users && e->task.live && e->task_over_ns && e->life.used_ns <= e->task_over_ns;
}

const char *fd_entry_target(int pid, struct fd_entry *e)
{
    char text[512] = "", address[80];
    if (e->target)
        return e->target;
    bool listener = e->row.kind == FD_LISTENER;
    if (e->row.local_port || e->row.remote_port)
        snprintf(text, sizeof(text), "%s",
                 fd_address(&e->row, !listener, address, sizeof(address)));
    else if (procfs_link(text, sizeof(text), "/proc/%d/fd/%d", pid, e->fd) <= 0)
        text[0] = '\0';
    e->target = must(strdup(text));
    return e->target;
}

void fd_book_execed(struct fd_book *b)
{
    if (!b)
        return;
    for (struct fd_entry *e = b->entries; e; e = e->hh.next)
        e->task = (struct fd_task){0};
    fd_handles_forget(b);
    fd_openers_free(b->openers);
    fd_openers_free(b->starting);
    b->openers = b->starting = NULL;
    b->openers_again_ns = 0;
}

void fd_book_free(struct fd_book *b)
{
    struct fd_entry *e, *next_entry;
    struct fd_group *g, *next_group;
    if (!b)
        return;
    fd_openers_free(b->openers);
    fd_openers_free(b->starting);
    HASH_ITER (hh, b->entries, e, next_entry)
        entry_close(b, e, 0);
    fd_handles_forget(b);
    HASH_ITER (hh, b->groups, g, next_group)
        group_free(b, g);
    free(b);
}
