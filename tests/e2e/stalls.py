#!/usr/bin/python3
"""Attaches to a target that stalls by plan and compares what the agent says with the target's log.

usage: stalls.py TARGET [--count N] [--seed N] [--causes A,B] [-- AGENT-OPTION...]
TARGET: c, c-debug, node, python, uvloop, redis. Exit status: 0 within the limits, 1 not, 77 skipped.
"""

import argparse
import os
import random
import sys
import time

sys.dont_write_bytecode = True
import harness
import journal
import verdict
from verdict import MS, quantile

# At least this share right (of those found), and reaching main.
CULPRIT = {"c": 0.99, "c-debug": 0.99, "redis": 0.99, "node": 0.98, "python": 0.98, "uvloop": 0.98}
MAIN = {"c": 0.99, "c-debug": 0.99, "redis": 0.99, "node": 0.97, "python": 0.99, "uvloop": 0.99}
BUSY = 0.3  # cores that other work takes: from here on times are shown, not judged
MAY_BE_NATIVE = {"node", "python", "uvloop"}


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=sorted(harness.COMMANDS))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**6))
    parser.add_argument("--causes")
    parser.add_argument("--min", type=int, default=300)
    parser.add_argument("--max", type=int, default=800)
    parser.add_argument("--nobody", action="store_true",
                        help="target and agent as the same unprivileged user, --backend proc")
    parser.add_argument("--emulated", action="store_true",
                        help="the machine is slow: more time to attach, and times are not judged")
    parser.add_argument("--all-lines", action="store_true", help="list each mistake, not only ten")
    own = sys.argv[1:]
    agent = []
    if "--" in own:
        own, agent = own[:own.index("--")], own[own.index("--") + 1:]
    options = parser.parse_args(own)
    options.start = 30000 if options.emulated else 2500
    options.agent = agent + (["--backend", "proc"] if options.nobody else [])
    return options


def observe(options, folder):
    """One run: the target's log, the agent's lines, and how busy the machine was with other work."""
    log = os.path.join(folder, "journal")
    plan = ["--seed", options.seed, "--count", options.count, "--gap-min", 100, "--gap-max", 400,
            "--min", options.min, "--max", options.max, "--start", options.start]
    if options.causes:
        plan += ["--causes", options.causes]
    prefix = harness.become_nobody(folder) if options.nobody else ()
    target = harness.start_target(options.target, log, *plan, prefix=prefix)
    pid = journal.load(log).pid
    watch = harness.Watch(pid, "--native", *options.agent, prefix=prefix)
    try:
        if not watch.wait_attached(options.start / 1000):
            print(f"failed: not attached within {options.start / 1000:.1f} s: {''.join(watch.errors).strip() or 'no error told'}")
            sys.exit(1)
        before, began = harness.total_cpu_seconds(), time.monotonic()
        own = watch.cpu_seconds() + harness.process_cpu_seconds(pid)
        if not journal.wait_for(log, "done", options.count * 3 + 60):
            print("failed: the target did not finish its plan")
            sys.exit(1)
        own = watch.cpu_seconds() + harness.process_cpu_seconds(pid) - own
        others = harness.cpu_count_others(before, harness.total_cpu_seconds(), own,
                                          time.monotonic() - began)
        time.sleep(0.5)
        status = watch.stop()
    finally:
        harness.end(target)
        watch.stop()
    return journal.load(log), watch, status, 9.0 if options.emulated else others


def percent(part, whole):
    return f"{part}/{whole} = {100 * part / whole:.1f} %" if whole else "0/0"


def latency_line(name, values):
    if not values:
        return f"  first stack after the threshold, {name}: none told"
    return (f"  first stack after the threshold, {name}: median {quantile(values, .5) / MS:.1f} ms,"
            f" p99 {quantile(values, .99) / MS:.1f} ms (n = {len(values)})")


def tell(v, others, options):
    print(f"{options.target}: {v.stalls} stalls, seed {options.seed}")
    print(f"  found: {percent(v.found, v.stalls)}; told while it lasted: {v.live}; twice: {v.twice}")
    print(f"  cause right: {percent(v.cause, v.found)}"
          + (f"; starved, by the target's own account: {v.starved_stalls}" if v.starved_stalls else "")
          + (f"; mostly kernel time: {v.in_kernel}" if v.in_kernel else ""))
    print(f"  culprit right: {percent(v.culprit.get('right', 0), v.found)}"
          f" ({', '.join(f'{word} {n}' for word, n in sorted(v.culprit.items()))})")
    print(f"  false reports in the gaps: {len(v.false_reports)}"
          f" = {1000 * len(v.false_reports) / max(v.stalls, 1):.1f} in 1000"
          + (f"; starved by other work: {v.starved} (true)" if v.starved else ""))
    print(latency_line("on CPU", v.after_on))
    print(latency_line("off CPU", v.after_off))
    print(f"  native stacks reach main: {percent(v.whole, v.stacks)}")
    for title, lines in (("missed", v.missed), ("wrong cause", v.wrong_causes),
                         ("culprit", v.wrong_culprits), ("false report", v.false_reports),
                         ("short stack", v.short_stacks)):
        for line in lines if options.all_lines else lines[:10]:
            print(f"  {title}: {line}")
    if others > BUSY:
        print("  (an emulated CPU: times are shown, not judged)" if options.emulated else
              f"  (other work took {others:.1f} cores: times are shown, not judged)")


def allowed(share, count):
    """How many of `count` may fail; a short run may have one."""
    return max(1, round((1 - share) * count))


def failures(v, others, options):
    """What is outside the limits, a sentence each."""
    if not v.stalls:
        yield "no stall was made"
        return
    found_share = 0.95 if options.nobody else 0.99
    if len(v.missed) > allowed(found_share, v.stalls):
        yield f"{len(v.missed)} stalls missed"
    if len(v.wrong_causes) > allowed(found_share, v.stalls):
        yield f"{len(v.wrong_causes)} wrong causes"
    right = v.culprit.get("right", 0)
    if not options.nobody and v.found - right > allowed(CULPRIT[options.target], v.found):
        yield f"{v.found - right} culprits not right"
    wrong = v.culprit.get("wrong", 0)
    if options.target in MAY_BE_NATIVE and wrong:
        yield f"{wrong} culprits plainly wrong"
    if len(v.false_reports) > max(0, v.stalls // 1000):
        yield f"{len(v.false_reports)} false reports"
    early = sum(after < 0 for after in v.after_on + v.after_off)
    if early:
        yield f"{early} stacks older than the threshold"
    if options.nobody:
        return
    if v.stacks == 0:
        yield "no stack was told"
    elif v.stacks - v.whole > allowed(MAIN[options.target], v.stacks):
        yield f"{v.stacks - v.whole} stacks do not reach main"
    for name, values in (("on", v.after_on), ("off", v.after_off)):
        if values and others <= BUSY and (quantile(values, .5) > 20 * MS
                                         or quantile(values, .99) > 60 * MS):
            yield f"first stacks {name} CPU came late"


def main():
    options = parse()
    harness.need_agent()
    harness.need_target(options.target)
    with harness.Scratch() as folder:
        log, watch, status, others = observe(options, folder)
    started = watch.started(log.realtime_offset)
    if started is None:
        print("failed: watch told nothing")
        return 1
    v = verdict.judge(log.stalls, verdict.reports(watch.events, started))
    tell(v, others, options)
    problems = list(failures(v, others, options))
    if status != 0:
        problems.append(f"watch ended with status {status} after ^C: {''.join(watch.errors[-1:]).strip()}")
    if watch.bad_lines:
        problems.append(f"{len(watch.bad_lines)} lines are no JSON: {watch.bad_lines[0][:80]!r}")
    for problem in problems:
        print(f"  failed: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
