// What is kept once: texts by content, frames by content, stacks by their id.
//
// A key picture names everything it shows, so what no picture since a key picture has named is not needed
// from there on. Each entry knows the last stretch that named it; when stretches are forgotten, it goes
// with them: a flight recorder must not grow by every peer it ever saw.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "redact.h"
#include "store.h"

struct text_entry {
    int64_t id, used;
    UT_hash_handle hh;
    char text[];
};

struct frame_key { // compared as bytes: no padding
    int64_t function, file, module, build_id, offset, line, flags;
};

struct frame_entry {
    struct frame_key key;
    int64_t id, used;
    UT_hash_handle hh;
};

struct stack_entry {
    char hash[17];
    int64_t id, used;
    UT_hash_handle hh;
};

struct once {
    sqlite3 *db;
    struct text_entry *texts;
    struct frame_entry *frames;
    struct stack_entry *stacks;
    int64_t ntexts, nframes, nstacks; // numbers given out
    int64_t stretch;                  // number of its key picture
    bool redact;
    sqlite3_stmt *insert_text, *insert_frame, *insert_stack, *insert_stack_frame;
};

static int run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    return stmt;
}

struct once *once_new(sqlite3 *db, bool redact)
{
    struct once *in = calloc(1, sizeof(*in));
    if (!in)
        abort();
    in->db = db;
    in->redact = redact;
    in->insert_text = prepare(db, "INSERT INTO texts VALUES(?,?)");
    in->insert_frame = prepare(db, "INSERT INTO frames VALUES(?,?,?,?,?,?,?,?,?,?)");
    in->insert_stack = prepare(db, "INSERT INTO stacks VALUES(?,?,?,?,?,?)");
    in->insert_stack_frame = prepare(db, "INSERT INTO stack_frames VALUES(?,?,?)");
    return in;
}

void once_free(struct once *in)
{
    if (!in)
        return;
    struct text_entry *t, *tn;
    struct frame_entry *f, *fn;
    struct stack_entry *s, *sn;
    HASH_ITER (hh, in->texts, t, tn) {
        HASH_DEL(in->texts, t);
        free(t);
    }
    HASH_ITER (hh, in->frames, f, fn) {
        HASH_DEL(in->frames, f);
        free(f);
    }
    HASH_ITER (hh, in->stacks, s, sn) {
        HASH_DEL(in->stacks, s);
        free(s);
    }
    sqlite3_finalize(in->insert_text);
    sqlite3_finalize(in->insert_frame);
    sqlite3_finalize(in->insert_stack);
    sqlite3_finalize(in->insert_stack_frame);
    free(in);
}

int64_t once_text(struct once *in, const char *text)
{
    struct text_entry *e;
    size_t n = strlen(text);
    HASH_FIND(hh, in->texts, text, n, e);
    if (e) {
        e->used = in->stretch;
        return e->id;
    }
    sqlite3_bind_int64(in->insert_text, 1, in->ntexts + 1);
    sqlite3_bind_text(in->insert_text, 2, text, (int)n, SQLITE_STATIC);
    if (run(in->insert_text) < 0)
        return -1;
    e = malloc(sizeof(*e) + n + 1);
    if (!e)
        abort();
    memcpy(e->text, text, n + 1);
    e->id = ++in->ntexts;
    e->used = in->stretch;
    HASH_ADD_KEYPTR(hh, in->texts, e->text, n, e);
    return e->id;
}

static int64_t optional(struct once *in, const char *text)
{
    return text ? once_text(in, text) : 0;
}

static void bind_optional(sqlite3_stmt *stmt, int i, int64_t id)
{
    if (id > 0)
        sqlite3_bind_int64(stmt, i, id);
    else
        sqlite3_bind_null(stmt, i);
}

static int insert_frame(struct once *in, int64_t id, const struct frame_key *k,
                        const struct frame *f)
{
    sqlite3_stmt *s = in->insert_frame;
    sqlite3_bind_int64(s, 1, id);
    bind_optional(s, 2, k->function);
    bind_optional(s, 3, k->file);
    bind_optional(s, 4, k->module);
    bind_optional(s, 5, k->build_id);
    sqlite3_bind_int64(s, 6, k->offset);
    sqlite3_bind_int64(s, 7, k->line);
    sqlite3_bind_int(s, 8, f->kind);
    sqlite3_bind_int(s, 9, f->uncertain);
    sqlite3_bind_int(s, 10, f->runtime);
    return run(s);
}

static const char *leaf(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

// Redacted: libraries and sources keep their base names; what has no dot is a program, named as its process.
static const char *shown_module(const struct once *in, const char *module, char word[REDACT_WORD])
{
    if (!in->redact || !module)
        return module;
    const char *name = leaf(module);
    return *name != '[' && !strchr(name, '.') ? redact_word(name, word) : name;
}

// Redacted: function names stay (they are the diagnosis), folders go.
static int64_t once_frame(struct once *in, const struct frame *f)
{
    char word[REDACT_WORD];
    struct frame_key key = {
        .function = optional(in, f->function),
        .file = optional(in, in->redact ? leaf(f->file) : f->file),
        .module = optional(in, shown_module(in, f->module, word)),
        .build_id = optional(in, f->build_id),
        .offset = (int64_t)f->offset,
        .line = f->line,
        .flags = f->kind | f->uncertain << 8 | f->runtime << 9,
    };
    struct frame_entry *e;
    if (key.function < 0 || key.file < 0 || key.module < 0 || key.build_id < 0)
        return -1;
    HASH_FIND(hh, in->frames, &key, sizeof(key), e);
    if (e) {
        e->used = in->stretch;
        return e->id;
    }
    if (insert_frame(in, in->nframes + 1, &key, f) < 0)
        return -1;
    e = calloc(1, sizeof(*e));
    if (!e)
        abort();
    e->key = key;
    e->id = ++in->nframes;
    e->used = in->stretch;
    HASH_ADD(hh, in->frames, key, sizeof(key), e);
    return e->id;
}

static int insert_stack(struct once *in, int64_t id, const struct stack *st)
{
    sqlite3_stmt *s = in->insert_stack, *sf = in->insert_stack_frame;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_text(s, 2, st->id, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 3, st->culprit);
    sqlite3_bind_int(s, 4, st->torn);
    sqlite3_bind_int(s, 5, st->to_main);
    sqlite3_bind_int(s, 6, st->nframes);
    if (run(s) < 0)
        return -1;
    for (int i = 0; i < st->nframes; i++) {
        int64_t frame = once_frame(in, &st->frames[i]);
        if (frame < 0)
            return -1;
        sqlite3_bind_int64(sf, 1, id);
        sqlite3_bind_int(sf, 2, i);
        sqlite3_bind_int64(sf, 3, frame);
        if (run(sf) < 0)
            return -1;
    }
    return 0;
}

static void use_again(struct once *in, struct stack_entry *e, const struct stack *stack)
{
    if (e->used == in->stretch)
        return;
    e->used = in->stretch;
    for (int i = 0; i < stack->nframes; i++)
        once_frame(in, &stack->frames[i]);
}

int64_t once_stack(struct once *in, const struct stack *stack)
{
    struct stack_entry *e;
    HASH_FIND_STR(in->stacks, stack->id, e);
    if (e) {
        use_again(in, e, stack);
        return e->id;
    }
    if (insert_stack(in, in->nstacks + 1, stack) < 0)
        return -1;
    e = calloc(1, sizeof(*e));
    if (!e)
        abort();
    memcpy(e->hash, stack->id, sizeof(e->hash));
    e->id = ++in->nstacks;
    e->used = in->stretch;
    HASH_ADD_STR(in->stacks, hash, e);
    return e->id;
}

void once_begin(struct once *in, int64_t stretch)
{
    in->stretch = stretch;
}

static int remove_row(struct once *in, const char *sql, int64_t id)
{
    sqlite3_stmt *s = prepare(in->db, sql);
    sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int once_forget(struct once *in, int64_t first)
{
    struct text_entry *t, *tn;
    struct frame_entry *f, *fn;
    struct stack_entry *s, *sn;
    int rc = SQLITE_OK;
    HASH_ITER (hh, in->stacks, s, sn) {
        if (s->used >= first)
            continue;
        rc |= remove_row(in, "DELETE FROM stacks WHERE id=?", s->id);
        rc |= remove_row(in, "DELETE FROM stack_frames WHERE stack=?", s->id);
        HASH_DEL(in->stacks, s);
        free(s);
    }
    HASH_ITER (hh, in->frames, f, fn) {
        if (f->used >= first)
            continue;
        rc |= remove_row(in, "DELETE FROM frames WHERE id=?", f->id);
        HASH_DEL(in->frames, f);
        free(f);
    }
    HASH_ITER (hh, in->texts, t, tn) {
        if (t->used >= first)
            continue;
        rc |= remove_row(in, "DELETE FROM texts WHERE id=?", t->id);
        HASH_DEL(in->texts, t);
        free(t);
    }
    return rc;
}
