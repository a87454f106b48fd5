// Orders go through a pipeline over the event bus: who receives them, packs them and bills them know nothing of one another.
// The biller fails at times, the packer is slow: neither disturbs the other, and a full queue holds the source back.
#include <loopscope/loopscope.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ORDERS 40

struct order {
    int number;
    double amount;
};

struct shop {
    ls_bus *bus;
    int packed, billed;
    double total;
};

static int pack(const struct ls_message *m, void *ctx)
{
    struct shop *shop = ctx;
    int r = ls_sleep(LS_MSEC(2));
    if (r < 0)
        return r;
    shop->packed++;
    return ls_publish(shop->bus, "order.packed", m->data, m->size, LS_SEC(1));
}

static int bill(const struct ls_message *m, void *ctx)
{
    struct shop *shop = ctx;
    struct order order;
    memcpy(&order, m->data, sizeof(order));
    if (order.number % 10 == 7)
        return -ECONNREFUSED; // the bank is away; counted, and the next order is billed
    shop->billed++;
    shop->total += order.amount;
    return 0;
}

static int watch(const struct ls_message *m, void *ctx)
{
    unsigned *seen = ctx;
    (void)m;
    ++*seen;
    return 0;
}

static int publish_orders(ls_bus *bus)
{
    for (int i = 0; i < ORDERS; i++) {
        struct order order = {i, 10.0 + i};
        int r = ls_publish(bus, "order.new", &order, sizeof(order), LS_SEC(1));
        if (r < 0)
            return r;
    }
    return 0;
}

static int64_t run(void *arg)
{
    struct shop shop = {0};
    struct ls_subscription_stats stats;
    struct ls_subscribe_options small = {.queue = 8};
    ls_subscription *biller;
    unsigned seen = 0;
    (void)arg;
    int r = ls_bus_new(&shop.bus);
    if (r < 0)
        return r;
    if ((r = ls_subscribe(shop.bus, NULL, "order.new", pack, &shop, &small)) < 0 ||
        (r = ls_subscribe(shop.bus, &biller, "order.packed", bill, &shop, NULL)) < 0 ||
        (r = ls_subscribe(shop.bus, NULL, "order.*", watch, &seen, NULL)) < 0 ||
        (r = publish_orders(shop.bus)) < 0 || (r = ls_bus_drain(shop.bus, LS_SEC(5))) < 0)
        goto free_bus;
    ls_subscription_get_stats(biller, &stats);
    printf("%d packed, %d billed (%.2f), %d not billed (%s), %u messages seen\n", shop.packed,
           shop.billed, shop.total, (int)stats.failed, strerror(-stats.last_error), seen);
free_bus:
    ls_bus_free(shop.bus);
    return r;
}

int main(void)
{
    int64_t r = ls_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "pipeline: %s\n", strerror((int)-r));
    return r < 0;
}
