// What was written comes back the same, to the byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/export/export.h"
#include "../../../agent/export/history.h"
#include "../../../agent/record/record.h"
#include "../../../agent/record/replay.h"
#include "../../../agent/record/round.h"
#include "../fixture.h"
#include "recording.h"

#define TICKS 5
#define S     1000000000LL

static void expect_same(struct snap **snaps, int n)
{
    struct replay *r;
    struct snap *s;
    if (replay_open(&r, path, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < n; i++) {
        int rc = replay_next(r, &s, &err);
        if (rc != 1)
            fail_msg("snapshot %d: %d %s", i, rc, err.text);
        char *wanted = json_of(snaps[i]), *got = json_of(s);
        assert_string_equal(got, wanted);
        assert_true(s->recorded);
        free(wanted);
        free(got);
        snap_unref(s);
    }
    assert_int_equal(replay_next(r, &s, &err), 0);
    replay_close(r);
}

static void what_was_written_comes_back(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct snap *snaps[TICKS + 3];
    for (int i = 0; i < TICKS; i++)
        snaps[i] = fixture_rich(i);
    snaps[TICKS] = fixture_empty();
    snaps[TICKS + 1] = fixture_hostile();
    snaps[TICKS + 2] = fixture_quiet();
    write_all(snaps, TICKS + 3, &opts);
    expect_same(snaps, TICKS + 3);
    free_all(snaps, TICKS + 3);
}

static char *exported(const struct export_format *format, const struct snap *s,
                      const struct history *h, size_t *size)
{
    struct export_opts o = {
        .parts = PART_ALL, .task_state = -1, .history = h, .fail_on = SEV_WARNING};
    char *bytes;
    FILE *f = open_memstream(&bytes, size);
    assert_int_equal(format->write(s, &o, f), 0);
    fclose(f);
    return bytes;
}

// Whatever is shown or exported of a recording is what was shown live, to the byte, hostile names included.
static void every_format_is_as_live(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct snap *snaps[] = {fixture_rich(0), fixture_rich(1), fixture_rich(2), fixture_hostile()};
    enum { N = sizeof(snaps) / sizeof(*snaps) };
    snaps[N - 1]->now_ns = snaps[N - 2]->now_ns + S;
    struct history *live = history_new(), *played = history_new();
    struct replay *r;
    struct snap *s, *last = NULL;
    write_all(snaps, N, &opts);
    for (int i = 0; i < N; i++)
        history_add(live, snaps[i]);
    assert_int_equal(replay_open(&r, path, &err), 0);
    while (replay_next(r, &s, &err) == 1) {
        history_add(played, s);
        snap_unref(last);
        last = s;
    }
    for (const struct export_format *format = export_formats; format->name; format++) {
        size_t nwanted, ngot;
        char *wanted = exported(format, snaps[N - 1], live, &nwanted);
        char *got = exported(format, last, played, &ngot);
        if (nwanted != ngot || memcmp(wanted, got, ngot) != 0)
            fail_msg("%s differs: %zu bytes live, %zu recorded", format->name, nwanted, ngot);
        free(wanted);
        free(got);
    }
    snap_unref(last);
    history_free(live);
    history_free(played);
    replay_close(r);
    free_all(snaps, N);
}

static void facts_for_rejudging_come_back(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct snap *snap = fixture_rich(0), *s;
    struct replay *r;
    snap->task_sites[0].busy_looks = 41;
    snap->task_sites[0].self_wakes = 40;
    snap->task_sites[0].never_awaited = SNAP_UNKNOWN;
    snap->task_sites[0].errors_unread = 3;
    snap->task_sites[0].last_error = "ValueError: no such user";
    snap->processes[0].misuse.calls = 7;
    snap->processes[0].misuse.loop_tid = 4411;
    snap->processes[0].misuse.function = "call_soon";
    write_all(&snap, 1, &opts);
    assert_int_equal(replay_open(&r, path, &err), 0);
    assert_int_equal(replay_next(r, &s, &err), 1);
    assert_int_equal(s->nstalls, 2);
    assert_int_equal(s->stalls[0].nsamples, 3);
    assert_int_equal(s->stalls[0].samples[2].elapsed_ns, snap->stalls[0].samples[2].elapsed_ns);
    assert_string_equal(s->stalls[0].samples[2].stack->id, snap->stalls[0].samples[2].stack->id);
    assert_string_equal(s->stalls[1].samples[1].why_not, "the turn ended while it was read");
    assert_int_equal(s->stalls[0].split.syscall, snap->stalls[0].split.syscall);
    assert_int_equal(s->stalls[0].id, 14);
    assert_string_equal(s->stalls[0].task.name, "request-118");
    assert_int_equal(s->ncalls, 1);
    assert_int_equal(s->calls[0].total_ns, snap->calls[0].total_ns);
    assert_true(s->calls[0].cause.nonblock_missing);
    for (int i = 0; i < s->nloops; i++) {
        assert_memory_equal(s->loops[i].spark_ns, snap->loops[i].spark_ns,
                            sizeof(s->loops[i].spark_ns));
        assert_memory_equal(s->loops[i].lag_hist, snap->loops[i].lag_hist,
                            sizeof(s->loops[i].lag_hist));
    }
    assert_int_equal(s->tasks_total, 6);
    assert_int_equal(s->task_sites[0].busy_looks, 41);
    assert_int_equal(s->task_sites[0].self_wakes, 40);
    assert_true(s->task_sites[0].never_awaited == SNAP_UNKNOWN);
    assert_int_equal(s->task_sites[0].errors_unread, 3);
    assert_string_equal(s->task_sites[0].last_error, "ValueError: no such user");
    assert_int_equal(s->processes[0].misuse.calls, 7);
    assert_int_equal(s->processes[0].misuse.loop_tid, 4411);
    assert_string_equal(s->processes[0].misuse.function, "call_soon");
    snap_unref(s);
    snap_unref(snap);
    replay_close(r);
}

// Findings with up to 100 occurrences must not be written anew each time one comes.
static struct snap *with_occurrences(int n)
{
    struct snap *s = fixture_rich(0);
    struct finding *f = &s->findings[0];
    int kept = n < 100 ? n : 100;
    s->now_ns = (40 + n) * S;
    f->count = n;
    f->noccurrences = kept;
    f->occurrences = snap_alloc(s, sizeof(*f->occurrences) * (size_t)kept);
    for (int i = 0; i < kept; i++)
        f->occurrences[i] = (struct occurrence){.at_ns = (n - i) * S,
                                                .duration_ns = 1000 * (n - i),
                                                .captured_after_ns = 7,
                                                .stack = f->stack,
                                                .cause = f->cause};
    return s;
}

static int64_t query(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return v;
}

static void a_picture_costs_what_is_new(void **state)
{
    (void)state;
    enum { N = 230 };
    struct opts opts = {0};
    struct snap *snaps[N];
    for (int i = 0; i < N; i++)
        snaps[i] = with_occurrences(i + 1);
    write_all(snaps, N, &opts);
    expect_same(snaps, N);
    int64_t key = query("SELECT max(length(picture)) FROM snapshots WHERE is_key");
    int64_t mean =
        query("SELECT avg(length(picture)) FROM snapshots WHERE snap>110 AND NOT is_key");
    assert_in_range(key, 500, 6000);
    assert_in_range(mean, 5, 60); // one occurrence, with a hundred behind it
    free_all(snaps, N);
}

static void any_point_in_time_can_be_shown(void **state)
{
    (void)state;
    enum { N = 40 };
    struct opts opts = {.ring_ns = 60 * S}; // key pictures every 7 s
    struct snap *snaps[N], *s;
    struct replay *r;
    for (int i = 0; i < N; i++)
        snaps[i] = fixture_rich(i);
    write_all(snaps, N, &opts);
    assert_true(query("SELECT count(*) FROM snapshots WHERE is_key") >= 4);
    assert_int_equal(replay_open(&r, path, &err), 0);
    assert_int_equal(replay_length_ns(r), snaps[N - 1]->now_ns);
    static const int points[] = {20, 3, 39, 0, 21, 14, 7};
    for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
        int at = points[i];
        assert_int_equal(replay_seek(r, snaps[at]->now_ns + S / 2, &err), 0);
        assert_int_equal(replay_next(r, &s, &err), 1);
        char *wanted = json_of(snaps[at]), *got = json_of(s);
        assert_string_equal(got, wanted);
        free(wanted);
        free(got);
        snap_unref(s);
    }
    assert_int_equal(replay_seek(r, -5, &err), 0);
    assert_int_equal(replay_next(r, &s, &err), 1);
    assert_int_equal(s->now_ns, snaps[0]->now_ns);
    snap_unref(s);
    replay_close(r);
    free_all(snaps, N);
}

static void a_ring_keeps_only_the_newest(void **state)
{
    (void)state;
    enum { N = 200 };
    struct opts opts = {.ring_ns = 30 * S};
    struct snap *snaps[N], *s;
    struct replay *r;
    for (int i = 0; i < N; i++)
        snaps[i] = fixture_rich(i);
    write_all(snaps, N, &opts);
    assert_int_equal(replay_open(&r, path, &err), 0);
    assert_int_equal(replay_next(r, &s, &err), 1);
    int64_t kept = snaps[N - 1]->now_ns - s->now_ns;
    assert_true(kept >= 30 * S && kept < 42 * S);
    char *wanted = json_of(snaps[N - 1 - kept / S]), *got = json_of(s);
    assert_string_equal(got, wanted);
    free(wanted);
    free(got);
    snap_unref(s);
    replay_close(r);
    free_all(snaps, N);
}

static void a_size_limit_holds(void **state)
{
    (void)state;
    enum { N = 900, LIMIT = 110 << 10 };
    struct opts opts = {.max_bytes = LIMIT};
    struct recorder *r;
    struct stat st;
    assert_int_equal(record_open(&r, path, &opts, &err), 0);
    for (int i = 0; i < N; i++) {
        struct snap *s = with_occurrences(i + 1);
        assert_int_equal(record_write(r, s, &err), 0);
        snap_unref(s);
    }
    assert_int_equal(record_close(r, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= LIMIT);
    assert_true(query("SELECT min(snap) FROM snapshots") > 1);
    assert_int_equal(query("SELECT max(snap) FROM snapshots"), N);
}

// More tasks than a small file can hold of them: the newest is there, and the limit holds all the same.
static struct snap *with_tasks(int n, int second)
{
    struct snap *s = fixture_rich(0);
    s->now_ns = (40 + second) * S;
    s->ntasks = n;
    s->tasks_total = n;
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * (size_t)n);
    for (int i = 0; i < n; i++)
        s->tasks[i] = (struct snap_task){.id = snap_printf(s, "%d", i),
                                         .pid = s->processes[0].pid,
                                         .name = snap_printf(s, "request %d of %d", i, second),
                                         .age_ns = S};
    return s;
}

static void long_lists_are_cut_to_the_limit(void **state)
{
    (void)state;
    enum { LIMIT = 256 << 10 };
    struct opts opts = {.max_bytes = LIMIT};
    struct recorder *r;
    struct stat st;
    assert_int_equal(record_open(&r, path, &opts, &err), 0);
    for (int i = 0; i < 60; i++) {
        struct snap *s = with_tasks(5000, i);
        if (record_write(r, s, &err) < 0)
            fail_msg("%s", err.text);
        snap_unref(s);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size <= LIMIT);
    }
    assert_int_equal(record_close(r, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= LIMIT);
    assert_int_equal(query("SELECT max(snap) FROM snapshots"), 60);
    assert_in_range(query("SELECT count(*) FROM texts WHERE text LIKE 'request %'"), 50, 8000);
}

static void what_cannot_fit_is_said(void **state)
{
    (void)state;
    enum { LIMIT = 70 << 10 };
    struct opts opts = {.max_bytes = LIMIT};
    struct recorder *r;
    struct stat st;
    assert_int_equal(record_open(&r, path, &opts, &err), 0);
    struct snap *s = fixture_rich(0);
    s->processes[0].cmdline = snap_alloc(s, 100000);
    memset((char *)s->processes[0].cmdline, 'x', 99999);
    assert_true(record_write(r, s, &err) < 0);
    snap_unref(s);
    assert_non_null(strstr(err.text, "--max-size"));
    assert_int_equal(err.status, STATUS_USAGE);
    assert_int_equal(record_close(r, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= LIMIT);
}

static void sorting_anew_costs_nothing(void **state)
{
    (void)state;
    enum { N = 20 };
    struct opts opts = {0};
    struct snap *snaps[N];
    for (int i = 0; i < N; i++) {
        snaps[i] = fixture_rich(0);
        snaps[i]->now_ns += i * S;
        struct finding f = snaps[i]->findings[0];
        if (i % 2) {
            snaps[i]->findings[0] = snaps[i]->findings[4];
            snaps[i]->findings[4] = f;
        }
    }
    write_all(snaps, N, &opts);
    expect_same(snaps, N);
    assert_in_range(query("SELECT max(length(picture)) FROM snapshots WHERE snap>4"), 5, 60);
    free_all(snaps, N);
}

// An age that is rounded apart from the clock would be news in every picture.
static void rounded_ages_grow_with_the_clock(void **state)
{
    (void)state;
    int64_t before = 0;
    for (int i = 0; i < 50; i++) {
        struct snap *s = fixture_rich(0);
        s->now_ns = 40 * S + i * 123456789LL;
        s->fds[0].oldest_ns = s->now_ns - 7654321;
        s->findings[0].duration_ns = 1234567;
        s->loops[0].busy_ratio = 1 / 3.0;
        snap_round(s);
        assert_int_equal(s->now_ns - s->fds[0].oldest_ns, 7654000);
        assert_int_equal(s->now_ns % 1000, 0);
        assert_int_equal(s->findings[0].duration_ns, 1234000);
        assert_true(s->loops[0].busy_ratio > 0.3333 && s->loops[0].busy_ratio < 0.3334);
        char *once = json_of(s);
        snap_round(s);
        char *twice = json_of(s);
        assert_string_equal(once, twice);
        free(once);
        free(twice);
        assert_true(s->now_ns > before);
        before = s->now_ns;
        snap_unref(s);
    }
}

static void people_find_what_they_look_for(void **state)
{
    (void)state;
    enum { N = 130 };
    struct opts opts = {0};
    struct snap *snaps[N];
    for (int i = 0; i < N; i++) {
        snaps[i] = fixture_rich(0);
        snaps[i]->now_ns += i * S;
        snaps[i]->stalls[0].open = i % 10 != 9;
        snaps[i]->stalls[0].id = 100 + (uint64_t)i / 10;
        snaps[i]->stalls[1].open = true;
    }
    write_all(snaps, N, &opts);
    // A key picture, two minutes, the end.
    assert_int_equal(query("SELECT count(*) FROM snapshots WHERE has_rows"), 4);
    assert_int_equal(query("SELECT count(*) FROM loops"), 4 * snaps[0]->nloops);
    assert_int_equal(query("SELECT count(DISTINCT stall_id) FROM stalls"), N / 10);
    assert_int_equal(query("SELECT count(*) FROM v_stalls WHERE function='load_profile'"), N / 10);
    assert_int_equal(query("SELECT count(*) FROM v_findings WHERE rule='loop-sync-io' AND snap="
                           "(SELECT max(snap) FROM snapshots WHERE has_rows)"),
                     1);
    assert_int_equal(query("SELECT count(*)>3 FROM v_stacks WHERE hash=(SELECT stack FROM "
                           "v_stalls LIMIT 1)"),
                     1);
    free_all(snaps, N);
}

// A flight recorder must not grow by the names it once saw.
static void what_is_forgotten_takes_its_names_along(void **state)
{
    (void)state;
    enum { N = 300 };
    struct opts opts = {.ring_ns = 20 * S};
    struct snap *snaps[N];
    for (int i = 0; i < N; i++) {
        snaps[i] = fixture_rich(0);
        snaps[i]->now_ns += i * S;
        snaps[i]->findings[0].cause.peer = snap_printf(snaps[i], "tcp 10.1.2.3:%d", 10000 + i);
    }
    write_all(snaps, N, &opts);
    assert_in_range(query("SELECT count(*) FROM texts WHERE text LIKE 'tcp 10.1.2.3:%'"), 20, 30);
    struct replay *r;
    struct snap *s;
    int n = 0, rc;
    assert_int_equal(replay_open(&r, path, &err), 0);
    while ((rc = replay_next(r, &s, &err)) == 1) {
        char *wanted = json_of(snaps[s->now_ns / S - snaps[0]->now_ns / S]), *got = json_of(s);
        assert_string_equal(got, wanted);
        free(wanted);
        free(got);
        snap_unref(s);
        n++;
    }
    assert_int_equal(rc, 0);
    assert_in_range(n, 20, 30);
    replay_close(r);
    free_all(snaps, N);
}

static void redacted_says_no_name(void **state)
{
    (void)state;
    struct opts opts = {.redact = true};
    struct snap *snap = fixture_rich(0), *s;
    struct replay *r;
    write_all(&snap, 1, &opts);
    assert_int_equal(replay_open(&r, path, &err), 0);
    assert_int_equal(replay_next(r, &s, &err), 1);
    char *json = json_of(s);
    static const char *const secrets[] = {"/srv/",    "profiles.db", "billing",
                                          "10.0.0.9", "request-118", "web-3"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
        if (strstr(json, secrets[i]))
            fail_msg("%s is still there", secrets[i]);
    assert_non_null(strstr(json, "load_profile"));
    free(json);
    snap_unref(s);
    snap_unref(snap);
    replay_close(r);
    FILE *f = fopen(path, "r");
    static char bytes[1 << 20];
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    assert_null(memmem(bytes, n, "/srv/", 5));
    assert_null(memmem(bytes, n, "profiles.db", 11));
}

// The child is killed without mercy; what it leaves must open elsewhere and lack nothing that was written. Its log
// goes along: a kill within the microseconds in which it is copied into FILE leaves FILE alone torn.
static void killed_recorder_leaves_a_file(void **state)
{
    (void)state;
    char copy[300];
    snprintf(copy, sizeof(copy), "%s/copy.lsr", folder);
    for (int round = 0; round < 10; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            struct opts opts = {0};
            struct recorder *r;
            if (record_open(&r, path, &opts, &err) < 0)
                _exit(1);
            for (int i = 0;; i++) {
                struct snap *s = fixture_rich(i);
                record_write(r, s, &err);
                snap_unref(s);
                if (write(fds[1], &i, sizeof(i)) < 0)
                    _exit(1);
            }
        }
        close(fds[1]);
        int last = -1, written;
        while (last < 4 + round * 3 && read(fds[0], &written, sizeof(written)) > 0)
            last = written;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(fds[0], &written, sizeof(written)) > 0)
            last = written;
        close(fds[0]);
        char command[2400];
        snprintf(command, sizeof(command),
                 "cd %s && rm -f copy.lsr* && for f in %s*; do cp $f copy.lsr${f#%s}; done", folder,
                 strrchr(path, '/') + 1, strrchr(path, '/') + 1);
        assert_int_equal(system(command), 0);
        struct replay *r;
        struct snap *s;
        if (replay_open(&r, copy, &err) < 0)
            fail_msg("round %d: %s", round, err.text);
        int n = 0, rc;
        while ((rc = replay_next(r, &s, &err)) > 0) {
            snap_unref(s);
            n++;
        }
        assert_int_equal(rc, 0);
        assert_true(n >= last + 1); // each that was written is in the file, the newest too
        replay_close(r);
    }
    unlink(copy);
}

static int count_snapshots(const char *name)
{
    struct replay *r;
    struct snap *s;
    int n = 0, rc;
    if (replay_open(&r, name, &err) < 0)
        fail_msg("%s", err.text);
    while ((rc = replay_next(r, &s, &err)) > 0) {
        snap_unref(s);
        n++;
    }
    assert_int_equal(rc, 0);
    replay_close(r);
    return n;
}

// Somebody reads while it is written: what is committed stays in the log, and counts after a kill, also
// where the log's index did not survive; reading it changes neither file nor log.
static void what_only_the_log_holds_counts(void **state)
{
    (void)state;
    struct opts opts = {0};
    int go[2], done[2];
    char c = 0, index[300], log[300];
    snprintf(index, sizeof(index), "%s-shm", path);
    snprintf(log, sizeof(log), "%s-wal", path);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct recorder *r;
        if (record_open(&r, path, &opts, &err) < 0)
            _exit(1);
        for (int i = 0; i < 6; i++) {
            if (i % 3 == 0 && read(go[0], &c, 1) != 1)
                _exit(1);
            struct snap *s = fixture_rich(i);
            record_write(r, s, &err);
            snap_unref(s);
            if (i % 3 == 2 && write(done[1], &c, 1) != 1)
                _exit(1);
        }
        pause();
    }
    assert_int_equal(write(go[1], &c, 1), 1);
    assert_int_equal(read(done[0], &c, 1), 1);
    sqlite3 *reader;
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN;SELECT count(*) FROM snapshots", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(write(go[1], &c, 1), 1);
    assert_int_equal(read(done[0], &c, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sqlite3_close(reader);
    struct stat before, after;
    assert_int_equal(stat(log, &before), 0);
    assert_true(before.st_size > 0);
    assert_int_equal(count_snapshots(path), 6);
    assert_int_equal(truncate(index, 0), 0);
    assert_int_equal(count_snapshots(path), 6);
    unlink(index);
    assert_int_equal(count_snapshots(path), 6);
    assert_int_equal(stat(log, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    unlink(index);
    unlink(log);
    assert_int_equal(count_snapshots(path), 3);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(every_format_is_as_live),
        cmocka_unit_test(facts_for_rejudging_come_back),
        cmocka_unit_test(a_picture_costs_what_is_new),
        cmocka_unit_test(any_point_in_time_can_be_shown),
        cmocka_unit_test(a_ring_keeps_only_the_newest),
        cmocka_unit_test(a_size_limit_holds),
        cmocka_unit_test(long_lists_are_cut_to_the_limit),
        cmocka_unit_test(what_cannot_fit_is_said),
        cmocka_unit_test(sorting_anew_costs_nothing),
        cmocka_unit_test(rounded_ages_grow_with_the_clock),
        cmocka_unit_test(people_find_what_they_look_for),
        cmocka_unit_test(what_is_forgotten_takes_its_names_along),
        cmocka_unit_test(redacted_says_no_name),
        cmocka_unit_test(killed_recorder_leaves_a_file),
        cmocka_unit_test(what_only_the_log_holds_counts),
    };
    if (!recording_begin())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    recording_end();
    return failed;
}
