"""Each command has a page; each option of --help, each rule and each format occurs; the pages are valid."""

import os
import re
import shutil
import subprocess
import sys

import helptext

agent, pages = sys.argv[1:3]
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def rendered(name):
    source = open(os.path.join(pages, "man1", name), encoding="utf-8").read()
    text = re.sub(r"\\f[BIR]", "", source)
    for escape, plain in (("\\-", "-"), ("\\(aq", "'"), ("\\(ha", "^"), ("\\(ti", "~"), ("\\(ga", "`"),
                          ("\\&", ""), ("\\e", "\\")):
        text = text.replace(escape, plain)
    return text


def check_options(page, text, options):
    check(len(options) > 8, f"{page}: --help names only {len(options)} options")
    for names, arg, help_text in options:
        term = "\n.TP\n" + ", ".join(names) + (f" {arg}" if arg else "") + "\n"
        check(term in text, f"{page}: no entry for {term.strip()[4:]}")
        check(help_text.replace("`", "") in text, f"{page}: {names[-1]} does not say: {help_text}")


def lint(name):
    path = os.path.join(pages, "man1", name)
    if shutil.which("mandoc"):
        out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
        lines = [line for line in out.stdout.splitlines() if "missing date" not in line]
        check(not lines, f"mandoc: {lines[:3]}")
    if shutil.which("man"):
        out = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True,
                             env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
        check(out.returncode == 0 and not out.stderr, f"man {name}: {out.stderr[:200]}")


commands = helptext.commands(agent)
check(len(commands) > 10, "--help names too few commands")
expected = {"loopscope.1"} | {f"loopscope-{name}.1" for name in commands}
found = set(os.listdir(os.path.join(pages, "man1")))
check(found == expected, f"pages that are missing or too many: {sorted(found ^ expected)}")

program = rendered("loopscope.1")
for name, summary in commands.items():
    check(summary in program, f"loopscope.1 does not say what {name} does")
check_options("loopscope.1", program, helptext.options(agent))
for name in commands:
    page = f"loopscope-{name}.1"
    check_options(page, rendered(page), helptext.options(agent, name))

rules = rendered("loopscope-rules.1")
for rule in helptext.rules(agent):
    check(f"\n.TP\n{rule['id']} ({rule['severity']})\n" in rules, f"no entry for the rule {rule['id']}")
    for key in rule["keys"]:
        check(f"-o {rule['id']}.{key['key']}=" in rules, f"{rule['id']}: key {key['key']} is missing")
for name in sorted(found):
    lint(name)

print("\n".join(failures) or f"{len(found)} pages: all that --help says is there")
sys.exit(1 if failures else 0)
