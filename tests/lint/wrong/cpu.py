import asyncio
import hashlib
import time

ROUNDS = 5_000_000


async def digest(password):
    return hashlib.pbkdf2_hmac("sha256", password, b"salt", 600_000)  # expect: loop-cpu


async def analyse(order):
    total = 0
    for i in range(ROUNDS):  # expect: loop-cpu
        total += i * order
    await asyncio.sleep(0)
    return total


async def spin(flag):
    while True:  # expect: loop-cpu
        flag += 1


async def pause(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # expect: loop-cpu
        pass
