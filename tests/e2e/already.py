#!/usr/bin/python3
"""Stalls that do not end, and stalls that began before the attach: reported within a second."""

import json
import os
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness
import journal
import verdict

# target, cause, functions of the culprit
ENDLESS = [
    ("c", "fifo"), ("c", "getaddrinfo"), ("c", "mutex"), ("c", "spin"),
    ("node", "exec"), ("node", "fifo"), ("node", "spin"),
    ("python", "sleep"), ("python", "fifo"), ("redis", "sleep"),
]


class Already(unittest.TestCase):
    def blocked_target(self, name, cause, folder, start_ms):
        log = os.path.join(folder, "journal")
        target = harness.start_target(name, log, "--endless", "--causes", cause, "--start", start_ms)
        self.addCleanup(harness.end, target)
        return log, target

    def first_report(self, watch, seconds):
        """The first line about a stall, waited for."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for came, event in list(watch.events):
                finding = event.get("finding")
                if finding and finding["rule"] in verdict.STALL_RULES:
                    return came, finding
            time.sleep(0.01)
        return None, None

    def check_cause(self, cause, finding):
        stall = journal.Stall(0, 0, cause, {}, "-")
        report = verdict.Report(0, 0, None, finding["rule"], finding["severity"], finding["cause"],
                                finding["culprit"], None, 0)
        starved = cause in verdict.ON_CPU and finding["cause"]["kind"] == "runqueue"
        self.assertTrue(verdict.cause_right(stall, report) or starved, finding["cause"])

    def run_one(self, name, cause, before_attach):
        with harness.Scratch() as folder:
            log, target = self.blocked_target(name, cause, folder, 100 if before_attach else 2500)
            pid = journal.load(log).pid
            if before_attach:
                self.assertTrue(journal.wait_for(log, "begin", 10))
                time.sleep(1)
            began, work = time.monotonic_ns(), harness.total_cpu_seconds()
            watch = harness.Watch(pid)
            self.addCleanup(watch.stop)
            if not before_attach:
                self.assertTrue(journal.wait_for(log, "begin", 10))
                began = journal.load(log).stalls[0].begin
            came, finding = self.first_report(watch, 4)
            self.assertIsNotNone(finding, f"not reported; stderr: {''.join(watch.errors).strip()}")
            stall = journal.load(log).stalls[0]
            busy = (harness.total_cpu_seconds() - work) * 1e9 / (time.monotonic_ns() - began)
            watch.stop()
            harness.end(target)
        self.check_cause(cause, finding)
        function = (finding["culprit"] or {}).get("function")
        if function and name in ("c", "redis"):
            self.assertIn(verdict.bare(function), stall.functions)
        self.assertEqual(finding["began_before_attach"], before_attach)
        # An attach takes its own time to start the program; the second counts from then. On a machine
        # without a free CPU it may take longer.
        limit = 4 if busy > os.cpu_count() * 0.9 else 1.5 if before_attach else 1.1
        self.assertLess((came - began) / 1e9, limit)
        if before_attach:
            self.assertLess(finding["attached_after_ns"], limit * 10**9 if limit > 2 else 10**9)
            self.assertIsNone(finding["captured_after_ns"])
        return (came - began) / 1e6, function

    def test_blocked_before_the_attach(self):
        for name, cause in ENDLESS:
            with self.subTest(f"{name} {cause}"):
                ms, function = self.run_one(name, cause, True)
                print(f"{name} {cause}: told {ms:.0f} ms after the command was given: {function}")

    def test_endless_while_attached(self):
        for name, cause in ENDLESS[:4]:
            with self.subTest(f"{name} {cause}"):
                ms, function = self.run_one(name, cause, False)
                print(f"{name} {cause}: told {ms:.0f} ms after it began: {function}")

    def test_a_hang_opens_a_second_finding(self):
        with harness.Scratch() as folder:
            log, target = self.blocked_target("c", "fifo", folder, 2000)
            result = harness.run("check", target.pid, "--for", "9s", "--json")
        findings = json.loads(result.stdout)["findings"]
        rules = {finding["rule"] for finding in findings}
        self.assertIn("loop-hung", rules)
        self.assertIn("loop-sync-io", rules)
        hung = next(f for f in findings if f["rule"] == "loop-hung")
        self.assertEqual(hung["severity"], "critical")
        self.assertTrue(hung["still_open"] and hung["related"])


if __name__ == "__main__":
    harness.need_agent()
    for program in ("node", "redis-server"):
        harness.need_program(program)
    unittest.main(warnings="ignore", verbosity=0)
