"""What a user's slice costs, beside opening, reading and closing the same files."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from operator import truediv

from bench.tools import table
from tests.hosts import Host
from tests.slice_files import FILES, V2
from textfile_users.accounts.account import NOTHING
from textfile_users.collecting import Scan
from textfile_users.metrics.family import render
from textfile_users.metrics.slices import slice_families
from textfile_users.paths import Paths
from textfile_users.slices.collect_slices import collect_slices

COUNT = 300
BOUND = 1.6
FLAGS = os.O_RDONLY | os.O_CLOEXEC


def measure_slices(directory: str, runs: int) -> str:
    """Return the table, made with slices in `directory`, each with all files of version 2."""
    host = Host(directory)
    for uid in range(1000, 1000 + COUNT):
        for name, content in FILES.items():
            host.write(f"{V2}/user-{uid}.slice/{name}", content)
    names = [os.path.join(where, name) for where, _, files in os.walk(directory) for name in files]
    scan = Scan(Paths(directory), 0.0)

    def bare() -> None:
        for name in names:
            descriptor = os.open(name, FLAGS)
            os.read(descriptor, 4096)
            os.close(descriptor)

    def collected() -> None:
        list(collect_slices(scan, NOTHING, float("inf")))

    def written() -> None:
        (found,) = collect_slices(scan, NOTHING, float("inf"))
        render(slice_families(found.by_user or {}, 0, {}))

    costs: dict[str, list[float]] = {"bare": [], "collected": [], "written": []}
    gc.disable()  # as the program does
    try:
        for _ in range(runs):
            for measured in (bare, collected, written):
                costs[measured.__name__].append(_cpu(measured) * 1e6 / COUNT)
    finally:
        gc.enable()
    rows = [(f"{COUNT} slices of {len(FILES)} files", "microseconds of CPU each", "x bare")]
    rows.append(("open, read and close alone", f"{statistics.median(costs['bare']):.1f}", ""))
    for name, title, bound in (
        ("collected", "the collector", f", at most {BOUND:g}"),
        ("written", "with its families and their text", ""),
    ):
        # Of those that were measured one after the other, for machines change their pace.
        ratio = statistics.median(map(truediv, costs[name], costs["bare"]))
        rows.append((title, f"{statistics.median(costs[name]):.1f}", f"{ratio:.2f}{bound}"))
    return table(rows)


def _cpu(function: Callable[[], object]) -> float:
    """Return the CPU time in seconds that a call takes."""
    before = time.process_time()
    function()
    return time.process_time() - before
