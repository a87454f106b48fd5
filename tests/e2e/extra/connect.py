"""serve --socket and whoever connects: who may, what they see, and that neither side can hurt the other."""

import json
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

failures = []


def expect(what, true, why=""):
    print(("ok: " if true else "FAILED: ") + what + ("" if true else f": {why}"))
    if not true:
        failures.append(what)


class Serve:
    def __init__(self, folder, target, *options):
        self.path = os.path.join(folder, "agent.sock")
        self.process = subprocess.Popen([harness.AGENT, "serve", str(target), "--socket", self.path, *options],
                                        stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            if os.path.exists(self.path):
                break
            time.sleep(0.05)

    def end(self):
        self.process.terminate()
        self.process.wait(15)
        return self.process.returncode


def as_nobody(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, user="nobody", group="nogroup",
                          extra_groups=[])


def see(folder, target):
    serve = Serve(folder, target)
    mode = os.stat(serve.path).st_mode & 0o777
    expect("the socket is its owner's alone", mode == 0o600, oct(mode))
    time.sleep(2)
    check = harness.run("check", "--connect", serve.path, "--for", "4s", "--json")
    document = json.loads(check.stdout or "{}")
    expect("check --connect finds", check.returncode == 1 and document["findings"] != [], check.stderr)
    expect("stacks come over", len(document.get("stacks", {})) > 0)
    for command in ("ps", "loops", "tasks", "fds", "stacks"):
        done = harness.run(command, "--connect", serve.path, "--for", "1s")
        expect(f"{command} --connect", done.returncode in (0, 1) and done.stdout, f"{done.returncode} {done.stderr}")
    frame = harness.run("top", "--connect", serve.path, "--once")
    expect("top --connect", str(target) in frame.stdout, frame.stdout + frame.stderr)
    recording = os.path.join(folder, "from-socket.lsr")
    done = harness.run("record", "--connect", serve.path, "-o", recording, "--for", "2s")
    report = harness.run("report", recording, "--format", "json")
    expect("record --connect", done.returncode == 0 and json.loads(report.stdout)["findings"] != [], done.stderr)
    watch = harness.Watch("--connect", serve.path)
    expect("watch --connect is attached", watch.wait_attached(5))
    time.sleep(3)
    expect("the socket goes with the agent", serve.end() == 0 and not os.path.exists(serve.path))
    expect("a dashboard notices", watch.wait(10), "it goes on")
    watch.stop()


def users(folder, target):
    if os.geteuid() != 0:
        print("skipped: who may connect is tried as root only")
        return
    program = os.path.join(folder, "loopscope")
    shutil.copy(harness.AGENT, program)
    os.chmod(program, 0o755)
    for options, may in (([], False), (["--allow-uid", "1"], False), (["--allow-user", "nobody"], True),
                         (["--allow-uid", str(pwd.getpwnam("nobody").pw_uid)], True)):
        serve = Serve(folder, target, *options)
        time.sleep(1.5)
        done = as_nobody(program, "loops", "--connect", serve.path, "--for", "1s")
        good = done.returncode == 0 if may else done.returncode == 3 and done.stderr.count("\n") <= 2
        expect(f"nobody {'may' if may else 'may not'} with {options or 'no option'}", good,
               f"status {done.returncode}: {done.stderr}")
        serve.end()


def hello(layout):
    body = b"loopscope\x01" + struct.pack("<I", layout)
    return struct.pack("<IB", len(body) + 1, 1) + body


def layout_of(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        return struct.unpack("<I", client.recv(4096)[15:19])[0]


def hostile_clients(folder, target):
    serve = Serve(folder, target)
    layout = layout_of(serve.path)
    words = [b"\xff" * 64, b"GET / HTTP/1.0\r\n\r\n", struct.pack("<IB", 0, 5), struct.pack("<IB", 2**31, 5),
             hello(layout ^ 1), hello(layout) * 2, hello(layout) + struct.pack("<IB", 40, 5) + b"\xff" * 39,
             hello(layout) + struct.pack("<IB", 4, 99) + b"abc"]
    for word in words:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(serve.path)
            client.settimeout(5)
            client.sendall(word)
            try:
                while client.recv(65536):
                    pass
                ended = True
            except ConnectionError:
                ended = True
            except TimeoutError:
                ended = False
            expect(f"a client that says {word[:12]!r} is cut off", ended)
    with socket.socket(socket.AF_UNIX) as client:  # looks without end: the agent does not look more often
        client.connect(serve.path)
        client.sendall(hello(layout) + struct.pack("<IB", 1, 6) * 20000)
        before = harness.process_cpu_seconds(serve.process.pid)
        time.sleep(3)
        share = (harness.process_cpu_seconds(serve.process.pid) - before) / 3
        expect("a client that asks without end costs little", share < 0.3, f"{share:.2f} of a core")
    idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for client in idle:
        client.connect(serve.path)
    done = harness.run("loops", "--connect", serve.path, "--for", "1s")
    expect("too many clients: one line", done.returncode == 3 and "too many" in done.stderr, done.stderr)
    for client in idle:
        client.close()
    time.sleep(0.5)
    done = harness.run("loops", "--connect", serve.path, "--for", "1s")
    expect("after all that it serves", done.returncode == 0, done.stderr)
    expect("and ends clean", serve.end() == 0, serve.process.stderr.read())


def hostile_server(folder, answer, what, says):
    path = os.path.join(folder, "hostile.sock")
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
    hostile_server(folder, b"HTTP/1.1 200 OK\r\n\r\n", "HTTP", "is not loopscope's")
    hostile_server(folder, hello(layout ^ 1), "another layout", "another build")
    hostile_server(folder, hello(layout) + struct.pack("<IB", 2**30, 2), "a frame of 1 GB", "is not loopscope's")
    hostile_server(folder, hello(layout) + struct.pack("<IB", 6, 2) + b"\x01\xff\xff\xff\xff", "a false picture",
                   "is not loopscope's")
    hostile_server(folder, struct.pack("<IB", 12, 4) + b"\x1b[31mno\nway", "a refusal with escapes", "?[31mno?way")
    hostile_server(folder, b"", "nothing", "no loopscope answers")


def main():
    harness.need_agent()
    with harness.Scratch() as folder:
        target = harness.start_target("c", os.path.join(folder, "journal"), "--causes", "spin,nanosleep",
                                      "--gap-min", "300", "--gap-max", "600", "--start", "10")
        try:
            see(folder, target.pid)
            users(folder, target.pid)
            hostile_clients(folder, target.pid)
            serve = Serve(folder, target.pid)
            layout = layout_of(serve.path)
            serve.end()
            hostile_servers(folder, layout)
        finally:
            harness.end(target)
    sys.exit(1 if failures else 0)


main()
