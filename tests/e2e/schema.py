"""The JSON document of the command line's contract, field by field; enums and units included."""

import re

RULES = """loop-blocked loop-hung loop-cpu loop-sync-io loop-sync-log loop-lock loop-starved
loop-saturated loop-spin pool-exhausted task-unbounded task-orphan task-timeout-runs-on
task-cancel-ignored task-cancel-leak task-never-awaited task-error-unread task-fail-rate
task-deadlock task-lost-wake task-stuck task-self-wake fd-leak fd-orphan fd-close-wait fd-limit
child-zombie thread-unsafe handle-leak self-degraded""".split()
SEVERITIES = ["critical", "warning", "info"]
RUNTIMES = ["loopscope", "libuv", "node", "asyncio", "uvloop", "redis", "nginx", "libevent", "libev",
            "epoll"]
LOOP_STATES = ["waiting", "running", "blocked", "spinning", "starved", "stopped", "exited",
               "no-probes"]
CAUSES = ["cpu-user", "cpu-kernel", "syscall", "lock", "runqueue", "page-fault", "gc", "stopped",
          "unknown"]
FRAME_KINDS = ["native", "kernel", "python", "javascript", "lua", "inlined"]
TASK_STATES = ["new", "ready", "running", "waiting", "done", "failed", "cancelled"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Bad(Exception):
    pass


def fail(path, what, value):
    raise Bad(f"{path}: {what}, not {value!r:.80}")


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def integer(path, v):
    if not is_int(v):
        fail(path, "an integer", v)


def length(path, v):
    integer(path, v)
    if v < 0:
        fail(path, "a length >= 0", v)


def number(path, v):
    if not is_int(v) and not isinstance(v, float):
        fail(path, "a number", v)


def text(path, v):
    if not isinstance(v, str):
        fail(path, "a string", v)


def filled(path, v):
    text(path, v)
    if not v:
        fail(path, "a string that says something", v)


def boolean(path, v):
    if not isinstance(v, bool):
        fail(path, "true or false", v)


def time(path, v):
    text(path, v)
    if not TIME.fullmatch(v):
        fail(path, "RFC 3339 in UTC", v)


def one_of(words, growing=False):
    def check(path, v):
        text(path, v)
        if v not in words:
            fail(path, f"one of {' '.join(words)}", v)
    return check


def or_null(check):
    return lambda path, v: None if v is None else check(path, v)


def array(check):
    def check_all(path, v):
        if not isinstance(v, list):
            fail(path, "an array", v)
        for i, item in enumerate(v):
            check(f"{path}[{i}]", item)
    return check_all


def obj(**fields):
    """Every field must be there (null is for unknown); more fields are welcome."""
    def check(path, v):
        if not isinstance(v, dict):
            fail(path, "an object", v)
        for name, check_field in fields.items():
            if name not in v:
                raise Bad(f"{path}.{name}: missing")
            check_field(f"{path}.{name}", v[name])
    return check


def mapping(check):
    def check_all(path, v):
        if not isinstance(v, dict):
            fail(path, "an object", v)
        for name, item in v.items():
            check(f"{path}[{name}]", item)
    return check_all


CAUSE = obj(kind=one_of(CAUSES), syscall=or_null(text), fd=or_null(integer), path=or_null(text),
            peer=or_null(text), holder_tid=or_null(integer), ratio=or_null(number))
OCCURRENCE = obj(at_ns=integer, duration_ns=length, captured_after_ns=or_null(length),
                 stack_id=or_null(text), cause=or_null(CAUSE))
FINDING = obj(
    id=filled, rule=one_of(RULES), also=array(one_of(RULES)), related=array(text),
    severity=one_of(SEVERITIES), state=one_of(["open", "closed"]), pid=integer, tid=or_null(integer),
    subject=or_null(text), title=filled, first_seen_ns=integer, last_seen_ns=integer, count=length,
    suppressed=length, duration_ns=or_null(length), duration_is_lower_bound=boolean,
    still_open=boolean, began_before_attach=boolean, confidence=or_null(number), cause=or_null(CAUSE),
    captured_during=boolean, captured_after_ns=or_null(length), attached_after_ns=or_null(length),
    occurrences=array(OCCURRENCE),
    task=or_null(obj(id=text, name=or_null(text), spawn_site=or_null(text))),
    stack_id=or_null(text),
    culprit=or_null(obj(function=or_null(text), file=or_null(text), line=or_null(integer),
                        module=or_null(text))),
    evidence=array(obj(key=filled, value=lambda p, v: None, unit=or_null(text), text=filled)),
    remedy=array(filled), verify=or_null(filled), lint=or_null(obj(rule=filled, verify=filled)))
FRAME = obj(function=or_null(text), file=or_null(text), line=or_null(integer), module=or_null(text),
            offset=or_null(integer), kind=one_of(FRAME_KINDS), uncertain=boolean)
STACKS = mapping(array(FRAME))
DOCUMENT = obj(
    schema=one_of(["loopscope/1"]), started_at=time, generated_at=time, time_scale=number,
    target_exit=or_null(integer),
    host=obj(kernel=filled, cpus=integer, steal_ratio=or_null(number)),
    agent=obj(version=filled, backend=or_null(text), turns=or_null(one_of(["exact", "estimated"])),
              cpu_ratio=or_null(number), rss_bytes=or_null(length), lost_records=or_null(length),
              drift=or_null(integer)),
    not_judged=array(one_of(RULES)),
    processes=array(obj(pid=integer, name=filled, runtime=or_null(text), exe=or_null(text),
                        started_at=or_null(time), fd_count=or_null(length), fd_limit=or_null(length),
                        loops=array(integer))),
    loops=array(obj(pid=integer, tid=integer, name=or_null(text), state=one_of(LOOP_STATES),
                    turns=or_null(length), busy_ratio=or_null(number), lag_p50_ns=or_null(length),
                    lag_p99_ns=or_null(length), lag_max_ns=or_null(length),
                    blocked_ns=or_null(length))),
    findings=array(FINDING), stacks=STACKS,
    tasks=array(obj(id=filled, pid=integer, tid=or_null(integer), parent=or_null(text),
                    name=or_null(text), state=one_of(TASK_STATES), age_ns=or_null(length),
                    busy_ns=or_null(length), steps=or_null(length), spawn_site=or_null(text),
                    await_site=or_null(text), waits_on=or_null(text), flags=array(text))),
    fds=array(obj(pid=integer, kind=filled, site_stack_id=or_null(text), opened=or_null(length),
                  closed=or_null(length), open=or_null(length), oldest_ns=or_null(length),
                  growth_per_s=or_null(number), verdict=or_null(text), note=or_null(text),
                  close_wait=or_null(length), detail=array(lambda p, v: None))))
EVENTS = ["attached", "open", "update", "close", "detached", "lost"]
EVENT = obj(event=one_of(EVENTS), time=time, at_ns=integer, pid=or_null(integer))


def stack_ids(document):
    """Every stack named is there."""
    for finding in document["findings"]:
        named = [finding["stack_id"]] + [o["stack_id"] for o in finding["occurrences"]]
        for name in named:
            if name is not None and name not in document["stacks"]:
                raise Bad(f"finding {finding['id']}: stack {name} is not in stacks")


def problems(document):
    """A list of one sentence, or an empty one."""
    try:
        DOCUMENT("document", document)
        stack_ids(document)
    except Bad as bad:
        return [str(bad)]
    return []


def event_problems(event):
    try:
        EVENT("event", event)
        if event["event"] in ("open", "update", "close"):
            obj(finding=FINDING, stacks=STACKS)("event", event)
    except Bad as bad:
        return [str(bad)]
    return []
