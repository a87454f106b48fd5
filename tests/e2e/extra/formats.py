"""Every format, read by the tool it is made for: promtool and a Prometheus server, OpenMetrics' parser, pprof,
speedscope, Chromium, sqlite3. What is not installed is skipped and said; --long installs it first.
usage: formats.py [--long]"""

import base64
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
import journal

LONG = "--long" in sys.argv
BROWSER = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--no-first-run", "--enable-logging=stderr"]
failures = []


def expect(what, true, why=""):
    print(("ok: " if true else "FAILED: ") + what + ("" if true else f": {str(why)[:600]}"))
    if not true:
        failures.append(what)


def have(program, package):
    """Whether the program is there; with --long it is installed where that can be done."""
    if not shutil.which(program) and LONG and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package], capture_output=True)
    if shutil.which(program):
        return True
    print(f"skipped: {program} ({package}) is not installed" + (" and cannot be" if LONG else "; --long installs it"))
    return False


def export(recording, folder, name):
    path = os.path.join(folder, "report." + name)
    done = harness.run("report", recording, "--format", name, "--output", path)
    expect(f"report --format {name}", done.returncode == 0 and os.path.getsize(path) > 0, done.stderr)
    with open(path, "rb") as file:
        content = file.read()
    if name != "pprof":
        try:
            bad = re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", content.decode())
        except UnicodeDecodeError as error:
            bad = error
        expect(f"{name} is UTF-8 without control characters", not bad, bad)
    return path


# What shows the name of this program must neither be steered nor broken by it.
HOSTILE = b"'\"\\\x1b[31m\xff\xfe;<b>${x}|%s"


def start_hostile(folder):
    program, log = os.fsencode(folder) + b"/" + HOSTILE, os.path.join(folder, "journal")
    shutil.copy(harness.program("stall_c"), program)
    process = subprocess.Popen([program, "--causes", "spin,nanosleep,fifo", "--gap-min", "200", "--gap-max", "400",
                                "--min", "150", "--max", "400", "--start", "10", "--log", log],
                               stdout=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "TMPDIR": folder})
    if not journal.wait_for(log, "ready", 20):
        harness.end(process)
        raise RuntimeError("the target did not start")
    return process


def promtool(recording, folder):
    if not have("promtool", "prometheus"):
        return
    with open(export(recording, folder, "prometheus")) as text:
        done = subprocess.run(["promtool", "check", "metrics"], stdin=text, capture_output=True, text=True)
    expect("promtool check metrics says nothing", done.returncode == 0 and not done.stderr + done.stdout,
           done.stderr + done.stdout)
    rules = os.path.join(harness.HERE, "../../docs/grafana/alerts.yml")
    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)
    expect("promtool check rules docs/grafana/alerts.yml", done.returncode == 0, done.stderr + done.stdout)


def monitoring(recording, folder):
    """What docs/ gives to a monitoring system names only metrics that there are."""
    with open(export(recording, folder, "prometheus")) as text:
        families = set(re.findall(r"^# TYPE (\w+) ", text.read(), re.M))
    families |= {name + end for name in families for end in ("_bucket", "_sum", "_count")}
    docs = os.path.join(harness.HERE, "../../docs")
    with open(os.path.join(docs, "grafana/dashboard.json")) as file:
        dashboard = json.load(file)
    with open(os.path.join(docs, "grafana/alerts.yml")) as file:
        alerts = re.findall(r"^ +expr: (.*)$", file.read(), re.M)
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [str(variable.get("query", "")) for variable in dashboard["templating"]["list"]]
    unknown = {name for words in asked + alerts for name in re.findall(r"\bloopscope_\w+", words)} - families
    expect(f"{len(asked)} queries of the dashboard and {len(alerts)} alerts name metrics that there are", not unknown, unknown)
    ids = [panel["id"] for panel in dashboard["panels"]]
    expect("the dashboard's panels have places and ids of their own",
           len(set(ids)) == len(ids) and all(panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"]))
    if not have("promtool", "prometheus"):
        return
    # The receiver of an OpenTelemetry collector is Prometheus' own scraper, with Prometheus' own configuration.
    with open(os.path.join(docs, "monitoring.md")) as file:
        blocks = re.findall(r"(?m)^    (?:.*\n    )*.*$", file.read())
    scrapes = [block for block in blocks if "scrape_configs:" in block]
    expect("docs/monitoring.md has a scrape for Prometheus and one for a collector", len(scrapes) == 2)
    for number, block in enumerate(scrapes):
        lines = block.splitlines()
        first = next(i for i, line in enumerate(lines) if "scrape_configs:" in line)
        indent = len(lines[first]) - len(lines[first].lstrip())
        kept = [lines[first]]
        for line in lines[first + 1:]:
            if len(line) - len(line.lstrip()) <= indent:
                break
            kept.append(line)
        path = os.path.join(folder, f"scrape{number}.yml")
        with open(path, "w") as file:
            file.write("\n".join(line[indent:] for line in kept) + "\n")
        done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True)
        expect("promtool check config: " + ("Prometheus", "OpenTelemetry collector")[number], done.returncode == 0,
               done.stderr + done.stdout)


def query(port, words):
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.request.quote(words)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def poll(port, words, seconds):
    result = []
    for _ in range(seconds):
        try:
            result = query(port, words)
        except OSError:
            pass
        if result and result[0]["value"][1] != "0":
            break
        time.sleep(1)
    return result


def prometheus_server(target, folder):
    if not have("prometheus", "prometheus"):
        return
    port, web = harness.free_port(), harness.free_port()
    config = os.path.join(folder, "prometheus.yml")
    with open(config, "w") as file:
        file.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: loopscope\n  static_configs: "
                   f"[{{targets: ['127.0.0.1:{port}']}}]\n")
    serve = subprocess.Popen([harness.AGENT, "serve", str(target), "--listen", f"127.0.0.1:{port}"])
    server = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                               f"--web.listen-address=127.0.0.1:{web}"], stderr=subprocess.DEVNULL)
    try:
        up = poll(web, "up", 40)
        expect("a Prometheus server scrapes with up 1", up and up[0]["value"][1] == "1", up)
        stalls = poll(web, "sum(loopscope_loop_stalls_total)", 15)
        expect("and has the stalls", stalls and float(stalls[0]["value"][1]) > 0, stalls)
    finally:
        harness.end(server)
        harness.end(serve)


def openmetrics(recording, folder):
    check = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as f; " \
            "print(len(list(f(sys.stdin.read()))))"
    def parse(text):
        return subprocess.run(["/usr/bin/python3", "-c", check], input=text, capture_output=True, text=True)
    if parse("# EOF\n").returncode and LONG and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "python3-prometheus-client"], capture_output=True)
    if parse("# EOF\n").returncode:
        print("skipped: python3-prometheus-client is not installed")
        return
    with open(export(recording, folder, "openmetrics")) as text:
        done = parse(text.read())
    expect("python3-prometheus-client parses OpenMetrics", done.returncode == 0 and int(done.stdout) > 5, done.stderr)


def pprof(recording, folder):
    path = export(recording, folder, "pprof")
    if not have("go", "golang-go"):
        return
    done = subprocess.run(["go", "tool", "pprof", "-top", path], capture_output=True, text=True,
                          env={**os.environ, "HOME": folder})
    expect("go tool pprof -top", done.returncode == 0 and re.search(r"\d+%.*\w", done.stdout), done.stderr)


def trace(recording, folder):
    with open(export(recording, folder, "trace")) as file:
        events = json.load(file)["traceEvents"]
    open_ends, nested = {}, True
    slices = sorted((e for e in events if e["ph"] == "X"), key=lambda e: (e["ts"], -e["dur"]))
    for event in slices:
        ends = open_ends.setdefault((event["pid"], event["tid"]), [])
        while ends and ends[-1] <= event["ts"]:
            ends.pop()
        nested = nested and (not ends or event["ts"] + event["dur"] <= ends[-1])
        ends.append(event["ts"] + event["dur"])
    expect(f"{len(slices)} slices of the trace nest", nested and slices)


def sqlite(recording):
    if not have("sqlite3", "sqlite3"):
        return
    queries = re.findall(r'^    sqlite3 night.lsr "(.*?)"$',
                         open(os.path.join(harness.HERE, "../../docs/recording.md")).read(), re.S | re.M)
    expect("docs/recording.md has queries", len(queries) >= 3)
    for words in queries:
        done = subprocess.run(["sqlite3", recording, words], capture_output=True, text=True,
                              errors="replace")  # texts are kept as the target gave them
        expect("sqlite3: " + " ".join(words.split())[:60], done.returncode == 0 and done.stdout, done.stderr)


def requests_of(log):
    """What the page itself asked for: the browser's own requests have no origin."""
    with open(log, errors="replace") as file:
        text = file.read()
    asked = []
    for line in text.splitlines():
        url, initiator = re.search(r'"url":"(https?:[^"]+)"', line), re.search(r'"initiator":"([^"]*)"', line)
        if url and initiator and initiator[1] != "not an origin":
            asked.append(url[1])
    return asked


def browse(folder, url, *options):
    log = os.path.join(folder, "net.json")
    done = subprocess.run([*BROWSER, f"--user-data-dir={folder}/profile", f"--log-net-log={log}", *options, url],
                          capture_output=True, text=True, errors="replace", timeout=120)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console, requests_of(log)


def page(recording, folder):
    path = export(recording, folder, "html")
    if not have("chromium", "chromium"):
        return
    dom, console, asked = browse(folder, "file://" + path, "--dump-dom")
    expect("the page shows its findings", "<svg" in dom or "<canvas" in dom or "loop-" in dom, dom[:300])
    said = re.search(r'<p class="short">(In [\d.]+ m?s the loop of .*? was blocked for [\d.]+ m?s.*?)</p><ul>(.*?)</ul>', dom, re.S)
    expect("the page says first what happened", said, dom[:300])
    ways = re.findall(r'href="#(.*?)"', said[2]) if said else []
    expect(f"and shows the way to {len(ways)} findings", ways and all(f'id="{way}"' in dom for way in ways), ways)
    expect("no console message", not console, console)
    expect("no network request", not asked, asked)
    for scheme, number in (("dark", 0), ("light", 1)):
        picture = os.path.join(os.environ.get("LOOPSCOPE_PICTURES", folder), f"report-{scheme}.png")
        browse(folder, "file://" + path, f"--screenshot={picture}", "--window-size=1200,1600",
               f"--blink-settings=preferredColorScheme={number}")
        expect(f"a picture of it, {scheme}", os.path.exists(picture) and os.path.getsize(picture) > 20000)


def grafana(folder):
    """Grafana itself is not packaged; its types of a dashboard are, and the compiler is strict about unknown keys."""
    if not LONG or not have("npm", "npm"):
        print("skipped: the dashboard against Grafana's schema; --long fetches it")
        return
    got = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder,
                          "@grafana/schema", "typescript@5"], capture_output=True, text=True, timeout=200)
    if got.returncode:
        print(f"skipped: Grafana's schema cannot be fetched: {got.stderr.strip()[:200]}")
        return
    with open(os.path.join(harness.HERE, "../../docs/grafana/dashboard.json")) as file:
        text = file.read()
    options = {"noEmit": True, "skipLibCheck": True, "strict": True, "moduleResolution": "bundler", "module": "esnext",
               "target": "es2022", "types": []}
    with open(os.path.join(folder, "tsconfig.json"), "w") as file:
        json.dump({"compilerOptions": options, "files": ["dashboard.ts"]}, file)
    for kept, what in ((text, "the dashboard is one by Grafana's schema"), (text.replace("gridPos", "gridPoz", 1), None)):
        with open(os.path.join(folder, "dashboard.ts"), "w") as file:  # the compiler wants enumerations by name
            file.write("import { Dashboard, ThresholdsMode } from '@grafana/schema';\nexport const dashboard: Dashboard = " +
                       kept.replace('"mode": "absolute"', '"mode": ThresholdsMode.Absolute') + ";\n")
        done = subprocess.run([os.path.join(folder, "node_modules/.bin/tsc"), "-p", folder], capture_output=True, text=True)
        expect(what or "and with a wrong key it is not", (done.returncode == 0) == bool(what), done.stdout)


def speedscope(recording, folder):
    path = export(recording, folder, "speedscope")
    if not LONG:
        print("skipped: speedscope's schema and page; --long fetches them")
        return
    if not have("npm", "npm") or not have("chromium", "chromium"):
        return
    got = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder,
                          "speedscope", "ajv@6"], capture_output=True, text=True, timeout=200)
    home = os.path.join(folder, "node_modules/speedscope/dist/release")
    if got.returncode or not os.path.isdir(home):
        print(f"skipped: speedscope cannot be fetched: {got.stderr.strip()[:200]}")
        return
    schemas = [name for name in os.listdir(home) if "schema" in name]
    check = ("const A=require('ajv'),fs=require('fs');const a=new A({schemaId:'auto',meta:true,unknownFormats:'ignore'});"
             "const v=a.compile(JSON.parse(fs.readFileSync(process.argv[1])));"
             "if(!v(JSON.parse(fs.readFileSync(process.argv[2]))))"
             "{console.error(JSON.stringify(v.errors.slice(0,3)));process.exit(1)}")
    if schemas:
        done = subprocess.run(["node", "-e", check, os.path.join(home, schemas[0]), path], cwd=folder,
                              capture_output=True, text=True)
        expect("speedscope's schema", done.returncode == 0, done.stderr)
    else:
        print("skipped: this speedscope has no schema in its package")
    with open(path) as profile:
        expect("speedscope's page opens it", opens(folder, home, path, json.load(profile)["name"]))
    # It reads Chrome's trace format too.
    expect("speedscope's page opens the trace", opens(folder, home, export(recording, folder, "trace"), "report.trace"))


def opens(folder, home, path, name):
    """Whether speedscope's page shows the file without an error. As its own command does: a script hands it over."""
    script = os.path.join(folder, "profile.js")
    with open(path, "rb") as profile, open(script, "w") as out:
        out.write(f"speedscope.loadFileFromBase64('{os.path.basename(path)}', '{base64.b64encode(profile.read()).decode()}')")
    dom, console, _ = browse(folder, f"file://{home}/index.html#localProfilePath={script}", "--dump-dom",
                             "--virtual-time-budget=8000", "--allow-file-access-from-files", "--enable-unsafe-swiftshader")
    title = re.search(r"<title>(.*?)</title>", dom)
    errors = [line for line in console if "Error" in line or "error" in line]
    print(f"speedscope shows {os.path.basename(path)} as '{title and title[1]}'", *errors)
    return title and title[1] != "speedscope" and name in title[1] and not errors


def main():
    harness.need_agent()
    with harness.Scratch() as folder:
        target = start_hostile(folder)
        try:
            recording = os.path.join(folder, "x.lsr")
            done = harness.run("record", target.pid, "-o", recording, "--for", "4s")
            expect("record", done.returncode == 0, done.stderr)
            for name in ("text", "markdown", "json", "folded", "junit"):
                export(recording, folder, name)
            promtool(recording, folder)
            monitoring(recording, folder)
            openmetrics(recording, folder)
            pprof(recording, folder)
            trace(recording, folder)
            sqlite(recording)
            if LONG:
                prometheus_server(target.pid, folder)
            grafana(folder)
            speedscope(recording, folder)
            page(recording, folder)
        finally:
            harness.end(target)
    sys.exit(1 if failures else 0)


main()
