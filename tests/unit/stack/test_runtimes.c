// Real runtimes, where they are installed: what they are taken for, and whose function is found in them.
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

static int open_directly(void *arg, const struct file_wish *w)
{
    (void)arg;
    return open_file_wish(w);
}

static struct capture captured;

struct looked {
    struct identity id;
    struct stack_answer a;
};

static struct looked look(const struct target_process *t, bool native)
{
    struct opener opener = {open_directly, NULL};
    struct inspector *i = inspector_new(&opener);
    struct process_files files;
    struct writer w = {0};
    struct looked l;
    assert_int_equal(open_process_files(t->pid, &files, NULL), 0);
    assert_int_equal(inspector_add(i, t->pid, &files), 0);
    inspector_identify(i, t->pid, &w);
    struct reader r = {w.data, w.data + w.len, false};
    assert_int_equal(get_u32(&r), 1);
    assert_true(get_identity(&r, &l.id));
    w.len = 0;
    capture(t, &captured, CAPTURE_BYTES);
    captured.request.native = native;
    inspector_stack(i, &captured.request, false, &w);
    r = (struct reader){w.data, w.data + w.len, false};
    assert_true(get_stack(&r, &l.a));
    l.a.why_not = l.a.lock = NULL;
    assert_non_null(l.a.stack);
    writer_free(&w);
    inspector_free(i);
    return l;
}

static const char *installed(const char *const *paths)
{
    for (; *paths; paths++)
        if (access(*paths, X_OK) == 0)
            return *paths;
    return NULL;
}

static void assert_culprit(const struct stack *s, const char *function, int line)
{
    assert_true(s->culprit >= 0);
    assert_string_equal(s->frames[s->culprit].function, function);
    assert_int_equal(s->frames[s->culprit].line, line);
}

static int count_kind(const struct stack *s, enum frame_kind kind)
{
    int n = 0;
    for (int i = 0; i < s->nframes; i++)
        n += s->frames[i].kind == kind;
    return n;
}

static void node(void **state)
{
    (void)state;
    static const char *const paths[] = {"/usr/bin/node", "/usr/bin/nodejs", NULL};
    const char *path = installed(paths);
    if (!path)
        skip();
    char *const argv[] = {(char *)path, "-e",
                          "const cp = require('child_process');\n"
                          "function blockingHandler() {\n"
                          "  cp.execSync('sleep 60');\n"
                          "}\n"
                          "setTimeout(function tick() {\n"
                          "  console.log('ready'); blockingHandler();\n"
                          "}, 50);\n",
                          NULL};
    struct target_process t = start_program(argv, true);
    usleep(300000);
    struct looked l = look(&t, false), n = look(&t, true);
    stop_target(&t);
    assert_int_equal(l.id.runtime, RUNTIME_NODE);
    assert_true(l.id.has_uv);
    assert_true(l.id.uv_loop != 0);
    assert_true(l.id.uv_backend_fd > 2);
    assert_true(l.a.stack->to_main);
    assert_int_equal(l.a.loop_run_frames, 2); // execSync runs a loop of its own
    assert_true(l.a.in_language);
    if (*l.id.note == '\0') {
        assert_culprit(l.a.stack, "blockingHandler", 3);
        // Interpreter frames are folded away, and only they.
        assert_true(n.a.stack->nframes > l.a.stack->nframes);
        assert_int_equal(count_kind(n.a.stack, FRAME_JAVASCRIPT),
                         count_kind(l.a.stack, FRAME_JAVASCRIPT));
    }
    stack_unref(l.a.stack);
    stack_unref(n.a.stack);
}

static void python(void **state)
{
    (void)state;
    static const char *const paths[] = {"/usr/bin/python3", NULL};
    const char *path = installed(paths);
    if (!path)
        skip();
    char *const argv[] = {(char *)path, "-u", "-c",
                          "import asyncio, time\n"
                          "def slow():\n"
                          "    print('ready')\n"
                          "    time.sleep(60)\n"
                          "async def main():\n"
                          "    slow()\n"
                          "asyncio.run(main())\n",
                          NULL};
    struct target_process t = start_program(argv, true);
    usleep(100000);
    struct looked l = look(&t, false);
    stop_target(&t);
    assert_int_equal(l.id.runtime, RUNTIME_ASYNCIO);
    assert_true(l.a.stack->to_main);
    if (*l.id.note == '\0') {
        assert_culprit(l.a.stack, "slow", 4);
        assert_true(l.a.in_language);
        assert_int_equal(l.a.loop_run_frames, 1);
    }
    stack_unref(l.a.stack);
}

static void redis(void **state)
{
    (void)state;
    static const char *const paths[] = {"/usr/bin/redis-server", "/usr/bin/valkey-server", NULL};
    const char *path = installed(paths);
    if (!path)
        skip();
    char socket[64];
    snprintf(socket, sizeof(socket), "/tmp/loopscope-test-%d.sock", getpid());
    char *const argv[] = {(char *)path, "--port", "0", "--unixsocket", socket, "--save", "", NULL};
    struct target_process t = start_program(argv, true);
    usleep(500000);
    struct looked l = look(&t, false);
    stop_target(&t);
    unlink(socket);
    assert_int_equal(l.id.runtime, RUNTIME_REDIS);
    assert_true(l.a.stack->to_main);
    assert_int_equal(l.a.loop_run_frames, 1);
    assert_int_equal(l.a.stack->culprit, -1); // it waits for work
    stack_unref(l.a.stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node),
        cmocka_unit_test(python),
        cmocka_unit_test(redis),
    };
    return cmocka_run_group_tests_name("runtimes", tests, NULL, NULL);
}
