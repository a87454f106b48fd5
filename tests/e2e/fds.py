#!/usr/bin/env python3
"""Programs that leak descriptors are told by the line that opens them; their healthy twins stay quiet.

usage: fds.py [NAME...] [--healthy SECONDS]
"""

import json
import subprocess
import sys
import time

import harness

SCALE = "0.01"  # a horizon of 30 s is 0.3 s, half an hour 18 s


class Case:
    def __init__(self, command, rule, title, line=None, file=None, seconds=26):
        self.command, self.rule, self.title = command, rule, title
        self.line, self.file, self.seconds = line, file, seconds


def line_of(source, text):
    """The line of a target's source that holds the text."""
    with open(f"{harness.TARGETS}/{source}") as lines:
        for number, line in enumerate(lines, 1):
            if text in line:
                return number
    raise ValueError(f"{source} has no {text}")


def script(name, *arguments):
    interpreter = "node" if name.endswith(".js") else harness.PYTHON
    return [interpreter, f"{harness.TARGETS}/{name}", *arguments]


CASES = {
    "node-files": Case(script("fd_leak.js", "files", "20"), "fd-leak", "readSettings",
                       line_of("fd_leak.js", "const fd = fs.openSync"), "fd_leak.js"),
    "node-sockets": Case(script("fd_leak.js", "sockets", "50"), "fd-leak", "by the loop"),
    "python-cancelled": Case(script("fd_leak.py", "cancelled"), "fd-leak", "fetch_report",
                             line_of("fd_leak.py", "fd = os.open"), "fd_leak.py"),
    "python-sites": Case(script("fd_leak.py", "sites"), "fd-leak", "open_and_keep",
                         line_of("fd_leak.py", "def open_and_keep") + 1, "fd_leak.py"),
    "python-close-wait": Case(script("fd_leak.py", "closewait"), "fd-close-wait", "peer has closed",
                              seconds=6),
    "c-1-in-1000": Case([harness.program("fd_leak_c"), "leak", "1000", "5000"], "fd-leak",
                        "read_profile", line_of("fd_leak_c.c", 'int fd = open("/etc/hostname"'),
                        "fd_leak_c.c"),
}
HEALTHY = {
    "node-healthy": script("fd_leak.js", "healthy", "20"),
    "python-healthy": script("fd_leak.py", "healthy"),
    "c-healthy": [harness.program("fd_leak_c"), "healthy", "1000", "5000"],
}


def start(command):
    """The program, once it has said that it is ready."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if "ready" not in process.stdout.readline():
        harness.skip(f"{command[0]} does not start")
    return process


def check(pid, seconds):
    result = harness.run("check", pid, "--for", f"{seconds}s", "--time-scale", SCALE, "--json",
                         timeout=seconds + 30)
    if not result.stdout:
        return None, result.stderr
    return json.loads(result.stdout), result.stderr


def of_descriptors(document):
    return [f for f in document["findings"] if f["rule"] in ("fd-leak", "fd-close-wait", "fd-orphan")]


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
    return None


def run_case(name):
    case = CASES[name]
    process = start(case.command)
    try:
        document, errors = check(process.pid, case.seconds)
    finally:
        harness.end(process)
    wrong = errors if document is None else judge(case, document)
    if wrong is None:
        title = [f["title"] for f in of_descriptors(document)][0]
        print(f"{name}: ok, {title}")
    else:
        print(f"{name}: FAILED, {wrong}")
    return wrong is None


def run_healthy(name, seconds):
    process = start(HEALTHY[name])
    try:
        time.sleep(1)
        document, errors = check(process.pid, seconds)
    finally:
        harness.end(process)
    if document is None:
        print(f"{name}: FAILED, {errors}")
        return False
    titles = [f["title"] for f in of_descriptors(document)]
    print(f"{name}: {'ok, quiet' if not titles else f'FAILED, {titles}'}")
    return not titles


def main():
    arguments = sys.argv[1:]
    seconds = 25
    if "--healthy" in arguments:
        at = arguments.index("--healthy")
        seconds = int(arguments[at + 1])
        del arguments[at:at + 2]
    harness.need_agent()
    harness.need_program("node")
    names = arguments or [*CASES, *HEALTHY]
    good = [run_case(n) if n in CASES else run_healthy(n, seconds) for n in names]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
