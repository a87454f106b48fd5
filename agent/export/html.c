// One page with everything in it: page.html with the JSON document and what the charts need in its two
// places. Nothing is fetched; every text of a target is data, and the page puts it in as text.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doc.h"
#include "embed.h"
#include "formats.h"
#include "history.h"
#include "names.h"

#define MAX_WEIGHTS 2000
#define MAX_POINTS  20000

EMBED(loopscope_page, EMBED_PAGE);

static void put_weights(struct json *j, const struct snap *s, const struct weights *w)
{
    char buf[512];
    json_put_array(j, "weights");
    for (int i = 0; i < w->n && i < MAX_WEIGHTS; i++) {
        const struct stack_weight *k = &w->list[i];
        json_put_object(j, NULL);
        json_put_text(j, "process", process_name(s, k->pid));
        json_put_text(j, "thread", thread_name(s, k->tid));
        json_put_int(j, "ns", k->ns);
        json_put_int(j, "stalls", k->stalls);
        json_put_array(j, "frames");
        for (int f = k->stack ? k->stack->nframes - 1 : -1; f >= 0; f--)
            json_put_text(j, NULL, frame_word(&k->stack->frames[f], buf, sizeof(buf)));
        if (!k->stack)
            json_put_text(j, NULL, "[no stack]");
        json_end_array(j);
        json_end_object(j);
    }
    json_end_array(j);
    json_put_int(j, "weights_left_out", w->n > MAX_WEIGHTS ? w->n - MAX_WEIGHTS : 0);
}

// The newest; what is cut is counted and said on the page.
static void put_loop_points(struct json *j, const struct history *h)
{
    int n = h ? h->nloop_points : 0, first = n > MAX_POINTS ? n - MAX_POINTS : 0;
    json_put_array(j, "loop_points");
    for (int i = first; i < n; i++) {
        const struct loop_point *p = &h->loop_points[i];
        json_put_array(j, NULL);
        json_put_int(j, NULL, p->at_ns);
        json_put_int(j, NULL, p->pid);
        json_put_int(j, NULL, p->tid);
        json_put_real(j, NULL, p->busy_ratio);
        json_put_int(j, NULL, p->worst_ns);
        json_end_array(j);
    }
    json_end_array(j);
}

static void put_process_points(struct json *j, const struct history *h)
{
    int n = h ? h->nprocess_points : 0, first = n > MAX_POINTS ? n - MAX_POINTS : 0;
    json_put_array(j, "process_points");
    for (int i = first; i < n; i++) {
        const struct process_point *p = &h->process_points[i];
        json_put_array(j, NULL);
        json_put_int(j, NULL, p->at_ns);
        json_put_int(j, NULL, p->pid);
        json_put_int(j, NULL, p->fd_count);
        json_put_int(j, NULL, p->ntasks);
        json_end_array(j);
    }
    json_end_array(j);
}

static int64_t left_out(const struct history *h)
{
    if (!h)
        return 0;
    int64_t n = h->stalls_left_out + h->points_left_out;
    n += h->nloop_points > MAX_POINTS ? h->nloop_points - MAX_POINTS : 0;
    return n + (h->nprocess_points > MAX_POINTS ? h->nprocess_points - MAX_POINTS : 0);
}

static void put_data(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct json j = json_begin(out);
    struct weights w = weigh(s, o->history);
    int64_t blocked = 0, stalls = 0;
    for (int i = 0; i < w.n; i++) {
        blocked += w.list[i].ns;
        stalls += w.list[i].stalls;
    }
    j.in_html = true;
    json_put_object(&j, NULL);
    json_document(&j, "doc", s, o);
    json_put_int(&j, "blocked_ns", blocked);
    json_put_int(&j, "stalls", stalls);
    put_weights(&j, s, &w);
    put_loop_points(&j, o->history);
    put_process_points(&j, o->history);
    json_put_int(&j, "left_out", left_out(o->history));
    json_end_object(&j);
    weights_finish(&w);
}

// Where no script runs, the text.
static void put_text(const struct snap *s, const struct export_opts *o, FILE *out)
{
    char *text;
    size_t size;
    struct export_opts plain = {.parts = PART_ALL, .task_state = -1, .history = o->history};
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    export_text(s, &plain, f);
    fclose(f);
    for (const char *at = text; *at; at++)
        if (*at == '<' || *at == '>' || *at == '&')
            fprintf(out, "&#%d;", *at);
        else
            fputc(*at, out);
    free(text);
}

int export_html(const struct snap *s, const struct export_opts *o, FILE *out)
{
    const char *text = strstr(loopscope_page, "@TEXT@");
    const char *data = strstr(loopscope_page, "@DATA@");
    fwrite(loopscope_page, 1, (size_t)(text - loopscope_page), out);
    put_text(s, o, out);
    fwrite(text + 6, 1, (size_t)(data - text - 6), out);
    put_data(s, o, out);
    fwrite(data + 6, 1, (size_t)(loopscope_page_end - data - 6), out);
    return ferror(out) ? -EIO : 0;
}
