// The live table and the event ring, read from outside; hooks; what a fork leaves.
#include "lib_test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "table_reader.h"

static int64_t forever(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC(3600));
}

TEST(shows_tasks_as_they_are)
{
    struct table_reader r;
    struct ls_abi_task s;
    char text[256], expected[64];
    struct ls_deadline d;
    unsigned line = __LINE__ + 1;
    ls_task t = ls_spawn(forever, NULL);
    assert_int_equal(reader_open(&r, getpid()), 0);
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 1);
    assert_int_equal(s.id, t.id);
    assert_int_equal(s.state, LS_ABI_NEW);
    assert_int_equal(s.parent, ls_self().id);
    snprintf(expected, sizeof(expected), "test_table.c:%u forever", line);
    assert_string_equal(reader_site(&r, s.spawn_site, text, sizeof(text)), expected);
    ls_set_name(t, "sleeper");
    ls_yield();
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 1);
    assert_int_equal(s.state, LS_ABI_WAITING);
    assert_int_equal(s.wait, LS_ABI_WAIT_SLEEP);
    assert_int_equal(s.steps, 1);
    assert_string_equal(s.name, "sleeper");
    assert_true(strstr(reader_site(&r, s.await_site, text, sizeof(text)), "test_table.c:") == text);
    uint64_t saved_sp = *(uint64_t *)(uintptr_t)s.context;
    assert_in_range(saved_sp, s.context - r.header.stack_size, s.context);
    ls_cancel(t);
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 1);
    assert_true(s.flags & LS_ABI_CANCEL_REQUESTED);
    assert_true(s.cancel_ns > 0);
    assert_int_equal(s.state, LS_ABI_READY);
    ls_yield();
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 1);
    assert_int_equal(s.state, LS_ABI_CANCELLED);
    assert_int_equal(s.error, -ECANCELED);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 0);
    ls_deadline_begin(&d, LS_SEC(100));
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(ls_self().id), &s), 1);
    assert_int_equal(s.state, LS_ABI_RUNNING);
    assert_true(s.deadline_ns > (uint64_t)ls_now());
    ls_deadline_end(&d);
}

static int64_t take_and_give(void *arg)
{
    ls_sem *s = arg;
    int r = ls_sem_acquire(s, LS_FOREVER);
    return r < 0 ? r : ls_sem_release(s);
}

// The id at what the task waits for.
static uint64_t holder_of_what_it_wants(struct table_reader *r, ls_task t)
{
    struct ls_abi_task s;
    assert_int_equal(reader_slot(r, LS_ABI_SLOT_OF(t.id), &s), 1);
    assert_int_equal(s.wait, LS_ABI_WAIT_SEM);
    return *(uint64_t *)(uintptr_t)s.wait_object;
}

TEST(a_semaphore_of_one_permit_tells_who_has_it)
{
    struct table_reader r;
    ls_sem *s;
    assert_int_equal(reader_open(&r, getpid()), 0);
    assert_int_equal(ls_sem_new(&s, 1), 0);
    assert_int_equal(ls_sem_acquire(s, 0), 0);
    ls_task first = ls_spawn(take_and_give, s), second = ls_spawn(take_and_give, s);
    ls_yield();
    assert_int_equal(holder_of_what_it_wants(&r, first), ls_self().id);
    assert_int_equal(ls_sem_release(s), 0); // goes to the first waiter
    assert_int_equal(holder_of_what_it_wants(&r, second), first.id);
    assert_int_equal(ls_await(first), 0);
    assert_int_equal(ls_await(second), 0);

    assert_int_equal(ls_sem_acquire(s, 0), 0);
    ls_task other = ls_spawn(take_and_give, s);
    ls_yield();
    assert_int_equal(ls_sem_release(s), 0);
    assert_int_equal(ls_sem_release(s), 0); // by one who does not have it: it is no lock
    assert_int_equal(ls_await(other), 0);
    while (ls_sem_count(s) > 0)
        assert_int_equal(ls_sem_acquire(s, 0), 0);
    other = ls_spawn(take_and_give, s);
    ls_yield();
    assert_int_equal(holder_of_what_it_wants(&r, other), 0);
    assert_int_equal(ls_sem_release(s), 0);
    assert_int_equal(ls_await(other), 0);
    assert_int_equal(ls_sem_free(s), 0);
}

static int64_t main_site(void *arg)
{
    struct table_reader r;
    struct ls_abi_task s;
    char text[256];
    assert_int_equal(reader_open(&r, getpid()), 0);
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(ls_self().id), &s), 1);
    assert_true(s.flags & LS_ABI_ROOT);
    assert_string_equal(reader_site(&r, s.spawn_site, text, sizeof(text)), arg);
    return 0;
}

static void the_main_task_is_spawned_where_ls_run_is_called(void **state)
{
    char expected[64];
    (void)state;
    snprintf(expected, sizeof(expected), "test_table.c:%u main", __LINE__ + 1);
    assert_int_equal(ls_run(main_site, expected), 0);
    snprintf(expected, sizeof(expected), "test_table.c:%u main", __LINE__ + 2);
    struct ls_options options = {.name = "second"};
    assert_int_equal(ls_run_with(&options, main_site, expected), 0);
}

TEST(shows_the_loop)
{
    struct table_reader r;
    struct ls_abi_loop l;
    assert_int_equal(reader_open(&r, getpid()), 0);
    uint64_t first = 0, before = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(reader_copy(&r, &l, r.header.loops_offset, sizeof(l)), 0);
        assert_int_equal(l.tid, gettid());
        assert_int_equal(l.current, ls_self().id);
        assert_true(l.busy_since_ns > 0 && l.busy_since_ns <= (uint64_t)ls_now());
        assert_true(l.iteration >= before);
        before = l.iteration;
        first = i == 0 ? before : first;
        ls_sleep(LS_MSEC(2)); // may end in the same iteration, once
    }
    assert_true(before > first);
}

static uint64_t slot_busy(const struct table_reader *r)
{
    struct ls_abi_task s;
    assert_int_equal(reader_slot(r, LS_ABI_SLOT_OF(ls_self().id), &s), 1);
    return s.busy_ns;
}

TEST(busy_time_of_a_blocking_step_is_seen_without_a_watcher)
{
    struct table_reader r;
    assert_int_equal(reader_open(&r, getpid()), 0);
    ls_sleep(LS_MSEC(1));
    uint64_t before = slot_busy(&r);
    int64_t began = ls_now();
    usleep(20000);
    ls_sleep(LS_MSEC(1));
    assert_in_range(slot_busy(&r) - before, 19000000, ls_now() - began);
}

// ---- times while somebody watches: short steps share readings of the clock, long ones do not

#define SHORT_STEPS 20000

struct stepper {
    int64_t blocked_ns; // how long it was in its long steps, by its own clock
    uint64_t busy_ns;   // by the table, at its end
};

static int64_t blocks_now_and_then(void *arg)
{
    struct stepper *s = arg;
    struct table_reader r;
    for (int i = 0; i < 20; i++) {
        int64_t began = ls_now();
        usleep(1000);
        s->blocked_ns += ls_now() - began;
        ls_yield();
    }
    if (reader_open(&r, getpid()) < 0)
        return -EIO;
    s->busy_ns = slot_busy(&r);
    return 0;
}

static bool stop_stepping;

static int64_t steps_shortly(void *arg)
{
    struct table_reader r;
    struct stepper *s = arg;
    if (reader_open(&r, getpid()) < 0)
        return -EIO;
    while (!stop_stepping)
        ls_yield();
    s->busy_ns = slot_busy(&r);
    return 0;
}

// Two tasks that only make short steps, until the long ones of a third come between: those are its own, whole.
TEST(long_steps_among_short_ones_are_told_whole)
{
    struct stepper shorts[2] = {{0}}, blocker = {0};
    assert_int_equal(ls_watch(ls_loop_current(), true), 0);
    stop_stepping = false;
    ls_task a = ls_spawn(steps_shortly, &shorts[0]), b = ls_spawn(steps_shortly, &shorts[1]);
    for (int i = 0; i < SHORT_STEPS; i++)
        ls_yield();
    ls_task c = ls_spawn(blocks_now_and_then, &blocker);
    assert_int_equal(ls_await(c), 0);
    stop_stepping = true;
    assert_int_equal(ls_await(a), 0);
    assert_int_equal(ls_await(b), 0);
    assert_int_equal(ls_watch(ls_loop_current(), false), 0);
    assert_true(blocker.busy_ns >= (uint64_t)blocker.blocked_ns * 99 / 100);
}

static int64_t long_at_last(void *arg)
{
    struct stepper *s = arg;
    struct table_reader r;
    for (int i = 0; i < SHORT_STEPS; i++)
        ls_yield();
    int64_t began = ls_now();
    usleep(20000);
    s->blocked_ns = ls_now() - began;
    for (int i = 0; i < 100; i++) // it is read by then
        ls_yield();
    if (reader_open(&r, getpid()) < 0)
        return -EIO;
    s->busy_ns = slot_busy(&r);
    return 0;
}

// The first long step of a task that had only short ones may be divided among its neighbours; none of it is lost.
TEST(a_long_step_among_short_ones_is_not_lost)
{
    struct stepper other = {0}, s = {0};
    assert_int_equal(ls_watch(ls_loop_current(), true), 0);
    stop_stepping = false;
    ls_task a = ls_spawn(steps_shortly, &other), c = ls_spawn(long_at_last, &s);
    int64_t began = ls_now();
    assert_int_equal(ls_await(c), 0);
    int64_t took = ls_now() - began;
    stop_stepping = true;
    assert_int_equal(ls_await(a), 0);
    assert_int_equal(ls_watch(ls_loop_current(), false), 0);
    assert_true(s.busy_ns + other.busy_ns >= (uint64_t)s.blocked_ns);
    assert_true(s.busy_ns <= (uint64_t)took);
}

#define SHORT_LIVES 2000
#define LONG_LIVES  12

static int64_t short_or_long(void *arg)
{
    struct stepper *s = arg;
    struct table_reader r;
    if (!s)
        return 0;
    int64_t began = ls_now();
    usleep(1000);
    s->blocked_ns = ls_now() - began;
    ls_yield();
    if (reader_open(&r, getpid()) < 0)
        return -EIO;
    s->busy_ns = slot_busy(&r);
    return 0;
}

// New tasks of a site whose tasks were all short share readings at once; after a long one they do not.
TEST(a_site_that_turns_long_is_timed_alone_again)
{
    struct stepper longs[LONG_LIVES] = {{0}};
    assert_int_equal(ls_watch(ls_loop_current(), true), 0);
    int64_t began = ls_now();
    for (int i = 0; i < SHORT_LIVES + LONG_LIVES; i++) {
        struct stepper *s = i < SHORT_LIVES ? NULL : &longs[i - SHORT_LIVES];
        assert_int_equal(ls_await(ls_spawn(short_or_long, s)), 0);
    }
    int64_t took = ls_now() - began;
    assert_int_equal(ls_watch(ls_loop_current(), false), 0);
    for (int i = LONG_LIVES / 2; i < LONG_LIVES;
         i++) // the first ones, of three steps each, share one more reading
        assert_in_range(longs[i].busy_ns, longs[i].blocked_ns * 99 / 100, took);
}

static int64_t nothing(void *arg)
{
    (void)arg;
    return 3;
}

static uint64_t events_of(const struct table_reader *r, const struct ls_abi_loop *l, uint64_t id,
                          uint8_t kind)
{
    uint64_t n = 0, from = l->ring_head > r->header.ring_records
                               ? l->ring_head - r->header.ring_records
                               : 0;
    for (uint64_t i = from; i < l->ring_head; i++) {
        struct ls_abi_event e;
        uint64_t at = r->header.rings_offset + (i & (r->header.ring_records - 1)) * sizeof(e);
        assert_int_equal(reader_copy(r, &e, at, sizeof(e)), 0);
        n += e.kind == kind && (e.a == id || e.b == id);
    }
    return n;
}

TEST(watching_by_lock_turns_the_ring_on_and_off)
{
    struct table_reader r;
    struct ls_abi_loop l;
    char path[64];
    assert_int_equal(reader_open(&r, getpid()), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", r.header.fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct flock lock = {.l_type = F_RDLCK, .l_start = LS_ABI_WATCH_BYTE, .l_len = 1};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    ls_sleep(LS_MSEC(250));
    ls_task t = ls_spawn(nothing, NULL);
    assert_int_equal(ls_await(t), 3);
    ls_yield();
    reader_copy(&r, &l, r.header.loops_offset, sizeof(l));
    assert_true(l.flags & LS_ABI_LOOP_WATCHED);
    uint64_t id = (uint64_t)t.id;
    assert_int_equal(events_of(&r, &l, id, LS_ABI_EV_CREATED), 1);
    assert_int_equal(events_of(&r, &l, id, LS_ABI_EV_ENDED), 1);
    assert_int_equal(events_of(&r, &l, id, LS_ABI_EV_AWAITED), 1);
    assert_int_equal(events_of(&r, &l, id, LS_ABI_EV_SWITCH), 1);
    close(fd); // the watcher is gone
    ls_sleep(LS_MSEC(250));
    reader_copy(&r, &l, r.header.loops_offset, sizeof(l));
    assert_false(l.flags & LS_ABI_LOOP_WATCHED);
    uint64_t head = l.ring_head;
    assert_int_equal(ls_await(ls_spawn(nothing, NULL)), 3);
    reader_copy(&r, &l, r.header.loops_offset, sizeof(l));
    assert_int_equal(l.ring_head, head);
}

// ---- a second process reads while tasks come and go

static int reader_status;

static int64_t hold_parent(void *arg)
{
    return ls_await(ls_spawn(nothing, arg));
}

// Until the reader has ended. The number of tasks.
static int64_t churn(void *arg)
{
    enum { AT_ONCE = 100 };
    ls_task tasks[AT_ONCE];
    int64_t n = 0;
    for (; waitpid((pid_t)(intptr_t)arg, &reader_status, WNOHANG) == 0; n += 2 * AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            tasks[i] = ls_spawn(hold_parent, NULL);
        for (int i = 0; i < AT_ONCE; i++)
            if (ls_await(tasks[i]) != 3)
                return -EINVAL;
    }
    return n;
}

// What must hold in every accepted record; anything else is a tear.
static int is_sane(const struct table_reader *r, uint32_t i, const struct ls_abi_task *s)
{
    return LS_ABI_SLOT_OF(s->id) == i && s->state >= LS_ABI_NEW && s->state <= LS_ABI_CANCELLED &&
           s->loop == 0 && s->wait <= LS_ABI_WAIT_OTHER && s->created_ns > 0 &&
           s->spawn_site < r->header.sites_capacity && s->parent != s->id &&
           (s->state != LS_ABI_DONE || s->error == 0) && s->context != 0;
}

static int read_at_100_hz(pid_t pid, int rounds)
{
    struct table_reader r;
    int wrong = 0, accepted = 0, looked_at = 0;
    if (reader_open(&r, pid) < 0)
        return 100;
    for (int round = 0; round < rounds; round++) {
        if (reader_copy(&r, &r.header, 0, sizeof(r.header)) < 0)
            return 101;
        for (uint32_t i = 0; i < r.header.slots_used; i++) {
            struct ls_abi_task s;
            int whole = reader_slot(&r, i, &s);
            looked_at += whole != 0;
            if (whole != 1)
                continue;
            accepted++;
            wrong += !is_sane(&r, i, &s);
        }
        usleep(10000);
    }
    print_message("%d records read at 100 Hz, %d accepted, %d of these torn\n", looked_at, accepted,
                  wrong);
    return wrong > 99 ? 99 : wrong ? wrong : accepted > rounds / 2 ? 0 : 102;
}

TEST(reader_process_accepts_no_tear)
{
    pid_t self = getpid(), reader = fork();
    if (reader == 0)
        _exit(read_at_100_hz(self, 100));
    int64_t began = ls_now(), tasks = ls_await(ls_spawn(churn, (void *)(intptr_t)reader));
    assert_true(tasks > 0);
    print_message("%.1f million tasks a second meanwhile\n",
                  (double)tasks * 1e3 / (double)(ls_now() - began));
    assert_int_equal(reader_status, 0);
}

static int64_t in_child(void *arg)
{
    struct table_reader r;
    struct ls_abi_task s;
    ls_task other = *(ls_task *)arg;
    if (reader_open(&r, getpid()) < 0)
        return 1;
    if (reader_slot(&r, LS_ABI_SLOT_OF(other.id), &s) != 1 || s.id != (uint64_t)other.id)
        return 2;
    if (reader_slot(&r, LS_ABI_SLOT_OF(ls_self().id), &s) != 1 || s.state != LS_ABI_RUNNING)
        return 3;
#ifdef __SANITIZE_THREAD__
    return 0; // in a child it ignores what the forking fiber synchronises: every switch is a race to it
#else
    ls_cancel(other);
    return ls_await(other) == -ECANCELED ? 0 : 4; // tasks go on in the child
#endif
}

TEST(a_forked_child_has_a_table_of_its_own)
{
    struct table_reader r;
    struct ls_abi_task s;
    ls_task t = ls_spawn(forever, NULL);
    ls_yield();
    pid_t child = fork();
    if (child == 0)
        _exit((int)in_child(&t));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(reader_open(&r, getpid()), 0);
    assert_int_equal(reader_slot(&r, LS_ABI_SLOT_OF(t.id), &s), 1); // ours is as it was
    assert_false(s.flags & LS_ABI_CANCEL_REQUESTED);
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
}

static int64_t makes_some_tasks(void *arg)
{
    int64_t r = 0;
    ls_task t[100];
    (void)arg;
    for (int i = 0; i < 100; i++)
        t[i] = ls_spawn(nothing, NULL);
    for (int i = 0; i < 100; i++)
        r |= ls_await(t[i]);
    return r;
}

static int64_t forks(void *arg)
{
    int status;
    (void)arg;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return waitpid(child, &status, 0) == child ? status : -ECHILD;
}

// The second loop has slots whose tasks were those of the first, and nothing lies where these were.
static void a_fork_after_a_loop_has_ended(void **state)
{
    enum { PIECES = 256, PIECE = 1 << 20 };
    void *taken[PIECES];
    (void)state;
    assert_int_equal(ls_run(makes_some_tasks, NULL), 3);
    for (int i = 0; i < PIECES; i++)
        taken[i] = mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_int_equal(ls_run(forks, NULL), 0);
    for (int i = 0; i < PIECES; i++)
        if (taken[i] != MAP_FAILED)
            munmap(taken[i], PIECE);
}

// ---- hooks

static unsigned seen[2];
static int64_t hooked_task;
static void on_hook(const struct ls_hook_info *info, void *ctx)
{
    if (info->task.id == hooked_task || (info->kind == LS_HOOK_CREATED && !hooked_task))
        *(unsigned *)ctx |= info->kind;
    assert_int_equal(ls_yield(), -EPERM); // must not block
}

TEST(hooks_see_a_life)
{
    memset(seen, 0, sizeof(seen));
    hooked_task = 0;
    assert_int_equal(ls_hook_add(ls_loop_current(), LS_HOOK_ALL, on_hook, &seen[0]), 0);
    assert_int_equal(ls_hook_add(ls_loop_current(), LS_HOOK_CREATED, on_hook, &seen[1]), 0);
    ls_task t = ls_spawn(forever, NULL);
    hooked_task = t.id;
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(seen[0], LS_HOOK_CREATED | LS_HOOK_STARTED | LS_HOOK_SUSPENDED |
                                  LS_HOOK_RESUMED | LS_HOOK_CANCELLED | LS_HOOK_AWAITED);
    assert_int_equal(seen[1], LS_HOOK_CREATED);
    assert_int_equal(ls_hook_remove(ls_loop_current(), on_hook, &seen[0]), 0);
    assert_int_equal(ls_hook_remove(ls_loop_current(), on_hook, &seen[0]), -ENOENT);
    assert_int_equal(ls_hook_remove(ls_loop_current(), on_hook, &seen[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_tasks_as_they_are),
        cmocka_unit_test(the_main_task_is_spawned_where_ls_run_is_called),
        cmocka_unit_test(a_semaphore_of_one_permit_tells_who_has_it),
        cmocka_unit_test(shows_the_loop),
        cmocka_unit_test(busy_time_of_a_blocking_step_is_seen_without_a_watcher),
        cmocka_unit_test(long_steps_among_short_ones_are_told_whole),
        cmocka_unit_test(a_long_step_among_short_ones_is_not_lost),
        cmocka_unit_test(a_site_that_turns_long_is_timed_alone_again),
        cmocka_unit_test(watching_by_lock_turns_the_ring_on_and_off),
        cmocka_unit_test(reader_process_accepts_no_tear),
        cmocka_unit_test(a_forked_child_has_a_table_of_its_own),
        cmocka_unit_test(a_fork_after_a_loop_has_ended),
        cmocka_unit_test(hooks_see_a_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
