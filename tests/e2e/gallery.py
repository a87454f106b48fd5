#!/usr/bin/python3
"""The gallery: each exhibit shows its pitfall, and loopscope names it, its task and where that was spawned; cured it shows
none. The same for the exhibits' twins in asyncio and Node.js.

usage: gallery.py [--cured SECONDS] [--twins | NAME...]   a twin's name: asyncio/NAME, node/NAME"""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import harness

GALLERY = os.path.join(harness.BUILD, "gallery")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib", "gallery")
TWINS = {"asyncio": [harness.PYTHON, os.path.join(harness.TARGETS, "pitfalls.py")],
         "node": ["node", os.path.join(harness.TARGETS, "pitfalls.js")]}
PATIENCE = 90  # seconds until a finding must be there: a machine may be busy with other things
# Exhibits sleep more than they work; those that compute, or are judged by how long something took, get less company.
AT_ONCE_WRONG, AT_ONCE_CURED = 6, 10
# Rules whose default takes minutes: --time-scale.
SCALED = {"task-stuck": "0.1", "fd-leak": "0.02", "fd-orphan": "0.5", "child-zombie": "0.1",
          "asyncio/task-stuck": "0.1", "asyncio/task-error-unread": "0.1", "asyncio/task-unbounded": "0.2"}
# By rule: the spawned function that its finding is about; the line of the spawn is looked up in the source.
SPAWNED = {
    "task-never-awaited": "ls_spawn(send_receipt", "task-unbounded": "handle_message",
    "task-error-unread": "refresh", "task-timeout-runs-on": "ls_spawn(build_report",
    "task-cancel-leak": "ls_spawn(upload", "task-cancel-ignored": "spawn(poll",
    "task-orphan": "ls_spawn(finish_film", "task-fail-rate": "charge", "task-deadlock": "ls_spawn(transfer",
    "task-lost-wake": "ls_spawn(collect", "task-stuck": "spawn(group, ask|spawn(group, serve_one",
    "task-self-wake": "ls_spawn(watch",
    # of asyncio the coroutine is known, not who made a task of it
    "asyncio/task-never-awaited": "def send_receipt", "asyncio/task-unbounded": "def handle_message",
    "asyncio/task-error-unread": "def refresh", "asyncio/task-timeout-runs-on": "def build_report",
    "asyncio/task-cancel-ignored": "def poll_prices", "asyncio/task-orphan": "def finish_film",
    "asyncio/task-deadlock": "def transfer", "asyncio/task-deadlock+locks": "def move",
    "asyncio/task-lost-wake": "def collect", "asyncio/task-lost-wake+queue": "def ship", "asyncio/task-stuck": "def serve_one",
}
# What a loaded machine does to any program.
OF_THE_MACHINE = {"loop-starved", "self-degraded"}
# Computing is told as what it has become where others take half of its CPU.
UNDER_LOAD = {"loop-cpu": {"loop-blocked", "loop-starved"}}


def gallery_exhibits():
    out = subprocess.run([GALLERY, "--list"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t")[0] for line in out.splitlines()]


def twin_exhibits():
    names = []
    for kind, (program, script) in TWINS.items():
        if shutil.which(program):
            with open(script) as text:
                names += [f"{kind}/{name}" for name in re.findall(r"^ *['\"]([a-z]+-[a-z+-]+)['\"]:", text.read(), re.M)]
    return names


# Standard error is a pipe to a collector that is slow: Node.js writes it on the loop.
UNDER_COLLECTOR = ["bash", "-c", 'exec "$0" "$@" 2> >(while dd bs=16384 count=1 of=/dev/null status=none 2>/dev/null &&'
                   ' kill -0 $$ 2>/dev/null; do sleep 0.12; done)']


def command(name, cured):
    kind, _, rest = name.rpartition("/")
    before = UNDER_COLLECTOR if name == "node/loop-sync-log" else []
    return before + (TWINS[kind] + [rest] if kind else [GALLERY, name]) + (["--cured"] if cured else [])


def start(name, cured):
    program = subprocess.Popen(command(name, cured), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    return program


def settle(pid):
    """Waits until the program's own start is over: an interpreter's takes seconds on a busy machine."""
    asleep = 0
    for _ in range(100):
        with open(f"/proc/{pid}/stat") as stat:
            asleep = asleep + 1 if stat.read().rpartition(")")[2].split()[0] == "S" else 0
        if asleep == 5:
            return
        time.sleep(0.2)


def scale_of(name):
    return ["--time-scale", SCALED[name]] if name in SCALED else []


def rule_of(name):
    return name.rpartition("/")[2].partition("+")[0]


def findings_as_they_come(name, pid):
    """The findings of a program that runs, each time one opens or changes, for PATIENCE."""
    watch = subprocess.Popen([harness.AGENT, "watch", str(pid), "--json", "--for", str(PATIENCE)] + scale_of(name),
                             stdout=subprocess.PIPE, text=True, errors="surrogateescape")
    guard = threading.Timer(PATIENCE + 60, watch.kill)
    guard.start()
    try:
        for line in watch.stdout:
            event = json.loads(line)
            if event.get("finding"):
                yield event["finding"]
    finally:
        guard.cancel()
        watch.kill()
        watch.wait()


def check(name, cured, seconds):
    program = start(name, cured)
    try:
        settle(program.pid)
        run = subprocess.run([harness.AGENT, "check", str(program.pid), "--for", str(seconds), "--json"] + scale_of(name),
                             capture_output=True, text=True, timeout=seconds + 120)
        return json.loads(run.stdout)
    finally:
        program.kill()
        program.wait()


def spawn_is_right(name, finding):
    """The line named as spawn site spawns what the exhibit spawns."""
    site = (finding["task"] or {}).get("spawn_site") or finding["title"]
    match = re.search(r"([a-z_/]+\.(?:c|py)):(\d+)", site)
    if not match:
        return False, "no spawn site"
    path = match[1] if "/" in match[1] else os.path.join(SOURCE, match[1])
    with open(path) as source:
        line = source.read().splitlines()[int(match[2]) - 1]
    wanted = SPAWNED[name].split("|")
    return any(word in line for word in wanted), f"{match[0]}: {line.strip()}"


def judge_wrong(name):
    names = {rule_of(name)}
    if os.getloadavg()[0] > os.cpu_count():
        names |= UNDER_LOAD.get(rule_of(name), set())
    program, seen, began = start(name, False), set(), time.monotonic()
    try:
        for finding in findings_as_they_come(name, program.pid):
            seen.add(finding["rule"])
            if not names & {finding["rule"], *finding["also"]}:
                continue
            took[name] = time.monotonic() - began
            if name in SPAWNED:
                right, what = spawn_is_right(name, finding)
                if not right:
                    return f"wrong spawn site: {what}"
            return None
        return "not found; there were " + (", ".join(sorted(seen)) or "none")
    finally:
        program.kill()
        program.wait()


def judge_cured(name, seconds):
    document = check(name, True, seconds)
    of_the_machine = OF_THE_MACHINE | ({"loop-saturated"} if os.getloadavg()[0] > os.cpu_count() else set())
    bad = [f for f in document["findings"] if f["severity"] != "info" and f["rule"] not in of_the_machine
           and f["cause"]["kind"] != "runqueue"]
    return "; ".join(f"{f['rule']}: {f['title']}" for f in bad) or None


took = {}  # seconds until the finding was there


def main(words):
    seconds = 10
    if words[:1] == ["--cured"]:
        seconds, words = int(words[1]), words[2:]
    names = twin_exhibits() if words == ["--twins"] else words or gallery_exhibits()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE_WRONG) as pool, \
            concurrent.futures.ThreadPoolExecutor(AT_ONCE_CURED) as quiet:
        wrong = [pool.submit(judge_wrong, name) for name in names]
        cured = [quiet.submit(judge_cured, name, seconds) for name in names]
        for name, *both in zip(names, wrong, cured):
            for how, why in zip(("wrong", "cured"), (future.result() for future in both)):
                failed += why is not None
                after = f" after {took[name]:.1f} s" if how == "wrong" and name in took else ""
                print(f"{'ok    ' if why is None else 'FAILED'} {name} {how}{': ' + why if why else after}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
