// asyncio's tasks from outside against the program's own account, and against a program that makes
// and ends tasks all the time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "interpreters.h"
#include "live.h"

static const struct task_row *find(const struct tasks_answer *a, const char *name)
{
    for (int i = 0; i < a->nrows; i++)
        if (a->rows[i].name && !strcmp(a->rows[i].name, name))
            return &a->rows[i];
    return NULL;
}

static const struct task_row *at(const struct tasks_answer *a, uint64_t address)
{
    for (int i = 0; address && i < a->nrows; i++)
        if (a->rows[i].address == address)
            return &a->rows[i];
    return NULL;
}

static const char *state_name(enum task_state s)
{
    return s == TASK_WAITING ? "waiting" : s == TASK_FAILED ? "failed" : "other";
}

static const char *last_part(const char *qualname)
{
    const char *dot = strrchr(qualname, '.');
    return dot ? dot + 1 : qualname;
}

// One line of the program's account: name|coroutine|state|awaiter|functions, outermost first.
static void check_task(const struct tasks_answer *a, char *line)
{
    char *field[5] = {NULL}, chain[512] = "";
    for (int i = 0; i < 5; i++)
        field[i] = strsep(&line, "|");
    const struct task_row *r = find(a, field[0]);
    if (!r)
        fail_msg("no task %s", field[0]);
    assert_string_equal(r->coroutine, field[1]);
    assert_string_equal(state_name(r->state), field[2]);
    const struct task_row *by = at(a, r->awaiter);
    assert_string_equal(by ? by->name : "-", field[3]);
    for (int i = r->nchain - 1; i >= 0; i--) {
        strcat(chain, last_part(r->chain[i].function));
        strcat(chain, i ? " " : "");
    }
    assert_string_equal(chain, field[4]);
    assert_false(r->flags & TASKF_UNSTABLE);
}

static void check_flags(const struct tasks_answer *a)
{
    assert_true(find(a, "orphan")->flags & TASKF_ORPHANED);
    assert_false(find(a, "future")->flags & TASKF_ORPHANED);
    assert_true(find(a, "ring-a")->flags & TASKF_CYCLE);
    assert_false(find(a, "above")->flags & TASKF_CYCLE);
    assert_true(find(a, "fails")->flags & TASKF_ERROR_UNREAD);
    assert_string_equal(find(a, "fails")->error, "ValueError: lost");
    const struct task_row *deep = find(a, "deep");
    assert_int_equal(deep->chain[1].line, 16); // of leaf, where it awaits the sleep
    assert_non_null(strstr(deep->spawn_site, "scene.py:23"));
    assert_non_null(strstr(deep->await_site, "scene.py:16"));
    assert_string_equal(deep->waits_on, "sleep");
}

static bool has_never_awaited(const struct tasks_answer *a)
{
    for (int i = 0; i < a->nrows; i++)
        if (a->rows[i].flags & TASKF_NEVER_AWAITED && !strcmp(a->rows[i].coroutine, "never"))
            return true;
    return false;
}

// The fields of a line are two or more spaces apart.
static int split_columns(char *line, char **fields, int max)
{
    int n = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *at = line, *end; at && n < max; at = end) {
        at += strspn(at, " ");
        end = strstr(at, "  ");
        if (end)
            *end++ = 0;
        if (*at)
            fields[n++] = at;
    }
    return n;
}

// tid, task, name, stack, the awaiter's stack and name if there is one, the awaiter's address. CPython's
// own stacks end where they come to an async generator; ours go on.
static void check_row_of_ps(const struct tasks_answer *a, char *line)
{
    char *field[8], chain[512] = "";
    int n = split_columns(line, field, 8);
    assert_in_range(n, 5, 7);
    const struct task_row *r = at(a, strtoull(field[1], NULL, 16));
    assert_non_null(r);
    assert_string_equal(r->name, field[2]);
    for (int i = 0; i < r->nchain; i++) {
        strcat(chain, i ? " -> " : "");
        strcat(chain, r->chain[i].function);
    }
    size_t ours = strlen(chain), theirs = strlen(field[3]);
    assert_true(ours >= theirs);
    assert_string_equal(chain + ours - theirs, field[3]);
    assert_int_equal(r->awaiter, strtoull(field[n - 1], NULL, 16));
}

// From 3.14 on CPython can say it itself.
static void compare_with_ps(const char *program, const struct live *l, const struct tasks_answer *a)
{
    char command[256], line[1024];
    int rows = 0, minor = 0;
    if (sscanf(l->version, "3.%d", &minor) != 1 || minor < 14)
        return;
    snprintf(command, sizeof command, "%s -m asyncio ps %d </dev/null", program, l->pid);
    FILE *ps = popen(command, "re");
    assert_non_null(ps);
    while (fgets(line, sizeof line, ps))
        if (*line >= '1' && *line <= '9') {
            check_row_of_ps(a, line);
            rows++;
        }
    assert_int_equal(pclose(ps), 0);
    assert_int_equal(rows, a->total);
}

static void scene(const char *program, const char *loop)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, SCENE_PY, loop, NULL};
    struct tasks_answer a;
    char lines[16][256];
    int n = 0;
    assert_true(live_start(l, argv));
    while (n < 16 && live_read_line(l, lines[n], sizeof lines[n]) && !strncmp(lines[n], "TASK ", 5))
        n++;
    assert_int_equal(n, 11); // and END: nothing moves any more
    usleep(50000);
    if (!live_attach(l, "CPython"))
        fail_msg("%s: %s", program, l->note);
    live_tasks(l, false, 1000, &a);
    assert_null(a.why_not);
    assert_int_equal(a.total, a.nrows);
    compare_with_ps(program, l, &a);
    bool unlinked = !find(&a, "fails"); // from 3.14 on only the collector still has it
    live_tasks(l, true, 1000, &a);
    assert_true(!unlinked || find(&a, "fails"));
    for (int i = 0; i < n; i++) {
        lines[i][strcspn(lines[i], "\n")] = 0;
        check_task(&a, lines[i] + 5);
    }
    check_flags(&a);
    assert_true(has_never_awaited(&a));
    live_stop(l);
    free(l);
}

static void run_scene(const char *program)
{
    scene(program, NULL);
}

static void test_scene(void **state)
{
    (void)state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", run_scene) > 0);
}

static void test_uvloop(void **state)
{
    (void)state;
    if (system("/usr/bin/python3 -c 'import uvloop' 2>/dev/null") != 0)
        skip();
    scene("/usr/bin/python3", "uvloop");
}

struct tally {
    int sleepers, whole, wrong, stable, workers;
};

static void judge(const struct task_row *r, struct tally *t)
{
    bool stable = !(r->flags & TASKF_UNSTABLE);
    if (stable && r->name && r->name[0] == 's') {
        t->sleepers++;
        t->whole += r->nchain == 3;
    }
    if (!r->name || r->name[0] != 'w')
        return;
    t->workers++;
    if (!stable)
        return;
    t->stable++;
    int k = atoi(r->name + 1) % 8;
    for (int i = 0; i < r->nchain; i++) {
        const char *under = strrchr(r->chain[i].function, '_');
        t->wrong += under && under[1] >= '0' && under[1] <= '9' && atoi(under + 1) != k;
    }
}

static void churn(const char *program)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, CHURN_PY, "5000", "50000", NULL};
    assert_true(live_start(l, argv));
    assert_true(live_attach(l, "CPython"));
    int workers = 0;
    for (int round = 0; round < 20; round++) {
        struct tasks_answer a;
        struct tally t = {0};
        live_tasks(l, false, 10000, &a);
        for (int i = 0; i < a.nrows; i++)
            judge(&a.rows[i], &t);
        if (t.sleepers != 5000 || t.whole != 5000 || t.wrong)
            fail_msg("%s, round %d: %d sleepers, %d whole, %d wrong of %d stable, cut %ld", program,
                     round, t.sleepers, t.whole, t.wrong, t.stable, (long)a.cut);
        workers += t.workers;
    }
    assert_true(workers > 0);
    live_stop(l);
    free(l);
}

static void test_churn(void **state)
{
    (void)state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", churn) > 0);
}

static void test_row_limit(void **state)
{
    (void)state;
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {"/usr/bin/python3", SCENE_PY, NULL};
    struct tasks_answer a;
    assert_true(live_start(l, argv));
    assert_true(live_attach(l, "CPython"));
    live_tasks(l, false, 5, &a);
    assert_int_equal(a.nrows, 5);
    assert_true(a.total > 5);
    assert_int_equal(a.cut, a.total - 5);
    assert_non_null(find(&a, "orphan")); // what has something to report comes first
    assert_non_null(find(&a, "ring-a") ? find(&a, "ring-a") : find(&a, "fails"));
    live_stop(l);
    free(l);
}

// argv[1]: whether a group's child fails, or the task is cancelled and goes on.
#define GROUP_PY                                                                                   \
    "import asyncio, sys\n"                                                                        \
    "async def fails():\n"                                                                         \
    "    raise ValueError\n"                                                                       \
    "async def grouped():\n"                                                                       \
    "    try:\n"                                                                                   \
    "        async with asyncio.TaskGroup() as g:\n"                                               \
    "            g.create_task(fails())\n"                                                         \
    "    except* ValueError:\n"                                                                    \
    "        pass\n"                                                                               \
    "    await asyncio.sleep(3600)\n"                                                              \
    "async def goes_on():\n"                                                                       \
    "    try:\n"                                                                                   \
    "        await asyncio.sleep(3600)\n"                                                          \
    "    except asyncio.CancelledError:\n"                                                         \
    "        await asyncio.sleep(3600)\n"                                                          \
    "async def main():\n"                                                                          \
    "    wrong = sys.argv[1] == 'cancelled'\n"                                                     \
    "    t = asyncio.create_task(goes_on() if wrong else grouped(), name='it')\n"                  \
    "    await asyncio.sleep(0.1)\n"                                                               \
    "    if wrong:\n"                                                                              \
    "        t.cancel()\n"                                                                         \
    "        await asyncio.sleep(0.1)\n"                                                           \
    "    assert t.cancelling() == 1 or sys.version_info >= (3, 13)\n"                              \
    "    print('READY', flush=True)\n"                                                             \
    "    await asyncio.sleep(3600)\n"                                                              \
    "asyncio.run(main())\n"

static bool is_cancel_seen(const char *python, const char *how)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {python, "-c", GROUP_PY, how, NULL};
    struct tasks_answer a;
    assert_true(live_start(l, argv));
    assert_true(live_attach(l, "CPython"));
    live_tasks(l, false, 100, &a);
    assert_non_null(find(&a, "it"));
    bool seen = find(&a, "it")->flags & TASKF_CANCEL_REQUESTED;
    live_stop(l);
    free(l);
    return seen;
}

static void test_the_cancel_that_a_group_leaves_behind_is_none(void **state)
{
    (void)state;
    assert_false(is_cancel_seen("/usr/bin/python3", "grouped"));
    assert_true(is_cancel_seen("/usr/bin/python3", "cancelled"));
}

// Tasks that wait in asyncio's own primitives. What their names begin with says what is expected of them: "cross" wait
// for each other, "lost" can be woken by nothing, all others are in order.
#define WAITS_PY                                                                                   \
    "import asyncio, sys\n"                                                                        \
    "tasks, kept = [], []\n"                                                                       \
    "def go(coroutine, name):\n"                                                                   \
    "    t = asyncio.get_running_loop().create_task(coroutine, name=name)\n"                       \
    "    tasks.append(t)\n"                                                                        \
    "    return t\n"                                                                               \
    "async def nested(first, second):\n"                                                           \
    "    async with first:\n"                                                                      \
    "        await asyncio.sleep(0.02)\n"                                                          \
    "        async with second:\n"                                                                 \
    "            pass\n"                                                                           \
    "async def takes(lock):\n"                                                                     \
    "    async with lock:\n"                                                                       \
    "        await asyncio.sleep(3600)\n"                                                          \
    "async def keeps_from_child(lock):\n"                                                          \
    "    async with lock:\n"                                                                       \
    "        await asyncio.gather(go(takes(lock), 'cross-child'))\n"                               \
    "async def waits(condition):\n"                                                                \
    "    async with condition:\n"                                                                  \
    "        await condition.wait()\n"                                                             \
    "async def gets(queue):\n"                                                                     \
    "    while True:\n"                                                                            \
    "        await queue.get()\n"                                                                  \
    "async def puts(queue):\n"                                                                     \
    "    await queue.put(1)\n"                                                                     \
    "    await asyncio.sleep(0.01)\n"                                                              \
    "    raise ValueError\n"                                                                       \
    "async def awaits(event):\n"                                                                   \
    "    await event.wait()\n"                                                                     \
    "async def deep(event):\n"                                                                     \
    "    await awaits(event)\n"                                                                    \
    "async def forever():\n"                                                                       \
    "    await asyncio.Event().wait()\n"                                                           \
    "async def limited(event):\n"                                                                  \
    "    await asyncio.wait_for(event.wait(), 3600)\n"                                             \
    "async def crossing():\n"                                                                      \
    "    a, b = asyncio.Lock(), asyncio.Lock()\n"                                                  \
    "    c = asyncio.Condition(asyncio.Lock())\n"                                                  \
    "    await asyncio.gather(go(nested(a, b), 'cross-a'), go(nested(b, a), 'cross-b'),\n"         \
    "        go(nested(c, a), 'behind'), go(keeps_from_child(asyncio.Lock()), 'cross-parent'))\n"  \
    "async def dead_producer():\n"                                                                 \
    "    q = asyncio.Queue()\n"                                                                    \
    "    p = go(puts(q), 'producer')\n"                                                            \
    "    await asyncio.gather(go(gets(q), 'lost-get-1'), go(gets(q), 'lost-get-2'))\n"             \
    "async def full_queue():\n"                                                                    \
    "    q = asyncio.Queue(1)\n"                                                                   \
    "    q.put_nowait(0)\n"                                                                        \
    "    await go(puts(q), 'lost-put')\n"                                                          \
    "async def unset_event():\n"                                                                   \
    "    e = asyncio.Event()\n"                                                                    \
    "    await go(deep(e), 'lost-event')\n"                                                        \
    "class Box:\n"                                                                                 \
    "    def __init__(self):\n"                                                                    \
    "        self.event = asyncio.Event()\n"                                                       \
    "async def in_object(box):\n"                                                                  \
    "    await go(awaits(box.event), 'lost-box')\n"                                                \
    "async def never_released():\n"                                                                \
    "    lock = asyncio.Lock()\n"                                                                  \
    "    await lock.acquire()\n"                                                                   \
    "    await go(nested(lock, lock), 'lost-lock')\n"                                              \
    "async def holding():\n"                                                                       \
    "    lock, c, q = asyncio.Lock(), asyncio.Condition(), asyncio.Queue()\n"                      \
    "    async def later():\n"                                                                     \
    "        await asyncio.sleep(3600)\n"                                                          \
    "        q.put_nowait(1)\n"                                                                    \
    "    await asyncio.gather(go(takes(lock), 'holds'), go(takes(lock), 'queued'), go(waits(c), "  \
    "'condition'),\n"                                                                              \
    "        go(takes(c), 'holds-condition'), go(gets(q), 'fed'), go(later(), 'later'))\n"         \
    "async def in_closure():\n"                                                                    \
    "    e = asyncio.Event()\n"                                                                    \
    "    def sets():\n"                                                                            \
    "        e.set()\n"                                                                            \
    "    asyncio.get_running_loop().call_later(3600, sets)\n"                                      \
    "    await go(awaits(e), 'closure')\n"                                                         \
    "async def in_timer():\n"                                                                      \
    "    e = asyncio.Event()\n"                                                                    \
    "    asyncio.get_running_loop().call_later(3600, e.set)\n"                                     \
    "    await go(awaits(e), 'timer')\n"                                                           \
    "async def in_global():\n"                                                                     \
    "    e = asyncio.Event()\n"                                                                    \
    "    kept.append(e)\n"                                                                         \
    "    await go(awaits(e), 'global')\n"                                                          \
    "async def in_weak():\n"                                                                       \
    "    e = asyncio.Event()\n"                                                                    \
    "    kept.append(__import__('weakref').ref(e))\n"                                              \
    "    await go(awaits(e), 'weak')\n"                                                            \
    "async def with_limit():\n"                                                                    \
    "    e = asyncio.Event()\n"                                                                    \
    "    await asyncio.gather(go(limited(e), 'limited'), go(awaits(e), 'beside'))\n"               \
    "async def in_task():\n"                                                                       \
    "    e = asyncio.Event()\n"                                                                    \
    "    async def sets():\n"                                                                      \
    "        await asyncio.sleep(3600)\n"                                                          \
    "        e.set()\n"                                                                            \
    "    go(sets(), 'sets')\n"                                                                     \
    "    await go(awaits(e), 'set')\n"                                                             \
    "async def main():\n"                                                                          \
    "    for f in (crossing, dead_producer, full_queue, unset_event, never_released, holding,\n"   \
    "              in_closure, in_timer, in_global, in_weak, with_limit, in_task, forever):\n"     \
    "        go(f(), 'p-' + f.__name__)\n"                                                         \
    "    kept.append(in_object(Box()))\n"                                                          \
    "    go(kept[-1], 'p-held')\n"                                                                 \
    "    await asyncio.sleep(0.2)\n"                                                               \
    "    print('READY', flush=True)\n"                                                             \
    "    await asyncio.sleep(3600)\n"                                                              \
    "asyncio.run(main())\n"

static void check_wait(const char *program, const struct task_row *r)
{
    bool crosses = !strncmp(r->name, "cross", 5), lost = !strncmp(r->name, "lost", 4);
    if (!(r->flags & TASKF_CYCLE) != !crosses)
        fail_msg("%s: %s is %s on a cycle", program, r->name, crosses ? "not" : "told");
    if (lost != ((r->flags & TASKF_NO_WAKER) != 0) && strcmp(r->name, "behind") != 0)
        fail_msg("%s: %s is %s lost", program, r->name, lost ? "not" : "told");
}

static void waits_of(const char *program)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, "-c", WAITS_PY, NULL};
    struct tasks_answer a;
    assert_true(live_start(l, argv));
    assert_true(live_attach(l, "CPython"));
    for (int round = 0; round < 3; round++) {
        live_tasks(l, false, 1000, &a);
        assert_null(a.why_not);
        for (int i = 0; i < a.nrows; i++)
            check_wait(program, &a.rows[i]);
        assert_non_null(find(&a, "cross-b"));
        assert_non_null(find(&a, "lost-put"));
        assert_string_equal(find(&a, "cross-a")->waits_on, "a lock that task cross-b holds");
        assert_int_equal(find(&a, "cross-a")->awaiter, find(&a, "cross-b")->address);
    }
    live_stop(l);
    free(l);
}

static void test_waits_in_primitives(void **state)
{
    (void)state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", waits_of) > 0);
}

static void fine_of(const char *program)
{
    struct live *l = calloc(1, sizeof *l);
    const char *argv[] = {program, FINE_PY, NULL};
    struct tasks_answer a;
    assert_true(live_start(l, argv));
    assert_true(live_attach(l, "CPython"));
    for (int round = 0; round < 3; round++) {
        live_tasks(l, false, 1000, &a);
        assert_true(a.nrows > 40);
        for (int i = 0; i < a.nrows; i++)
            if (a.rows[i].flags & (TASKF_CYCLE | TASKF_NO_WAKER))
                fail_msg("%s: %s at %s is told", program, a.rows[i].name, a.rows[i].await_site);
    }
    live_stop(l);
    free(l);
}

static void test_usual_waits_are_fine(void **state)
{
    (void)state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", fine_of) > 0);
}

int main(void)
{
    struct capture *c = capture_open(getpid());
    if (!c) {
        puts("skipped: perf events are not permitted");
        return 77;
    }
    capture_close(c);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scene),
        cmocka_unit_test(test_uvloop),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_row_limit),
        cmocka_unit_test(test_the_cancel_that_a_group_leaves_behind_is_none),
        cmocka_unit_test(test_waits_in_primitives),
        cmocka_unit_test(test_usual_waits_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
