"""What somebody can make of a host, and ten scans of it with half a processor and usual flags.

Each host has had a scan when the attack comes. The processes are real, and need `sysctl
kernel.pid_max=65536`; the quota is that of a cgroup, as CPUQuota= in a unit sets it. As root.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from bench.tools import PEAK, PYTHON, RUN, table
from tests.hosts import Record, pack_all

SCANS = 10
PERIOD = 100_000  # microseconds
GROUPS = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup")  # of version 1, of version 2
# Forks processes of a name, says so, and ends with its input.
FORK = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
pids = []
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if not pid:
        os.setuid(int(sys.argv[3]))
        libc.prctl(15, sys.argv[1].encode(), 0, 0, 0)
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # with its parent
        signal.pause()
    pids.append(pid)
print("ready", flush=True)
sys.stdin.read()
"""


class Attack(NamedTuple):
    """How it is done before scan N, and what must have been counted in the end, by family."""

    act: Callable[[str, int, float], None]
    counted: dict[str, float]
    scans: int = SCANS
    seconds: float = 5.0  # from one to the next
    processes: tuple[str, int, int] | None = None


def line(at: float, program: str, message: str) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{stamp}+00:00 host {program}: {message}\n"


def append(path: str, lines: Iterator[str]) -> None:
    with open(path, "a") as file:
        file.writelines(lines)


def _forged(directory: str, scan: int, now: float) -> None:
    if scan == 0:
        su = (line(now, f"su[{9000 + n}]", "(to u1) mallory on pts/0") for n in range(5_000))
        sudo = "  m : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
        append(f"{directory}/auth.log", su)
        append(f"{directory}/auth.log", (line(now, f"sudo[{n}]", sudo) for n in range(4_500)))


def _records(directory: str, scan: int, now: float) -> None:
    if scan:
        return
    with open(f"{directory}/wtmp", "ab") as file:
        for n in range(6_000):
            place, at = (f"pts/{n % 50}", 4_000_000 + n), now - 60 + n / 200
            login = Record("alice", *place, at, "192.0.2.7", "192.0.2.7")
            file.write(pack_all([login, Record("", *place, at, type=8)]))


def _packed(directory: str, scan: int, now: float) -> None:
    """A place inside of a compressed log, far behind its beginning."""
    if scan:
        return
    log = f"{directory}/auth.log"
    other = "".join(line(now, "cron[1]", "x" * 900) for _ in range(1_000)).encode()
    with open(log, "rb") as file, gzip.open(f"{log}.1.gz", "wb", 1) as packed:
        packed.write(file.read())
        for _ in range(1_300):
            packed.write(other)
    os.unlink(log)
    append(log, (line(now, f"sshd[{n}]", FAILED.format(ip="192.0.2.1")) for n in range(10)))


FAILED = "Failed password for root from {ip} port 22 ssh2"


def _names(directory: str, scan: int, now: float) -> None:
    if scan == 0:
        sudo = "  a{} : TTY=pts/0 ; PWD=/ ; USER=b{} ; COMMAND=/bin/sh"
        append(
            f"{directory}/auth.log",
            (line(now, f"sudo[{n}]", sudo.format(n % 500, n // 500)) for n in range(250_000)),
        )


def _addresses(directory: str, _: int, now: float) -> None:
    append(
        f"{directory}/auth.log",
        (
            line(now - 5, f"sshd[{n}]", FAILED.format(ip=f"2001:db8:{n:x}:1::1"))
            for n in range(10_000)
        ),
    )


def _nothing(directory: str, scan: int, now: float) -> None:
    pass


ESCALATIONS = "users_escalations_total"
FAILURES = "users_auth_failures_total"
LOGINS = "users_logins_total"
ATTACKS = {
    "5,000 su and 4,500 sudo lines": Attack(_forged, {ESCALATIONS: 9_500}),
    "12,000 records of a user within a minute": Attack(_records, {LOGINS: 6_000}, seconds=65.0),
    "a place in a compressed log of 1.2 GB": Attack(_packed, {FAILURES: 10}),
    "sudo lines of 500 x 500 names": Attack(_names, {ESCALATIONS: 250_000}),
    "10,000 IPv6 networks, a failure a minute each, for an hour": Attack(
        _addresses, {FAILURES: 600_000}, 60, 60.0
    ),
    "10,000 processes named mosh-server": Attack(
        _nothing, {}, processes=("mosh-server", 10_000, 4242)
    ),
    "30,000 processes": Attack(_nothing, {}, processes=("sleep", 30_000, 4242)),
}


@contextmanager
def half_a_processor() -> Iterator[str]:
    """Make a cgroup with half a processor, and return its file of processes."""
    parent = next(group for group in GROUPS if os.path.isdir(group))
    group = f"{parent}/textfile-users-bench.{os.getpid()}"
    os.mkdir(group)
    try:
        if os.path.exists(f"{group}/cpu.max"):
            limits = {"cpu.max": f"{PERIOD // 2} {PERIOD}", "cpu.weight": "10000"}
        else:
            limits = {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(PERIOD // 2)}
            limits["cpu.shares"] = "262144"  # it is to get its half, whatever else runs
        for name, value in limits.items():
            with open(f"{group}/{name}", "w") as file:
                file.write(value)
        yield f"{group}/cgroup.procs"
    finally:
        for _ in range(50):
            with suppress(OSError):
                os.rmdir(group)
                break
            time.sleep(0.1)


@contextmanager
def processes(wanted: tuple[str, int, int] | None) -> Iterator[None]:
    """Have processes of a name and user."""
    if not wanted:
        yield
        return
    argv = [PYTHON, "-I", "-c", FORK, *map(str, wanted)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        if not child.stdout.readline():
            raise SystemExit("the processes cannot be made: sysctl kernel.pid_max=65536")
        try:
            yield
        finally:
            child.stdin.close()  # and it ends, with all others


def scan(directory: str, group: str, now: float) -> tuple[dict[str, float], int, str]:
    """Return the samples that a scan has written, none where it did not; memory, and its words."""
    output = f"{directory}/users.prom"
    with suppress(FileNotFoundError):
        os.unlink(output)
    argv = [
        "textfile-users", "--output", output, "--now", str(now), "--utmp", f"{directory}/utmp",
        "--auth-log", f"{directory}/auth.log", "--wtmp", f"{directory}/wtmp",
    ]  # fmt: skip
    code = f"{PEAK}\nimport sys\nsys.argv = {argv!r}\n{RUN}"
    done = subprocess.run(
        ["sh", "-c", f'echo $$ >{group}; exec "$@"', "sh", PYTHON, "-I", "-c", code],
        env={"STATE_DIRECTORY": f"{directory}/state", "RUNTIME_DIRECTORY": f"{directory}/run"},
        capture_output=True,
        text=True,
        check=False,
    )
    samples: dict[str, float] = {}
    with suppress(FileNotFoundError), open(output) as file:
        for text in file:
            if not text.startswith("#"):
                name, _, value = text.rpartition(" ")
                samples[name] = float(value)
    peak = int(done.stdout.split()[1]) if done.stdout.startswith("VmHWM") else 0
    return samples, peak, done.stderr.strip()


def total(samples: dict[str, float], family: str) -> float:
    return sum(value for name, value in samples.items() if name.partition("{")[0] == family)


def success(samples: dict[str, float], collector: str) -> bool:
    return samples.get(f'users_collector_success{{collector="{collector}"}}') == 1


def attacked(directory: str, attack: Attack, group: str) -> list[str]:
    """Return a row of the table."""
    os.makedirs(f"{directory}/state")
    now = time.time() - attack.scans * attack.seconds
    with open(f"{directory}/utmp", "wb") as file:
        pid = os.getpid()
        file.write(pack_all([Record("root", "pts/9", pid, time.time(), "192.0.2.9", "192.0.2.9")]))
    append(f"{directory}/auth.log", iter([line(now - 9, "cron[1]", "begins")]))
    with open(f"{directory}/wtmp", "wb") as file:
        file.write(pack_all([Record(time=now - 9000)]))
    first, _, _ = scan(directory, group, now)
    files = peak = size = 0
    whole: dict[str, int] = {}
    counted = 0
    state = 0
    samples: dict[str, float] = {}
    with processes(attack.processes):
        for number in range(attack.scans):
            now += attack.seconds
            attack.act(directory, number, now)
            samples, memory, said = scan(directory, group, now)
            print(number, memory, len(samples), said[:300], file=sys.stderr)
            files += bool(samples)
            peak = max(peak, memory)
            if samples:
                size = max(size, os.path.getsize(f"{directory}/users.prom"))
            for kind in ("state", "run"):
                for name in os.listdir(f"{directory}/{kind}"):
                    state = max(state, os.path.getsize(f"{directory}/{kind}/{name}"))
            for name in ("sessions", "auth", "history", "processes"):
                if not success(samples, name):
                    whole.pop(name, None)
                else:
                    whole.setdefault(name, number + 1)
            has_all = all(
                total(samples, family) - total(first, family) >= count
                for family, count in attack.counted.items()
            )
            counted = counted or (number + 1 if has_all else 0)
    told = {family: total(samples, family) - total(first, family) for family in attack.counted}
    right = "yes" if told == attack.counted else f"no: {told}"
    sessions = 'users_sessions{session_type="ssh",user="root"}'
    return [
        f"{files} of {attack.scans}",
        ", ".join(f"{name} {at}" for name, at in whole.items()),
        f"{right}, after {counted}"
        if attack.counted
        else f"root's session: {samples.get(sessions, 0):g}",
        f"{state / (1 << 20):.1f}",
        f"{size / (1 << 20):.1f}",
        f"{peak / 1024:.0f}",
    ]


def measure_worst(directory: str, _: int) -> str:
    """Return the table."""
    heads = [
        "attack",
        "files",
        "whole since scan",
        "counted",
        "state, MiB",
        "file, MiB",
        "peak, MiB",
    ]
    rows: list[list[str]] = []
    only = os.environ.get("BENCH_ATTACK", "")
    with half_a_processor() as group:
        for number, (name, attack) in enumerate(ATTACKS.items()):
            if only in name:
                rows.append([name, *attacked(f"{directory}/{number}", attack, group)])
                print(rows[-1], file=sys.stderr)
    return table([heads, *rows])
