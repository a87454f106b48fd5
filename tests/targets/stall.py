#!/usr/bin/python3
"""An asyncio program that blocks its loop in known ways, by the same plan and log as plan.h."""

import argparse
import asyncio
import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MASK = (1 << 64) - 1


def waited_ns(task):
    """How long a thread could have run and had no CPU, so far."""
    with open(f"/proc/{task}/schedstat") as schedstat:
        return int(schedstat.read().split()[1])


def cpu_times():
    """User and kernel time of this thread so far, and its wait for a CPU, in ns: what the kernel says it was."""
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return round(usage.ru_utime * 1e9), round(usage.ru_stime * 1e9), waited_ns("thread-self")


class Plan:
    def __init__(self, options):
        self.options = options
        self.state = options.seed
        self.made = 0
        self.order = []
        self.cpu_times = cpu_times
        self.log = open(options.log, "w", buffering=1) if options.log else None

    def random(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def between(self, low, high):
        return low + self.random() % (high - low + 1)

    def next_cause(self):
        """Each round visits every cause once, in a new order."""
        if not self.order:
            self.order = list(self.options.causes)
            for i in range(len(self.order) - 1, 0, -1):
                j = self.between(0, i)
                self.order[i], self.order[j] = self.order[j], self.order[i]
        return self.order.pop(0)

    def length(self):
        o = self.options
        return 86400.0 if o.endless else self.between(o.min, o.max) / 1000

    def note(self, line):
        if self.log:
            self.log.write(line + "\n")

    def begin(self, cause, lines=1, *also):
        """The culprit is the caller, on the `lines` lines after this call."""
        caller = sys._getframe(1)
        names = "|".join((caller.f_code.co_name,) + also)
        first = caller.f_lineno + 1
        self.cpu = self.cpu_times()
        self.note(f"begin {self.made} {time.monotonic_ns()} {cause} {names} stall.py"
                  f" {first}-{first + lines - 1}")

    def end(self):
        ended, cpu = time.monotonic_ns(), self.cpu_times()
        spent = " ".join(str(now - then) for now, then in zip(cpu, self.cpu))
        self.note(f"end {self.made} {ended} {spent}")
        self.made += 1


plan = None
scratch = None
lock = threading.Lock()
rows = [{"id": i, "name": f"row {i}", "tags": ["a", "b"]} for i in range(20000)]


def block_spin(seconds):
    until = time.monotonic() + seconds
    x = 0
    plan.begin("spin", 2)
    while time.monotonic() < until:
        x = (x * 31 + 7) % 1000003
    plan.end()


def block_sleep(seconds):
    plan.begin("sleep")
    time.sleep(seconds)
    plan.end()


def write_later(path, seconds):
    time.sleep(seconds)
    with open(path, "wb") as fifo:
        fifo.write(b"x")


def block_fifo(seconds):
    path = os.path.join(scratch, "fifo")
    threading.Thread(target=write_later, args=(path, seconds), daemon=True).start()
    plan.begin("fifo", 2)
    with open(path, "rb") as fifo:
        fifo.read()
    plan.end()


FLOCK_HOLDER = """
import fcntl, sys, time
f = open(sys.argv[1], "w")
fcntl.flock(f, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
time.sleep(float(sys.argv[2]))
"""


async def start_flock_holder(path, seconds):
    """A child that has the lock, and lets go `seconds` after a line in the pipe."""
    theirs, ours = os.pipe()
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FLOCK_HOLDER, path, str(seconds),
        stdin=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    await holder.stdout.readline()
    return holder, ours


def block_flock(path, go):
    file = open(path, "w")
    os.write(go, b"go\n")
    os.close(go)
    plan.begin("flock")
    fcntl.flock(file, fcntl.LOCK_EX)
    plan.end()
    file.close()


def hold_lock(seconds, held):
    with lock:
        held.set()
        time.sleep(seconds)


def block_lock(seconds):
    held = threading.Event()
    threading.Thread(target=hold_lock, args=(seconds, held), daemon=True).start()
    held.wait()
    plan.begin("lock")
    lock.acquire()
    plan.end()
    lock.release()


def block_subprocess(seconds):
    plan.begin("subprocess")
    subprocess.run(["sleep", str(seconds)], check=True)
    plan.end()


def block_json(seconds):
    until = time.monotonic() + seconds
    plan.begin("json", 2)
    while time.monotonic() < until:
        json.dumps(rows)
    plan.end()


def block_hashlib(seconds):
    until = time.monotonic() + seconds
    plan.begin("hashlib", 2)
    while time.monotonic() < until:
        hashlib.pbkdf2_hmac("sha512", b"a", b"b", 60000)
    plan.end()


def send_later(sock, seconds):
    time.sleep(seconds)
    sock.send(b"x")


def block_socket(seconds):
    ours, theirs = socket.socketpair()
    threading.Thread(target=send_later, args=(theirs, seconds), daemon=True).start()
    plan.begin("socket")
    ours.recv(1)
    plan.end()
    ours.close()
    theirs.close()


def answer_late(server, seconds):
    client, _ = server.accept()
    client.recv(4096)
    time.sleep(seconds)
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    client.close()


def block_request(seconds):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_late, args=(server, seconds), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        plan.begin("request")
        urllib.request.urlopen(url, timeout=86400).read()
        plan.end()


async def load_profile(seconds):
    await asyncio.sleep(0)
    plan.begin("deep")
    time.sleep(seconds)
    plan.end()


async def load_user(seconds):
    await load_profile(seconds)


async def handle_request(seconds):
    await load_user(seconds)


SIMPLE = {"spin": block_spin, "sleep": block_sleep, "fifo": block_fifo, "lock": block_lock,
          "subprocess": block_subprocess, "json": block_json, "hashlib": block_hashlib,
          "socket": block_socket, "request": block_request}
ALL = list(SIMPLE) + ["flock", "deep"]


async def stall(cause, seconds):
    if cause == "flock":
        path = os.path.join(scratch, "lock")
        holder, go = await start_flock_holder(path, seconds)
        block_flock(path, go)
        await holder.wait()
    elif cause == "deep":
        await asyncio.create_task(handle_request(seconds), name="request-handler")
    else:
        SIMPLE[cause](seconds)


async def heartbeat():
    while True:
        await asyncio.sleep(0.01)  # a healthy service turns even when nothing is wrong


async def main():
    o = plan.options
    beat = asyncio.create_task(heartbeat(), name="heartbeat")
    pid = os.getpid()
    plan.note(f"ready {time.monotonic_ns()} {time.time_ns()} {pid} {pid} {o.seed}")
    await asyncio.sleep(o.start / 1000)
    while not o.count or plan.made < o.count:
        await stall(plan.next_cause(), plan.length())
        await asyncio.sleep(plan.between(o.gap_min, o.gap_max) / 1000)
    plan.note(f"done {time.monotonic_ns()}")
    await asyncio.sleep(1.5)
    beat.cancel()


def parse_options():
    parser = argparse.ArgumentParser()
    for name, default in (("seed", 1), ("count", 0), ("min", 300), ("max", 800),
                          ("gap-min", 200), ("gap-max", 500), ("start", 1000)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--causes", default=",".join(ALL))
    parser.add_argument("--endless", action="store_true")
    parser.add_argument("--log")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    options.causes = options.causes.split(",")
    if set(options.causes) - set(ALL):
        parser.error("unknown cause")
    return options


def run():
    global plan, scratch
    plan = Plan(parse_options())
    scratch = tempfile.mkdtemp(prefix="stall_py.")
    os.mkfifo(os.path.join(scratch, "fifo"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if plan.options.uvloop:
            import uvloop
            uvloop.install()
        asyncio.run(main())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    run()
