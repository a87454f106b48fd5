// Boost.Fiber and, for the bare switch, Boost.Context: fiber OPERATION COUNT
#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

#include <chrono>
#include <cstdint>

#include "measure.h"

namespace fibers = boost::fibers;
static long count;

static void bench_switch()
{
    struct usage from = usage_now();
    auto turn = [] {
        for (long i = count / 2; i > 0; i--)
            boost::this_fiber::yield();
    };
    fibers::fiber first(turn), second(turn);
    first.join();
    second.join();
    print_usage("boost.fiber", "switch", count, from);
}

// To and fro between two stacks: no scheduler, no queue.
static void bench_raw()
{
    namespace context = boost::context;
    context::fiber other([](context::fiber &&main) {
        for (;;)
            main = std::move(main).resume();
        return std::move(main);
    });
    struct usage from = usage_now();
    for (long i = count / 2; i > 0; i--)
        other = std::move(other).resume();
    print_usage("boost.context", "raw", count, from);
    _Exit(0); // the other never ends
}

static void bench_spawn()
{
    struct usage from = usage_now();
    for (long i = 0; i < count; i++)
        fibers::fiber([] {}).join();
    print_usage("boost.fiber", "spawn", count, from);
}

using channel = fibers::unbuffered_channel<uint64_t>;

static void relay(channel *from, channel *to)
{
    uint64_t v;
    while (from->pop(v) == fibers::channel_op_status::success && v > 0)
        if (to->push(v - 1) != fibers::channel_op_status::success)
            return;
    to->close();
    from->close();
}

static void bench_channel()
{
    channel a, b;
    fibers::fiber first(relay, &a, &b), second(relay, &b, &a);
    struct usage from = usage_now();
    a.push((uint64_t)count);
    first.join();
    second.join();
    print_usage("boost.fiber", "channel", count, from);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    count = count_argument(argc, argv, 1000000);
    if (!strcmp(argv[1], "switch"))
        bench_switch();
    else if (!strcmp(argv[1], "raw"))
        bench_raw();
    else if (!strcmp(argv[1], "spawn"))
        bench_spawn();
    else if (!strcmp(argv[1], "channel"))
        bench_channel();
    return 0;
}
