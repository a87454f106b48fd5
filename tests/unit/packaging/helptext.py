"""What `loopscope --help` says, taken apart: the independent side of the comparison."""

import re
import subprocess


def output(agent, *args):
    return subprocess.run([agent, *args], capture_output=True, text=True, check=True, timeout=20).stdout


def commands(agent):
    text = output(agent, "--help").split("\ncommands:\n")[1].split("\n\n")[0]
    return dict(line.split(None, 1) for line in text.splitlines())


def options(agent, *command):
    """Names (-x, --long) with the argument, and the help of each."""
    found = []
    text = output(agent, *command, "--help")
    for line in re.split(r"\n(?:common )?options:\n", text, maxsplit=1)[1].splitlines():
        match = re.match(r"  ((?:-\w, )?(?:--[\w-]+|-\w))(?: (\S+))? +(\S.*)$", line)
        if match:
            found.append((match[1].split(", "), match[2], match[3]))
    return found


def rules(agent):
    import json
    return json.loads(output(agent, "rules", "--json"))["rules"]
