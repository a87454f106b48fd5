"""A real zsh with the completion loaded, in a pseudo terminal: what Tab makes of a line."""

import os
import pty
import select
import shutil
import sys
import tempfile
import time

import helptext

agent, pages = sys.argv[1:3]
if not shutil.which("zsh"):
    print("skipped: zsh is not installed")
    sys.exit(77)
failures = []


class Shell:
    def __init__(self, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "HOME": home, "TERM": "vt100",
                                                    "COLUMNS": "200", "LINES": "200", "LC_ALL": "C.UTF-8"})
        self.say(f"fpath=({pages} $fpath); PS1=; PS2=; LISTMAX=10000; unsetopt beep\n")
        self.say("autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' verbose no; echo rea''dy\n")
        if "ready" not in self.until("ready", 30):
            sys.exit("failed: zsh does not start")
        self.until(None, 0.5)

    def say(self, text):
        os.write(self.fd, text.encode())

    def until(self, wanted, seconds):
        out, end = "", time.monotonic() + seconds
        while time.monotonic() < end and not (wanted and wanted in out):
            if select.select([self.fd], [], [], 0.1)[0]:
                out += os.read(self.fd, 65536).decode(errors="replace")
        return out

    def tab(self, line, *wanted, absent=()):
        """Every word of `wanted` comes after Tab within 10 s; the line is thrown away again."""
        wanted = [word for word in wanted if word not in line]  # which is echoed
        self.say(line + "\t")
        out, end = "", time.monotonic() + 10
        while time.monotonic() < end and not all(word in out for word in wanted):
            out += self.until(None, 0.2)
        for word in wanted:
            if word not in out:
                failures.append(f"'{line}' and Tab does not show {word}: {out[-200:]!r}")
        for word in absent:
            if word in out:
                failures.append(f"'{line}' and Tab shows {word}")
        self.say("\x15\x0c")  # ^U ^L
        self.until(None, 0.3)


with tempfile.TemporaryDirectory() as home:
    open(os.path.join(home, "night.lsr"), "w").close()
    shell = Shell(home)
    shell.tab("loopscope ", *helptext.commands(agent))
    shell.tab("loopscope wat", "watch")
    for command in ("check", "report", "top"):
        names = [names[-1] for names, _, _ in helptext.options(agent, command)]
        shell.tab(f"loopscope {command} --", *(name for name in names if name.startswith("--")))
    shell.tab("loopscope ps --", "--json", absent=("--fail-on", "--listen"))
    shell.tab("loopscope check 1 --backend ", "auto", "bpf", "proc")
    shell.tab("loopscope --color al", "always")
    shell.tab("loopscope rules loop-star", "loop-starved")
    shell.tab("loopscope diff ni", "night.lsr")
    shell.tab("loopscope watch -o loop-blocked.w", "loop-blocked.warn=")
    os.kill(shell.pid, 9)
    os.waitpid(shell.pid, 0)

print("\n".join(failures) or "zsh: completions as they should be")
sys.exit(1 if failures else 0)
