#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../record/codec.h"
#include "../record/picture.h"
#include "../record/squeeze.h"
#include "wire.h"

#define MAX_FRAMES 4096
#define MAX_NAMES  1000000             // texts or stacks between two key pictures
#define MAX_MEMORY ((size_t)128 << 20) // bytes of them

struct wire_reader {
    struct stretch *stretch;
    struct bytes bytes; // unpacked
    char **texts;
    struct stack **stacks;
    int64_t ntexts, nstacks;
    size_t memory;
    struct snap *before;
};

struct wire_reader *wire_reader_new(void)
{
    struct wire_reader *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->stretch = stretch_new();
    return r;
}

static void forget(struct wire_reader *r)
{
    for (int64_t i = 0; i < r->ntexts; i++)
        free(r->texts[i]);
    for (int64_t i = 0; i < r->nstacks; i++)
        stack_unref(r->stacks[i]);
    r->ntexts = r->nstacks = 0;
    r->memory = 0;
    snap_unref(r->before);
    r->before = NULL;
}

void wire_reader_free(struct wire_reader *r)
{
    if (!r)
        return;
    forget(r);
    free(r->texts);
    free(r->stacks);
    stretch_free(r->stretch);
    bytes_free(&r->bytes);
    free(r);
}

// Each takes a byte at least, so what is there bounds how many there can be.
static int64_t take_count(struct reading *in, int64_t have)
{
    uint64_t n = take_varint(in);
    if (n > (uint64_t)(in->end - in->at) || n > (uint64_t)(MAX_NAMES - have)) {
        in->bad = true;
        return 0;
    }
    return (int64_t)n;
}

static void *grown(void *list, int64_t n)
{
    list = realloc(list, sizeof(void *) * ((size_t)n + 1));
    if (!list)
        abort();
    return list;
}

static void charge(struct wire_reader *r, struct reading *in, size_t bytes)
{
    r->memory += bytes;
    in->bad |= r->memory > MAX_MEMORY;
}

static void take_texts(struct wire_reader *r, struct reading *in)
{
    int64_t count = take_count(in, r->ntexts);
    r->texts = grown(r->texts, r->ntexts + count);
    for (int64_t i = 0; i < count && !in->bad; i++) {
        size_t n;
        const char *text = take_text(in, &n);
        charge(r, in, n + 32);
        in->bad |= !text;
        if (!in->bad && !(r->texts[r->ntexts++] = strndup(text, n)))
            abort();
    }
}

static const char *take_word(struct wire_reader *r, struct reading *in)
{
    uint64_t id = take_varint(in);
    if (id > (uint64_t)r->ntexts) {
        in->bad = true;
        return NULL;
    }
    return id ? r->texts[id - 1] : NULL;
}

static struct frame take_frame(struct wire_reader *r, struct reading *in, size_t *size)
{
    struct frame f = {0}; // one by one: an initialiser's order is not told
    f.function = take_word(r, in);
    f.file = take_word(r, in);
    f.module = take_word(r, in);
    f.build_id = take_word(r, in);
    f.offset = take_varint(in);
    f.line = (int)unzigzag(take_varint(in));
    uint64_t kind = take_varint(in);
    f.runtime = kind & 1;
    f.uncertain = kind & 2;
    f.kind = (uint8_t)(kind >> 2);
    const char *texts[] = {f.function, f.file, f.module, f.build_id};
    for (int i = 0; i < 4; i++)
        *size += texts[i] ? strlen(texts[i]) + 1 : 0;
    *size += sizeof(f);
    return f;
}

static struct stack *take_stack(struct wire_reader *r, struct reading *in)
{
    uint64_t n = take_varint(in);
    int64_t culprit = unzigzag(take_varint(in));
    uint64_t flags = take_varint(in);
    if (n > MAX_FRAMES || culprit < -1 || culprit >= (int64_t)n)
        in->bad = true;
    struct frame *frames = in->bad ? NULL : calloc((size_t)n + 1, sizeof(*frames));
    size_t size = sizeof(struct stack);
    for (uint64_t i = 0; i < n && !in->bad; i++) {
        frames[i] = take_frame(r, in, &size);
        in->bad |= size > MAX_MEMORY;
    }
    charge(r, in, size);
    struct stack *stack =
        in->bad ? NULL : stack_new(frames, (int)n, (int)culprit, flags & 2, flags & 1);
    free(frames);
    return stack;
}

static void take_stacks(struct wire_reader *r, struct reading *in)
{
    int64_t count = take_count(in, r->nstacks);
    r->stacks = grown(r->stacks, r->nstacks + count);
    for (int64_t i = 0; i < count && !in->bad; i++) {
        struct stack *stack = take_stack(r, in);
        if (stack)
            r->stacks[r->nstacks++] = stack;
        else
            in->bad = true;
    }
}

static const char *text_of(void *arg, struct snap *into, int64_t id)
{
    struct wire_reader *r = arg;
    return id > 0 && id <= r->ntexts ? snap_strdup(into, r->texts[id - 1]) : NULL;
}

static struct stack *stack_of(void *arg, struct snap *into, int64_t id)
{
    struct wire_reader *r = arg;
    return id > 0 && id <= r->nstacks ? snap_hold(into, r->stacks[id - 1]) : NULL;
}

static int take_picture(struct wire_reader *r, struct reading *in, struct snap *s)
{
    const struct picture_lookup lookup = {text_of, stack_of, r};
    take_texts(r, in);
    take_stacks(r, in);
    return in->bad ? -EBADMSG : picture_unpack(s, r->before, in, &lookup);
}

int wire_take_picture(struct wire_reader *r, const uint8_t *body, size_t n, struct snap **ret)
{
    bool key = n > 0 && body[0] == 1;
    if (n == 0 || (!key && !r->before))
        return -EBADMSG;
    if (key) {
        forget(r);
        stretch_restart(r->stretch);
    }
    r->bytes.n = 0;
    if (stretch_take(r->stretch, body + 1, n - 1, &r->bytes) < 0)
        return -EBADMSG;
    struct reading in = {.at = r->bytes.at, .end = r->bytes.at + r->bytes.n};
    struct snap *s = snap_new();
    if (take_picture(r, &in, s) < 0) {
        snap_unref(s);
        return -EBADMSG;
    }
    snap_unref(r->before);
    r->before = s;
    *ret = snap_ref(s);
    return 0;
}
