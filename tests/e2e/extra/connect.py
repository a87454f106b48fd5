"""serve --socket and whoever connects: who may, what they see, and that neither side can hurt the other.
usage: connect.py [--long]"""

import itertools
import json
import os
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

failures = []


def expect(what, true, why=""):
    print(("ok: " if true else "FAILED: ") + what + ("" if true else f": {why}"))
    if not true:
        failures.append(what)


def beside(calls):
    """The functions, all at the same time: each waits more than it computes."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Serve:
    """An agent that serves; there when it has seen the loop, however long the machine needs for that."""
    numbers = itertools.count()

    def __init__(self, folder, target, *options):
        self.path = os.path.join(folder, f"agent{next(Serve.numbers)}.sock")
        self.process = subprocess.Popen([harness.AGENT, "serve", str(target), "--socket", self.path, *options],
                                        stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if os.path.exists(self.path) and self.ask().returncode == 0:
                return
            time.sleep(0.1)
        expect("serve --socket starts", False, f"status {self.process.poll()}")

    def ask(self):
        return harness.run("loops", "--connect", self.path, "--for", "100ms")

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        return self.process.returncode


def as_nobody(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, user="nobody", group="nogroup",
                          extra_groups=[])


def see_tables(serve):
    def table(command):
        done = harness.run(command, "--connect", serve.path, "--for", "1s")
        expect(f"{command} --connect", done.returncode in (0, 1) and done.stdout, f"{done.returncode} {done.stderr}")
    beside([lambda command=command: table(command) for command in ("ps", "loops", "tasks", "fds", "stacks")])


def see_findings(serve):
    check = harness.run("check", "--connect", serve.path, "--for", "3s", "--json")
    document = json.loads(check.stdout or "{}")
    expect("check --connect finds", check.returncode == 1 and document["findings"] != [], check.stderr)
    expect("stacks come over", len(document.get("stacks", {})) > 0)


def see_frame(serve, target):
    frame = harness.run("top", "--connect", serve.path, "--once")
    expect("top --connect", str(target) in frame.stdout, frame.stdout + frame.stderr)


def see_recording(serve, folder):
    recording = os.path.join(folder, "from-socket.lsr")
    done = harness.run("record", "--connect", serve.path, "-o", recording, "--for", "2s")
    report = harness.run("report", recording, "--format", "json")
    expect("record --connect", done.returncode == 0 and json.loads(report.stdout)["findings"] != [], done.stderr)


def has_findings(serve):
    for _ in range(100):
        done = harness.run("check", "--connect", serve.path, "--for", "300ms", "--json")
        if json.loads(done.stdout or '{"findings": []}')["findings"]:
            return True
    return False


def see(folder, target):
    serve = Serve(folder, target)
    mode = os.stat(serve.path).st_mode & 0o777
    expect("the socket is its owner's alone", mode == 0o600, oct(mode))
    expect("what the agent finds comes over", has_findings(serve))
    watch = harness.Watch("--connect", serve.path)
    beside([lambda: see_tables(serve), lambda: see_findings(serve), lambda: see_frame(serve, target),
            lambda: see_recording(serve, folder)])
    expect("watch --connect is attached", watch.wait_attached(30))
    expect("the socket goes with the agent", serve.end() == 0 and not os.path.exists(serve.path))
    expect("a dashboard notices", watch.wait(30), "it goes on")
    watch.stop()


def user(folder, target, program, options, may):
    serve = Serve(folder, target, *options)
    done = as_nobody(program, "loops", "--connect", serve.path, "--for", "1s")
    good = done.returncode == 0 if may else done.returncode == 3 and done.stderr.count("\n") <= 2
    expect(f"nobody {'may' if may else 'may not'} with {options or 'no option'}", good,
           f"status {done.returncode}: {done.stderr}")
    serve.end()


def users(folder, target):
    if os.geteuid() != 0:
        print("skipped: who may connect is tried as root only")
        return
    program = os.path.join(folder, "loopscope")
    shutil.copy(harness.AGENT, program)
    os.chmod(program, 0o755)
    uid = str(pwd.getpwnam("nobody").pw_uid)
    beside([lambda options=options, may=may: user(folder, target, program, options, may)
            for options, may in (([], False), (["--allow-uid", "1"], False), (["--allow-user", "nobody"], True),
                                 (["--allow-uid", uid], True))])


def hello(layout):
    body = b"loopscope\x01" + struct.pack("<I", layout)
    return struct.pack("<IB", len(body) + 1, 1) + body


def layout_of(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        return struct.unpack("<I", client.recv(4096)[15:19])[0]


def cut_off(serve, word):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(serve.path)
        client.settimeout(30)
        try:
            client.sendall(word)
            while client.recv(65536):
                pass
            ended = True
        except ConnectionError:
            ended = True
        except TimeoutError:
            ended = False
        expect(f"a client that says {word[:12]!r} is cut off", ended)


def ask_without_end(serve, layout):
    """Looks without end: the agent does not look more often."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(serve.path)
        client.sendall(hello(layout) + struct.pack("<IB", 1, 6) * 20000)
        before = harness.process_cpu_seconds(serve.process.pid)
        time.sleep(2)
        share = (harness.process_cpu_seconds(serve.process.pid) - before) / 2
        expect("a client that asks without end costs little", share < 0.3, f"{share:.2f} of a core")


def kilobytes(pid, what):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith(what)).split()[1])


def never_read(serve, layout):
    """A client that reads nothing: cut off when it has taken nothing for 30 s, and until then costs the others nothing."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(serve.path)
        client.sendall(hello(layout))
        # Each look makes the agent send a picture to every client; this one never takes any.
        until, cut = time.monotonic() + 120, False
        most = 0
        while time.monotonic() < until and not cut:
            try:
                client.sendall(struct.pack("<IB", 1, 6) * 8)
            except OSError:
                cut = True
            most = max(most, kilobytes(serve.process.pid, "RssAnon"))
            time.sleep(0.05)
        expect("a client that never reads is cut off", cut, "it is still connected")
        expect("and is not kept in memory without end", most < 64 << 10, f"{most} KB")
        print(f"a client that never reads: cut off, the agent at {most} KB at most")


def hostile_clients(folder, target, long):
    serve = Serve(folder, target)
    layout = layout_of(serve.path)
    words = [b"\xff" * 64, b"GET / HTTP/1.0\r\n\r\n", struct.pack("<IB", 0, 5), struct.pack("<IB", 2**31, 5),
             hello(layout ^ 1), hello(layout) * 2, hello(layout) + struct.pack("<IB", 40, 5) + b"\xff" * 39,
             hello(layout) + struct.pack("<IB", 4, 99) + b"abc"]
    for word in words:
        cut_off(serve, word)
    ask_without_end(serve, layout)
    if long:
        never_read(serve, layout)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for client in idle:
        client.connect(serve.path)
    done = harness.run("loops", "--connect", serve.path, "--for", "10s")  # it is refused long before
    expect("too many clients: one line", done.returncode == 3 and "too many" in done.stderr, done.stderr)
    for client in idle:
        client.close()
    for _ in range(100):  # until the agent has noticed
        done = serve.ask()
        if done.returncode == 0:
            break
        time.sleep(0.1)
    expect("after all that it serves", done.returncode == 0, done.stderr)
    expect("and ends clean", serve.end() == 0, serve.process.stderr.read())


def hostile_server(folder, answer, what, says):
    path = os.path.join(folder, what.replace(" ", "-") + ".sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            client, _ = listener.accept()
            with client:
                try:
                    client.sendall(answer)
                    time.sleep(8 if not answer else 0.5)
                except OSError:
                    pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = harness.run("loops", "--connect", path, "--for", "8s", timeout=30)
        expect(f"a server that sends {what}: one line, status 3",
               done.returncode == 3 and says in done.stderr and len(done.stderr.splitlines()) <= 2,
               f"{done.returncode}: {done.stderr}")
        thread.join(10)
    os.unlink(path)


def hostile_servers(folder, layout):
    beside([lambda answer=answer, what=what, says=says: hostile_server(folder, answer, what, says)
            for answer, what, says in (
                (b"HTTP/1.1 200 OK\r\n\r\n", "HTTP", "is not loopscope's"),
                (hello(layout ^ 1), "another layout", "another build"),
                (hello(layout) + struct.pack("<IB", 2**30, 2), "a frame of 1 GB", "is not loopscope's"),
                (hello(layout) + struct.pack("<IB", 6, 2) + b"\x01\xff\xff\xff\xff", "a false picture",
                 "is not loopscope's"),
                (struct.pack("<IB", 12, 4) + b"\x1b[31mno\nway", "a refusal with escapes", "?[31mno?way"),
                (b"", "nothing", "no loopscope answers"))])


def wait_for_port(port, process):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)


def ask_http(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def status_of(port, path):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def served_recording(folder, pid):
    """A recording's last picture is served until ^C, and /healthz says that no more will come."""
    path, port = os.path.join(folder, "served.lsr"), harness.free_port()
    harness.run("record", pid, "-o", path, "--for", "3s")
    serve = subprocess.Popen([harness.AGENT, "serve", path, "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, serve)
        until = time.monotonic() + 60
        while serve.poll() is None and status_of(port, "/healthz") != 503 and time.monotonic() < until:
            time.sleep(0.05)
        expect("a recording: /healthz says that it is at its end", serve.poll() is None and status_of(port, "/healthz") == 503)
        expect("a recording: its figures are served", "loopscope_loop_stalls_total" in ask_http(port, "/metrics"))
        expect("a recording: its page is served", "<html" in ask_http(port, "/report.html"))
        serve.send_signal(signal.SIGINT)
        expect("a recording: ^C ends it with 0", serve.wait(30) == 0, serve.returncode)
    finally:
        harness.end(serve)


def deaf_listener(folder):
    """/events to somebody who never reads: cut off when 1 MB behind, while others are served."""
    log = os.path.join(folder, "busy.journal")
    target = harness.start_target("c", log, "--causes", "spin,nanosleep,fifo,flock,mutex", "--min", "5", "--max", "8",
                                  "--gap-min", "2", "--gap-max", "4", "--start", "10")
    port = harness.free_port()
    serve = subprocess.Popen([harness.AGENT, "serve", str(target.pid), "--listen", f"127.0.0.1:{port}", "--threshold", "3ms"],
                             stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, serve)
        with socket.socket() as deaf, socket.socket() as listener:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for client in (deaf, listener):
                client.connect(("127.0.0.1", port))
                client.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            listener.setblocking(False)
            ended, heard, most, until = select.poll(), 0, 0, time.monotonic() + 100
            ended.register(deaf, select.POLLRDHUP)
            while not ended.poll(100) and time.monotonic() < until:
                most = max(most, kilobytes(serve.pid, "RssAnon"))
                try:
                    heard += len(listener.recv(1 << 20))
                except BlockingIOError:
                    pass
            cut = bool(ended.poll(0))
        expect("/events: who never reads is cut off", cut, f"still connected; another heard {heard} bytes")
        expect("/events: who reads hears all the while", heard > 1 << 20, f"{heard} bytes")
        expect("/events: the agent's memory is bounded", most < 64 << 10, f"{most} KB")
        expect("/events: the others are served", "loopscope_loop_stalls_total" in ask_http(port, "/metrics"))
        print(f"a deaf listener: cut off when another had heard {heard >> 10} KB, the agent at {most} KB at most")
    finally:
        harness.end(serve)
        harness.end(target)


def main():
    harness.need_agent()
    with harness.Scratch() as folder:
        target = harness.start_target("c", os.path.join(folder, "journal"), "--causes", "spin,nanosleep",
                                      "--gap-min", "300", "--gap-max", "600", "--start", "10")
        try:
            serve = Serve(folder, target.pid)
            layout = layout_of(serve.path)
            serve.end()
            beside([lambda: see(folder, target.pid), lambda: users(folder, target.pid),
                    lambda: hostile_clients(folder, target.pid, "--long" in sys.argv),
                    lambda: hostile_servers(folder, layout), lambda: served_recording(folder, target.pid)])
            if "--long" in sys.argv:
                deaf_listener(folder)
        finally:
            harness.end(target)
    sys.exit(1 if failures else 0)


main()
