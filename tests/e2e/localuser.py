#!/usr/bin/python3
"""What another user of the machine might try: a pid used anew, the port of serve, somebody else's process."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

NOBODY = 65534
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def stall(log, causes):
    return [harness.program("stall_c"), "--causes", causes, "--gap-min", "200", "--gap-max", "400", "--start", "10", "--log", log]


def start(command, pid=None):
    """Starts a command, as process `pid` if told (the next number the kernel gives)."""
    for _ in range(200):
        if pid:
            with open("/proc/sys/kernel/ns_last_pid", "w") as last:
                last.write(str(pid - 1))
        child = os.fork()
        if child == 0:
            if pid and os.getpid() != pid:
                os._exit(0)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.execv(command[0], command)
        if not pid or child == pid:
            return child
        os.waitpid(child, 0)
    return None


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def pid_reuse(tmp, backend):
    """The process ends and another one takes its number while the agent watches: it must not be judged."""
    first = start(stall(f"{tmp}/first", "nanosleep"))
    second = None
    try:
        time.sleep(0.5)
        watch = harness.Watch(first, "--backend", backend, "--for", "6s")
        check(watch.wait_attached(), f"{backend}: not attached")
        time.sleep(2)
        end(first)
        second = start(stall(f"{tmp}/second", "spin"), first)
        if second is None:
            print(f"  pid reuse, {backend}: the number could not be had again")
            return
        watch.wait(15)
        said = str(watch.events)
        check("block_nanosleep" in said, f"{backend}: the first process was not judged")
        check("block_spin" not in said, f"{backend}: the process that took the pid over was judged")
        print(f"  pid reuse, {backend}: {len(watch.events)} events, none of the newcomer")
    finally:
        if second:
            end(second)


def port():
    """serve listens on this machine alone, unless told otherwise."""
    process = subprocess.Popen([harness.AGENT, "serve", "--all", "--listen", "127.0.0.1:19464"], stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(2)
        inodes = {os.readlink(f"/proc/{process.pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{process.pid}/fd")
                  if os.readlink(f"/proc/{process.pid}/fd/{fd}").startswith("socket:")}
        listening = [line.split()[1] for table in ("tcp", "tcp6") for line in open(f"/proc/{process.pid}/net/{table}")
                     if line.split()[3] == "0A" and line.split()[9] in inodes]
        check(listening == [f"0100007F:{19464:04X}"], f"serve listens on {listening}")
        print(f"  serve listens on {listening}")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def others_process(tmp):
    """Without privilege, a process of root is not shown, by either backend, and its memory is not read."""
    agent = os.path.join(tmp, "loopscope")
    subprocess.run(["install", "-m", "755", harness.AGENT, agent], check=True)
    root = start(stall(f"{tmp}/root", "spin"))
    try:
        time.sleep(0.5)
        for backend in ("bpf", "proc", "auto"):
            out = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all",
                                  agent, "check", str(root), "--for", "2s", "--backend", backend, "--json"],
                                 capture_output=True, text=True, timeout=30)
            check(out.returncode == 3 and len(out.stderr.splitlines()) in (1, 2),
                  f"{backend}: status {out.returncode}: {out.stderr[:200]}")
            check("block_" not in out.stdout + out.stderr, f"{backend}: told a function of another user's process")
        print("  another user's process: refused")
    finally:
        end(root)


harness.need_agent()
if os.getuid() != 0:
    harness.skip("not root: nobody to be another user")
with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    for backend in ("bpf", "proc"):
        pid_reuse(tmp, backend)
    port()
    others_process(tmp)
print("\n".join(failures) or "nothing to be had")
sys.exit(1 if failures else 0)
