// JavaScript stacks of live stalls: function and line as the program itself says them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../agent/stack/process.h"
#include "../../../agent/stack/walkers.h"
#include "interpreters.h"
#include "live.h"

static const char *mode;

static void check_culprit(struct live *l)
{
    const struct frame *f = live_culprit(l);
    // A comparator or callback on the way is the program's too: then its caller must be the one.
    for (int i = 0; i < l->result.nframes && f && !strstr(f->function, l->function); i++)
        if (!l->result.frames[i].frame.runtime)
            f = &l->result.frames[i].frame;
    bool right = f && strstr(f->function, l->function) &&
                 (f->uncertain || (f->line >= l->first_line && f->line <= l->last_line));
    if (!right)
        live_print(l);
    assert_true(right);
    assert_int_equal(f->kind, FRAME_JAVASCRIPT);
    assert_non_null(strstr(f->file, "stalls.js"));
}

static const struct frame *find(const struct live *l, const char *function)
{
    for (int i = 0; i < l->result.nframes; i++)
        if (!strcmp(l->result.frames[i].frame.function, function))
            return &l->result.frames[i].frame;
    return NULL;
}

// What V8 and Node themselves do at that moment is named as well, and never the culprit.
static void check_runtime(const struct live *l)
{
    static const struct {
        const char *mode, *function;
    } expected[] = {{"exec", "execSync"}, {"fifo", "readFileSync"}, {"pbkdf2", "pbkdf2Sync"}};
    for (int i = 0; i < 3; i++) {
        if (strcmp(mode, expected[i].mode) != 0)
            continue;
        const struct frame *f = find(l, expected[i].function);
        assert_non_null(f);
        assert_true(f->runtime);
        assert_int_equal(strncmp(f->file, "node:", 5), 0);
    }
}

// Takes further samples of the same stall: what they look for goes on for a part of the time only.
static bool comes(struct live *l, bool (*seen)(const struct live *l))
{
    for (int i = 0; i < 100 && l->nframes; i++) {
        if (seen(l))
            return true;
        live_walk(l);
    }
    return false;
}

static bool sees_parse(const struct live *l)
{
    return find(l, "JSON.parse");
}

static bool sees_sort(const struct live *l)
{
    return find(l, "Array.prototype.sort");
}

static bool sees_collector(const struct live *l)
{
    bool named = find(l, "(garbage collector)");
    for (int i = 0; i < l->nframes && !named; i++)
        named = l->frames[i].symbol && strstr(l->frames[i].symbol, "CollectGarbage");
    return l->result.gc && named;
}

// Builtins and the collector: by symbols, or where there are none (Debian's libnode.so) by V8's own table and by
// the texts in its code.
static void check_inside(struct live *l)
{
    if (!strcmp(mode, "json"))
        assert_true(comes(l, sees_parse));
    if (!strcmp(mode, "sort"))
        assert_true(comes(l, sees_sort));
    if (!strcmp(mode, "awaited"))
        assert_non_null(find(l, "(after await)"));
    if (!strcmp(mode, "gc"))
        assert_true(comes(l, sees_collector));
}

static void run(const char *program)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, STALLS_JS, mode, NULL};
    assert_true(live_start(l, argv));
    if (!live_attach(l, "V8"))
        fail_msg("%s: %s", program, l->note);
    assert_true(live_stall(l));
    check_culprit(l);
    assert_true(l->result.in_language);
    check_runtime(l);
    check_inside(l);
    live_stop(l);
    free(l);
}

static void test_mode(void **state)
{
    mode = *state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_NODES", "node", run) > 0);
}

// A machine too busy to read the process in time says nothing of its version: the next look tries again.
static void test_attach_in_time(void **state)
{
    (void)state;
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {"node", STALLS_JS, "exec", NULL};
    assert_true(live_start(l, argv));
    struct process *p = native_process(l->native)->arg;
    process_begin(p, 0, NULL, 0, 0, 1000000000);
    walkers_refresh(p);
    assert_int_equal(walkers_count(p->walkers), 0);
    assert_string_equal(walkers_note(p->walkers), "");
    native_begin(l->native, NULL, 5000);
    walkers_refresh(p);
    assert_int_equal(walkers_count(p->walkers), 1);
    assert_true(atoi(walkers_version(p->walkers)) >= 10);
    live_stop(l);
    free(l);
}

int main(void)
{
    struct capture *c = capture_open(getpid());
    if (!c) {
        puts("skipped: perf events are not permitted");
        return 77;
    }
    capture_close(c);
#define MODE(name)                                                                                 \
    {                                                                                              \
        "node " name, test_mode, NULL, NULL, (void *)name                                          \
    }
    const struct CMUnitTest tests[] = {
        MODE("spin"),
        MODE("json"),
        MODE("fifo"),
        MODE("exec"),
        MODE("pbkdf2"),
        MODE("regex"),
        MODE("sort"),
        MODE("gc"),
        MODE("optimised"),
        MODE("method"),
        MODE("inferred"),
        MODE("awaited"),
        cmocka_unit_test(test_attach_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
