#!/usr/bin/python3
"""Blocks a redis-server of its own by the same plan and log as plan.h, from outside.

The log's times are the client's: just before the command is sent and just after its reply.
Of redis's own functions those it exports are expected; of a script its function and its lines.
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
for i = 1, tonumber(ARGV[1]) do
  x = (x * 31 + i) % 1000003
end
return x
"""
COUNT = """
local function count(rounds)
  for i = 1, rounds do
    redis.call('BITCOUNT', 'bits')
  end
end
count(tonumber(ARGV[1]))
"""
EXPECTED = {  # the chunk is named user_script; up to redis 6 it is a function
    "sleep": "debugCommand - 0-0",
    "lua": "main_chunk|function_<user_script:1> user_script 3-4",
    "lua-call": "function_<user_script:2> user_script 4-4",
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


def cpu_times(pid):
    """User and kernel time of its main thread so far, and its wait for a CPU, in ns."""
    with open(f"/proc/{pid}/task/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    user, kernel = (int(ticks) * 10**9 // os.sysconf("SC_CLK_TCK") for ticks in fields[11:13])
    return user, kernel, stall.waited_ns(f"{pid}/task/{pid}")


def rounds_per_second(redis, script, rounds):
    """Scripts see no clock, so their length is a count of rounds."""
    begin = time.monotonic()
    redis.command("EVAL", script, "0", str(rounds))
    return rounds / (time.monotonic() - begin)


class Scripts:
    """What a cause is to be sent as."""

    def __init__(self, redis):
        redis.command("SETBIT", "bits", "40000000", "1")
        self.rates = {"lua": (BURN, rounds_per_second(redis, BURN, 500000)),
                      "lua-call": (COUNT, rounds_per_second(redis, COUNT, 50))}

    def words(self, cause, seconds):
        if cause == "sleep":
            return "DEBUG", "SLEEP", str(seconds)
        script, rate = self.rates[cause]
        return "EVAL", script, "0", str(int(seconds * rate))


def block(redis, plan, cause, words):
    plan.cpu = plan.cpu_times()
    plan.note(f"begin {plan.made} {time.monotonic_ns()} {cause} {EXPECTED[cause]}")
    redis.command(*words)
    plan.end()


def run(plan, scratch):
    o = plan.options
    redis = Redis(scratch)
    pid = redis.process.pid
    scripts = Scripts(redis)
    plan.cpu_times = lambda: cpu_times(pid)
    plan.note(f"ready {time.monotonic_ns()} {time.time_ns()} {pid} {pid} {o.seed}")
    try:
        time.sleep(o.start / 1000)
        while not o.count or plan.made < o.count:
            cause = plan.next_cause()
            block(redis, plan, cause, scripts.words(cause, plan.length()))
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
