#!/usr/bin/python3
"""Faults, one at a time: the n-th of a kind of system call fails, the disk is full, privileges are refused.

What must come of each: the right status with one clear line, or a result as without the fault; never a crash,
a hang or a false "clean"; and nothing left behind: no process, no BPF object, no file.
strace makes the calls fail (-e inject), so that the program itself is the one that is shipped.
"""

import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

failures, tries, STATUS = [], 0, []
SIGNS_OF_A_CRASH = re.compile(r"AddressSanitizer|runtime error|core dumped|Assertion|Segmentation|double free|corrupt.*(list|chunk)")


def check(condition, what):
    if not condition:
        failures.append(what)


def ours():
    """Processes that run the agent's program."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/exe") == AGENT:
                found.add(int(pid))
        except OSError:
            pass
    return found


def held_programs():
    """Ids of the BPF programs that some process holds."""
    held = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if "bpf" in os.readlink(f"/proc/{pid}/fd/{fd}"):
                    held |= set(re.findall(r"^prog_id:\s*(\d+)", open(f"/proc/{pid}/fdinfo/{fd}").read(), re.M))
        except OSError:
            pass
    return held


def orphaned_programs():
    """BPF programs that no process holds: pinned, or kept by a link that was forgotten."""
    def seen():
        out = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True).stdout
        return set(re.findall(r"^(\d+): ", out, re.M)) - held_programs()

    if not shutil.which("bpftool"):
        return set()
    found = seen()
    for _ in range(5):  # those of another test's agent come and go between the two looks
        if not found:
            break
        time.sleep(0.2)
        found &= seen()
    return found


def nothing_left(name):
    for _ in range(100):
        if not ours():
            return
        time.sleep(0.05)
    failures.append(f"{name}: left processes {ours()}")


def run(name, args, prefix=(), statuses=(0, 1, 3, 5), said=None, stdout=subprocess.PIPE, **options):
    """The agent under a fault; returns what it printed."""
    global tries
    tries += 1
    try:
        out = subprocess.run([*prefix, AGENT, *map(str, args)], stdin=subprocess.DEVNULL, stdout=stdout,
                             stderr=subprocess.PIPE, text=True, errors="replace", timeout=90, **options)
    except subprocess.TimeoutExpired:
        failures.append(f"{name}: does not end")
        return ""
    STATUS.append(out.returncode)
    err = "\n".join(line for line in out.stderr.splitlines() if not line.startswith(("strace:", "serving ")))
    lines = err.splitlines()
    check(out.returncode in statuses, f"{name}: status {out.returncode}: {err[:200]}")
    check(not SIGNS_OF_A_CRASH.search(err), f"{name}: {err[:200]}")
    if "loading shared libraries" in err:
        return ""  # the program was not reached
    if out.returncode not in (0, 1, 4):  # 4, too early, is told in the report
        check(1 <= len(lines) <= 2 and lines[0].startswith("loopscope: "), f"{name}: not one line and a hint: {lines[:4]}")
    if said:
        check(re.search(said, err), f"{name}: does not say /{said}/: {err[:200]}")
    nothing_left(name)
    return out.stdout or ""


def inject(call, error, when, path=None):
    only = ["-P", path] if path else []
    return ["strace", "-f", "-qqq", "-e", "signal=none", "-o", "/dev/null", *only, "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}:when={when}"]


def syscalls(target):
    """Calls while it attaches and watches: the first ones, later ones, and all.

    Left out, as libuv itself aborts there: its first pipe2, and epoll_ctl out of memory for ever.
    """
    for call, error in (("bpf", "EPERM"), ("bpf", "ENOMEM"), ("perf_event_open", "EACCES"), ("perf_event_open", "EMFILE"),
                        ("process_vm_readv", "EFAULT"), ("process_vm_readv", "EPERM"), ("epoll_ctl", "ENOMEM"),
                        ("socketpair", "EMFILE"), ("memfd_create", "ENOMEM"), ("timerfd_create", "EMFILE"),
                        ("seccomp", "EINVAL"), ("eventfd2", "EMFILE")):
        for when in ("1", "2", "5", "1+")[:3 if call == "epoll_ctl" else 4]:
            out = run(f"{call} {error} {when}", ["check", target, "--for", "2500ms", "--json"], inject(call, error, when),
                      statuses=(1, 3, 4, 5))
            check(not re.search(r'"findings": ?\[\]', out) or '"not_judged"' in out, f"{call} {error} {when}: a false clean")


def memory(target):
    for call in ("mmap", "brk"):
        for when in ("40+50", "100+7", "200+"):
            run(f"{call} {when}", ["check", target, "--for", "1500ms"], inject(call, "ENOMEM", when), statuses=(0, 1, 3, 4, 5, 127))


def allocations(target, tmp):
    """The n-th allocation of the agent, and of its helper, fails."""
    shim = os.path.join(tmp, "fault_malloc.so")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        print("  no compiler: failing allocations were left out")
        return
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, os.path.join(harness.HERE, "fault_malloc.c")], check=True)
    refused = 0
    for args, numbers in ((["rules"], range(1, 60)), (["check", target, "--for", "500ms"], range(1, 1200, 61))):
        for nth in numbers:
            before = len(failures)
            run(f"{args[0]}, allocation {nth}", args, statuses=(0, 1, 4, 5), env={**os.environ, "LD_PRELOAD": shim, "NTH": str(nth)})
            refused += STATUS[-1] == 5 and len(failures) == before
    check(refused > 0, "no failed allocation was told")


def recordings(target, tmp):
    """SQLite's writes fail; then a disk that is full."""
    for n, (call, error) in enumerate((("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fdatasync", "EIO"), ("ftruncate", "ENOSPC"))):
        for when in ("1", "3", "1+"):
            path = f"{tmp}/fault{n}{when.replace('+', 'p')}.lsr"
            never = call == "pwrite64" and when == "1+"  # not a byte reaches the file
            run(f"record, {call} {error} {when}", ["record", target, "-o", path, "--for", "2s"], inject(call, error, when),
                statuses=(3, 5) if never else (0, 3, 5))
            if os.path.exists(path):
                run(f"reading it, {call} {error} {when}", ["report", path], statuses=(0, 1, 3, 4))
    small = f"{tmp}/small"
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", small], stderr=subprocess.DEVNULL).returncode:
        print("  no small file system could be mounted: the full disk was left out")
        return
    try:
        run("record, disk full", ["record", target, "-o", f"{small}/a.lsr", "--for", "3s"], statuses=(3, 5),
            said=r"full|space|large")
    finally:
        subprocess.run(["umount", small])


def outputs(target, tmp):
    with open("/dev/full", "w") as full:
        for args in (["check", target, "--for", "2s"], ["rules"], ["report", target, "--for", "1s", "--format", "html"], ["ps"],
                     ["doctor"]):
            run(f"{args[0]} to a full disk", args, stdout=full, statuses=(1, 3, 5))
    run("report -o to a full disk", ["report", target, "--for", "1s", "-o", "/dev/full"], statuses=(3, 5), said="space|full")
    reader, writer = os.pipe()
    os.close(reader)
    run("a pipe nobody reads", ["check", target, "--for", "2s"], stdout=writer, statuses=(0, 1, 4))
    os.close(writer)


def terminal(target):
    """The terminal of the dashboard goes away, before its first picture and after: it detaches and dies of SIGHUP, or has not begun."""
    global tries
    for name, bytes_seen, ends in (("at once", 0, (0, 2)), ("after a picture", 500, ())):
        tries += 1
        mine, its = pty.openpty()
        process = subprocess.Popen([AGENT, "top", str(target)], stdin=its, stdout=its, stderr=subprocess.PIPE, start_new_session=True)
        os.close(its)
        seen, end = 0, time.monotonic() + 30
        while seen < bytes_seen and time.monotonic() < end:
            if select.select([mine], [], [], 1)[0]:
                seen += len(os.read(mine, 4096))
        check(seen >= bytes_seen, f"a terminal that goes away {name}: no picture")
        os.close(mine)
        try:
            _, err = process.communicate(timeout=40)
            check(process.returncode in (-signal.SIGHUP, *ends), f"a terminal that goes away {name}: status {process.returncode}")
            check(not SIGNS_OF_A_CRASH.search(err.decode(errors="replace")), f"a terminal that goes away {name}: {err[:200]}")
        except subprocess.TimeoutExpired:
            failures.append(f"a terminal that goes away {name}: does not end")
            process.kill()
            process.communicate()
        nothing_left(f"a terminal that goes away {name}")


def limits(target):
    def set_to(kind, value):
        return lambda: resource.setrlimit(kind, (value, value))

    for number in (4, 8, 16, 24, 32, 40, 64):
        run(f"{number} descriptors", ["check", target, "--for", "2s"], statuses=(1, 3, 4, 5, 127),
            preexec_fn=set_to(resource.RLIMIT_NOFILE, number))
    run("no locked memory", ["check", target, "--for", "2500ms"], statuses=(1,), preexec_fn=set_to(resource.RLIMIT_MEMLOCK, 0))
    run("no core, no file", ["record", target, "-o", os.path.join(tempfile.gettempdir(), "never.lsr"), "--for", "1s"],
        statuses=(3, 5), preexec_fn=set_to(resource.RLIMIT_FSIZE, 0))


harness.need_agent()
harness.need_program("strace")
if os.getuid() != 0:
    harness.skip("not root")
programs = orphaned_programs()
parts = {"syscalls": lambda: syscalls(target.pid), "memory": lambda: memory(target.pid),
         "allocations": lambda: allocations(target.pid, tmp), "recordings": lambda: recordings(target.pid, tmp), "outputs": lambda: outputs(target.pid, tmp),
         "terminal": lambda: terminal(target.pid), "limits": lambda: limits(target.pid)}
with tempfile.TemporaryDirectory() as tmp:
    AGENT = shutil.copy(os.path.realpath(harness.AGENT), tmp)  # a program of its own: what is left behind is ours
    target = subprocess.Popen([harness.program("stall_c"), "--causes", "spin,nanosleep", "--gap-min", "200", "--gap-max", "400",
                               "--start", "10", "--log", f"{tmp}/log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        for name, part in parts.items():
            if not sys.argv[1:] or name in sys.argv[1:]:
                part()
        check(target.poll() is None, "the target has ended")
    finally:
        target.kill()
        target.wait()
left = orphaned_programs() - programs
for _ in range(3):
    if left:
        time.sleep(1)  # the kernel frees them later, and others come and go meanwhile
        left &= orphaned_programs()
check(not left, f"BPF programs are left: {left}")
print("\n".join(failures) or f"{tries} faults: each ends well")
sys.exit(1 if failures else 0)
