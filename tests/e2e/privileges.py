#!/usr/bin/python3
"""Who holds which privilege while it works.

The helper that parses foreign bytes holds none. The agent, once attached, holds at most five capabilities, cannot gain
any, and has a filter of system calls; yet it finds what starts later and starts a new helper when one dies. What it starts
for its user (a COMMAND, --exec) has what the user had. It needs the four capabilities of the systemd unit and no user id;
all system calls it makes are in the unit's filter.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness

UNIT = os.path.join(harness.HERE, "../../packaging/systemd/loopscope.service")
NOBODY = 65534
KEPT = sum(1 << number for number in (2, 19, 38, 39, 40))  # DAC_READ_SEARCH SYS_PTRACE PERFMON BPF CHECKPOINT_RESTORE
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def status_of(pid):
    return dict(re.findall(r"^(\w+):\t(.*)$", open(f"/proc/{pid}/status").read(), re.M))


def children(pid):
    return [int(word) for tid in os.listdir(f"/proc/{pid}/task")
            for word in open(f"/proc/{pid}/task/{tid}/children").read().split()]


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def is_helper(pid):
    try:
        return b"--stack-helper" in open(f"/proc/{pid}/cmdline", "rb").read() and status_of(pid)["Seccomp"] == "2"
    except OSError:
        return False


def helpers_of(pid):
    try:
        return [d for d in descendants(pid) if is_helper(d)]
    except OSError:
        return []


def is_confined(pid):
    return status_of(pid)["NoNewPrivs"] == "1" and int(status_of(pid)["Seccomp_filters"]) > FILTERS


def check_agent(name, pid, user):
    """Every thread of it."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        s = dict(re.findall(r"^(\w+):\t(.*)$", open(f"/proc/{pid}/task/{tid}/status").read(), re.M))
        for field in ("CapPrm", "CapEff"):
            check(int(s[field], 16) & ~KEPT == 0, f"{name}: the agent's {field} is {s[field]}")
        for field in ("CapInh", "CapAmb", *(["CapBnd"] if user == 0 else [])):
            check(int(s[field], 16) == 0, f"{name}: the agent's {field} is {s[field]}")
        check(s["NoNewPrivs"] == "1", f"{name}: the agent may gain privileges")
        check(s["Seccomp"] == "2" and int(s["Seccomp_filters"]) > FILTERS, f"{name}: the agent has no filter of its own")


def wait_for(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    return None


def check_helper(helper, user):
    s = status_of(helper)
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        check(int(s[name], 16) == 0, f"the helper's {name} is {s[name]}")
    if user == 0:
        check(int(s["CapBnd"], 16) == 0, f"the helper's CapBnd is {s['CapBnd']}")
    check(s["NoNewPrivs"] == "1", "the helper may gain privileges")
    check(s["Seccomp"] == "2", "the helper has no seccomp filter")
    check(s["Uid"].split() == [str(NOBODY)] * 4, f"the helper's users are {s['Uid']}")
    if user == 0:
        check(s["Gid"].split() == [str(NOBODY)] * 4 and not s["Groups"].strip(),
              f"the helper's groups are {s['Gid']}, {s['Groups']}")
    for fd in os.listdir(f"/proc/{helper}/fd"):
        kind = os.readlink(f"/proc/{helper}/fd/{fd}")
        mode = int(re.search(r"flags:\t(\d+)", open(f"/proc/{helper}/fdinfo/{fd}").read())[1], 8) & os.O_ACCMODE
        check("bpf" not in kind and "perf_event" not in kind, f"the helper holds {kind}")
        check(kind.startswith("socket:") or kind == "/dev/null" or int(fd) == 2 or mode == os.O_RDONLY,
              f"the helper may write to {kind}")


def capabilities():
    text = re.search(r"^AmbientCapabilities=(.*)$", open(UNIT).read(), re.M)[1]
    return [word.removeprefix("CAP_").lower() for word in text.split()]


def limited(caps):
    """A command's prefix: another user, these capabilities and no more, as systemd gives them."""
    only = "-all," + ",".join(f"+{cap}" for cap in caps)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
            f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}"]


def find_stalls(name, target, agent, prefix, user, *options):
    """Watches, with a look at the helper, until a finding is told."""
    with open(os.devnull) as null:
        process = subprocess.Popen([*prefix, agent, "watch", str(target), "--for", "8s", "--json", *options],
                                   stdin=null, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    helpers = wait_for(lambda: helpers_of(process.pid))
    check(helpers, f"{name}: no helper with a filter was seen")
    check(wait_for(lambda: is_confined(process.pid)), f"{name}: the agent kept its privileges")
    time.sleep(1.5)
    check_agent(name, process.pid, user)
    for helper in helpers or []:
        if os.path.exists(f"/proc/{helper}"):
            check_helper(helper, user)
    own = status_of(process.pid)
    out, err = process.communicate(timeout=40)
    culprits = set(re.findall(r'"function": ?"(block_\w+)"', out))
    check(culprits, f"{name}: no culprit was named (status {process.returncode}): {err[:200]}{out[:200]}")
    print(f"  {name}: {len(helpers or [])} helpers, CapEff {own['CapEff']}, culprits: {' '.join(sorted(culprits))}")
    return own


def later_matches(agent, tmp):
    """What starts after the privileges are gone is attached; a helper that dies is started anew."""
    path = os.path.join(tmp, "came_later")
    subprocess.run(["install", "-m", "755", harness.program("stall_c"), path], check=True)
    process = subprocess.Popen([agent, "watch", "--name", "came_later", "--json", "--exec", f"cat /proc/self/status > {tmp}/hook"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(wait_for(lambda: is_confined(process.pid)), "with a name: the agent kept its privileges")
    for helper in helpers_of(process.pid):
        os.kill(helper, signal.SIGKILL)
    target = subprocess.Popen([path, "--causes", "nanosleep", "--gap-min", "200", "--gap-max", "300", "--log", f"{tmp}/later"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        hook = wait_for(lambda: os.path.exists(f"{tmp}/hook") and open(f"{tmp}/hook").read(), 30)
        check(wait_for(lambda: helpers_of(process.pid)), "a helper that died was not started anew")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        target.kill()
        target.wait()
    check("block_nanosleep" in out, f"a target that came later: no culprit (status {process.returncode}): {err[:200]}")
    check_user_program("--exec", hook or "")
    print("  came later, after its helper had been killed: found; --exec has what the user has")


def check_user_program(name, text):
    own = status_of("self")
    got = dict(re.findall(r"^(\w+):\t(.*)$", text, re.M))
    for field in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn"):
        value = got.get(field)
        if field.startswith("Sig"):  # signals 32 and 33 are the C library's own
            check(value and int(value, 16) & ~(3 << 31) == 0, f"{name}: {field} is {value}")
        else:
            check(value == own[field], f"{name}: {field} is {value}, not {own[field]}")


def command_of_user(agent, tmp):
    """A COMMAND that became another user is still ended with the agent, which may not signal it."""
    process = subprocess.Popen([agent, "watch", "--for", "3s", "--", "sh", "-c", f"cat /proc/self/status > {tmp}/command; "
                                f"echo $$ > {tmp}/pid; exec setpriv --reuid={NOBODY} --clear-groups sleep 60"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check(wait_for(lambda: is_confined(process.pid)), "with a COMMAND: the agent kept its privileges")
    process.wait(30)
    check_user_program("COMMAND", open(f"{tmp}/command").read())
    check(not os.path.exists(f"/proc/{open(f'{tmp}/pid').read().strip()}"), "the COMMAND of another user goes on")
    print("  a COMMAND has what the user has, and is ended though it changed its user")


def filter_of_unit():
    """The system calls that the unit allows."""
    allowed = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", open(UNIT).read(), re.M):
        calls = set()
        for word in words.lstrip("~").split():
            calls |= expand(word)
        allowed = allowed - calls if words.startswith("~") else allowed | calls
    return allowed | expand("@default")


def expand(word):
    if not word.startswith("@"):
        return {word}
    out = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True).stdout
    calls = set()
    for item in (line.strip() for line in out.splitlines()[1:]):
        if item and not item.startswith("#"):
            calls |= expand(item)
    return calls


def check_filter(agent, caps, tmp):
    """Runs serve as the unit does and looks for calls that its filter refuses."""
    trace = os.path.join(tmp, "calls")
    process = subprocess.Popen(["strace", "-f", "-qq", "-e", "signal=none", "-o", trace, *limited(caps), agent, "serve", "--all",
                                "--listen", "127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(6)
    for child in children(process.pid):
        os.kill(child, signal.SIGINT)
    process.wait(20)
    lines = open(trace, errors="replace").read()
    started = lines.index(f'execve("{agent}"')  # what setpriv does is done by systemd there
    calls = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", lines[started:], re.M)) - {"strace"}
    check("bpf" in calls and "perf_event_open" in calls, "serve did not use bpf")
    refused = sorted(calls - filter_of_unit() - {"resumed"})
    check(not refused, f"the unit's filter refuses what serve does: {refused}")
    print(f"  the unit's filter holds all {len(calls)} system calls of serve")


FILTERS = int(status_of("self").get("Seccomp_filters", 0))  # those that we live under ourselves
harness.need_agent()
if os.getuid() != 0:
    harness.skip("not root: no privilege to take away")
harness.need_program("setpriv")
with tempfile.TemporaryDirectory() as tmp:
    os.chmod(tmp, 0o755)
    agent = os.path.join(tmp, "loopscope")  # where anybody can run it
    subprocess.run(["install", "-m", "755", harness.AGENT, agent], check=True)
    target = subprocess.Popen([harness.program("stall_c"), "--causes", "spin,nanosleep", "--gap-min", "200", "--gap-max", "400",
                               "--start", "10", "--log", f"{tmp}/log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        find_stalls("root", target.pid, agent, [], 0)
        later_matches(agent, tmp)
        command_of_user(agent, tmp)
        caps = capabilities()
        own = find_stalls("the unit's four capabilities", target.pid, agent, limited(caps), NOBODY, "--backend", "bpf")
        check(bin(int(own["CapEff"], 16)).count("1") == len(caps) and own["Uid"].split()[0] == str(NOBODY),
              f"the agent had {own['CapEff']} as {own['Uid']}")
        if harness.shutil.which("strace") and harness.shutil.which("systemd-analyze"):
            check_filter(agent, caps, tmp)
    finally:
        target.kill()
        target.wait()
print("\n".join(failures) or "privileges are as told")
sys.exit(1 if failures else 0)
