// A live table in memory, as a program on our runtime keeps it, and what is told of its tasks from look to look.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// after setjmp.h
#include <cmocka.h>

#include "agent/target/live_book.h"

#define SECOND  1000000000LL
#define SLOTS   64
#define LOOPS   2
#define SITES   4
#define STRINGS 256

struct image { // the file
    struct ls_abi_header header;
    struct ls_abi_loop loops[LOOPS];
    struct ls_abi_task slots[SLOTS];
    struct ls_abi_site sites[SITES];
    char strings[STRINGS];
};

struct fixture {
    struct image image;
    struct ls_abi_site_stats stats[SITES]; // of the program's memory, with its locks
    uint64_t locks[2];
    struct live_table table;
    struct live_book book;
    int64_t now_ns;
    int tear; // the next read of slots finds slot 0 in the middle of a change
};

static ssize_t read_image(void *arg, uint64_t offset, void *buf, size_t size)
{
    struct fixture *f = arg;
    assert_true(offset <= sizeof(f->image) && size <= sizeof(f->image) - offset);
    memcpy(buf, (char *)&f->image + offset, size);
    if (f->tear > 0 && offset == f->image.header.slots_offset && f->tear--)
        f->image.slots[0].seq++;
    return (ssize_t)size;
}

static bool read_memory(void *arg, uint64_t address, void *buf, size_t size)
{
    struct fixture *f = arg;
    const char *from = (const char *)(uintptr_t)address;
    bool stats = from >= (char *)f->stats && from + size <= (char *)f->stats + sizeof(f->stats);
    bool locks = from >= (char *)f->locks && from + size <= (char *)f->locks + sizeof(f->locks);
    if (stats || locks)
        memcpy(buf, from, size);
    return stats || locks;
}

static uint64_t id_of(uint32_t slot)
{
    return (1ull << LS_ABI_SLOT_BITS) | slot;
}

static struct ls_abi_task *task(struct fixture *f, uint32_t slot, uint8_t state, uint8_t wait,
                                uint64_t object)
{
    struct ls_abi_task *s = &f->image.slots[slot];
    *s = (struct ls_abi_task){.id = id_of(slot),
                              .state = state,
                              .wait = wait,
                              .wait_object = object,
                              .spawn_site = 1,
                              .await_site = 2,
                              .created_ns = (uint64_t)f->now_ns,
                              .steps = 1};
    return s;
}

static void write_header(struct fixture *f)
{
    f->image.header = (struct ls_abi_header){.magic = LS_ABI_MAGIC,
                                             .version = LS_ABI_VERSION,
                                             .header_size = sizeof(struct ls_abi_header),
                                             .pid = 42,
                                             .total_size = sizeof(f->image),
                                             .loops_offset = offsetof(struct image, loops),
                                             .loop_size = sizeof(struct ls_abi_loop),
                                             .loops_capacity = LOOPS,
                                             .loops_used = 1,
                                             .slots_offset = offsetof(struct image, slots),
                                             .slot_size = sizeof(struct ls_abi_task),
                                             .slots_capacity = SLOTS,
                                             .slots_used = SLOTS,
                                             .sites_offset = offsetof(struct image, sites),
                                             .site_size = sizeof(struct ls_abi_site),
                                             .sites_capacity = SITES,
                                             .sites_used = 3,
                                             .strings_offset = offsetof(struct image, strings),
                                             .strings_capacity = STRINGS,
                                             .strings_used = 32};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct live_source source = {read_image, read_memory, f, sizeof(f->image), 42, 0};
    write_header(f);
    memcpy(f->image.strings, "\0a.c\0work", 9);
    f->image.sites[1] = (struct ls_abi_site){.file = 1, .label = 5, .line = 7};
    f->image.sites[2] = (struct ls_abi_site){.file = 1, .line = 9};
    f->image.loops[0] = (struct ls_abi_loop){
        .tid = 43, .stats_address = (uintptr_t)f->stats, .stats_size = sizeof(*f->stats)};
    f->now_ns = 1000 * SECOND;
    live_table_init(&f->table, &source);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    live_book_free(&f->book);
    live_table_free(&f->table);
    free(f);
    return 0;
}

static void look(struct fixture *f)
{
    assert_int_equal(live_table_look(&f->table), 0);
    assert_int_equal(live_book_judge(&f->book, &f->table, f->now_ns, 1), 0);
}

static void look_after(struct fixture *f, int64_t ns)
{
    f->now_ns += ns;
    look(f);
}

static unsigned flags(const struct fixture *f, uint32_t slot)
{
    return f->book.marks[slot].flags;
}

static void counts_tasks_by_state_and_site(void **state)
{
    struct fixture *f = *state;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0);
    task(f, 3, LS_ABI_READY, LS_ABI_WAIT_NONE, 0);
    task(f, 5, LS_ABI_DONE, LS_ABI_WAIT_NONE, 0);
    task(f, 7, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->flags = LS_ABI_SYSTEM;
    look(f);
    assert_int_equal(f->book.total, 3);
    assert_int_equal(f->book.by_state[TASK_WAITING], 1);
    assert_int_equal(f->book.by_state[TASK_READY], 1);
    assert_int_equal(f->book.sums[1].live, 2);
    assert_string_equal(live_string(&f->table, live_site(&f->table, 1)->label), "work");
    assert_null(live_site(&f->table, 3));
}

static void a_torn_slot_keeps_its_last_copy(void **state)
{
    struct fixture *f = *state;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 1)->seq = 2;
    look(f);
    f->image.slots[0].wait_object = 99;
    f->tear = 6; // each read sees another sequence
    assert_int_equal(live_table_look(&f->table), 0);
    assert_int_equal(f->table.slots[0].wait_object, 1);
    f->tear = 0;
    f->image.slots[0].seq = 20;
    assert_int_equal(live_table_look(&f->table), 0);
    assert_int_equal(f->table.slots[0].wait_object, 99);
}

static void an_odd_sequence_is_never_taken(void **state)
{
    struct fixture *f = *state;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 1)->seq = 3;
    look(f);
    assert_int_equal(f->book.total, 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ls_abi_header good = f->image.header, *h = &f->image.header;
    h->slots_used = SLOTS + 1;
    assert_int_equal(live_table_look(&f->table), -EPROTO);
    *h = good, h->slots_capacity = h->slots_used = 1u << 20;
    assert_int_equal(live_table_look(&f->table), -EPROTO);
    *h = good, h->slot_size = 8;
    assert_int_equal(live_table_look(&f->table), -EPROTO);
    *h = good, h->strings_offset = UINT64_MAX - 3;
    assert_int_equal(live_table_look(&f->table), -EPROTO);
    *h = good, h->magic = 0;
    assert_int_equal(live_table_look(&f->table), -EAGAIN);
    *h = good, h->pid = 44;
    assert_int_equal(live_table_look(&f->table), -ESTALE);
    *h = good;
    assert_int_equal(live_table_look(&f->table), 0);
}

static void indices_out_of_range_are_nobodys(void **state)
{
    struct fixture *f = *state;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->spawn_site = 77;
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->loop = 9;
    task(f, 2, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->id = id_of(3);
    task(f, 4, 200, LS_ABI_WAIT_SLEEP, 0);
    f->image.sites[2].file = 0xffffffff;
    look(f);
    assert_int_equal(f->book.total, 1);
    assert_int_equal(f->table.slots[0].spawn_site, 0);
    assert_string_equal(live_string(&f->table, f->table.sites[2].file), "");
}

static void one_that_steps_on_after_a_given_up_wait_runs_on(void **state)
{
    struct fixture *f = *state;
    struct ls_abi_task *s = task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0);
    s->flags = LS_ABI_AWAITED;
    look(f);
    s->flags = 0;
    look_after(f, SECOND);
    assert_int_equal(flags(f, 0) & TASKF_TIMED_OUT, 0); // it has not run since
    s->steps++;
    look_after(f, SECOND);
    assert_true(flags(f, 0) & TASKF_TIMED_OUT);
    s->flags = LS_ABI_CANCEL_REQUESTED;
    look_after(f, SECOND);
    assert_int_equal(flags(f, 0) & TASKF_TIMED_OUT, 0);
}

static void another_task_in_the_slot_begins_anew(void **state)
{
    struct fixture *f = *state;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->flags = LS_ABI_AWAITED;
    look(f);
    struct ls_abi_task *s = task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0);
    s->id = (2ull << LS_ABI_SLOT_BITS);
    s->steps = 5;
    look_after(f, SECOND);
    assert_int_equal(flags(f, 0) & TASKF_TIMED_OUT, 0);
}

static void locks_in_opposite_order_are_a_cycle(void **state)
{
    struct fixture *f = *state;
    f->locks[0] = id_of(1);
    f->locks[1] = id_of(0);
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX, (uintptr_t)&f->locks[0]);
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX, (uintptr_t)&f->locks[1]);
    task(f, 2, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX,
         (uintptr_t)&f->locks[0]); // waits for them, no more
    look(f);
    assert_true(flags(f, 0) & TASKF_CYCLE);
    assert_true(flags(f, 1) & TASKF_CYCLE);
    assert_int_equal(flags(f, 2) & TASKF_CYCLE, 0);
    assert_int_equal(live_waits_for(&f->book, &f->table, &f->table.slots[0]), id_of(1));
}

// Five workers that never end write at one place; four go on each second.
static void look_at_workers(struct fixture *f, uint8_t wait, int seconds)
{
    for (uint32_t i = 0; i < 5; i++)
        task(f, i, LS_ABI_WAITING, wait, 5)->resumed_ns = (uint64_t)f->now_ns;
    for (int k = 0; k < seconds; k++) {
        for (uint32_t i = 1; i < 5; i++) {
            f->image.slots[i].steps++;
            f->image.slots[i].resumed_ns = (uint64_t)f->now_ns;
            f->image.slots[i].seq += 2;
        }
        look_after(f, SECOND);
    }
}

static void stuck_where_others_go_on(void **state)
{
    struct fixture *f = *state;
    look_at_workers(f, LS_ABI_WAIT_WRITE, 29);
    assert_int_equal(flags(f, 0) & TASKF_STUCK, 0);
    look_at_workers(f, LS_ABI_WAIT_WRITE, 45);
    assert_true(flags(f, 0) & TASKF_STUCK);
    assert_int_equal(flags(f, 1) & TASKF_STUCK, 0);
}

static void not_stuck_where_a_client_may_be_silent(void **state)
{
    struct fixture *f = *state;
    look_at_workers(f, LS_ABI_WAIT_READ, 45);
    assert_int_equal(flags(f, 0) & TASKF_STUCK, 0);
}

static void semaphores_of_one_permit_are_locks(void **state)
{
    struct fixture *f = *state;
    f->locks[0] = id_of(1);
    f->locks[1] = id_of(0);
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_SEM, (uintptr_t)&f->locks[0]);
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_SEM, (uintptr_t)&f->locks[1]);
    task(f, 2, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0); // the program is busy otherwise
    look(f);
    assert_true(flags(f, 0) & TASKF_CYCLE);
    assert_true(flags(f, 1) & TASKF_CYCLE);
    f->locks[1] = 0; // its permits are not one task's
    look(f);
    assert_int_equal(flags(f, 0) & TASKF_CYCLE, 0);
}

// Task 0 has opened a group with a limit of two and waits for room in it; its members 1 and 2 do so, too.
static void full_group(struct fixture *f)
{
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_LIMIT, 0x1000);
    for (uint32_t i = 1; i <= 2; i++) {
        struct ls_abi_task *s = task(f, i, LS_ABI_WAITING, LS_ABI_WAIT_LIMIT, 0x1000);
        s->parent = id_of(0);
        s->flags |= LS_ABI_IN_GROUP;
    }
    task(f, 3, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0); // the program is busy otherwise
}

static void no_room_where_all_members_want_room(void **state)
{
    struct fixture *f = *state;
    full_group(f);
    look(f);
    for (uint32_t i = 0; i <= 2; i++)
        assert_true(flags(f, i) & TASKF_NO_WAKER);
    assert_int_equal(flags(f, 3) & TASKF_NO_WAKER, 0);
}

static void room_where_a_member_may_end(void **state)
{
    struct fixture *f = *state;
    full_group(f);
    f->image.slots[2].wait = LS_ABI_WAIT_READ;
    look(f);
    assert_int_equal(flags(f, 1) & TASKF_NO_WAKER, 0);
    f->image.slots[2].wait = LS_ABI_WAIT_TASK; // it waits for one that may end
    f->image.slots[2].wait_object = id_of(3);
    f->image.slots[2].seq += 2;
    look(f);
    assert_int_equal(flags(f, 1) & TASKF_NO_WAKER, 0);
    f->image.slots[2].wait_object = id_of(1); // for one that cannot
    f->image.slots[2].seq += 2;
    look(f);
    assert_true(flags(f, 1) & TASKF_NO_WAKER);
    f->image.slots[1].deadline_ns = 1; // a deadline will
    f->image.slots[1].seq += 2;
    look(f);
    assert_int_equal(flags(f, 1) & TASKF_NO_WAKER, 0);
}

static void a_parent_that_holds_what_its_child_wants_is_a_cycle(void **state)
{
    struct fixture *f = *state;
    f->locks[0] = id_of(0);
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_GROUP, 0xdead);
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0)->parent = id_of(0);
    task(f, 2, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX, (uintptr_t)&f->locks[0])->parent = id_of(0);
    look(f);
    assert_true(flags(f, 0) & TASKF_CYCLE);
    assert_true(flags(f, 2) & TASKF_CYCLE);
    assert_int_equal(flags(f, 1) & TASKF_CYCLE, 0);
}

static void a_lock_that_is_free_or_odd_holds_nobody(void **state)
{
    struct fixture *f = *state;
    f->locks[0] = 0x123456789abcdef;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX, (uintptr_t)&f->locks[0]);
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_MUTEX, 0xbad0); // cannot be read
    look(f);
    assert_int_equal(flags(f, 0), 0);
    assert_int_equal(flags(f, 1), 0);
}

static void lost_when_nothing_is_left_to_wake_it(void **state)
{
    struct fixture *f = *state;
    f->book.closed = true;
    task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_TASK, id_of(1));
    task(f, 1, LS_ABI_WAITING, LS_ABI_WAIT_EVENT, 0x1000);
    look(f);
    assert_int_equal(flags(f, 1), 0); // it may only just have stopped
    look_after(f, SECOND);
    assert_true(flags(f, 1) & TASKF_NO_WAKER);
    assert_int_equal(flags(f, 0) & TASKF_NO_WAKER, 0); // it waits for the one that is lost
    task(f, 2, LS_ABI_WAITING, LS_ABI_WAIT_READ, 5);
    look_after(f, SECOND);
    assert_int_equal(flags(f, 1) & TASKF_NO_WAKER, 0); // that one may
    f->image.slots[2].id = 0;
    f->book.closed = false;
    look_after(f, SECOND);
    assert_int_equal(flags(f, 1) & TASKF_NO_WAKER, 0); // another thread may
}

static void stuck_beside_its_peers(void **state)
{
    struct fixture *f = *state;
    struct ls_abi_task *s = task(f, 0, LS_ABI_WAITING, LS_ABI_WAIT_READ, 5);
    s->resumed_ns = (uint64_t)f->now_ns;
    f->stats[1] = (struct ls_abi_site_stats){.created = 101, .completed = 10};
    look_after(f, 31 * SECOND);
    assert_int_equal(flags(f, 0) & TASKF_STUCK, 0); // too few peers
    f->stats[1].completed = 100;
    look_after(f, SECOND);
    assert_true(flags(f, 0) & TASKF_STUCK);
    s->wait = LS_ABI_WAIT_ACCEPT;
    look_after(f, SECOND);
    assert_int_equal(flags(f, 0) & TASKF_STUCK, 0); // may wait for ever
}

static void dropped_when_no_peer_was_ever_awaited(void **state)
{
    struct fixture *f = *state;
    task(f, 9, LS_ABI_WAITING, LS_ABI_WAIT_SLEEP, 0);
    for (uint32_t i = 0; i < 3; i++)
        task(f, i, LS_ABI_DONE, 0, 0)->parent = id_of(9);
    f->stats[1] = (struct ls_abi_site_stats){.created = 4, .completed = 3};
    look(f);
    assert_int_equal(flags(f, 0), 0);
    look_after(f, 2 * SECOND);
    assert_true(flags(f, 0) & TASKF_NEVER_AWAITED);
    f->stats[1].completed = 4; // one has been awaited
    look_after(f, SECOND);
    assert_int_equal(flags(f, 0) & TASKF_NEVER_AWAITED, 0);
}

static void yields_in_a_circle_wake_themselves(void **state)
{
    struct fixture *f = *state;
    struct ls_abi_task *s = task(f, 0, LS_ABI_READY, LS_ABI_WAIT_YIELD, 0);
    for (int i = 0; i < 4; i++) {
        s->steps += 1000;
        look_after(f, SECOND);
    }
    assert_true(flags(f, 0) & TASKF_SELF_WAKING);
    look_after(f, SECOND); // it has stopped
    assert_int_equal(flags(f, 0) & TASKF_SELF_WAKING, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(counts_tasks_by_state_and_site),
        TEST(a_torn_slot_keeps_its_last_copy),
        TEST(an_odd_sequence_is_never_taken),
        TEST(what_does_not_fit_is_refused),
        TEST(indices_out_of_range_are_nobodys),
        TEST(one_that_steps_on_after_a_given_up_wait_runs_on),
        TEST(another_task_in_the_slot_begins_anew),
        TEST(locks_in_opposite_order_are_a_cycle),
        TEST(stuck_where_others_go_on),
        TEST(not_stuck_where_a_client_may_be_silent),
        TEST(semaphores_of_one_permit_are_locks),
        TEST(no_room_where_all_members_want_room),
        TEST(room_where_a_member_may_end),
        TEST(a_parent_that_holds_what_its_child_wants_is_a_cycle),
        TEST(a_lock_that_is_free_or_odd_holds_nobody),
        TEST(lost_when_nothing_is_left_to_wake_it),
        TEST(stuck_beside_its_peers),
        TEST(dropped_when_no_peer_was_ever_awaited),
        TEST(yields_in_a_circle_wake_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
