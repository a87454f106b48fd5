#!/usr/bin/python3
"""The command line as a contract: JSON documents, their fields, exit statuses of clean and unclean
targets. Each check is a method; the target is the C program that stalls by plan."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness
import journal
import schema


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.folder = cls.scratch.__enter__()
        cls.log = os.path.join(cls.folder, "journal")
        cls.target = harness.start_target("c", cls.log, "--causes", "nanosleep,spin", "--gap-min",
                                          100, "--gap-max", 200, "--start", 100)
        cls.healthy = subprocess.Popen([harness.program("healthy_c")])
        cls.pid = cls.target.pid

    @classmethod
    def tearDownClass(cls):
        harness.end(cls.target)
        harness.end(cls.healthy)
        cls.scratch.__exit__()

    def document(self, *args, status=None):
        result = harness.run(*args)
        if status is not None:
            self.assertEqual(result.returncode, status, result.stderr)
        document = json.loads(result.stdout)
        self.assertEqual(schema.problems(document), [])
        return document

    def test_check_of_a_stalling_target_is_1_and_says_why(self):
        document = self.document("check", self.pid, "--for", "4s", "--json", status=1)
        rules = {f["rule"] for f in document["findings"]}
        self.assertTrue({"loop-cpu", "loop-sync-io"} & rules, rules)
        names = {(f["culprit"] or {}).get("function") for f in document["findings"]}
        self.assertTrue({"block_nanosleep", "block_spin"} & names, names)
        for finding in document["findings"]:
            if finding["rule"].startswith("loop-"):
                self.assertIn("loop-blocked", [finding["rule"], *finding["also"]])
                self.assertTrue(finding["evidence"] and finding["remedy"] and finding["verify"])
                self.assertIn("loopscope", finding["verify"])

    def test_fail_on_never_is_0(self):
        self.document("check", self.pid, "--for", "3s", "--json", "--fail-on", "never", status=0)

    def test_ignored_rules_do_not_fail(self):
        everything = []
        for rule in json.loads(harness.run("rules", "--json").stdout)["rules"]:
            everything += ["--ignore", rule["id"]]
        self.document("check", self.pid, "--for", "3s", "--json", *everything, status=0)

    def test_check_of_a_healthy_target_is_0(self):
        document = self.document("check", self.healthy.pid, "--for", "4s", "--json", status=0)
        self.assertTrue(document["loops"])

    def test_check_as_text_names_the_function(self):
        result = harness.run("check", self.pid, "--for", "3s")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stdout, "block_(nanosleep|spin)")
        self.assertNotIn("\033", result.stdout)

    def test_strict_or_a_higher_threshold_changes_the_verdict(self):
        self.document("check", self.pid, "--for", "3s", "--json", "--threshold", "30s",
                      "--fail-on", "critical", status=0)

    def test_tables_are_the_same_document(self):
        for command in ("loops", "tasks", "fds", "stacks"):
            with self.subTest(command):
                self.document(command, self.pid, "--json", "--for", "1s")
        self.assertTrue(self.document("loops", self.pid, "--json")["loops"])

    def test_top_once_is_a_frame_or_the_document(self):
        result = harness.run("top", self.pid, "--once")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(str(self.pid), result.stdout)
        self.document("top", self.pid, "--once", "--json")

    def test_ps_lists_processes_with_loops(self):
        result = harness.run("ps")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(str(self.pid), result.stdout)
        pids = {p["pid"] for p in self.document("ps", "--json")["processes"]}
        self.assertIn(self.pid, pids)

    def test_report_is_a_check_that_does_not_fail(self):
        document = self.document("report", self.pid, "--for", "3s", "--format", "json")
        self.assertTrue(document["findings"])

    def test_watch_lines_follow_the_schema_and_end_with_0(self):
        watch = harness.Watch(self.pid)
        self.assertTrue(watch.wait_attached(), watch.errors)
        time.sleep(4)
        self.assertEqual(watch.stop(), 0)
        self.assertEqual(watch.bad_lines, [])
        kinds = [event["event"] for _, event in watch.events]
        self.assertEqual(kinds[0], "attached")
        self.assertIn("open", kinds)
        for _, event in watch.events:
            self.assertEqual(schema.event_problems(event), [], event["event"])

    def test_watch_exec_gets_the_finding(self):
        out = os.path.join(self.folder, "exec.out")
        watch = harness.Watch(self.pid, "--exec", f"cat > {out}")
        watch.wait_attached()
        time.sleep(3)
        watch.stop()
        with open(out) as file:
            self.assertIn("finding", file.read())

    def test_a_recording_is_a_target(self):
        file = os.path.join(self.folder, "one.lsr")
        result = harness.run("record", self.pid, "-o", file, "--for", "4s")
        self.assertEqual(result.returncode, 0, result.stderr)
        written = harness.run("report", file, "-o", file)
        self.assertEqual((written.returncode, written.stdout), (2, ""), written.stderr)
        document = self.document("check", file, "--json", status=1)
        self.assertTrue(document["findings"])
        again = self.document("report", file, "--format", "json")
        self.assertEqual(again["findings"], document["findings"])
        self.assertEqual(again["stacks"], document["stacks"])
        self.assertEqual(harness.run("top", file, "--once").returncode, 0)

    def test_diff_says_what_it_compares_and_what_is_worse(self):
        quiet, noisy = os.path.join(self.folder, "quiet.lsr"), os.path.join(self.folder, "noisy.lsr")
        beside = subprocess.Popen([harness.AGENT, "record", str(self.healthy.pid), "-o", quiet, "--for", "2s"])
        harness.run("record", self.pid, "-o", noisy, "--for", "2s")
        beside.wait(60)
        worse, same = harness.run("diff", quiet, noisy), harness.run("diff", noisy, noisy)
        self.assertEqual((worse.returncode, same.returncode), (1, 0), worse.stdout + same.stdout)
        lines = worse.stdout.splitlines()
        self.assertRegex(lines[0], r"^A  .*quiet\.lsr: .*healthy_c \(\d+\), ")
        self.assertRegex(lines[1], r"^B  .*noisy\.lsr: .*stall_c \(\d+\), ")
        self.assertRegex(lines[2], r"^new ")
        self.assertEqual((lines[-1], same.stdout.splitlines()[-1]), ("B is worse", "B is not worse"))
        document = json.loads(harness.run("diff", quiet, noisy, "--json").stdout)
        self.assertEqual((document["schema"], document["worse"]), ("loopscope-diff/1", True))

    def test_a_command_is_started_and_ended(self):
        document = self.document("check", "--for", "3s", "--json", "--", harness.program("healthy_c"),
                                 status=0)
        self.assertEqual(len(document["processes"]), 1)
        with self.assertRaises(ProcessLookupError):
            os.kill(document["processes"][0]["pid"], 0)

    def test_a_commands_exit_is_told_and_ends_the_window(self):
        began = time.monotonic()
        result = harness.run("check", "--for", "20s", "--json", "--", "sh", "-c", "sleep 1; exit 3")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(result.returncode, 4)
        self.assertEqual(json.loads(result.stdout)["target_exit"], 3)

    def test_a_command_that_is_over_at_once_is_4(self):
        result = harness.run("check", "--for", "1s", "--", "/bin/false")
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertNotIn("zombie", result.stderr)

    def test_no_match_prints_no_table(self):
        result = harness.run("loops", "--name", "no-such-program")
        self.assertEqual((result.returncode, result.stdout), (3, ""))

    def test_name_matches_and_no_match_is_3(self):
        self.document("check", "--name", "stall_c", "--for", "3s", "--json", status=1)
        self.assertEqual(harness.run("check", "--name", "no-such-*", "--for", "1s").returncode, 3)

    def test_options_stand_anywhere(self):
        a = harness.run("--json", "check", "--for", "2500ms", self.pid)
        self.assertEqual(a.returncode, 1, a.stderr)

    def test_time_scale_is_told(self):
        document = self.document("loops", self.pid, "--json", "--for", "1s", "--time-scale", "0.1")
        self.assertEqual(document["time_scale"], 0.1)

    def test_rules_lists_every_rule_with_its_keys(self):
        rules = json.loads(harness.run("rules", "--json").stdout)["rules"]
        ids = {rule["id"] for rule in rules}
        self.assertTrue({"loop-blocked", "loop-hung", "loop-cpu", "loop-sync-io", "loop-lock"} <= ids)
        result = harness.run("rules", "loop-blocked")
        self.assertEqual(result.returncode, 0)
        self.assertIn("loop-blocked.warn", result.stdout)

    def test_doctor_can_watch(self):
        result = harness.run("doctor")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_help_and_version(self):
        self.assertEqual(harness.run("--version").returncode, 0)
        for command in ("top", "ps", "watch", "check", "record", "report", "doctor", "rules"):
            result = harness.run(command, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""), command)
            self.assertIn("loopscope " + command, result.stdout)

    def test_a_pipe_that_closes_ends_watch_quietly(self):
        result = subprocess.run(f"{harness.AGENT} watch {self.pid} --json --for 6s | head -n 1",
                                shell=True, capture_output=True, text=True, timeout=20)
        self.assertNotIn("Traceback", result.stderr)
        self.assertIn("attached", result.stdout)

    def test_sigterm_ends_watch_with_0(self):
        watch = harness.Watch(self.pid)
        watch.wait_attached()
        watch.process.send_signal(signal.SIGTERM)
        self.assertTrue(watch.wait(5))
        self.assertEqual(watch.process.returncode, 0)


if __name__ == "__main__":
    harness.need_agent()
    unittest.main(verbosity=1, warnings="ignore")
