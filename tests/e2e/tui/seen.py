#!/usr/bin/python3
"""Which stalls are on the screen while they last? Looks at a terminal of tmux as often as it can, without starting a
program for each look: those would be late on a loaded machine, whatever the dashboard does.

usage: seen.py SOCKET LOG WANTED TRIES   LOG: "begin MS" and "end" lines of the program that stalls.
Prints after how many ms each was seen; status 1 when fewer than WANTED of the next TRIES were."""

import os
import subprocess
import sys
import time


class Screen:
    """The terminal, through one client that stays."""

    def __init__(self, socket):
        self.client = subprocess.Popen(["tmux", "-L", socket, "-f", "/dev/null", "-C", "attach", "-f", "ignore-size,no-output"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace")
        self.answer()

    def answer(self):
        lines = None
        for line in self.client.stdout:
            if line.startswith("%begin "):
                lines = []
            elif line.startswith(("%end ", "%error ")):
                return lines
            elif lines is not None:
                lines.append(line)
        sys.exit("the terminal is gone")

    def look(self):
        self.client.stdin.write("capture-pane -p\n")
        self.client.stdin.flush()
        return self.answer()


class Log:
    """What the program says of itself."""

    def __init__(self, path):
        self.file, self.rest, self.begun, self.ended = open(path), "", [], 0

    def lasts(self):
        """The number of the stall that lasts now; 0: none."""
        lines = (self.rest + self.file.read()).split("\n")
        self.rest = lines.pop()
        for line in lines:
            if line == "end":
                self.ended += 1
            else:
                self.begun.append(int(line.split()[1]))
        return len(self.begun) if len(self.begun) > self.ended else 0


def main(socket, path, wanted, tries):
    screen, log = Screen(socket), Log(path)
    log.lasts()
    first, newest, delays, cleared = len(log.begun) + 1, 0, [], True
    while len(delays) < wanted and len(log.begun) < first + tries:
        before = log.lasts()
        shown = screen.look()
        at, after = time.time() * 1000, log.lasts()
        if not any("has been inside one turn" in line for line in shown):
            cleared = True  # what is shown from now on is of a new stall
        elif cleared and before == after and after > newest and after >= first and \
                any(line.lstrip().startswith("renderInvoice") for line in shown):
            newest, cleared = after, False
            delays.append(round(at - log.begun[after - 1]))
        time.sleep(0.005)
    if len(delays) < wanted:
        sys.exit(f"seen while they lasted: {len(delays)} of {len(log.begun) - first}, wanted {wanted}")
    print(f"{len(delays)} stalls of 500 ms were on the screen while they lasted, after (ms):", *delays)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    if os.geteuid() == 0:
        os.nice(-10)  # the instrument is not what is measured
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
