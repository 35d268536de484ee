"""What a megabyte of lines of one kind costs to count, beside usual lines of sshd."""

from __future__ import annotations

import statistics
import time

from bench.tools import table
from tests.long.kinds import KINDS, PLAIN, count, lines, usual

SIZE = 1 << 20


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
