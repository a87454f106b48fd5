"""A target's own log (see ../targets/plan.h): the ground truth."""

import os
import time
from dataclasses import dataclass


@dataclass
class Stall:
    number: int
    begin: int  # ns of CLOCK_MONOTONIC
    cause: str
    functions: list  # any of them is right
    file: str  # "-": unknown
    lines: tuple  # first, last
    end: int = None  # None: never ended

    @property
    def length(self):
        return None if self.end is None else self.end - self.begin


@dataclass
class Journal:
    pid: int
    tid: int
    realtime_offset: int  # CLOCK_REALTIME - CLOCK_MONOTONIC
    stalls: list
    done: bool


def parse(text):
    journal = Journal(0, 0, 0, [], False)
    for line in text.splitlines():
        words = line.split()
        if words[0] == "ready":
            mono, real, journal.pid, journal.tid = map(int, words[1:5])
            journal.realtime_offset = real - mono
        elif words[0] == "begin":
            first, _, last = words[6].partition("-")
            journal.stalls.append(Stall(int(words[1]), int(words[2]), words[3],
                                        words[4].split("|"), words[5],
                                        (int(first), int(last or first))))
        elif words[0] == "end":
            journal.stalls[-1].end = int(words[2])
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
