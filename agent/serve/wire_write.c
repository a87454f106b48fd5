// Snapshots to bytes. Texts and stacks are numbered as they come; a key picture starts the numbers anew, so
// that neither side keeps every name that was ever seen.
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "../record/codec.h"
#include "../record/picture.h"
#include "../record/squeeze.h"
#include "wire.h"

#define KEY_EVERY_NS 300000000000LL

struct known {
    int64_t id;
    UT_hash_handle hh;
    char key[]; // a text, or a stack's id
};

struct wire_writer {
    struct squeeze *squeeze;
    struct known *texts, *stacks;
    int64_t ntexts, nstacks;       // known
    int64_t new_texts, new_stacks; // of this picture
    struct bytes text_bytes, stack_bytes, picture, body;
    struct snap *before;
    int64_t key_ns;
};

struct wire_writer *wire_writer_new(void)
{
    struct wire_writer *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->squeeze = squeeze_new();
    return w;
}

static void forget(struct known **all)
{
    struct known *k, *next;
    HASH_ITER (hh, *all, k, next) {
        HASH_DEL(*all, k);
        free(k);
    }
}

void wire_writer_free(struct wire_writer *w)
{
    if (!w)
        return;
    forget(&w->texts);
    forget(&w->stacks);
    bytes_free(&w->text_bytes);
    bytes_free(&w->stack_bytes);
    bytes_free(&w->picture);
    bytes_free(&w->body);
    squeeze_free(w->squeeze);
    snap_unref(w->before);
    free(w);
}

// The number, or 0 when it was not known: it is now, by `next`.
static int64_t look_up(struct known **all, const char *key, int64_t next)
{
    struct known *k;
    size_t n = strlen(key);
    HASH_FIND(hh, *all, key, n, k);
    if (k)
        return k->id;
    k = malloc(sizeof(*k) + n + 1);
    if (!k)
        abort();
    k->id = next;
    memcpy(k->key, key, n + 1);
    HASH_ADD_KEYPTR(hh, *all, k->key, n, k);
    return 0;
}

static int64_t name_text(void *arg, const char *text)
{
    struct wire_writer *w = arg;
    int64_t id = look_up(&w->texts, text, w->ntexts + 1);
    if (id > 0)
        return id;
    w->new_texts++;
    bytes_text(&w->text_bytes, text);
    return ++w->ntexts;
}

static void put_word(struct wire_writer *w, const char *text)
{
    bytes_varint(&w->stack_bytes, text ? (uint64_t)name_text(w, text) : 0);
}

static void put_frame(struct wire_writer *w, const struct frame *f)
{
    put_word(w, f->function);
    put_word(w, f->file);
    put_word(w, f->module);
    put_word(w, f->build_id);
    bytes_varint(&w->stack_bytes, f->offset);
    bytes_varint(&w->stack_bytes, zigzag(f->line));
    bytes_varint(&w->stack_bytes, (uint64_t)(f->kind << 2 | f->uncertain << 1 | f->runtime));
}

static int64_t name_stack(void *arg, const struct stack *stack)
{
    struct wire_writer *w = arg;
    int64_t id = look_up(&w->stacks, stack->id, w->nstacks + 1);
    if (id > 0)
        return id;
    w->new_stacks++;
    bytes_varint(&w->stack_bytes, (uint64_t)stack->nframes);
    bytes_varint(&w->stack_bytes, zigzag(stack->culprit));
    bytes_varint(&w->stack_bytes, (uint64_t)(stack->torn << 1 | stack->to_main));
    for (int i = 0; i < stack->nframes; i++)
        put_frame(w, &stack->frames[i]);
    return ++w->nstacks;
}

static void begin_stretch(struct wire_writer *w, const struct snap *s)
{
    forget(&w->texts);
    forget(&w->stacks);
    w->ntexts = w->nstacks = 0;
    w->key_ns = s->now_ns;
    squeeze_restart(w->squeeze);
    snap_unref(w->before);
    w->before = NULL;
}

void wire_put_picture(struct wire_writer *w, struct bytes *to, struct snap *s)
{
    const struct picture_names names = {name_text, name_stack, w};
    bool key = !w->before || s->now_ns - w->key_ns >= KEY_EVERY_NS;
    struct bytes all = {0};
    if (key)
        begin_stretch(w, s);
    w->new_texts = w->new_stacks = 0;
    w->text_bytes.n = w->stack_bytes.n = w->picture.n = w->body.n = 0;
    picture_pack(&w->picture, s, w->before, &names);
    bytes_varint(&all, (uint64_t)w->new_texts);
    bytes_put(&all, w->text_bytes.at, w->text_bytes.n);
    bytes_varint(&all, (uint64_t)w->new_stacks);
    bytes_put(&all, w->stack_bytes.at, w->stack_bytes.n);
    bytes_put(&all, w->picture.at, w->picture.n);
    bytes_put(&w->body, &key, 1);
    squeeze_put(w->squeeze, &all, &w->body);
    wire_put(to, WIRE_PICTURE, w->body.at, w->body.n);
    bytes_free(&all);
    snap_unref(w->before);
    w->before = snap_ref(s);
}
