"""Recordings of real targets: killed recorders lose at most the last second, --ring, --max-size, --redact
hold, and what is shown does not need the binaries.
usage: recording.py [--long] [--kills N]
       recording.py --day SECONDS   what a day of a Node server with a stall a second would take"""

import argparse
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

AT_ONCE = 10  # recorders
SECOND = 10**9
SLACK = SECOND // 4  # of the clock that says when the kill came, on a loaded machine

failures = []


def expect(what, true, why=""):
    if not true:
        failures.append(f"{what}: {why}")
        print(f"failed: {what}: {why}", flush=True)


def last_ns(path):
    """Unix time of the newest snapshot; None when there is none yet."""
    document = harness.run("report", path, "--format", "json", timeout=60)
    if document.returncode == 3:
        raise RuntimeError(document.stderr.strip())
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    row = database.execute("SELECT (SELECT started_unix_ns FROM session LIMIT 1)+max(now_ns) FROM snapshots").fetchone()
    database.close()
    if row[0] is not None:
        json.loads(document.stdout)
    return row[0]


def last_ns_alone(path):
    """The same of FILE alone, copied elsewhere without the log."""
    copy = path + ".alone"
    shutil.copy(path, copy)
    return last_ns(copy)


def size_of(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def wait_for_snapshot(path, process):
    """Until the file has grown by its first snapshot, however long the machine needs for that."""
    until = time.monotonic() + 60
    while size_of(path) == 0 and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    empty = size_of(path)
    while size_of(path) <= empty and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)


def kill_at(path, target, delay, begun):
    """Starts a recorder and kills it; when that was, as unix time: what it wrote after this is a gift.
    The delay counts from its first snapshot or, for the moments before that, from its start."""
    process = subprocess.Popen([harness.AGENT, "record", str(target), "-o", path],
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if begun:
        wait_for_snapshot(path, process)
    time.sleep(delay)
    killed = time.time_ns()
    process.send_signal(signal.SIGKILL)
    process.wait()
    return killed


def at_once(calls):
    """What each of the functions returns, all running beside each other."""
    results = [None] * len(calls)

    def run(number):
        results[number] = calls[number]()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def lacks_of(path, killed):
    """The nanoseconds that the file lacks, alone and with its log beside it; None before the first snapshot."""
    if not os.path.exists(path):
        return None  # killed before it had begun: there is no file that would not open
    for how, opened in (("alone", last_ns_alone), ("with its log", last_ns)):
        try:
            newest = opened(path)
        except (RuntimeError, ValueError, sqlite3.Error) as error:
            expect("kill -9", False, f"{path} {how} does not open: {error}")
            return None
        if how == "alone":
            alone = newest
    return None if alone is None else killed - alone


def kills(folder, target, count):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    lacks = []
    for begin in range(0, count, AT_ONCE):
        paths = [os.path.join(folder, f"killed{begin + i}.lsr") for i in range(min(AT_ONCE, count - begin))]
        moments = [(chance.uniform(0, 2.5), chance.random() < 0.8) for _ in paths]
        killed = at_once([lambda path=path, moment=moment: kill_at(path, target, *moment)
                          for path, moment in zip(paths, moments)])
        lacks += [lacks_of(path, when) for path, when in zip(paths, killed)]
        for path in paths:
            for leftover in glob.glob(path + "*") if not failures else ():
                os.unlink(leftover)
    lacks = sorted(lack for lack in lacks if lack is not None)
    worst = max(lacks, default=0)
    expect("kill -9", len(lacks) > count / 3, f"only {len(lacks)} of {count} had a snapshot")
    expect("kill -9", worst <= SECOND + SLACK, f"{worst / SECOND:.2f} s are missing (seed {seed})")
    mean, above = sum(lacks) / max(1, len(lacks)) / SECOND, sum(lack > SECOND for lack in lacks)
    print(f"kill -9: {count} recorders, {len(lacks)} with a snapshot, every file opens; missing {mean:.2f} s on average, "
          f"{worst / SECOND:.2f} s at most; {above} lack more than a second")


class Target:
    """The C target with its own plan, for as long as the block lasts."""

    def __init__(self, folder, name, *plan, binary=None):
        self.command = [binary or harness.program("stall_c"), "--start", "10", "--log",
                        os.path.join(folder, name + ".journal"), *plan]
        self.folder = folder

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, start_new_session=True,
                                        env={**os.environ, "TMPDIR": self.folder})
        time.sleep(0.5)
        return self.process

    def __exit__(self, *_):
        harness.end(self.process)


def record(path, target, seconds, *options):
    done = harness.run("record", target, "-o", path, "--for", f"{seconds}s", *options, timeout=seconds + 30)
    expect("record", done.returncode == 0, f"status {done.returncode} {done.stderr}")
    return path


def ring(folder, target):
    path = record(os.path.join(folder, "ring.lsr"), target, 10, "--ring", "4s")
    first, last, count = sqlite3.connect(path).execute(
        "SELECT min(now_ns), max(now_ns), count(*) FROM snapshots").fetchone()
    kept = (last - first) / SECOND
    expect("--ring 4s", 4 <= kept <= 7.5, f"{kept:.1f} s are kept")
    print(f"--ring 4s of 10 s: {kept:.1f} s, {count} snapshots, {os.path.getsize(path)} bytes")


def max_size(folder):
    """A target that stalls without end fills the file; the oldest goes, and at no moment is it larger than asked for."""
    limit = 256 * 1024
    path = os.path.join(folder, "small.lsr")
    with Target(folder, "busy", "--causes", "spin,nanosleep,fifo,flock,mutex", "--min", "5", "--max", "8",
                "--gap-min", "2", "--gap-max", "4") as target:
        recorder = subprocess.Popen([harness.AGENT, "record", str(target.pid), "-o", path, "--max-size", "256K",
                                     "--threshold", "3ms"], stderr=subprocess.PIPE, text=True)
        largest, fallen, before, until = 0, 0, 0, time.monotonic() + 90
        while fallen < 2 and time.monotonic() < until and recorder.poll() is None:
            size = size_of(path)
            fallen += size < before - 8 * 1024
            before, largest = size, max(largest, size)
            time.sleep(0.02)
        recorder.send_signal(signal.SIGINT)
        said = recorder.communicate(timeout=60)[1]
    expect("--max-size", recorder.returncode == 0, f"status {recorder.returncode} {said}")
    expect("--max-size", fallen >= 2, f"the limit was not reached: {largest} bytes at most")
    largest = max(largest, os.path.getsize(path))
    expect("--max-size", largest <= limit, f"{largest} bytes at most")
    first, last, count = sqlite3.connect(path).execute(
        "SELECT min(snap), max(now_ns)-min(now_ns), count(*) FROM snapshots").fetchone()
    expect("--max-size", first > 1, "nothing was forgotten")
    report = harness.run("report", path, "--format", "json")
    expect("--max-size", report.returncode == 0 and json.loads(report.stdout)["findings"], report.stderr)
    print(f"--max-size 256K: {largest} bytes at most, the newest {last / SECOND:.1f} s kept, {count} snapshots")


def redact(folder, target, secrets):
    path = record(os.path.join(folder, "redacted.lsr"), target, 4, "--redact")
    with open(path, "rb") as file:
        content = file.read()
    report = harness.run("report", path, "--format", "json").stdout.encode()
    for secret in secrets:
        expect("--redact", secret.encode() not in content + report, f"'{secret}' is in it")
    expect("--redact", json.loads(report)["findings"] != [], "no finding is left")
    print("--redact: none of", ", ".join(secrets))


def without_binaries(folder, target_binary, path):
    """The same findings and stacks where the program that was watched is not there."""
    def look():
        document = json.loads(harness.run("report", path, "--format", "json").stdout)
        return json.dumps([document["findings"], document["stacks"]])
    here = look()
    os.rename(target_binary, target_binary + ".away")
    try:
        there = look()
    finally:
        os.rename(target_binary + ".away", target_binary)
    expect("without the binary", here == there, "findings or stacks differ")
    expect("without the binary", len(json.loads(here)[1]) > 0, "there are no stacks")
    print(f"without the binary: {len(json.loads(here)[0])} findings, {len(json.loads(here)[1])} stacks, byte-identical")


def in_empty_root(folder, path):
    """The same in a root that holds the agent, its libraries and nothing else."""
    root = os.path.join(folder, "root")
    os.makedirs(root)
    libraries = [word for word in subprocess.run(["ldd", harness.AGENT], capture_output=True, text=True).stdout.split()
                 if word.startswith("/")]
    for file in [harness.AGENT, *libraries]:
        place = root + (file if file in libraries else "/loopscope")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(os.path.realpath(file), place)
    shutil.copy(path, root + "/x.lsr")
    there = subprocess.run(["chroot", root, "/loopscope", "report", "/x.lsr", "--format", "json"],
                           capture_output=True, text=True)
    here = json.loads(harness.run("report", path, "--format", "json").stdout)
    expect("empty root", there.returncode == 0, there.stderr)
    if there.returncode == 0:
        document = json.loads(there.stdout)
        same = [document[part] == here[part] for part in ("findings", "stacks")]
        expect("empty root", all(same), "findings or stacks differ")
        print("empty root: findings and stacks byte-identical")


def day(folder, seconds):
    """A day's size from the growth of the later half: what comes once (names, stacks) is in the first. A file grows
    by pages, of each table its own: less than 10 minutes tell nothing."""
    seconds = max(seconds, 600)
    harness.need_target("node")
    target = harness.start_target("node", os.path.join(folder, "node.journal"), "--causes", "json,pbkdf2,regex",
                                  "--min", "150", "--max", "250", "--gap-min", "750", "--gap-max", "850", "--start", "10")
    path = os.path.join(folder, "day.lsr")
    try:
        watch = subprocess.Popen([harness.AGENT, "watch", str(target.pid), "--json"], stdout=subprocess.DEVNULL)
        recorder = subprocess.Popen([harness.AGENT, "record", str(target.pid), "-o", path])
        begun = time.monotonic()
        time.sleep(seconds / 2)
        half = size_of(path), time.monotonic(), *[harness.process_cpu_seconds(p.pid) for p in (recorder, watch)]
        time.sleep(seconds / 2)
        whole = size_of(path), time.monotonic(), *[harness.process_cpu_seconds(p.pid) for p in (recorder, watch)]
        for process in (recorder, watch):
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        harness.end(target)
    size, passed, recording, watching = (b - a for a, b in zip(half, whole))
    stalls = sqlite3.connect(path).execute("SELECT count(*) FROM stalls").fetchone()[0]
    megabytes = (half[0] + size / passed * 86400) / 1e6
    rate = stalls / (time.monotonic() - begun)
    expect("a day", rate >= 0.9, f"only {rate:.2f} stalls a second: this machine is too busy to tell")
    print(f"{stalls} stalls, {rate:.2f} a second; {megabytes:.1f} MB a day; record takes {recording / passed * 100:.2f} % of a core, "
          f"{(recording - watching) / passed * 100:+.2f} % of it for the file")
    expect("a day", megabytes <= 50, f"{megabytes:.1f} MB")
    expect("a day", recording - watching <= passed / 100, "recording takes more than 1 % of a core")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--long", action="store_true")
    arguments.add_argument("--kills", type=int)
    arguments.add_argument("--day", type=int)
    given = arguments.parse_args()
    harness.need_agent()
    with harness.Scratch() as folder:
        if given.day:
            day(folder, given.day)
            sys.exit(1 if failures else 0)
        binary = os.path.join(folder, "stall_secret")
        shutil.copy(harness.program("stall_c"), binary)
        whole = os.path.join(folder, "whole.lsr")
        with Target(folder, "watched", "--causes", "spin,nanosleep,fifo", "--gap-min", "300", "--gap-max", "600",
                    binary=binary) as target:
            at_once([lambda: record(whole, target.pid, 5), lambda: ring(folder, target.pid), lambda: max_size(folder),
                     lambda: redact(folder, target.pid, ["stall_secret", folder])])
            without_binaries(folder, binary, whole)
            if os.geteuid() == 0:
                in_empty_root(folder, whole)
            kills(folder, target.pid, given.kills or (250 if given.long else 10))
    sys.exit(1 if failures else 0)


main()
