// The event bus: who gets what, in which order, and what a slow or failing listener does to others.
#include "io_test.h"

struct heard {
    char text[256];
    int error;
    ls_event *gate; // waited for before each message; NULL none
};

static int hear(const struct ls_message *m, void *ctx)
{
    struct heard *h = ctx;
    size_t n = strlen(h->text);
    snprintf(h->text + n, sizeof(h->text) - n, "%s=%.*s;", m->topic, (int)m->size,
             (const char *)m->data);
    if (h->gate) {
        int r = ls_event_wait(h->gate, LS_FOREVER);
        if (r < 0)
            return r;
    }
    return h->error;
}

TEST(topics_and_prefixes_reach_their_listeners_in_order)
{
    ls_bus *bus;
    struct heard orders = {""}, all = {""}, exact = {""};
    assert_int_equal(ls_bus_new(&bus), 0);
    assert_int_equal(ls_subscribe(bus, NULL, "order.*", hear, &orders, NULL), 0);
    assert_int_equal(ls_subscribe(bus, NULL, "*", hear, &all, NULL), 0);
    assert_int_equal(ls_subscribe(bus, NULL, "order.paid", hear, &exact, NULL), 0);
    assert_int_equal(ls_publish(bus, "order.paid", "1", 1, LS_FOREVER), 3);
    assert_int_equal(ls_publish(bus, "order.sent", "2", 1, LS_FOREVER), 2);
    assert_int_equal(ls_publish(bus, "stock", "", 0, LS_FOREVER), 1);
    assert_int_equal(ls_bus_drain(bus, LS_SEC(5)), 0);
    assert_string_equal(orders.text, "order.paid=1;order.sent=2;");
    assert_string_equal(all.text, "order.paid=1;order.sent=2;stock=;");
    assert_string_equal(exact.text, "order.paid=1;");
    assert_int_equal(ls_bus_free(bus), 0);
}

TEST(a_failing_listener_is_counted_and_disturbs_nobody)
{
    ls_bus *bus;
    ls_subscription *bad;
    struct heard fails = {.error = -EIO}, fine = {""};
    struct ls_subscription_stats stats;
    assert_int_equal(ls_bus_new(&bus), 0);
    assert_int_equal(ls_subscribe(bus, &bad, "t", hear, &fails, NULL), 0);
    assert_int_equal(ls_subscribe(bus, NULL, "t", hear, &fine, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ls_publish(bus, "t", "x", 1, LS_FOREVER), 2);
    assert_int_equal(ls_bus_drain(bus, LS_SEC(5)), 0);
    assert_int_equal(ls_subscription_get_stats(bad, &stats), 0);
    assert_int_equal(stats.delivered, 3);
    assert_int_equal(stats.failed, 3);
    assert_int_equal(stats.last_error, -EIO);
    assert_string_equal(fine.text, "t=x;t=x;t=x;");
    assert_int_equal(ls_bus_free(bus), 0);
}

static void check_overflow(enum ls_overflow overflow, const char *wanted)
{
    ls_bus *bus;
    ls_subscription *s;
    struct heard h = {""};
    struct ls_subscription_stats stats;
    struct ls_subscribe_options o = {.queue = 2, .overflow = overflow};
    assert_int_equal(ls_event_new(&h.gate), 0);
    assert_int_equal(ls_bus_new(&bus), 0);
    assert_int_equal(ls_subscribe(bus, &s, "t", hear, &h, &o), 0);
    for (int i = 0; i < 5; i++) {
        char digit = (char)('0' + i);
        assert_true(ls_publish(bus, "t", &digit, 1, LS_FOREVER) >= 0);
        assert_int_equal(ls_yield(), 0);
    }
    assert_int_equal(ls_subscription_get_stats(s, &stats), 0);
    assert_int_equal(stats.dropped, 2);
    assert_int_equal(stats.queued, 2);
    ls_event_set(h.gate);
    assert_int_equal(ls_bus_drain(bus, LS_SEC(5)), 0);
    assert_string_equal(h.text, wanted);
    assert_int_equal(ls_bus_free(bus), 0);
    assert_int_equal(ls_event_free(h.gate), 0);
}

TEST(a_full_queue_drops_what_it_is_told_to)
{
    check_overflow(LS_OVERFLOW_DROP_OLD, "t=0;t=3;t=4;");
    check_overflow(LS_OVERFLOW_DROP_NEW, "t=0;t=1;t=2;");
}

struct publisher {
    ls_bus *bus;
    int published;
};

static int64_t publish_five(void *arg)
{
    struct publisher *p = arg;
    for (; p->published < 5; p->published++)
        if (ls_publish(p->bus, "t", "x", 1, LS_FOREVER) < 0)
            return -EIO;
    return 0;
}

TEST(back_pressure_holds_the_publisher)
{
    struct publisher p = {0};
    struct heard h = {""};
    struct ls_subscribe_options o = {.queue = 2};
    assert_int_equal(ls_event_new(&h.gate), 0);
    assert_int_equal(ls_bus_new(&p.bus), 0);
    assert_int_equal(ls_subscribe(p.bus, NULL, "t", hear, &h, &o), 0);
    ls_task t = ls_spawn(publish_five, &p);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(p.published, 3); // one at hand, two queued
    ls_event_set(h.gate);
    assert_int_equal(ls_await(t), 0);
    assert_int_equal(ls_bus_drain(p.bus, LS_SEC(5)), 0);
    assert_int_equal(strlen(h.text), 5 * 4);
    assert_int_equal(ls_bus_free(p.bus), 0);
    assert_int_equal(ls_event_free(h.gate), 0);
}

TEST(unsubscribing_lets_the_publisher_go_on)
{
    struct publisher p = {0};
    struct heard h = {""};
    ls_subscription *s;
    struct ls_subscribe_options o = {.queue = 1};
    assert_int_equal(ls_event_new(&h.gate), 0);
    assert_int_equal(ls_bus_new(&p.bus), 0);
    assert_int_equal(ls_subscribe(p.bus, &s, "t", hear, &h, &o), 0);
    ls_task t = ls_spawn(publish_five, &p);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(ls_unsubscribe(s), 0);
    assert_int_equal(ls_await(t), 0);
    ls_event_set(h.gate);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_string_equal(h.text, "t=x;");
    assert_int_equal(ls_bus_free(p.bus), 0);
    assert_int_equal(ls_event_free(h.gate), 0);
}

TEST(freeing_a_bus_under_its_publisher)
{
    struct publisher p = {0};
    struct heard h = {""};
    struct ls_subscribe_options o = {.queue = 1};
    assert_int_equal(ls_event_new(&h.gate), 0);
    assert_int_equal(ls_bus_new(&p.bus), 0);
    assert_int_equal(ls_subscribe(p.bus, NULL, "t", hear, &h, &o), 0);
    p.published = 2; // three more: the third waits
    ls_task t = ls_spawn(publish_five, &p);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(p.published, 4);
    assert_int_equal(ls_bus_free(p.bus), 0);
    assert_int_equal(ls_await(t), 0);
    ls_event_set(h.gate);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
    assert_int_equal(ls_event_free(h.gate), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_and_prefixes_reach_their_listeners_in_order),
        cmocka_unit_test(a_failing_listener_is_counted_and_disturbs_nobody),
        cmocka_unit_test(a_full_queue_drops_what_it_is_told_to),
        cmocka_unit_test(back_pressure_holds_the_publisher),
        cmocka_unit_test(unsubscribing_lets_the_publisher_go_on),
        cmocka_unit_test(freeing_a_bus_under_its_publisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
