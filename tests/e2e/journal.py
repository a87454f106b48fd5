"""A target's own log (see ../targets/plan.h): the ground truth."""

import os
import time
from dataclasses import dataclass


@dataclass
class Stall:
    number: int
    begin: int  # ns of CLOCK_MONOTONIC
    cause: str
    functions: dict  # any of them is right; the (first, last) lines of each
    file: str  # "-": unknown
    end: int = None  # None: never ended
    cpu: tuple = None  # user, kernel: ns of the thread; None: unknown
    waited: int = None  # ns that it could have run and had no CPU; None: unknown

    @property
    def length(self):
        return None if self.end is None else self.end - self.begin

    @property
    def kernel_share(self):
        """Of its CPU time; None: unknown."""
        return self.cpu[1] / sum(self.cpu) if self.cpu and sum(self.cpu) else None

    @property
    def starved(self):
        """Waiting for a CPU was most of it, or as much as anything else within a tenth."""
        if self.waited is None:
            return False
        ran = sum(self.cpu)
        return self.waited >= 0.9 * max(ran, self.length - ran - self.waited)


@dataclass
class Journal:
    pid: int
    tid: int
    realtime_offset: int  # CLOCK_REALTIME - CLOCK_MONOTONIC
    stalls: list
    done: bool


def line_range(text):
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def function_lines(names, otherwise):
    """NAME|NAME@FIRST-LAST -> the lines of each."""
    pairs = (name.partition("@") for name in names.split("|"))
    return {name: line_range(lines or otherwise) for name, _, lines in pairs}


def parse(text):
    journal = Journal(0, 0, 0, [], False)
    for line in text.splitlines():
        words = line.split()
        if words[0] == "ready":
            mono, real, journal.pid, journal.tid = map(int, words[1:5])
            journal.realtime_offset = real - mono
        elif words[0] == "begin":
            journal.stalls.append(Stall(int(words[1]), int(words[2]), words[3],
                                        function_lines(words[4], words[6]), words[5]))
        elif words[0] == "end":
            journal.stalls[-1].end = int(words[2])
            journal.stalls[-1].cpu = tuple(map(int, words[3:5])) or None
            journal.stalls[-1].waited = int(words[5]) if len(words) > 5 else None
        elif words[0] == "done":
            journal.done = True
    return journal


def load(path):
    with open(path) as log:
        text = log.read()
    return parse(text[:text.rfind("\n") + 1])


def wait_for(path, word, seconds):
    """Waits until a line that begins with `word` is there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.path.exists(path):
            with open(path) as log:
                if any(line.startswith(word) for line in log if line.endswith("\n")):
                    return True
        time.sleep(0.02)
    return False
