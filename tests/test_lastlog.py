"""lastlog of every layout and lastlog2: when each user last logged in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.following import watched_reads
from tests.hosts import BOOT
from textfile_users.history.lastlog import SIZES, parse_lastlog, read_lastlog, read_lastlog2
from textfile_users.reading.files import UnreadableDatabase

ALL_LAYOUTS = [(292, "little"), (296, "little"), (292, "big"), (296, "big")]
USERS = {0: "root", 1: "daemon", 1000: "alice", 1001: "bob"}
DAY = 86_400

# As liblastlog2 of util-linux 2.41 makes it (Debian 13).
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, "
    "RemoteHost TEXT, Service TEXT);"
)


def pack(size: int, order: str, time: int, line: bytes = b"pts/0", host: bytes = b"") -> bytes:
    """Return a record by byte offset: time, 32 bytes of line, 256 of host."""
    wide = size - 288
    data = time.to_bytes(wide, order)  # type: ignore[arg-type]
    return data + line.ljust(32, b"\0") + host.ljust(256, b"\0")


def write(path: Path, size: int, records: Mapping[int, bytes], changed: float) -> str:
    """Write a lastlog as pam_lastlog does: only records of those who logged in."""
    with open(path, "wb") as file:
        for uid, record in records.items():
            file.seek(uid * size)
            file.write(record)
    os.utime(path, (changed, changed))
    return str(path)


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ([b"", b""], "consoles"),
        ([b"192.0.2.7", b"client.example.org"], "from elsewhere"),
        ([b"h" * 256, b""], "a host that fills its field"),
    ],
)
@pytest.mark.parametrize("uids", [(0,), (1000,), (0, 1000), (0, 1001), (1000, 1001)])
def test_every_layout_is_found_from_content(
    tmp_path: Path, layout: tuple[int, str], hosts: list[bytes], why: str, uids: tuple[int, ...]
) -> None:
    times = {uid: BOOT + 77 + 1_000_003 * n for n, uid in enumerate(uids)}
    records = {
        uid: pack(*layout, times[uid], f"pts/{n}".encode(), hosts[n]) for n, uid in enumerate(uids)
    }
    path = write(tmp_path / "lastlog", layout[0], records, max(times.values()))
    assert read_lastlog(path, USERS) == {USERS[uid]: times[uid] for uid in uids}


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_a_length_that_divides_by_both_sizes_decides_nothing(
    tmp_path: Path, layout: tuple[int, str]
) -> None:
    """21,608 bytes are 74 records of 292 and 73 of 296."""
    size = layout[0]
    last = 21_608 // size - 1
    records = {uid: pack(*layout, BOOT + uid, b"tty1") for uid in (0, 7, last)}
    path = write(tmp_path / "lastlog", size, records, BOOT + last)
    assert os.path.getsize(path) == 21_608
    assert read_lastlog(path, {0: "root", 7: "lp", last: "alice", last + 1: "bob"}) == {
        "root": BOOT, "lp": BOOT + 7, "alice": BOOT + last
    }  # fmt: skip


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_a_huge_sparse_file_is_read_only_where_it_is_asked_for(
    tmp_path: Path, layout: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = {1000: "alice", 4_000_000_000: "domain\\bob", 4_294_967_294: "nobody"}
    size = layout[0]
    records = {1000: pack(*layout, BOOT), 4_000_000_000: pack(*layout, BOOT + 1)}
    path = write(tmp_path / "lastlog", size, records, BOOT + 1)
    assert os.path.getsize(path) > 10**12
    read = watched_reads(monkeypatch)
    assert read_lastlog(path, uids) == {"alice": BOOT, "domain\\bob": BOOT + 1}
    assert len(read) <= len(uids) * len(SIZES)


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize(
    ("damage", "expected", "why"),
    [
        (b"\xff" * 296, set(), "flash that was erased"),
        (b"\0" * 296, set(), "never logged in"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 10, set(), "text"),
        (5, {"daemon"}, "a clock that was never set"),
        (BOOT + DAY, {"daemon"}, "the clock was set back since"),
        (2**40, set(), "no time, where 64 bits hold it"),
    ],
)
def test_a_damaged_record_costs_only_itself(
    tmp_path: Path, layout: tuple[int, str], damage: bytes | int, expected: set[str], why: str
) -> None:
    size = layout[0]
    records = {uid: pack(*layout, BOOT + uid) for uid in USERS}
    if isinstance(damage, int):
        damage = pack(*layout, damage) if size == 296 or damage < 2**32 else b""
    records[1] = damage[:size]
    path = write(tmp_path / "lastlog", size, records, BOOT + 1001)
    assert set(read_lastlog(path, USERS)) == {"root", "alice", "bob"} | expected


@pytest.mark.parametrize("length", [0, 1, 291, 292 + 100])
def test_a_file_cut_short(tmp_path: Path, length: int) -> None:
    records = {0: pack(292, "little", BOOT), 1: pack(292, "little", BOOT + 1)}
    path = write(tmp_path / "lastlog", 292, records, BOOT + 1)
    os.truncate(path, length)
    os.utime(path, (BOOT, BOOT))
    assert read_lastlog(path, USERS) == ({"root": BOOT} if length > 291 else {})


def test_a_record_cut_short_while_it_is_read() -> None:
    whole, half = pack(292, "little", BOOT), pack(292, "little", BOOT)[:99]
    records = {292: {0: whole, 1: half, 2: b""}, 296: {0: whole + half[:4], 1: b""}}
    assert parse_lastlog(records, 292 * 3, BOOT) == {0: BOOT}


def test_of_two_uids_with_one_name_the_newer_login_counts(tmp_path: Path) -> None:
    records = {uid: pack(292, "little", BOOT - uid) for uid in (0, 5)}
    path = write(tmp_path / "lastlog", 292, records, BOOT)
    assert read_lastlog(path, {0: "root", 5: "root"}) == {"root": BOOT}
    assert read_lastlog(path, {5: "root", 0: "root"}) == {"root": BOOT}


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_was_put_back_with_another_date(tmp_path: Path, size: int) -> None:
    """No time is as it should be: the length decides."""
    records = {uid: pack(size, "little", BOOT + uid) for uid in (0, 1000)}
    path = write(tmp_path / "lastlog", size, records, 5)
    assert read_lastlog(path, USERS) == {"root": BOOT, "alice": BOOT + 1000}


def test_times_end_in_2106(tmp_path: Path) -> None:
    """32-bit times are unsigned."""
    path = write(tmp_path / "lastlog", 292, {0: pack(292, "little", 2**32 - 1)}, 2**32 - 1)
    assert read_lastlog(path, USERS) == {"root": 2**32 - 1}


@given(
    time=st.integers(1, 2**32 - 1),
    line=st.sampled_from([b"pts/0", b"tty1", b":0"]),
    host=st.sampled_from([b"", b"192.0.2.7", b"client.example.org"]),
    layout=st.sampled_from(ALL_LAYOUTS),
)
def test_one_record_alone_tells_its_layout(
    time: int, line: bytes, host: bytes, layout: tuple[int, str]
) -> None:
    swapped = int.from_bytes(time.to_bytes(4, "little"), "big")
    assume(not time < swapped <= time + DAY)  # nothing tells these apart
    size, order = layout
    data = pack(size, order, time, line, host)
    records = {292: {0: data[:292]}, 296: {0: data} if size == 296 else {}}
    assert parse_lastlog(records, size, time) == {0: time}


@given(
    data=st.binary(max_size=2_000),
    uids=st.dictionaries(st.integers(-9, 2**70) | st.integers(0, 7), st.just("alice")),
)
@example(data=b"\xff" * 888, uids={0: "root", 1: "daemon"})
def test_any_bytes_are_no_fault(
    data: bytes, uids: dict[int, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "lastlog"
    path.write_bytes(data)
    found = read_lastlog(str(path), uids)
    assert set(found) <= set(uids.values())
    assert all(0 < time < 2**32 for time in found.values())


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: None])
@pytest.mark.parametrize("read", [lambda path: read_lastlog(path, USERS), read_lastlog2])
def test_what_is_no_file_is_an_os_error(
    tmp_path: Path, make: Callable[[str], None], read: Callable[[str], object]
) -> None:
    make(str(tmp_path / "file"))
    with pytest.raises(OSError):
        read(str(tmp_path / "file"))


class Lastlog2:
    """A database, written as liblastlog2 does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.run(SCHEMA)

    def run(self, statement: str, *values: object) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def login(self, name: object, time: object, service: object = "sshd", tty: str = "ssh") -> None:
        self.run("REPLACE INTO Lastlog2 VALUES(?,?,?,'',?)", name, time, tty, service)


@pytest.fixture
def db(tmp_path: Path) -> Lastlog2:
    return Lastlog2(tmp_path / "lastlog2.db")


# None was taken over from lastlog, "" is a program that names none.
@pytest.mark.parametrize("service", ["sshd", "login", "gdm-password", None, ""])
def test_a_login_counts(db: Lastlog2, service: str | None) -> None:
    db.login("alice", BOOT)
    db.login("root", BOOT + 5, service, "")
    assert read_lastlog2(db.path) == ({"alice": BOOT, "root": BOOT + 5}, 0)


@pytest.mark.parametrize("service", ["su", "su-l", "sudo", "systemd-run0", "cron", "systemd-user"])
def test_a_change_of_user_or_a_job_is_no_login(db: Lastlog2, service: str) -> None:
    db.login("alice", BOOT)
    db.login("root", BOOT + 5, service, "")
    assert read_lastlog2(db.path) == ({"alice": BOOT}, 0)


def test_a_user_who_never_logged_in_is_left_out(db: Lastlog2) -> None:
    db.login("alice", 0)
    assert read_lastlog2(db.path) == ({}, 0)


def test_of_too_many_users_the_last_are_taken(db: Lastlog2) -> None:
    for n in (3, 5, 1, 4):
        db.login(f"user{n}", n)
    db.login("broken", "text sorts after numbers")
    assert read_lastlog2(db.path, 2) == ({"user5": 5, "user4": 4}, 0)


@pytest.mark.parametrize("name", [None, b"alice", ""])
def test_names_that_are_none_are_counted(db: Lastlog2, name: object) -> None:
    db.login(name, BOOT)
    db.login("bob", BOOT)
    assert read_lastlog2(db.path) == ({"bob": BOOT}, 1)


@pytest.mark.parametrize("time", [None, -1, "now", b"1", 1.5, 2**32, 2**63 - 1])
def test_times_that_are_none_are_counted(db: Lastlog2, time: object) -> None:
    db.login("alice", time)
    db.login("bob", BOOT)
    assert read_lastlog2(db.path) == ({"bob": BOOT}, 1)


def test_a_file_without_a_byte_holds_nobody(db: Lastlog2) -> None:
    os.truncate(db.path, 0)
    assert read_lastlog2(db.path) == ({}, 0)


def _other_schema(path: str) -> None:
    os.unlink(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER)")
    connection.close()


def _text(path: str) -> None:
    Path(path).write_bytes(b"alice 1765000000\n" * 400)


def _damaged(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[4096:8192] = b"\xff" * 4096
    Path(path).write_bytes(data)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (_other_schema, "its table Lastlog2 has no column Service"),
        (_text, "file is not a database"),
        (_damaged, "database disk image is malformed"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(
    db: Lastlog2, make: Callable[[str], None], fault: str
) -> None:
    db.login("alice", BOOT)
    make(db.path)
    with pytest.raises(UnreadableDatabase, match=f"^{fault}$"):
        read_lastlog2(db.path)


CELLS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.sampled_from([BOOT, "alice", "su"])
)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
def test_any_cells_are_accounted_for(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    db = Lastlog2(tmp_path_factory.mktemp("cells") / "lastlog2.db")
    db.run("DROP TABLE Lastlog2")
    db.run("CREATE TABLE Lastlog2(Name, Time, TTY, RemoteHost, Service)")
    connection = sqlite3.connect(db.path)
    with connection:
        connection.executemany("INSERT INTO Lastlog2 VALUES(?,?,NULL,NULL,?)", rows)
    connection.close()
    last, damaged = read_lastlog2(db.path)
    assert len(last) + damaged <= len(rows)
    assert all(name and "\0" not in name and 0 < time < 2**32 for name, time in last.items())
