#!/usr/bin/python3
"""What the agent does to a target, seen by strace and by the target's own /proc: it only reads.

No ptrace, no signal, nothing written to its memory or its /proc; its code stays as it was byte for byte (no
breakpoint is planted); it is never stopped nor traced. Findings prove that the agent did watch meanwhile.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import harness

SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "splice", "ftruncate", "copy_file_range")
TRACED = ("ptrace", "process_vm_writev", "process_madvise", "process_vm_readv", "open", "openat", "openat2",
          *SIGNALS, *WRITES)
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def code_of(pid):
    """Hash of all that can be executed in the target."""
    digest = hashlib.sha256()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode, _, _, inode = line.split()[:5]
            if "x" not in mode or inode == "0":  # code that the target itself makes may change
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            mem.seek(begin)
            digest.update(mem.read(end - begin))
    return digest.hexdigest()


class Onlooker(threading.Thread):
    """Reads the target's state again and again while it is watched."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.looks, self.bad, self.code, self.stopping = pid, 0, set(), set(), False

    def run(self):
        while not self.stopping:
            for tid in os.listdir(f"/proc/{self.pid}/task"):
                status = open(f"/proc/{self.pid}/task/{tid}/status").read()
                if not re.search(r"^TracerPid:\t0$", status, re.M):
                    self.bad.add("is traced")
                if re.search(r"^State:\t[Tt]", status, re.M):
                    self.bad.add("is stopped")
            if self.looks % 20 == 0:
                self.code.add(code_of(self.pid))
            self.looks += 1
            time.sleep(0.02)


def judge(trace, tids):
    """(lines of what must not be, number of reads of the target's memory)"""
    bad, reads = [], 0
    ours = "|".join(map(str, tids))
    proc = re.compile(rf"/proc/(?:{ours})(?:/|>|\"|$)")
    for line in trace:
        match = re.match(r"\d+ +(\w+)\((.*)", line)
        if not match:
            continue
        call, rest = match[1], match[2]
        if call in ("ptrace", "process_vm_writev", "process_madvise"):
            bad.append(line)
        elif call == "process_vm_readv":
            reads += re.match(rf"(?:{ours})\b", rest) is not None
        elif call in SIGNALS and re.search(rf"(?:^|[ ,<(])(?:{ours})\b", rest):
            bad.append(line)
        elif call in WRITES and proc.search(re.match(r"[^,]*", rest)[0]):
            bad.append(line)
        elif call in ("open", "openat", "openat2") and re.search("O_CREAT|O_TMPFILE", rest):
            bad.append(line)  # nor does it leave files anywhere
        elif call in ("open", "openat", "openat2") and proc.search(rest):
            reads += "/mem\"" in rest
            if re.search(r"O_WRONLY|O_RDWR|O_TRUNC", rest):
                bad.append(line)
    return bad, reads


def self_test():
    """The judge must see each kind of trespass."""
    lines = ["9 ptrace(PTRACE_SEIZE, 42, NULL, 0) = 0", "9 process_vm_writev(42, [{...}], 1) = 8",
             "9 kill(42, SIGSTOP) = 0", "9 tgkill(42, 43, SIGUSR1) = 0",
             "9 openat(AT_FDCWD</>, \"/proc/42/mem\", O_RDWR) = 5</proc/42/mem>",
             "9 openat(AT_FDCWD</>, \"/tmp/x\", O_RDWR|O_CREAT, 0600) = 5</tmp/x>",
             "9 pwrite64(5</proc/42/mem>, \"\\314\", 1, 4096) = 1", "9 write(5</proc/42/task/43/comm>, \"x\", 1) = 1"]
    for line in lines:
        check(judge([line], [42, 43])[0] == [line], f"the judge does not see: {line}")
    fine = ["9 kill(421, SIGTERM) = 0", "9 openat(AT_FDCWD</>, \"/proc/42/maps\", O_RDONLY|O_CLOEXEC) = 5</proc/42/maps>",
            "9 write(2</proc/420/x>, \"42\", 2) = 2", "9 process_vm_readv(42, [{...}], 1) = 8"]
    check(judge(fine, [42, 43]) == ([], 1), "the judge accuses the innocent")


def wait_for_stalls(log):
    """Until the target has logged some: by then it has loaded all that it will, however slow the machine is."""
    end = time.monotonic() + 60
    while time.monotonic() < end and not (os.path.exists(log) and open(log).read().count("\n") >= 4):
        time.sleep(0.05)


def watch(name, command, backend, tmp):
    log = os.path.join(tmp, f"{name}-{backend}")
    target = subprocess.Popen([*command, "--log", log], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_stalls(log)
        pid, trace = target.pid, os.path.join(tmp, "trace")
        before = code_of(pid)
        onlooker = Onlooker(pid)
        onlooker.start()
        out = subprocess.run(["strace", "-f", "-y", "-qq", "-e", "signal=none", "-e", "trace=" + ",".join(TRACED), "-o", trace,
                              harness.AGENT, "check", str(pid), "--for", "5s", "--backend", backend, "--json"],
                             capture_output=True, text=True, timeout=60)
        onlooker.stopping = True
        onlooker.join()
        tids = [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]
        bad, reads = judge(open(trace, errors="replace"), {pid, *tids})
        where = f"{name}, {backend}"
        check(out.returncode == 1 and '"loop-' in out.stdout,
              f"{where}: found nothing (status {out.returncode}): {out.stderr[:200]}")
        check(reads > 0, f"{where}: strace saw no read of the target")
        check(not bad, f"{where}: {len(bad)} trespasses: {' | '.join(bad[:3])[:300]}")
        check(not onlooker.bad, f"{where}: the target {', '.join(onlooker.bad)}")
        check(onlooker.looks > 50, f"{where}: only {onlooker.looks} looks at the target")
        check({before, code_of(pid)} | onlooker.code == {before}, f"{where}: its code was changed")
        check(target.poll() is None, f"{where}: the target has ended")
        print(f"  {where}: {reads} reads, {onlooker.looks} looks at the target: only read")
    finally:
        target.kill()
        target.wait()


harness.need_agent()
harness.need_program("strace")
self_test()
stalls = ["--gap-min", "200", "--gap-max", "400", "--start", "10"]
with tempfile.TemporaryDirectory() as tmp:
    for backend in ("bpf", "proc"):
        watch("c", [harness.program("stall_c"), "--causes", "spin,nanosleep", *stalls], backend, tmp)
    # Others load libraries when their turn comes: names are looked up by plugins of the C library.
    watch("python", [harness.PYTHON, os.path.join(harness.TARGETS, "stall.py"), "--causes", "spin,sleep", *stalls], "bpf", tmp)
print("\n".join(failures) or "the targets were only read")
sys.exit(1 if failures else 0)
