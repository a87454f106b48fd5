#!/usr/bin/python3
"""Calls of plain libuv from a wrong thread (--thread-checks): found with both threads, the call and its line;
where they go through uv_async_send, and where a loop is handed from one thread to another, nothing is said."""

import concurrent.futures
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import harness

SOURCE = os.path.join(harness.TARGETS, "off_thread.c")
SECONDS = 6
NODE = """
const fs = require('fs'), work = "setInterval(() => require('fs').readFile('/etc/hostname', () => {}), 5)";
new (require('worker_threads').Worker)(work, { eval: true });
setInterval(() => fs.readFile('/etc/hostname', () => setTimeout(() => {}, 1)), 5);
console.log('ready');
"""


def line_of(text):
    with open(SOURCE) as source:
        return next(i for i, line in enumerate(source, 1) if text in line)


def check(command, *options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        ran = harness.run("check", process.pid, "--for", SECONDS, "--json", *options, timeout=120)
        document = json.loads(ran.stdout)
        tids = sorted(int(tid) for tid in os.listdir(f"/proc/{process.pid}/task"))
    finally:
        harness.end(process)
    return document, process.pid, tids


def of_threads(document):
    return [f for f in document["findings"] if f["rule"] == "thread-unsafe"]


def wrong():
    document, pid, tids = check([harness.program("off_thread"), "wrong"], "--thread-checks")
    found = {f["title"].split()[0]: f for f in of_threads(document)}
    if set(found) != {"uv_timer_start", "uv_write"}:
        return f"found {sorted(f['title'] for f in found.values())}"
    worker = next(tid for tid in tids if tid != pid)
    for name, function, line in (("uv_timer_start", "restart_deadline", line_of("uv_timer_start(&deadline")),
                                 ("uv_write", "send_result", line_of("uv_write(request"))):
        f = found[name]
        evidence = {e["key"]: e["value"] for e in f["evidence"]}
        if (f["culprit"]["function"], f["culprit"]["line"]) != (function, line):
            return f"{name}: culprit {f['culprit']}, not {function}:{line}"
        if (evidence["caller"], evidence["owner"]) != (worker, pid) or evidence["calls"] < 10:
            return f"{name}: {evidence}"
        if "uv_async_send" not in f["remedy"][0] or "--thread-checks" not in f["verify"]:
            return f"{name}: {f['remedy']}, {f['verify']}"
    return None


def quiet(command, *options):
    document, *_ = check(command, *options)
    if of_threads(document):
        return [f["title"] for f in of_threads(document)]
    if "--thread-checks" in options and "thread-unsafe" in document["not_judged"]:
        return "not judged"
    return None


def main():
    harness.need_agent()
    if os.geteuid() != 0:
        harness.skip("uprobes take root")
    target = harness.program("off_thread")
    cases = {"wrong": wrong,
             "right": lambda: quiet([target, "right"], "--thread-checks"),
             "handed": lambda: quiet([target, "handed"], "--thread-checks"),
             "node": lambda: quiet(["node", "-e", NODE], "--thread-checks"),
             "unasked": lambda: quiet([target, "wrong"])}
    names = sys.argv[1:] or cases
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = [*pool.map(lambda name: (name, cases[name]()), names)]
    for name, problem in results:
        print(f"{name}: {'ok' if problem is None else f'FAILED, {problem}'}")
    sys.exit(0 if all(problem is None for _, problem in results) else 1)


if __name__ == "__main__":
    main()
