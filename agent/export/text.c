// The pieces of text output: ink, sentences, stacks.
#include "text.h"

#include <string.h>

struct text text_begin(FILE *out, const struct export_opts *o)
{
    bool told = o->width > 0;
    return (struct text){out, o, told ? o->width : 100, told ? o->width : 10000};
}

void ink(const struct text *t, enum ink which)
{
    static const char *const codes[] = {"\033[0m",    "\033[1m",  "\033[2m", "\033[1;31m",
                                        "\033[1;33m", "\033[36m", "\033[32m"};
    if (t->o->color)
        fputs(codes[which], t->out);
}

enum ink severity_ink(enum severity s)
{
    return s == SEV_CRITICAL ? INK_CRITICAL : s == SEV_WARNING ? INK_WARNING : INK_INFO;
}

const char *severity_mark(enum severity s)
{
    return s == SEV_CRITICAL ? "!!" : s == SEV_WARNING ? "! " : ". ";
}

void text_wrap(const struct text *t, const char *first, const char *sentence)
{
    int margin = (int)strlen(first), column = margin;
    fputs(first, t->out);
    for (const char *at = sentence; at && *at;) {
        size_t word = strcspn(at, " \n");
        char buf[4200];
        snprintf(buf, sizeof(buf), "%.*s", (int)(word < 4000 ? word : 4000), at);
        int w = (int)clean_width(buf);
        if (column > margin && column + 1 + w > t->width) {
            fprintf(t->out, "\n%*s", margin, "");
            column = margin;
        } else if (column > margin) {
            fputc(' ', t->out);
            column++;
        }
        clean_print(t->out, buf, t->o->ascii);
        column += w;
        at += word;
        at += strspn(at, " \n");
    }
    fputc('\n', t->out);
}

static void frame_place(const struct frame *f, char *buf, size_t size)
{
    if (f->file && f->line > 0)
        snprintf(buf, size, "%.180s:%d", f->file, f->line);
    else if (f->file)
        snprintf(buf, size, "%.180s", f->file);
    else if (f->module)
        snprintf(buf, size, "%.180s", base_name(f->module));
    else
        snprintf(buf, size, "[anonymous]");
}

static void frame_name(const struct frame *f, char *buf, size_t size)
{
    if (f->function && *f->function)
        snprintf(buf, size, "%s%.200s%s", f->uncertain ? "? " : "", f->function,
                 f->kind == FRAME_KERNEL ? " [kernel]" : "");
    else
        snprintf(buf, size, "%s+0x%llx", f->module ? base_name(f->module) : "[anonymous]",
                 (unsigned long long)f->offset);
}

static void print_frame(const struct text *t, const struct frame *f, bool culprit,
                        const char *margin)
{
    char name[256], place[256], shown[256];
    frame_name(f, name, sizeof(name));
    frame_place(f, place, sizeof(place));
    ink(t, culprit ? INK_BOLD : f->runtime ? INK_DIM : INK_NONE);
    fprintf(t->out, "%s%s ", margin, culprit ? "=>" : "  ");
    clean(name, 60, shown, sizeof(shown));
    clean_print(t->out, shown, t->o->ascii);
    size_t w = clean_width(shown);
    fprintf(t->out, "%*s  ", w < 32 ? (int)(32 - w) : 0, "");
    clean_print(t->out, clean(place, 0, shown, sizeof(shown)), t->o->ascii);
    ink(t, INK_NONE);
    fputc('\n', t->out);
}

// How many frames from i on belong to one runtime module: the middle of such a run is left out.
static int runtime_run(const struct stack *st, int i)
{
    int n = 0;
    while (i + n < st->nframes && st->frames[i + n].runtime && i + n != st->culprit)
        n++;
    return n;
}

void text_stack(const struct text *t, const struct stack *st, const char *margin)
{
    for (int i = 0; i < st->nframes; i++) {
        int run = runtime_run(st, i);
        print_frame(t, &st->frames[i], i == st->culprit, margin);
        if (run <= 4)
            continue;
        ink(t, INK_DIM);
        fprintf(t->out, "%s   ... %d more of the runtime\n", margin, run - 2);
        ink(t, INK_NONE);
        i += run - 2;
    }
    if (st->torn)
        fprintf(t->out, "%s   (the rest of the stack could not be read)\n", margin);
}
