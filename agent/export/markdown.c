// For an issue or a chat: the findings in full, tables for the rest.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../rules/lint_link.h"
#include "formats.h"
#include "human.h"
#include "json.h"
#include "names.h"
#include "text.h"

// A target's text must not become a heading, a link, a table cell or HTML.
static void put_text(FILE *out, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char bytes[4];
        i += utf8_next(text + i, n - i, &c);
        if (is_unsafe(c)) {
            fputc(' ', out);
            continue;
        }
        if (c < 0x80 && strchr("\\`*_{}[]<>#|!~&", (int)c))
            fputc('\\', out);
        fwrite(bytes, 1, utf8_put(c, bytes), out);
    }
}

static void put_stack(const struct stack *st, const struct export_opts *o, FILE *out)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    struct export_opts plain = {.ascii = o->ascii, .task_state = -1};
    struct text t = text_begin(f, &plain);
    text_stack(&t, st, "    "); // an indented block: no fence that a name could close
    fclose(f);
    fputc('\n', out);
    fputs(text, out);
    free(text);
}

static void put_finding(const struct finding *f, const struct export_opts *o, FILE *out)
{
    fprintf(out, "\n### %s (%s%s): ", f->rule, severity_name(f->severity), f->open ? "" : ", over");
    put_text(out, f->title);
    fputs("\n\n", out);
    put_text(out, f->subject);
    fprintf(out, ", %s time%s\n\n", human_count(f->count).text, f->count == 1 ? "" : "s");
    for (int i = 0; i < f->nevidence; i++) {
        fputs("- ", out);
        put_text(out, f->evidence[i].text);
        fputc('\n', out);
    }
    if (f->stack)
        put_stack(f->stack, o, out);
    for (int i = 0; i < f->nremedy; i++) {
        fputs(i == 0 ? "\n**Do:** " : "  \n", out);
        put_text(out, f->remedy[i]);
    }
    if (f->nremedy > 0)
        fputc('\n', out);
    if (f->verify) {
        fputs("\n**Verify:**\n\n    ", out);
        clean_print(out, f->verify, o->ascii);
        fputc('\n', out);
    }
    struct lint_link link;
    if (lint_link_of(f, &link)) {
        fprintf(out, "\n**Before it runs** (%s):\n\n    ", link.rule);
        clean_print(out, link.command, o->ascii);
        fputc('\n', out);
    }
}

static void put_loops(const struct snap *s, FILE *out)
{
    fputs("\n## Loops\n\n| process | loop | state | busy | p50 | p99 | longest | turns |\n"
          "|---|---|---|--:|--:|--:|--:|--:|\n",
          out);
    for (int i = 0; i < s->nloops; i++) {
        const struct snap_loop *l = &s->loops[i];
        fputs("| ", out);
        put_text(out, process_name(s, l->pid));
        fprintf(out, " (%d) | ", l->pid);
        put_text(out, l->name);
        fprintf(out, " | %s | %s | %s | %s | %s | %s%s |\n", loop_state_name(l->state),
                human_ratio(l->busy_ratio).text, human_ns(l->lag_p50_ns).text,
                human_ns(l->lag_p99_ns).text, human_ns(l->lag_max_ns).text,
                l->turns_estimated && l->turns != SNAP_UNKNOWN ? "\\~" : "",
                human_count(l->turns).text);
    }
}

static void put_fds(const struct snap *s, FILE *out)
{
    char buf[300];
    fputs("\n## Descriptors\n\n| process | kind | open | opened | closed | oldest | growth | "
          "verdict | opened by |\n|---|---|--:|--:|--:|--:|--:|---|---|\n",
          out);
    for (int i = 0; i < s->nfds; i++) {
        const struct snap_fd_site *f = &s->fds[i];
        fputs("| ", out);
        put_text(out, process_name(s, f->pid));
        fprintf(out, " (%d) | %s | %s | %s | %s | %s | %s | %s | ", f->pid, f->kind ? f->kind : "-",
                human_count(f->open).text, human_count(f->opened).text, human_count(f->closed).text,
                human_ns(f->oldest_ns).text, human_rate(f->growth_per_s).text,
                f->verdict ? f->verdict : "-");
        if (f->stack && f->stack->nframes > 0)
            put_text(out,
                     frame_text(&f->stack->frames[f->stack->culprit < 0 ? 0 : f->stack->culprit],
                                buf, sizeof(buf)));
        fputs(" |\n", out);
    }
}

static void put_tasks(const struct snap *s, FILE *out)
{
    fputs("\n## Tasks by spawn site\n\n| spawned at | name | live | orphaned | spawned | failed | "
          "oldest |\n|---|---|--:|--:|--:|--:|--:|\n",
          out);
    for (int i = 0; i < s->ntask_sites; i++) {
        const struct snap_task_site *t = &s->task_sites[i];
        fputs("| ", out);
        put_text(out, t->site ? t->site : "-");
        fputs(" | ", out);
        put_text(out, t->name ? t->name : "-");
        fprintf(out, " | %s | %s | %s | %s | %s |\n", human_count(t->live).text,
                human_count(t->orphaned).text, human_count(t->spawned).text,
                human_count(t->failed).text, human_ns(t->oldest_ns).text);
    }
}

static void put_head(const struct snap *s, FILE *out)
{
    char when[48], watched[500];
    format_time(s->started_unix_ns, when);
    fputs("# loopscope: ", out);
    put_text(out, watched_name(s, watched, sizeof(watched)));
    fprintf(out, "\n\n%s from %.19sZ", human_ns(s->now_ns).text, when);
    if (s->host.hostname) {
        fputs(" on ", out);
        put_text(out, s->host.hostname);
    }
    fprintf(out, "; threshold %s; backend %s, turns %s; %s records lost\n",
            human_ns(s->threshold_ns).text, s->agent.backend ? s->agent.backend : "-",
            s->agent.turns_estimated ? "estimated" : "exact",
            human_count(s->agent.lost_records).text);
    fprintf(out, "\n## Findings (%d)\n", s->nfindings);
    if (s->nfindings == 0)
        fputs("\nnone\n", out);
}

int export_markdown(const struct snap *s, const struct export_opts *o, FILE *out)
{
    put_head(s, out);
    for (int i = 0; i < s->nfindings; i++)
        put_finding(&s->findings[i], o, out);
    if (s->nloops > 0)
        put_loops(s, out);
    if (s->ntask_sites > 0)
        put_tasks(s, out);
    if (s->nfds > 0)
        put_fds(s, out);
    if (s->nnot_judged > 0)
        fputs("\n## Not judged\n\n", out);
    for (int i = 0; i < s->nnot_judged; i++) {
        fprintf(out, "- %s: ", s->not_judged[i].rule);
        put_text(out, s->not_judged[i].why);
        fputc('\n', out);
    }
    return ferror(out) ? -EIO : 0;
}
