// One stall is one finding: which rule, what it says, when it is told.
#include "facts.h"

#include <stdio.h>
#include <string.h>

// Judges one stall of this kind and gives the snapshot.
static struct snap *judged(struct rules *r, enum cause_kind kind, const char *syscall)
{
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 412, kind, syscall);
    facts_look(s, k, "write_log");
    facts_end(k, s);
    rules_judge(r, s);
    return s;
}

static void expect_rule(enum cause_kind kind, const char *syscall, const char *rule)
{
    struct rules *r = facts_rules(NULL);
    struct snap *s = judged(r, kind, syscall);
    assert_int_equal(s->nfindings, 1);
    assert_string_equal(s->findings[0].rule, rule);
    bool blocked = strcmp(rule, "loop-blocked") == 0;
    for (int i = 0; i < s->findings[0].nalso; i++)
        blocked |= strcmp(s->findings[0].also[i], "loop-blocked") == 0;
    assert_true(blocked);
    snap_unref(s);
    rules_free(r);
}

static void test_rule_follows_the_cause(void **state)
{
    (void)state;
    expect_rule(CAUSE_SYSCALL, "read", "loop-sync-io");
    expect_rule(CAUSE_LOCK, "futex", "loop-lock");
    expect_rule(CAUSE_CPU_USER, NULL, "loop-cpu");
    expect_rule(CAUSE_CPU_KERNEL, "munmap", "loop-cpu");
    expect_rule(CAUSE_GC, NULL, "loop-cpu");
    expect_rule(CAUSE_RUNQUEUE, NULL, "loop-starved");
    expect_rule(CAUSE_PAGE_FAULT, NULL, "loop-blocked");
    expect_rule(CAUSE_STOPPED, NULL, "loop-blocked");
    expect_rule(CAUSE_UNKNOWN, NULL, "loop-blocked");
}

static void test_healthy_loop_has_no_finding(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int t = 1; t < 100; t++) {
        struct snap *s = facts_new(t);
        rules_judge(r, s);
        assert_int_equal(s->nfindings, 0);
        assert_int_equal(s->nevents, 0);
        snap_unref(s);
    }
    rules_free(r);
}

static void test_mixed_cause_is_loop_blocked(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 400, CAUSE_CPU_USER, NULL);
    k->split = (struct time_split){
        .cpu_user = 150 * MS, .syscall = 90 * MS, .lock = 80 * MS, .runqueue = 80 * MS};
    k->cause.ratio = 0.375;
    rules_judge(r, s);
    assert_string_equal(s->findings[0].rule, "loop-blocked");
    assert_int_equal(s->findings[0].nalso, 0);
    snap_unref(s);
    rules_free(r);
}

static void test_log_write_is_more_specific_than_io(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 412, CAUSE_SYSCALL, "fsync");
    k->cause.path = "/var/log/x.log";
    k->cause.fd = 7;
    k->cause.is_log = true;
    facts_look(s, k, "write_log");
    facts_end(k, s);
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "loop-sync-log");
    assert_non_null(f);
    assert_string_equal(f->title, "loop blocked for 412 ms in fsync of /var/log/x.log by write_log "
                                  "(app.c:88)");
    assert_string_equal(f->also[0], "loop-sync-io");
    assert_string_equal(f->also[1], "loop-blocked");
    assert_string_equal(f->verify, "loopscope check 4711 --for 30s");
    assert_true(f->nremedy > 0);
    assert_non_null(facts_evidence(f, "duration"));
    assert_non_null(facts_evidence(f, "syscall"));
    assert_true(f->captured_during);
    snap_unref(s);
    rules_free(r);
}

// Half of it without a CPU: that is told, but it does not make the stall the neighbour's doing.
static void test_a_partly_starved_stall_is_not_a_starved_one(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 110, CAUSE_RUNQUEUE, NULL);
    k->split = (struct time_split){.runqueue = 60 * MS, .cpu_user = 50 * MS};
    facts_look(s, k, "spin");
    rules_judge(r, s);
    assert_string_equal(s->findings[0].rule, "loop-blocked");
    assert_string_equal(s->findings[0].remedy[0], rule_loop_starved.remedy[0]);
    snap_unref(s);
    s = facts_new(20.4);
    facts_loop(s)->window.starved_by = "cc1 (4712)";
    k = facts_stall(s, 1, 500, CAUSE_CPU_USER, NULL);
    k->split = (struct time_split){.runqueue = 240 * MS, .cpu_user = 260 * MS};
    facts_look(s, k, "spin");
    k->task = (struct task_ref){.id = "7", .name = "order-7", .spawn_site = "orders.c:61"};
    facts_end(k, s);
    rules_judge(r, s);
    const struct finding *f = &s->findings[0];
    assert_string_equal(f->title, "loop blocked for 500 ms computing in spin (app.c:88), in task "
                                  "order-7 #7, spawned at orders.c:61; 48 % of it without a CPU");
    assert_string_equal(facts_evidence(f, "starved_by"),
                        "while it waited for a CPU there ran cc1 (4712)");
    assert_string_equal(f->remedy[0], rule_loop_blocked.remedy[0]);
    snap_unref(s);
    rules_free(r);
}

static void test_subject_outlives_its_process(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 150, CAUSE_SYSCALL, "read"), "load");
    rules_judge(r, s);
    snap_unref(s);
    s = facts_new(20.2);
    s->nprocesses = 0;
    struct snap_stall *k = facts_stall(s, 1, 350, CAUSE_SYSCALL, "read");
    facts_look(s, k, "load");
    facts_end(k, s);
    rules_judge(r, s);
    assert_string_equal(s->findings[0].subject, "loop of 4711 (server)");
    snap_unref(s);
    rules_free(r);
}

static const char *remedy_on(enum runtime_kind runtime, const char *syscall, char *buf, size_t size)
{
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    s->processes[0].runtime = runtime;
    s->processes[0].why_not = "CPython 3.99 is not known: native frames only";
    facts_look(s, facts_stall(s, 1, 150, CAUSE_SYSCALL, syscall), "load");
    rules_judge(r, s);
    snprintf(buf, size, "%s", s->findings[0].remedy[0]);
    assert_string_equal(facts_evidence(&s->findings[0], "note"), s->processes[0].why_not);
    snap_unref(s);
    rules_free(r);
    return buf;
}

static void test_remedies_speak_the_runtimes_language(void **state)
{
    (void)state;
    char buf[300];
    assert_non_null(strstr(remedy_on(RUNTIME_NODE, "read", buf, sizeof(buf)), "fs.promises"));
    assert_null(strstr(buf, "uv_fs"));
    assert_non_null(strstr(remedy_on(RUNTIME_UVLOOP, "read", buf, sizeof(buf)), "to_thread"));
    assert_non_null(strstr(remedy_on(RUNTIME_LOOPSCOPE, "read", buf, sizeof(buf)), "ls_file_read"));
    remedy_on(RUNTIME_EPOLL, "read", buf, sizeof(buf));
    assert_string_equal(buf, rule_loop_sync_io.remedy[0]);
    remedy_on(RUNTIME_UVLOOP, "clock_nanosleep", buf, sizeof(buf));
    assert_non_null(strstr(buf, "asyncio.sleep"));
    assert_non_null(strstr(remedy_on(RUNTIME_LIBUV, "wait4", buf, sizeof(buf)), "uv_spawn"));
}

// Another thread runs Python: a lock that no lock of asyncio can take the place of.
static void test_interpreter_lock(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    s->processes[0].runtime = RUNTIME_ASYNCIO;
    struct snap_stall *stall = facts_stall(s, 1, 150, CAUSE_LOCK, "futex");
    facts_look(s, stall, "run");
    stall->cause.lock = "GIL";
    stall->cause.peer = "thread uploads in check (app.py:3)";
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "loop-lock");
    assert_non_null(f);
    assert_non_null(
        strstr(f->title, "waiting for GIL, held by thread uploads in check (app.py:3)"));
    assert_non_null(strstr(f->remedy[0], "ProcessPoolExecutor"));
    assert_int_equal(f->nremedy, 1);
    snap_unref(s);
    rules_free(r);
}

static void test_severity_by_length(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 999, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_int_equal(s->findings[0].severity, SEV_WARNING);
    snap_unref(s);
    s = facts_new(20.2);
    facts_look(s, facts_stall(s, 1, 1199, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_int_equal(s->findings[0].severity, SEV_CRITICAL);
    assert_int_equal(facts_events(s, EVENT_UPDATE), 1); // told when it passed 1 s
    snap_unref(s);
    s = facts_new(20.4);
    facts_look(s, facts_stall(s, 1, 1399, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_int_equal(facts_events(s, EVENT_UPDATE), 0); // and not again
    snap_unref(s);
    rules_free(r);
}

static void test_a_finding_that_is_critical_already_is_not_told_at_the_limit(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int i = 0; i < 2; i++) { // the second occurrence of a critical finding
        struct snap *s = facts_new(20 + 10 * i);
        facts_look(s, facts_stall(s, 1 + (uint64_t)i, 105, CAUSE_SYSCALL, "read"), "a");
        rules_judge(r, s);
        assert_int_equal(facts_events(s, EVENT_OPEN) + facts_events(s, EVENT_UPDATE), 1);
        snap_unref(s);
        s = facts_new(21.2 + 10 * i);
        struct snap_stall *k = facts_stall(s, 1 + (uint64_t)i, 1305, CAUSE_SYSCALL, "read");
        facts_look(s, k, "a");
        rules_judge(r, s);
        assert_int_equal(facts_events(s, EVENT_UPDATE), i == 0);
        snap_unref(s);
        s = facts_new(21.3 + 10 * i);
        k = facts_stall(s, 1 + (uint64_t)i, 1405, CAUSE_SYSCALL, "read");
        facts_look(s, k, "a");
        facts_end(k, s);
        rules_judge(r, s);
        assert_int_equal(facts_events(s, EVENT_UPDATE), 1);
        snap_unref(s);
    }
    rules_free(r);
}

static void test_rule_is_settled_at_the_first_look(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 105, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_string_equal(s->findings[0].rule, "loop-sync-io");
    snap_unref(s);
    s = facts_new(21);
    struct snap_stall *k = facts_stall(s, 1, 900, CAUSE_CPU_USER, NULL);
    facts_look(s, k, "a");
    facts_end(k, s);
    rules_judge(r, s);
    assert_int_equal(s->nfindings, 1);
    assert_string_equal(s->findings[0].rule, "loop-sync-io");
    assert_int_equal(s->findings[0].count, 1);
    snap_unref(s);
    rules_free(r);
}

static struct snap *one_stall(struct rules *r, double at_s, uint64_t id, const char *function)
{
    struct snap *s = facts_new(at_s);
    struct snap_stall *k = facts_stall(s, id, 300, CAUSE_SYSCALL, "read");
    facts_look(s, k, function);
    facts_end(k, s);
    rules_judge(r, s);
    return s;
}

static void test_same_culprit_is_one_finding(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = one_stall(r, 20, 1, "load");
    assert_int_equal(facts_events(s, EVENT_OPEN), 1);
    assert_int_equal(facts_events(s, EVENT_UPDATE), 0); // over already: told once
    char id[16];
    strcpy(id, s->findings[0].id);
    snap_unref(s);
    for (int i = 2; i <= 150; i++) {
        s = one_stall(r, 20 + i, (uint64_t)i, "load");
        assert_int_equal(facts_events(s, EVENT_OPEN), 0);
        assert_int_equal(facts_events(s, EVENT_UPDATE), 1); // one an occurrence
        assert_int_equal(s->nfindings, 1);
        assert_int_equal(s->findings[0].count, i);
        snap_unref(s);
    }
    s = one_stall(r, 171, 151, "load");
    const struct finding *f = &s->findings[0];
    assert_string_equal(f->id, id);
    assert_int_equal(f->noccurrences, 100);
    assert_true(f->occurrences[0].at_ns > f->occurrences[1].at_ns); // newest first
    assert_int_equal(f->occurrences[0].duration_ns, 300 * MS);
    assert_non_null(f->occurrences[99].stack);
    snap_unref(s);
    s = one_stall(r, 172, 152, "save"); // another culprit is another finding
    assert_int_equal(s->nfindings, 2);
    snap_unref(s);
    rules_free(r);
}

static void test_each_occurrence_is_told_live_and_at_its_end(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    snap_unref(one_stall(r, 20, 1, "load"));
    struct snap *s = facts_new(21);
    facts_look(s, facts_stall(s, 2, 105, CAUSE_SYSCALL, "read"), "load");
    rules_judge(r, s);
    assert_int_equal(facts_events(s, EVENT_UPDATE), 1);
    assert_true(s->findings[0].still_open);
    snap_unref(s);
    s = facts_new(21.1);
    facts_look(s, facts_stall(s, 2, 205, CAUSE_SYSCALL, "read"), "load");
    rules_judge(r, s);
    assert_int_equal(s->nevents, 0); // nothing new
    snap_unref(s);
    s = facts_new(21.2);
    struct snap_stall *k = facts_stall(s, 2, 305, CAUSE_SYSCALL, "read");
    facts_look(s, k, "load");
    facts_end(k, s);
    rules_judge(r, s);
    assert_int_equal(facts_events(s, EVENT_UPDATE), 1);
    assert_false(s->findings[0].still_open);
    assert_int_equal(s->findings[0].duration_ns, 305 * MS);
    assert_int_equal(s->findings[0].count, 2);
    snap_unref(s);
    rules_free(r);
}

static void test_finding_closes_and_opens_again(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    snap_unref(one_stall(r, 20, 1, "load"));
    struct snap *s = facts_new(29);
    rules_judge(r, s);
    assert_true(s->findings[0].open);
    snap_unref(s);
    s = facts_new(31);
    rules_judge(r, s);
    assert_false(s->findings[0].open);
    assert_int_equal(facts_events(s, EVENT_CLOSE), 1);
    snap_unref(s);
    s = one_stall(r, 60, 2, "load");
    assert_int_equal(s->nfindings, 1);
    assert_true(s->findings[0].open);
    assert_int_equal(s->findings[0].count, 2);
    assert_int_equal(facts_events(s, EVENT_OPEN), 1);
    snap_unref(s);
    rules_free(r);
}

static void test_hung_opens_beside(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 4900, CAUSE_LOCK, "futex"), "a");
    rules_judge(r, s);
    assert_null(facts_finding(s, "loop-hung"));
    snap_unref(s);
    s = facts_new(20.2);
    struct snap_stall *k = facts_stall(s, 1, 5100, CAUSE_LOCK, "futex");
    facts_look(s, k, "a");
    facts_look(s, k, "a");
    rules_judge(r, s);
    const struct finding *hung = facts_finding(s, "loop-hung"),
                         *lock = facts_finding(s, "loop-lock");
    assert_non_null(hung);
    assert_non_null(lock);
    assert_int_equal(hung->severity, SEV_CRITICAL);
    assert_string_equal(hung->related[0], lock->id);
    assert_string_equal(lock->related[0], hung->id);
    assert_int_equal(hung->nalso, 0);
    assert_int_equal(hung->count, 1);
    assert_non_null(facts_evidence(hung, "stack")); // the same stack at all looks
    snap_unref(s);
    s = facts_new(21.2);
    facts_look(s, facts_stall(s, 1, 6100, CAUSE_LOCK, "futex"), "a");
    rules_judge(r, s);
    assert_int_equal(facts_finding(s, "loop-hung")->count, 1);
    assert_int_equal(facts_finding(s, "loop-hung")->nrelated, 1);
    assert_int_equal(facts_events(s, EVENT_OPEN), 0);
    snap_unref(s);
    rules_free(r);
}

static void test_block_from_before_the_attach(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(0.2);
    struct snap_stall *k = facts_stall(s, 1, 150, CAUSE_SYSCALL, "read");
    k->began_before_attach = true;
    k->captured_after_ns = SNAP_UNKNOWN;
    k->attached_after_ns = 101 * MS;
    facts_look(s, k, "a");
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "loop-sync-io"); // no warm-up holds it back
    assert_non_null(f);
    assert_true(f->began_before_attach);
    assert_true(f->duration_is_lower_bound);
    assert_int_equal(f->captured_after_ns, SNAP_UNKNOWN);
    assert_int_equal(f->attached_after_ns, 101 * MS);
    assert_non_null(strstr(f->title, "at least 150 ms"));
    snap_unref(s);
    rules_free(r);
}

static void test_no_stack_is_said(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 200, CAUSE_UNKNOWN, NULL);
    facts_end(k, s);
    rules_judge(r, s);
    const struct finding *f = &s->findings[0];
    assert_null(f->stack);
    assert_false(f->captured_during);
    assert_non_null(facts_evidence(f, "no_stack"));
    assert_true(f->confidence < 0.5);
    snap_unref(s);
    rules_free(r);
}

static void test_holder_is_named(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 200, CAUSE_LOCK, "futex");
    k->cause.lock = "mutex 0x1000";
    k->cause.holder_tid = 4713;
    facts_look(s, k, "take");
    rules_judge(r, s);
    assert_non_null(strstr(s->findings[0].title, "mutex 0x1000, held by thread 4713"));
    assert_int_equal(s->findings[0].cause.holder_tid, 4713);
    snap_unref(s);
    rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_follows_the_cause),
        cmocka_unit_test(test_healthy_loop_has_no_finding),
        cmocka_unit_test(test_mixed_cause_is_loop_blocked),
        cmocka_unit_test(test_log_write_is_more_specific_than_io),
        cmocka_unit_test(test_a_partly_starved_stall_is_not_a_starved_one),
        cmocka_unit_test(test_subject_outlives_its_process),
        cmocka_unit_test(test_remedies_speak_the_runtimes_language),
        cmocka_unit_test(test_severity_by_length),
        cmocka_unit_test(test_a_finding_that_is_critical_already_is_not_told_at_the_limit),
        cmocka_unit_test(test_rule_is_settled_at_the_first_look),
        cmocka_unit_test(test_same_culprit_is_one_finding),
        cmocka_unit_test(test_each_occurrence_is_told_live_and_at_its_end),
        cmocka_unit_test(test_finding_closes_and_opens_again),
        cmocka_unit_test(test_hung_opens_beside),
        cmocka_unit_test(test_block_from_before_the_attach),
        cmocka_unit_test(test_no_stack_is_said),
        cmocka_unit_test(test_holder_is_named),
        cmocka_unit_test(test_interpreter_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
