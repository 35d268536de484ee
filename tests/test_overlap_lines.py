"""A syslogd that comes and goes beside a journal that stays: each line counts exactly once."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.hosts import NOW, Host
from textfile_users.accounts.account import NOTHING as NOBODY
from textfile_users.auth import journal
from textfile_users.auth import journal_files as journals
from textfile_users.auth import overlap_lines as overlap_lines
from textfile_users.auth.collect_auth import collect_auth
from textfile_users.auth.journal_entry import JournalEntry
from textfile_users.auth.journal_files import JournalPosition
from textfile_users.auth.logs import AUTHLOG, JOURNAL, AuthFound, AuthNotes
from textfile_users.auth.overlap import Line, Overlap, found_in, line_of
from textfile_users.collecting import OK, Scan, Wanted
from textfile_users.memory import Durable
from textfile_users.paths import Paths
from textfile_users.reading.follow import Block, blocks
from textfile_users.reading.position import Position
from textfile_users.state_files import format_durable, parse_durable

BEGAN = float(int(NOW))
LINES = "users_auth_failures_total", "users_escalations_total"
# How a file's stamps differ from the journal's: their form, and the seconds that they are late.
ISO = "%Y-%m-%dT%H:%M:%S.{:06d}+00:00"
WHOLE = "%b %d %H:%M:%S"
STAMPS = [(ISO, 0.0), (ISO, 0.001), (WHOLE, 0.0), (WHOLE, 0.9), (ISO, 2.5), (WHOLE, 3.5)]


class World:
    """A host whose programs log; it is looked at from time to time."""

    def __init__(self, directory: str, form: str = ISO, late: float = 0.0) -> None:
        self.host = Host(directory)
        self.form, self.late = form, late
        self.now = BEGAN
        self.is_on = True
        self.is_queued = False  # whether what comes while it is off waits for it
        self.log = self.host.write("var/log/auth.log", "")
        self.entries: list[JournalEntry] = []
        self.waiting: list[str] = []
        self.total = 0
        self.lateness: Callable[[], float] = lambda: self.late
        self.durable = Durable()
        self.notes = AuthNotes()
        self.sources: list[str] = []
        self.scan()

    def write(self, program: str, pid: int, message: str) -> None:
        """Log a line, to the journal and, if syslogd is on, to the file."""
        cursor = f"{len(self.entries)}"
        name, _, _ = program.partition("[")
        entry = JournalEntry(cursor, self.now, name, pid, message.encode(), True, uid=0)
        self.entries.append(entry)
        self.total += 1
        at = self.now + self.lateness()
        stamp = time.strftime(self.form, time.gmtime(at)).format(round(at % 1 * 1e6) % 10**6)
        self.waiting.append(f"{stamp} host {program}: {message}\n")
        if self.is_on:
            self.flush()
        elif not self.is_queued:
            self.waiting.clear()

    def flush(self) -> None:
        with open(self.log, "a") as file:
            file.write("".join(self.waiting))
        os.utime(self.log, (self.now, self.now))
        self.waiting.clear()

    def failed(self, pid: int) -> None:
        message = "Failed password for root from 192.0.2.7 port 1 ssh2"
        self.write(f"sshd[{pid}]", pid, message)

    def sudo(self, pid: int, command: str = "/bin/id") -> None:
        """Write what sudo does: a file's line has no pid."""
        self.write("sudo", pid, f"root : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND={command}")

    def switch(self, is_on: bool, is_queued: bool = False) -> None:
        self.is_on, self.is_queued = is_on, is_queued
        if is_on:
            self.flush()

    def scan(self) -> None:
        """Scan once, as the next run would: with what the state file says."""
        durable = self.durable
        if len(self.sources) % 8 == 0:
            durable = parse_durable(format_durable(durable))
        scan = Scan(Paths(self.host.root), self.now, Wanted(collectors=("auth",)))
        before = AuthFound(durable.auth, self.notes, durable.counts)
        *_, found = collect_auth(scan, before, (), NOBODY, time.monotonic() + 60)
        assert found.reports.faults == ()
        counts = found.counts._replace(began=found.counts.began or self.now)
        self.durable = Durable(counts, found.memory)
        self.notes = found.notes
        self.sources.append(found.source)

    def run(self, seconds: float) -> None:
        """Let time pass, with a scan every five seconds."""
        for _ in range(int(seconds / 5)):
            self.now += 5
            self.scan()

    def counted(self) -> float:
        counters = self.durable.counts.counters
        return sum(n for series, n in counters.items() if series[0] in LINES)

    def journal_entries(self, position: JournalPosition) -> Iterator[JournalEntry]:
        start = int(position.cursor) + 1 if position.cursor else 0
        for entry in self.entries[start:]:
            if entry.time >= position.time:
                yield entry


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., World]:
    worlds: list[World] = []
    numbers = count()

    def make(form: str = ISO, late: float = 0.0) -> World:
        world = World.__new__(World)
        worlds[:] = [world]
        directory = tmp_path / str(next(numbers))
        directory.mkdir()
        world.__init__(str(directory), form, late)  # type: ignore[misc]
        return world

    with_journal(monkeypatch, worlds)
    return make


def with_journal(patch: pytest.MonkeyPatch, worlds: list[World]) -> None:
    def entries(
        _: Paths, position: JournalPosition, *_more: object, known: str
    ) -> Iterator[JournalEntry]:
        return worlds[0].journal_entries(position)

    patch.setattr(journal, "entries", entries)
    state = lambda _: (OK, str(len(getattr(worlds[0], "entries", ()))))  # noqa: E731
    patch.setattr(journals, "journal_state", state)


@pytest.mark.parametrize(("form", "late"), STAMPS)
@pytest.mark.parametrize(("off", "is_queued"), [(3, False), (20, False), (61, True), (95, False)])
def test_off_for_a_while(
    made: Callable[..., World], form: str, late: float, off: int, is_queued: bool
) -> None:
    """sudo's lines are all equal, and have no pid in the file."""
    world = made(form, late)
    pids = count(100)
    for number in range(260):
        world.now = BEGAN + 1.3 + number
        world.failed(next(pids))
        world.sudo(next(pids))
        if number == 100:
            world.switch(False, is_queued)
        if number == 100 + off:
            world.switch(True)
        if number % 5 == 4:
            world.scan()
    world.run(80)
    assert world.counted() == world.total == 520
    assert world.sources[-1] == AUTHLOG, "the file is believed again"


@pytest.mark.parametrize("ahead", [-90_000_000, -200, 4, 200, 7_200, 90_000_000])
def test_a_stamp_that_somebody_chose_does_not_hide_that_syslogd_is_off(
    made: Callable[..., World], ahead: int
) -> None:
    world = made()
    world.failed(100)
    world.now += 20
    world.scan()
    world.now += ahead
    world.failed(101)
    world.entries.pop()  # it came by another way than the journal's
    world.now -= ahead
    os.utime(world.log, (world.now, world.now))
    world.scan()
    world.switch(False)
    for pid in range(200, 400):
        world.now += 1
        world.failed(pid)
        if pid % 5 == 4:
            world.scan()
    world.run(80)
    assert world.counted() == world.total
    assert world.sources[-1] == JOURNAL
    assert world.durable.auth.time <= world.now


@pytest.mark.parametrize("seed", range(int(os.environ.get("SWITCHING_SEEDS", "16"))))
def test_off_and_on_at_random(made: Callable[..., World], seed: int) -> None:
    chance = random.Random(seed)
    world = made(*STAMPS[seed % 3])
    rate = (0.05, 0.3, 1.0)[seed // 3 % 3]
    shortest, longest = ((3, 20), (10, 60), (30, 200), (3, 200))[seed % 4]
    next_scan = BEGAN + 5
    turn = BEGAN + chance.uniform(shortest, longest)
    for pid in count(100):
        line = world.now + chance.expovariate(rate)
        if line > BEGAN + 600:
            break
        while min(turn, next_scan) < line:
            world.now = min(turn, next_scan)
            if turn < next_scan:
                world.switch(not world.is_on, is_queued=seed % 5 == 0)
                turn += chance.uniform(shortest, longest)
            else:
                world.scan()
                next_scan += 5
        world.now = line
        command = f"/bin/{chance.randrange(200)}"
        for number in range(chance.choice([1, 1, 1, 2, 5])):  # equal lines at once
            if chance.random() < 0.5:
                world.failed(pid)
            else:  # of which a process has one
                world.sudo(10 * pid + number, command)
    world.run(140)
    assert world.counted() == world.total


@pytest.mark.parametrize("seed", range(int(os.environ.get("SWITCHING_SEEDS", "16"))))
def test_a_busy_host_whose_syslogd_is_now_and_then_late(
    made: Callable[..., World], seed: int
) -> None:
    """By some milliseconds mostly, and with one line in ten by up to two seconds."""
    chance = random.Random(seed)
    world = made()
    world.lateness = lambda: chance.choice([0.02] * 9 + [chance.uniform(0.03, 2.0)])
    for pid in range(100, 300):
        world.now += chance.uniform(0.5, 3.0)
        world.failed(pid)
        if chance.random() < 0.3:
            world.failed(pid)
        if chance.random() < 0.5:
            world.sudo(10 * pid, f"/bin/{chance.randrange(200)}")
        if pid == 160:
            world.switch(False)
        if pid == 200:
            world.switch(True)
        if pid % 3 == 0:
            world.scan()
    world.run(140)
    assert world.counted() == world.total


A = line_of(100.0, b"sshd", 7, b"Failed password for root from 192.0.2.7 port 1 ssh2")


@pytest.mark.parametrize(
    ("read", "other", "found", "why"),
    [
        ([A], [A], [1], "the same"),
        ([A], [A._replace(time=103.0)], [1], "syslogd was late"),
        ([A], [A._replace(time=106.0)], [0], "too late"),
        (
            [A._replace(pid=pid) for pid in range(1, 40)],
            [A._replace(pid=pid, time=101.0 if pid == 7 else 100.01) for pid in range(1, 40)],
            [1] * 39,
            "syslogd was late with one of many",
        ),
        ([A], [A._replace(pid=8)], [0], "of another process"),
        ([A._replace(pid=0)], [A], [1], "a line without its pid"),
        ([A], [A, A._replace(time=100.1)], [1, 0], "two were written, one was read"),
        ([A, A], [A, A], [1, 1], "equal in one second"),
        ([A] * 3, [A] * 5, [1, 1, 1, 0, 0], "some of those"),
        ([A._replace(times=3)], [A, A, A], [1, 1, 1], "rsyslog counts what repeats"),
        ([A, A], [A._replace(times=3)], [2], "likewise, and one is new"),
        ([], [A], [0], "nothing was read"),
    ],
)
def test_what_was_read_in_another_log(
    read: list[Line], other: list[Line], found: list[int], why: str
) -> None:
    assert sorted(found_in(read, other)) == sorted(found), why


@pytest.mark.parametrize(
    ("file", "entry"),
    [
        (b"message repeated 3 times: [ Failed password for root]", b"Failed password for root"),
        (b"   root : COMMAND=/x#011y", b"root : COMMAND=/x\ty"),
        (b"x" * 1000, b"x" * 2000),
        (b"caf\xc3\xa9", b"caf\xc3\xa9"),
    ],
)
def test_a_message_is_the_same_in_both(file: bytes, entry: bytes) -> None:
    one, other = line_of(0.0, b"sudo", 0, file), line_of(0.0, b"sudo", 0, entry)
    assert one.message == other.message
    assert one.times == (3 if b"repeated" in file else 1)


def test_a_line_that_stands_for_several_is_new_in_part() -> None:
    repeated = b"message repeated 3 times: [ Failed password for root]"
    line = line_of(5.0, b"sshd", 7, repeated)
    overlap = Overlap(4.0, [line], [2])
    assert overlap.new(5.0, b"sshd", 7, repeated, 3) == 1
    assert overlap.new(5.0, b"sshd", 7, repeated, 3) == 3
    assert overlap.new(3.9, b"sshd", 7, repeated, 3) == 0, "older than what is compared"


def test_as_many_equal_lines_cost_in_proportion() -> None:
    """A user can write as many as they like."""
    read = [A._replace(time=100.0 + number / 100) for number in range(20_000)]
    assert sum(found_in(read, read)) == 20_000


def test_lines_that_the_file_never_has_count_once(made: Callable[..., World]) -> None:
    """syslogd may be told to write some elsewhere."""
    world = made()
    for number in range(60):
        world.now = BEGAN + 10 * number + 1
        world.failed(100 + number)
        world.is_on = number % 2 == 0
        world.now += 4
        world.scan()
    world.run(140)
    assert world.counted() == world.total


def test_what_only_the_file_has_counts_once(made: Callable[..., World]) -> None:
    """Other hosts may write into it, and whoever calls logger(1)."""
    world = made()
    own = 0
    for number in range(120):
        world.now = BEGAN + 5 * number + 1.5
        if number % 3:
            world.failed(1000 + number)
        if world.is_on:
            world.write("sshd[7]", 7, "Failed password for root from 192.0.2.7 port 1 ssh2")
            world.entries.pop()
            own += 1
        world.switch(number % 30 < 20)
        world.now += 3
        world.scan()
    world.switch(True)
    world.run(140)
    assert world.counted() == world.total


def test_too_many_lines_to_compare_end(
    made: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap_lines, "MAX_LINES", 10)
    world = made()
    for number in range(200):
        world.now = BEGAN + 1 + number
        world.failed(100 + number)
        world.switch(not 100 <= number < 120)
        if number % 5 == 4:
            world.scan()
    world.run(140)
    gaps = ("users_records_skipped_total", "authlog", "gap")
    assert world.durable.counts.counters[gaps] >= 1, "what may be lost is told"
    assert world.counted() <= world.total


def test_files_too_long_to_compare_in_time_do_not_stop_the_reading(
    made: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may write lines that say nothing, a hundred megabytes a minute."""
    world = made()
    world.run(5)
    world.failed(1)
    world.run(5)
    world.now += 2
    world.failed(2)  # behind a silence: the journal is asked within a minute
    flood = world.waiting
    stamp = time.strftime(ISO, time.gmtime(world.now)).format(0)
    flood += [f"{stamp} host x: {'A' * 80}\n"] * 20_000
    world.flush()
    took: list[int] = []

    def slow(path: str, begin: Position) -> Iterator[Block]:
        for block in blocks(path, begin):
            took.append(1)
            yield block

    clock = lambda: time.monotonic() + (1e3 if len(took) % 100 > 1 else 0)  # noqa: E731
    monkeypatch.setattr(overlap_lines, "blocks", slow)
    monkeypatch.setattr(overlap_lines, "monotonic", clock)
    world.run(65)
    assert 0 < len(took) <= 4, "the comparison was given up, and not begun anew"
    world.failed(3)
    world.run(65)
    assert world.counted() == world.total
    gaps = world.durable.counts.counters["users_records_skipped_total", "authlog", "gap"]
    assert gaps == 2, "for each silence, of which it is not known whether anything is missing"


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_stamp_still_to_come_does_not_keep_the_journal_from_being_read(
    made: Callable[..., World], is_gone: bool
) -> None:
    """syslog-ng and busybox write the stamp that a program, and so anybody, gives them."""
    world = made()
    world.run(5)
    world.failed(1)
    world.run(5)
    message = "root : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"
    world.waiting.append(f"2099-01-01T00:00:00.000000+00:00 host sudo: {message}\n")
    world.flush()
    world.total += 1
    world.run(5)
    world.switch(is_on=False)
    if is_gone:
        os.remove(world.log)
    for pid in range(2, 12):
        world.now += 1
        world.failed(pid)
        world.run(20)
    world.run(100)
    assert world.counted() == world.total
