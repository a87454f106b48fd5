"""lint --from: a program is recorded while it blocks, and the line that blocked comes first; and what
check finds names the lint rule that finds the same line. Also the runtime's own examples and gallery."""

import json
import os
import tempfile
import time
import unittest

import harness

EXHIBITS = os.path.join(os.path.dirname(os.path.dirname(harness.HERE)), "lib", "gallery")
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(harness.HERE)), "lib", "examples")


def lint(*args, cwd=None):
    done = harness.run("lint", *args, "--json", cwd=cwd, timeout=PATIENCE)
    return json.loads(done.stdout)


class FromRecording(unittest.TestCase):
    """Each target blocks in one function only; lint knows a dozen lines of it that could."""

    def record(self, command, folder, script):
        recording = os.path.join(folder, "night.lsr")
        log = os.path.join(folder, "log")
        # --count: it ends by itself where nobody ends it.
        target = [*command, script, "--log", log, "--min", "300", "--max", "500", "--gap-min", "100",
                  "--gap-max", "200", "--start", "500", "--count", "40"]
        causes = {"stall.py": "deep", "stall.js": "exec"}[os.path.basename(script)]
        done = harness.run("record", "-o", recording, "--for", "5s", "--", *target, "--causes", causes,
                           timeout=PATIENCE)
        over = time.monotonic_ns()
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(log) as file:
            notes = [line.split() for line in file]
        begun = [n for n in notes if n[0] == "begin"]
        ended = {n[1]: int(n[2]) for n in notes if n[0] == "end"}
        self.assertGreaterEqual(len(ended), 2)
        # At least what was over when the recording ended; at most what had begun, until now.
        least = sum(ended[n[1]] - int(n[2]) for n in begun if n[1] in ended) / 1e6
        most = sum(ended.get(n[1], over) - int(n[2]) for n in begun) / 1e6
        return recording, begun, least, most

    def judge(self, command, name, function, rule):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(harness.TARGETS, name)
            recording, begun, least, most = self.record(command, folder, script)
            first, _, last = begun[0][-1].partition("-")
            for path, cwd in ((script, folder), (name, harness.TARGETS), (".", harness.TARGETS)):
                found = lint(path, "--from", recording, cwd=cwd)["findings"]
                top = found[0]
                self.assertEqual((top["function"].split(".")[-1], top["rule"]), (function, rule))
                self.assertTrue(int(first) <= top["line"] <= int(last or first), top)
                self.assertGreater(top["blocked_ms"], 0.5 * least - 500)  # one may be cut at the end
                # A turn also holds what comes before and after the stall, on a loaded machine not little.
                self.assertLess(top["blocked_ms"], 1.25 * most + 500)
                self.assertEqual([f["blocked_ms"] for f in found[1:]], [None] * (len(found) - 1))
                self.assertGreater(len(found), 3)
            self.link(recording, script, rule, top["line"])
            print(f"{name}: {function} line {top['line']} first of {len(found)},"
                  f" {top['blocked_ms']:.0f} ms of {least:.0f} to {most:.0f} ms")

    def link(self, recording, script, rule, line):
        """The finding of check leads to the very finding of lint."""
        document = json.loads(harness.run("check", recording, "--json", timeout=PATIENCE).stdout)
        links = [f["lint"] for f in document["findings"] if f["rule"] == rule]
        self.assertEqual(links[0], {"rule": rule, "verify": "loopscope lint " + script})
        found = lint(*links[0]["verify"].split()[2:])["findings"]
        self.assertIn((rule, line), [(f["rule"], f["line"]) for f in found])

    def test_python(self):
        self.judge([harness.PYTHON], "stall.py", "load_profile", "loop-sync-io")

    def test_javascript(self):
        harness.need_program("node")
        self.judge(["node"], "stall.js", "blockExec", "loop-sync-io")


# The exhibits whose pitfall stands in the source; the others depend on numbers, on other files or on what comes
# over the network. No line of a cured half may be among them.
SEEN = {("child_zombie.c", "loop-sync-io"), ("loop_cpu.c", "loop-cpu"),
        ("loop_sync_io.c", "loop-sync-io"), ("loop_sync_log.c", "loop-sync-log"),
        ("task_never_awaited.c", "task-never-awaited"), ("task_orphan.c", "task-never-awaited"),
        ("thread_unsafe.c", "thread-unsafe")}
PATIENCE = 200  # seconds for one command on a loaded machine


class Runtime(unittest.TestCase):
    """The runtime's own programs: what is wrong in them is found, what is cured is quiet."""

    def setUp(self):
        if "C" not in lint(harness.TARGETS)["languages"]:
            self.skipTest("built without libclang")

    def test_gallery(self):
        found = lint(EXHIBITS)["findings"]
        self.assertEqual({(os.path.basename(f["file"]), f["rule"]) for f in found}, SEEN)
        self.assertEqual([f for f in found if "cured" in f["function"]], [])
        print(f"gallery: {len(found)} findings, none in a cured half")

    def test_examples_tell_wrong_from_right(self):
        found = {(os.path.basename(f["file"]), f["rule"]) for f in lint(EXAMPLES)["findings"]}
        self.assertEqual(found, {("user_requests_wrong.c", "loop-sync-io"),
                                 ("user_requests_wrong.c", "fd-orphan")})


if __name__ == "__main__":
    harness.need_agent()
    unittest.main(verbosity=0)
