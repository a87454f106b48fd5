#!/usr/bin/env python3
"""asyncio, and uvloop with a third argument: peer.py OPERATION COUNT [uvloop]"""
import asyncio
import resource
import sys
import time

peer = "asyncio"


def usage():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return time.monotonic(), r.ru_utime, r.ru_stime


def report(operation, count, before):
    wall, user, system = (1e9 * (b - a) / count for a, b in zip(before, usage()))
    print(peer, operation, count, f"{wall:.2f} {user:.2f} {system:.2f}", flush=True)


async def yield_loop(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def nothing():
    pass


async def switch(count):
    await asyncio.gather(yield_loop(count // 2), yield_loop(count // 2))


async def spawn(count):
    for _ in range(count):
        await asyncio.create_task(nothing())


async def relay(source, sink):
    while (v := await source.get()) > 0:
        await sink.put(v - 1)
    await sink.put(0)


async def channel(count):  # of one place: asyncio has no unbuffered one
    a, b = asyncio.Queue(1), asyncio.Queue(1)
    await a.put(count)
    await asyncio.wait([asyncio.create_task(relay(a, b)), asyncio.create_task(relay(b, a))],
                       return_when=asyncio.FIRST_COMPLETED)


async def timer(count):
    loop = asyncio.get_running_loop()
    armed = [loop.call_later(3600 + i / 1000, print) for i in range(10_000)]
    before = usage()
    for i in range(count):
        loop.call_later(1 + i % 1000 / 1000, print).cancel()
    report("timer", count, before)
    for t in armed:
        t.cancel()


async def sleep(count):
    for name in ("sleep-cold", "sleep-warm"):
        before = usage()
        await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(count)))
        report(name, count, before)


async def measured(operation, count):
    run = {"switch": switch, "spawn": spawn, "channel": channel, "timer": timer, "sleep": sleep}.get(operation)
    if not run:
        return
    before = usage()
    await run(count)
    if operation not in ("timer", "sleep"):
        report(operation, count, before)


def main():
    global peer
    operation, count = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) > 3:
        import uvloop
        peer = "uvloop"
        uvloop.install()
    asyncio.run(measured(operation, count))


main()
