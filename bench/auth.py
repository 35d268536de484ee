"""What reading logs costs: a backlog beside its peers, and what is new in long logs."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time

from bench.hosts import MB, PROCESSES, fill, logged_host
from bench.logs import ATTACKED, BUSY, happening, stamp, write_log
from bench.tools import PEAK, PYTHON, cpu_seconds, ours, table, times_base
from tests.hosts import busy_host

BACKLOG = 100 * MB
NEW_LINES = 20
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
MACHINE = "0123456789abcdef0123456789abcdef"
MTAIL = r"""counter failures by user
counter successes by user
counter probes
counter escalations
/Failed \S+ for (invalid user )?(?P<user>.*) from \S+ port \d+ ssh2$/ {
  failures[$user]++
}
/Accepted \S+ for (?P<user>.*) from \S+ port \d+ ssh2/ {
  successes[$user]++
}
/(Connection closed by|Received disconnect from) .*\[preauth\]$/ {
  probes++
}
/sudo: +(?P<user>\S+) : .*COMMAND=/ {
  escalations++
}
"""


def measure_auth(directory: str, runs: int) -> str:
    """Return two tables, made with files in `directory`."""
    return f"{_backlogs(directory)}\n\n{_new_lines(directory, runs)}"


def _backlogs(directory: str) -> str:
    rows = [("a backlog of 100 MB", "MB/s of CPU", "bound")]
    for mix_name, mix in (("attacked", ATTACKED), ("busy", BUSY)):
        for iso in (True, False):
            path = os.path.join(directory, "backlog.log")
            with open(path, "wb") as file:
                write_log(file, BACKLOG, mix, iso, time.time() - 7200)
            form = "ISO 8601" if iso else "traditional"
            name = f"{mix_name} host, {form} stamps"
            for peer, (size, argv) in _readers(directory, path, iso).items():
                bound = "at least 100" if peer == "ours" else ""
                times = []
                for _ in range(3):
                    shutil.rmtree(os.path.join(directory, "state"), ignore_errors=True)
                    times.append(cpu_seconds(argv))
                rows.append((f"{name}: {peer}", f"{size / MB / min(times):.0f}", bound))
            rows.append((f"{name}: ours, peak memory", f"{_peak(directory, path):.0f} MiB", ""))
            os.unlink(path)
    return table(rows)


def _readers(directory: str, path: str, iso: bool) -> dict[str, tuple[int, list[str]]]:
    """Return what reads a log, by name: bytes and command; peers that are not here are left out."""
    backfill = ["--collectors", "auth", "--auth-log", path, "--backfill", "--timeout", "600"]
    commands = {
        "ours": (BACKLOG, ours(directory, *backfill)),
        # Into a pipe: with /dev/null for its output grep would stop at the first match.
        "grep -c": (
            BACKLOG,
            ["/bin/sh", "-c", 'grep -c "Failed password" "$1" | cat', "sh", path],
        ),
    }
    program = os.path.join(directory, "sshd.mtail")
    with open(program, "w") as file:
        file.write(MTAIL)
    mtail = shutil.which("mtail")
    if mtail:
        argv = [mtail, "--one_shot", "--progs", program, "--logs", path]
        commands["mtail, 4 patterns"] = BACKLOG, argv
    fail2ban = shutil.which("fail2ban-regex")
    if fail2ban and iso:
        short = os.path.join(directory, "short.log")  # all of it would take a minute
        with open(path, "rb") as log, open(short, "wb") as out:
            out.write(log.read(MB))
        commands["fail2ban-regex sshd"] = MB, [fail2ban, short, "sshd"]
    return commands


def _peak(directory: str, path: str) -> float:
    """Return the peak memory of a backlog's run in MiB."""
    argv = ours(directory, "--collectors", "auth", "--auth-log", path, "--backfill",
                 "--timeout", "600")[4:]  # fmt: skip
    code = f"sys.argv = {['x', *argv]!r}\nfrom textfile_users.__main__ import run\nrun()"
    command = [PYTHON, "-I", "-c", PEAK + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shutil.rmtree(os.path.join(directory, "state"), ignore_errors=True)
    return int(done.stdout.split()[1]) / 1024


def _new_lines(directory: str, runs: int) -> str:
    """Return the table of runs that find new lines each, as ratios to a bare interpreter."""
    hosts = {
        f"log of {size} MB": logged_host(os.path.join(directory, f"host-{size}"), size)
        for size in (1, 1000)
    }
    journal = _journal_host(directory)
    history = ["--collectors", "sessions,auth,history"]
    commands = {
        name: ours(f"{root}-history", "--root", root, *history) for name, root in hosts.items()
    }
    bounds = dict.fromkeys(commands, "at most 3.3")
    root = hosts["log of 1 MB"]
    commands["log of 1 MB, all collectors"] = ours(f"{root}-all", "--root", root)
    bounds["log of 1 MB, all collectors"] = "at most 3.5"
    if journal:
        commands["journal only, all collectors"] = ours(f"{journal}-all", "--root", journal)
        bounds["journal only, all collectors"] = "at most 4.5"
    costs: dict[str, list[float]] = {name: [] for name in commands}
    bare: list[float] = []
    for number in range(runs + 1):
        for root in hosts.values():
            with open(os.path.join(root, "var/log/auth.log"), "ab") as file:
                file.write(_some_lines(number))
        if journal:
            _write_journal(journal, number)
        for name, argv in commands.items():
            cost = times_base(argv, bare)
            if number:  # the first one is a first scan
                costs[name].append(cost)
    found = {name: statistics.median(values) for name, values in costs.items()}
    rows = [(f"{NEW_LINES} new lines, 10 sessions, {PROCESSES} processes, wtmp", "x BASE", "bound")]
    for name, cost in found.items():
        rows.append((name, f"{cost:.2f}", bounds[name]))
    ratio = found["log of 1000 MB"] / found["log of 1 MB"]
    rows.append(("1000 MB : 1 MB", f"{ratio:.3f}", "within a tenth of 1"))
    return table(rows)


def _some_lines(number: int) -> bytes:
    """Return new lines of an attacked host."""
    lines: list[str] = []
    while len(lines) < NEW_LINES:
        for kind in ATTACKED:
            lines += happening(kind, 1000 + number * 100 + len(lines))
    stamped = (f"{stamp(time.time(), True)} host {line}\n" for line in lines[:NEW_LINES])
    return "".join(stamped).encode()


def _journal_host(directory: str) -> str:
    """Make a host that has only the journal; '' where systemd-journal-remote is missing."""
    if not (os.path.exists(JOURNAL_REMOTE) and shutil.which("journalctl")):
        return ""
    root = os.path.join(directory, "host-journal")
    host = busy_host(root, 10, utmp=False)
    fill(host)
    os.makedirs(f"{root}/var/log/journal/{MACHINE}")
    for number in range(50):
        _write_journal(root, number)
    return root


def _write_journal(root: str, number: int) -> None:
    """Add entries like _some_lines to the host's journal, in the journal export format."""
    entries = []
    for line in _some_lines(number).decode().splitlines():
        tag, _, message = line.split(" ", 2)[2].partition(": ")
        program, _, pid = tag.rstrip("]").partition("[")
        fields = {
            "__REALTIME_TIMESTAMP": int(time.time() * 1e6),
            "__MONOTONIC_TIMESTAMP": int(time.monotonic() * 1e6),
            "_BOOT_ID": MACHINE,
            "_UID": 0,
            "_PID": pid or 1,
            "SYSLOG_IDENTIFIER": program,
            "MESSAGE": message.strip(),
        }
        entries.append("".join(f"{key}={value}\n" for key, value in fields.items()))
    journal = f"{root}/var/log/journal/{MACHINE}/system.journal"
    command = [JOURNAL_REMOTE, "-o", journal, "-"]
    data = "\n".join(entries).encode() + b"\n"
    subprocess.run(command, input=data, check=True, capture_output=True)
