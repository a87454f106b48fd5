// Screens for the times when there is nothing to show: each says why, and what to do next.
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "view.h"

static void how_to_start(struct lines *out)
{
    lines_add(out, STYLE_TEXT, "  loopscope top 4711                 a running process");
    lines_add(out, STYLE_TEXT,
              "  loopscope top --name 'node*'       waits for it, follows restarts");
    lines_add(out, STYLE_TEXT, "  loopscope top -- node server.js    starts it");
    lines_add(out, STYLE_TEXT, "  loopscope top night.lsr            a recording");
    lines_add(out, STYLE_TEXT, "  loopscope doctor                   what this machine allows");
}

static void add_end(const struct ui *ui, int width, struct lines *out)
{
    bool permission = ui->has_end_error && ui->end_error.status == STATUS_NO_ATTACH;
    lines_add(out, STYLE_CRITICAL, "%s", permission ? "Could not attach" : "No more data comes");
    lines_add(out, STYLE_TEXT, "%s", "");
    if (ui->has_end_error) {
        lines_wrap(out, STYLE_TEXT, "", 0, width, ui->end_error.text);
        if (ui->end_error.hint[0])
            lines_wrap(out, STYLE_STRONG, "", 0, width, ui->end_error.hint);
    } else {
        lines_add(out, STYLE_TEXT, "The target ended before anything was seen of it.");
    }
    if (!permission)
        return;
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_wrap(out, STYLE_TEXT, "", 0, width,
               "Watching with BPF needs root, or the capabilities CAP_BPF, CAP_PERFMON and "
               "CAP_SYS_PTRACE. Your own processes can be watched without any, less exactly:");
    lines_add(out, STYLE_TEXT, "  loopscope top --backend proc PID");
    lines_add(out, STYLE_TEXT,
              "  loopscope doctor PID               says what is missing, and the cure");
}

void message_waiting(const struct ui *ui, int width, struct lines *out)
{
    if (ui->ended) {
        add_end(ui, width, out);
        return;
    }
    lines_add(out, STYLE_STRONG, "Attaching to %s", ui->source[0] ? ui->source : "the target");
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_add(out, STYLE_DIM, "The first picture comes within a second.  q leaves.");
}

// The reasons why the processes that are there cannot be watched.
static bool add_refusals(const struct ui *ui, int width, struct lines *out)
{
    int n = 0;
    for (int i = 0; ui->snap && i < ui->snap->nprocesses && n < 5; i++) {
        const struct snap_process *p = &ui->snap->processes[i];
        char text[600];
        if (!p->why_not)
            continue;
        snprintf(text, sizeof(text), "%s (%d): %s", p->name ? p->name : "?", p->pid, p->why_not);
        lines_wrap(out, STYLE_WARNING, "", 0, width, text);
        n++;
    }
    return n > 0;
}

void message_nothing(const struct ui *ui, int width, struct lines *out)
{
    if (ui->ended) {
        add_end(ui, width, out);
        return;
    }
    lines_add(out, STYLE_STRONG, "No event loop was seen yet");
    lines_add(out, STYLE_TEXT, "%s", "");
    if (!add_refusals(ui, width, out))
        lines_wrap(
            out, STYLE_TEXT, "", 0, width,
            "A loop is seen once it waits in epoll, poll, select or io_uring. What is watched "
            "is looked at again each second; or start something:");
    lines_add(out, STYLE_TEXT, "%s", "");
    how_to_start(out);
}

void message_tasks(const struct ui *ui, int width, struct lines *out)
{
    const struct snap *s = ui->snap;
    if (ui->orphans_only) {
        lines_add(out, STYLE_OK, "No orphaned task is known.  o shows all tasks again.");
        return;
    }
    if (s->tasks_total != SNAP_UNKNOWN && s->tasks_total > 0 &&
        ui->nav.task_mode != TASKS_BY_SITE) {
        lines_add(out, STYLE_TEXT, "%s tasks are live; their rows have been asked for.",
                  fmt_count(s->tasks_total).s);
        lines_add(out, STYLE_DIM, "%s",
                  s->recorded || ui->paused ? "History keeps totals and spawn sites, not rows: t."
                                            : "They come with the next picture.");
        return;
    }
    if (s->tasks_total == 0) {
        lines_add(out, STYLE_TEXT, "There are tasks to be seen here, but none is alive.");
        return;
    }
    lines_add(out, STYLE_STRONG, "The tasks of this target are not visible");
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_wrap(
        out, STYLE_TEXT, "", 0, width,
        "Tasks are read from asyncio (CPython) and from the live table of programs built on "
        "loopscope's runtime. Plain libuv, Node.js, redis and nginx have callbacks, no tasks: "
        "their stalls are in view 2.");
}

void message_fds(const struct ui *ui, int width, struct lines *out)
{
    if (ui->suspects_only) {
        lines_add(out, STYLE_OK, "No opening site looks like a leak.  u shows all sites again.");
        return;
    }
    lines_add(out, STYLE_STRONG, "No descriptor has been listed yet");
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_wrap(out, STYLE_TEXT, "", 0, width,
               "The inventory is taken every few seconds; opening sites are known for descriptors "
               "opened after the attach.");
}

void message_findings(const struct ui *ui, int width, struct lines *out)
{
    const struct snap *s = ui->snap;
    int judged = 0;
    for (int i = 0; i < s->nloops; i++)
        judged += s->loops[i].judged;
    lines_add(out, judged ? STYLE_OK : STYLE_STRONG, "Nothing was found%s.",
              ui->nav.scope.pid ? " in this scope" : "");
    lines_add(out, STYLE_TEXT, "%s", "");
    if (judged == 0)
        lines_add(out, STYLE_TEXT, "No loop has been judged yet: too early to tell.");
    else
        lines_add(out, STYLE_TEXT, "%d of %d loops were judged, for %s.", judged, s->nloops,
                  fmt_ns(s->now_ns).s);
    if (s->nnot_judged > 0)
        lines_add(out, STYLE_TEXT,
                  "Too early, or not possible here, for %d rules:", s->nnot_judged);
    for (int i = 0; i < s->nnot_judged; i++) {
        char heading[64];
        snprintf(heading, sizeof(heading), "  %.40s",
                 s->not_judged[i].rule ? s->not_judged[i].rule : "-");
        lines_wrap(out, STYLE_DIM, heading, 24, width,
                   s->not_judged[i].why ? s->not_judged[i].why : "-");
    }
}

static int pause_banner(const struct ui *ui, char *out, size_t size)
{
    int64_t behind = ui->latest->now_ns - ui->snap->now_ns;
    return snprintf(out, size,
                    "PAUSED, %s behind the newest; data keeps coming.  p goes on, [ ] step",
                    fmt_ns(behind).s);
}

bool message_banner(const struct ui *ui, char *out, size_t size)
{
    const struct snap *s = ui->snap;
    if (!s)
        return false;
    if (ui->paused)
        pause_banner(ui, out, size);
    else if (ui->detached)
        snprintf(out, size, "DETACHED: the target runs on unwatched.  a attaches again, q leaves");
    else if (ui->ended && !ui->recorded && ui->has_end_error)
        snprintf(out, size, "NO MORE DATA: %s  What was seen last stays.", ui->end_error.text);
    else if (ui->ended && !ui->recorded)
        snprintf(out, size,
                 "TARGET GONE: what was seen last stays.  e exports it, a tries again, q leaves");
    else if (s->agent.lost_records > 0)
        snprintf(out, size,
                 "LOST %s records: counts and percentiles are too low  (loopscope doctor)",
                 fmt_count(s->agent.lost_records).s);
    else
        return false;
    return true;
}
