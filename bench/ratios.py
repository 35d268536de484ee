"""Prints the table: `bench/run [--runs N]`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts import Record, busy_host, pack_all

# As the unit starts it.
RUN = "from textfile_users.__main__ import run; run()"
PYTHON = sys.executable
PEER = os.path.join(os.path.dirname(__file__), "peer.py")
PACK = os.path.join(os.path.dirname(__file__), "../script/pyz.py")
LOOKS = 50
PEER_SESSIONS = 10
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


def medians(commands: dict[str, list[str]], runs: int, slow: set[str]) -> dict[str, float]:
    """Return each command's median; all take turns in random order, the slow ones fewer."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs):
        for name in random.sample(sorted(commands), len(commands)):
            if name not in slow or number < 5:
                wait_for_minute(name)
                times[name].append(cpu_seconds(commands[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def wait_for_minute(name: str) -> None:
    """Where looks repeat, begin early enough in the minute for all of them."""
    left = 60 - time.time() % 60
    if name.startswith("repeat") and left < 10:
        time.sleep(left)


def table(rows: list[tuple[str, str, str]]) -> str:
    """Return rows of text as a Markdown table."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


@contextmanager
def logged_in_for_peers() -> Iterator[None]:
    """Write /run/utmp with living sessions, for programs that read only that."""
    with subprocess.Popen(["sleep", "3600"]) as sleeper:
        now = time.time()
        records = [
            Record(f"user{n}", f"pts/{n}", sleeper.pid, now, "192.0.2.7", "192.0.2.7")
            for n in range(PEER_SESSIONS)
        ]
        with open("/run/utmp", "wb") as file:
            file.write(pack_all(records))
        try:
            yield
        finally:
            sleeper.kill()


def measure(directory: str, runs: int) -> str:
    """Return the table."""

    output = os.path.join(directory, "users.prom")

    def ours(name: str, *argv: str) -> list[str]:
        """Return our command as the timer runs it, with directories of its own."""
        state = os.path.join(directory, "state-" + name)
        directories = ["--state-directory", state, "--runtime-directory", state]
        program = [PYTHON, "-I", "-c", RUN]
        what = ["--collectors", "sessions", "--timeout", "60"]
        return [*program, "--output", output, *what, *directories, *argv]

    commands = {"base": [PYTHON, "-I", "-c", "pass"]}
    for count in (0, 10, 1_000, 10_000):
        for sources in ("utmp", "logind", "both"):
            name = f"{count:,} sessions, {sources}"
            root = os.path.join(directory, name)
            busy_host(root, count, sources != "logind", sources != "utmp")
            commands[name] = ours(name, "--root", root)
    ten = os.path.join(directory, "10 sessions, both")
    archive = os.path.join(directory, "textfile-users.pyz")
    subprocess.run([PYTHON, "-I", PACK, archive], check=True)
    commands["one file, 10 sessions, both"] = [
        *(PYTHON, "-I", archive),
        *ours("pyz", "--root", ten)[4:],
    ]
    commands["repeat"] = ours("repeat", "--root", ten, "--repeat", str(LOOKS), "--interval", "0.1")
    state = os.path.join(directory, "state-peers")
    commands["ours on the peers' utmp"] = ours("peers")
    for peer in (["who"], ["w", "-h"]):
        path = shutil.which(peer[0])
        if path:
            commands["`" + " ".join(peer) + "`"] = [path, *peer[1:]]
    commands["psutil.users()"] = [PYTHON, "-I", "-c", "import psutil; psutil.users()"]
    commands["a script with write_to_textfile"] = [PYTHON, "-I", PEER, state + ".prom"]
    found = medians(commands, runs, {name for name in commands if "10,000" in name})

    base = found.pop("base")
    repeated = found.pop("repeat")
    one = found["10 sessions, both"]
    rows = [("what", "x BASE", "bound")]
    for name, seconds in found.items():
        bound = "at most 3" if name.startswith("10 sessions") else ""
        if name == "10,000 sessions, utmp":
            bound = f"under 1 s: {seconds:.2f} s"
        rows.append((name, f"{seconds / base:.2f}", bound))
    look = (repeated - one) / (LOOKS - 1)
    rows.append((f"a look of --repeat {LOOKS}", f"{look / base:.2f}",
                 f"under 0.2 of a run: {look / one:.3f}"))  # fmt: skip
    peaks = peak_kib(f"sys.argv = {['x', *commands['10 sessions, both'][4:]]!r}\n"
                     "from textfile_users.__main__ import run\nrun()")  # fmt: skip
    least = peak_kib("")
    rows.append(("peak memory, 10 sessions, x BASE's", f"{peaks / least:.2f}", "at most 2"))
    return f"BASE: {base * 1000:.1f} ms of CPU, {least} KiB\n\n{table(rows)}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--write-utmp", action="store_true", help="write /run/utmp for the peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textfile-users-bench.") as directory:
        if options.write_utmp:
            with logged_in_for_peers():
                print(measure(directory, options.runs))
        else:
            print(measure(directory, options.runs))
        from bench.auth import measure_auth
        from bench.processes import measure_processes

        print(f"\n{measure_auth(directory, options.runs)}")
        print(f"\n{measure_processes(directory, options.runs)}")


if __name__ == "__main__":
    main()
