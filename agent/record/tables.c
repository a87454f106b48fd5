#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_OF(s, f) sizeof(((struct s *)0)->f)
// The build fails where a column's type and its member's size disagree.
#define CHECKED(type, s, f, bytes) ((type) + 0 * sizeof(char[SIZE_OF(s, f) == (bytes) ? 1 : -1]))
#define COL(type, s, f, bytes, secrecy)                                                            \
    {                                                                                              \
#f, (enum column_type)CHECKED(type, s, f, bytes), offsetof(struct s, f), secrecy           \
    }
#define NAMED(name, type, s, f, bytes, secrecy)                                                    \
    {                                                                                              \
        name, (enum column_type)CHECKED(type, s, f, bytes), offsetof(struct s, f), secrecy         \
    }

#define INT(s, f)    COL(COL_INT, s, f, 4, OPEN)
#define I64(s, f)    COL(COL_I64, s, f, 8, OPEN)
#define MOMENT(s, f) COL(COL_MOMENT, s, f, 8, OPEN)
#define AGE(s, f)    COL(COL_AGE, s, f, 8, OPEN)
#define U64(s, f)    COL(COL_U64, s, f, 8, OPEN)
#define U32(s, f)    COL(COL_U32, s, f, 4, OPEN)
#define BOOL(s, f)   COL(COL_BOOL, s, f, 1, OPEN)
#define REAL(s, f)   COL(COL_REAL, s, f, 8, OPEN)
#define TEXT(s, f)   COL(COL_TEXT, s, f, 8, OPEN)
#define SECRET(s, f) COL(COL_TEXT, s, f, 8, SECRET)
#define PROSE(s, f)  COL(COL_PROSE, s, f, 8, SECRET)
#define STACK(s, f)  COL(COL_STACK, s, f, 8, OPEN)

#define CAUSE(s, f)                                                                                \
    NAMED(#f "_kind", COL_INT, s, f.kind, 4, OPEN),                                                \
        NAMED(#f "_syscall", COL_TEXT, s, f.syscall, 8, OPEN),                                     \
        NAMED(#f "_fd", COL_I64, s, f.fd, 8, OPEN),                                                \
        NAMED(#f "_path", COL_TEXT, s, f.path, 8, SECRET),                                         \
        NAMED(#f "_peer", COL_TEXT, s, f.peer, 8, SECRET),                                         \
        NAMED(#f "_lock", COL_TEXT, s, f.lock, 8, OPEN),                                           \
        NAMED(#f "_holder_tid", COL_I64, s, f.holder_tid, 8, OPEN),                                \
        NAMED(#f "_holder_stack", COL_STACK, s, f.holder_stack, 8, OPEN),                          \
        NAMED(#f "_ratio", COL_REAL, s, f.ratio, 8, OPEN),                                         \
        NAMED(#f "_is_log", COL_BOOL, s, f.is_log, 1, OPEN),                                       \
        NAMED(#f "_nonblock_missing", COL_BOOL, s, f.nonblock_missing, 1, OPEN)

#define TASK_REF(s, f)                                                                             \
    NAMED(#f "_id", COL_TEXT, s, f.id, 8, OPEN),                                                   \
        NAMED(#f "_name", COL_TEXT, s, f.name, 8, SECRET),                                         \
        NAMED(#f "_spawn_site", COL_TEXT, s, f.spawn_site, 8, SECRET),                             \
        NAMED(#f "_await_site", COL_TEXT, s, f.await_site, 8, SECRET)

#define SPLIT(s, f)                                                                                \
    NAMED(#f "_cpu_user_ns", COL_I64, s, f.cpu_user, 8, OPEN),                                     \
        NAMED(#f "_cpu_kernel_ns", COL_I64, s, f.cpu_kernel, 8, OPEN),                             \
        NAMED(#f "_syscall_ns", COL_I64, s, f.syscall, 8, OPEN),                                   \
        NAMED(#f "_lock_ns", COL_I64, s, f.lock, 8, OPEN),                                         \
        NAMED(#f "_runqueue_ns", COL_I64, s, f.runqueue, 8, OPEN),                                 \
        NAMED(#f "_page_fault_ns", COL_I64, s, f.page_fault, 8, OPEN),                             \
        NAMED(#f "_gc_ns", COL_I64, s, f.gc, 8, OPEN),                                             \
        NAMED(#f "_stopped_ns", COL_I64, s, f.stopped, 8, OPEN)

#define WINDOW(s, f)                                                                               \
    NAMED(#f "_ns", COL_I64, s, f.window_ns, 8, OPEN),                                             \
        NAMED(#f "_turns", COL_I64, s, f.turns, 8, OPEN),                                          \
        NAMED(#f "_polls_empty", COL_I64, s, f.polls_empty, 8, OPEN),                              \
        NAMED(#f "_busy_ns", COL_I64, s, f.busy_ns, 8, OPEN),                                      \
        NAMED(#f "_wait_ns", COL_I64, s, f.wait_ns, 8, OPEN),                                      \
        NAMED(#f "_cpu_user_ns", COL_I64, s, f.cpu_user_ns, 8, OPEN),                              \
        NAMED(#f "_cpu_kernel_ns", COL_I64, s, f.cpu_kernel_ns, 8, OPEN),                          \
        NAMED(#f "_runqueue_ns", COL_I64, s, f.runqueue_ns, 8, OPEN),                              \
        NAMED(#f "_stopped_ns", COL_I64, s, f.stopped_ns, 8, OPEN),                                \
        NAMED(#f "_turn_p50_ns", COL_I64, s, f.turn_p50_ns, 8, OPEN),                              \
        NAMED(#f "_turn_p99_ns", COL_I64, s, f.turn_p99_ns, 8, OPEN),                              \
        NAMED(#f "_turn_max_ns", COL_I64, s, f.turn_max_ns, 8, OPEN),                              \
        NAMED(#f "_runqueue_p99_ns", COL_I64, s, f.runqueue_p99_ns, 8, OPEN),                      \
        NAMED(#f "_hot_fd", COL_I64, s, f.hot_fd, 8, OPEN),                                        \
        NAMED(#f "_pool_busy_ns", COL_I64, s, f.pool_busy_ns, 8, OPEN),                            \
        NAMED(#f "_starved_by", COL_PROSE, s, f.starved_by, 8, SECRET), /* hardly ever the same */ \
        NAMED(#f "_busy_stack", COL_STACK, s, f.busy_stack, 8, OPEN)

#define COLUMNS(array)  .ncolumns = sizeof(array) / sizeof(*(array)), .columns = (array)
#define CHILDREN(array) .nchildren = sizeof(array) / sizeof(*(array)), .children = (array)
#define ARRAY(parent, element, list_, count_)                                                      \
    .size = sizeof(element), .list = offsetof(struct parent, list_),                               \
    .count = offsetof(struct parent, count_)

static const struct column session_columns[] = {
    I64(snap, started_unix_ns), REAL(snap, time_scale), I64(snap, threshold_ns),
    I64(snap, target_exit),     SECRET(snap, source),
};
static const struct table session = {
    .name = "session", .size = sizeof(struct snap), .embedded = true, COLUMNS(session_columns)};

static const struct column host_columns[] = {SECRET(snap_host, hostname), TEXT(snap_host, kernel),
                                             INT(snap_host, cpus), REAL(snap_host, steal_ratio)};
static const struct table host = {.name = "host",
                                  .size = sizeof(struct snap_host),
                                  .list = offsetof(struct snap, host),
                                  .embedded = true,
                                  COLUMNS(host_columns)};

static const struct column agent_columns[] = {
    TEXT(snap_agent, version),         TEXT(snap_agent, backend),     TEXT(snap_agent, turn_source),
    BOOL(snap_agent, turns_estimated), REAL(snap_agent, cpu_ratio),   I64(snap_agent, cpu_ns),
    I64(snap_agent, rss_bytes),        I64(snap_agent, lost_records), I64(snap_agent, torn_stacks),
    I64(snap_agent, stacks),           I64(snap_agent, drift)};
static const struct table agent = {.name = "agent",
                                   .size = sizeof(struct snap_agent),
                                   .list = offsetof(struct snap, agent),
                                   .embedded = true,
                                   COLUMNS(agent_columns)};

#define BY_STATE(i, name) NAMED(name, COL_I64, snap, tasks_by_state[i], 8, OPEN)
static const struct column task_total_columns[] = {
    I64(snap, tasks_total), BY_STATE(0, "new"),       BY_STATE(1, "ready"),
    BY_STATE(2, "running"), BY_STATE(3, "waiting"),   BY_STATE(4, "done"),
    BY_STATE(5, "failed"),  BY_STATE(6, "cancelled"), BY_STATE(7, "other")};
static const struct table task_totals = {.name = "task_totals",
                                         .size = sizeof(struct snap),
                                         .embedded = true,
                                         COLUMNS(task_total_columns)};

static const struct column process_loop_columns[] = {{"tid", COL_INT, 0, OPEN}};
static const struct table process_loops = {.name = "process_loops",
                                           ARRAY(snap_process, int, loops, nloops),
                                           COLUMNS(process_loop_columns)};
static const struct table *const process_children[] = {&process_loops};
static const struct column process_columns[] = {
    INT(snap_process, pid),
    INT(snap_process, ppid),
    SECRET(snap_process, name),
    SECRET(snap_process, exe),
    SECRET(snap_process, cmdline),
    INT(snap_process, runtime),
    TEXT(snap_process, runtime_version),
    BOOL(snap_process, judged),
    TEXT(snap_process, why_not),
    BOOL(snap_process, exited),
    I64(snap_process, started_unix_ns),
    I64(snap_process, fd_count),
    I64(snap_process, fd_limit),
    I64(snap_process, fd_limit_hard),
    I64(snap_process, lost),
    INT(snap_process, nloops),
    I64(snap_process, ntasks),
    I64(snap_process, norphans),
    I64(snap_process, zombies),
    AGE(snap_process, zombie_oldest_ns),
    SECRET(snap_process, zombie_command),
    I64(snap_process, rss_bytes),
    NAMED("misuse_calls", COL_I64, snap_process, misuse.calls, 8, OPEN),
    NAMED("misuse_tid", COL_INT, snap_process, misuse.tid, 4, OPEN),
    NAMED("misuse_loop_tid", COL_INT, snap_process, misuse.loop_tid, 4, OPEN),
    NAMED("misuse_function", COL_TEXT, snap_process, misuse.function, 8, OPEN),
    NAMED("misuse_site", COL_TEXT, snap_process, misuse.site, 8, SECRET),
    NAMED("misuse_why_not", COL_TEXT, snap_process, misuse.why_not, 8, OPEN)};
static const struct table processes = {.key = &process_columns[0],
                                       .name = "processes",
                                       ARRAY(snap, struct snap_process, processes, nprocesses),
                                       COLUMNS(process_columns),
                                       CHILDREN(process_children)};

static const struct column loop_columns[] = {
    INT(snap_loop, pid),
    INT(snap_loop, tid),
    SECRET(snap_loop, name),
    INT(snap_loop, state),
    TEXT(snap_loop, why_not),
    BOOL(snap_loop, judged),
    AGE(snap_loop, judged_ns),
    I64(snap_loop, turns),
    BOOL(snap_loop, turns_estimated),
    REAL(snap_loop, busy_ratio),
    I64(snap_loop, lag_p50_ns),
    I64(snap_loop, lag_p90_ns),
    I64(snap_loop, lag_p99_ns),
    I64(snap_loop, lag_max_ns),
    AGE(snap_loop, blocked_ns),
    I64(snap_loop, iteration),
    WINDOW(snap_loop, window),
    TASK_REF(snap_loop, task),
    STACK(snap_loop, stack),
    {"spark", COL_SPARK, offsetof(struct snap_loop, spark_ns), OPEN},
    {"lag_hist", COL_HIST, offsetof(struct snap_loop, lag_hist), OPEN},
    I64(snap_loop, busy_ns)};
static const struct table loops = {.key = &loop_columns[1],
                                   .name = "loops",
                                   ARRAY(snap, struct snap_loop, loops, nloops),
                                   COLUMNS(loop_columns)};

static const struct column sample_columns[] = {
    MOMENT(stall_sample, at_ns), I64(stall_sample, elapsed_ns), INT(stall_sample, level),
    BOOL(stall_sample, on_cpu),  STACK(stall_sample, stack),    TEXT(stall_sample, why_not),
    CAUSE(stall_sample, cause)};
static const struct table stall_samples = {
    .name = "stall_samples",
    ARRAY(snap_stall, struct stall_sample, samples, nsamples),
    COLUMNS(sample_columns)};
static const struct table *const stall_children[] = {&stall_samples};
static const struct column stall_columns[] = {NAMED("stall_id", COL_U64, snap_stall, id, 8, OPEN),
                                              INT(snap_stall, pid),
                                              INT(snap_stall, tid),
                                              MOMENT(snap_stall, begin_ns),
                                              MOMENT(snap_stall, end_ns),
                                              I64(snap_stall, duration_ns),
                                              I64(snap_stall, threshold_ns),
                                              BOOL(snap_stall, open),
                                              BOOL(snap_stall, lower_bound),
                                              BOOL(snap_stall, began_before_attach),
                                              BOOL(snap_stall, gone),
                                              I64(snap_stall, captured_after_ns),
                                              I64(snap_stall, attached_after_ns),
                                              SPLIT(snap_stall, split),
                                              CAUSE(snap_stall, cause),
                                              I64(snap_stall, ready_fds),
                                              TASK_REF(snap_stall, task),
                                              INT(snap_stall, nsamples),
                                              I64(snap_stall, suppressed)};
static const struct table stalls = {.key = &stall_columns[0],
                                    .name = "stalls",
                                    ARRAY(snap, struct snap_stall, stalls, nstalls),
                                    COLUMNS(stall_columns),
                                    CHILDREN(stall_children)};

static const struct column call_columns[] = {INT(snap_calls, pid),       INT(snap_calls, tid),
                                             CAUSE(snap_calls, cause),   STACK(snap_calls, stack),
                                             I64(snap_calls, window_ns), I64(snap_calls, calls),
                                             I64(snap_calls, total_ns),  I64(snap_calls, max_ns)};
static const struct table calls = {.key = &call_columns[13], // its stack
                                   .name = "calls",
                                   ARRAY(snap, struct snap_calls, calls, ncalls),
                                   COLUMNS(call_columns)};

static const struct column misuse_columns[] = {
    INT(snap_misuse, pid),       INT(snap_misuse, tid),        INT(snap_misuse, loop_tid),
    TEXT(snap_misuse, function), SECRET(snap_misuse, thread),  TEXT(snap_misuse, loop),
    I64(snap_misuse, calls),     MOMENT(snap_misuse, last_ns), STACK(snap_misuse, stack)};
static const struct table misuses = {.key = &misuse_columns[8], // its stack
                                     .name = "misuses",
                                     ARRAY(snap, struct snap_misuse, misuses, nmisuses),
                                     COLUMNS(misuse_columns)};

// Lists of strings: the element is the pointer itself.
static const struct column word_columns[] = {{"text", COL_TEXT, 0, OPEN}};
static const struct column prose_columns[] = {{"text", COL_TEXT, 0, SECRET}};
static const struct table finding_also = {
    .name = "finding_also", ARRAY(finding, const char *, also, nalso), COLUMNS(word_columns)};
static const struct table finding_related = {.name = "finding_related",
                                             ARRAY(finding, const char *, related, nrelated),
                                             COLUMNS(word_columns)};
static const struct table finding_remedy = {.name = "finding_remedy",
                                            ARRAY(finding, const char *, remedy, nremedy),
                                            COLUMNS(prose_columns)};
static const struct column evidence_columns[] = {TEXT(evidence, key), TEXT(evidence, unit),
                                                 PROSE(evidence, text), REAL(evidence, value)};
static const struct table finding_evidence = {.name = "finding_evidence",
                                              ARRAY(finding, struct evidence, evidence, nevidence),
                                              COLUMNS(evidence_columns)};
static const struct column occurrence_columns[] = {
    MOMENT(occurrence, at_ns), I64(occurrence, duration_ns), I64(occurrence, captured_after_ns),
    STACK(occurrence, stack), CAUSE(occurrence, cause)};
static const struct table finding_occurrences = {
    .name = "finding_occurrences",
    ARRAY(finding, struct occurrence, occurrences, noccurrences),
    .key = &occurrence_columns[0],
    COLUMNS(occurrence_columns)};
static const struct table *const finding_children[] = {
    &finding_also, &finding_related, &finding_remedy, &finding_evidence, &finding_occurrences};
static const struct column finding_columns[] = {NAMED("finding_id", COL_TEXT, finding, id, 8, OPEN),
                                                TEXT(finding, rule),
                                                INT(finding, nalso),
                                                INT(finding, nrelated),
                                                INT(finding, severity),
                                                BOOL(finding, open),
                                                INT(finding, pid),
                                                INT(finding, tid),
                                                SECRET(finding, subject),
                                                PROSE(finding, title),
                                                MOMENT(finding, first_seen_ns),
                                                MOMENT(finding, last_seen_ns),
                                                I64(finding, count),
                                                I64(finding, suppressed),
                                                I64(finding, duration_ns),
                                                BOOL(finding, duration_is_lower_bound),
                                                BOOL(finding, still_open),
                                                BOOL(finding, began_before_attach),
                                                BOOL(finding, captured_during),
                                                REAL(finding, confidence),
                                                CAUSE(finding, cause),
                                                I64(finding, captured_after_ns),
                                                I64(finding, attached_after_ns),
                                                INT(finding, noccurrences),
                                                TASK_REF(finding, task),
                                                STACK(finding, stack),
                                                INT(finding, nevidence),
                                                INT(finding, nremedy),
                                                SECRET(finding, verify)};
static const struct table findings = {.key = &finding_columns[0],
                                      .name = "findings",
                                      ARRAY(snap, struct finding, findings, nfindings),
                                      COLUMNS(finding_columns),
                                      CHILDREN(finding_children)};

static const struct column task_columns[] = {
    NAMED("task_id", COL_TEXT, snap_task, id, 8, OPEN),
    NAMED("parent_task", COL_TEXT, snap_task, parent, 8, OPEN),
    SECRET(snap_task, name),
    INT(snap_task, pid),
    INT(snap_task, tid),
    INT(snap_task, state),
    U32(snap_task, flags),
    AGE(snap_task, age_ns),
    I64(snap_task, busy_ns),
    AGE(snap_task, wait_ns),
    I64(snap_task, steps),
    SECRET(snap_task, spawn_site),
    SECRET(snap_task, await_site),
    SECRET(snap_task, waits_on),
    SECRET(snap_task, error),
    STACK(snap_task, chain)};
static const struct table tasks = {.key = &task_columns[0],
                                   .name = "tasks",
                                   ARRAY(snap, struct snap_task, tasks, ntasks),
                                   COLUMNS(task_columns)};

static const struct column task_site_columns[] = {
    INT(snap_task_site, pid),           SECRET(snap_task_site, site),
    SECRET(snap_task_site, name),       I64(snap_task_site, live),
    I64(snap_task_site, orphaned),      I64(snap_task_site, spawned),
    I64(snap_task_site, completed),     I64(snap_task_site, failed),
    I64(snap_task_site, cancelled),     REAL(snap_task_site, growth_per_s),
    AGE(snap_task_site, oldest_ns),     I64(snap_task_site, mean_ns),
    I64(snap_task_site, p99_ns),        I64(snap_task_site, never_awaited),
    I64(snap_task_site, errors_unread), PROSE(snap_task_site, last_error),
    I64(snap_task_site, busy_looks),    I64(snap_task_site, self_wakes)};
static const struct table task_sites = {.key = &task_site_columns[1],
                                        .name = "task_sites",
                                        ARRAY(snap, struct snap_task_site, task_sites, ntask_sites),
                                        COLUMNS(task_site_columns)};

static const struct column fd_columns[] = {
    INT(snap_fd, fd), AGE(snap_fd, age_ns), AGE(snap_fd, idle_ns),   I64(snap_fd, rx),
    I64(snap_fd, tx), TEXT(snap_fd, state), SECRET(snap_fd, target), TASK_REF(snap_fd, task)};
static const struct table fd_details = {.name = "fd_details",
                                        ARRAY(snap_fd_site, struct snap_fd, detail, ndetail),
                                        COLUMNS(fd_columns)};
static const struct column fd_cohort_columns[] = {
    I64(fd_cohort, horizon_ns),
    I64(fd_cohort, survivors),
    I64(fd_cohort, closed),
    NAMED("quarter_1", COL_I64, fd_cohort, quarters[0], 8, OPEN),
    NAMED("quarter_2", COL_I64, fd_cohort, quarters[1], 8, OPEN),
    NAMED("quarter_3", COL_I64, fd_cohort, quarters[2], 8, OPEN),
    NAMED("quarter_4", COL_I64, fd_cohort, quarters[3], 8, OPEN),
    I64(fd_cohort, span_ns),
    I64(fd_cohort, aged)};
static const struct table fd_cohorts = {.name = "fd_cohorts",
                                        ARRAY(snap_fd_site, struct fd_cohort, cohorts, ncohorts),
                                        COLUMNS(fd_cohort_columns)};
static const struct table *const fd_children[] = {&fd_details, &fd_cohorts};
#define SIXTH(i, name) NAMED(name, COL_I64, snap_fd_site, sixths[i], 8, OPEN)
static const struct column fd_site_columns[] = {INT(snap_fd_site, pid),
                                                TEXT(snap_fd_site, kind),
                                                STACK(snap_fd_site, stack),
                                                I64(snap_fd_site, opened),
                                                I64(snap_fd_site, closed),
                                                I64(snap_fd_site, open),
                                                AGE(snap_fd_site, oldest_ns),
                                                REAL(snap_fd_site, growth_per_s),
                                                TEXT(snap_fd_site, verdict),
                                                INT(snap_fd_site, ndetail),
                                                SECRET(snap_fd_site, note),
                                                SECRET(snap_fd_site, examples),
                                                I64(snap_fd_site, close_wait),
                                                AGE(snap_fd_site, close_wait_oldest_ns),
                                                I64(snap_fd_site, close_wait_unread),
                                                AGE(snap_fd_site, watched_ns),
                                                BOOL(snap_fd_site, never_closed),
                                                BOOL(snap_fd_site, can_follow),
                                                SIXTH(0, "sixth_1"),
                                                SIXTH(1, "sixth_2"),
                                                SIXTH(2, "sixth_3"),
                                                SIXTH(3, "sixth_4"),
                                                SIXTH(4, "sixth_5"),
                                                SIXTH(5, "sixth_6"),
                                                INT(snap_fd_site, ncohorts),
                                                BOOL(snap_fd_site, is_handle),
                                                TASK_REF(snap_fd_site, task),
                                                I64(snap_fd_site, task_open),
                                                I64(snap_fd_site, orphans),
                                                I64(snap_fd_site, orphan_tasks),
                                                I64(snap_fd_site, orphan_span_ns),
                                                AGE(snap_fd_site, orphan_oldest_ns)};
static const struct table fd_sites = {.name = "fd_sites",
                                      ARRAY(snap, struct snap_fd_site, fds, nfds),
                                      COLUMNS(fd_site_columns),
                                      CHILDREN(fd_children)};

static const struct column event_columns[] = {
    INT(snap_event, kind), MOMENT(snap_event, at_ns), INT(snap_event, pid),
    NAMED("finding_id", COL_TEXT, snap_event, finding, 8, OPEN), PROSE(snap_event, text)};
static const struct table events = {
    .name = "events", ARRAY(snap, struct snap_event, events, nevents), COLUMNS(event_columns)};

static const struct column not_judged_columns[] = {TEXT(not_judged, rule), SECRET(not_judged, why)};
static const struct table not_judged = {.name = "not_judged",
                                        ARRAY(snap, struct not_judged, not_judged, nnot_judged),
                                        COLUMNS(not_judged_columns)};

// The order is the order of the counts in a `snapshots` row: append only.
const struct table *const record_tables[] = {
    &session,  &host,  &agent,      &task_totals, &processes, &loops,      &stalls,  &calls,
    &findings, &tasks, &task_sites, &fd_sites,    &events,    &not_judged, &misuses, NULL,
};

char *table_list(const struct table *t, const void *parent)
{
    char *at = (char *)parent + t->list;
    return t->embedded ? at : *(char **)at;
}

int table_count(const struct table *t, const void *parent)
{
    return t->embedded ? 1 : *(const int *)((const char *)parent + t->count);
}

size_t table_mask_size(const struct table *t)
{
    return ((size_t)t->ncolumns + 7) / 8;
}

const char *table_zeros(const struct table *t)
{
    static _Alignas(max_align_t) const char zeros[4096];
    if (t->size > sizeof(zeros))
        abort();
    return zeros;
}

static uint32_t mix(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x01000193;
    return hash;
}

static uint32_t layout_of(const struct table *t, uint32_t hash)
{
    hash = mix(hash, t->name);
    for (int i = 0; i < t->ncolumns; i++)
        hash = mix(hash, t->columns[i].name) * 31 + t->columns[i].type;
    for (int i = 0; i < t->nchildren; i++)
        hash = layout_of(t->children[i], hash);
    return hash;
}

uint32_t tables_layout(void)
{
    uint32_t hash = 0x811c9dc5;
    for (int i = 0; record_tables[i]; i++)
        hash = layout_of(record_tables[i], hash);
    return hash;
}

int64_t column_number(const struct column *c, const char *at)
{
    switch (c->type) {
    case COL_INT: return *(const int *)at;
    case COL_U32: return *(const uint32_t *)at;
    default: return *(const int64_t *)at;
    }
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool column_equal(const struct column *c, const void *a, const void *b)
{
    const char *x = (const char *)a + c->offset, *y = (const char *)b + c->offset;
    switch (c->type) {
    case COL_INT:
    case COL_U32: return !memcmp(x, y, 4);
    case COL_BOOL: return *(const bool *)x == *(const bool *)y;
    case COL_I64:
    case COL_AGE:
    case COL_MOMENT:
    case COL_U64: return !memcmp(x, y, 8);
    case COL_REAL: // 0 and -0 are told apart
        return !memcmp(x, y, 8) || (isnan(*(const double *)x) && isnan(*(const double *)y));
    case COL_TEXT:
    case COL_PROSE: return text_equal(*(const char *const *)x, *(const char *const *)y);
    case COL_STACK: {
        const struct stack *p = *(struct stack *const *)x, *q = *(struct stack *const *)y;
        return p == q || (p && q && !strcmp(p->id, q->id));
    }
    case COL_SPARK: return !memcmp(x, y, sizeof(int64_t) * LOOP_SPARK);
    case COL_HIST: return !memcmp(x, y, sizeof(uint32_t) * 16);
    }
    return false;
}

static size_t column_size(enum column_type type)
{
    switch (type) {
    case COL_INT:
    case COL_U32: return 4;
    case COL_BOOL: return 1;
    case COL_SPARK: return sizeof(int64_t) * LOOP_SPARK;
    case COL_HIST: return sizeof(uint32_t) * 16;
    default: return 8;
    }
}

void column_copy(const struct column *c, struct snap *into, char *to, const char *from,
                 text_hook hook, void *arg)
{
    memcpy(to + c->offset, from + c->offset, column_size(c->type));
    if (c->type == COL_TEXT || c->type == COL_PROSE) {
        const char **text = (const char **)(to + c->offset);
        *text = hook ? hook(arg, into, c, *text) : snap_strdup(into, *text);
    } else if (c->type == COL_STACK) {
        snap_hold(into, *(struct stack **)(to + c->offset));
    }
}

int64_t aged(int64_t age, int64_t by_ns)
{
    return age == SNAP_UNKNOWN || age == 0 ? age : (int64_t)((uint64_t)age + (uint64_t)by_ns);
}

void row_age(const struct table *t, void *row, int64_t by_ns)
{
    for (int i = 0; i < t->ncolumns; i++)
        if (t->columns[i].type == COL_AGE) {
            int64_t *age = (int64_t *)((char *)row + t->columns[i].offset);
            *age = aged(*age, by_ns);
        }
    for (int k = 0; k < t->nchildren; k++) {
        const struct table *child = t->children[k];
        for (int i = 0; i < table_count(child, row); i++)
            row_age(child, table_list(child, row) + (size_t)i * child->size, by_ns);
    }
}

static void list_copy(const struct table *t, struct snap *into, void *to, const void *from,
                      text_hook hook, void *arg)
{
    int n = table_count(t, from);
    const char *old = table_list(t, from);
    char *list = t->embedded ? table_list(t, to) : snap_alloc(into, t->size * (size_t)(n + 1));
    for (int i = 0; i < n; i++)
        row_copy(t, into, list + (size_t)i * t->size, old + (size_t)i * t->size, hook, arg);
    if (t->embedded)
        return;
    *(char **)((char *)to + t->list) = list;
    *(int *)((char *)to + t->count) = n;
}

void row_copy(const struct table *t, struct snap *into, void *to, const void *from, text_hook hook,
              void *arg)
{
    for (int i = 0; i < t->ncolumns; i++)
        column_copy(&t->columns[i], into, to, from, hook, arg);
    for (int k = 0; k < t->nchildren; k++)
        list_copy(t->children[k], into, to, from, hook, arg);
}

struct snap *snap_clone_with(const struct snap *s, text_hook hook, void *arg)
{
    struct snap *to = snap_new();
    to->now_ns = s->now_ns;
    to->version = s->version;
    to->recorded = s->recorded;
    for (int i = 0; record_tables[i]; i++)
        list_copy(record_tables[i], to, to, s, hook, arg);
    return to;
}

struct snap *snap_clone(const struct snap *s)
{
    return snap_clone_with(s, NULL, NULL);
}
