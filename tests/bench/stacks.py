#!/usr/bin/python3
"""What a merged stack costs the helper: the first one after start-up (cold) and those after it (warm).

usage: stacks.py [--rounds N] [--seconds N] [KIND...]. Each round has a target and a helper of its own.
Exit status 1 when the median is above the limit.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import measure

TARGETS = os.path.join(os.path.dirname(measure.HERE), "targets")
COLD_US, WARM_US = 5000, 1000
PROFILE = os.path.join(measure.BUILD, "tests", "stack_profile")
PLAN = ["--start", "500", "--endless"]


def script(interpreter, name, cause):
    return [interpreter, os.path.join(TARGETS, name), "--causes", cause, *PLAN]


KINDS = {
    "c spin": lambda: [os.path.join(measure.BUILD, "targets", "stall_c"), "--causes", "spin", *PLAN],
    "c spin, debug info": lambda: [os.path.join(measure.BUILD, "targets", "stall_c_g"), "--causes",
                                   "spin", *PLAN],
    "node spin": lambda: script("node", "stall.js", "spin"),
    "node JSON.parse": lambda: script("node", "stall.js", "json"),
    "node sort": lambda: script("node", "stall.js", "sort"),
    "node optimised": lambda: script("node", "stall.js", "optimised"),
    "python spin": lambda: script("/usr/bin/python3", "stall.py", "spin"),
    "python json": lambda: script("/usr/bin/python3", "stall.py", "json"),
    "redis script": lambda: script("/usr/bin/python3", "redis_plan.py", "lua"),
}


def wait_for(log, word):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with open(log) as lines:
            for line in lines:
                if line.startswith(word) and line.endswith("\n"):
                    return line.split()
        time.sleep(0.05)
    raise SystemExit(f"bench: the target did not say {word}")


def one_round(command, seconds):
    """(cold, warm) in us of CPU, RssAnon in kB, number of stacks."""
    with tempfile.NamedTemporaryFile(prefix="loopscope-bench.") as log:
        target = subprocess.Popen([*command, "--log", log.name], stdout=subprocess.DEVNULL)
        try:
            pid = wait_for(log.name, "ready")[3]
            wait_for(log.name, "begin")
            told = subprocess.run([PROFILE, pid, pid, str(seconds)], capture_output=True, text=True,
                                  check=True).stdout
        finally:
            measure.end(target)
    match = re.search(r"^(\d+) stacks.*cold (\d+) us, warm (\d+) us, RssAnon (\d+) kB", told, re.M)
    count, cold, warm, memory = map(int, match.groups())
    return cold, warm, memory, count


def bench(name, options):
    rounds = [one_round(KINDS[name](), options.seconds) for _ in range(options.rounds)]
    colds, warms = [r[0] for r in rounds], [r[1] for r in rounds]
    cold, warm = statistics.median(colds), statistics.median(warms)
    good = cold <= COLD_US and warm <= WARM_US
    print(f"{name:20} cold {cold / 1e3:5.2f} ms ({min(colds) / 1e3:.2f} to {max(colds) / 1e3:.2f}),"
          f" warm {warm / 1e3:5.2f} ms, helper RssAnon {max(r[2] for r in rounds) / 1e3:.1f} MB,"
          f" {sum(r[3] for r in rounds)} stacks{'' if good else '  ABOVE THE LIMIT'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    print(f"CPU of the helper a stack, median of {options.rounds}; limits:"
          f" {COLD_US / 1e3:.0f} ms cold, {WARM_US / 1e3:.0f} ms warm")
    return 0 if all([bench(name, options) for name in options.kinds or KINDS]) else 1


if __name__ == "__main__":
    sys.exit(main())
