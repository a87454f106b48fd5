#include "loop_sums.h"

#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "names.h"

struct named { // a pair of names
    char *process, *loop;
    bool ended; // some loop of it has
    struct loop_sum sum;
};

struct live {
    int pid, tid, named; // -1: there are too many names
    bool seen;
    struct loop_sum sum; // as last seen
};

struct loop_sums {
    struct named *names;
    struct live *live;
    int nnames, nlive, live_cap;
};

struct loop_sums *loop_sums_new(void)
{
    struct loop_sums *sums = calloc(1, sizeof(*sums));
    if (!sums || !(sums->names = calloc(LOOP_SUMS_NAMES, sizeof(*sums->names))))
        abort();
    return sums;
}

void loop_sums_free(struct loop_sums *sums)
{
    if (!sums)
        return;
    for (int i = 0; i < sums->nnames; i++) {
        free(sums->names[i].process);
        free(sums->names[i].loop);
    }
    free(sums->names);
    free(sums->live);
    free(sums);
}

static int find_name(const struct loop_sums *sums, const char *process, const char *loop)
{
    for (int i = 0; i < sums->nnames; i++)
        if (!strcmp(sums->names[i].process, process) && !strcmp(sums->names[i].loop, loop))
            return i;
    return -1;
}

static int name_of(struct loop_sums *sums, const struct snap *s, const struct snap_loop *l)
{
    const char *process = process_name(s, l->pid), *loop = l->name ? l->name : "loop";
    int i = find_name(sums, process, loop);
    if (i >= 0 || sums->nnames == LOOP_SUMS_NAMES)
        return i;
    struct named *named = &sums->names[sums->nnames];
    if (!(named->process = strdup(process)) || !(named->loop = strdup(loop)))
        abort();
    return sums->nnames++;
}

static struct live *find_live(struct loop_sums *sums, int pid, int tid)
{
    for (int i = 0; i < sums->nlive; i++)
        if (sums->live[i].tid == tid && sums->live[i].pid == pid)
            return &sums->live[i];
    return NULL;
}

static struct live *add_live(struct loop_sums *sums, const struct snap *s,
                             const struct snap_loop *l)
{
    list_must_have_room(sums->live, sums->nlive, sums->live_cap);
    struct live *live = &sums->live[sums->nlive++];
    *live = (struct live){.pid = l->pid, .tid = l->tid, .named = name_of(sums, s, l)};
    return live;
}

static void add_up(struct loop_sum *to, const struct loop_sum *from)
{
    to->turns += from->turns;
    to->busy_ns += from->busy_ns;
    to->stalls += from->stalls;
    for (int i = 0; i < 16; i++)
        to->lag[i] += from->lag[i];
}

static void end(struct loop_sums *sums, struct live *live)
{
    if (live->named >= 0) {
        add_up(&sums->names[live->named].sum, &live->sum);
        sums->names[live->named].ended = true;
    }
    live->sum = (struct loop_sum){0};
}

static void see(struct loop_sums *sums, const struct snap *s, const struct snap_loop *l)
{
    struct live *live = find_live(sums, l->pid, l->tid);
    int64_t turns = l->turns > 0 ? l->turns : 0, busy_ns = l->busy_ns > 0 ? l->busy_ns : 0;
    if (!live)
        live = add_live(sums, s, l);
    if (turns < live->sum.turns || busy_ns < live->sum.busy_ns)
        end(sums, live); // its number was given anew
    live->seen = true;
    live->sum.turns = turns;
    live->sum.busy_ns = busy_ns;
    for (int i = 0; i < 16; i++)
        live->sum.lag[i] = l->lag_hist[i];
}

void loop_sums_add(struct loop_sums *sums, const struct snap *s)
{
    int kept = 0;
    for (int i = 0; i < sums->nlive; i++)
        sums->live[i].seen = false;
    for (int i = 0; i < s->nloops; i++)
        see(sums, s, &s->loops[i]);
    for (int i = 0; i < sums->nlive; i++)
        if (sums->live[i].seen)
            sums->live[kept++] = sums->live[i];
        else
            end(sums, &sums->live[i]);
    sums->nlive = kept;
}

void loop_sums_stall(struct loop_sums *sums, int pid, int tid)
{
    struct live *live = find_live(sums, pid, tid);
    if (live)
        live->sum.stalls++;
}

const struct loop_sum *loop_sums_ended(const struct loop_sums *sums, const char *process,
                                       const char *loop)
{
    int i = find_name(sums, process, loop);
    return i >= 0 && sums->names[i].ended ? &sums->names[i].sum : NULL;
}
