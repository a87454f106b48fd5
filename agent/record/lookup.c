#include "lookup.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MAX_FRAMES 4096

struct text_entry {
    int64_t id;
    UT_hash_handle hh;
    char text[];
};

struct stack_entry {
    int64_t id;
    struct stack *stack;
    UT_hash_handle hh;
};

struct lookup {
    sqlite3_stmt *text, *stack, *frames;
    struct text_entry *texts;
    struct stack_entry *stacks;
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    return stmt;
}

struct lookup *lookup_new(sqlite3 *db)
{
    struct lookup *l = calloc(1, sizeof(*l));
    if (!l)
        abort();
    l->text = prepare(db, "SELECT text FROM texts WHERE id=?");
    l->stack = prepare(db, "SELECT culprit,torn,to_main FROM stacks WHERE id=?");
    l->frames = prepare(db, "SELECT f.function,f.file,f.module,f.build_id,f.\"offset\",f.line,"
                            "f.kind,f.uncertain,f.runtime FROM stack_frames s JOIN frames f ON "
                            "f.id=s.frame WHERE s.stack=? ORDER BY s.pos");
    if (l->text && l->stack && l->frames)
        return l;
    lookup_free(l);
    return NULL;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    struct text_entry *t, *tn;
    struct stack_entry *s, *sn;
    HASH_ITER (hh, l->texts, t, tn) {
        HASH_DEL(l->texts, t);
        free(t);
    }
    HASH_ITER (hh, l->stacks, s, sn) {
        HASH_DEL(l->stacks, s);
        stack_unref(s->stack);
        free(s);
    }
    sqlite3_finalize(l->text);
    sqlite3_finalize(l->stack);
    sqlite3_finalize(l->frames);
    free(l);
}

// The text, owned by l.
static const char *text_of(struct lookup *l, int64_t id)
{
    struct text_entry *e;
    HASH_FIND(hh, l->texts, &id, sizeof(id), e);
    if (e)
        return e->text;
    sqlite3_bind_int64(l->text, 1, id);
    if (sqlite3_step(l->text) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(l->text, 0);
        size_t n = text ? strlen(text) : 0;
        e = text ? malloc(sizeof(*e) + n + 1) : NULL;
        if (e) {
            e->id = id;
            memcpy(e->text, text, n + 1);
            HASH_ADD(hh, l->texts, id, sizeof(id), e);
        }
    }
    sqlite3_reset(l->text);
    return e ? e->text : NULL;
}

const char *lookup_text(struct lookup *l, struct snap *into, int64_t id)
{
    return snap_strdup(into, text_of(l, id));
}

static const char *frame_word(struct lookup *l, int column)
{
    if (sqlite3_column_type(l->frames, column) == SQLITE_NULL)
        return NULL;
    return text_of(l, sqlite3_column_int64(l->frames, column));
}

static int read_frames(struct lookup *l, int64_t id, struct frame *frames)
{
    int n = 0;
    sqlite3_bind_int64(l->frames, 1, id);
    while (n < MAX_FRAMES && sqlite3_step(l->frames) == SQLITE_ROW)
        frames[n++] = (struct frame){
            .function = frame_word(l, 0),
            .file = frame_word(l, 1),
            .module = frame_word(l, 2),
            .build_id = frame_word(l, 3),
            .offset = (uint64_t)sqlite3_column_int64(l->frames, 4),
            .line = sqlite3_column_int(l->frames, 5),
            .kind = (uint8_t)sqlite3_column_int(l->frames, 6),
            .uncertain = sqlite3_column_int(l->frames, 7) != 0,
            .runtime = sqlite3_column_int(l->frames, 8) != 0,
        };
    sqlite3_reset(l->frames);
    return n;
}

static struct stack *read_stack(struct lookup *l, int64_t id)
{
    struct stack *stack = NULL;
    sqlite3_bind_int64(l->stack, 1, id);
    if (sqlite3_step(l->stack) == SQLITE_ROW) {
        struct frame *frames = calloc(MAX_FRAMES, sizeof(*frames));
        if (!frames)
            abort();
        int n = read_frames(l, id, frames);
        int culprit = sqlite3_column_int(l->stack, 0);
        stack =
            stack_new(frames, n, culprit < -1 ? -1 : culprit, sqlite3_column_int(l->stack, 1) != 0,
                      sqlite3_column_int(l->stack, 2) != 0);
        free(frames);
    }
    sqlite3_reset(l->stack);
    return stack;
}

struct stack *lookup_stack(struct lookup *l, struct snap *into, int64_t id)
{
    struct stack_entry *e;
    HASH_FIND(hh, l->stacks, &id, sizeof(id), e);
    if (!e) {
        struct stack *stack = read_stack(l, id);
        if (!stack)
            return NULL;
        e = calloc(1, sizeof(*e));
        if (!e)
            abort();
        e->id = id;
        e->stack = stack;
        HASH_ADD(hh, l->stacks, id, sizeof(id), e);
    }
    return snap_hold(into, e->stack);
}
