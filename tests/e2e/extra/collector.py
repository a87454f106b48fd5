"""An OpenTelemetry collector scrapes serve with the configuration of docs/monitoring.md: each family arrives as what it
is, counters and histograms cumulative and never falling while one of two processes of a name ends.

It needs otelcol or otelcol-contrib (or another collector with the prometheus receiver and the file exporter, named by
OTELCOL), which Debian does not have.
usage: collector.py"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

COLLECTOR = os.environ.get("OTELCOL") or shutil.which("otelcol") or shutil.which("otelcol-contrib")
ADDRESS, SINK = "127.0.0.1:9464", "collector.example:4317"  # of the docs
CUMULATIVE = 2  # AGGREGATION_TEMPORALITY_CUMULATIVE
failures = []


def expect(what, true, why=""):
    print(("ok: " if true else "FAILED: ") + what + ("" if true else f": {str(why)[:600]}"))
    if not true:
        failures.append(what)


def documented():
    """The collector's configuration as docs/monitoring.md shows it."""
    with open(os.path.join(harness.HERE, "../../docs/monitoring.md")) as file:
        blocks = re.findall(r"(?m)^    (?:.*\n    )*.*$", file.read())
    block, = [block for block in blocks if "receivers:" in block]
    return "".join(line[4:] + "\n" for line in block.splitlines())


def configuration(folder, port):
    """The same, of this port, each second, into a file instead of to a server."""
    text = documented()
    for old, new in ((ADDRESS, f"127.0.0.1:{port}"), ("scrape_interval: 15s", "scrape_interval: 1s"),
                     (f'otlp: {{endpoint: "{SINK}"}}', f"file: {{path: {folder}/scraped.json}}"),
                     ("exporters: [otlp]", "exporters: [file]")):
        if old not in text:
            raise ValueError(f"docs/monitoring.md has no {old}")
        text = text.replace(old, new)
    text += "  telemetry: {metrics: {level: none}}\n"
    path = os.path.join(folder, "collector.yml")
    with open(path, "w") as file:
        file.write(text)
    return path


def scrapes(folder):
    """What has come so far: a list of {name: metric}, oldest first."""
    try:
        with open(os.path.join(folder, "scraped.json")) as file:
            lines = [line for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        for resource in json.loads(line)["resourceMetrics"]:
            metrics = [metric for scope in resource["scopeMetrics"] for metric in scope["metrics"]]
            found.append({metric["name"]: metric for metric in metrics})
    return found


def wait_for(collector, folder, count, seconds=60):
    until = time.monotonic() + seconds
    while len(scrapes(folder)) < count and time.monotonic() < until and collector.poll() is None:
        time.sleep(0.2)
    return scrapes(folder)


def value(point):
    return float(point.get("asDouble", point.get("asInt", 0)))


def series(found, name):
    """The sum of a family at each scrape that has it."""
    return [sum(value(point) for point in metrics[name]["sum"]["dataPoints"]) for metrics in found if name in metrics]


def kinds(newest, asked_for):
    """Each family that serve told, as the collector has understood it."""
    text = urllib.request.urlopen(urllib.request.Request(asked_for)).read().decode()
    for kind, key in (("counter", "sum"), ("gauge", "gauge"), ("histogram", "histogram")):
        names = re.findall(rf"^# TYPE (\w+) {kind}$", text, re.M)
        told = {name for name in names if re.search(rf"^{name}(_bucket)?(\{{.*\}})? ", text, re.M)}
        told -= {name for name in told if name.endswith("_info")}  # OpenMetrics has a type for these, the old format none
        metrics = {name: newest.get(name) or newest.get(name.removesuffix("_total")) for name in told}
        missing = sorted(name for name, metric in metrics.items() if not metric or key not in metric)
        expect(f"{len(told)} families arrive as {kind}s", told and not missing, missing)
        if kind != "gauge":
            wrong = [name for name, metric in metrics.items() if metric and key in metric and
                     metric[key]["aggregationTemporality"] != CUMULATIVE]
            expect(f"{kind}s are cumulative", not wrong, wrong)
        if kind == "counter":
            wrong = [name for name, metric in metrics.items() if metric and not metric["sum"].get("isMonotonic")]
            expect("counters are monotonic", not wrong, wrong)


def judge(found, port):
    newest = found[-1]
    up = newest.get("up", {}).get("gauge", {}).get("dataPoints", [{}])
    expect("up is 1", value(up[0]) == 1, up)
    kinds(newest, f"http://127.0.0.1:{port}/metrics")
    lag = newest.get("loopscope_loop_lag_seconds", {}).get("histogram", {}).get("dataPoints", [{}])[0]
    expect("the histogram has its 13 bounds", len(lag.get("explicitBounds", [])) == 13, lag)
    for name in ("loopscope_loop_iterations_total", "loopscope_loop_stalls_total", "loopscope_fds_opened_total"):
        name = name if name in newest else name.removesuffix("_total")
        values = series(found, name)
        if "fds" not in name:  # the target opens none
            expect(f"{name} rises from {values[:1]} to {values[-1:]}", values and values[-1] > values[0], values)
        expect(f"{name} never falls", len(values) > 5 and values == sorted(values), values)


def start_target(folder, name):
    return harness.start_target("c", os.path.join(folder, name + ".journal"), "--causes", "spin,fifo", "--min", "120",
                                "--max", "200", "--gap-min", "200", "--gap-max", "400", "--start", "10")


def main():
    harness.need_agent()
    if not COLLECTOR:
        harness.skip("otelcol not installed")
    with harness.Scratch() as folder, open(os.path.join(folder, "collector.log"), "w+") as log:
        targets = [start_target(folder, "one"), start_target(folder, "two")]
        port = harness.free_port()
        serve = subprocess.Popen([harness.AGENT, "serve", "--name", os.path.basename(harness.program("stall_c")),
                                  "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        collector = subprocess.Popen([COLLECTOR, "--config", configuration(folder, port)], stderr=log, stdout=log)
        try:
            wait_for(collector, folder, 8)
            harness.end(targets[0])
            found = wait_for(collector, folder, len(scrapes(folder)) + 6)
            if found:
                judge(found, port)
            log.seek(0)
            said = log.read()
            expect(f"{len(found)} scrapes came", len(found) >= 14, said)
            expect("the collector complains of nothing", not re.search(r"\b(warn|error)\b.*", said),
                   [line for line in said.splitlines() if re.search(r"\b(warn|error)\b", line)])
        finally:
            for process in (collector, serve, *targets):
                harness.end(process)
    sys.exit(1 if failures else 0)


main()
