// What a window's stalls add up to, whatever snapshot they were seen in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../agent/export/export.h"
#include "../../../agent/export/history.h"
#include "../../../agent/export/human.h"
#include "../fixture.h"

#define MS 1000000LL

static void each_stall_counts_once(void **state)
{
    (void)state;
    struct history *h = history_new();
    for (int tick = 0; tick < 4; tick++) {
        struct snap *s = fixture_rich(tick);
        history_add(h, s);
        snap_unref(s); // the history keeps what it needs
    }
    assert_int_equal(h->nstalls, 2);
    assert_int_equal(h->nloops, 2);
    assert_int_equal(h->loops[0].stalls, 1);
    assert_int_equal(h->stalls[0].duration_ns, 2310 * MS + 3000 * MS); // as last seen
    assert_int_equal(h->nloop_points, 4 * 5);
    history_free(h);
}

// However often snapshots come, a second has one point: none skipped, none twice.
static void a_second_has_one_point(void **state)
{
    (void)state;
    struct history *h = history_new();
    for (int64_t at_ns = 0; at_ns < 70000 * MS; at_ns += 700 * MS) {
        struct snap *s = fixture_rich(0);
        s->now_ns = at_ns;
        history_add(h, s);
        snap_unref(s);
    }
    assert_int_equal(h->nloop_points, 70 * 5);
    for (int i = 0; i < 70; i++)
        assert_int_equal(h->loop_points[i * 5].at_ns / (1000 * MS), i);
    history_free(h);
}

static int64_t counted(const struct snap *s, const struct history *h, const char *series)
{
    struct export_opts o = {.parts = PART_ALL, .task_state = -1, .history = h};
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(export_find("prometheus")->write(s, &o, f), 0);
    fclose(f);
    char *at = strstr(text, series);
    assert_non_null(at);
    int64_t v = (int64_t)strtod(at + strlen(series), NULL);
    free(text);
    return v;
}

// Two loops of one name, one of which ends and comes back under another number.
static void counters_never_fall(void **state)
{
    (void)state;
    static const char turns[] =
        "loopscope_loop_iterations_total{process=\"billing\",loop=\"main\"} ";
    struct history *h = history_new();
    int64_t before = 0;
    for (int tick = 0; tick < 4; tick++) {
        struct snap *s = fixture_rich(tick);
        s->loops[1].name = s->loops[0].name;
        s->loops[0].turns = 1000 + tick;
        s->loops[1].turns = tick < 2 ? 500 : 7;
        s->loops[1].tid += tick < 2 ? 0 : 90000;
        if (tick == 2)
            s->nloops = 1;
        history_add(h, s);
        int64_t now = counted(s, h, turns);
        assert_true(now >= before);
        before = now;
        snap_unref(s);
    }
    assert_int_equal(before, 1003 + 500 + 7);
    history_free(h);
}

// What a process has opened, spawned: its sites leave the picture, one of two processes of a name ends, and another
// begins under its number.
static void add_up(struct history *h, struct snap *s, const int64_t opened[2], int64_t *ret_fds,
                   int64_t *ret_tasks)
{
    s->processes[1].name = s->processes[0].name;
    s->nfds = s->ntask_sites = 0;
    for (int i = 0; i < 2; i++) {
        if (opened[i] == 0)
            continue;
        s->fds[s->nfds++] = (struct snap_fd_site){
            .pid = s->processes[i].pid, .kind = "file", .opened = opened[i], .closed = 1};
        s->task_sites[s->ntask_sites++] = (struct snap_task_site){
            .pid = s->processes[i].pid, .site = "a.py:1", .spawned = opened[i]};
    }
    history_add(h, s);
    *ret_fds = counted(s, h, "loopscope_fds_opened_total{process=\"billing\",type=\"file\"} ");
    *ret_tasks = counted(s, h, "loopscope_tasks_spawned_total{process=\"billing\"} ");
}

static void sites_counters_never_fall(void **state)
{
    (void)state;
    static const struct {
        int64_t opened[2], sum; // 0: none of it is open now
        bool anew, gone;        // the second process: another of its number, not there
    } ticks[] = {
        {{100, 50}, 150, false, false}, {{100, 0}, 150, false, false},
        {{110, 55}, 165, false, false}, {{111, 0}, 166, false, true},
        {{112, 9}, 176, true, false},   {{112, 4}, 176, true, false}, // its count begins anew
        {{0, 6}, 178, true, false},     {{113, 0}, 179, true, false},
    };
    struct history *h = history_new();
    for (size_t i = 0; i < sizeof(ticks) / sizeof(*ticks); i++) {
        int64_t fds, tasks;
        struct snap *s = fixture_rich((int)i);
        s->processes[1].started_unix_ns += ticks[i].anew;
        if (ticks[i].gone)
            s->nprocesses = 1;
        add_up(h, s, ticks[i].opened, &fds, &tasks);
        assert_int_equal(fds, ticks[i].sum);
        assert_int_equal(tasks, ticks[i].sum);
        snap_unref(s);
    }
    history_free(h);
}

// Ten workers of one name that use a tenth each are nowhere near their limit.
static void the_fullest_speaks_for_its_name(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(0);
    s->processes[1].name = s->processes[0].name;
    s->processes[0].fd_count = 10, s->processes[0].fd_limit = 100;
    s->processes[1].fd_count = 500, s->processes[1].fd_limit = 1000;
    assert_int_equal(counted(s, NULL, "loopscope_fd_limit{process=\"billing\"} "), 1000);
    assert_int_equal(counted(s, NULL, "loopscope_fd_limit_used_ratio{process=\"billing\"} 0."), 5);
    snap_unref(s);
}

// A service's history keeps the newest, counts all, and does not grow; not by one stall that never ends either.
static void a_service_keeps_the_newest(void **state)
{
    (void)state;
    struct history *h = history_new_recent();
    struct snap *s = fixture_rich(0);
    s->nstalls = 1;
    s->stalls[0].open = false;
    for (int i = 0; i < 3 * RECENT_STALLS; i++) {
        s->stalls[0].id = (uint64_t)i + 1;
        s->now_ns = i * 1000 * MS;
        history_add(h, s);
    }
    assert_true(h->nstalls <= RECENT_STALLS && h->nstalls >= RECENT_STALLS / 2);
    assert_int_equal(h->stalls[h->nstalls - 1].id, 3 * RECENT_STALLS);
    assert_int_equal(h->nstalls + h->stalls_left_out, 3 * RECENT_STALLS);
    assert_int_equal(h->loops[0].stalls, 3 * RECENT_STALLS);
    assert_true(h->nloop_points <= RECENT_POINTS);
    s->stalls[0].id++;
    s->stalls[0].open = true;
    for (int i = 0; i < 5 * RECENT_STALLS; i++) {
        s->stalls[0].duration_ns += MS;
        history_add(h, s);
        assert_true(h->copies <= 2 * RECENT_STALLS);
    }
    assert_int_equal(h->stalls[h->nstalls - 1].duration_ns, s->stalls[0].duration_ns);
    snap_unref(s);
    history_free(h);
}

// Processes come and go for months: each with a stall of its own.
static void ended_loops_leave_nothing(void **state)
{
    (void)state;
    struct history *h = history_new_recent();
    for (int i = 0; i < 3000; i++) {
        struct snap *s = fixture_rich(0);
        s->now_ns = i * 1000 * MS;
        for (int k = 0; k < s->nloops; k++)
            s->loops[k].pid += 1000 * i;
        for (int k = 0; k < s->nstalls; k++) {
            s->stalls[k].pid += 1000 * i;
            s->stalls[k].id += 1000 * (uint64_t)i;
        }
        history_add(h, s);
        snap_unref(s);
    }
    assert_in_range(h->nloops, 1, 200);
    assert_int_equal(h->loops[h->nloops - 1].stalls, 1);
    history_free(h);
}

static void samples_share_a_stalls_time(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(0);
    struct weights w = weigh(s, NULL);
    int64_t total = 0;
    for (int i = 0; i < w.n; i++)
        total += w.list[i].ns;
    assert_int_equal(total, 2310 * MS + 640 * MS); // nothing counted twice, nothing lost
    assert_int_equal(w.n, 3);
    assert_int_equal(w.list[0].ns, 2310 * MS);
    assert_int_equal(w.list[1].ns,
                     430 * MS); // the second look had no stack: the time after it is nobody's
    assert_null(w.list[1].stack);
    assert_int_equal(w.list[2].ns, 210 * MS);
    weights_finish(&w);
    snap_unref(s);
}

static void numbers_read_well(void **state)
{
    (void)state;
    assert_string_equal(human_ns(SNAP_UNKNOWN).text, "-");
    assert_string_equal(human_ns(0).text, "0");
    assert_string_equal(human_ns(2310 * MS).text, "2.31 s");
    assert_string_equal(human_ns(640 * MS).text, "640 ms");
    assert_string_equal(human_ns(999600000).text, "1 s");
    assert_string_equal(human_ns(270000 * MS).text, "4 min 30 s");
    assert_string_equal(human_count(918204).text, "918 204");
    assert_string_equal(human_count(1024).text, "1024");
    assert_string_equal(human_ratio(0.972).text, "97.2 %");
    assert_string_equal(human_bytes(22020096).text, "21 MB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stall_counts_once),
        cmocka_unit_test(a_second_has_one_point),
        cmocka_unit_test(counters_never_fall),
        cmocka_unit_test(sites_counters_never_fall),
        cmocka_unit_test(the_fullest_speaks_for_its_name),
        cmocka_unit_test(samples_share_a_stalls_time),
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(a_service_keeps_the_newest),
        cmocka_unit_test(ended_loops_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
