// --from: which findings of the source blocked in a recording.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../../../agent/lint/lint.h"

#define MS 1000000LL

struct world {
    struct occurrence occurrences[4];
    struct finding findings[4];
    struct snap snap;
};

// One stall of that many ms, whose stack ends in that line.
static void blocked(struct world *w, const char *rule, const char *file, int line, int64_t ms)
{
    struct frame frames[] = {{.function = "read"}, {.function = "f", .file = file, .line = line}};
    int i = w->snap.nfindings++;
    w->occurrences[i] = (struct occurrence){.duration_ns = ms * MS};
    w->findings[i] = (struct finding){.rule = rule,
                                      .stack = stack_new(frames, 2, 1, false, true),
                                      .noccurrences = 1,
                                      .occurrences = &w->occurrences[i]};
    w->snap.findings = w->findings;
}

static void rank(struct world *w, struct lint_finding *findings, int n)
{
    struct lint_report r = {.findings = findings, .n = n};
    for (int i = 0; i < n; i++)
        findings[i].blocked_ms = NAN;
    lint_rank(&r, &w->snap);
    for (int i = 0; i < w->snap.nfindings; i++)
        stack_unref(w->findings[i].stack);
}

static void what_blocked_longest_comes_first(void **state)
{
    (void)state;
    struct world w = {0};
    blocked(&w, "loop-sync-io", "/srv/app/shop.py", 20, 300);
    blocked(&w, "loop-cpu", "/srv/app/shop.py", 31, 400);
    blocked(&w, "loop-sync-io", "/srv/app/shop.py", 20, 250);
    struct lint_finding f[] = {{.file = "app/shop.py", .line = 10},
                               {.file = "app/shop.py", .line = 20},
                               {.file = "app/shop.py", .line = 30, .end_line = 33}};
    rank(&w, f, 3);
    assert_int_equal(f[0].line, 20);
    assert_true(fabs(f[0].blocked_ms - 550) < 0.01);
    assert_int_equal(f[1].line, 30); // anywhere in the loop
    assert_true(fabs(f[1].blocked_ms - 400) < 0.01);
    assert_true(isnan(f[2].blocked_ms));
}

static void a_path_matches_however_it_is_given(void **state)
{
    (void)state;
    const char *const given[] = {"shop.py", "./shop.py", "app/shop.py", "../app/shop.py",
                                 "/home/me/srv/app/shop.py"};
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        struct world w = {0};
        blocked(&w, "loop-sync-io", "file:///srv/app/shop.py", 20, 300);
        struct lint_finding f = {.file = (char *)given[i], .line = 20};
        rank(&w, &f, 1);
        assert_false(isnan(f.blocked_ms));
    }
}

static void another_file_of_that_name_does_not(void **state)
{
    (void)state;
    const char *const given[] = {"lib/shop.py", "workshop.py", "/home/me/app2/shop.py"};
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        struct world w = {0};
        blocked(&w, "loop-sync-io", "/srv/app/shop.py", 20, 300);
        struct lint_finding f = {.file = (char *)given[i], .line = 20};
        rank(&w, &f, 1);
        assert_true(isnan(f.blocked_ms));
    }
}

static void what_is_recorded_exactly_excludes_its_namesakes(void **state)
{
    (void)state;
    struct world w = {0};
    blocked(&w, "loop-sync-io", "/usr/bin/env", 20, 300); // any file that is there
    blocked(&w, "loop-sync-io", "bin/env", 20, 200);
    struct lint_finding f = {.file = (char *)"/usr/bin/env", .line = 20};
    rank(&w, &f, 1);
    assert_true(fabs(f.blocked_ms - 300) < 0.01);
}

static void only_stalls_count_and_each_once(void **state)
{
    (void)state;
    struct world w = {0};
    blocked(&w, "loop-sync-io", "/srv/shop.py", 20, 6000);
    blocked(&w, "loop-hung", "/srv/shop.py", 20, 6000); // told beside the first
    blocked(&w, "task-stuck", "/srv/shop.py", 20, 90000);
    struct lint_finding f = {.file = (char *)"shop.py", .line = 20};
    rank(&w, &f, 1);
    assert_true(fabs(f.blocked_ms - 6000) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_blocked_longest_comes_first),
        cmocka_unit_test(a_path_matches_however_it_is_given),
        cmocka_unit_test(another_file_of_that_name_does_not),
        cmocka_unit_test(what_is_recorded_exactly_excludes_its_namesakes),
        cmocka_unit_test(only_stalls_count_and_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
