#include "series.h"

#define NEAR       15 // seconds
#define FAR_EACH_S 10
#define S          1000000000LL

static int64_t worse(int64_t a, int64_t b)
{
    return a > b ? a : b; // unknown is the smallest number
}

static bool wanted(const struct snap_loop *l, int pid, int tid)
{
    return pid == 0 || (l->pid == pid && l->tid == tid);
}

// A picture knows the minute before it; what is older stands in older pictures.
static void add_picture(const struct ui *ui, const struct snap *s, int pid, int tid,
                        struct series *ret)
{
    int64_t age_s = (ui->snap->now_ns - s->now_ns + S / 2) / S;
    for (int i = 0; i < s->nloops; i++) {
        if (!wanted(&s->loops[i], pid, tid))
            continue;
        for (int k = 0; k < LOOP_SPARK; k++) {
            int64_t at = SERIES_MAX - 1 - (age_s + LOOP_SPARK - 1 - k) / FAR_EACH_S;
            if (at >= 0)
                ret->ns[at] = worse(ret->ns[at], s->loops[i].spark_ns[k]);
        }
    }
}

static void far_back(const struct ui *ui, int pid, int tid, struct series *ret)
{
    const struct snap *s = ui->snap;
    int64_t oldest = s->now_ns - (int64_t)SERIES_MAX * FAR_EACH_S * S;
    while (s && s->now_ns > oldest) {
        add_picture(ui, s, pid, tid, ret);
        s = past_next(&ui->past, s->now_ns - (LOOP_SPARK - 2) * S, -1);
    }
}

static void last_seconds(const struct ui *ui, int pid, int tid, struct series *ret)
{
    for (int i = 0; i < ui->snap->nloops; i++) {
        const struct snap_loop *l = &ui->snap->loops[i];
        for (int k = 0; k < ret->n && wanted(l, pid, tid); k++)
            ret->ns[k] = worse(ret->ns[k], l->spark_ns[LOOP_SPARK - ret->n + k]);
    }
}

void series_worst(const struct ui *ui, int pid, int tid, struct series *ret)
{
    static const struct series zooms[] = {
        [ZOOM_MINUTE] = {.n = LOOP_SPARK, .each = "second", .span = "60 s"},
        [ZOOM_OUT] = {.n = SERIES_MAX, .each = "10 s", .span = "10 min"},
        [ZOOM_IN] = {.n = NEAR, .each = "second", .span = "15 s"},
    };
    *ret = zooms[ui->zoom];
    for (int k = 0; k < SERIES_MAX; k++)
        ret->ns[k] = SNAP_UNKNOWN;
    if (ui->zoom == ZOOM_OUT)
        far_back(ui, pid, tid, ret);
    else
        last_seconds(ui, pid, tid, ret);
}
