#include "stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *keep(char **at, const char *s)
{
    if (!s)
        return NULL;
    size_t n = strlen(s) + 1;
    char *to = memcpy(*at, s, n);
    *at += n;
    return to;
}

static uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3ULL; // FNV-1a
    return h;
}

// The identity of a stack is what a person reads: same names and lines, same stack.
static uint64_t hash_frames(const struct frame *f, int n)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (int i = 0; i < n; i++) {
        h = hash_bytes(h, f[i].function ? f[i].function : "?", text_size(f[i].function));
        h = hash_bytes(h, f[i].file ? f[i].file : "?", text_size(f[i].file));
        h = hash_bytes(h, f[i].module ? f[i].module : "?", text_size(f[i].module));
        h = hash_bytes(h, &f[i].line, sizeof(f[i].line));
        if (!f[i].function)
            h = hash_bytes(h, &f[i].offset, sizeof(f[i].offset));
    }
    return h;
}

struct stack *stack_new(const struct frame *frames, int nframes, int culprit, bool torn,
                        bool to_main)
{
    size_t text = 0;
    for (int i = 0; i < nframes; i++)
        text += text_size(frames[i].function) + text_size(frames[i].file) +
                text_size(frames[i].module) + text_size(frames[i].build_id);
    size_t fixed = sizeof(struct stack) + sizeof(struct frame) * (size_t)nframes;
    struct stack *s = malloc(fixed + text);
    if (!s)
        return NULL;
    *s = (struct stack){.refs = 1,
                        .culprit = culprit < nframes ? culprit : -1,
                        .torn = torn,
                        .to_main = to_main,
                        .nframes = nframes};
    char *at = (char *)s + fixed;
    for (int i = 0; i < nframes; i++) {
        s->frames[i] = frames[i];
        s->frames[i].function = keep(&at, frames[i].function);
        s->frames[i].file = keep(&at, frames[i].file);
        s->frames[i].module = keep(&at, frames[i].module);
        s->frames[i].build_id = keep(&at, frames[i].build_id);
    }
    snprintf(s->id, sizeof(s->id), "%016llx", (unsigned long long)hash_frames(frames, nframes));
    return s;
}

struct stack *stack_ref(struct stack *s)
{
    s->refs++;
    return s;
}

void stack_unref(struct stack *s)
{
    if (s && --s->refs == 0)
        free(s);
}

const char *frame_kind_name(enum frame_kind k)
{
    static const char *const names[] = {"native",     "kernel", "python",
                                        "javascript", "lua",    "inlined"};
    return (unsigned)k < sizeof(names) / sizeof(*names) ? names[k] : "native";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *frame_text(const struct frame *f, char *buf, int size)
{
    if (!f->function && !f->module)
        snprintf(buf, size, "[anonymous]+0x%llx", (unsigned long long)f->offset);
    else if (!f->function)
        snprintf(buf, size, "%s+0x%llx", base_name(f->module), (unsigned long long)f->offset);
    else if (f->file && f->line > 0)
        snprintf(buf, size, "%s (%s:%d)", f->function, f->file, f->line);
    else if (f->module)
        snprintf(buf, size, "%s (%s)", f->function, base_name(f->module));
    else
        snprintf(buf, size, "%s", f->function);
    return buf;
}
