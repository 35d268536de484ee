"""How the cost of a scan grows with what there is to see: the exponent of a fitted power."""

from __future__ import annotations

import math
import os
import shutil
import statistics
import time

from bench.logs import ATTACKED, write_log
from bench.tools import cpu_seconds, ours, table
from tests.hosts import Host, busy_host

MB = 1_000_000
SESSIONS = (300, 1_000, 3_000, 10_000)
PROCESSES = (300, 1_000, 3_000, 10_000)
LINES = (3, 10, 30, 100)  # MB
BOUND = "at most 1.1"


def measure_growth(directory: str, runs: int) -> str:
    """Return the table, made with hosts in `directory`; all collectors, the second scan."""
    rows = [("cost grows with", "exponent", "bound")]
    for name, make, counts in (
        ("sessions (of ten users each)", _sessions, SESSIONS),
        ("processes", _processes, PROCESSES),
        ("MB of log to catch up with", _log, LINES),
    ):
        commands = {}
        for count in (0, *counts):
            root = os.path.join(directory, f"{make.__name__}-{count}")
            commands[count] = ours(root, "--root", root, "--timeout", "600", *make(root, count))
        costs = _costs(commands, min(runs, 7))
        found = exponent({count: costs[count] - costs[0] for count in counts})
        each = (costs[counts[-1]] - costs[0]) / counts[-1]
        rows.append((f"{name}, {counts[0]} to {counts[-1]:,}", f"{found:.2f}", BOUND))
        rows.append(("    microseconds each, of the most", f"{each * 1e6:,.1f}", ""))
        for count in (0, *counts):
            shutil.rmtree(os.path.join(directory, f"{make.__name__}-{count}"))
    return table(rows)


def exponent(costs: dict[int, float]) -> float:
    """Return the slope of a line fitted to the logarithms: 1 where cost is proportional."""
    xs = [math.log(count) for count in costs]
    ys = [math.log(cost) for cost in costs.values()]
    middle, height = statistics.mean(xs), statistics.mean(ys)
    above = sum((x - middle) * (y - height) for x, y in zip(xs, ys))
    return above / sum((x - middle) ** 2 for x in xs)


def _costs(commands: dict[int, list[str]], runs: int) -> dict[int, float]:
    """Return the median cost of each command in seconds, without its first scan's."""
    times: dict[int, list[float]] = {count: [] for count in commands}
    for number in range(runs + 1):
        for count, argv in commands.items():
            if "--backfill" in argv:
                shutil.rmtree(argv[argv.index("--state-directory") + 1], ignore_errors=True)
            seconds = cpu_seconds(argv)
            if number:
                times[count].append(seconds)
    return {count: statistics.median(values) for count, values in times.items()}


def _sessions(root: str, count: int) -> list[str]:
    busy_host(root, count)
    return []


def _processes(root: str, count: int) -> list[str]:
    host = busy_host(root, 10)
    for pid in range(100_000, 100_000 + count):
        host.process(pid, "idle", cgroup="/system.slice/idle.service")
    return []


def _log(root: str, count: int) -> list[str]:
    host = Host(root)
    host.no_sessions()
    os.makedirs(os.path.join(root, "var/log"), exist_ok=True)
    with open(os.path.join(root, "var/log/auth.log"), "wb") as file:
        write_log(file, count * MB, ATTACKED, True, time.time() - 7200)
    return ["--collectors", "auth", "--backfill"]
