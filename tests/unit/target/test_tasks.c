// Tasks between readings: ages, reused addresses, what only two readings tell, the page wished for.
#include "fakes.h"

#include <string.h>

#include "agent/target/assemble.h"
#include "agent/target/tasks.h"

static const struct identity asyncio = {.runtime = RUNTIME_ASYNCIO, .uv_backend_fd = -1};

static struct task_row row(uint64_t address, const char *name)
{
    return (struct task_row){.address = address,
                             .number = (int64_t)address,
                             .name = name,
                             .coroutine = "worker",
                             .spawn_site = "/app.py:4",
                             .state = TASK_WAITING,
                             .sleep_since_ns = SNAP_UNKNOWN};
}

static void read_tasks(struct world *w, const struct task_row *rows, int n)
{
    tasks_tick(&w->m, w->proc);
    assert_non_null(w->stacker.tasks_arg);
    void *arg = w->stacker.tasks_arg;
    w->stacker.tasks_arg = NULL;
    w->stacker.tasks_cb(arg, &(struct tasks_answer){.nrows = n, .rows = rows, .total = n});
}

static struct world *with_tasks(void)
{
    struct world *w = world_new();
    world_identify(w, &asyncio);
    w->m.wishes.tasks = (struct wish_rows){.until_ns = INT64_MAX, .count = 100, .state = -1};
    return w;
}

static struct snap *assembled(struct world *w)
{
    struct snap *s = snap_new();
    assemble(&w->m, s);
    return s;
}

static void test_ages_count_from_the_first_reading_to_the_last(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row rows[] = {row(1, "a"), row(2, "b")};
    read_tasks(w, rows, 1);
    world_pass(w, 3000 * MS);
    read_tasks(w, rows, 2);
    world_pass(w, 2000 * MS);
    struct snap *s = assembled(w);
    assert_int_equal(s->ntasks, 2);
    assert_int_equal(s->tasks_total, 2);
    assert_int_equal(s->tasks_by_state[TASK_WAITING], 2);
    assert_int_equal(s->tasks[0].age_ns, 3000 * MS); // whether it lives since then is not known
    assert_int_equal(s->tasks[1].age_ns, 0);
    assert_int_equal(s->task_sites[0].live, 2);
    assert_int_equal(s->task_sites[0].spawned, 1); // the first was there before us
    snap_unref(s);
    world_free(w);
}

// A stall's stack knows its task by the object; people find it in the table by its id.
static void test_a_task_is_known_by_its_address(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    assert_null(tasks_id(w->proc, "0x7f20")); // nothing was read yet
    struct task_row rows[] = {row(0x7f10, "a"), row(0x7f20, "b")};
    read_tasks(w, rows, 2);
    struct snap *s = assembled(w);
    assert_string_equal(tasks_id(w->proc, "0x7f20"), s->tasks[1].id);
    assert_null(tasks_id(w->proc, "0x7f30"));
    assert_null(tasks_id(w->proc, "32544")); // the runtime's own number
    snap_unref(s);
    world_free(w);
}

static void test_culprit_is_where_the_program_waits(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    const struct frame chain[] = {
        {.function = "Lock.acquire", .runtime = true}, {.function = "move"}, {.function = "main"}};
    struct task_row a = row(1, "a");
    a.chain = chain;
    a.nchain = 3;
    read_tasks(w, &a, 1);
    struct snap *s = assembled(w);
    assert_int_equal(s->tasks[0].chain->culprit, 1);
    snap_unref(s);
    world_free(w);
}

static void test_reused_address_is_another_task(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row a = row(1, "a"), b = row(1, "b");
    read_tasks(w, &a, 1);
    struct snap *s = assembled(w);
    char first[24];
    strcpy(first, s->tasks[0].id);
    snap_unref(s);
    world_pass(w, 2000 * MS);
    read_tasks(w, &b, 1);
    s = assembled(w);
    assert_int_equal(s->ntasks, 1);
    assert_string_not_equal(s->tasks[0].id, first);
    assert_int_equal(s->tasks[0].age_ns, 0);
    snap_unref(s);
    world_free(w);
}

static void test_lost_awaiter_is_a_timeout(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row a = row(1, "a");
    a.awaiter = 2;
    read_tasks(w, &a, 1);
    world_pass(w, 2000 * MS);
    a.awaiter = 0;
    read_tasks(w, &a, 1);
    struct snap *s = assembled(w);
    assert_true(s->tasks[0].flags & TASKF_TIMED_OUT);
    snap_unref(s);
    world_pass(w, 2000 * MS);
    a.flags = TASKF_CANCEL_REQUESTED; // it is being ended: no runaway
    read_tasks(w, &a, 1);
    s = assembled(w);
    assert_false(s->tasks[0].flags & TASKF_TIMED_OUT);
    snap_unref(s);
    world_free(w);
}

static void test_one_far_above_its_peers_is_stuck(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row rows[20];
    for (int i = 0; i < 20; i++)
        rows[i] = row((uint64_t)i + 1, "w");
    read_tasks(w, rows, 1);
    world_pass(w, 40000 * MS);
    read_tasks(w, rows, 20);
    world_pass(w, 2000 * MS);
    read_tasks(w, rows, 20);
    struct snap *s = assembled(w);
    int stuck = 0;
    for (int i = 0; i < s->ntasks; i++)
        stuck += (s->tasks[i].flags & TASKF_STUCK) != 0;
    assert_int_equal(stuck, 1);
    assert_true(s->tasks[0].flags & TASKF_STUCK); // the oldest is first
    assert_int_equal(s->ntask_sites, 1);
    assert_int_equal(s->task_sites[0].p99_ns, 42000 * MS); // of twenty the longest
    assert_int_equal(s->task_sites[0].mean_ns, (42000 + 19 * 2000) * MS / 20);
    snap_unref(s);
    world_free(w);
}

// Most of those that live are stuck; what has ended tells that it is not usual.
static void test_many_stuck_among_few_are_told_by_those_that_ended(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row rows[12];
    for (int i = 0; i < 10; i++)
        rows[i] = row((uint64_t)i + 1, "w");
    read_tasks(w, rows, 10);
    for (int k = 0; k < 40; k++) { // each reading finds one that is new, and the one before gone
        rows[10] = row((uint64_t)k + 100, "w");
        rows[10].number = k + 100;
        world_pass(w, 1000 * MS);
        read_tasks(w, rows, 11);
    }
    struct snap *s = assembled(w);
    int stuck = 0;
    for (int i = 0; i < s->ntasks; i++)
        stuck += (s->tasks[i].flags & TASKF_STUCK) != 0;
    assert_int_equal(stuck, 10);
    snap_unref(s);
    world_free(w);
}

static void test_ends_are_counted_once(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row a = row(1, "a");
    read_tasks(w, &a, 1);
    a.state = TASK_FAILED;
    for (int i = 0; i < 3; i++) {
        world_pass(w, 2000 * MS);
        read_tasks(w, &a, 1);
    }
    struct snap *s = assembled(w);
    assert_int_equal(s->task_sites[0].live, 0);
    assert_int_equal(s->task_sites[0].failed, 1);
    assert_int_equal(s->task_sites[0].completed, 0);
    snap_unref(s);
    world_free(w);
}

static void test_page_filter_and_sort(void **state)
{
    (void)state;
    struct world *w = with_tasks();
    struct task_row rows[] = {row(1, "beta"), row(2, "alpha"), row(3, "gamma")};
    rows[2].state = TASK_READY;
    read_tasks(w, rows, 3);
    strcpy(w->m.wishes.tasks.sort, "name");
    w->m.wishes.tasks.count = 2;
    struct snap *s = assembled(w);
    assert_int_equal(s->ntasks, 2);
    assert_string_equal(s->tasks[0].name, "alpha");
    assert_string_equal(s->tasks[1].name, "beta");
    snap_unref(s);
    strcpy(w->m.wishes.tasks.filter, "!alpha");
    w->m.wishes.tasks.count = 100;
    s = assembled(w);
    assert_int_equal(s->ntasks, 2);
    snap_unref(s);
    w->m.wishes.tasks.filter[0] = '\0';
    w->m.wishes.tasks.state = TASK_READY;
    s = assembled(w);
    assert_int_equal(s->ntasks, 1);
    assert_string_equal(s->tasks[0].name, "gamma");
    snap_unref(s);
    w->m.wishes.tasks.until_ns = 0; // nobody looks: no rows, still the totals
    s = assembled(w);
    assert_int_equal(s->ntasks, 0);
    assert_int_equal(s->tasks_total, 3);
    snap_unref(s);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ages_count_from_the_first_reading_to_the_last),
        cmocka_unit_test(test_a_task_is_known_by_its_address),
        cmocka_unit_test(test_culprit_is_where_the_program_waits),
        cmocka_unit_test(test_reused_address_is_another_task),
        cmocka_unit_test(test_lost_awaiter_is_a_timeout),
        cmocka_unit_test(test_one_far_above_its_peers_is_stuck),
        cmocka_unit_test(test_many_stuck_among_few_are_told_by_those_that_ended),
        cmocka_unit_test(test_ends_are_counted_once),
        cmocka_unit_test(test_page_filter_and_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
