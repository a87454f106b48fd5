#!/usr/bin/python3
"""The pitfalls of the gallery in asyncio, each wrong and cured.

usage: pitfalls.py NAME [--cured]   runs until it is killed; NAME is a rule's, +HOW where it is shown in several ways"""

import asyncio
import fcntl
import functools
import logging
import logging.handlers
import os
import queue
import socket
import sys
import threading
import time

PIPE_SIZE = 4096


def slow_service(delay):
    """A server of another program: answers a line after `delay`. Its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(client):
        with client:
            client.recv(100)
            time.sleep(delay)
            client.sendall(b"ok\n")

    def serve():
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"stock\n")
    line = await reader.readline()
    writer.close()
    return line


async def loop_sync_io(cured):
    port = slow_service(0.25)
    while True:
        if cured:
            await ask(port)
        else:
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(b"stock\n")
                s.recv(100)
        await asyncio.sleep(0.4)


def slow_collector():
    """A pipe whose reader takes its time; its writing descriptor."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)

    def collect():
        while os.read(reader, PIPE_SIZE):
            time.sleep(0.15)

    threading.Thread(target=collect, daemon=True).start()
    return writer


async def loop_sync_log(cured):
    os.dup2(slow_collector(), 2)  # as a service runs under its supervisor
    handler = logging.StreamHandler(os.fdopen(2, "w", closefd=False))
    log = logging.getLogger("orders")
    log.setLevel(logging.INFO)
    if cured:
        records = queue.Queue(1000)
        logging.handlers.QueueListener(records, handler).start()
        handler = logging.handlers.QueueHandler(records)
    log.addHandler(handler)
    while True:
        for i in range(12 if cured else 64):
            log.info("order %d packed, %-160s", i, "items and addresses")
        await asyncio.sleep(0.8)


def analyse(n):
    return sum(i * i % 7 for i in range(n))


async def loop_cpu(cured):
    rows = 3_000_000
    while True:
        if cured:
            for _ in range(rows // 30_000):
                analyse(30_000)
                await asyncio.sleep(0)
        else:
            analyse(rows)
        await asyncio.sleep(0.4)


async def send_receipt():
    await asyncio.sleep(4)


async def task_never_awaited(cured):
    kept = set()
    while True:
        task = asyncio.create_task(send_receipt())
        if cured:
            kept.add(task)
            task.add_done_callback(kept.discard)
        del task
        await asyncio.sleep(0.5)


async def handle_message(gate):
    async with gate:
        await asyncio.sleep(0.3)


async def task_unbounded(cured):
    gate, running = asyncio.Semaphore(20), set()
    while True:
        for _ in range(20):
            task = asyncio.create_task(handle_message(gate))
            running.add(task)
            task.add_done_callback(running.discard)
        if cured:
            await asyncio.wait(running)
        await asyncio.sleep(0.1)


async def refresh():
    await asyncio.sleep(0.01)
    raise ConnectionError("prices: connection refused")


async def task_error_unread(cured):
    background = []
    while True:
        background.append(asyncio.create_task(refresh()))
        await asyncio.sleep(1)
        if cured:
            await asyncio.gather(*background, return_exceptions=True)
            background.clear()
        del background[:-50]


async def build_report():
    for _ in range(50):
        await asyncio.sleep(0.1)


async def task_timeout_runs_on(cured):
    reports = set()
    while True:
        report = asyncio.create_task(build_report())
        reports.add(report)
        report.add_done_callback(reports.discard)
        try:
            await asyncio.wait_for(report if cured else asyncio.shield(report), 1.5)
        except asyncio.TimeoutError:
            pass
        await asyncio.sleep(0.1)


async def poll_prices(cured):
    while True:
        try:
            await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            if cured:
                raise


async def task_cancel_ignored(cured):
    pollers = []
    while True:
        pollers.append(asyncio.create_task(poll_prices(cured)))
        await asyncio.sleep(0.5)
        pollers[-1].cancel()
        await asyncio.sleep(0.5)
        if cured:
            pollers.clear()
        del pollers[:-50]


async def finish_film(done):
    await done


async def task_orphan(cured):
    while True:
        done = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(finish_film(done))
        await asyncio.sleep(0.1)
        if cured:
            done.set_result(None)
            await task
        del task, done  # nobody is left who could complete it
        await asyncio.sleep(0.9)


async def transfer(accounts, to):
    while to not in accounts:
        await asyncio.sleep(0)
    await accounts[to]


async def task_deadlock(cured):
    held = []
    while True:
        accounts = {}
        accounts["a"] = asyncio.create_task(transfer(accounts, "b") if not cured else asyncio.sleep(0.1))
        accounts["b"] = asyncio.create_task(transfer(accounts, "a"))
        if cured:
            await accounts["b"]
        held.append(accounts)
        del held[:-5]
        await asyncio.sleep(1)


async def move(first, second):
    async with first:
        await asyncio.sleep(0.02)  # looks the balance up
        async with second:
            pass


async def task_deadlock_locks(cured):
    held = []
    while True:
        a, b = asyncio.Lock(), asyncio.Lock()
        held.append([asyncio.create_task(move(a, b)), asyncio.create_task(move(a, b) if cured else move(b, a))])
        if cured:
            await asyncio.gather(*held[-1])
        del held[:-5]
        await asyncio.sleep(1)


async def tick():
    while True:
        await asyncio.sleep(0.1)  # the program has other things to do


class Mailbox:
    def __init__(self):
        self.arrived, self.letters = asyncio.Event(), 0


async def collect(box, cured):
    await asyncio.sleep(0.05)  # busy elsewhere
    if not cured:
        box.arrived.clear()  # the only signal has come
        await box.arrived.wait()
    while not box.letters:
        await box.arrived.wait()
    box.letters -= 1


async def task_lost_wake(cured):
    other = asyncio.create_task(tick())
    while not other.done():
        box = Mailbox()
        collector = asyncio.create_task(collect(box, cured))
        box.letters += 1
        box.arrived.set()
        await collector
        await asyncio.sleep(0.1)


async def parse(orders, shippers, cured):
    try:
        for number in range(3):
            await orders.put(number)
            await asyncio.sleep(0.1)
        raise ValueError("order 3: no address")
    except ValueError:
        if not cured:
            raise
    for _ in range(shippers):
        await orders.put(None)  # there will be no more


async def ship(orders):
    while await orders.get() is not None:
        await asyncio.sleep(0.02)


async def task_lost_wake_queue(cured):
    other = asyncio.create_task(tick())
    while not other.done():
        orders = asyncio.Queue(5)
        parser = asyncio.create_task(parse(orders, 2, cured))
        await asyncio.gather(*(asyncio.create_task(ship(orders)) for _ in range(2)))
        await parser
        await asyncio.sleep(0.1)


async def serve_one(answer):
    await answer


async def task_stuck(cured):
    loop, waiting = asyncio.get_running_loop(), set()
    for number in range(10 ** 9):
        answer = loop.create_future()
        task = loop.create_task(serve_one(answer))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        if number % 100 != 10 or cured:
            loop.call_later(0.3, functools.partial(answer.set_result, None))
        else:
            loop.call_later(80, functools.partial(answer.set_result, None))
        await asyncio.sleep(0.02)


PITFALLS = {
    "loop-sync-io": loop_sync_io,
    "loop-sync-log": loop_sync_log,
    "loop-cpu": loop_cpu,
    "task-never-awaited": task_never_awaited,
    "task-unbounded": task_unbounded,
    "task-error-unread": task_error_unread,
    "task-timeout-runs-on": task_timeout_runs_on,
    "task-cancel-ignored": task_cancel_ignored,
    "task-orphan": task_orphan,
    "task-deadlock": task_deadlock,
    "task-deadlock+locks": task_deadlock_locks,
    "task-lost-wake": task_lost_wake,
    "task-lost-wake+queue": task_lost_wake_queue,
    "task-stuck": task_stuck,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PITFALLS:
        sys.exit(__doc__)
    asyncio.run(PITFALLS[sys.argv[1]](sys.argv[2:] == ["--cured"]))
