// Folded stacks, root first, one line each, weight = microseconds blocked: flamegraph.pl, speedscope and
// others read them.
#include <errno.h>
#include <string.h>

#include "formats.h"
#include "history.h"
#include "names.h"

static void put_word(FILE *out, const char *word, const char *suffix)
{
    for (; *word; word++)
        fputc(*word == ';' ? ':' : *word, out);
    fputs(suffix, out);
}

static const char *suffix_of(const struct frame *f)
{
    return f->kind == FRAME_KERNEL ? "_[k]" : f->kind == FRAME_INLINED ? "_[i]" : "";
}

static void put_stack(FILE *out, const struct stack *st)
{
    char buf[512];
    for (int i = st ? st->nframes - 1 : -1; i >= 0; i--) {
        fputc(';', out);
        put_word(out, frame_word(&st->frames[i], buf, sizeof(buf)), suffix_of(&st->frames[i]));
    }
    if (!st)
        fputs(";[no stack]", out);
}

int export_folded(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct weights w = weigh(s, o->history);
    char buf[512];
    for (int i = 0; i < w.n; i++) {
        const struct stack_weight *k = &w.list[i];
        put_word(out, clean(process_name(s, k->pid), 0, buf, sizeof(buf)), "");
        fputc(';', out);
        put_word(out, clean(thread_name(s, k->tid), 0, buf, sizeof(buf)), "");
        put_stack(out, k->stack);
        fprintf(out, " %lld\n", (long long)((k->ns + 999) / 1000));
    }
    weights_finish(&w);
    return ferror(out) ? -EIO : 0;
}
