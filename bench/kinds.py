"""What a megabyte of lines of one kind costs to count, beside usual lines of sshd."""

from __future__ import annotations

import statistics
import time

from bench.tools import table
from tests.hosts import NOW
from tests.long.kinds import KINDS, PLAIN, lines, usual
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.counting import Counting
from textfile_users.durable import NOTHING
from textfile_users.sources.authlog import Stamps, utc_time
from textfile_users.sources.follow import BLOCK

SIZE = 1 << 20


def count(data: bytes) -> None:
    """Count what a log says, as a scan does, block by block."""
    counting = Counting(NOTHING, NOW, (), lambda: ("root", "alice"))
    reader = Reader(Pairing(), Stamps(NOW, utc_time))
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + BLOCK) + 1
        for event in reader.read_block(data[start:end]):
            counting.take(event)
        start = end
    counting.result()


def cpu(data: bytes) -> float:
    """Return the seconds of CPU time that counting costs."""
    began = time.thread_time()
    count(data)
    return time.thread_time() - began


def measure_kinds(_: str, runs: int) -> str:
    """Return the table: medians of ratios to the usual lines counted before and behind each."""
    rows = [
        ("1 MiB of lines of one kind", "x usual", "twice as many"),
        ("usual lines of sshd", "1", ""),
    ]
    base = usual(SIZE)
    for kind in (*KINDS, *PLAIN):
        once, twice = lines(kind, SIZE), lines(kind, 2 * SIZE)
        ratios, growth = [], []
        for _number in range(runs):
            before, one, behind, two = cpu(base), cpu(once), cpu(base), cpu(twice)
            ratios.append(2 * one / (before + behind))
            growth.append(two / one)
        rows.append((kind, f"{statistics.median(ratios):.2f}", f"{statistics.median(growth):.2f}"))
    return table(rows)
