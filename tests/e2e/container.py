#!/usr/bin/python3
"""Targets in user, mount and pid namespaces of their own, attached by their pid on the host.

The C program lies in a root of its own, under a path that the host does not have, stripped; its names and lines are only to
be had from the separate debug file, by build id, in that root. The Python program has only the namespaces.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

STALLS = ["--causes", "spin,nanosleep", "--gap-min", "100", "--gap-max", "300", "--log", "/dev/null"]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def build_id(program):
    out = subprocess.run(["readelf", "-n", program], capture_output=True, text=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", out)[1]


def make_root(root, program):
    """A root with the stripped program as /only-here, its libraries, and its debug file."""
    for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines():
        library = re.search(r"(/\S+) \(0x", line)
        if library:
            os.makedirs(root + os.path.dirname(library[1]), exist_ok=True)
            shutil.copy(os.path.realpath(library[1]), root + library[1])
    number = build_id(program)
    debug = f"{root}/usr/lib/debug/.build-id/{number[:2]}"
    os.makedirs(debug)
    subprocess.run(["objcopy", "--only-keep-debug", program, f"{debug}/{number[2:]}.debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", program, f"{root}/only-here"], check=True)
    for folder in ("dev", "tmp"):
        os.makedirs(f"{root}/{folder}")
    open(f"{root}/dev/null", "w").close()  # its log
    os.chmod(root, 0o755)


def start(command):
    """(unshare's process, the pid of what it runs on the host)"""
    process = subprocess.Popen([*UNSHARE, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
            if children and os.path.basename(os.readlink(f"/proc/{children[0]}/exe")) not in ("unshare", "chroot"):
                return process, int(children[0])
        except OSError:
            pass
        if process.poll() is not None:
            harness.skip("no namespaces can be made here")
        time.sleep(0.05)
    harness.skip("the program did not start in its namespaces")


def judge(name, command, function, file, backend):
    process, pid = start(command)
    try:
        for kind in ("user", "mnt", "pid"):
            check(os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), f"{name}: the same {kind} namespace")
        watch = harness.Watch(pid, "--backend", backend, "--for", "60s")
        check(watch.wait_attached(30), f"{name}, {backend}: not attached: {''.join(watch.errors)[:200]}")
        culprits = set()
        end = time.monotonic() + 50
        while time.monotonic() < end and not len(culprits) >= 2:
            for _, event in list(watch.events):
                culprit = (event.get("finding") or {}).get("culprit")
                if culprit and re.fullmatch(function, culprit["function"] or ""):
                    culprits.add((culprit["function"], os.path.basename(culprit.get("file") or "-"), culprit.get("line") or 0))
            time.sleep(0.2)
        watch.stop()
        check(len({c[0] for c in culprits}) >= 2, f"{name}, {backend}: culprits are {sorted(culprits)}: {str(watch.events)[-300:]}")
        for culprit in culprits:
            check(culprit[1] == file and culprit[2] > 0, f"{name}, {backend}: {culprit} is not in {file}")
        print(f"  {name}, {backend}: pid {pid} here, " + re.search(r"NSpid:\t(.*)", open(f"/proc/{pid}/status").read())[1].split()[-1] +
              " inside: " + ", ".join(f"{f} {p}:{l}" for f, p, l in sorted(culprits)))
    finally:
        process.kill()  # --kill-child ends the other
        process.wait()


def from_inside(backend, target):
    """`check` beside its target in a pid namespace of both."""
    script = f'{target} >/dev/null & exec {harness.AGENT} check $! --for 4s --json --backend {backend}'
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script],
                          capture_output=True, text=True, timeout=60)


def judge_from_inside():
    """There the kernel's probes speak of other pids: so it takes /proc, or says why it cannot do as it was told."""
    found = from_inside("auto", " ".join([harness.program("stall_c_g"), *STALLS]))
    check(found.returncode == 1 and '"backend": "proc"' in found.stdout,
          f"from inside: {found.returncode} {found.stderr[-300:]}")
    refused = from_inside("bpf", "sleep 9")
    check(refused.returncode == 3 and "namespace" in refused.stderr,
          f"from inside, bpf: {refused.returncode} {refused.stderr[-300:]}")
    print("  the agent inside: auto takes the proc backend and finds, bpf is refused")


harness.need_agent()
for tool in ("unshare", "objcopy", "readelf", "ldd"):
    harness.need_program(tool)
if os.getuid() != 0:
    harness.skip("not root: another user's namespaces are closed")
with tempfile.TemporaryDirectory() as tmp:
    root = os.path.join(tmp, "root")
    os.makedirs(root)
    os.chmod(tmp, 0o755)
    make_root(root, harness.program("stall_c_g"))
    for backend in ("bpf", "proc"):
        judge("its own root", ["chroot", root, "/only-here", *STALLS], r"block_\w+", "stall_c.c", backend)
    judge("Python", [harness.PYTHON, os.path.join(harness.TARGETS, "stall.py"), *STALLS[2:]], r".*block.*", "stall.py", "bpf")
    judge_from_inside()
print("\n".join(failures) or "containers are looked into")
sys.exit(1 if failures else 0)
