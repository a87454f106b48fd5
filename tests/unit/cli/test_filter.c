// What --ignore leaves out, and which findings of two runs are the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../../agent/filter.h"
#include "../fixture.h"
#include "commands_for_tests.h"

static int left(const struct snap *s, const char *ignore)
{
    struct opts opts = {.ignore = &ignore, .nignore = 1};
    struct filtered f;
    filter_ignored(&f, s, &opts);
    int n = f.snap.nfindings;
    assert_int_equal(n + f.left_out, s->nfindings);
    filtered_finish(&f);
    return n;
}

static void rules_and_globs_are_left_out(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(0);
    assert_int_equal(left(s, "loop-sync-io"), 5);
    assert_int_equal(left(s, "loop-*"), 2);
    assert_int_equal(left(s, "fd-leak:connect_*"), 5);
    assert_int_equal(left(s, "fd-leak:load_*"), 6);
    assert_int_equal(left(s, "*:*profiles.db"), 5);
    assert_int_equal(left(s, "loop-sync"), 6);
    assert_int_equal(s->nfindings, 6); // the snapshot itself is untouched
    snap_unref(s);
}

static void the_same_finding_is_found_again(void **state)
{
    (void)state;
    struct snap *a = fixture_rich(0), *b = fixture_rich(3);
    b->findings[0].subject = "billing (9999) main"; // another pid, another duration
    for (int i = 0; i < b->nfindings; i++) {
        const struct finding *same = find_same(a, &b->findings[i]);
        assert_non_null(same);
        assert_string_equal(same->rule, b->findings[i].rule);
    }
    b->findings[0].rule = "loop-cpu";
    assert_null(find_same(a, &b->findings[0]));
    snap_unref(a);
    snap_unref(b);
}

static void without_a_culprit_numbers_do_not_tell_apart(void **state)
{
    (void)state;
    char x[512], y[512];
    struct finding f = {.rule = "fd-limit", .subject = "gateway (5120)"};
    struct finding g = {.rule = "fd-limit", .subject = "gateway (777)"};
    assert_string_equal(finding_key(&f, x, sizeof(x)), finding_key(&g, y, sizeof(y)));
    g.subject = "mailer (777)";
    assert_string_not_equal(finding_key(&f, x, sizeof(x)), finding_key(&g, y, sizeof(y)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_and_globs_are_left_out),
        cmocka_unit_test(the_same_finding_is_found_again),
        cmocka_unit_test(without_a_culprit_numbers_do_not_tell_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
