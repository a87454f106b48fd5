# Blocks in one way and says where: prints READY, waits for a line, prints "STALL function first-line
# last-line" and blocks for about half a second in those lines. usage: stalls.py MODE
import asyncio
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

LONG = 4  # ended by the test as soon as it has seen enough


def stall(lines=1):
    frame = sys._getframe(1)
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    print("STALL", name.split(".")[-1], frame.f_lineno + 1, frame.f_lineno + lines, flush=True)


def block_sleep():
    stall()
    time.sleep(LONG)


def block_socket():
    a, b = socket.socketpair()
    threading.Timer(LONG, lambda: b.send(b"x")).start()
    stall()
    a.recv(1)


def block_json():
    rows = [{"id": i, "text": "row %d" % i} for i in range(1000)]
    end = time.monotonic() + LONG
    stall(2)
    while time.monotonic() < end:
        json.dumps(rows)


def block_hash():
    stall()
    hashlib.pbkdf2_hmac("sha512", b"a", b"b", 3000000)


def block_file():
    path = os.path.join(tempfile.mkdtemp(), "fifo")
    os.mkfifo(path)
    threading.Timer(LONG, lambda: open(path, "w").close()).start()
    stall()
    open(path).read()


def block_subprocess():
    stall()
    subprocess.run(["sleep", str(LONG)])


def block_spin():
    end = time.monotonic() + LONG
    x = 0
    stall(2)
    while time.monotonic() < end:
        x = x * 31 % 1000003 + 1


def generate():
    stall()
    time.sleep(LONG)
    yield 1


def block_generator():
    return [x for x in generate()]


class Service:
    def compare(self, a):
        if a == 3:
            stall()
            time.sleep(LONG)
        return a


def block_method():  # a C function (sort) between the two Python frames
    sorted([1, 2, 3, 4], key=Service().compare)



def hold_interpreter():  # a match never gives up the interpreter's lock
    re.match(r"(a+)+$", "a" * 27 + "b")


def block_gil():
    hog = threading.Thread(target=hold_interpreter, name="hog")
    stall(2)
    hog.start()
    time.sleep(0.01)


async def inner():
    stall()
    time.sleep(LONG)


async def middle():
    await inner()


async def outer():
    await middle()


def block_task():
    async def main():
        await asyncio.get_running_loop().create_task(outer(), name="worker")

    asyncio.run(main())


print("READY", flush=True)
sys.stdin.readline()
globals()["block_" + sys.argv[1]]()
