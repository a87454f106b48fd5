#!/usr/bin/python3
"""Loops of every make are recognised and judged; what is no loop is not."""

import json
import os
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness
import schema

NGINX = """
daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;
uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; server {{ listen unix:{0}/sock; }} }}
"""


class Loops(unittest.TestCase):
    def start(self, *command):
        if not os.path.exists(command[0]) and "/" in command[0]:
            self.skipTest(f"{os.path.basename(command[0])} could not be built here")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end, process)
        time.sleep(0.3)
        if process.poll() == harness.SKIPPED:
            self.skipTest(f"{' '.join(command[1:])} cannot run here")
        self.assertIsNone(process.poll(), "the target ended")
        return process

    def check(self, pid, *args):
        result = harness.run("check", pid, "--json", *args)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        document = json.loads(result.stdout)
        self.assertEqual(schema.problems(document), [])
        return document

    def expect_stalls(self, document, runtime):
        self.assertEqual([p["runtime"] for p in document["processes"]], [runtime])
        self.assertEqual(len(document["loops"]), 1, document["loops"])
        culprits = [f["culprit"]["function"] for f in document["findings"]
                    if f["rule"] == "loop-sync-io" and f["culprit"]]
        self.assertIn("stall_now", culprits, [f["title"] for f in document["findings"]])

    def test_each_kind_of_wait(self):
        for kind in ("epoll", "poll", "ppoll", "select", "pselect", "uring"):
            with self.subTest(kind):
                target = self.start(harness.program("kinds"), kind)
                self.expect_stalls(self.check(target.pid, "--for", "3500ms"), "epoll")
                harness.end(target)

    def test_healthy_kinds_are_quiet(self):
        for kind in ("epoll", "poll", "select", "uring"):
            with self.subTest(kind):
                target = self.start(harness.program("kinds"), kind, "--healthy")
                document = self.check(target.pid, "--for", "3s")
                self.assertEqual([f["title"] for f in document["findings"]
                                  if f["severity"] != "info" and f["rule"] != "loop-starved"], [])
                harness.end(target)

    def test_libevent(self):
        target = self.start(harness.program("libevent_loop"))
        self.expect_stalls(self.check(target.pid, "--for", "3500ms"), "libevent")

    def test_libev(self):
        target = self.start(harness.program("libev_loop"))
        self.expect_stalls(self.check(target.pid, "--for", "3500ms"), "libev")

    def test_static_program(self):
        target = self.start(harness.program("stall_static"))
        self.expect_stalls(self.check(target.pid, "--for", "3500ms"), "epoll")

    def test_nginx_is_recognised(self):
        if not os.path.exists("/usr/sbin/nginx"):
            self.skipTest("nginx is not installed")
        with harness.Scratch() as folder:
            config = os.path.join(folder, "nginx.conf")
            with open(config, "w") as file:
                file.write(NGINX.format(folder))
            target = self.start("/usr/sbin/nginx", "-c", config, "-p", folder)
            document = self.check(target.pid, "--for", "3s")
            self.assertEqual([p["runtime"] for p in document["processes"]], ["nginx"])
            self.assertEqual(document["findings"], [])
            harness.end(target)

    def test_a_spinning_loop_is_named_with_its_descriptor(self):
        target = self.start(harness.program("kinds"), "spin-fd")
        document = self.check(target.pid, "--for", "9s")
        spins = [f for f in document["findings"] if f["rule"] == "loop-spin"]
        self.assertTrue(spins, [f["title"] for f in document["findings"]])

    def test_a_saturated_loop_is_no_stall(self):
        target = self.start(harness.program("kinds"), "saturated")
        document = self.check(target.pid, "--for", "8s")
        bad = [f["title"] for f in document["findings"]
               if f["severity"] != "info" and f["rule"] != "loop-starved"]
        self.assertEqual(bad, [])

    def test_pool_threads_are_no_loops(self):
        target = self.start(harness.program("healthy_c"))
        document = self.check(target.pid, "--for", "3s")
        self.assertEqual([p["runtime"] for p in document["processes"]], ["libuv"])
        self.assertEqual([loop["tid"] for loop in document["loops"]], [target.pid])

    def test_a_worker_that_never_sleeps_is_a_loop(self):
        if not os.path.exists("/usr/bin/node"):
            self.skipTest("node is not installed")
        target = self.start("node", os.path.join(harness.TARGETS, "busy_worker.js"))
        time.sleep(1)
        document = self.check(target.pid, "--for", "6s")
        loops = [loop["tid"] for loop in document["loops"]]
        self.assertEqual(len(loops), 2, document["loops"])
        blamed = {(f["culprit"]["function"], os.path.basename(f["culprit"]["file"]))
                  for f in document["findings"] if f["culprit"] and f["culprit"]["file"]}
        self.assertEqual(blamed, {("spin", "busy_worker.js")}, [f["title"] for f in document["findings"]])
        worker = max(loops, key=lambda tid: tid != target.pid)
        self.assertEqual({f["tid"] for f in document["findings"]}, {worker})

    def test_runtimes_by_their_names(self):
        script = os.path.join(harness.TARGETS, "healthy.py")
        self.expect_runtime("asyncio", harness.PYTHON, script)
        if os.path.exists("/usr/bin/node"):
            self.expect_runtime("node", "node", os.path.join(harness.TARGETS, "healthy.js"))

    def expect_runtime(self, runtime, *command):
        target = self.start(*command)
        time.sleep(1)
        document = self.check(target.pid, "--for", "3s")
        self.assertEqual([p["runtime"] for p in document["processes"]], [runtime])
        harness.end(target)

    def test_go_is_recognised_and_not_judged(self):
        target = self.start(harness.program("go_loop"))
        result = harness.run("check", target.pid, "--for", "2500ms", "--json")
        self.assertEqual(result.returncode, 4, result.stdout[:300])
        self.assertIn("go", (result.stdout + result.stderr).lower())

    def test_a_32_bit_program_gets_one_clear_line(self):
        target = self.start(harness.program("stall_32bit"))
        result = harness.run("check", target.pid, "--for", "3s")
        self.assertIn(result.returncode, (0, 1, 3, 4))
        if result.returncode >= 3:
            self.assertIn("32", result.stderr)


if __name__ == "__main__":
    harness.need_agent()
    unittest.main(warnings="ignore", verbosity=1)
