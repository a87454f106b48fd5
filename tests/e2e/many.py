#!/usr/bin/python3
"""Many at once: a process of 1000 threads, and --all over 200 processes."""

import json
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness


class Many(unittest.TestCase):
    def start(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.addCleanup(harness.end, process)
        return process

    def test_a_process_of_1000_threads(self):
        target = self.start(harness.program("kinds"), "threads", "1000")
        time.sleep(1)
        result = harness.run("check", target.pid, "--for", "4s", "--json")
        self.assertEqual(result.returncode, 1, result.stderr)
        document = json.loads(result.stdout)
        self.assertEqual([loop["tid"] for loop in document["loops"]], [target.pid])
        culprits = [(f["culprit"] or {}).get("function") for f in document["findings"]]
        self.assertIn("stall_now", culprits)

    def test_all_over_200_processes(self):
        targets = [self.start(harness.program("kinds"), "epoll", "--healthy") for _ in range(200)]
        sick = self.start(harness.program("kinds"), "epoll")
        time.sleep(1)
        began = time.monotonic()
        result = harness.run("check", "--all", "--for", "6s", "--json", timeout=60)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(result.returncode, 1, result.stderr)
        document = json.loads(result.stdout)
        seen = {process["pid"] for process in document["processes"]}
        self.assertEqual({target.pid for target in targets} - seen, set())
        named = {f["pid"] for f in document["findings"]
                 if f["culprit"] and f["culprit"]["function"] == "stall_now"}
        self.assertIn(sick.pid, named)
        self.assertEqual(named - {sick.pid}, set(), "a healthy program is blamed")
        print(f"--all: {len(seen)} processes; agent: {document['agent']['cpu_ratio']} of a core,"
              f" {(document['agent']['rss_bytes'] or 0) / 1e6:.0f} MB")


if __name__ == "__main__":
    harness.need_agent()
    unittest.main(warnings="ignore", verbosity=0)
