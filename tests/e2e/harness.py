"""What the end-to-end tests share: the agent as a process, targets, skips."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = os.path.join(os.path.dirname(HERE), "targets")
BUILD = os.environ.get("LOOPSCOPE_BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"))
AGENT = os.environ.get("LOOPSCOPE", os.path.join(BUILD, "loopscope"))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def need_agent():
    if not os.access(AGENT, os.X_OK):
        print(f"failed: {AGENT} is not built")
        sys.exit(1)


def program(name):
    """A built target."""
    return os.path.join(BUILD, "targets", name)


def need_program(name):
    if not shutil.which(name):
        skip(f"{name} is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*args, timeout=60, **options):
    """Runs the agent to its end."""
    return subprocess.run([AGENT, *map(str, args)], capture_output=True, text=True,
                          errors="surrogateescape", timeout=timeout, **options)


def mono_of(started_at, realtime_offset):
    """CLOCK_MONOTONIC in ns of an RFC 3339 time."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|\+00:00)", started_at)
    if not match:
        raise ValueError(f"started_at is not RFC 3339 in UTC: {started_at}")
    seconds = int(datetime.fromisoformat(match[1] + "+00:00").timestamp())
    return seconds * 10**9 + int((match[2] or "0").ljust(9, "0")[:9]) - realtime_offset


def realtime_offset():
    return time.time_ns() - time.monotonic_ns()


class Watch:
    """`loopscope watch --json` and its lines as they come, each with the time it came."""

    def __init__(self, *args, prefix=(), **options):
        self.events = []  # (ns of CLOCK_MONOTONIC, event)
        self.bad_lines = []
        self.ready = threading.Event()
        self.process = subprocess.Popen([*prefix, AGENT, "watch", *map(str, args), "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="surrogateescape", **options)
        self.errors = []
        self.threads = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            came = time.monotonic_ns()
            try:
                event = json.loads(line)
            except ValueError:
                self.bad_lines.append(line)
                continue
            self.events.append((came, event))
            if event.get("event") == "attached":
                self.ready.set()

    def _read_errors(self):
        self.errors.extend(self.process.stderr)

    def wait_attached(self, seconds=10):
        return self.ready.wait(seconds)

    def started(self, offset):
        """The agent's 0 as ns of CLOCK_MONOTONIC; None when nothing was told."""
        for _, event in self.events:
            if event.get("time"):
                return mono_of(event["time"], offset) - event["at_ns"]
        return None

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        for thread in self.threads:
            thread.join(5)
        return True

    def stop(self):
        """^C; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        if not self.wait(10):
            self.process.kill()
            self.wait(5)
        return self.process.returncode

    def cpu_seconds(self):
        return process_cpu_seconds(self.process.pid)


def process_cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Scratch:
    """A folder for one test, removed at its end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="loopscope-e2e.")
        os.chmod(self.path, 0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


# A target by name: its command, without the options of the plan.
COMMANDS = {
    "c": lambda: [program("stall_c")],
    "c-debug": lambda: [program("stall_c_g")],
    "node": lambda: ["node", os.path.join(TARGETS, "stall.js")],
    "python": lambda: [PYTHON, os.path.join(TARGETS, "stall.py")],
    "uvloop": lambda: [PYTHON, os.path.join(TARGETS, "stall.py"), "--uvloop"],
    "redis": lambda: [PYTHON, os.path.join(TARGETS, "redis_plan.py")],
}
PROGRAMS = {"node": "node", "redis": "redis-server"}


def need_target(name):
    if name in PROGRAMS:
        need_program(PROGRAMS[name])
    if name == "uvloop" and subprocess.run([PYTHON, "-c", "import uvloop"],
                                           capture_output=True).returncode:
        skip("uvloop is not installed")


def become_nobody(folder):
    """Copies agent and targets to where any user may read them; returns the words that drop root."""
    global AGENT, BUILD, TARGETS
    if os.geteuid() != 0:
        return ()
    need_program("setpriv")
    shutil.copytree(TARGETS, os.path.join(folder, "scripts"))
    shutil.copytree(os.path.join(BUILD, "targets"), os.path.join(folder, "targets"))
    shutil.copy2(AGENT, os.path.join(folder, "loopscope"))
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    os.chmod(folder, 0o777)
    AGENT, BUILD, TARGETS = os.path.join(folder, "loopscope"), folder, os.path.join(folder, "scripts")
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
            "env", f"HOME={folder}")


def start_target(name, log, *options, prefix=(), **popen):
    """Starts a target that keeps its own log; returns when it is ready."""
    import journal
    command = [*prefix, *COMMANDS[name](), "--log", log, *map(str, options)]
    # A group of its own, so that its helpers end with it, and a scratch folder that goes with the log.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "TMPDIR": os.path.dirname(log)}, **popen)
    if not journal.wait_for(log, "ready", 20):
        process.kill()
        raise RuntimeError(f"{name} did not start")
    return process


def end(process):
    """Ends a process of ours."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.pid != os.getpgrp():
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it led no group, or nobody is left in it


def cpu_count_others(before, after, own_seconds, wall_seconds):
    """Cores that others used between two readings of total_cpu_seconds()."""
    return max(0.0, (after - before - own_seconds) / wall_seconds)


def total_cpu_seconds():
    """CPU time that this machine spent on work, and that its host took away."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
