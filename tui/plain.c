// --once, --plain and pipes: the same views through the same canvas, no boxes, no cursor, no keys; or one
// line a change, which a screen reader can follow.
#include "plain.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "canvas.h"
#include "describe.h"
#include "format.h"
#include "text.h"
#include "view.h"

#define FINDINGS_MAX 20

static bool needs_ascii;

void plain_set_locale(void)
{
    setlocale(LC_CTYPE, "");
    needs_ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (needs_ascii)
        setlocale(LC_CTYPE, "C.UTF-8"); // names of targets may still be UTF-8: shown as '?'
}

bool plain_needs_ascii(void)
{
    return needs_ascii;
}

void plain_error(const struct error *err)
{
    char text[1600];
    if (err->text[0])
        fprintf(stderr, "loopscope: %s\n", text_clean(text, sizeof(text), err->text));
    if (err->hint[0])
        fprintf(stderr, "hint: %s\n", text_clean(text, sizeof(text), err->hint));
}

bool plain_wants_color(enum color wish, FILE *out)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (wish != COLOR_AUTO)
        return wish == COLOR_ALWAYS;
    return isatty(fileno(out)) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

// On paper nothing lies below the last line.
static void cut_blank_rows(struct canvas *c)
{
    for (int x = 0; c->rows > 1 && x < c->cols; x++) {
        if (canvas_at(c, c->rows - 1, x)->ch != ' ')
            return;
        if (x == c->cols - 1) {
            c->rows--;
            x = -1;
        }
    }
}

static void print_canvas(struct canvas *c, const struct plain_opts *o, FILE *out)
{
    cut_blank_rows(c);
    if (o->color)
        canvas_print_colors(c, out);
    else
        canvas_print(c, out);
}

static void print_finding(const struct snap *s, const struct finding *f, const struct plain_opts *o,
                          FILE *out)
{
    struct lines lines = {0};
    lines_add(&lines, style_of(f->severity), "%-2s %s %s  %s", mark_of(f->severity),
              f->id ? f->id : "-", f->rule ? f->rule : "-", f->subject ? f->subject : "-");
    describe_finding(s, f, o->width - 4, false, &lines);
    struct canvas *c = canvas_new(lines.n + 1, o->width, o->ascii);
    struct lines title = {1, 1, lines.v};
    lines_draw(&title, canvas_pane(c, (struct rect){1, 0, 1, o->width}), 0);
    lines_draw(&lines, canvas_pane(c, (struct rect){2, 2, lines.n - 1, o->width - 2}), 1);
    print_canvas(c, o, out);
    canvas_free(c);
    lines_finish(&lines);
}

void plain_frame(struct ui *ui, const struct plain_opts *o, FILE *out)
{
    struct canvas *c = canvas_new(1, o->width, o->ascii);
    frame_draw_text(ui, c, VIEW_OVERVIEW, true);
    print_canvas(c, o, out);
    canvas_free(c);
    for (int i = 0; ui->snap && i < ui->snap->nfindings && i < FINDINGS_MAX; i++)
        if (ui->snap->findings[i].open)
            print_finding(ui->snap, &ui->snap->findings[i], o, out);
}

static const struct snap_loop *same_loop(const struct snap *s, const struct snap_loop *l)
{
    for (int i = 0; s && i < s->nloops; i++)
        if (s->loops[i].pid == l->pid && s->loops[i].tid == l->tid)
            return &s->loops[i];
    return NULL;
}

// Waiting and running follow each other all the time: only the states that say something.
static bool tells(enum loop_state s)
{
    return s != LOOP_WAITING && s != LOOP_RUNNING;
}

static void loop_change(const struct snap *now, const struct snap_loop *was,
                        const struct snap_loop *is, FILE *out)
{
    char name[128], stack[400], clean[1200];
    bool changed = !was || was->state != is->state;
    if (!changed || (!tells(is->state) && (!was || !tells(was->state))))
        return;
    fprintf(out, "%s %s (%d/%d) is %s", fmt_clock(now->started_unix_ns + now->now_ns).s,
            text_clean(name, sizeof(name), is->name ? is->name : "loop"), is->pid, is->tid,
            loop_state_name(is->state));
    if (is->state == LOOP_BLOCKED)
        fprintf(out, " for %s in %s", fmt_ns(is->blocked_ns).s,
                text_clean(clean, sizeof(clean), describe_stack(is->stack, stack, sizeof(stack))));
    if (is->state == LOOP_NO_PROBES && is->why_not)
        fprintf(out, ": %s", text_clean(clean, sizeof(clean), is->why_not));
    fputc('\n', out);
}

static const struct finding *finding_of(const struct snap *s, const char *id)
{
    for (int i = 0; id && i < s->nfindings; i++)
        if (s->findings[i].id && strcmp(s->findings[i].id, id) == 0)
            return &s->findings[i];
    return NULL;
}

static void event_line(const struct snap *now, const struct snap_event *e, FILE *out)
{
    static const char *const words[] = {"attached", "OPEN", "again", "closed", "detached", "LOST"};
    const struct finding *f = finding_of(now, e->finding);
    char clean[1200];
    fprintf(out, "%s %s", fmt_clock(now->started_unix_ns + e->at_ns).s,
            (unsigned)e->kind < 6 ? words[e->kind] : "event");
    if (f) {
        fprintf(out, " %s %s", severity_name(f->severity), f->rule ? f->rule : "-");
        fprintf(out, " %s:", text_clean(clean, sizeof(clean), f->subject ? f->subject : "-"));
        fprintf(out, " %s", text_clean(clean, sizeof(clean), f->title ? f->title : "-"));
        if (e->kind == EVENT_UPDATE && f->count > 1)
            fprintf(out, " (%lld times)", (long long)f->count);
    } else {
        fprintf(out, " %d", e->pid);
    }
    if (e->text)
        fprintf(out, ": %s", text_clean(clean, sizeof(clean), e->text));
    fputc('\n', out);
}

void plain_changes(const struct snap *before, const struct snap *now, FILE *out)
{
    for (int i = 0; i < now->nevents; i++)
        event_line(now, &now->events[i], out);
    for (int i = 0; i < now->nloops; i++)
        loop_change(now, same_loop(before, &now->loops[i]), &now->loops[i], out);
    fflush(out);
}
