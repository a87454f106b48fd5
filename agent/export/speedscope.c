// speedscope's own format: one sampled profile a loop, frames shared.
#include <errno.h>
#include <string.h>

#include "formats.h"
#include "history.h"
#include "json.h"
#include "names.h"

static void frame_key(const struct frame *f, char *buf, size_t size)
{
    char word[512];
    snprintf(buf, size, "%s|%.300s|%d", frame_word(f, word, sizeof(word)), f->file ? f->file : "",
             f->line);
}

static void put_frame(struct json *j, const struct frame *f)
{
    char word[512];
    json_put_object(j, NULL);
    json_put_text(j, "name", frame_word(f, word, sizeof(word)));
    if (f->file)
        json_put_text(j, "file", f->file);
    if (f->line > 0)
        json_put_int(j, "line", f->line);
    json_end_object(j);
}

static void put_frames(struct json *j, struct numbering *numbers, const struct weights *w)
{
    char key[1024];
    bool fresh;
    json_put_array(j, "frames");
    for (int i = 0; i < w->n; i++)
        for (int k = 0; w->list[i].stack && k < w->list[i].stack->nframes; k++) {
            frame_key(&w->list[i].stack->frames[k], key, sizeof(key));
            numbering_of(numbers, key, &fresh);
            if (fresh)
                put_frame(j, &w->list[i].stack->frames[k]);
        }
    json_end_array(j);
}

static bool is_of(const struct stack_weight *w, const struct stack_weight *first)
{
    return w->pid == first->pid && w->tid == first->tid && w->stack;
}

static void put_profile(struct json *j, const struct snap *s, struct numbering *numbers,
                        const struct weights *w, const struct stack_weight *first)
{
    char name[400], key[1024];
    int64_t total = 0;
    snprintf(name, sizeof(name), "%.150s %.150s (%d)", process_name(s, first->pid),
             thread_name(s, first->tid), first->tid);
    json_put_object(j, NULL);
    json_put_text(j, "type", "sampled");
    json_put_text(j, "name", name);
    json_put_text(j, "unit", "nanoseconds");
    json_put_array(j, "samples");
    for (int i = 0; i < w->n; i++) {
        const struct stack_weight *k = &w->list[i];
        if (!is_of(k, first))
            continue;
        json_put_array(j, NULL);
        for (int f = k->stack->nframes - 1; f >= 0; f--) {
            frame_key(&k->stack->frames[f], key, sizeof(key));
            json_put_int(j, NULL, numbering_of(numbers, key, NULL));
        }
        json_end_array(j);
        total += k->ns;
    }
    json_end_array(j);
    json_put_array(j, "weights");
    for (int i = 0; i < w->n; i++)
        if (is_of(&w->list[i], first))
            json_put_int(j, NULL, w->list[i].ns);
    json_end_array(j);
    json_put_int(j, "startValue", 0);
    json_put_int(j, "endValue", total);
    json_end_object(j);
}

static bool is_first_of_loop(const struct weights *w, int i)
{
    if (!w->list[i].stack)
        return false;
    for (int k = 0; k < i; k++)
        if (is_of(&w->list[k], &w->list[i]))
            return false;
    return true;
}

int export_speedscope(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct weights w = weigh(s, o->history);
    struct numbering *numbers = numbering_new();
    struct json j = json_begin(out);
    json_put_object(&j, NULL);
    json_put_text(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
    json_put_text(&j, "name", s->source ? s->source : "loopscope");
    json_put_text(&j, "exporter", "loopscope " LOOPSCOPE_VERSION);
    json_put_int(&j, "activeProfileIndex", 0);
    json_put_object(&j, "shared");
    put_frames(&j, numbers, &w);
    json_end_object(&j);
    json_put_array(&j, "profiles");
    for (int i = 0; i < w.n; i++)
        if (is_first_of_loop(&w, i))
            put_profile(&j, s, numbers, &w, &w.list[i]);
    json_end_array(&j);
    json_end_object(&j);
    fputc('\n', out);
    numbering_free(numbers);
    weights_finish(&w);
    return ferror(out) ? -EIO : 0;
}
