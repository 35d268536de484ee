"""The whole history of wtmp and wtmpdb, of a host of which nothing else is there.

Random histories are written as records, and what the program counts of them is held against
what happened: each login, its end and length, last logins and boots.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests import hosts, test_wtmpdb
from tests.following import replace
from tests.hosts import NOW, Record, pack_all
from textfile_users import logins
from textfile_users.history import collect_history as history

START = int(NOW) - 3_000_000  # the past is long enough for any history here
DUE = 50_000.0  # seconds after NOW at which all is past
LAYOUTS = [(size, order) for size in (384, 400) for order in ("little", "big")]
# Line, host, address, type.
PLACES = [
    ("pts/0", "192.0.2.7", "192.0.2.7", "ssh"),
    ("pts/1", "2001:db8::7", "2001:db8::7", "ssh"),
    ("pts/2", "client.example.org", "198.51.100.9", "ssh"),
    ("tty1", "", "", "tty"),
    ("tty2", ":0", "", "x11"),
]


class Past:
    """What happened on a host: records of it, and what is to be counted."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.time = float(START)
        self.pid = 1_000
        self.records: list[Record] = []
        self.logins: Counter[tuple[str, str]] = Counter()
        self.ends: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.boots = 0
        self.open: dict[str, tuple[str, str, float]] = {}

    def wait(self) -> None:
        self.time += self.random.choice((11, 12.25, 45, 61, 700, 4_000, 90_000)) / 10
        self.time = round(self.time, 2)

    def end(self, line: str) -> None:
        if line in self.open:
            _, type_, start = self.open.pop(line)
            self.ends[type_] += 1
            self.seconds[type_] = self.seconds.get(type_, 0.0) + max(0.0, self.time - start)

    def login(self) -> None:
        line, host, ip, type_ = self.random.choice(PLACES)
        user = self.random.choice(("alice", "bob", "root"))
        if line in self.open:  # nobody recorded that the one before has gone
            self.time += 10.5
        self.end(line)
        self.pid += 1
        self.records.append(Record(user, line, self.pid, self.time, host, ip))
        self.open[line] = user, type_, self.time
        self.logins[type_, user] += 1
        self.last[user] = max(self.last.get(user, 0.0), self.time)

    def logout(self) -> None:
        line = self.random.choice(PLACES)[0]
        user = self.random.choice(("", "alice"))  # some keep the user, and the pid is another's
        self.records.append(Record(user, line, self.random.randrange(9_999), self.time, type=8))
        self.end(line)

    def down(self) -> None:
        user, pid = self.random.choice((("shutdown", 0), ("runlevel", 54), ("runlevel", 48)))
        self.records.append(Record(user, "~", pid, self.time, "6.1", type=1, id="~~"))
        for line in tuple(self.open):
            self.end(line)

    def boot(self) -> None:
        self.records.append(Record("reboot", "~", 0, self.time, "6.1", type=2, id="~~"))
        for line in tuple(self.open):
            self.end(line)
        self.boots += 1

    def set_clock(self) -> None:
        self.records.append(Record("date", "|", 0, self.time, type=4))
        self.time = max(START, self.time + self.random.choice((-5_000, -90, 3_600)))
        self.records.append(Record("date", "{", 0, self.time, type=3))

    def noise(self) -> None:
        line, _, _, _ = self.random.choice(PLACES[:3])
        self.records += self.random.choice(
            (
                [Record("LOGIN", "tty1", 600, self.time, type=6)],
                [Record("runlevel", "~", 53, self.time, "6.1", type=1)],
                [Record("alice", "pts/9", 7, self.time, "tmux(12).%0")],
                [Record("alice", "pts/8", 8, self.time, ":0")],
                [Record("hunter2", "", 0, self.time, ":0")],
                [Record("", "", 0, self.time, type=8)],
                [Record("", line, 0, 0.0, type=0)],
            )
        )

    def live(self, steps: int) -> None:
        """Have so many things happen."""
        what = [self.login, self.logout, self.noise, self.boot, self.down, self.set_clock]
        for step in self.random.choices(what, (12, 10, 4, 1, 1, 1), k=steps):
            self.wait()
            step()


SERVICES = {"ssh": "sshd", "tty": "login", "x11": "gdm-password"}


class PastOfBoth(Past):
    """The same of a host that writes wtmpdb as well: a logout and a shutdown go into a row.

    wtmpdb is a moment later. Of a login that is in one of them alone the logout is on record, and
    no other one is near; else a row may lack it.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rows: list[list[object]] = []
        self.row_of: dict[str, list[object]] = {}
        self.alone: dict[str, str] = {}
        self.boot()

    def row(self, type_: int, user: str, line: str, host: str, service: str) -> list[object]:
        login = round((self.time + 0.25) * 1e6)
        self.rows.append([len(self.rows) + 1, type_, user, login, None, line, host, service])
        return self.rows[-1]

    def login(self) -> None:
        where = self.random.choice(("both", "both", "both", "wtmp", "wtmpdb"))
        for line in tuple(self.open):
            if where != "both" or line in self.alone:
                self.log_out(line)
        self.time += 0 if where == "both" else 70
        super().login()
        record = self.records[-1]
        if where != "both":
            self.alone[record.line] = where
        if where == "wtmpdb":
            self.records.pop()
        self.row_of.pop(record.line, None)
        if where != "wtmp":
            service = SERVICES[self.open[record.line][1]]
            row = self.row(3, record.user, record.line, record.host, service)
            self.row_of[record.line] = row
        self.time += 0 if where == "both" else 70

    def logout(self) -> None:
        self.log_out(self.random.choice(PLACES)[0])

    def log_out(self, line: str) -> None:
        if self.alone.get(line) != "wtmpdb":
            self.records.append(Record("", line, 0, self.time, type=8))
        self.end(line)
        row = self.row_of.pop(line, None)
        if row and (line in self.alone or self.random.random() < 0.8):
            row[4] = round((self.time + 0.25) * 1e6)
        self.alone.pop(line, None)

    def boot(self) -> None:
        super().boot()
        self.row_of, self.alone = {"~": self.row(1, "reboot", "~", "6.1", "")}, {}

    def down(self) -> None:
        super().down()
        self.row_of["~"][4] = round((self.time + 0.25) * 1e6)
        self.time += 200  # two boots within two minutes of each other may be taken for one
        self.boot()

    def set_clock(self) -> None:
        self.time += 200
        self.boot()
        self.time += 200


class Run(hosts.Run):
    """Runs the program on a tree with records alone: no /proc, no session, no log."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.host = hosts.Host.__new__(hosts.Host)
        self.host.root = str(directory / "tree")
        self.host.write("etc/passwd", hosts.PASSWD)

    def append(self, data: bytes) -> None:
        path = self.host.path("var/log/wtmp")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab") as file:
            file.write(data)

    def database(self, rows: list[list[object]]) -> None:
        path = self.host.path("var/lib/wtmpdb/wtmp.db")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(test_wtmpdb.SCHEMA)
            connection.executemany("REPLACE INTO wtmp VALUES(?,?,?,?,?,?,?,?)", rows)
        connection.close()

    def history(self, *extra: str, at: float = DUE) -> dict[str, float]:
        """Run, and return the samples that are not 0."""
        status, said = self("--collectors", "history", *extra, at=at)
        assert (status, said) == (0, "")
        return {name: value for name, value in self.samples().items() if value}


def check(found: dict[str, float], past: Past, apart: float = 0.01) -> None:
    """Fail unless all was counted that happened; times may be so many seconds ``apart``."""
    name = 'users_logins_total{{session_type="{}",user="{}"}}'
    assert named(found, "users_logins_total") == {
        name.format(*who): count for who, count in past.logins.items()
    }
    duration = "users_session_duration_seconds"
    assert named(found, duration + "_count") == {
        f'{duration}_count{{session_type="{type_}"}}': count for type_, count in past.ends.items()
    }
    assert named(found, duration + "_sum") == pytest.approx(
        {
            f'{duration}_sum{{session_type="{type_}"}}': sum_
            for type_, sum_ in past.seconds.items()
            if sum_
        },
        abs=apart * max([1, *past.ends.values()]),
    )
    assert named(found, "users_last_login_timestamp_seconds") == pytest.approx(
        {
            f'users_last_login_timestamp_seconds{{user="{user}"}}': time
            for user, time in past.last.items()
        },
        abs=apart,
    )
    assert sum(named(found, "users_reboots_total").values()) == past.boots


def named(found: dict[str, float], family: str) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.partition("{")[0] == family}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


@pytest.mark.parametrize("seed", range(24))
def test_a_wtmp_read_at_once(run: Run, seed: int) -> None:
    past = Past(seed)
    past.live(120)
    run.append(pack_all(past.records, *LAYOUTS[seed % 4]))
    for at in (0, 1_000):  # and never again
        check(run.history("--backfill", at=DUE + at), past)


@pytest.mark.parametrize("seed", range(100, 116))
def test_a_wtmp_that_grows(run: Run, seed: int) -> None:
    """A record may be written in two halves, and a scan see the first."""
    past = Past(seed)
    past.live(100)
    layout = LAYOUTS[seed % 4]
    data = pack_all(past.records, *layout)
    at = 0
    while at < len(data):
        piece = past.random.choice((layout[0] * 5, layout[0] // 2, 7_000))
        run.append(data[at : at + piece])
        at += piece
        run.history("--backfill", at=DUE + at / 1_000)
    check(run.history(at=2 * DUE), past)


@pytest.mark.parametrize("seed", range(4))
def test_a_wtmp_of_more_logins_than_are_remembered(
    run: Run, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """They were dropped before they were counted."""
    replace(monkeypatch, "BLOCK", 384 * 20)
    for module in (logins, history):
        monkeypatch.setattr(module, "MAX_LOGINS", 50)
    past = Past(seed)
    past.live(900)
    run.append(pack_all(past.records, *LAYOUTS[seed % 4]))
    check(run.history("--backfill"), past)


@pytest.mark.skipif(test_wtmpdb.IS_OLD, reason="this SQLite knows no STRICT tables")
@pytest.mark.parametrize("seed", range(200, 212))
def test_wtmp_and_wtmpdb_of_one_host(run: Run, seed: int) -> None:
    """A login that both have is one, whichever is ahead, and so is a boot."""
    past = PastOfBoth(seed)
    written = 0
    for part in range(5):
        past.live(25)
        run.append(pack_all(past.records[written:], *LAYOUTS[seed % 4]))
        written = len(past.records)
        run.database(past.rows)
        check(run.history("--backfill", at=DUE + part), past, 0.6)


@pytest.mark.skipif(test_wtmpdb.IS_OLD, reason="this SQLite knows no STRICT tables")
@pytest.mark.parametrize("seed", range(300, 304))
def test_both_with_more_logins_than_are_remembered(
    run: Run, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """They are read side by side, so that what both have is still remembered."""
    replace(monkeypatch, "BLOCK", 384 * 10)
    monkeypatch.setattr(history, "ROWS", 10)
    for module in (logins, history):
        monkeypatch.setattr(module, "MAX_LOGINS", 100)
    past = PastOfBoth(seed)
    past.live(900)
    run.append(pack_all(past.records, *LAYOUTS[seed % 4]))
    run.database(past.rows)
    check(run.history("--backfill"), past, 0.6)
