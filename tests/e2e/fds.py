#!/usr/bin/env python3
"""Programs that leak descriptors are told by the line that opens them; their healthy twins stay quiet.

usage: fds.py [NAME...] [--healthy SECONDS] [--time-scale X]
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

SCALE = "0.01"  # a horizon of 30 s is 0.3 s, half an hour 18 s
GALLERY = os.path.join(harness.BUILD, "gallery")
GALLERY_SOURCE = os.path.join(harness.HERE, "..", "..", "lib", "gallery")


class Case:
    def __init__(self, command, rule, title, line=None, file=None, seconds=26, scale=SCALE, spawned=None,
                 ready="ready", recorded=False, options=()):
        self.command, self.rule, self.title = command, rule, title
        self.line, self.file, self.seconds, self.scale = line, file, seconds, scale
        self.spawned = spawned  # "file:line" of the opener task's spawn site
        self.ready, self.recorded, self.options = ready, recorded, options


def line_of(source, text, folder=harness.TARGETS):
    """The line of a target's source that holds the text."""
    with open(f"{folder}/{source}") as lines:
        for number, line in enumerate(lines, 1):
            if text in line:
                return number
    raise ValueError(f"{source} has no {text}")


def exhibit_line(source, text):
    return line_of(source, text, GALLERY_SOURCE)


def script(name, *arguments):
    interpreter = "node" if name.endswith(".js") else harness.PYTHON
    return [interpreter, f"{harness.TARGETS}/{name}", *arguments]


CASES = {
    "node-files": Case(script("fd_leak.js", "files", "20"), "fd-leak", "readSettings",
                       line_of("fd_leak.js", "const fd = fs.openSync"), "fd_leak.js"),
    # What never closes anything is judged after half an hour: 13 s.
    "node-sockets": Case(script("fd_leak.js", "sockets", "50"), "fd-leak", "by the loop", scale="0.007"),
    "python-cancelled": Case(script("fd_leak.py", "cancelled"), "fd-leak", "fetch_report",
                             line_of("fd_leak.py", "fd = os.open"), "fd_leak.py"),
    "python-sites": Case(script("fd_leak.py", "sites"), "fd-leak", "open_and_keep",
                         line_of("fd_leak.py", "def open_and_keep") + 1, "fd_leak.py", scale="0.007"),
    "python-close-wait": Case(script("fd_leak.py", "closewait"), "fd-close-wait", "peer has closed",
                              seconds=6),
    "c-1-in-1000": Case([harness.program("fd_leak_c"), "leak", "1000", "5000"], "fd-leak",
                        "read_profile", line_of("fd_leak_c.c", 'int fd = open("/etc/hostname"'),
                        "fd_leak_c.c", recorded=True),
    "handles": Case([harness.program("handle_leak"), "leak"], "handle-leak", "uv_timer handles made by start_job",
                    line_of("handle_leak.c", "uv_timer_init(loop, timer)"), "handle_leak.c", seconds=14,
                    options=("--handles",)),
    "gallery-leak": Case([GALLERY, "fd-leak"], "fd-leak", "spool_open", exhibit_line("spool.c", "int fd = open("),
                         "spool.c", seconds=14, scale="0.02", ready=None),
    "gallery-orphan": Case([GALLERY, "fd-orphan"], "fd-orphan", "spool_open",
                           exhibit_line("spool.c", "int fd = open("), "spool.c", seconds=10, scale="1", ready=None,
                           spawned=f"fd_orphan.c:{exhibit_line('fd_orphan.c', 'ls_spawn(import')}"),
}
HEALTHY = {
    "node-healthy": script("fd_leak.js", "healthy", "20"),
    "python-healthy": script("fd_leak.py", "healthy"),
    "c-healthy": [harness.program("fd_leak_c"), "healthy", "1000", "5000"],
    "handles-healthy": [harness.program("handle_leak"), "healthy"],
    "gallery-leak-cured": [GALLERY, "fd-leak", "--cured"],
    "gallery-orphan-cured": [GALLERY, "fd-orphan", "--cured"],
}


def start(command, ready="ready"):
    """The program, once it has said that it is ready."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if ready and ready not in process.stdout.readline():
        harness.skip(f"{command[0]} does not start")
    if not ready:
        time.sleep(0.3)
    return process


def judged(*words, seconds=0):
    result = harness.run("check", *words, "--json", timeout=seconds + 60)
    if not result.stdout:
        return None, f"status {result.returncode} {result.stderr}"
    return json.loads(result.stdout), result.stderr


def check(pid, seconds, scale=SCALE, options=()):
    return judged(pid, "--for", f"{seconds}s", "--time-scale", scale, *options, seconds=seconds)


def check_recorded(pid, case, folder):
    """The same, by way of a recording: it must hold what the rules judge by."""
    path = os.path.join(folder, "fds.lsr")
    result = harness.run("record", pid, "-o", path, "--for", f"{case.seconds}s", "--time-scale", case.scale,
                         timeout=case.seconds + 60)
    return judged(path, "--rejudge") if os.path.exists(path) else (None, result.stderr)


def of_descriptors(document):
    return [f for f in document["findings"] if f["rule"] in ("fd-leak", "fd-close-wait", "fd-orphan", "handle-leak")]


def judge(case, document):
    """What is wrong; None nothing."""
    findings = of_descriptors(document)
    right = [f for f in findings if f["rule"] == case.rule and case.title in f["title"]]
    if not right:
        return f"not told: {[f['title'] for f in findings]}"
    if len([f for f in findings if f["rule"] == case.rule]) > 1:
        return f"told more than once: {[f['title'] for f in findings]}"
    culprit = right[0]["culprit"] or {}
    if case.line and (culprit.get("line") != case.line or case.file not in (culprit.get("file") or "")):
        return f"line {culprit.get('file')}:{culprit.get('line')}, expected {case.file}:{case.line}"
    site = (right[0]["task"] or {}).get("spawn_site")
    if case.spawned and site != case.spawned:
        return f"spawn site {site}, expected {case.spawned}"
    return None


def try_case(case, seconds):
    """The findings' document, and what is wrong with it; None nothing."""
    process = start(case.command, case.ready)
    try:
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor() as pool:
            recorded = pool.submit(check_recorded, process.pid, case, folder) if case.recorded else None
            document, errors = check(process.pid, seconds, case.scale, case.options)
            replayed = recorded.result() if recorded else None
    finally:
        harness.end(process)
    wrong = errors if document is None else judge(case, document)
    if wrong is None and replayed:
        wrong = replayed[1] if replayed[0] is None else judge(case, replayed[0])
        wrong = wrong and f"of its recording: {wrong}"
    return document, wrong


def run_case(name):
    case = CASES[name]
    document, wrong = try_case(case, case.seconds)
    if wrong and "not told" in wrong:  # a busy machine leaves too little of the window
        document, wrong = try_case(case, 3 * case.seconds)
    if wrong is None:
        title = [f["title"] for f in of_descriptors(document)][0]
        print(f"{name}: ok, {title}")
    else:
        print(f"{name}: FAILED, {wrong}")
    return wrong is None


def run_healthy(name, seconds, scale):
    process = start(HEALTHY[name], None if "gallery" in name else "ready")
    try:
        time.sleep(1)
        options = ("--handles",) if "handles" in name else ()
        document, errors = check(process.pid, seconds, scale, options)
    finally:
        harness.end(process)
    if document is None:
        print(f"{name}: FAILED, {errors}")
        return False
    titles = [f["title"] for f in of_descriptors(document)]
    print(f"{name}: {'ok, quiet' if not titles else f'FAILED, {titles}'}")
    return not titles


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--healthy", type=int, default=25, metavar="SECONDS")
    parser.add_argument("--time-scale", metavar="X", help="of the healthy ones; unless given, 0.01, of a long run 0.1")
    options = parser.parse_args()
    # At 0.01 half a second's delay of a peer's close, on a loaded machine, counts as a minute's.
    scale = options.time_scale or (SCALE if options.healthy <= 60 else "0.1")
    harness.need_agent()
    harness.need_program("node")
    names = options.names or [*CASES, *HEALTHY]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # they sleep more than they work
        good = [*pool.map(run_case, [n for n in names if n in CASES])]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        good += pool.map(lambda n: run_healthy(n, options.healthy, scale),
                         [n for n in names if n not in CASES])
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
