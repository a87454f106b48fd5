// What this kernel and these privileges allow, proved by self-test; and whether one TARGET can be watched.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "collect.h"
#include "export/doc.h"
#include "export/text.h"
#include "probe/probe.h"

#define MAX_CHECKS 64

struct diagnosis {
    struct probe_check checks[MAX_CHECKS];
    int n;
    bool bpf, proc;
    struct collect target;
    bool asked, can_watch; // of the target
};

static void try_target(struct diagnosis *d, const struct opts *opts)
{
    d->asked = opts->target != TARGET_NONE;
    if (!d->asked)
        return;
    d->target = (struct collect){.opts = opts, .for_ns = 2000000000LL};
    int rc = collect_run(&d->target);
    d->can_watch =
        rc == 0 && d->target.last && d->target.last->nprocesses > 0 && !d->target.err.text[0];
}

static void json_checks(struct json *j, const struct diagnosis *d)
{
    json_put_array(j, "checks");
    for (int i = 0; i < d->n; i++) {
        const struct probe_check *k = &d->checks[i];
        json_put_object(j, NULL);
        json_put_text(j, "id", k->id);
        json_put_text(j, "what", k->what);
        json_put_bool(j, "ok", k->ok);
        json_put_text(j, "detail", k->detail);
        json_put_text(j, "remedy", k->remedy[0] ? k->remedy : NULL);
        json_end_object(j);
    }
    json_end_array(j);
}

static void print_json(const struct diagnosis *d)
{
    struct json j = json_begin(stdout);
    j.pretty = true;
    j.pretty_depth = 2;
    json_put_object(&j, NULL);
    json_put_text(&j, "schema", "loopscope-doctor/1");
    json_put_bool(&j, "bpf", d->bpf);
    json_put_bool(&j, "proc", d->proc);
    json_checks(&j, d);
    if (d->asked && d->target.last) {
        struct export_opts o = {.parts = PART_PROCESSES | PART_LOOPS, .task_state = -1};
        json_document(&j, "target", d->target.last, &o);
    } else {
        json_put_null(&j, "target");
    }
    json_put_text(&j, "target_error", d->target.err.text[0] ? d->target.err.text : NULL);
    json_end_object(&j);
    putchar('\n');
}

static void print_check(const struct text *t, const struct probe_check *k)
{
    char first[64], line[700];
    ink(t, k->ok ? INK_GOOD : INK_WARNING);
    printf("%s", k->ok ? "ok  " : "no  ");
    ink(t, INK_NONE);
    snprintf(first, sizeof(first), "%-20s ", k->id);
    snprintf(line, sizeof(line), "%s%s%s", k->what, k->detail[0] ? ": " : "", k->detail);
    text_wrap(t, first, line);
    if (!k->ok && k->remedy[0])
        text_wrap(t, "                         -> ", k->remedy);
}

static void print_target(const struct text *t, const struct diagnosis *d)
{
    const struct snap *s = d->target.last;
    if (!s || s->nprocesses == 0)
        return;
    putchar('\n');
    text_processes(t, s);
    if (s->nloops > 0)
        text_loops(t, s);
    else
        puts("no event loop has been seen in it yet: it may not have polled within 2 s");
}

static void print_text(const struct diagnosis *d, const struct opts *opts)
{
    struct export_opts o = export_opts_of(opts, PART_ALL);
    struct text t = text_begin(stdout, &o);
    for (int i = 0; i < d->n; i++)
        print_check(&t, &d->checks[i]);
    putchar('\n');
    if (d->bpf)
        puts("backend bpf can watch every process here");
    else if (d->proc)
        puts("backend proc can watch processes of this user; bpf cannot be used: see above");
    else
        puts("no backend can watch here: see above");
    print_target(&t, d);
}

int cmd_doctor(const struct opts *opts)
{
    static struct diagnosis d; // large
    d.n = probe_selftest(d.checks, MAX_CHECKS, &d.bpf, &d.proc);
    try_target(&d, opts);
    if (opts->json)
        print_json(&d);
    else
        print_text(&d, opts);
    bool written = fflush(stdout) == 0; // before anything on stderr
    int write_error = written ? 0 : errno;
    int status = d.bpf || d.proc ? STATUS_CLEAN : STATUS_NO_ATTACH;
    if (d.asked && !d.can_watch && d.target.err.text[0])
        status = collect_failed(&d.target);
    collect_finish(&d.target);
    if (!written && write_error != EPIPE) {
        struct error e;
        error_set(&e, STATUS_INTERNAL, write_error, "cannot write to stdout: %s",
                  strerror(write_error));
        cli_error(&e);
        return STATUS_INTERNAL;
    }
    return status;
}
