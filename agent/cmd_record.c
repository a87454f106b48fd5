#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "collect.h"
#include "export/human.h"
#include "record/record.h"

// A picture at least so often: whatever moment the recorder is killed at, the file lacks less than a second.
#define LOOK_APART_MS 700
#define SOON_NS       350000000LL // after a snapshot: no other is needed unless something happened

struct recording {
    struct collect collect;
    struct recorder *recorder;
    uv_timer_t look;
    int64_t written_ns; // the newest snapshot's; 0: none yet
    struct error err;
    bool failed;
};

static void on_look(uv_timer_t *timer)
{
    struct recording *r = timer->data;
    collect_look(&r->collect);
}

static int on_opening(void *arg, struct error *err)
{
    struct recording *r = arg;
    (void)err;
    r->look.data = r;
    return uv_timer_init(r->collect.loop, &r->look);
}

static void on_closing(void *arg)
{
    struct recording *r = arg;
    uv_close((uv_handle_t *)&r->look, NULL);
}

// One more look into a stall that goes on: the next snapshot has it too.
static bool can_wait(const struct recording *r, const struct snap *s)
{
    if (s->nevents > 0 || s->now_ns - r->written_ns >= SOON_NS)
        return false;
    for (int i = 0; i < s->nstalls; i++)
        if (!s->stalls[i].open)
            return false;
    return true;
}

static void on_snapshot(void *arg, struct snap *s)
{
    struct recording *r = arg;
    if (r->written_ns > 0 && can_wait(r, s))
        return;
    r->written_ns = s->now_ns;
    uv_timer_start(&r->look, on_look, LOOK_APART_MS, LOOK_APART_MS);
    if (r->failed || record_write(r->recorder, s, &r->err) == 0)
        return;
    r->failed = true;
    collect_stop(&r->collect);
}

static int finish(struct recording *r)
{
    if (record_close(r->recorder, r->failed ? NULL : &r->err) < 0)
        r->failed = true;
    if (!r->failed)
        return STATUS_CLEAN;
    cli_error(&r->err);
    return r->err.status;
}

static int record(const struct opts *opts, struct recording *r)
{
    if (record_open(&r->recorder, opts->output, opts, &r->err) < 0) {
        cli_error(&r->err);
        return r->err.status;
    }
    int rc = collect_run(&r->collect);
    int status = finish(r);
    if (rc < 0 || r->collect.err.text[0]) {
        status = collect_failed(&r->collect);
        if (!r->collect.last)
            unlink(opts->output); // nothing was seen: leave nothing
    }
    return status;
}

static void tell_size(const struct recording *r, const char *path)
{
    struct stat st;
    const struct snap *s = r->collect.last;
    if (!s || !isatty(STDERR_FILENO) || stat(path, &st) != 0)
        return;
    fprintf(stderr, "%s: %s, %d process%s, %d finding%s, %s\n", path, human_ns(s->now_ns).text,
            s->nprocesses, s->nprocesses == 1 ? "" : "es", s->nfindings,
            s->nfindings == 1 ? "" : "s", human_bytes(st.st_size).text);
}

int cmd_record(const struct opts *opts)
{
    if (!opts->output) {
        struct error e;
        error_set(&e, STATUS_USAGE, EINVAL, "record needs a file to write");
        error_hint(&e, "-o FILE.lsr");
        cli_error(&e);
        return STATUS_USAGE;
    }
    struct recording r = {.collect = {.opts = opts,
                                      .for_ns = FOREVER,
                                      .waits_for_match = true,
                                      .opening = on_opening,
                                      .snapshot = on_snapshot,
                                      .closing = on_closing,
                                      .arg = &r}};
    int status = record(opts, &r);
    if (status == STATUS_CLEAN && !r.collect.saw_loop && !r.collect.interrupted)
        status = STATUS_TOO_EARLY;
    if (status == STATUS_CLEAN)
        tell_size(&r, opts->output);
    collect_finish(&r.collect);
    return status;
}
