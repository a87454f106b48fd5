"""loopscope lint on pairs of wrong and right programs, and on input that is no program.

usage: check_lint.py LOOPSCOPE FOLDER-OF-PAIRS
A wrong program marks what must be found with `expect: RULE...` in the line; nothing else may be.
With LOOPSCOPE_SARIF_SCHEMA=FILE the SARIF output is validated against that schema too.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

LOOPSCOPE, PAIRS = sys.argv[1], os.path.abspath(sys.argv[2])
STALL = "import time\nasync def f():\n    time.sleep(1)\n"


def lint(*args, cwd=None, env=None):
    done = subprocess.run([LOOPSCOPE, "lint", *args], capture_output=True, timeout=120, cwd=cwd,
                          env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def document(*args, **more):
    status, out, err = lint(*args, "--json", **more)
    return status, json.loads(out), err


def places(doc):
    return sorted((os.path.basename(f["file"]), f["line"], f["rule"]) for f in doc["findings"])


def expected(path):
    with open(path) as f:
        for number, line in enumerate(f, 1):
            found = re.search(r"expect: ([a-z -]+)", line)
            for rule in found.group(1).split() if found else ():
                yield os.path.basename(path), number, rule


class Pairs(unittest.TestCase):
    def languages(self):
        return document(PAIRS + "/right/cpu.py")[1]["languages"]

    def programs(self, which):
        """Those of the languages that can be checked here."""
        there = {".py": True, ".c": "C" in self.languages(), "js": shutil.which("node")}
        for suffix in (s for s in there if there[s]):
            paths = sorted(glob.glob(PAIRS + "/" + which + "/*" + suffix))
            self.assertGreaterEqual(len(paths), 4)
            yield from paths

    def test_each_wrong_one_is_found_at_its_line(self):
        for path in self.programs("wrong"):
            with self.subTest(os.path.basename(path)):
                status, doc, err = document(path)
                self.assertEqual(places(doc), sorted(expected(path)))
                self.assertEqual((status, err), (1, ""))

    def test_each_right_one_is_quiet(self):
        paths = list(self.programs("right"))
        status, doc, err = document(*paths)
        self.assertEqual((status, places(doc), doc["not_checked"], err), (0, [], [], ""))
        self.assertEqual(doc["files"], len(paths))

    def test_every_rule_has_a_pair(self):
        wrong = {rule for p in glob.glob(PAIRS + "/wrong/*") for _, _, rule in expected(p)}
        sarif = json.loads(lint(PAIRS + "/right", "--format", "sarif")[1])
        rules = {r["id"] for r in sarif["runs"][0]["tool"]["driver"]["rules"]}
        self.assertEqual(wrong, rules)

    def test_a_helper_is_told_with_its_chain(self):
        _, doc, _ = document(PAIRS + "/wrong/sync_io.py")
        found = [f for f in doc["findings"] if f["about"] == "requests.get"]
        self.assertEqual([[s["function"] for s in f["chain"]] for f in found],
                         [["profile", "load"]])


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path


class HostileInput(Folder):
    def test_one_line_each_and_the_rest_is_checked(self):
        self.write("broken.py", "def f(:\n")
        self.write("binary.py", b"\x7fELF\0\1\2")
        self.write("latin.py", b"# caf\xe9\nx = 1\n")
        self.write("huge.py", b"#" * (9 << 20))
        self.write("deep.py", "(" * 100000 + ")" * 100000)
        self.write("nested.py", "x = " + "-" * 50000 + "1\n")
        self.write("chained.py", "x = " + "+".join(["a"] * 50000) + "\n# async\n")
        os.symlink(".", os.path.join(self.folder, "again"))
        os.symlink("b.py", os.path.join(self.folder, "a.py"))
        os.symlink("a.py", os.path.join(self.folder, "b.py"))
        os.mkfifo(os.path.join(self.folder, "pipe.py"))
        self.write("zz_good.py", STALL)
        status, doc, err = document(self.folder)
        self.assertEqual((status, places(doc)), (1, [("zz_good.py", 3, "loop-sync-io")]))
        told = sorted(os.path.basename(s["file"]) for s in doc["not_checked"])
        for name in ("a.py", "again", "b.py", "binary.py", "broken.py", "deep.py", "huge.py",
                     "latin.py", "nested.py", "pipe.py"):
            self.assertEqual(told.count(name), 1, name)
        self.assertEqual(len(err.splitlines()), len(told))

    def test_nothing_is_imported_or_run(self):
        proof = os.path.join(self.folder, "ran")
        self.write("ast.py", "open(%r, 'w')\n" % proof)
        for name in ("json", "sitecustomize", "usercustomize", "tokenize", "re"):
            self.write(name + ".py", "open(%r, 'w')\n" % proof)
        env = dict(os.environ, PYTHONPATH=self.folder, PYTHONSTARTUP=self.folder + "/ast.py")
        status, doc, _ = document(".", cwd=self.folder, env=env)
        self.assertEqual((status, doc["files"], os.path.exists(proof)), (0, 6, False))

    def test_a_declared_encoding_is_obeyed(self):
        self.write("latin.py", b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + STALL.encode())
        _, doc, err = document(self.folder)
        self.assertEqual((places(doc), err), ([("latin.py", 5, "loop-sync-io")], ""))

    def test_columns_count_characters(self):
        self.write("a.py", "import time\nasync def f():\n    x = '\u00e9\U0001f600'; time.sleep(1)\n")
        self.write("b.js", "async function f() { '\u00e9\U0001f600'; require('fs').readFileSync('a') }\n")
        found = document(self.folder)[1]["findings"]
        self.assertEqual([f["column"] for f in found], [15, 28][:len(found)])
        self.assertGreaterEqual(len(found), 1)

    def test_a_file_is_checked_once(self):
        path = self.write("one.py", STALL)
        os.symlink("one.py", os.path.join(self.folder, "two.py"))
        self.assertEqual(len(document(self.folder, path)[1]["findings"]), 1)

    def test_names_of_files_do_no_harm(self):
        self.write("a\x1b[31m\n.py", STALL)
        _, out, _ = lint(self.folder)
        self.assertNotIn("\x1b", out)
        for form in ("sarif", "json"):
            self.assertTrue(json.loads(lint(self.folder, "--format", form)[1]))

    def test_javascript_too(self):
        if not shutil.which("node"):
            self.skipTest("no node")
        proof = os.path.join(self.folder, "ran")
        evil = "require('fs').writeFileSync(%r, '')\n" % proof
        os.makedirs(self.folder + "/node_modules/acorn")
        self.write("node_modules/acorn/index.js", evil)
        self.write("acorn.js", evil)
        self.write("broken.js", "function (\n")
        self.write("binary.js", b"\x7fELF\0")
        self.write("latin.mjs", b"// caf\xe9\n")
        self.write("deep.js", "(" * 100000 + ")" * 100000)
        self.write("typed.ts", "let x: number = 1\n")
        self.write("zz.js", "async function f() { require('fs').readFileSync('a') }\n")
        env = dict(os.environ, NODE_OPTIONS="--require " + self.folder + "/acorn.js")
        status, doc, err = document(".", cwd=self.folder, env=env)
        self.assertEqual((status, places(doc), os.path.exists(proof)),
                         (1, [("zz.js", 1, "loop-sync-io")], False))
        told = {os.path.basename(s["file"]): s["why"] for s in doc["not_checked"]}
        self.assertEqual(sorted(told), [".", "binary.js", "broken.js", "deep.js", "latin.mjs"])
        self.assertIn("TypeScript", told["."])
        self.assertEqual(len(err.splitlines()), len(told))

    def test_c_too(self):
        """With a database as make's wrappers write it: files by their bare names."""
        if "C" not in document(PAIRS + "/right/cpu.py")[1]["languages"]:
            self.skipTest("no libclang")
        ours = "#include <loopscope/loopscope.h>\n"
        self.write("broken.c", ours + "int main(void) { return 0\n")
        self.write("deep.c", ours + "int x = " + "(" * 60000 + "1" + ")" * 60000 + ";\n")
        self.write("latin.c", ours.encode() + b"int caf\xe9 = 1;\n")
        self.write("binary.c", ours.encode() + b"\0\1\2\xff" * 500)
        self.write("zz.c", "#include <unistd.h>\n" + ours + "static int64_t t(void *a)\n{\n    sleep(1);\n"
                   "    return a != 0;\n}\nint main(void) { return (int)ls_run(t, 0); }\n")
        include = os.path.abspath(PAIRS + "/../../lib/include")
        self.write("compile_commands.json", json.dumps(
            [{"directory": self.folder, "file": name, "command": f"cc -I{include} -c {name} -o x.o"}
             for name in os.listdir(self.folder)]))
        # By a relative path from elsewhere: libclang goes into the folder that the database names.
        parent, name = os.path.split(self.folder)
        status, doc, err = document(name, cwd=parent)
        self.assertEqual((status, places(doc)), (1, [("zz.c", 5, "loop-sync-io")]))
        told = sorted(os.path.basename(s["file"]) for s in doc["not_checked"])
        self.assertEqual(told, ["binary.c", "broken.c", "deep.c", "latin.c"])
        self.assertEqual(len(err.splitlines()), len(told))

    def test_without_node(self):
        self.write("a.js", "x()\n")
        self.write("b.py", STALL)
        os.makedirs(self.folder + "/bin")
        os.symlink(os.path.realpath(sys.executable), self.folder + "/bin/python3")
        status, doc, err = document(self.folder, env=dict(os.environ, PATH=self.folder + "/bin"))
        self.assertEqual((status, places(doc)), (1, [("b.py", 3, "loop-sync-io")]))
        self.assertIn("there is no node here", err)
        self.assertLessEqual(len(err.splitlines()), 2)

    def test_without_python(self):
        self.write("a.py", STALL)
        status, out, err = lint(self.folder, env=dict(os.environ, PATH="/nowhere"))
        self.assertEqual((status, out), (5, ""))
        self.assertIn("there is no python3", err)


class Statuses(Folder):
    def test_of_usage(self):
        self.write("a.py", STALL)
        for args in ([], ["/no/such/file"], [self.folder, "--ignore", "no-rule"],
                     [self.folder, "--format", "html"], [self.folder, "-o", "fd-leak.call=x"],
                     [self.folder, "--baseline", self.folder + "/a.py"]):
            with self.subTest(args):
                status, out, err = lint(*args)
                self.assertEqual((status, out), (2, ""))
                self.assertLessEqual(len(err.splitlines()), 2)

    def test_nothing_to_check_is_not_clean(self):
        self.write("a.txt", "x")
        self.assertEqual(lint(self.folder)[0], 4)

    def test_fail_on(self):
        path = self.write("a.py", STALL)
        got = [lint(path, "--fail-on", s)[0] for s in ("info", "warning", "critical", "never")]
        self.assertEqual(got, [1, 1, 0, 0])


class Choosing(Folder):
    def test_ignore(self):
        path = self.write("a.py", STALL)
        self.assertEqual(lint(path, "--ignore", "loop-sync-io")[0], 0)
        self.assertEqual(lint(path, "--ignore", "loop-*:time.sleep")[0], 0)
        self.assertEqual(lint(path, "--ignore", "loop-sync-io:*other*")[0], 1)

    def test_baseline_knows_old_ones_where_lines_moved(self):
        path = self.write("a.py", STALL)
        known = self.write("known.json", lint(path, "--json")[1])
        self.write("a.py", "\n\n" + STALL)
        self.assertEqual(lint(path, "--baseline", known)[0], 0)
        self.write("a.py", STALL + "    time.sleep(2)\n")
        status, doc, _ = document(path, "--baseline", known)
        self.assertEqual((status, len(doc["findings"]), doc["known"]), (1, 1, 1))

    def test_own_calls(self):
        path = self.write("a.py", "from shop import db\nasync def f():\n    db.query()\n")
        config = self.write("lint.conf", "loop-sync-io.call=shop.db.*  # ours\n")
        self.assertEqual(lint(path)[0], 0)
        self.assertEqual(lint(path, "-c", config)[0], 1)
        self.assertEqual(lint(path, "-o", "loop-cpu.call=shop.db.query")[0], 1)

    def test_a_comment_allows(self):
        for comment in ("loopscope: ignore", "loopscope: ignore[loop-sync-io]",
                        "loopscope: ignore[fd-orphan, loop-sync-io] because"):
            path = self.write("a.py", STALL.rstrip() + "  # " + comment + "\n")
            self.assertEqual(lint(path)[0], 0, comment)
        for comment in ("loopscope: ignore[loop-cpu]", "loopscope: ignore[loop-sync-io-x]"):
            path = self.write("a.py", STALL.rstrip() + "  # " + comment + "\n")
            self.assertEqual(lint(path)[0], 1, comment)


class Formats(unittest.TestCase):
    def test_sarif(self):
        doc = json.loads(lint(PAIRS, "--format", "sarif")[1])
        run = doc["runs"][0]
        self.assertEqual((doc["version"], len(doc["runs"])), ("2.1.0", 1))
        rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
        self.assertGreater(len(run["results"]), 30)
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]], result["ruleId"])
            place = result["locations"][0]["physicalLocation"]
            self.assertTrue(place["artifactLocation"]["uri"].startswith("file:///"))
            self.assertGreater(place["region"]["startLine"], 0)
        schema = os.environ.get("LOOPSCOPE_SARIF_SCHEMA")
        if schema:
            import jsonschema
            with open(schema) as f:
                jsonschema.validate(doc, json.load(f))

    def test_junit(self):
        root = xml.dom.minidom.parseString(lint(PAIRS + "/wrong", "--format", "junit")[1])
        suite = root.documentElement
        failed = [c for c in suite.getElementsByTagName("testcase")
                  if c.getElementsByTagName("failure")]
        self.assertEqual(int(suite.getAttribute("failures")), len(failed))
        self.assertGreater(len(failed), 8)

    def test_text_begins_with_the_place(self):
        status, out, _ = lint(PAIRS + "/wrong/cpu.py")
        self.assertTrue(out.startswith(PAIRS + "/wrong/cpu.py:9:12: loop-cpu: "), out)
        self.assertEqual(status, 1)

    def test_output_goes_to_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            status, out, _ = lint(PAIRS + "/wrong", "--json", "-o", folder + "/x.json")
            with open(folder + "/x.json") as f:
                self.assertGreater(len(json.load(f)["findings"]), 30)
            self.assertEqual((status, out), (1, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
