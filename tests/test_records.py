"""`records` prints what files hold, and says of others in one line that they are none."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import BOOT, Record, pack, pack_all
from textfile_users.cli import main
from textfile_users.sessions.utmp import holds_records

LOGIN = Record(user="alice", line="tty1", pid=1, id="1", time=1_700_001_000)
# As libwtmpdb 0.73 makes it (Debian 13), but not STRICT, which older SQLites do not know.
WTMPDB = (
    "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, "
    "Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT)"
)
LASTLOG2 = (
    "CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, RemoteHost TEXT, "
    "Service TEXT)"
)
NONE = "holds no records of utmp, wtmp or btmp"
TEXT = f"{NONE}; if it is a log, see textfile-users events"


def lastlog(uid: int) -> bytes:
    return bytes(292 * uid) + struct.pack("<I32s256x", BOOT, b"pts/0")


def database(path: Path, *statements: str) -> bytes:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("text", b"not a record\n" * 100, TEXT),
        ("short text", b"a", TEXT),
        ("text of a record's length", b"x" * 384, TEXT),
        ("image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20, NONE),
        ("half a record", pack(LOGIN)[:300], NONE),
        ("lastlog", lastlog(0), f"{NONE}; lastlog(8) prints a lastlog"),
        ("lastlog", lastlog(1000), f"{NONE}; lastlog(8) prints a lastlog"),
        ("image.gz", gzip.compress(bytes(range(256)) * 20, mtime=0), NONE),
        (
            "cut.gz",
            gzip.compress(pack(LOGIN), mtime=0)[:10],
            "is compressed (gz), and damaged or cut",
        ),
        ("log.zst", b"\x28\xb5\x2f\xfd", "is compressed, and this Python has no library for zst"),
        ("no.db", b"SQLite format 3\0" + b"\xff" * 500, "is an SQLite database, but not one of wt"),
    ],
)
def test_what_holds_none_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, said: str
) -> None:
    """Nothing is printed, the status is 1, and the next file is read all the same."""
    path = tmp_path / name
    path.write_bytes(data)
    (tmp_path / "wtmp").write_bytes(pack(LOGIN))
    assert main(["records", str(path), str(tmp_path / "wtmp")]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err.startswith(f"textfile-users: {path}: {said}")
    assert err.count("\n") == 2


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (b"", "layout none, the file is empty; 0 sound, 0 damaged, 0 partial"),
        (bytes(384 * 2), "2 sound, 0 damaged, 0 partial"),  # an emptied utmp
        (pack(LOGIN) * 3 + b"\xff" * 384 * 9, "3 sound, 9 damaged, 0 partial"),
        (b"\xff" * 384 * 9 + pack(LOGIN) * 3, "3 sound, 9 damaged, 0 partial"),
        (pack(LOGIN) + b"\xff" * 384 + b"x", "1 sound, 1 damaged, 1 partial"),
        (pack(LOGIN._replace(time=9)), "1 sound, 0 damaged, 0 partial"),  # a host without a clock
        (pack(LOGIN._replace(type=8, user="")), "1 sound, 0 damaged, 0 partial"),
        (pack(LOGIN._replace(user="\udcff")), "1 sound, 0 damaged, 0 partial"),  # typed into btmp
        (pack(Record("reboot", "~", 0, BOOT, "6.1", type=2, id="~~")), "1 sound, 0 damaged"),
    ],
)
def test_damaged_and_odd_files_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, counts: str
) -> None:
    path = tmp_path / "wtmp"
    path.write_bytes(data)
    assert main(["records", str(path)]) == 0
    assert counts in capsys.readouterr().err


@pytest.mark.parametrize(("size", "order"), [(384, "little"), (400, "little"), (400, "big")])
def test_a_quarter_of_the_records_must_be_certain(size: int, order: str) -> None:
    sound = pack_all([LOGIN, LOGIN], size, order)
    assert holds_records(sound + b"\xff" * size * 6)
    assert not holds_records(sound + b"\xff" * size * 7)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], compress: Callable[[bytes], bytes]
) -> None:
    """Also those longer than a block."""
    path = tmp_path / "wtmp.1.gz"
    path.write_bytes(compress(pack(LOGIN, 400) * 1000))
    assert main(["records", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1000
    assert "layout 400 bytes, little-endian; 1000 sound, 0 damaged, 0 partial" in err


def test_what_comes_before_damage_in_a_compressed_file_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wtmp.gz"
    path.write_bytes(gzip.compress(pack(LOGIN) * 300 + os.urandom(9_000))[:5_000])
    assert main(["records", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 300
    assert err == f"textfile-users: {path}: is compressed (gz), and damaged or cut short\n"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a directory, not a file"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: os.mknod(path, 0o20666, os.makedev(1, 3)), "is not a regular file"),
        (lambda path: path.symlink_to("/proc/self/status"), TEXT),
        (lambda path: None, "no such file or directory"),
    ],
    ids=["directory", "fifo", "device", "proc", "missing"],
)
def test_what_is_no_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    said: str,
) -> None:
    path = tmp_path / "thing"
    try:
        make(path)
    except PermissionError:
        pytest.skip("devices are made by root alone")
    assert main(["records", str(path)]) == 1
    assert capsys.readouterr() == ("", f"textfile-users: {path}: {said}\n")


ROWS = (
    "INSERT INTO wtmp VALUES(1, 1, 'reboot', 1765000000000000, 1765000900000000, '~', '6.12', "
    "NULL)",
    "INSERT INTO wtmp VALUES(2, 3, 'alice', 1765000010250000, 1765000020000000, 'pts/0', "
    "'192.0.2.7', NULL)",
    "INSERT INTO wtmp VALUES(3, 3, 'bob', 1765000030000000, NULL, 'ssh', 'host.example', 'sshd')",
    "INSERT INTO wtmp VALUES(4, 3, 'carl', 'soon', NULL, NULL, NULL, NULL)",
    "INSERT INTO wtmp VALUES(5, 77, 'dora', 1765000030000000, NULL, NULL, NULL, NULL)",
)


def test_wtmpdb_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wtmp.db"
    before = database(path, "PRAGMA journal_mode = WAL", WTMPDB, *ROWS)
    names = os.listdir(tmp_path)
    assert main(["records", str(path)]) == 0
    out, err = capsys.readouterr()
    same = {"pid": 0, "session": 0}
    assert [json.loads(line) for line in out.splitlines()] == [
        {"type": "boot_time", "line": "~", "id": "1", "user": "reboot", "host": "6.12", "ip": "",
         "time": 1765000000.0, "logout": 1765000900.0, **same},
        {"type": "user_process", "line": "pts/0", "id": "2", "user": "alice", "host": "192.0.2.7",
         "ip": "192.0.2.7", "time": 1765000010.25, "logout": 1765000020.0, **same},
        {"type": "user_process", "line": "ssh", "id": "3", "user": "bob", "host": "host.example",
         "ip": "", "time": 1765000030.0, "service": "sshd", **same},
    ]  # fmt: skip
    assert err == f"textfile-users: {path}: layout wtmpdb (SQLite); 3 sound, 2 damaged, 0 partial\n"
    assert (os.listdir(tmp_path), path.read_bytes()) == (names, before)  # nothing is made


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["CREATE TABLE other(x)"], "is an SQLite database, but not one of wtmpdb: it has no tab"),
        (["CREATE VIEW wtmp AS SELECT 1"], "is an SQLite database, but not one of wtmpdb: it has"),
        ([LASTLOG2], "is the database of lastlog2, not of wtmpdb; lastlog2(8) prints it"),
    ],
)
def test_other_databases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], statements: list[str], said: str
) -> None:
    path = tmp_path / "wtmp.db"
    database(path, *statements)
    assert main(["records", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"textfile-users: {path}: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("offset", [20, 60, 100, 2_000, 4_096, 4_200])
def test_a_damaged_wtmpdb_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], offset: int
) -> None:
    path = tmp_path / "wtmp.db"
    data = database(path, WTMPDB, *ROWS)
    path.write_bytes(data[:offset] + b"\xff" * 64 + data[offset + 64 :])
    status = main(["records", str(path)])
    err = capsys.readouterr().err
    assert err.startswith(f"textfile-users: {path}: ")
    assert err.count("\n") == 1
    assert status == int("layout wtmpdb" not in err)


def test_a_wtmpdb_that_sqlite_cannot_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It opens files alone: of a compressed one it would say that it is no database."""
    data = database(tmp_path / "wtmp.db", WTMPDB)
    (tmp_path / "wtmp.db.gz").write_bytes(gzip.compress(data))
    wanted = "holds an SQLite database: unpack it into a file first"
    kept = os.dup(0)
    try:
        with open(tmp_path / "wtmp.db", "rb") as file:
            os.dup2(file.fileno(), 0)
        for path in (str(tmp_path / "wtmp.db.gz"), "-"):
            assert main(["records", path]) == 1
            assert capsys.readouterr().err == f"textfile-users: {path}: {wanted}\n"
    finally:
        os.dup2(kept, 0)
        os.close(kept)
