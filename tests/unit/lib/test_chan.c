// Channels and select: nothing lost, nothing twice, whatever is cancelled or closed.
#include "lib_test.h"

static ls_chan *chan;
static uint64_t sum;

static int64_t produce(void *arg)
{
    for (intptr_t i = 1; i <= (intptr_t)arg; i++) {
        uint64_t v = (uint64_t)i;
        int r = ls_chan_send(chan, &v, LS_FOREVER);
        if (r < 0)
            return r;
    }
    return 0;
}

static int64_t consume(void *arg)
{
    uint64_t v;
    int r;
    (void)arg;
    while ((r = ls_chan_recv(chan, &v, LS_FOREVER)) == 0)
        sum += v;
    return r == -EPIPE ? 0 : r;
}

static void many_to_many(uint32_t capacity)
{
    ls_group *producers, *consumers;
    sum = 0;
    assert_int_equal(ls_chan_new(&chan, sizeof(uint64_t), capacity), 0);
    ls_group_open(&consumers, LS_FAIL_FAST, 0);
    ls_group_open(&producers, LS_FAIL_FAST, 0);
    for (int i = 0; i < 7; i++)
        ls_group_spawn(consumers, consume, NULL, NULL);
    for (int i = 0; i < 5; i++)
        ls_group_spawn(producers, produce, (void *)1000, NULL);
    assert_int_equal(ls_group_wait(producers), 0);
    assert_int_equal(ls_chan_close(chan), 0);
    assert_int_equal(ls_group_wait(consumers), 0);
    assert_int_equal(sum, 5 * 1000 * 1001 / 2);
    assert_int_equal(ls_chan_free(chan), 0);
}

TEST(unbuffered_many_to_many)
{
    many_to_many(0);
}

TEST(buffered_many_to_many)
{
    many_to_many(1);
    many_to_many(3);
    many_to_many(64);
}

TEST(order_sizes_and_close)
{
    struct item {
        char text[37];
    } item;
    assert_int_equal(ls_chan_new(&chan, sizeof(item), 4), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(item.text, sizeof(item.text), "item %d", i);
        assert_int_equal(ls_chan_send(chan, &item, 0), 0);
    }
    assert_int_equal(ls_chan_length(chan), 4);
    assert_int_equal(ls_chan_send(chan, &item, 0), -ETIMEDOUT);
    ls_chan_close(chan);
    assert_int_equal(ls_chan_send(chan, &item, LS_FOREVER), -EPIPE);
    for (int i = 0; i < 4; i++) {
        char expected[37];
        snprintf(expected, sizeof(expected), "item %d", i);
        assert_int_equal(ls_chan_recv(chan, &item, LS_FOREVER), 0);
        assert_string_equal(item.text, expected);
    }
    assert_int_equal(ls_chan_recv(chan, &item, LS_FOREVER), -EPIPE);
    assert_int_equal(ls_chan_free(chan), 0);
}

static int64_t send_one(void *arg)
{
    return ls_chan_send(chan, &arg, LS_FOREVER);
}

TEST(cancel_and_timeout_leave_nothing_behind)
{
    uint64_t v = 0;
    assert_int_equal(ls_chan_new(&chan, sizeof(v), 0), 0);
    assert_int_equal(ls_chan_recv(chan, &v, LS_MSEC(2)), -ETIMEDOUT);
    assert_int_equal(ls_chan_send(chan, &v, LS_MSEC(2)), -ETIMEDOUT);
    ls_task t = ls_spawn(send_one, (void *)11), u = ls_spawn(send_one, (void *)12);
    ls_yield();
    assert_int_equal(ls_chan_free(chan), -EBUSY);
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(ls_chan_recv(chan, &v, 0), 0);
    assert_int_equal(v, 12); // 11 was not sent: its sender said so
    assert_int_equal(ls_await(u), 0);
    t = ls_spawn(send_one, (void *)13);
    ls_yield();
    assert_int_equal(ls_chan_recv(chan, &v, 0), 0);
    ls_cancel(t); // too late: the value has been received
    assert_int_equal(ls_await(t), 0);
    t = ls_spawn(send_one, (void *)14);
    ls_yield();
    ls_chan_close(chan);
    assert_int_equal(ls_await(t), -EPIPE);
    assert_int_equal(ls_chan_free(chan), 0);
}

static ls_chan *in[3];
static int64_t feed(void *arg)
{
    intptr_t which = (intptr_t)arg;
    for (uint64_t v = 0; v < 300; v++)
        if (ls_chan_send(in[which], &v, LS_FOREVER) < 0)
            return -EINVAL;
    return 0;
}

TEST(select_takes_each_value_once)
{
    ls_group *g;
    uint64_t v, next[3] = {0};
    struct ls_case cases[4] = {{0}};
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (intptr_t i = 0; i < 3; i++) {
        ls_chan_new(&in[i], sizeof(v), i == 1 ? 2 : 0);
        cases[i] = (struct ls_case){in[i], &v, NULL};
        ls_group_spawn(g, feed, (void *)i, NULL);
    }
    for (int i = 0; i < 900; i++) {
        int status = 1, which = ls_select(cases, 4, &status, LS_FOREVER);
        assert_in_range(which, 0, 2);
        assert_int_equal(status, 0);
        assert_int_equal(v, next[which]++);
    }
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(ls_select(cases, 4, NULL, 0), -ETIMEDOUT);
    assert_int_equal(ls_select(cases, 4, NULL, LS_MSEC(2)), -ETIMEDOUT);
    ls_chan_close(in[2]);
    int status = 0;
    assert_int_equal(ls_select(cases, 4, &status, LS_FOREVER), 2);
    assert_int_equal(status, -EPIPE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ls_chan_free(in[i]), 0); // nobody is left in their queues
}

TEST(select_sends_too_and_two_selects_meet)
{
    uint64_t out = 77, v = 0;
    ls_chan_new(&chan, sizeof(v), 1);
    struct ls_case both[2] = {{chan, &v, NULL}, {chan, NULL, &out}};
    assert_int_equal(ls_select(both, 2, NULL, LS_FOREVER), 1); // empty: only the send can
    assert_int_equal(ls_select(both, 2, NULL, LS_FOREVER), 0); // full: only the receive can
    assert_int_equal(v, 77);
    struct ls_case wrong = {chan, &v, &v};
    assert_int_equal(ls_select(&wrong, 1, NULL, 0), -EINVAL);
    assert_int_equal(ls_select(NULL, 0, NULL, 0), -EINVAL);
    assert_int_equal(ls_chan_free(chan), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unbuffered_many_to_many),
        cmocka_unit_test(buffered_many_to_many),
        cmocka_unit_test(order_sizes_and_close),
        cmocka_unit_test(cancel_and_timeout_leave_nothing_behind),
        cmocka_unit_test(select_takes_each_value_once),
        cmocka_unit_test(select_sends_too_and_two_selects_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
