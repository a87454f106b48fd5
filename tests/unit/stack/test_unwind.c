// Stacks of fixtures whose frames are known, unwound and named in process.
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "answer.h"
#include "inspector.h"
#include "target.h"
#include "unwind.h"

static int open_directly(void *arg, const struct file_wish *w)
{
    (void)arg;
    return open_file_wish(w);
}

static int open_nothing(void *arg, const struct file_wish *w)
{
    (void)arg;
    (void)w;
    return -EACCES;
}

static int (*opener_function)(void *arg, const struct file_wish *w) = open_directly;
static struct capture captured;

// The stack of the fixture in this mode; the answer's stack is the caller's.
static struct stack_answer look(struct target_process *t, size_t bytes, bool plain)
{
    struct opener opener = {opener_function, NULL};
    struct inspector *i = inspector_new(&opener);
    struct process_files files;
    struct writer w = {0};
    struct stack_answer a;
    assert_int_equal(open_process_files(t->pid, &files, NULL), 0);
    assert_int_equal(inspector_add(i, t->pid, &files), 0);
    capture(t, &captured, bytes);
    inspector_stack(i, &captured.request, plain, &w);
    struct reader r = {w.data, w.data + w.len, false};
    assert_true(get_stack(&r, &a));
    a.why_not = a.lock = NULL; // they lie in w
    writer_free(&w);
    inspector_free(i);
    return a;
}

static struct stack *stack_of(const char *fixture, const char *mode, size_t bytes)
{
    struct target_process t = start_fixture(fixture, mode);
    struct stack_answer a = look(&t, bytes, false);
    stop_target(&t);
    assert_non_null(a.stack);
    return a.stack;
}

static int find(const struct stack *s, int from, const char *function)
{
    for (int i = from; i < s->nframes; i++)
        if (s->frames[i].function && !strcmp(s->frames[i].function, function))
            return i;
    return -1;
}

// The functions stand in this order, directly one under the other.
static int assert_chain(const struct stack *s, const char *const *names)
{
    int at = find(s, 0, names[0]);
    if (at < 0)
        fail_msg("%s is not on the stack", names[0]);
    for (int i = 0; names[i]; i++) {
        assert_true(at + i < s->nframes);
        assert_string_equal(s->frames[at + i].function ? s->frames[at + i].function : "?",
                            names[i]);
    }
    return at;
}

static void plain_frames(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_frames", "plain", CAPTURE_BYTES);
    const char *const names[] = {"stay", "leaf", "middle", "outer", "main", NULL};
    int at = assert_chain(s, names);
    assert_true(s->to_main);
    assert_false(s->torn);
    assert_int_equal(s->culprit, at); // libc's pause lies inner to it
    assert_true(s->frames[0].runtime);
    assert_false(s->frames[at].runtime);
    assert_non_null(s->frames[at].build_id);
    for (int i = 0; i < s->nframes; i++)
        assert_false(s->frames[i].uncertain);
    stack_unref(s);
}

static void lines_of_frames(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_frames", "plain", CAPTURE_BYTES);
    const struct frame *leaf = &s->frames[find(s, 0, "leaf")];
    assert_non_null(strstr(leaf->file, "fixture_frames.c"));
    const struct frame *outer = &s->frames[find(s, 0, "outer")];
    // The line of the call, not the one it returns to.
    assert_int_equal(outer->line - leaf->line, 12);
    stack_unref(s);
}

static void inlined_frames(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_frames", "inlined", CAPTURE_BYTES);
    const char *const names[] = {"stay",        "inlined_inner", "inlined_outer",
                                 "has_inlines", "main",          NULL};
    int at = assert_chain(s, names);
    assert_int_equal(s->frames[at + 1].kind, FRAME_INLINED);
    assert_int_equal(s->frames[at + 2].kind, FRAME_INLINED);
    assert_int_equal(s->frames[at + 3].kind, FRAME_NATIVE);
    assert_true(s->frames[at + 1].line < s->frames[at + 2].line);
    assert_true(s->frames[at + 2].line < s->frames[at + 3].line);
    stack_unref(s);
}

static void deep_stack_is_read_live(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "deep");
    struct stack_answer a = look(&t, 8192, false); // of 83 KB
    stop_target(&t);
    int n = 0;
    for (int i = 0; i < a.stack->nframes; i++)
        n += a.stack->frames[i].function && !strcmp(a.stack->frames[i].function, "deep");
    assert_int_equal(n, 41);
    assert_true(a.stack->to_main);
    assert_true(a.live_reads);
    stack_unref(a.stack);
}

// Of 20 000 frames the innermost and the outermost are told, and how many lie between.
static void endless_recursion(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_frames", "recursion", 16384);
    int gap = -1, left_out = 0, shown = 0;
    assert_true(s->to_main);
    assert_true(s->nframes <= UNWIND_FRAMES + 1);
    for (int i = 0; i < s->nframes; i++) {
        const char *name = s->frames[i].function ? s->frames[i].function : "";
        shown += !strcmp(name, "recurse");
        if (sscanf(name, "[%d frames left out]", &left_out) == 1)
            gap = i;
    }
    assert_int_equal(gap, UNWIND_INNER);
    assert_int_equal(shown + left_out, 20001);
    assert_true(find(s, gap, "main") > gap);
    stack_unref(s);
}

static void whole_copy_needs_no_live_reads(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "deep");
    struct stack_answer a = look(&t, CAPTURE_BYTES, false);
    stop_target(&t);
    assert_true(a.stack->to_main);
    assert_false(a.live_reads);
    stack_unref(a.stack);
}

static void through_a_signal(void **state)
{
    (void)state;
    static const char *const modes[] = {"signal", "sigaltstack"};
    for (int i = 0; i < 2; i++) {
        struct stack *s = stack_of("fixture_frames", modes[i], CAPTURE_BYTES);
        int handler = find(s, 0, "on_signal"), below = find(s, 0, "interrupted");
        assert_true(handler > 0);
        assert_true(below > handler);
        assert_true(s->to_main);
        stack_unref(s);
    }
}

static pid_t other_thread(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *d = opendir(path);
    pid_t found = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        if (atoi(e->d_name) > 0 && atoi(e->d_name) != pid)
            found = atoi(e->d_name);
    if (d)
        closedir(d);
    return found;
}

static void thread_start_is_the_end(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "thread");
    t.tid = other_thread(t.pid);
    assert_true(t.tid > 0);
    struct stack_answer a = look(&t, CAPTURE_BYTES, false);
    stop_target(&t);
    assert_true(find(a.stack, 0, "in_thread") > 0);
    assert_int_equal(find(a.stack, 0, "main"), -1);
    assert_true(a.stack->to_main);
    stack_unref(a.stack);
}

static void in_the_vdso(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "vdso");
    bool seen = false;
    for (int i = 0; i < 200; i++) {
        struct stack_answer a = look(&t, 4096, true);
        assert_true(a.stack->to_main);
        assert_true(find(a.stack, 0, "clock_reader") >= 0);
        const struct frame *f = &a.stack->frames[0];
        bool vdso = f->module && !strcmp(f->module, "[vdso]");
        seen |= vdso;
        assert_true(!vdso || (f->runtime && f->function));
        stack_unref(a.stack);
    }
    stop_target(&t);
    assert_true(seen);
}

static void assembly_without_cfi(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_frames", "assembly", CAPTURE_BYTES);
    const char *const names[] = {"leaf", "no_cfi", "calls_assembly", "main", NULL};
    assert_chain(s, names);
    assert_true(s->to_main);
    stack_unref(s);
}

static void cxx_names(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_names", "", CAPTURE_BYTES);
    assert_true(find(s, 0, "shop::worker<long>::handle") >= 0);
    assert_true(find(s, 0, "shop::serve") >= 0);
    assert_int_equal(find(s, 0, "shop::worker<long>::handle"), s->culprit);
    stack_unref(s);
}

// Nothing but offsets can be had, and every frame has one.
static void stripped_program(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_stripped", "plain", CAPTURE_BYTES);
    char text[256];
    int nameless = 0;
    assert_true(s->to_main);
    for (int i = 0; i < s->nframes; i++) {
        assert_non_null(s->frames[i].module);
        if (!s->frames[i].function && strstr(s->frames[i].module, "fixture_stripped")) {
            frame_text(&s->frames[i], text, sizeof(text));
            assert_non_null(strstr(text, "fixture_stripped+0x"));
            nameless++;
        }
    }
    assert_true(nameless >= 5); // stay, leaf, middle, outer, main
    stack_unref(s);
}

static void static_program(void **state)
{
    (void)state;
    struct stack *s = stack_of("fixture_static", "plain", CAPTURE_BYTES);
    const char *const names[] = {"stay", "leaf", "middle", "outer", "main", NULL};
    int at = assert_chain(s, names);
    assert_true(s->to_main);
    assert_int_equal(s->culprit, at); // pause() is in the program itself here
    stack_unref(s);
}

// A copy of the fixture that is unlinked as soon as it runs.
static struct target_process start_deleted(void)
{
    char self[4096], command[16384], path[] = "/tmp/loopscope-test-XXXXXX";
    int fd = mkstemp(path);
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(fd >= 0 && n > 0);
    close(fd);
    self[n] = '\0';
    snprintf(command, sizeof(command), "cp %s/fixture_frames %s && chmod 755 %s", dirname(self),
             path, path);
    assert_int_equal(system(command), 0);
    char *const argv[] = {path, "plain", NULL};
    struct target_process t = start_program(argv, true);
    unlink(path);
    return t;
}

static void deleted_program(void **state)
{
    (void)state;
    struct target_process t = start_deleted();
    struct stack_answer a = look(&t, CAPTURE_BYTES, false);
    stop_target(&t);
    int at = find(a.stack, 0, "middle");
    assert_true(a.stack->to_main);
    if (at < 0 && geteuid() != 0)
        skip(); // map_files may not be followed: then there are offsets only
    assert_true(at > 0);
    assert_null(strstr(a.stack->frames[at].module, "deleted"));
    stack_unref(a.stack);
}

// No file can be opened at all: what is loaded in memory must do.
static void unreadable_files(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    opener_function = open_nothing;
    struct stack_answer a = look(&t, CAPTURE_BYTES, false);
    opener_function = open_directly;
    stop_target(&t);
    assert_true(a.stack->to_main);
    assert_true(a.stack->nframes >= 8);
    for (int i = 0; i < a.stack->nframes; i++)
        assert_non_null(a.stack->frames[i].module);
    stack_unref(a.stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_frames),      cmocka_unit_test(lines_of_frames),
        cmocka_unit_test(inlined_frames),    cmocka_unit_test(deep_stack_is_read_live),
        cmocka_unit_test(endless_recursion), cmocka_unit_test(whole_copy_needs_no_live_reads),
        cmocka_unit_test(through_a_signal),  cmocka_unit_test(thread_start_is_the_end),
        cmocka_unit_test(in_the_vdso),       cmocka_unit_test(assembly_without_cfi),
        cmocka_unit_test(cxx_names),         cmocka_unit_test(stripped_program),
        cmocka_unit_test(static_program),    cmocka_unit_test(deleted_program),
        cmocka_unit_test(unreadable_files),
    };
    return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
