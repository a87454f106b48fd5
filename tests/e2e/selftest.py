#!/usr/bin/python3
"""The judge is judged: perfect, blind and lying agents over a made-up log."""

import sys
import unittest

sys.dont_write_bytecode = True
import harness
import journal
import stalls
import verdict
from verdict import MS

LOG = """ready 1000000000 1700000001000000000 42 42 7
begin 0 2000000000 spin block_spin stall_c.c 10-13
end 0 2500000000
begin 1 3000000000 fifo block_fifo stall_c.c 20-20
end 1 3600000000
begin 2 4000000000 fsync block_fsync stall_c.c 30-30
end 2 4080000000
"""


def event(at_ms, length_ms, rule="loop-cpu", kind="cpu-user", syscall=None, function="block_spin",
          line=11, severity="warning", number=1):
    return (5000 * MS, {"event": "update", "finding": {
        "id": f"F{number}", "rule": rule, "severity": severity, "cause": None,
        "culprit": {"function": function, "file": "/src/stall_c.c", "line": line, "module": "stall_c"},
        "occurrences": [{"at_ns": at_ms * MS, "duration_ns": length_ms * MS,
                         "captured_after_ns": 9 * MS, "stack_id": "s1",
                         "cause": {"kind": kind, "syscall": syscall}}]},
        "stacks": {"s1": [{"function": "block_spin"}, {"function": "main"}]}})


def judged(*events):
    log = journal.parse(LOG)
    return verdict.judge(log.stalls, verdict.reports(events, 0))


GOOD_SPIN = event(2000, 501)
GOOD_FIFO = event(2999, 602, "loop-sync-io", "syscall", "read", "block_fifo", 20, number=2)


class Judge(unittest.TestCase):
    def test_a_perfect_agent_is_right(self):
        v = judged(GOOD_SPIN, GOOD_FIFO)
        self.assertEqual((v.stalls, v.found, v.cause, v.culprit), (2, 2, 2, {"right": 2}))
        self.assertEqual((v.missed, v.false_reports, v.whole, v.stacks), ([], [], 2, 2))
        self.assertEqual((v.after_on, v.after_off), ([9 * MS], [9 * MS]))

    def test_a_blind_agent_misses(self):
        self.assertEqual(len(judged().missed), 2)

    def test_a_stall_too_near_the_threshold_is_not_counted(self):
        v = judged(GOOD_SPIN, GOOD_FIFO, event(4000, 80, number=3))
        self.assertEqual((v.stalls, v.false_reports), (2, []))

    def test_a_wrong_cause_is_seen(self):
        self.assertEqual(len(judged(event(2000, 500, kind="syscall", syscall="read")).wrong_causes), 1)

    def test_a_wrong_function_and_a_wrong_line_are_seen(self):
        self.assertEqual(judged(event(2000, 500, function="block_fifo")).culprit, {"wrong": 1})
        self.assertEqual(judged(event(2000, 500, line=99)).culprit, {"line": 1})

    def test_a_functions_own_lines_are_judged(self):
        log = journal.parse("begin 0 2000000000 sort blockSort|compare@5-6 a.js 10-13\n"
                            "end 0 2500000000\n")
        for function, line, word in (("blockSort", 12, "right"), ("compare", 5, "right"),
                                     ("compare", 12, "line"), ("blockSort", None, "line"),
                                     ("other", 12, "native")):
            culprit = {"function": function, "file": "/src/a.js", "line": line}
            told = verdict.Report(0, 0, 0, "", "", {}, culprit, None, 0)
            if word == "native":
                culprit["file"] = None
            self.assertEqual(verdict.culprit_verdict(log.stalls[0], told), word, (function, line))
            culprit["uncertain"] = True
            unsure = "right" if word == "right" else "uncertain"
            self.assertEqual(verdict.culprit_verdict(log.stalls[0], told), unsure)

    def test_the_line_is_the_occurrences_own(self):
        came, told = event(2000, 500, line=99)
        told["stacks"]["s1"][0] = {"function": "block_spin", "culprit": True, "line": 12}
        self.assertEqual(judged((came, told)).culprit, {"right": 1})

    def test_kernel_time_is_as_the_thread_itself_counts_it(self):
        for user, kernel, right in ((500, 0, {"cpu-user"}), (250, 250, {"cpu-user", "cpu-kernel"}),
                                    (100, 400, {"cpu-kernel"}), (None, None, {"cpu-user"})):
            cpu = "" if user is None else f" {user * MS} {kernel * MS}"
            log = journal.parse(f"begin 0 0 json a a.py 1\nend 0 {500 * MS}{cpu}\n")
            told = [word for word in ("cpu-user", "cpu-kernel", "runqueue") if verdict.cause_right(
                log.stalls[0], verdict.Report(0, 0, 0, "", "", {"kind": word}, {}, None, 0))]
            self.assertEqual(set(told), right, (user, kernel))

    def test_a_wait_for_a_cpu_is_as_the_thread_itself_counts_it(self):
        for cpu, waited, right in ((100, 400, True), (240, 260, True), (400, 100, False), (100, 0, False),
                                   (0, 200, False), (None, None, False)):
            account = "" if cpu is None else f" {cpu * MS} 0 {waited * MS}"
            for cause, function in (("spin", "block_spin"), ("fsync", "block_fsync")):
                log = journal.parse(f"begin 0 0 {cause} {function} a.c 1\nend 0 {500 * MS}{account}\n")
                told = verdict.Report(0, 500 * MS, 0, "", "", {"kind": "runqueue"}, {}, None, 0)
                v = verdict.judge(log.stalls, [told])
                self.assertEqual((v.starved_stalls, v.cause, len(v.wrong_causes)),
                                 (1, 1, 0) if right else (0, 0, 1), (cpu, waited))

    def test_no_culprit_is_not_a_wrong_one(self):
        self.assertEqual(judged(event(2000, 500, function=None)).culprit, {"none": 1})

    def test_a_report_in_a_gap_is_false(self):
        v = judged(GOOD_SPIN, GOOD_FIFO, event(5000, 200, number=3))
        self.assertEqual(len(v.false_reports), 1)

    def test_starvation_in_a_gap_is_counted_apart(self):
        v = judged(event(5000, 200, "loop-starved", "runqueue", number=3))
        self.assertEqual((v.starved, v.false_reports), (1, []))

    def test_a_glimpse_is_not_a_find(self):
        self.assertEqual(judged(event(2000, 100)).found, 0)

    def test_qualified_names(self):
        for name in ("Service.block_spin", "ns::block_spin(int)", "block_spin"):
            self.assertEqual(judged(event(2000, 500, function=name)).culprit, {"right": 1}, name)


class Limits(unittest.TestCase):
    def options(self, **more):
        values = dict(target="c", nobody=False)
        return type("Options", (), {**values, **more})

    def test_perfect_passes_and_others_fail(self):
        self.assertEqual(list(stalls.failures(judged(GOOD_SPIN, GOOD_FIFO), 0, self.options())), [])
        self.assertTrue(list(stalls.failures(judged(), 0, self.options())))

    def test_a_false_report_fails(self):
        v = judged(GOOD_SPIN, GOOD_FIFO, event(5000, 200, number=3))
        self.assertEqual(list(stalls.failures(v, 0, self.options())), ["1 false reports"])


class Clock(unittest.TestCase):
    def test_started_at_maps_to_the_targets_clock(self):
        log = journal.parse(LOG)
        self.assertEqual(harness.mono_of("2023-11-14T22:13:21.250Z", log.realtime_offset), 1250 * MS)
        with self.assertRaises(ValueError):
            harness.mono_of("2023-11-14 22:13", 0)


if __name__ == "__main__":
    unittest.main()
