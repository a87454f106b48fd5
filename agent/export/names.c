#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "../list.h"
#include "clean.h"
#include "human.h"

const char *process_name(const struct snap *s, int pid)
{
    const struct snap_process *p = snap_process_of(s, pid);
    return p && p->name ? p->name : "process";
}

const char *watched_name(const struct snap *s, char *buf, size_t size)
{
    const char *source = s->source ? s->source : "";
    const char *name = s->nprocesses == 1 ? s->processes[0].name : NULL;
    if (!name || !*name || strstr(source, name))
        snprintf(buf, size, "%.*s", (int)size - 1, source);
    else
        snprintf(buf, size, "%.100s (%.300s)", name, source);
    return buf;
}

const char *thread_name(const struct snap *s, int tid)
{
    const struct snap_loop *l = snap_loop_of(s, tid);
    return l && l->name ? l->name : "loop";
}

const char *frame_word(const struct frame *f, char *buf, size_t size)
{
    if (f->function && *f->function)
        return clean(f->function, 200, buf, size);
    char text[300];
    snprintf(text, sizeof(text), "%.200s+0x%llx", f->module ? base_name(f->module) : "[anonymous]",
             (unsigned long long)f->offset);
    return clean(text, 0, buf, size);
}

struct entry {
    int number;
    UT_hash_handle hh;
    char text[];
};

struct numbering {
    struct entry *entries, **by_number;
    int n, cap;
};

struct numbering *numbering_new(void)
{
    struct numbering *n = calloc(1, sizeof(*n));
    if (!n)
        abort();
    return n;
}

void numbering_free(struct numbering *n)
{
    struct entry *e, *next;
    HASH_ITER (hh, n->entries, e, next) {
        HASH_DEL(n->entries, e);
        free(e);
    }
    free(n->by_number);
    free(n);
}

int numbering_of(struct numbering *n, const char *text, bool *ret_new)
{
    struct entry *e;
    size_t len = strlen(text);
    HASH_FIND(hh, n->entries, text, len, e);
    if (ret_new)
        *ret_new = !e;
    if (e)
        return e->number;
    e = malloc(sizeof(*e) + len + 1);
    if (!e)
        abort();
    list_must_have_room(n->by_number, n->n, n->cap);
    memcpy(e->text, text, len + 1);
    e->number = n->n;
    n->by_number[n->n++] = e;
    HASH_ADD_KEYPTR(hh, n->entries, e->text, len, e);
    return e->number;
}

int numbering_count(const struct numbering *n)
{
    return n->n;
}

const char *numbering_text(const struct numbering *n, int i)
{
    return n->by_number[i]->text;
}
