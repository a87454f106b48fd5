// The JSON document: any byte of a target comes out as valid UTF-8, unknown as null, nothing left out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../../agent/export/clean.h"
#include "../../../agent/export/export.h"
#include "../../../agent/export/json.h"
#include "../fixture.h"

static json_t *document(struct snap *s, unsigned parts)
{
    struct export_opts o = {.parts = parts, .task_state = -1};
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(export_json(s, &o, f), 0);
    fclose(f);
    json_error_t e;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (!root)
        fail_msg("line %d: %s", e.line, e.text);
    free(text);
    snap_unref(s);
    return root;
}

static const char *string_at(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_non_null(v);
    return json_string_value(v);
}

static void rich_document_has_all(void **state)
{
    (void)state;
    json_t *root = document(fixture_rich(0), PART_ALL);
    assert_string_equal(string_at(root, "schema"), "loopscope/1");
    assert_string_equal(string_at(root, "started_at"), "2026-03-01T08:00:00.000000Z");
    assert_string_equal(string_at(root, "generated_at"), "2026-03-01T08:00:42.310000Z");
    assert_int_equal(json_array_size(json_object_get(root, "findings")), 6);
    json_t *f = json_array_get(json_object_get(root, "findings"), 0);
    assert_string_equal(string_at(f, "rule"), "loop-sync-io");
    assert_string_equal(string_at(json_object_get(f, "culprit"), "function"), "load_profile");
    assert_string_equal(string_at(json_object_get(f, "cause"), "kind"), "syscall");
    assert_int_equal(json_array_size(json_object_get(f, "occurrences")), 2);
    json_t *lint = json_object_get(f, "lint");
    assert_string_equal(string_at(lint, "rule"), "loop-sync-io");
    assert_string_equal(string_at(lint, "verify"), "loopscope lint /srv/billing/profiles.py");
    json_t *stacks = json_object_get(root, "stacks");
    json_t *stack = json_object_get(stacks, string_at(f, "stack_id"));
    assert_int_equal(json_array_size(stack), 6);
    assert_int_equal(json_array_size(json_object_get(root, "tasks")), 6);
    assert_int_equal(json_array_size(json_object_get(root, "fds")), 3);
    json_decref(root);
}

static void parts_not_asked_for_are_empty(void **state)
{
    (void)state;
    json_t *root = document(fixture_rich(0), PART_LOOPS);
    const char *const empty[] = {"processes", "findings", "tasks", "task_sites", "fds"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        assert_true(json_is_array(json_object_get(root, empty[i])));
        assert_int_equal(json_array_size(json_object_get(root, empty[i])), 0);
    }
    assert_int_equal(json_array_size(json_object_get(root, "loops")), 5);
    json_decref(root);
}

static void unknown_is_null(void **state)
{
    (void)state;
    json_t *root = document(fixture_rich(0), PART_ALL);
    json_t *loop = json_array_get(json_object_get(root, "loops"), 4);
    assert_string_equal(string_at(loop, "state"), "no-probes");
    assert_true(json_is_null(json_object_get(loop, "busy_ratio")));
    assert_true(json_is_null(json_object_get(loop, "turns")));
    assert_true(json_is_null(json_object_get(root, "target_exit")));
    json_t *finding = json_array_get(json_object_get(root, "findings"), 2);
    assert_true(json_is_null(json_object_get(finding, "tid")));
    json_decref(root);
    root = document(fixture_empty(), PART_ALL);
    assert_true(json_is_null(json_object_get(json_object_get(root, "agent"), "backend")));
    assert_true(json_is_null(json_object_get(json_object_get(root, "agent"), "rss_bytes")));
    json_decref(root);
}

// jansson refuses invalid UTF-8, so that a document it reads is valid whatever the names were.
static void hostile_names_stay_valid(void **state)
{
    (void)state;
    json_t *root = document(fixture_hostile(), PART_ALL);
    json_t *p = json_array_get(json_object_get(root, "processes"), 1);
    assert_string_equal(string_at(p, "name"),
                        "bad utf-8 \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd( \xef\xbf\xbd\xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd "
                        "end");
    p = json_array_get(json_object_get(root, "processes"), 0);
    assert_string_equal(string_at(p, "name"), "\"quoted\" and 'single' and \\back\\slash");
    json_decref(root);
}

static void hostile_output_has_no_control_bytes(void **state)
{
    (void)state;
    struct export_opts o = {.parts = PART_ALL, .task_state = -1};
    int (*const writers[])(const struct snap *, const struct export_opts *, FILE *) = {export_json,
                                                                                       export_text};
    for (int w = 0; w < 2; w++) {
        struct snap *s = fixture_hostile();
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        writers[w](s, &o, f);
        for (int i = 0; i < s->nevents; i++) {
            export_event_text(s, &s->events[i], &o, f);
            export_event_json(s, &s->events[i], f);
        }
        fclose(f);
        for (size_t i = 0; i < size;) {
            uint32_t c;
            size_t n = utf8_next(text + i, size - i, &c);
            if (c != '\n' && is_unsafe(c))
                fail_msg("writer %d: U+%04X at %zu: ...%.30s", w, c, i,
                         text + (i > 20 ? i - 20 : 0));
            assert_false(c == 0xFFFD && n == 1);
            i += n;
        }
        free(text);
        snap_unref(s);
    }
}

static void events_are_one_line_each(void **state)
{
    (void)state;
    struct snap *s = fixture_hostile();
    for (int i = 0; i < s->nevents; i++) {
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        export_event_json(s, &s->events[i], f);
        fclose(f);
        assert_ptr_equal(strchr(text, '\n'), text + size - 1);
        json_t *root = json_loadb(text, size, 0, NULL);
        assert_non_null(string_at(root, "event"));
        json_decref(root);
        free(text);
    }
    snap_unref(s);
}

static void an_open_event_carries_its_finding(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(0);
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    export_event_json(s, &s->events[1], f);
    fclose(f);
    json_t *root = json_loadb(text, size, 0, NULL);
    assert_string_equal(string_at(root, "event"), "open");
    assert_string_equal(string_at(root, "rule"), "loop-sync-io");
    json_t *finding = json_object_get(root, "finding");
    assert_string_equal(string_at(finding, "id"), "F3");
    assert_int_equal(json_array_size(json_object_get(finding, "occurrences")), 1);
    assert_int_equal(json_object_size(json_object_get(root, "stacks")), 1);
    json_decref(root);
    free(text);
    snap_unref(s);
}

static void reals_read_back_exactly(void **state)
{
    (void)state;
    const double values[] = {0, 1.0 / 3, 1e300, -2.5e-10, 97.2, 5e-324, 123456789.125, -0.0};
    char buf[40];
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        assert_true(strtod(format_real(values[i], buf, sizeof(buf)), NULL) == values[i]);
    assert_string_equal(format_real(0.98, buf, sizeof(buf)), "0.98");
}

static void utf8_round_trip(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
        char bytes[4];
        uint32_t back;
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        size_t n = utf8_put(c, bytes);
        assert_int_equal(utf8_next(bytes, n, &back), n);
        assert_int_equal(back, c);
    }
}

static void cuts_are_marked(void **state)
{
    (void)state;
    char buf[64];
    assert_string_equal(clean("abcdefghij", 8, buf, sizeof(buf)), "abcde...");
    assert_string_equal(clean("abcdefgh", 8, buf, sizeof(buf)), "abcdefgh");
    assert_string_equal(clean("a\033[31m\xff", 0, buf, sizeof(buf)), "a?[31m\xef\xbf\xbd");
    assert_string_equal(clean(NULL, 0, buf, sizeof(buf)), "");
    char small[8];
    assert_true(strlen(clean("0123456789abcdef", 0, small, sizeof(small))) < 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rich_document_has_all),
        cmocka_unit_test(parts_not_asked_for_are_empty),
        cmocka_unit_test(unknown_is_null),
        cmocka_unit_test(hostile_names_stay_valid),
        cmocka_unit_test(hostile_output_has_no_control_bytes),
        cmocka_unit_test(events_are_one_line_each),
        cmocka_unit_test(an_open_event_carries_its_finding),
        cmocka_unit_test(reals_read_back_exactly),
        cmocka_unit_test(utf8_round_trip),
        cmocka_unit_test(cuts_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
