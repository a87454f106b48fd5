#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "confine/confine.h"
#include "probe/probe.h"
#include "rules/rule.h"
#include "stack/stacker.h"
#include "target/assemble.h"
#include "target/calls.h"
#include "target/command.h"
#include "target/fd_watch.h"
#include "target/find_targets.h"
#include "target/live.h"
#include "target/pool.h"
#include "target/procs.h"
#include "target/self.h"
#include "target/spin.h"
#include "target/stalls.h"
#include "target/tasks.h"
#include "target/thread_calls.h"
#include "target/threads.h"
#include "target/trust.h"
#include "target/window.h"

#define MS                1000000LL
#define SECOND            (1000 * MS)
#define LEARN_EVERY       (100 * MS)
#define INVENTORY_EVERY   (5 * SECOND)
#define POOL_BUSY_EVERY   (50 * MS)
#define INVENTORY_MIN     (20 * MS)
#define READING_GRID      (100 * MS)
#define READING_GRID_FAST (20 * MS)    // under --time-scale
#define URGENT_APART      (20 * MS)    // snapshots out of turn, at least so far apart
#define SETTLING          (5 * SECOND) // our own cost is counted from then on

struct session {
    const struct opts *opts;
    struct model model;
    struct rules *rules;
    struct follow *follow;
    struct command_run command;
    struct self self;
    bool settled, command_ended, ended;
    int64_t tick_ns; // between regular snapshots
    int64_t next_snapshot, next_second, next_learn, next_inventory, next_pool, next_reading,
        last_snapshot;
    int64_t started_unix_ns;
    uint64_t version;
};

static void on_thread(void *arg, const struct probe_thread_event *e)
{
    struct session *s = arg;
    thread_event(&s->model, e);
}

static void on_wait_seen(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct session *s = arg;
    struct proc *p = proc_find(&s->model, pid);
    struct thread *t = p && !p->exited ? model_add_thread(&s->model, p, tid) : NULL;
    if (t)
        trust_waits_seen(&s->model, t, waits, n);
}

static void on_sample(void *arg, const struct probe_sample *sample)
{
    struct session *s = arg;
    struct thread *t = model_thread(&s->model, sample->tid);
    if (t)
        stall_sample(&s->model, t, sample);
}

static void on_turn(void *arg, const struct probe_turn *turn)
{
    struct session *s = arg;
    struct thread *t = model_thread(&s->model, turn->tid);
    if (t)
        stall_turn(&s->model, t, turn);
}

static void on_calls(void *arg, const struct probe_calls *c)
{
    struct session *s = arg;
    struct thread *t = model_thread(&s->model, c->tid);
    if (t)
        calls_seen(&s->model, t, c);
}

static void on_lost(void *arg, const struct probe_lost *l)
{
    struct session *s = arg;
    struct proc *p = proc_find(&s->model, l->pid);
    s->model.lost_records += l->records;
    if (p)
        p->lost += l->records;
    model_say(&s->model, EVENT_LOST, l->pid, "%lld records lost: %s", (long long)l->records,
              l->what ? l->what : "unknown");
}

static int64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int open_probe(struct session *s, struct error *err)
{
    static const struct probe_callbacks callbacks = {.thread = on_thread,
                                                     .wait_seen = on_wait_seen,
                                                     .sample = on_sample,
                                                     .turn = on_turn,
                                                     .calls = on_calls,
                                                     .lost = on_lost};
    struct probe_config config = {.backend = s->opts->backend,
                                  .threshold_ns = s->model.threshold_ns,
                                  .exact = s->opts->exact,
                                  .opener =
                                      s->opts->confinement ? s->opts->confinement->events : NULL};
    return probe_open(&s->model.probe, &config, &callbacks, s, err);
}

static int open_target(struct session *s, struct error *err)
{
    int pid = s->opts->pid;
    if (s->opts->target == TARGET_PID) {
        int r = proc_check(pid, err); // before probes are loaded for nothing
        if (r < 0)
            return r;
    }
    if (s->opts->target == TARGET_COMMAND) {
        int r = command_start(&s->command, s->opts->argv, err);
        if (r < 0)
            return r;
        pid = s->command.pid;
    }
    int r = follow_new(&s->follow, &s->model, s->opts, pid, err);
    if (r < 0 && s->opts->target == TARGET_COMMAND && command_ended_within(&s->command, 100))
        return error_set(err, STATUS_TOO_EARLY, ESRCH,
                         "%.200s ended with status %lld before it could be watched",
                         s->opts->argv[0], (long long)s->command.exit);
    return r;
}

int session_open(struct session **ret, const struct opts *opts, struct error *err)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    s->opts = opts;
    s->command.exit = INT64_MIN;
    s->tick_ns = opts->delay_ns > 0 ? opts->delay_ns : SECOND;
    s->started_unix_ns = unix_ns();
    model_start(&s->model, mono_ns());
    s->model.threshold_ns = opts->threshold_ns;
    s->model.time_scale = opts->time_scale > 0 ? opts->time_scale : 1;
    s->model.native = opts->native;
    s->model.gc_walk = opts->gc_walk;
    s->model.only_loops = opts->target == TARGET_ALL || opts->target == TARGET_COMMAND;
    if (opts->target == TARGET_COMMAND) // its end may be that of its child
        s->model.keep_ended_ns = SECOND;
    int r = rules_new(&s->rules, opts->settings, opts->nsettings, s->model.time_scale, err);
    if (r == 0)
        r = rules_threshold(s->rules, &s->model.threshold_ns, err);
    if (r == 0 && opts->target == TARGET_PID)
        r = proc_check(opts->pid, err); // the clearest reason first
    if (r == 0)
        r = open_probe(s, err);
    if (r == 0)
        r = stacker_open(&s->model.stacker, opts->confinement ? opts->confinement->helpers : NULL,
                         err);
    if (r == 0)
        r = open_target(s, err);
    if (r < 0) {
        session_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    follow_free(s->follow);
    if (s->model.stacker && s->model.probe)
        model_finish(&s->model);
    if (s->model.stacker)
        stacker_close(s->model.stacker);
    if (s->model.probe)
        probe_close(s->model.probe);
    command_stop(&s->command);
    rules_free(s->rules);
    free(s);
}

int session_probe_fd(struct session *s)
{
    return probe_fd(s->model.probe);
}

int session_stacker_fd(struct session *s)
{
    return stacker_fd(s->model.stacker);
}

struct wishes *session_wishes(struct session *s)
{
    return &s->model.wishes;
}

void session_resample(struct session *s)
{
    s->next_snapshot = s->model.now_ns;
}

bool session_has_ended(const struct session *s)
{
    return s->ended;
}

static void learn(struct session *s)
{
    struct thread *t, *next;
    s->next_learn = s->model.now_ns + LEARN_EVERY;
    for (struct proc *p = s->model.procs; p; p = p->hh.next)
        proc_ask_again(&s->model, p);
    HASH_ITER (hh, s->model.threads, t, next)
        if (t->trust != TRUST_PROVED)
            trust_tick(&s->model, t);
}

static void turn_second(struct session *s)
{
    struct model *m = &s->model;
    s->next_second = m->now_ns + SECOND;
    for (struct thread *t = m->threads; t; t = t->hh.next) {
        struct probe_stats now;
        if (!t->history || t->trust == TRUST_NO)
            continue;
        if (probe_stats(m->probe, t->tid, &now) < 0)
            continue;
        now.polls_empty = spin_polls(t, &now);
        window_push(t->history, &now, t->stall ? t->stall->facts.duration_ns : 0);
        calls_turn(t);
    }
    if (!s->settled && m->now_ns - m->started_ns >= SETTLING) {
        s->settled = true;
        memset(&s->self, 0, sizeof(s->self));
    }
    self_push(&s->self, m);
}

static void take_inventory(struct session *s)
{
    int64_t every = (int64_t)((double)INVENTORY_EVERY * s->model.time_scale);
    s->next_inventory = s->model.now_ns + (every > INVENTORY_MIN ? every : INVENTORY_MIN);
    procs_inventory(&s->model);
}

static void look_at_pools(struct session *s)
{
    bool busy = false;
    for (struct proc *p = s->model.procs; p; p = p->hh.next) {
        pool_look(&s->model, p);
        busy |= p->identity.has_uv && pool_sample(&s->model, p);
    }
    s->next_pool = s->model.now_ns + (busy ? POOL_BUSY_EVERY : SECOND);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// What is read from many processes at paces of their own is read together: a wake-up costs more than it.
static void read_more(struct session *s)
{
    struct model *m = &s->model;
    int64_t grid = m->time_scale < 1 ? READING_GRID_FAST : READING_GRID;
    s->next_reading = (m->now_ns / grid + 1) * grid;
    for (struct proc *p = m->procs; p; p = p->hh.next) {
        tasks_tick(m, p);
        live_tick(m, p);
        thread_calls_tick(m, p);
    }
    fds_tick(m);
}

// Not worth a wake-up of its own: the probe's next look is never far.
static int64_t next_reading(const struct session *s)
{
    const struct model *m = &s->model;
    if (m->time_scale >= 1)
        return INT64_MAX;
    int64_t next = sooner(tasks_next_ns(m), sooner(fds_next_ns(m), live_next_ns(m)));
    next = sooner(next, thread_calls_next_ns(m));
    return next > s->next_reading ? next : s->next_reading;
}

static void do_what_is_due(struct session *s)
{
    int64_t now = s->model.now_ns;
    follow_tick(s->follow);
    if (now >= s->next_learn)
        learn(s);
    if (now >= s->next_inventory)
        take_inventory(s);
    if (now >= s->next_second)
        turn_second(s);
    if (now >= s->next_pool)
        look_at_pools(s);
    if (now >= s->next_reading)
        read_more(s);
    stall_tick(&s->model);
    if (!s->command_ended && s->command.pid > 0 && command_poll(&s->command)) {
        s->command_ended = true;
        s->model.urgent = true;
    }
}

static struct snap *make_snapshot(struct session *s)
{
    struct snap *snap = snap_new();
    snap->version = ++s->version;
    snap->started_unix_ns = s->started_unix_ns;
    snap->source = snap_strdup(snap, follow_text(s->follow));
    snap->target_exit = s->command.exit;
    self_fill(&s->self, &s->model, snap);
    assemble(&s->model, snap);
    rules_judge(s->rules, snap);
    fds_judged(&s->model, snap);
    s->model.urgent = s->model.fresh = false;
    s->last_snapshot = s->model.now_ns;
    return snap;
}

static bool is_over(const struct session *s)
{
    if (s->command.pid > 0)
        return s->command_ended; // its exit is seen by probe first, its status only by us
    return follow_has_ended(s->follow);
}

struct snap *session_dispatch(struct session *s)
{
    struct model *m = &s->model;
    m->now_ns = mono_ns();
    probe_dispatch(m->probe);
    stacker_dispatch(m->stacker);
    do_what_is_due(s);
    bool over = is_over(s);
    bool due = m->now_ns >= s->next_snapshot && follow_scanned(s->follow);
    bool urgent = m->urgent && m->now_ns - s->last_snapshot >= URGENT_APART;
    if (s->ended || (!due && !urgent && !over))
        return NULL;
    bool fresh = m->fresh;
    struct snap *snap = make_snapshot(s);
    s->ended = over;
    if (due)
        s->next_snapshot = m->now_ns + s->tick_ns;
    if (due || over || fresh || snap->nevents > 0)
        return snap;
    snap_unref(snap);
    return NULL;
}

int64_t session_wait_ns(struct session *s)
{
    int64_t now = mono_ns();
    int64_t next = sooner(sooner(s->next_second, s->next_inventory), s->next_pool);
    if (follow_scanned(s->follow))
        next = sooner(next, s->next_snapshot);
    next = sooner(next, follow_next_ns(s->follow));
    next = sooner(next, next_reading(s));
    next = sooner(next, stacker_deadline_ns(s->model.stacker));
    if (s->model.urgent)
        next = sooner(next, s->last_snapshot + URGENT_APART);
    if (s->command.pid > 0)
        next = sooner(next, now + LEARN_EVERY);
    next = sooner(next, now + probe_interval_ns(s->model.probe));
    return next > now ? next - now : 0;
}
