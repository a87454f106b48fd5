// What is wrong: id, subject, evidence with numbers, remedy, a command that verifies the cure.
#include <math.h>
#include <stdio.h>

#include "describe.h"
#include "format.h"
#include "view.h"

enum { COL_MARK, COL_RULE, COL_SUBJECT, COL_TITLE, COL_SINCE, COL_SEEN, COL_CONFIDENCE };

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_RULE] = {.title = "RULE", .width = 18, .text = true},
    [COL_SUBJECT] = {.title = "SUBJECT", .width = 18, .text = true, .priority = 2},
    [COL_TITLE] = {.title = "FINDING", .width = 30, .text = true, .flex = true},
    [COL_SINCE] = {.title = "SINCE", .width = 5, .right = true, .priority = 4, .big_first = true},
    [COL_SEEN] = {.title = "SEEN", .width = 6, .right = true, .priority = 1, .big_first = true},
    [COL_CONFIDENCE] =
        {.title = "CONF", .width = 4, .right = true, .priority = 3, .big_first = true},
};

static const struct finding *at(const struct ui *ui, int i)
{
    return &ui->snap->findings[i];
}

static int count(const struct ui *ui)
{
    return ui->snap->nfindings;
}

static bool include(const struct ui *ui, int i)
{
    return ui_in_scope(ui, at(ui, i)->pid, at(ui, i)->tid);
}

static uint64_t id(const struct ui *ui, int i)
{
    return hash_text(HASH_START, at(ui, i)->id);
}

// Muted ones go to the end: they are still there, and m shows them again.
static int64_t key(const struct ui *ui, int i, int column)
{
    const struct finding *f = at(ui, i);
    switch (column) {
    case COL_SINCE: return f->first_seen_ns;
    case COL_SEEN: return f->count;
    case COL_CONFIDENCE:
        return isnan(f->confidence) ? SNAP_UNKNOWN : (int64_t)(f->confidence * 1e6);
    case COL_MARK:
    case -1:
        return (ui_is_muted(ui, id(ui, i)) * 8 + !f->open * 4 + (3 - (int)f->severity)) *
                   (1LL << 32) +
               i;
    default: return i;
    }
}

// Short enough for a column; the finding's own words are in the detail.
static const char *subject_text(const struct ui *ui, const struct finding *f, char *buf,
                                size_t size)
{
    char name[128];
    if (!shown_process(ui, f->pid))
        return f->subject ? f->subject : "-";
    subject_name(ui, f->pid, f->tid, name, sizeof(name));
    snprintf(buf, size, "%s %d", name, f->pid);
    return buf;
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const struct finding *f = at(ui, i);
    if (column == COL_SUBJECT)
        return subject_text(ui, f, buf, size);
    if (column == COL_TITLE)
        return describe_headline(f, buf, size);
    return f->rule ? f->rule : "-";
}

static void seen_text(const struct finding *f, char *buf, size_t size)
{
    if (f->still_open)
        snprintf(buf, size, "now");
    else if (!f->open)
        snprintf(buf, size, "closed");
    else
        snprintf(buf, size, "%s", fmt_count(f->count).s);
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct finding *f = at(ui, i);
    bool muted = ui_is_muted(ui, id(ui, i));
    out->style = muted || !f->open ? STYLE_DIM : STYLE_TEXT;
    switch (column) {
    case COL_MARK:
        if (!muted && f->open)
            out->style = style_of(f->severity);
        snprintf(out->text, sizeof(out->text), "%s",
                 muted     ? "m"
                 : f->open ? mark_of(f->severity)
                           : "");
        break;
    case COL_SINCE:
        snprintf(out->text, sizeof(out->text), "%s",
                 fmt_minute(ui->snap->started_unix_ns + f->first_seen_ns).s);
        break;
    case COL_SEEN: seen_text(f, out->text, sizeof(out->text)); break;
    case COL_CONFIDENCE:
        if (isnan(f->confidence))
            snprintf(out->text, sizeof(out->text), "-");
        else
            snprintf(out->text, sizeof(out->text), "%.2f", f->confidence);
        break;
    default: cell_set(out, text(ui, i, column, out->text, sizeof(out->text)));
    }
}

const struct table table_findings = {
    .name = "findings",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .empty = message_findings,
};

static void title_line(const struct finding *f, struct lines *out)
{
    lines_add(out, style_of(f->severity), "%s  %s  %s  %s", mark_of(f->severity),
              f->id ? f->id : "-", f->rule ? f->rule : "-", f->subject ? f->subject : "-");
}

static void detail(const struct ui *ui, struct pane p)
{
    int i = ui_selected(ui, TABLE_FINDINGS);
    if (i < 0)
        return;
    struct lines lines = {0};
    title_line(at(ui, i), &lines);
    describe_finding(ui->snap, at(ui, i), p.r.w - 2, false, &lines);
    lines_draw(&lines, p, 0);
    lines_finish(&lines);
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    int i = ui_selected(ui, TABLE_FINDINGS);
    if (i < 0)
        return;
    if (ui->nav.docs) {
        describe_rule(at(ui, i)->rule, width, out);
        return;
    }
    title_line(at(ui, i), out);
    describe_finding(ui->snap, at(ui, i), width, true, out);
    if (ui->stack_mode == STACK_TREE)
        return;
    struct flame_sample samples[100];
    int n = describe_samples(ui->snap, at(ui, i), 0, samples, 100);
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_add(out, STYLE_STRONG, "FOLDED (microseconds blocked)");
    flame_folded(samples, n, out);
}

const struct view view_findings = {
    .name = "Findings",
    .detail_rows = 22,
    .table = TABLE_FINDINGS,
    .detail = detail,
    .page = page,
    .hint = "Enter: evidence  m mute  e export  c copy  d docs",
};
