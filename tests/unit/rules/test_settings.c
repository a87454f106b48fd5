// -o rule.key=value: what is taken, what is refused and how.
#include "facts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void refused(const char *setting, const char *word)
{
    struct rules *r = NULL;
    struct error err = {0};
    assert_int_equal(rules_new(&r, &setting, 1, 1, &err), -EINVAL);
    assert_int_equal(err.status, STATUS_USAGE);
    assert_non_null(strstr(err.text, word));
    assert_null(r);
}

static void test_bad_settings(void **state)
{
    (void)state;
    refused("loop-blockt.warn=50ms", "there is no rule loop-blockt");
    refused("loop-blocked.warm=50ms", "no key warm");
    refused("loop-blocked.warn=fast", "is no duration");
    refused("loop-blocked.warn=", "is no duration");
    refused("loop-blocked.warn=-5ms", "is no duration");
    refused("loop-cpu.share=1.5", "is no share");
    refused("loop-sync-io.min=many", "is no number");
    refused("loop-sync-io.min=5x", "is no number");
    refused("loop-sync-io.window=1m", "window is 10s at most");
    refused("warn=5", "rule.key=value");
    refused("loop-blocked", "rule.key=value");
    refused("", "rule.key=value");
}

static void test_values(void **state)
{
    (void)state;
    struct rules *r = facts_rules("loop-cpu.share=60%");
    assert_float_equal((float)rules_value(r, &rule_loop_cpu, "share"), 0.6, 1e-6f);
    assert_float_equal((float)rules_value(r, &rule_loop_sync_io, "share"), 0.05, 1e-6f);
    rules_free(r);
    r = facts_rules("loop-hung.after=2s");
    assert_int_equal(rules_ns(r, &rule_loop_hung, "after"), 2 * SECOND);
    rules_free(r);
}

// What is told as a default can be given as a setting, as it stands.
static void test_defaults_are_told_as_they_are_taken(void **state)
{
    (void)state;
    for (int i = 0; all_rules[i]; i++) {
        for (int k = 0; k < all_rules[i]->nkeys; k++) {
            const struct rule_key *key = &all_rules[i]->keys[k];
            char value[40], setting[160];
            rule_value_text(key, key->value, value, sizeof(value));
            assert_null(strpbrk(value, " '\"$*?"));
            snprintf(setting, sizeof(setting), "%s.%s=%s", all_rules[i]->id, key->key, value);
            struct rules *r = facts_rules(setting);
            double got = rules_value(r, all_rules[i], key->key);
            assert_float_equal((float)got, (float)key->value, (float)key->value * 1e-6f);
            rules_free(r);
        }
    }
}

static void test_last_one_wins(void **state)
{
    (void)state;
    const char *settings[] = {"loop-hung.after=2s", "loop-hung.after=3s"};
    struct rules *r = NULL;
    assert_int_equal(rules_new(&r, settings, 2, 1, NULL), 0);
    assert_int_equal(rules_ns(r, &rule_loop_hung, "after"), 3 * SECOND);
    rules_free(r);
}

static void test_time_scale(void **state)
{
    (void)state;
    struct rules *r = NULL;
    assert_int_equal(rules_new(&r, NULL, 0, 0.1, NULL), 0);
    assert_int_equal(rules_ns(r, &rule_child_zombie, "after"), 6 * SECOND);
    assert_int_equal(rules_ns(r, &rule_loop_hung, "after"),
                     5 * SECOND); // loop- rules are not scaled
    assert_int_equal(rules_ns(r, &rule_self_degraded, "after"), 5 * SECOND);
    rules_free(r);
}

static void test_threshold(void **state)
{
    (void)state;
    int64_t ns = 25 * MS;
    struct rules *r = facts_rules(NULL);
    assert_int_equal(rules_threshold(r, &ns, NULL), 0);
    assert_int_equal(ns, 25 * MS);
    rules_free(r);
    r = facts_rules("loop-blocked.warn=40ms");
    assert_int_equal(rules_threshold(r, &ns, NULL), 0);
    assert_int_equal(ns, 40 * MS);
    rules_free(r);
}

static void test_settings_change_verdicts(void **state)
{
    (void)state;
    struct rules *r = facts_rules("loop-hung.after=1s");
    struct snap *s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 1200, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_non_null(facts_finding(s, "loop-hung"));
    snap_unref(s);
    rules_free(r);
    r = facts_rules("loop-blocked.critical=200ms");
    s = facts_new(20);
    facts_look(s, facts_stall(s, 1, 300, CAUSE_SYSCALL, "read"), "a");
    rules_judge(r, s);
    assert_int_equal(s->findings[0].severity, SEV_CRITICAL);
    snap_unref(s);
    rules_free(r);
}

static void test_every_rule_is_complete(void **state)
{
    (void)state;
    for (int i = 0; all_rules[i]; i++) {
        const struct rule *rule = all_rules[i];
        assert_ptr_equal(rule_find(rule->id), rule);
        assert_non_null(rule->meaning);
        assert_non_null(rule->evidence);
        assert_true(rule->remedy && rule->remedy[0]);
        assert_int_equal(strspn(rule->id, "abcdefghijklmnopqrstuvwxyz-"), strlen(rule->id));
        for (int k = 0; k < rule->nkeys; k++)
            assert_non_null(rule->keys[k].from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_defaults_are_told_as_they_are_taken),
        cmocka_unit_test(test_last_one_wins),
        cmocka_unit_test(test_time_scale),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_settings_change_verdicts),
        cmocka_unit_test(test_every_rule_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
