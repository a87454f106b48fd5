#!/usr/bin/python3
"""Healthy twins under load: no finding of severity warning or above.

usage: quiet.py TWIN [--for SECONDS] [--times N] [-- AGENT-OPTION...]
--times: so many attaches, one after the other; a turn that an attach falls into is the hard one to judge.
TWIN: c, node, python, redis (half load), redis-saturated.
A loop that other programs of a busy machine starve is truly starved: such findings are shown, and
judged only when the machine was otherwise idle.
"""

import argparse
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import harness

TWINS = {
    "c": lambda: [harness.program("healthy_c")],
    "node": lambda: ["node", os.path.join(harness.TARGETS, "healthy.js")],
    "python": lambda: [harness.PYTHON, os.path.join(harness.TARGETS, "healthy.py")],
}


class Redis:
    """A server and a load on it, in a folder of its own."""

    def __init__(self, folder, saturated):
        harness.need_program("redis-server")
        harness.need_program("redis-benchmark")
        path = os.path.join(folder, "redis.sock")
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL)
        while not os.path.exists(path):
            time.sleep(0.02)
        time.sleep(0.1)  # the socket is there a moment before it listens
        load = ["-P", "16", "-c", "8"] if saturated else ["-c", "1"]
        self.load = subprocess.Popen(["redis-benchmark", "-s", path, "-t", "get,set", "-n",
                                      "1000000000", "-q", *load], stdout=subprocess.DEVNULL)
        self.pid = self.server.pid

    def end(self):
        harness.end(self.load)
        harness.end(self.server)


class Program:
    def __init__(self, command):
        if command[0] == "node":
            harness.need_program("node")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid

    def end(self):
        harness.end(self.process)


def start(name, folder):
    if name.startswith("redis"):
        return Redis(folder, name == "redis-saturated")
    return Program(TWINS[name]())


def describe(finding):
    cause = (finding["cause"] or {}).get("kind")
    culprit = (finding["culprit"] or {}).get("function")
    return (f"{finding['severity']} {finding['rule']} x{finding['count']} ({cause}, {culprit}):"
            f" {finding['title']}")


def main():
    own, _, agent = [list(part) for part in split(sys.argv[1:])]
    parser = argparse.ArgumentParser()
    parser.add_argument("twin", choices=[*TWINS, "redis", "redis-saturated"])
    parser.add_argument("--for", dest="seconds", type=float, default=20)
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args(own)
    harness.need_agent()
    with harness.Scratch() as folder:
        twin = start(options.twin, folder)
        try:
            time.sleep(1.5)  # starting up (loading modules, compiling) is not serving
            return max([attach(options, twin, agent) for _ in range(options.times)])
        finally:
            twin.end()


def attach(options, twin, agent):
    watch = harness.Watch(twin.pid, *agent)
    if not watch.wait_attached():
        print(f"failed: not attached: {''.join(watch.errors).strip()}")
        return 1
    time.sleep(options.seconds)
    return tell(options, watch, watch.stop())


def split(args):
    at = args.index("--") if "--" in args else len(args)
    return args[:at], ["--"], args[at + 1:]


def tell(options, watch, status):
    newest = {}
    for _, event in watch.events:
        if event.get("finding"):
            newest[event["finding"]["id"]] = event["finding"]
    bad, starved, info = [], [], []
    for finding in newest.values():
        kind = (finding["cause"] or {}).get("kind")
        bin = info if finding["severity"] == "info" else (
            starved if finding["rule"] == "loop-starved" or kind == "runqueue" else bad)
        bin.append(describe(finding))
    print(f"healthy {options.twin}, {options.seconds:.0f} s: {len(bad)} findings of warning or above,"
          f" {len(info)} infos, {len(starved)} of a starved loop")
    for line in bad + info + starved:
        print("  " + line)
    if status != 0:
        print(f"  failed: watch ended with status {status}: {''.join(watch.errors[-1:]).strip()}")
    return 1 if bad or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
