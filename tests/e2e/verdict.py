"""Compares what the agent said with the target's own log. Pure: no process, no clock."""

import os
import re
from dataclasses import dataclass, field

MS = 1_000_000
STALL_RULES = {"loop-blocked", "loop-cpu", "loop-sync-io", "loop-sync-log", "loop-lock",
               "loop-starved"}
TOLERANCE = 60 * MS  # a turn begins a little before the blocking call, and ends a little later
TOO_SHORT = 130 * MS  # a stall this near the threshold (fsync on a quick disk) is not counted

# cause of the plan: what the finding's cause may be, as kind or kind:syscall
CAUSES = {
    "spin": {"cpu-user"}, "optimised": {"cpu-user"}, "regex": {"cpu-user"},
    "pbkdf2": {"cpu-user"}, "hashlib": {"cpu-user"}, "lua": {"cpu-user"},
    "lua-call": {"cpu-user"},
    "json": {"cpu-user", "gc"}, "sort": {"cpu-user", "gc"}, "gc": {"gc", "cpu-user"},
    "nanosleep": {"syscall:clock_nanosleep", "syscall:nanosleep"},
    "sleep": {"syscall:clock_nanosleep", "syscall:nanosleep"},
    "deep": {"syscall:clock_nanosleep", "syscall:nanosleep"},
    "fifo": {"syscall:read", "syscall:openat", "syscall:open"},
    "flock": {"lock", "syscall:flock"}, "mutex": {"lock"}, "lock": {"lock"},
    "fsync": {"syscall:fsync", "cpu-kernel"},
    "getaddrinfo": {"syscall:poll"},
    "child": {"syscall:wait4", "syscall:waitid"},
    "subprocess": {"syscall:wait4", "syscall:waitid", "syscall:read"},
    "exec": {"syscall:epoll_pwait", "syscall:epoll_wait", "syscall:epoll_pwait2"},
    "socket": {"syscall:recvfrom", "syscall:recvmsg", "syscall:read"},
    "request": {"syscall:poll"},  # it has a time limit
}
# Pages of freed memory that come back are kernel time, and dear on some machines: what a computing stall
# was, the thread's own CPU times say.
TICK = 10 * MS  # what both sides count it in: a share of n ticks is known to 0.5 / sqrt(n)
ON_CPU = {"spin", "optimised", "regex", "pbkdf2", "hashlib", "lua", "lua-call", "json", "sort", "gc"}
BOTTOM = re.compile(r"^(main|_start|__libc_start\S*|Py_BytesMain|Py_RunMain|node::Start.*)$")


@dataclass
class Report:
    """One occurrence as the agent told it, in the target's clock."""
    begin: int
    length: int
    captured_after: int  # None: unknown
    rule: str
    severity: str
    cause: dict
    culprit: dict
    stack: list  # None: not told
    came: int  # when the first line about it came

    @property
    def end(self):
        return self.begin + self.length


def own_culprit(told, stack):
    """The told culprit as this occurrence's stack has it: with its own line, and how sure that is."""
    for frame in stack or ():
        if told and frame.get("culprit") and frame["function"] == told["function"]:
            return frame
    return told


def reports(events, started):
    """Every occurrence in a list of (came, event); `started` is the agent's 0 in the target's clock."""
    found = {}
    for came, event in events:
        finding = event.get("finding")
        if not finding or finding["rule"] not in STALL_RULES:
            continue
        stacks = event.get("stacks") or {}
        for occurrence in finding["occurrences"]:
            key = (finding["id"], occurrence["at_ns"])
            first = found.get(key)
            stack = stacks.get(occurrence["stack_id"]) or (first.stack if first else None)
            found[key] = Report(
                started + occurrence["at_ns"], occurrence["duration_ns"],
                occurrence["captured_after_ns"], finding["rule"], finding["severity"],
                occurrence["cause"] or finding["cause"], own_culprit(finding["culprit"], stack),
                stack, first.came if first else came)
    return sorted(found.values(), key=lambda r: r.begin)


def overlap(stall, report):
    return min(stall.end, report.end) - max(stall.begin, report.begin)


def cause_word(cause):
    if not cause:
        return "null"
    return cause["kind"] + (f":{cause['syscall']}" if cause["kind"] == "syscall" else "")


def may_be_kernel(stall):
    """Whether a computing stall can have been mostly (kernel, user) time, within three deviations."""
    kernel = stall.kernel_share
    if kernel is None:
        return False, True
    doubt = min(1.5 / (max(sum(stall.cpu), TICK) / TICK) ** 0.5, 0.35)
    return kernel >= 0.5 - doubt, kernel <= 0.5 + doubt


def cause_right(stall, report):
    word = cause_word(report.cause)
    if word == "runqueue":
        return stall.starved
    if stall.cause in ON_CPU:
        kernel, user = may_be_kernel(stall)
        if word == "cpu-kernel":
            return kernel
        if word == "cpu-user" and not user:
            return False
    return word in CAUSES[stall.cause] or word.split(":")[0] in CAUSES[stall.cause]


def bare(function):
    """The last part of a qualified name: Service.blockJson, stall.py:block -> blockJson, block."""
    return re.split(r"::|\.", re.sub(r"\(.*\)$", "", function).strip())[-1]


def culprit_verdict(stall, report):
    """right, none, native (another, but no frame of the language), uncertain, line or wrong."""
    culprit = report.culprit
    if not culprit or not culprit.get("function"):
        return "none"
    lines = stall.functions.get(bare(culprit["function"]).replace(" ", "_"))
    if not lines:
        if culprit.get("uncertain"):
            return "uncertain"
        scripted = (culprit.get("file") or "").endswith((".js", ".py"))
        return "wrong" if scripted or stall.file.endswith(".c") or stall.file == "-" else "native"
    line, file = culprit.get("line"), culprit.get("file")
    if stall.file != "-" and file and os.path.basename(file) != stall.file:
        return "line"
    scripted = stall.file != "-" and not stall.file.endswith(".c")
    if (line or scripted) and lines[1] and not lines[0] <= (line or 0) <= lines[1]:
        return "uncertain" if culprit.get("uncertain") else "line"
    return "right"


def reaches_main(stack):
    return any(BOTTOM.match(frame["function"] or "") for frame in stack)


@dataclass
class Verdict:
    stalls: int = 0
    found: int = 0
    cause: int = 0
    culprit: dict = field(default_factory=dict)
    missed: list = field(default_factory=list)
    wrong_causes: list = field(default_factory=list)
    in_kernel: int = 0  # computing stalls that were mostly kernel time, by the thread's own account
    wrong_culprits: list = field(default_factory=list)
    false_reports: list = field(default_factory=list)
    starved: int = 0  # in the gaps: true on a busy machine
    starved_stalls: int = 0  # of the right causes: told as waiting for a CPU, as the target's own account has it
    twice: int = 0
    after_on: list = field(default_factory=list)
    after_off: list = field(default_factory=list)
    unknown_after: int = 0
    live: int = 0  # told before the stall ended
    stacks: int = 0
    whole: int = 0
    short_stacks: list = field(default_factory=list)


def describe(report):
    culprit = report.culprit or {}
    return (f"{report.rule} {report.length / MS:.0f} ms {cause_word(report.cause)}"
            f" {culprit.get('function')} {culprit.get('file')}:{culprit.get('line')}")


def judge_one(verdict, stall, report):
    verdict.found += 1
    verdict.in_kernel += stall.cause in ON_CPU and (stall.kernel_share or 0) > 0.5
    if cause_right(stall, report):
        verdict.cause += 1
        verdict.starved_stalls += cause_word(report.cause) == "runqueue"
    else:
        share, waited = stall.kernel_share, stall.waited
        verdict.wrong_causes.append(f"#{stall.number} {stall.cause}: {describe(report)}"
                                    + ("" if share is None else f", {share:.0%} kernel")
                                    + ("" if waited is None else f", {waited / stall.length:.0%} waiting for a CPU"))
    word = culprit_verdict(stall, report)
    verdict.culprit[word] = verdict.culprit.get(word, 0) + 1
    if word != "right":
        verdict.wrong_culprits.append(f"#{stall.number} {stall.cause}: {word}: {describe(report)}")
    if report.captured_after is None:
        verdict.unknown_after += 1
    else:
        after = verdict.after_on if stall.cause in ON_CPU else verdict.after_off
        after.append(report.captured_after)
    if report.came < stall.end:
        verdict.live += 1
    if report.stack is not None:
        verdict.stacks += 1
        if reaches_main(report.stack):
            verdict.whole += 1
        else:
            verdict.short_stacks.append(f"#{stall.number} {stall.cause}: " + " < ".join(
                str(frame["function"]) for frame in report.stack[-3:]))


def judge(stalls, all_reports):
    """Matches reports with ended stalls."""
    verdict = Verdict()
    stalls = [s for s in stalls if s.end is not None]
    matched = set()
    for stall in stalls:
        mine = [r for r in all_reports if overlap(stall, r) > -TOLERANCE]
        matched.update(id(r) for r in mine)
        if stall.length < TOO_SHORT:
            continue
        verdict.stalls += 1
        mine = [r for r in mine if overlap(stall, r) > stall.length / 4]
        if not mine:
            verdict.missed.append(f"#{stall.number} {stall.cause} {stall.length / MS:.0f} ms")
            continue
        verdict.twice += len(mine) > 1
        judge_one(verdict, stall, max(mine, key=lambda r: overlap(stall, r)))
    for report in all_reports:
        if id(report) in matched or report.severity == "info":
            continue
        if report.cause and report.cause["kind"] == "runqueue":
            verdict.starved += 1
        else:
            verdict.false_reports.append(describe(report))
    return verdict


def quantile(values, q):
    values = sorted(values)
    return values[int(q * (len(values) - 1))] if values else None
