// The self-test of doctor: run as whoever runs the tests; it must tell the same as what can be seen.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../agent/probe/probe.h"

static const struct probe_check *find(const struct probe_check *checks, int n, const char *id)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(checks[i].id, id))
            return &checks[i];
    return NULL;
}

static void parts_are_proved_and_failures_have_a_remedy(void **state)
{
    (void)state;
    struct probe_check checks[32];
    bool bpf, proc;
    int n = probe_selftest(checks, 32, &bpf, &proc);
    assert_in_range(n, 8, 31);
    for (int i = 0; i < n; i++) {
        printf("%-20s %-4s %s%s%s\n", checks[i].id, checks[i].ok ? "ok" : "no", checks[i].detail,
               checks[i].remedy[0] ? " -> " : "", checks[i].remedy);
        assert_true(checks[i].detail[0]);
        assert_true(checks[i].ok == !checks[i].remedy[0]);
    }
    assert_true(find(checks, n, "bpf")->ok == bpf);
    assert_true(proc); // one's own child can always be watched
    if (bpf)
        assert_true(find(checks, n, "btf")->ok && find(checks, n, "sched_switch")->ok);
}

static void it_writes_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct probe_check checks[3] = {{0}};
    bool bpf, proc;
    assert_int_equal(probe_selftest(checks, 2, &bpf, &proc), 2);
    assert_null(checks[2].id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_proved_and_failures_have_a_remedy),
        cmocka_unit_test(it_writes_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
