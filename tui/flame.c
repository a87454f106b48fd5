#include "flame.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define NODES_MAX        4096
#define SHOWN_MAX        400
#define INDENT_MAX       14 // deeper trees indent only where they branch
#define NAME_MAX_COLUMNS 60 // more, and the eye loses the line on its way to the place

struct node {
    const struct frame *frame;
    int64_t weight;
    int child, next; // -1: none
    bool culprit;
};

struct tree {
    struct node *v;
    int n;
    int64_t total;
    int depth;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
    return same_text(a->function, b->function) && same_text(a->file, b->file) &&
           same_text(a->module, b->module) && (a->function || a->offset == b->offset);
}

static int add_node(struct tree *t, const struct frame *f)
{
    if (t->n == NODES_MAX)
        return -1;
    t->v[t->n] = (struct node){.frame = f, .child = -1, .next = -1};
    return t->n++;
}

// The child of `parent` for this frame, made if need be; -1 when the tree is full.
static int child_for(struct tree *t, int parent, const struct frame *f)
{
    int *link = &t->v[parent].child;
    for (; *link >= 0; link = &t->v[*link].next)
        if (same_frame(t->v[*link].frame, f))
            return *link;
    int made = add_node(t, f);
    *link = made;
    return made;
}

static void add_sample(struct tree *t, const struct flame_sample *s)
{
    const struct stack *stack = s->stack;
    if (!stack || stack->nframes == 0)
        return;
    t->total += s->weight;
    if (stack->nframes > t->depth)
        t->depth = stack->nframes;
    int at = 0;
    for (int i = stack->nframes - 1; i >= 0; i--) {
        at = child_for(t, at, &stack->frames[i]);
        if (at < 0)
            return;
        t->v[at].weight += s->weight;
        t->v[at].culprit |= i == stack->culprit;
    }
}

static void tree_init(struct tree *t, const struct flame_sample *s, int n)
{
    *t = (struct tree){.v = calloc(NODES_MAX, sizeof(*t->v))};
    if (!t->v)
        abort();
    add_node(t, NULL); // the root of all
    for (int i = 0; i < n; i++)
        add_sample(t, &s[i]);
}

static const char *place(const struct frame *f, char *buf, size_t size)
{
    if (f->file && f->line > 0)
        snprintf(buf, size, "%s:%d", f->file, f->line);
    else if (f->file)
        snprintf(buf, size, "%s", f->file);
    else
        buf[0] = '\0';
    return buf;
}

static const char *name(const struct frame *f, char *buf, size_t size)
{
    if (f->function)
        snprintf(buf, size, "%s%s", f->function, f->uncertain ? " ?" : "");
    else
        frame_text(f, buf, (int)size);
    return buf;
}

// Pads or cuts by columns; a cut path keeps its end, which tells more.
static void fit_text(const char *in, int width, bool keep_end, char *out, size_t size)
{
    char clean[512];
    text_clean(clean, sizeof(clean), in);
    const char *from = clean;
    uint32_t ch;
    int w, n;
    size_t used = 0;
    int columns = 0;
    if (keep_end && text_width(from) > width) {
        used = (size_t)snprintf(out, size, "..");
        columns = 2;
        while (text_width(from) > width - 2 && (n = text_next(from, &ch, &w)) > 0)
            from += n;
    }
    while ((n = text_next(from, &ch, &w)) > 0 && columns + w <= width && used + 5 < size) {
        memcpy(out + used, from, (size_t)n);
        used += (size_t)n;
        columns += w;
        from += n;
    }
    for (; columns < width && used + 2 < size; columns++)
        out[used++] = ' ';
    out[used] = '\0';
}

struct drawing {
    const struct tree *tree;
    struct lines *out;
    int width;
    int *ret_culprit;
};

// What the frame is in, where its place does not say that.
static const char *module_of(const struct frame *f)
{
    const char *module = f->module ? text_base(f->module) : frame_kind_name(f->kind);
    return f->file && strcmp(module, text_base(f->file)) == 0 ? "" : module;
}

static void draw_node(const struct drawing *d, const struct node *n, int indent)
{
    int for_place = d->width >= 140 ? 48 : d->width >= 90 ? 32 : 22;
    int for_name = d->width - for_place - 28;
    char raw[512], fn[1024], where[1024];
    for_name = for_name < 16 ? 16 : for_name > NAME_MAX_COLUMNS ? NAME_MAX_COLUMNS : for_name;
    fit_text(name(n->frame, raw, sizeof(raw)), for_name - indent > 8 ? for_name - indent : 8, false,
             fn, sizeof(fn));
    fit_text(place(n->frame, raw, sizeof(raw)), for_place, true, where, sizeof(where));
    if (n->culprit && *d->ret_culprit < 0)
        *d->ret_culprit = d->out->n;
    const char *module = module_of(n->frame);
    enum style style = n->culprit ? STYLE_CRITICAL : n->frame->runtime ? STYLE_DIM : STYLE_TEXT;
    lines_add(d->out, style, "%5.1f %*s%s %s %.16s%s",
              100.0 * (double)n->weight / (double)d->tree->total, indent, "", fn, where, module,
              !n->culprit ? ""
              : *module   ? "  <- culprit"
                          : "<- culprit");
}

// The heaviest branch first.
static int next_heaviest(const struct tree *t, int first, int64_t below, int after)
{
    int best = -1;
    for (int i = first; i >= 0; i = t->v[i].next)
        if ((t->v[i].weight < below || (t->v[i].weight == below && i > after)) &&
            (best < 0 || t->v[i].weight > t->v[best].weight))
            best = i;
    return best;
}

static void draw_children(const struct drawing *d, int parent, int indent)
{
    const struct tree *t = d->tree;
    int first = t->v[parent].child;
    bool branches = first >= 0 && t->v[first].next >= 0;
    int deeper = indent + (branches || t->depth <= INDENT_MAX ? 1 : 0);
    if (indent > 24)
        deeper = indent;
    int64_t weight = INT64_MAX;
    for (int i = -1; (i = next_heaviest(t, first, weight, i)) >= 0;) {
        if (d->out->n >= SHOWN_MAX)
            return;
        weight = t->v[i].weight;
        draw_node(d, &t->v[i], indent);
        draw_children(d, i, deeper);
    }
}

void flame_tree(const struct flame_sample *s, int n, int width, struct lines *out, int *ret_culprit)
{
    struct tree t;
    *ret_culprit = -1;
    tree_init(&t, s, n);
    if (t.total > 0)
        draw_children(&(struct drawing){&t, out, width, ret_culprit}, 0, 0);
    free(t.v);
}

static void folded_line(const struct flame_sample *s, struct lines *out)
{
    char text[1000], raw[256];
    size_t used = 0;
    text[0] = '\0';
    for (int i = s->stack->nframes - 1; i >= 0; i--) {
        const struct frame *f = &s->stack->frames[i];
        const char *fn = name(f, raw, sizeof(raw));
        const char *suffix = f->kind == FRAME_KERNEL    ? "_[k]"
                             : f->kind == FRAME_INLINED ? "_[i]"
                                                        : "";
        int len = snprintf(text + used, sizeof(text) - used, "%s%s%s", used ? ";" : "", fn, suffix);
        if (len < 0 || used + (size_t)len >= sizeof(text))
            break;
        used += (size_t)len;
    }
    lines_add(out, STYLE_TEXT, "%s %lld", text, (long long)(s->weight / 1000));
}

void flame_folded(const struct flame_sample *s, int n, struct lines *out)
{
    for (int i = 0; i < n && out->n < SHOWN_MAX; i++) {
        struct flame_sample sum = s[i];
        bool seen = !s[i].stack;
        for (int j = 0; j < i && !seen; j++)
            seen = s[j].stack && strcmp(s[j].stack->id, s[i].stack->id) == 0;
        if (seen)
            continue;
        for (int j = i + 1; j < n; j++)
            if (s[j].stack && strcmp(s[j].stack->id, s[i].stack->id) == 0)
                sum.weight += s[j].weight;
        folded_line(&sum, out);
    }
}
