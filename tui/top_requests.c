// What a key asked for that reaches outside of the ui state.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../agent/export/export.h"
#include "lines.h"
#include "settings.h"
#include "text.h"
#include "top.h"
#include "view.h"

#define COPY_WIDTH 100

void top_stop_recording(struct top *t)
{
    struct error err = {0};
    if (!t->recorder)
        return;
    if (record_close(t->recorder, &err) < 0)
        ui_say(&t->ui, "%s", err.text);
    else
        ui_say(&t->ui, "recorded to %s", t->ui.record_path);
    t->recorder = NULL;
    t->ui.recording = false;
}

void top_record(struct top *t, struct snap *s)
{
    struct error err = {0};
    if (!t->recorder || record_write(t->recorder, s, &err) == 0)
        return;
    top_stop_recording(t);
    ui_say(&t->ui, "the recording has ended: %s", err.text);
}

static void start_recording(struct top *t)
{
    struct ui *ui = &t->ui;
    struct error err = {0};
    if (record_open(&t->recorder, ui->path, &t->opts, &err) < 0) {
        t->recorder = NULL;
        ui_say(ui, "%s", err.text);
        return;
    }
    snprintf(ui->record_path, sizeof(ui->record_path), "%s", ui->path);
    ui->recording = true;
    ui_say(ui, "recording to %s; F8 ends it", ui->path);
    if (ui->latest)
        top_record(t, ui->latest);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static const char *format_of(const char *path)
{
    static const struct {
        const char *suffix, *format;
    } formats[] = {
        {".html", "html"},        {".trace.json", "trace"}, {".speedscope.json", "speedscope"},
        {".json", "json"},        {".md", "markdown"},      {".folded", "folded"},
        {".pb.gz", "pprof"},      {".pprof", "pprof"},      {".xml", "junit"},
        {".prom", "openmetrics"}, {".txt", "text"},
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (ends_with(path, formats[i].suffix))
            return formats[i].format;
    return NULL;
}

static void export_report(struct top *t)
{
    struct ui *ui = &t->ui;
    const char *name = format_of(ui->path);
    const struct export_format *format = name ? export_find(name) : NULL;
    if (!format) {
        ui_say(ui, "the name must tell the format: .html .json .md .txt .folded .trace.json ...");
        return;
    }
    FILE *out = fopen(ui->path, "we");
    if (!out) {
        ui_say(ui, "%s: %s", ui->path, strerror(errno));
        return;
    }
    struct export_opts o = {.parts = PART_ALL, .ascii = ui->ascii};
    int rc = format->write(ui->snap, &o, out);
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc < 0)
        ui_say(ui, "%s: %s", ui->path, strerror(-rc));
    else
        ui_say(ui, "exported to %s (%s)", ui->path, format->name);
}

// For terminals that ignore the clipboard sequence.
static const char *keep_copy(const char *text, char *path, size_t size)
{
    if (!settings_state_path("copied.txt", path, size))
        return NULL;
    FILE *out = fopen(path, "we");
    if (!out)
        return NULL;
    fputs(text, out);
    return fclose(out) == 0 ? path : NULL;
}

static void copy_item(struct top *t)
{
    struct ui *ui = &t->ui;
    struct lines lines = {0};
    char *text = NULL, path[512];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    views[ui->nav.view]->page(ui, COPY_WIDTH, &lines);
    lines_print(&lines, false, out);
    fclose(out);
    lines_finish(&lines);
    term_copy(t->term, text, size);
    const char *kept = keep_copy(text, path, sizeof(path));
    ui_say(ui, "copied to the clipboard, where the terminal has one%s%s", kept ? ", and to " : "",
           kept ? kept : "");
    free(text);
}

static void open_process(struct top *t)
{
    struct ui *ui = &t->ui;
    struct opts before = t->opts;
    struct error err = {0};
    t->opts.target = ui->open_pid ? TARGET_PID : TARGET_ALL;
    t->opts.pid = ui->open_pid;
    struct source *old = t->source;
    t->source = NULL;
    if (top_open_source(t, &err) < 0) {
        t->source = old;
        t->opts = before;
        ui_say(ui, "%s", err.text);
        return;
    }
    if (old)
        old->ops->close(old);
    top_stop_recording(t);
    ui_forget(ui);
    ui->nav.view = ui->open_pid ? VIEW_OVERVIEW : VIEW_CHOOSE;
    if (ui->open_pid)
        snprintf(ui->source, sizeof(ui->source), "%d", ui->open_pid);
    else
        ui->source[0] = '\0';
}

static void detach(struct top *t)
{
    top_stop_recording(t);
    top_close_source(t);
    ui_detached(&t->ui);
}

static void attach_again(struct top *t)
{
    struct error err = {0};
    top_stop_recording(t);
    top_close_source(t);
    if (top_open_source(t, &err) < 0) {
        ui_say(&t->ui, "%s", err.text);
        return;
    }
    ui_attaching(&t->ui);
}

void top_suspend(struct top *t)
{
    uv_signal_t *tstp = &t->signals[TOP_TSTP];
    term_suspend(t->term);
    uv_signal_stop(tstp); // the default action is back: it stops us in the next line
    raise(SIGTSTP);       // only ourselves, not a target in our process group
    uv_signal_start(tstp, tstp->signal_cb, SIGTSTP);
    term_resized(t->term);
    term_redraw(t->term);
}

static void seek(struct top *t)
{
    struct source *s = t->source;
    int64_t at = t->ui.seek_ns > 0 ? t->ui.seek_ns : 0;
    if (!s || !s->ops->seek || s->ops->seek(s, at) < 0)
        ui_say(&t->ui, "this source cannot step in time");
}

void top_requests(struct top *t)
{
    struct ui *ui = &t->ui;
    // A seek may bring a picture at once, which may ask for the next: bounded by the step's doubling.
    for (int i = 0; ui->requests && i < 64; i++) {
        unsigned r = ui->requests;
        ui->requests = 0;
        if (r & REQUEST_SEEK)
            seek(t);
        if (r & REQUEST_RECORD && t->recorder)
            top_stop_recording(t);
        else if (r & REQUEST_RECORD)
            start_recording(t);
        if (r & REQUEST_EXPORT)
            export_report(t);
        if (r & REQUEST_COPY)
            copy_item(t);
        if (r & REQUEST_OPEN)
            open_process(t);
        if (r & REQUEST_DETACH)
            detach(t);
        if (r & REQUEST_ATTACH)
            attach_again(t);
        if (r & REQUEST_RESAMPLE && t->source && t->source->ops->resample)
            t->source->ops->resample(t->source);
        if (r & REQUEST_REDRAW)
            term_redraw(t->term);
        if (r & REQUEST_SUSPEND)
            top_suspend(t);
        if (r & REQUEST_QUIT)
            top_leave(t);
    }
}
