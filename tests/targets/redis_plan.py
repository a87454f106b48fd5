#!/usr/bin/python3
"""Blocks a redis-server of its own by the same plan and log as plan.h, from outside.

The log's times are the client's: just before the command is sent and just after its reply.
Expected functions are those that redis exports; a Lua script burns in the interpreter.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import stall  # the plan

BURN = """
local x = 0
for i = 1, tonumber(ARGV[1]) do x = (x * 31 + i) % 1000003 end
return x
"""
EXPECTED = {
    "sleep": "debugCommand",
    "lua": "luaV_execute|luaD_call|lua_pcall|lua_call|luaCallFunction|evalCommand"
           "|evalGenericCommand|luaMaskCountHook|user_script",
}


class Redis:
    def __init__(self, scratch):
        self.path = os.path.join(scratch, "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
             "--appendonly", "no", "--enable-debug-command", "yes", "--dir", scratch],
            stdout=subprocess.DEVNULL)
        self.socket = self.connect()

    def connect(self):
        for _ in range(200):
            sock = socket.socket(socket.AF_UNIX)
            if sock.connect_ex(self.path) == 0:
                return sock
            sock.close()
            time.sleep(0.02)
        self.process.kill()
        sys.exit("redis-server did not start")

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word.encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))

    def command(self, *words):
        self.send(*words)
        reply = self.socket.recv(65536)
        if reply[:1] == b"-":
            sys.exit(f"redis: {reply.decode().strip()}")
        return reply


def rounds_per_second(redis):
    """Scripts see no clock, so their length is a count of rounds."""
    begin = time.monotonic()
    redis.command("EVAL", BURN, "0", "500000")
    return 500000 / (time.monotonic() - begin)


def block(redis, plan, cause, seconds, rate):
    words = (("DEBUG", "SLEEP", str(seconds)) if cause == "sleep"
             else ("EVAL", BURN, "0", str(int(seconds * rate))))
    plan.note(f"begin {plan.made} {time.monotonic_ns()} {cause} {EXPECTED[cause]} - 0-0")
    redis.command(*words)
    plan.end()


def run(plan, scratch):
    o = plan.options
    redis = Redis(scratch)
    pid = redis.process.pid
    rate = rounds_per_second(redis)
    plan.note(f"ready {time.monotonic_ns()} {time.time_ns()} {pid} {pid} {o.seed}")
    try:
        time.sleep(o.start / 1000)
        while not o.count or plan.made < o.count:
            block(redis, plan, plan.next_cause(), plan.length(), rate)
            time.sleep(plan.between(o.gap_min, o.gap_max) / 1000)
        plan.note(f"done {time.monotonic_ns()}")
        time.sleep(1.5)
    finally:
        redis.process.kill()
        redis.process.wait()


def main():
    stall.ALL[:] = list(EXPECTED)
    plan = stall.Plan(stall.parse_options())
    scratch = tempfile.mkdtemp(prefix="stall_redis.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run(plan, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
