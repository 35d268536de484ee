"""What looking at 5,000 processes costs, beside ps."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import truediv

from bench.tools import table
from textfile_users.paths import Paths
from textfile_users.processes.process_table import MAX_AGE_OF_MOVES, read_all

COUNT = 5_000
MICROSECONDS = 25.0
TIMES_PS = 1.5
PS = ("ps", "-eo", "user,pcpu,rss")


@contextmanager
def sleeping(count: int) -> Iterator[None]:
    """Have so many more processes that sleep, and end them all."""
    gc.freeze()  # nobody writes into the memory they share
    children = []
    try:
        for _ in range(count):
            pid = os.fork()
            if not pid:
                try:
                    signal.pause()
                finally:
                    os._exit(0)
            children.append(pid)
        yield
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        gc.unfreeze()


def measure_processes(directory: str, runs: int) -> str:  # noqa: ARG001
    """Return the table; needs no files, so nothing is made in `directory`."""
    path = shutil.which(PS[0])
    with sleeping(COUNT):
        # As if they had settled long ago, and a scan had been before.
        now = time.time() + 2 * MAX_AGE_OF_MOVES
        found, _, places = read_all(Paths(), {}, now)
        count = len(found or ())

        def look() -> float:
            return _cpu(resource.RUSAGE_SELF, lambda: read_all(Paths(), places, now))

        def first_look() -> float:
            return _cpu(resource.RUSAGE_SELF, lambda: read_all(Paths(), {}, now))

        def ps() -> float:
            return _cpu(resource.RUSAGE_CHILDREN, lambda: _run_ps(path or ""))

        costs: dict[str, list[float]] = {}
        gc.disable()  # as the program does
        try:
            for _ in range(runs):
                for measured in (look, first_look, ps) if path else (look, first_look):
                    microseconds = measured() * 1e6 / count
                    costs.setdefault(measured.__name__, []).append(microseconds)
        finally:
            gc.enable()
    rows = [(f"{count:,} processes", "microseconds of CPU each", "bound")]
    bound = f"at most {MICROSECONDS:g}"
    if path:
        rows.append(("`" + " ".join(PS) + "`", f"{min(costs['ps']):.1f}", ""))
        # Of those that were measured one after the other, for machines change their pace.
        ratio = statistics.median(map(truediv, costs["look"], costs["ps"]))
        bound += f", or {TIMES_PS:g} times ps: {ratio:.2f}"
    rows.append(("a scan", f"{min(costs['look']):.1f}", bound))
    rows.append(("the first scan, or all new", f"{min(costs['first_look']):.1f}", ""))
    return table(rows)


def _cpu(who: int, function: Callable[[], object]) -> float:
    """Return the CPU time in seconds that a call takes, of ourselves or of our children."""
    before = resource.getrusage(who)
    function()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run_ps(path: str) -> None:
    null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(path, PS, os.environ, file_actions=null)
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"{path}: status {status}")
