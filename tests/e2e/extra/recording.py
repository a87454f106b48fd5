"""Recordings of real targets: killed recorders lose at most the last second, --ring, --max-size, --redact
hold, and what is shown does not need the binaries.
usage: recording.py [--long] [--kills N]"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

AT_ONCE = 8  # recorders
SECOND = 10**9
SLACK = SECOND // 4  # of the clock that says when the kill came, on a loaded machine

failures = []


def expect(what, true, why=""):
    if not true:
        failures.append(f"{what}: {why}")
        print(f"failed: {what}: {why}")


def last_ns(path):
    """Unix time of the newest snapshot in FILE alone; None when there is none yet."""
    copy = path + ".alone"
    shutil.copy(path, copy)
    document = harness.run("report", copy, "--format", "json", timeout=60)
    if document.returncode == 3:
        raise RuntimeError(document.stderr.strip())
    database = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
    row = database.execute("SELECT (SELECT started_unix_ns FROM session LIMIT 1)+max(now_ns) FROM snapshots").fetchone()
    if row[0] is not None:
        json.loads(document.stdout)
    return row[0]


def kill_some(folder, target, delays):
    """Starts recorders, kills each after its delay; the seconds each file lacks."""
    started = []
    for number, delay in enumerate(delays):
        path = os.path.join(folder, f"killed{number}.lsr")
        process = subprocess.Popen([harness.AGENT, "record", str(target), "-o", path],
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        started.append((time.monotonic() + delay, process, path))
    lacks = []
    for due, process, path in sorted(started, key=lambda entry: entry[0]):
        time.sleep(max(0, due - time.monotonic()))
        process.send_signal(signal.SIGKILL)
        killed = time.time_ns()
        process.wait()
        if not os.path.exists(path):
            continue  # killed before it had begun: there is no file that would not open
        try:
            newest = last_ns(path)
        except (RuntimeError, ValueError, sqlite3.Error) as error:
            expect("kill -9", False, f"{path} does not open: {error}")
            continue
        if newest is not None:
            lacks.append(killed - newest)
    return lacks


def kills(folder, target, count):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    lacks = []
    for begin in range(0, count, AT_ONCE):
        delays = [chance.uniform(0.2, 3.2) for _ in range(min(AT_ONCE, count - begin))]
        lacks += kill_some(folder, target, delays)
    worst = max(lacks, default=0)
    expect("kill -9", len(lacks) > count / 3, f"only {len(lacks)} of {count} had a snapshot")
    expect("kill -9", worst <= SECOND + SLACK, f"{worst / SECOND:.2f} s are missing (seed {seed})")
    mean = sum(lacks) / max(1, len(lacks)) / SECOND
    print(f"kill -9: {count} recorders, every file opens; missing {mean:.2f} s on average, {worst / SECOND:.2f} s at most")


def record(path, target, seconds, *options):
    done = harness.run("record", target, "-o", path, "--for", f"{seconds}s", *options, timeout=seconds + 30)
    expect("record", done.returncode == 0, f"status {done.returncode} {done.stderr}")
    return path


def ring(folder, target):
    path = record(os.path.join(folder, "ring.lsr"), target, 14, "--ring", "4s")
    first, last, count = sqlite3.connect(path).execute(
        "SELECT min(now_ns), max(now_ns), count(*) FROM snapshots").fetchone()
    kept = (last - first) / SECOND
    expect("--ring 4s", 4 <= kept <= 7.5, f"{kept:.1f} s are kept")
    print(f"--ring 4s of 14 s: {kept:.1f} s, {count} snapshots, {os.path.getsize(path)} bytes")


def max_size(folder, target):
    path = record(os.path.join(folder, "small.lsr"), target, 12, "--max-size", "256K", "--threshold", "1ms")
    size = os.path.getsize(path)
    expect("--max-size", size <= 256 * 1024, f"{size} bytes")
    print(f"--max-size 256K: {size} bytes")


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


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--long", action="store_true")
    arguments.add_argument("--kills", type=int)
    given = arguments.parse_args()
    harness.need_agent()
    with harness.Scratch() as folder:
        binary = os.path.join(folder, "stall_secret")
        shutil.copy(harness.program("stall_c"), binary)
        target = subprocess.Popen([binary, "--causes", "spin,nanosleep,fifo", "--gap-min", "300", "--gap-max", "600",
                                   "--start", "10", "--log", os.path.join(folder, "journal")],
                                  stdout=subprocess.DEVNULL, start_new_session=True,
                                  env={**os.environ, "TMPDIR": folder})
        try:
            time.sleep(0.5)
            whole = record(os.path.join(folder, "whole.lsr"), target.pid, 5)
            without_binaries(folder, binary, whole)
            if os.geteuid() == 0:
                in_empty_root(folder, whole)
            ring(folder, target.pid)
            max_size(folder, target.pid)
            redact(folder, target.pid, ["stall_secret", folder])
            kills(folder, target.pid, given.kills or (250 if given.long else 10))
        finally:
            harness.end(target)
    sys.exit(1 if failures else 0)


main()
