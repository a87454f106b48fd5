#!/usr/bin/python3
"""A target execs, forks, exits or loses its pid to another program at any moment; the agent lives on and tells no lie.

usage: moments.py [--count N] [--seed S]

Each moment is a fresh pair: a program that is about to do something, and an agent that attaches at a random time
around that. The agent must end in time with 0, 1, 3 or 4 and no sign of a crash, name no function of a program that
was not there, and leave no process and no BPF program. Pid reuse is made by writing the next pid to
/proc/sys/kernel/ns_last_pid, in a pid namespace of its own where that is possible.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

KINDS = ("exec", "fork", "exit", "threads", "reuse")
CRASH = re.compile(r"Sanitizer|runtime error|core dumped|Assertion|Segmentation|double free|corrupt")


def functions_of(program):
    out = subprocess.run(["nm", program], capture_output=True, text=True).stdout
    return set(re.findall(r"^[0-9a-f]+ [tTwW] ([^\s.@]+)", out, re.M))  # f.part.0 is f


class Reuse:
    """A target that ends; its pid is taken at once by another program, which stalls in functions of its own."""

    def __init__(self, dice):
        self.first = subprocess.Popen([harness.program("restless"), "exit", str(dice.randrange(1, 10**6))],
                                      stdout=subprocess.DEVNULL)
        self.pid = self.first.pid
        self.second = None

    def take_pid(self):
        self.first.kill()
        self.first.wait()
        for _ in range(20):
            try:
                with open("/proc/sys/kernel/ns_last_pid", "w") as f:
                    f.write(str(self.pid - 1))
            except OSError:
                return False
            self.second = subprocess.Popen([harness.program("stall_c"), "--causes", "nanosleep", "--gap-min", "100",
                                            "--gap-max", "200", "--log", "/dev/null"], stdout=subprocess.DEVNULL)
            if self.second.pid == self.pid:
                return True
            self.second.kill()
            self.second.wait()
        return False

    def end(self):
        for p in (self.first, self.second):
            if p and p.poll() is None:
                p.kill()
                p.wait()


def judge(kind, out, err, status, failures, name):
    if status not in (0, 1, 3, 4):
        failures.append(f"{name}: status {status}: {err[:300]}")
    if CRASH.search(err):
        failures.append(f"{name}: {err[:300]}")
    for line in out.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            failures.append(f"{name}: not JSON: {line[:100]}")
            continue
        culprit = ((event.get("finding") or {}).get("culprit") or {}).get("function")
        module = ((event.get("finding") or {}).get("culprit") or {}).get("module") or ""
        if not culprit:
            continue
        base = os.path.basename(module)
        # A function is named from the program that it is in.
        if base in FUNCTIONS and culprit.split(".")[0] not in FUNCTIONS[base]:
            failures.append(f"{name}: {culprit} is not in {base}")
        if kind == "reuse" and event.get("process") == "restless" and base == "stall_c":
            failures.append(f"{name}: a stall of the new program was told of the old one")


def moment(agent, kind, dice, failures, name):
    reuse = Reuse(dice) if kind == "reuse" else None
    target = None
    if not reuse:
        target = subprocess.Popen([harness.program("restless"), kind, str(dice.randrange(1, 10**6))],
                                  stdout=subprocess.DEVNULL, start_new_session=True)
    pid = reuse.pid if reuse else target.pid
    time.sleep(dice.uniform(0, 0.25))
    backend = dice.choice(("auto", "auto", "proc"))
    watch = subprocess.Popen([agent, "watch", str(pid), "--for", f"{dice.uniform(0.3, 1.2):.2f}s", "--json", "--backend", backend],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    taken = False
    if reuse:
        time.sleep(dice.uniform(0, 0.6))
        taken = reuse.take_pid()
    try:
        out, err = watch.communicate(timeout=60)
        judge(kind, out, err, watch.returncode, failures, name)
    except subprocess.TimeoutExpired:
        watch.kill()
        watch.communicate()
        failures.append(f"{name}: does not end")
    if reuse:
        reuse.end()
    else:
        try:
            os.killpg(target.pid, 9)
        except ProcessLookupError:
            pass
        target.wait()
    return taken, watch.returncode


def processes_of(agent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/exe") == agent:
                found.append(int(pid))
        except OSError:
            pass
    return found


parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=int(time.time()))
args = parser.parse_args()
harness.need_agent()
FUNCTIONS = {name: functions_of(harness.program(name)) for name in ("restless", "stall_c")} if shutil.which("nm") else {}
failures, counts, statuses, taken = [], dict.fromkeys(KINDS, 0), {}, 0
dice = random.Random(args.seed)
print(f"seed {args.seed}")
with tempfile.TemporaryDirectory() as tmp:
    agent = shutil.copy(os.path.realpath(harness.AGENT), os.path.join(tmp, "loopscope"))
    for i in range(args.count):
        kind = KINDS[i % len(KINDS)]
        got, status = moment(agent, kind, dice, failures, f"moment {i} ({kind})")
        counts[kind] += 1
        taken += got
        statuses[status] = statuses.get(status, 0) + 1
    for _ in range(50):
        if not processes_of(agent):
            break
        time.sleep(0.1)
    if processes_of(agent):
        failures.append(f"processes are left: {processes_of(agent)}")
print(f"{args.count} moments: " + ", ".join(f"{n} {k}" for k, n in counts.items()) +
      f" ({taken} pids taken by another program); statuses " + ", ".join(f"{s}: {n}" for s, n in sorted(statuses.items())))
print("\n".join(failures[:30]) or "each ended well")
sys.exit(1 if failures else 0)
