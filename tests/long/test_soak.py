"""A day of looks at a host that changes all the time: nothing grows, and every event is counted."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.hosts import NOW, Host, Record
from tests.long.sizes import IS_LONG, size
from tests.long.world import PROJECT, World
from tests.test_model import KINDS
from textfile_users.cli import main

INTERVAL = 5  # seconds between scans, as the timer has it
KEPT_LOGS = 4
PASSWD = "root:x:0:0::/root:/bin/sh\n" + "".join(
    f"{user}:x:{1000 + n}:100::/:/bin/sh\n" for n, user in enumerate(("alice", "bob", "carol"))
)


class Day(World):
    """A host on which something happens before each scan."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.host.write("etc/passwd", PASSWD)
        self.log = self.host.path("var/log/auth.log")
        self.looks = 0
        self.pid = 30_000
        self.truth: Counter[str] = Counter()
        self.sessions: dict[int, Record] = {}

    @property
    def at(self) -> float:
        return 100.0 + self.looks * INTERVAL

    def change(self) -> None:
        """Log some events, open or close a session, rotate when it is time."""
        self.looks += 1
        if self.looks % size("rotation") == 0:
            rotate(self.log)
        kinds = sorted(KINDS)
        for number in range(self.looks % 4):
            self.write(kinds[(self.looks * 3 + number) % len(kinds)])
        self.turn_sessions()
        stamp = NOW + self.at
        os.utime(self.log, (stamp, stamp))

    def write(self, kind: str) -> None:
        lines, adds = KINDS[kind]
        self.pid += 1
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + self.at - 1))
        with open(self.log, "a") as log:
            for text in lines:
                log.write(f"{stamp} host {text.format(self.pid, self.pid)}\n")
        self.truth.update(adds)

    def turn_sessions(self) -> None:
        """Let up to twenty sessions come and go, with their processes."""
        leader = 40_000 + 3 * (self.looks % 20)
        if leader in self.sessions:
            del self.sessions[leader]
            for pid in range(leader, leader + 3):
                remove(self.host, pid)
        else:
            tty = f"pts/{leader}"
            self.host.ssh_connection(leader, "bob", tty, uid=1001)
            self.sessions[leader] = Record("bob", tty, leader, NOW + self.at, "192.0.2.7")
        self.host.utmp(*self.sessions.values())

    def files(self) -> int:
        """Return how many files the program keeps."""
        return sum(len(names) for _, _, names in os.walk(self.work))

    def bytes(self) -> int:
        """Return how many bytes the program keeps and writes."""
        return sum(
            os.path.getsize(os.path.join(directory, name))
            for directory, _, names in os.walk(self.work)
            for name in names
        )

    def counted(self) -> Counter[str]:
        """Return what is counted of what the log told."""
        pairs = (
            text.rpartition(" ")
            for text in self.output.read_text().splitlines()
            if not text.startswith("#")
        )
        values = {name: int(float(value)) for name, _, value in pairs}
        return Counter({name: values.get(name, 0) for name in KNOWN})


KNOWN = sorted({name for _, adds in KINDS.values() for name in adds})


def rotate(log: str) -> None:
    """Rename as logrotate does, and keep some."""
    for number in range(KEPT_LOGS, 0, -1):
        if os.path.exists(f"{log}.{number}"):
            os.rename(f"{log}.{number}", f"{log}.{number + 1}")
    os.rename(log, log + ".1")
    if os.path.exists(f"{log}.{KEPT_LOGS + 1}"):
        os.unlink(f"{log}.{KEPT_LOGS + 1}")
    open(log, "w").close()


def remove(host: Host, pid: int) -> None:
    import shutil

    shutil.rmtree(host.path(f"proc/{pid}"))


def memory() -> int:
    """Return the resident memory of this process in bytes (proc(5))."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Probe:
    """What a scan cost and left, at one time of the day."""

    def __init__(self, day: Day) -> None:
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.files = day.files()
        self.bytes = day.bytes()
        self.memory = memory()


def test_a_day_of_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, one after the other: what a scan leaves behind would add up."""
    day = Day(tmp_path)
    assert main(day.arguments(day.at)) == 0
    capsys.readouterr()
    begun = day.counted()
    looks = size("looks")
    probes: list[Probe] = []
    costs: list[float] = []
    for _ in range(looks):
        day.change()
        began = time.process_time()
        assert main(day.arguments(day.at)) == 0
        costs.append(time.process_time() - began)
        if day.looks % (looks // 8) == 0:
            probes.append(Probe(day))
    assert capsys.readouterr().err == ""
    for at in (20, 700):  # what waits for a decision is decided
        assert main(day.arguments(day.at + at)) == 0
    assert day.counted() - begun == day.truth
    assert not day.temporary()
    # The first quarter fills what is kept for an hour; from then on nothing may grow.
    early, late = probes[2], probes[-1]
    assert late.descriptors <= early.descriptors
    assert late.files <= early.files
    assert late.bytes < early.bytes * 1.2
    assert late.memory < early.memory * 1.1 + (4 << 20)
    if IS_LONG:
        quarter = len(costs) // 4
        first, last = median(costs[quarter : 2 * quarter]), median(costs[-quarter:])
        with capsys.disabled():
            print(
                f"{looks} looks: {sum(day.truth.values())} events; in the second and the last "
                f"quarter {first * 1e3:.2f} and {last * 1e3:.2f} ms a scan, at a quarter of the "
                f"day and its end {early.bytes} and {late.bytes} bytes of state and output, "
                f"{early.memory >> 10} and {late.memory >> 10} KiB resident"
            )
        assert last < first * 1.5
    else:
        assert len(costs) == looks


def test_a_process_for_each_look(tmp_path: Path) -> None:
    day = Day(tmp_path)
    begun: Counter[str] = Counter()
    for number in range(size("runs") + 1):
        day.change()
        done = subprocess.run(
            day.command(day.at, "-m", "textfile_users"),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        if not number:  # what the world began with is left undecided no more
            begun = day.counted()
            day.truth.clear()
    for at in (20, 700):
        assert main(day.arguments(day.at + at)) == 0
    assert day.counted() - begun == day.truth
    assert not day.temporary()
