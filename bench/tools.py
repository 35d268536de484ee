"""What the tables share: our command, its CPU time and memory, and how a table is printed."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

# As the unit starts it.
RUN = "from textfile_users.__main__ import run; run()"
PYTHON = sys.executable
BARE = [PYTHON, "-I", "-c", "pass"]
# Prints the process's peak memory (proc_pid_status(5)) when it ends.
PEAK = (
    "import os, sys\n"
    "def peak(status):\n"
    "    for line in open('/proc/self/status'):\n"
    "        if line.startswith('VmHWM'): os.write(1, line.encode())\n"
    "    end(status)\n"
    "end, os._exit = os._exit, peak\n"
)


def cpu_seconds(argv: list[str]) -> float:
    """Run a command and return its CPU time, its children's included, in seconds."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=null)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{argv}: status {status}")
    return usage.ru_utime + usage.ru_stime


def peak_kib(code: str) -> int:
    """Return the peak memory of `python -I -c code` in KiB."""
    argv = [PYTHON, "-I", "-c", PEAK + code + "\nos._exit(0)"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[1])


def times_base(argv: list[str], bare: list[float], python: str = PYTHON) -> float:
    """Return a command's cost in times BASE; ``bare`` has what that cost, and gets more.

    It is that of the bare interpreters before and behind the command: machines change their pace
    from second to second.
    """
    base = [python, *BARE[1:]]
    if not bare:
        bare.append(cpu_seconds(base))
    seconds = cpu_seconds(argv)
    bare.append(cpu_seconds(base))
    return seconds / statistics.mean(bare[-2:])


def medians(
    commands: dict[str, list[str]], runs: int, slow: set[str]
) -> tuple[dict[str, float], float]:
    """Return each command's cost in times BASE, and BASE in seconds; both are medians.

    All take turns in random order, the ``slow`` ones fewer.
    """
    found: dict[str, list[float]] = {name: [] for name in commands}
    bare: list[float] = []
    for number in range(runs):
        for name in random.sample(sorted(commands), len(commands)):
            if name not in slow or number < 5:
                wait_for_minute(name)
                found[name].append(times_base(commands[name], bare))
    ratios = {name: statistics.median(costs) for name, costs in found.items()}
    return ratios, statistics.median(bare)


def wait_for_minute(name: str) -> None:
    """Where looks repeat, begin early enough in the minute for all of them."""
    left = 60 - time.time() % 60
    if name.startswith("repeat") and left < 10:
        time.sleep(left)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as a Markdown table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def ours(directory: str, *argv: str) -> list[str]:
    """Return our command as the timer runs it, with output and state below `directory`."""
    os.environ["STATE_DIRECTORY"] = directory  # by hand it would read the settings first
    os.makedirs(directory, exist_ok=True)
    state = os.path.join(directory, "state")
    return [
        PYTHON, "-I", "-c", RUN, "--output", os.path.join(directory, "users.prom"),
        "--state-directory", state, "--runtime-directory", state, *argv,
    ]  # fmt: skip
