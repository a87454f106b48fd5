#!/usr/bin/python3
"""Every format, read by a reader that is not ours: check_formats.py PRINT_FIXTURE [FORMAT...]

Only the standard library; each check raises when the output would not be accepted.
"""
import gzip
import html.parser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

FIXTURES = ["rich", "quiet", "empty", "hostile"]


def run(program, fixture, format):
    return subprocess.run([program, fixture, format], check=True, capture_output=True).stdout


def text_of(data):
    text = data.decode("utf-8")  # strict
    for c in text:
        assert c == "\n" or not (ord(c) < 32 or 127 <= ord(c) < 160), f"control character {ord(c):#x}"
    return text


# A validator for the part of JSON Schema that our schema uses, and strict about what it does not name.
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def validate(value, schema, root, where="$"):
    known = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required",
             "items", "enum", "const", "additionalProperties"}
    assert set(schema) <= known, f"the validator does not know {set(schema) - known}"
    if "$ref" in schema:
        validate(value, root["$defs"][schema["$ref"].split("/")[-1]], root, where)
        return
    if "const" in schema:
        assert value == schema["const"], f"{where}: {value!r}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r} is not in {schema['enum']}"
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(is_type(value, n) for n in names), f"{where}: {value!r} is not {names}"
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        for key in schema.get("required", []):
            assert key in value, f"{where}: {key} is missing"
        for key, member in value.items():
            if key in properties:
                validate(member, properties[key], root, f"{where}.{key}")
            else:
                assert more is not None, f"{where}: {key} is not in the schema"
                validate(member, more, root, f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            validate(item, schema["items"], root, f"{where}[{i}]")


def check_json(program, fixture):
    schema = json.loads(run(program, fixture, "schema"))
    document = json.loads(text_of(run(program, fixture, "json")))
    validate(document, schema, schema)
    for stack in [f["stack_id"] for f in document["findings"]]:
        assert stack is None or stack in document["stacks"], "a stack that is not there"


def check_text(program, fixture):
    text = text_of(run(program, fixture, "text"))
    assert fixture != "quiet" or ": redis-server (6003), " in text.splitlines()[0], text.splitlines()[0]


def check_markdown(program, fixture):
    text = text_of(run(program, fixture, "markdown"))
    assert text.startswith("# loopscope")
    assert fixture != "quiet" or text.splitlines()[0].endswith(": redis-server (6003)"), text.splitlines()[0]
    assert not re.search(r"(?<!\\)<", re.sub(r"(?m)^    .*$", "", text)), "raw HTML"


def check_folded(program, fixture):
    for line in text_of(run(program, fixture, "folded")).splitlines():
        assert re.fullmatch(r"[^;]+(;[^;]+)+ \d+", line), line
    if fixture == "rich":
        line = text_of(run(program, fixture, "folded")).splitlines()[0]
        assert line.startswith("billing;main;main;run_forever;handle_request;load_profile;"), line


def check_speedscope(program, fixture):
    d = json.loads(text_of(run(program, fixture, "speedscope")))
    assert d["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    for frame in d["shared"]["frames"]:
        assert frame["name"] and set(frame) <= {"name", "file", "line", "col"}
    for p in d["profiles"]:
        assert p["type"] == "sampled" and p["unit"] == "nanoseconds"
        assert len(p["samples"]) == len(p["weights"]) > 0
        assert all(0 <= i < len(d["shared"]["frames"]) for s in p["samples"] for i in s)
        assert sum(p["weights"]) == p["endValue"] - p["startValue"]
    assert fixture != "rich" or len(d["profiles"]) == 2


def check_trace(program, fixture):
    d = json.loads(text_of(run(program, fixture, "trace")))
    stacks, open_async = {}, set()
    for e in d["traceEvents"]:
        assert e["ph"] in "MXCibe" and isinstance(e["pid"], int) and isinstance(e["ts"], (int, float)), e
        if e["ph"] == "b":
            open_async.add((e["cat"], e["id"], e["pid"]))
        if e["ph"] == "e":
            open_async.remove((e["cat"], e["id"], e["pid"]))
    assert not open_async, "an asynchronous slice without an end"
    slices = sorted((e for e in d["traceEvents"] if e["ph"] == "X"), key=lambda e: (e["ts"], -e["dur"]))
    for e in slices:
        stack = stacks.setdefault((e["pid"], e["tid"]), [])
        while stack and stack[-1] <= e["ts"] + 1e-6:
            stack.pop()
        end = e["ts"] + e["dur"]
        assert not stack or end <= stack[-1] + 1e-3, "slices do not nest"
        stack.append(end)
    assert fixture != "rich" or len(slices) >= 4


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            assert tag & 7 == 2, f"wire type {tag & 7}"
            size = varint()
            assert at + size <= len(data)
            yield tag >> 3, data[at:at + size]
            at += size


def check_pprof(program, fixture, format="pprof"):
    profile = {}
    for number, value in fields(gzip.decompress(run(program, fixture, format))):
        profile.setdefault(number, []).append(value)
    strings = [s.decode("utf-8") for s in profile[6]]
    assert strings[0] == "", "string 0 must be empty"
    types = [[strings[v] for _, v in fields(t)] for t in profile[1]]
    wanted = {"pprof": [["stalls", "count"], ["blocked", "nanoseconds"]],
              "pprof-fds": [["open_fds", "count"], ["age", "nanoseconds"]],
              "pprof-tasks": [["tasks", "count"], ["age", "nanoseconds"]]}
    assert types == wanted[format], types
    functions = {dict(fields(f))[1]: strings[dict(fields(f))[2]] for f in profile.get(5, [])}
    mappings = {dict(fields(m))[1] for m in profile.get(3, [])}
    locations = {}
    for location in profile.get(4, []):
        d = dict(fields(location))
        assert d[2] == 0 or d[2] in mappings
        locations[d[1]] = functions[dict(fields(d[4]))[1]]
    names = []
    for sample in profile.get(2, []):
        d = {}
        for number, value in fields(sample):
            d.setdefault(number, value)
        ids = packed(d[1])
        assert ids and all(i in locations for i in ids)
        assert len(packed(d[2])) == 2
        names.append([locations[i] for i in ids])
    if fixture == "rich" and format == "pprof":
        assert names[0][0] == "__read_nocancel" and names[0][-1] == "main", "leaf first"


def packed(data):
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    return values


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)')


def check_openmetrics(program, fixture, format="openmetrics"):
    text = text_of(run(program, fixture, format))
    lines = text.splitlines()
    is_open = format == "openmetrics"
    assert not is_open or lines[-1] == "# EOF"
    types, family, seen, buckets = {}, None, set(), {}
    for line in lines[:-1] if is_open else lines:
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            assert family not in types, f"{family} twice"
            types[family] = kind
            continue
        if line.startswith("# "):
            assert line.split()[1] in ("UNIT", "HELP") and line.split()[2] == family, line
            if line.split()[1] == "UNIT":
                assert family.endswith("_" + line.split()[3])
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name.startswith(family), f"{name} is not of {family}"
        assert (name, labels) not in seen, f"twice: {line}"
        seen.add((name, labels))
        kind, suffix = types[family], name[len(family):]
        allowed = {"counter": ["_total"] if is_open else [""], "gauge": [""], "info": ["_info"],
                   "histogram": ["_bucket", "_sum", "_count"]}
        assert suffix in allowed[kind], f"{name}: {kind}"
        assert is_open or kind != "counter" or name.endswith("_total")
        if suffix == "_bucket":
            series = re.sub(r'le="[^"]*"', "", labels)
            assert float(value) >= buckets.get(series, 0), "buckets must rise"
            buckets[series] = float(value)
        if suffix == "_count":
            assert float(value) == list(buckets.values())[-1]
    if fixture == "rich":
        assert ("loopscope_findings", 'rule="loop-sync-io",severity="critical"') in seen


def check_junit(program, fixture):
    suite = xml.etree.ElementTree.fromstring(text_of(run(program, fixture, "junit")))
    cases = suite.findall("testcase")
    assert suite.tag == "testsuite" and int(suite.get("tests")) == len(cases)
    failed = [c for c in cases if c.find("failure") is not None]
    assert int(suite.get("failures")) == len(failed)
    assert int(suite.get("skipped")) == len([c for c in cases if c.find("skipped") is not None])
    assert fixture not in ("rich", "hostile") or len(failed) == 5


class Page(html.parser.HTMLParser):
    VOID = {"meta"}

    def __init__(self):
        super().__init__()
        self.open, self.scripts, self.data = [], [], None

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs).get("type"))
        for name, value in attrs:
            assert name not in ("src", "href") and not name.startswith("on"), f"{tag} {name}={value}"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is not open"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and self.scripts[-1] == "application/json":
            self.data = data


def check_html(program, fixture):
    text = text_of(run(program, fixture, "html"))
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open and page.scripts == ["application/json", None], page.scripts
    data = json.loads(page.data)
    assert data["doc"]["schema"] == "loopscope/1"
    assert fixture != "rich" or (len(data["weights"]) == 3 and len(data["loop_points"]) == 15)
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", text), "a reference to the network"


CHECKS = {
    "text": check_text, "markdown": check_markdown, "json": check_json, "folded": check_folded,
    "speedscope": check_speedscope, "trace": check_trace, "pprof": check_pprof,
    "pprof-fds": lambda p, f: check_pprof(p, f, "pprof-fds"),
    "pprof-tasks": lambda p, f: check_pprof(p, f, "pprof-tasks"),
    "openmetrics": check_openmetrics,
    "prometheus": lambda p, f: check_openmetrics(p, f, "prometheus"),
    "junit": check_junit, "html": check_html,
}

failed = 0
for format in sys.argv[2:] or CHECKS:
    for fixture in FIXTURES:
        try:
            CHECKS[format](sys.argv[1], fixture)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {format} {fixture}: {type(error).__name__}: {str(error)[:300]}")
print(f"{(len(sys.argv[2:]) or len(CHECKS)) * len(FIXTURES) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
