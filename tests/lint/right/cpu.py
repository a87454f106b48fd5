import asyncio
import hashlib
import time

ROUNDS = 5_000_000


async def digest(password):
    return await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", password, b"salt", 600_000)


def total_of(order):
    total = 0
    for i in range(ROUNDS):
        total += i * order
    return total


async def analyse(order, pool):
    return await asyncio.get_running_loop().run_in_executor(pool, total_of, order)


async def sliced(order):
    total = 0
    for i in range(ROUNDS):
        total += i * order
        if i % 1000 == 0:
            await asyncio.sleep(0)
    return total


async def pause(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.01)


def pause_in_thread(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
