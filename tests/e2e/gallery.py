#!/usr/bin/python3
"""The gallery: each exhibit shows its pitfall, and `loopscope check` names it, its task and where that was spawned;
cured it shows none.

usage: gallery.py [--cured SECONDS] [NAME...]"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import harness

GALLERY = os.path.join(harness.BUILD, "gallery")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib", "gallery")
CHECK_SECONDS = 12
AT_ONCE = 6  # exhibits sleep more than they work
# Rules whose default takes minutes: --time-scale.
SCALED = {"task-stuck": "0.1", "fd-leak": "0.02", "fd-orphan": "0.1"}
# By rule: the spawned function that its finding is about; the line of the spawn is looked up in the source.
SPAWNED = {
    "task-never-awaited": "ls_spawn(send_receipt", "task-unbounded": "handle_message",
    "task-error-unread": "refresh", "task-timeout-runs-on": "ls_spawn(build_report",
    "task-cancel-leak": "ls_spawn(upload", "task-cancel-ignored": "spawn(poll",
    "task-orphan": "ls_spawn(finish_film", "task-fail-rate": "charge", "task-deadlock": "ls_spawn(transfer",
    "task-lost-wake": "ls_spawn(collect", "task-stuck": "spawn(group, ask|spawn(group, serve_one",
    "task-self-wake": "ls_spawn(watch",
}
# What a loaded machine does to any program.
OF_THE_MACHINE = {"loop-starved", "self-degraded"}
# Computing is told as what it has become where others take half of its CPU.
UNDER_LOAD = {"loop-cpu": {"loop-blocked", "loop-starved"}}
# Judged by its own room's tests until its rule is there.
ELSEWHERE = {"fd-leak", "fd-orphan"}


def exhibits():
    out = subprocess.run([GALLERY, "--list"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t")[0] for line in out.splitlines()]


def check(name, cured, seconds):
    words = [GALLERY, name] + (["--cured"] if cured else [])
    program = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        scale = ["--time-scale", SCALED[name]] if name in SCALED else []
        run = subprocess.run([harness.AGENT, "check", str(program.pid), "--for", str(seconds), "--json"] + scale,
                             capture_output=True, text=True, timeout=seconds + 60)
        return run.returncode, json.loads(run.stdout)
    finally:
        program.kill()
        program.wait()


def spawn_is_right(name, finding):
    """The line named as spawn site spawns what the exhibit spawns."""
    site = (finding["task"] or {}).get("spawn_site") or ""
    match = re.search(r"([a-z_]+\.c):(\d+)", site or finding["title"])
    if not match:
        return False, "no spawn site"
    with open(os.path.join(SOURCE, match[1])) as source:
        line = source.read().splitlines()[int(match[2]) - 1]
    wanted = SPAWNED[name].split("|")
    return any(word in line for word in wanted), f"{match[0]}: {line.strip()}"


def judge_wrong(name):
    status, document = check(name, False, CHECK_SECONDS)
    names = {name} | (UNDER_LOAD.get(name, set()) if os.getloadavg()[0] > os.cpu_count() else set())
    found = [f for f in document["findings"] if names & set([f["rule"]] + f["also"])]
    if not found:
        return "not found; there were " + (", ".join(f["rule"] for f in document["findings"]) or "none")
    if found[0]["severity"] != "info" and status != 1:
        return f"status {status}"
    if name in SPAWNED:
        right, what = spawn_is_right(name, found[0])
        if not right:
            return f"wrong spawn site: {what}"
    return None


def judge_cured(name, seconds):
    _, document = check(name, True, seconds)
    bad = [f for f in document["findings"] if f["severity"] != "info" and f["rule"] not in OF_THE_MACHINE]
    return "; ".join(f"{f['rule']}: {f['title']}" for f in bad) or None


def main(words):
    seconds = 10
    if words[:1] == ["--cured"]:
        seconds, words = int(words[1]), words[2:]
    names = words or [name for name in exhibits() if name not in ELSEWHERE]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = [pool.submit(judge_wrong, name) for name in names]
        cured = [pool.submit(judge_cured, name, seconds) for name in names]
        for name, *both in zip(names, wrong, cured):
            for how, why in zip(("wrong", "cured"), (future.result() for future in both)):
                failed += why is not None
                print(f"{'ok    ' if why is None else 'FAILED'} {name} {how}{': ' + why if why else ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
