#!/usr/bin/python3
"""What loopscope costs. usage: cost.py redis|node|others|agent|tasks|calls [--pairs N]

CPU time per request of the target with loopscope attached, against without, in interleaved pairs;
the same for programs that are not watched; and what the agent itself takes.
Exit status 1 when a limit is passed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import measure
from measure import Agent, Counter, pairs, row, tool, twins

TARGETS = os.path.join(os.path.dirname(measure.HERE), "targets")
EXTRA = (("--exact", ["--exact"]), ("--backend proc", ["--backend", "proc"]))


class Redis:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="loopscope-bench.")
        self.where = os.path.join(self.folder.name, "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.where, "--save", "",
             "--dir", self.folder.name], stdout=subprocess.DEVNULL)
        while not os.path.exists(self.where):
            time.sleep(0.02)
        time.sleep(0.1)  # the socket is there a moment before it listens
        subprocess.run(["redis-cli", "-s", self.where, "set", "key", "value"],
                       check=True, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid

    def end(self):
        measure.end(self.process)
        self.folder.cleanup()


class Node:
    SERVER = ("require('http').createServer((q,r)=>r.end('hello'))"
              ".listen(0,'127.0.0.1',function(){console.log(this.address().port)})")

    def __init__(self):
        self.process = subprocess.Popen(["node", "-e", self.SERVER], stdout=subprocess.PIPE, text=True)
        self.where = self.process.stdout.readline().strip()
        self.pid = self.process.pid

    def end(self):
        measure.end(self.process)


class Load:
    def __init__(self, kind, where, rate, connections):
        self.counter = Counter()
        self.process = subprocess.Popen([tool("load"), kind, where, str(rate), str(connections),
                                         self.counter.path])

    def rate(self):
        time.sleep(1)
        before = self.counter.read()
        time.sleep(1)
        return self.counter.read() - before

    def end(self):
        measure.end(self.process)
        self.counter.close()


def under_load(name, server, kind, where, rate, connections, count):
    """Alone, with the agent and without. Shown beside the same with nothing attached, not judged: what the machine
    does from one second to the next can be ten times what the agent does."""
    load = Load(kind, where, rate, connections)
    try:
        time.sleep(2)
        row(name, pairs([server.pid], load.counter, server.pid, [], count))
        measure.row_of_share(f"{name}, by the kernel", measure.programs_share(server.pid, [server.pid]))
    finally:
        load.end()


def full_rate(kind, where, connections):
    load = Load(kind, where, 0, connections)
    try:
        return load.rate()
    finally:
        load.end()


class Twins:
    """Two equal servers under equal load, all on one CPU."""

    def __init__(self, make, kind, connections):
        self.servers = [make(), make()]
        self.kind, self.connections, self.loads = kind, connections, []
        self.pids = [server.pid for server in self.servers]
        measure.pin(self.pids)

    def load(self, rate):
        self.rest()
        self.loads = [Load(self.kind, server.where, rate, self.connections) for server in self.servers]
        measure.pin([load.process.pid for load in self.loads])

    def full_rate(self):
        """What each does when both do all they can."""
        self.load(0)
        time.sleep(2)  # V8 compiles
        return self.loads[0].rate()

    def rest(self):
        for load in self.loads:
            load.end()
        self.loads = []

    def compare(self, name, options, count, limit=None, shared=0):
        compared = twins(self.pids, [load.counter for load in self.loads], options, count)
        compared.ratios = [ratio * (1 + shared) for ratio in compared.ratios]
        return row(name, compared, limit)

    def shared(self):
        """What both pay while loopscope watches another program there, as the kernel counts it."""
        idle = subprocess.Popen([os.path.join(measure.BUILD, "targets", "kinds"), "idle"])
        try:
            measure.pin([idle.pid])
            time.sleep(0.3)
            return measure.programs_share(idle.pid, [*self.pids, *(load.process.pid for load in self.loads)])
        finally:
            measure.end(idle)

    def end(self):
        self.rest()
        for server in self.servers:
            server.end()


def beside_a_twin(name, make, kind, connections, count, limit, extra=EXTRA):
    """Of two equal servers on one CPU one is watched: the noise of the machine hits both. What loopscope costs
    programs that it does not watch hits both as well: it is measured apart, and added."""
    both, good = Twins(make, kind, connections), True
    try:
        half = both.full_rate() / 2
        for word, rate in ((f"half load ({half / 1000:.1f} k/s)", half), ("saturated", 0)):
            both.load(rate)
            time.sleep(1)
            shared = both.shared()
            measure.row_of_share(f"{name}, {word}: what both pay", shared)
            good &= both.compare(f"{name}, {word}", [], count, limit, shared or 0)
            for option, options in extra:
                both.compare(f"{name}, {word}, {option}", options, max(3, count // 4))
        return good
    finally:
        both.end()


def bench_redis(count):
    good = beside_a_twin("redis GET beside a twin", Redis, "redis", 16, count, 1.03)
    server = Redis()
    try:
        rate = full_rate("redis", server.where, 16) / 2
        under_load(f"redis GET alone, half load ({rate / 1000:.0f} k/s)", server, "redis", server.where, rate, 16, count)
        under_load("redis GET alone, saturated", server, "redis", server.where, 0, 16, count)
    finally:
        server.end()
    return good


def bench_node(count):
    good = beside_a_twin("Node HTTP beside a twin", Node, "http", 16, count, 1.03)
    server = Node()
    try:
        full_rate("http", server.where, 16)  # V8 compiles
        rate = full_rate("http", server.where, 16) / 2
        under_load(f"Node HTTP alone, half load ({rate / 1000:.0f} k/s)", server, "http", server.where, rate, 16, count)
    finally:
        server.end()
    return good


class Ops:
    def __init__(self, mode):
        self.counter = Counter()
        self.process = subprocess.Popen([tool("ops"), mode, self.counter.path])
        time.sleep(0.5)
        self.pids = [self.process.pid, *measure.children_of(self.process.pid)]

    def end(self):
        measure.end(self.process)
        self.counter.close()


def bench_others(count):
    """Programs that are not watched, while loopscope watches a redis that is at work. They pay for what is attached in
    the kernel, so that is what comes and goes; the whole agent beside, in few and long windows."""
    server, good = Redis(), True
    load = Load("redis", server.where, 2000, 4)
    try:
        for mode, name, limit in (("syscall", "another process, system calls only", 1.01),
                                  ("switch", "another process, pipe ping-pong on a core", 1.10)):
            other = Ops(mode)
            try:
                good &= row(name, measure.toggled(other.pids, other.counter, server.pid, count), limit)
                measure.row_of_share(f"{name}, by the kernel", measure.programs_share(server.pid, other.pids))
                for word, options in (("the agent started and ended", []), *EXTRA):
                    row(f"{name}, {word}", pairs(other.pids, other.counter, server.pid, options, max(3, count // 4)))
            finally:
                other.end()
        return good
    finally:
        load.end()
        server.end()


def agent_cpu(processes, seconds, options=()):
    """Share of a core of agent and helper, with idle loops."""
    idle = [subprocess.Popen([os.path.join(measure.BUILD, "targets", "kinds"), "idle"])
            for _ in range(processes)]
    try:
        time.sleep(1)
        agent = Agent("--name", "kinds", *options)
        time.sleep(3)
        before = measure.cpu_ns(*agent.pids())
        time.sleep(seconds)
        share = (measure.cpu_ns(*agent.pids()) - before) / seconds / 1e9
        memory = measure.rss_anon(*agent.pids())
        agent.stop()
        return share, memory
    finally:
        for process in idle:
            process.kill()
            process.wait()


def wait_for_line(path, word, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with open(path) as log:
            if any(line.startswith(word) for line in log):
                return
        time.sleep(0.1)
    raise SystemExit("bench: the target did not finish its plan")


def node_memory(stalls):
    """RssAnon of agent and helper after that many stalls on Node."""
    with tempfile.TemporaryDirectory(prefix="loopscope-bench.") as folder:
        log = os.path.join(folder, "journal")
        target = subprocess.Popen(["node", os.path.join(TARGETS, "stall.js"), "--log", log,
                                   "--min", "120", "--max", "160", "--gap-min", "40", "--gap-max",
                                   "80", "--start", "2000", "--count", str(stalls)])
        try:
            time.sleep(1)
            agent = Agent(target.pid)
            wait_for_line(log, "done", 3 * stalls)
            pids = agent.pids()
            memory = measure.rss_anon(*pids)
            found = sum(finding["count"] for finding in agent.findings.values())
            agent.stop()
            return memory, len(pids), found
        finally:
            target.kill()


def bench_agent(count):
    share, memory = agent_cpu(100, 5 if count < 20 else 20)
    print(f"agent with 100 idle loops: {100 * share:.2f} % of a core (at most 1.00),"
          f" RssAnon {memory / 1e6:.1f} MB", flush=True)
    for word, options in EXTRA:
        other, memory = agent_cpu(100, 5 if count < 20 else 10, options)
        print(f"agent with 100 idle loops, {word}: {100 * other:.2f} % of a core, RssAnon {memory / 1e6:.1f} MB", flush=True)
    after, processes, found = node_memory(100)
    print(f"agent after 100 stalls on Node: RssAnon {after / 1e6:.1f} MB in {processes} processes"
          f" (at most 30); {found} stalls told", flush=True)
    return share <= 0.01 and after <= 30e6


class TasksLoad:
    def __init__(self, mode, waiting):
        self.counter = Counter()
        self.process = subprocess.Popen([tool("tasks_load"), mode, str(waiting), self.counter.path])
        until = time.monotonic() + 120
        while not self.counter.read():
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit("bench: the tasks were not spawned")
            time.sleep(0.1)
        self.pid = self.process.pid

    def end(self):
        self.process.kill()  # a million tasks take their time to be cancelled
        self.process.wait()
        self.counter.close()


def refresh(tasks, limit_ms):
    """CPU of the agent for one look at so many tasks."""
    load = TasksLoad("wait", tasks)
    try:
        told = subprocess.run([tool("table"), str(load.pid), "8"], capture_output=True, text=True, check=True).stdout
    finally:
        load.end()
    total, first, later = (float(word) for word in told.split())
    good = total >= tasks and (limit_ms is None or max(first, later) <= limit_ms)
    limit = "" if limit_ms is None else f", at most {limit_ms}: {'yes' if good else 'NO'}"
    print(f"{total:.0f} tasks read: {first:.1f} ms of the agent's CPU the first time, {later:.1f} ms each later one"
          f"{limit}", flush=True)
    return good


def available_bytes():
    with open("/proc/meminfo") as info:
        return next(int(line.split()[1]) * 1024 for line in info if line.startswith("MemAvailable"))


def bench_tasks(count):
    """A program on our runtime that spawns and awaits tasks without end, beside many that wait, while all are read."""
    good = True
    for waiting in (1000, 100000):
        loads = [TasksLoad("spawn", waiting), TasksLoad("spawn", waiting)]
        try:
            measure.pin([load.pid for load in loads])
            good &= row(f"a task spawned and awaited, beside {waiting}", twins(
                [load.pid for load in loads], [load.counter for load in loads], [], count), limit=1.01)
        finally:
            for load in loads:
                load.end()
    good &= refresh(100000, 100)
    if available_bytes() > 10e9:  # 4.3 KB a task
        good &= refresh(1000000, None)
    else:
        print("1000000 tasks: skipped, too little memory")
    return good


def bench_calls(count):
    """Calls of libuv by the loop's own thread with --thread-checks, and without the agent."""
    for which, name in ((0, "uv_timer_start, uv_timer_stop"), (1, "uv_update_time")):
        load = TasksLoad("calls", which)
        try:
            compared = pairs([load.pid], load.counter, load.pid, ["--thread-checks"], count)
        finally:
            load.end()
        bare = measure.median(compared.plain)
        probed = [ratio * bare for ratio in compared.ratios]
        low, high = measure.interval(probed)
        print(f"a call of {name}: {bare:.0f} ns, with --thread-checks {measure.median(probed):.0f} ns"
              f" ({low:.0f} to {high:.0f}), {count} pairs", flush=True)
    return True


PARTS = {"redis": bench_redis, "node": bench_node, "others": bench_others, "agent": bench_agent,
         "tasks": bench_tasks, "calls": bench_calls}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    if options.part not in ("agent", "calls"):
        measure.head()
    return 0 if PARTS[options.part](options.pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
