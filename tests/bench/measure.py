"""What the benchmarks share: counters, CPU of processes, interleaved pairs, and their verdict."""

import json
import os
import random
import signal
import struct
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["LOOPSCOPE_BUILD"]
AGENT = os.environ.get("LOOPSCOPE", os.path.join(BUILD, "loopscope"))


def tool(name):
    return os.path.join(BUILD, "bench", name)


def threads_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def cpu_ns(*pids):
    """CPU time of processes with all their threads, up to this moment: schedstat tells of one that runs only what it
    had at the last tick."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)  # CPUCLOCK_SCHED of a process
        except OSError:
            pass
    return total


def children_of(pid):
    found = []
    for tid in threads_of(pid):
        try:
            with open(f"/proc/{pid}/task/{tid}/children") as file:
                found += map(int, file.read().split())
        except OSError:
            pass
    return found


def rss_anon(*pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as status:
                total += next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        except (OSError, StopIteration):
            pass
    return total * 1024


class Counter:
    """The 64-bit word that a load generator counts in."""

    def __init__(self):
        handle, self.path = tempfile.mkstemp(prefix="loopscope-bench.")
        os.write(handle, bytes(8))
        self.handle = handle

    def read(self):
        return struct.unpack("Q", os.pread(self.handle, 8, 0))[0]

    def close(self):
        os.close(self.handle)
        os.unlink(self.path)


class Agent:
    """A `loopscope watch` with what it found meanwhile."""

    def __init__(self, *args):
        self.findings = {}
        self.attached = threading.Event()
        self.process = subprocess.Popen([AGENT, "watch", *map(str, args), "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if not self.attached.wait(15):
            self.process.kill()
            raise SystemExit(f"bench: not attached: {self.process.stderr.read().strip()}")

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "attached":
                self.attached.set()
            if event.get("finding"):
                self.findings[event["finding"]["id"]] = event["finding"]

    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


def per_operation(pids, counter, seconds):
    """CPU ns of `pids` for one operation, over a window; longer when nothing was done in it."""
    cpu, done, until = cpu_ns(*pids), counter.read(), time.monotonic() + 10
    count = 0
    while not count:
        if time.monotonic() > until:
            raise SystemExit("bench: the load stands still")
        time.sleep(seconds)
        count = counter.read() - done
    return (cpu_ns(*pids) - cpu) / count


def count_findings(agent, found):
    for finding in agent.findings.values():
        word = f"{finding['rule']} ({finding['severity']})"
        found[word] = found.get(word, 0) + 1


def pin(pids, cpu=0):
    """All threads of these processes onto one CPU: what the machine does to one it does to all."""
    for pid in pids:
        for tid in threads_of(pid):
            os.sched_setaffinity(int(tid), {cpu})


@dataclass
class Compared:
    ratios: list  # CPU for one operation with the agent to without, one a pair
    plain: list  # ns without
    found: dict  # what the agent told meanwhile
    control: list = None  # without to without, of the same pairs: the noise of the method here


def pairs(pids, counter, attach_to, options, count, seconds=1.0, seed=1):
    """Interleaved: one window with the agent and two without, in random order."""
    order = random.Random(seed)
    compared = Compared([], [], {}, [])
    for _ in range(count):
        attached, bare = None, []
        for with_agent in order.sample((False, True, False), 3):
            agent = Agent(attach_to, *options) if with_agent else None
            time.sleep(0.3)
            cost = per_operation(pids, counter, seconds)
            if agent:
                attached = cost
                agent.stop()
                count_findings(agent, compared.found)
            else:
                bare.append(cost)
        compared.ratios.append(attached * 2 / sum(bare))
        compared.plain += bare
        compared.control.append(bare[0] / bare[1])
    return compared


class Toggle:
    """The probe of the agent in a process of its own, whose kernel side is attached and detached on command."""

    def __init__(self, pid):
        self.process = subprocess.Popen([tool("toggle"), str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self._answer()

    def _answer(self):
        if self.process.stdout.readline() != "ok\n":
            raise SystemExit("bench: the probe did not obey")

    def attach(self, wanted):
        self.process.stdin.write("1\n" if wanted else "0\n")
        self.process.stdin.flush()
        self._answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


SLICE = 0.02
SLICES = 48  # with it, a pair


def triple(order, toggle, pids, counter):
    """Three slices next to each other, in random order: attached; not; not."""
    cost = [0, 0, 0]
    for kind in order.sample(range(3), 3):
        toggle.attach(kind == 0)
        cost[kind] = per_operation(pids, counter, SLICE)
    return cost


def toggled(pids, counter, watched, count, seed=1):
    """The kernel side comes and goes. A virtual CPU has two speeds, by what its neighbour does: slices next to each other
    mostly have the same, and the median of their ratios leaves out those between which it changed."""
    order = random.Random(seed)
    compared = Compared([], [], {}, [])
    toggle = Toggle(watched)
    try:
        for _ in range(count):
            triples = [triple(order, toggle, pids, counter) for _ in range(SLICES)]
            compared.ratios.append(median([2 * on / (one + other) for on, one, other in triples]))
            compared.plain.append(median([(one + other) / 2 for _, one, other in triples]))
            compared.control.append(median([one / other for _, one, other in triples]))
    finally:
        toggle.end()
    return compared


def costs(groups, counters, seconds):
    """CPU ns for one operation of each group of processes, over the same window."""
    before = [(cpu_ns(*pids), counter.read()) for pids, counter in zip(groups, counters)]
    time.sleep(seconds)
    after = [(cpu_ns(*pids), counter.read()) for pids, counter in zip(groups, counters)]
    if any(now[1] == then[1] for now, then in zip(after, before)):
        raise SystemExit("bench: the load stands still")
    return [(now[0] - then[0]) / (now[1] - then[1]) for now, then in zip(after, before)]


def twins(servers, counters, options, count, seconds=1.2, seed=1):
    """Two equal servers at work on the same CPU, of which each is watched once a pair. What the machine does to
    both in a window falls out of the ratio, and so does what differs between the two."""
    order = random.Random(seed)
    compared = Compared([], [], {})
    for _ in range(count):
        product = 1
        for watched in order.sample((0, 1), 2):
            agent = Agent(servers[watched], *options)
            time.sleep(0.3)
            cost = costs([[pid] for pid in servers], counters, seconds)
            agent.stop()
            product *= cost[watched] / cost[1 - watched]
            compared.plain.append(cost[1 - watched])
            count_findings(agent, compared.found)
        compared.ratios.append(product ** 0.5)
    return compared


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def interval(values):
    """95 % interval of the median, by order statistics (for 20 values: the 6th and the 15th)."""
    values = sorted(values)
    n = len(values)
    skip = max(0, int(n / 2 - 0.98 * n ** 0.5))
    return values[skip], values[n - 1 - skip]


def row(name, compared, limit=None):
    """One line of the table; returns whether it is within its limit."""
    ratios, plain = compared.ratios, compared.plain
    low, high = interval(ratios)
    good = limit is None or high <= limit
    words = ", ".join(f"{word} x{n}" for word, n in sorted(compared.found.items())) or "nothing"
    judged = "" if limit is None else f"at most {limit:.2f}: " + ("yes" if good else "NO")
    control = "{:.3f} to {:.3f}".format(*interval(compared.control)) if compared.control else ""
    print(f"| {name:<44} | {median(plain):>8.0f} | {median(ratios):.3f} | {low:.3f} to {high:.3f} |"
          f" {len(ratios):>2} | {control:<14} | {judged:<17} | {words} |", flush=True)
    return good


STATS = "/proc/sys/kernel/bpf_stats_enabled"


def run_time_ns():
    """Run time so far of each BPF program by its id; the kernel counts it while STATS is 1."""
    out = subprocess.run(["bpftool", "prog", "show", "--json"], capture_output=True, check=True).stdout
    return {program["id"]: program.get("run_time_ns", 0) for program in json.loads(out)}


def programs_share(watched, pids, seconds=4):
    """What loopscope's programs take, as the kernel itself counts it, to the CPU time of `pids` meanwhile: an
    upper bound, as it holds the switches of all programs. None where the kernel or the user cannot tell."""
    try:
        with open(STATS, "w") as stats:
            stats.write("1")
        agent = Agent(watched)
        time.sleep(1)
        before, cpu = run_time_ns(), cpu_ns(*pids)
        time.sleep(seconds)
        after, cpu = run_time_ns(), cpu_ns(*pids) - cpu
        agent.stop()
        ours = sum(ns - before[number] for number, ns in after.items() if number in before)
        return ours / cpu if cpu else None
    except (OSError, subprocess.CalledProcessError):
        return None
    finally:
        if os.access(STATS, os.W_OK):
            with open(STATS, "w") as stats:
                stats.write("0")


def row_of_share(name, share):
    if share is not None:
        print(f"| {name:<44} |          | {1 + share:.3f} | BPF run time / CPU |    |                | | |",
              flush=True)


def head():
    print("| what | ns CPU each, without | ratio with | 95 % interval | pairs | nothing attached, twice | limit |"
          " found meanwhile |")
    print("|---|---|---|---|---|---|---|---|", flush=True)


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
