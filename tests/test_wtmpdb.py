"""wtmpdb is followed by row, each login and logout once, whatever the database holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT
from textfile_users.deadline import within
from textfile_users.history.wtmp import HistoryEntry
from textfile_users.history.wtmpdb import (
    WtmpdbFound,
    WtmpdbPosition,
    last_logins,
    newest_wtmpdb,
    open_logins,
    read_wtmpdb,
)
from textfile_users.reading import sqlite
from textfile_users.reading.files import UnreadableDatabase
from textfile_users.reading.position import signature

# As libwtmpdb 0.73 makes it (Debian 13).
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, "
    "Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;"
)
# Stores anything anywhere, under a name that SQLite takes for the same.
LAX_SCHEMA = (
    "CREATE TABLE WTMP(id INTEGER PRIMARY KEY, type, user, login, logout, tty, remotehost, service)"
)
IS_OLD = sqlite3.sqlite_version_info < (3, 37)
pytestmark = pytest.mark.skipif(IS_OLD, reason="this SQLite knows no STRICT tables")

START = WtmpdbPosition()
LONG = 30.0  # seconds; what waits for ever is noticed by it


class Wtmpdb:
    """A database, written as libwtmpdb does."""

    def __init__(self, path: Path, schema: str = SCHEMA) -> None:
        self.path = str(path)
        self.schema = schema
        self.run(schema)

    def run(self, statement: str, *values: object) -> int:
        connection = sqlite3.connect(self.path)
        with connection:
            row = connection.execute(statement, values).lastrowid
        connection.close()
        return row or 0

    def login(
        self,
        user: object = "alice",
        seconds: float = 5_000,
        tty: object = "pts/0",
        host: object = "192.0.2.7",
        service: object = None,
        type_: object = 3,
    ) -> int:
        insert = "INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost,Service) VALUES(?,?,?,?,?,?)"
        return self.run(insert, type_, user, micros(seconds), tty, host, service)

    def boot(self, seconds: float = 0, user: str = "reboot") -> int:
        return self.login(user, seconds, "~", "6.12.0-amd64", None, 1)

    def logout(self, ident: int, seconds: float) -> None:
        self.run("UPDATE wtmp SET Logout = ? WHERE ID = ?", micros(seconds), ident)

    def rotate(self, seconds: float) -> None:
        self.run("DELETE FROM wtmp WHERE Login <= ?", micros(seconds))

    def remake(self) -> None:
        os.unlink(self.path)
        self.run(self.schema)

    def read(self, position: WtmpdbPosition = START, limit: int = 10_000) -> WtmpdbFound:
        return read_wtmpdb(self.path, position, limit)


def micros(seconds: float) -> int:
    return int((BOOT + seconds) * 1e6)


def settle(path: str) -> None:
    """Let the last change be long ago."""
    os.utime(path, (BOOT, BOOT))


def told(found: WtmpdbFound) -> list[tuple[str, str, float]]:
    return [(entry.event, entry.user, entry.time - BOOT) for entry in found.entries]


@pytest.fixture
def db(tmp_path: Path) -> Wtmpdb:
    return Wtmpdb(tmp_path / "wtmp.db")


def test_rows_become_turns(db: Wtmpdb) -> None:
    db.boot()
    alice = db.login("alice", 10.25)
    db.login("bob", 20, "tty1", None, "login")
    db.login("root", 30, "ssh", "client.example.org", "sshd")
    db.logout(alice, 40)
    found = db.read()
    first = f"{alice}:{micros(10.25)}"
    assert found.entries == (
        HistoryEntry("boot", BOOT),
        HistoryEntry("login", BOOT + 10.25, "alice", "pts/0", ip="192.0.2.7", key=first,
            type="ssh"),
        HistoryEntry("login", BOOT + 20, "bob", "tty1", service="login", key=f"3:{micros(20)}",
             type="tty"),
        HistoryEntry("login", BOOT + 30, "root", host="client.example.org", service="sshd",
             key=f"4:{micros(30)}", type="ssh"),
        HistoryEntry("logout", BOOT + 40, "alice", "pts/0", ip="192.0.2.7", key=first, type="ssh"),
    )  # fmt: skip
    assert (found.complete, found.damaged) == (True, 0)
    assert found.position._replace(seen="") == WtmpdbPosition(4, micros(30), (3, 4, 1))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"service": "su"}, "a change of user"),
        ({"service": "sudo-i"}, "a change of user"),
        ({"service": "systemd-user"}, "a user manager"),
        ({"service": "gdm-launch-environment"}, "a greeter"),
        ({"host": "tmux(12).%0"}, "a window of tmux"),
        ({"host": ":0"}, "a terminal on a desktop"),
        ({"user": ""}, "it names nobody"),
        ({"type_": 0}, "empty"),
        ({"type_": 2}, "a run level"),
        ({"type_": 99}, "a type that is yet to come"),
    ],
)
def test_these_rows_are_no_turns(db: Wtmpdb, row: dict[str, object], why: str) -> None:
    db.login(**row)  # type: ignore[arg-type]
    found = db.read()
    assert (found.entries, found.damaged, found.position.open_ids) == ((), 0, ())
    assert found.position.last_id == 1
    assert open_logins(db.path) == ()


def test_a_logout_comes_later_and_once(db: Wtmpdb) -> None:
    ident = db.login()
    (login,) = db.read().entries
    position = db.read().position
    assert db.read(position).entries == ()
    db.logout(ident, 6_000)
    db.login("bob", 6_001)
    found = db.read(position)
    assert told(found) == [("logout", "alice", 6_000), ("login", "bob", 6_001)]
    assert found.entries[0].key == login.key
    assert db.read(found.position).entries == ()


def test_a_logout_before_its_login_still_follows_it(db: Wtmpdb) -> None:
    """The clock was set back meanwhile."""
    db.logout(db.login(seconds=5_000), 4_000)
    assert told(db.read()) == [("login", "alice", 5_000), ("logout", "alice", 4_000)]


def test_what_a_boot_finds_open_is_given_up(db: Wtmpdb) -> None:
    db.login("alice", -100)
    position = db.read().position
    db.login("bob", -50)
    db.boot(0, "soft-reboot")
    db.login("carol", 50)
    found = db.read(position)
    assert told(found) == [("login", "bob", -50), ("boot", "", 0), ("login", "carol", 50)]
    assert found.position.open_ids == (3 + 1, 3)  # and the boot, whose shutdown is to come


@pytest.mark.parametrize("limit", [1, 2, 3, 10_000])
def test_a_shutdown_stands_in_its_boots_row_and_follows_the_logins(db: Wtmpdb, limit: int) -> None:
    for start in (0, 100, 200):
        boot = db.boot(start)
        db.login("alice", start + 10)
        if start != 100:
            db.logout(boot, start + 50)
    entries = []
    position = START
    is_whole = False
    while not is_whole:
        found = db.read(position, limit)
        entries += told(found)
        position, is_whole = found.position, found.complete
    assert entries == [
        ("boot", "", 0), ("login", "alice", 10), ("shutdown", "", 50),
        ("boot", "", 100), ("login", "alice", 110),  # it crashed
        ("boot", "", 200), ("login", "alice", 210), ("shutdown", "", 250),
    ]  # fmt: skip
    assert told(db.read(position)) == []


def test_a_shutdown_comes_later_and_once(db: Wtmpdb) -> None:
    boot = db.boot()
    db.login()
    newest, position = newest_wtmpdb(db.path), db.read().position
    db.logout(boot, 6_000)
    for before in (newest, position):
        found = db.read(before)
        assert told(found) == [("shutdown", "", 6_000)]
        assert told(db.read(found.position)) == []


def test_a_first_run_counts_nothing_of_the_past_but_ends_what_is_open(db: Wtmpdb) -> None:
    db.login("crashed", -100)
    db.boot()
    db.logout(db.login("gone", 10), 20)
    ident = db.login("alice", 30)
    db.login("alice", 40, service="su-l")
    other = db.login("bob", 45)
    assert [(entry.event, entry.user) for entry in open_logins(db.path)] == [
        ("login", "alice"),
        ("login", "bob"),
    ]
    position = newest_wtmpdb(db.path)
    assert position._replace(seen="") == WtmpdbPosition(6, micros(45), (ident, other, 2))
    assert db.read(position).entries == ()
    db.logout(ident, 50)
    found = db.read(position)
    assert (told(found), found.entries[0].tty) == ([("logout", "alice", 50)], "pts/0")


def test_a_first_run_on_a_database_without_rows(db: Wtmpdb) -> None:
    position = newest_wtmpdb(db.path)
    assert position._replace(seen="") == START
    assert open_logins(db.path) == ()
    db.login()
    assert told(db.read(position)) == [("login", "alice", 5_000)]


@pytest.mark.parametrize("first_id", [1, 500], ids=["from the start", "after a rotation"])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_many_rows_are_read_in_parts(db: Wtmpdb, first_id: int, limit: int) -> None:
    for n in range(5):
        db.run("INSERT INTO wtmp VALUES(?,3,?,?,?,NULL,NULL,NULL)", first_id + n, f"user{n}",
               micros(n), micros(n) if n % 2 else None)  # fmt: skip
    settle(db.path)
    whole = db.read()
    entries: list[HistoryEntry] = []
    position = START
    for _ in range(6):
        found = db.read(position, limit)
        entries += found.entries
        position = found.position
        if found.complete:
            break
        assert (len(found.entries) > 0, position.seen) == (True, "")
    assert found.complete
    assert tuple(entries) == whole.entries
    assert position == whole.position


def test_last_logins_are_each_users_newest(db: Wtmpdb) -> None:
    db.boot()
    db.login("bob", 60)
    db.login("alice", 90)
    db.login("alice", 80)  # the clock was set back
    db.login("bob", 70)
    db.login("bob", 95, service="su")
    assert last_logins(db.path) == {"alice": BOOT + 90, "bob": BOOT + 70}
    assert last_logins(db.path, 2) == {"bob": BOOT + 70}


# Rotation and databases that are made anew.


def test_rotation_that_leaves_the_newest_row_changes_nothing(db: Wtmpdb) -> None:
    db.login("old", 10)
    db.login("alice", 20)
    position = db.read().position
    db.rotate(10)
    db.login("bob", 15)  # the clock was set back: ids go on all the same
    found = db.read(position)
    assert told(found) == [("login", "bob", 15)]
    assert found.position.open_ids == (2, 3)


@pytest.mark.parametrize("new", [1, 2, 3, 4])
def test_ids_that_begin_anew_are_noticed(db: Wtmpdb, new: int) -> None:
    """Fewer, as many and more rows than there were."""
    for n in range(3):
        db.login(f"old{n}", n)
    position = db.read().position
    db.remake()
    for n in range(new):
        db.login(f"new{n}", 100 + n)
    found = db.read(position)
    assert told(found) == [("login", f"new{n}", 100 + n) for n in range(new)]
    assert found.position.open_ids == tuple(range(1, new + 1))
    assert db.read(found.position).entries == ()


def test_a_row_with_an_old_rows_id_does_not_end_its_login(db: Wtmpdb) -> None:
    db.login("old", 1)
    (login,) = db.read().entries
    position = db.read().position
    db.remake()
    db.logout(db.login("new", 100), 101)
    found = db.read(position)
    assert told(found) == [("login", "new", 100), ("logout", "new", 101)]
    assert login.key not in {entry.key for entry in found.entries}


def test_the_newest_row_alone_is_gone(tmp_path: Path) -> None:
    """Its id is given out again; the rows before it, sound or not, are not read again."""
    db = Wtmpdb(tmp_path / "wtmp.db", LAX_SCHEMA)
    for n in range(3):
        db.login(f"user{n}", n)
    db.run("UPDATE wtmp SET Login = 'now' WHERE ID = 1")
    position = db.read().position
    db.run("DELETE FROM wtmp WHERE ID = 3")
    assert db.login("new", 100) == 3
    found = db.read(position)
    assert (told(found), found.damaged) == ([("login", "new", 100)], 0)
    assert found.position.open_ids == (2, 3)


def test_all_rows_rotated_away(db: Wtmpdb) -> None:
    db.login("old", 10)
    position = db.read().position
    db.rotate(10)
    found = db.read(position)
    assert (found.entries, found.position.open_ids) == ((), ())
    db.login("new", 100)
    assert told(db.read(found.position)) == [("login", "new", 100)]


def test_an_older_copy_is_not_counted_again(db: Wtmpdb) -> None:
    db.login("alice", 10)
    shutil.copy(db.path, db.path + ".copy")
    db.login("bob", 20)
    position = db.read().position
    os.replace(db.path + ".copy", db.path)
    found = db.read(position)
    assert told(found) == []
    # From here ids count again, also where the clock was ahead before.
    db.login("carol", 15)
    assert told(db.read(found.position)) == [("login", "carol", 15)]


def test_a_file_without_a_byte_is_what_logrotate_leaves(db: Wtmpdb) -> None:
    db.login("old", 10)
    position = db.read().position
    os.truncate(db.path, 0)
    found = db.read(position)
    assert (found.entries, found.complete, found.damaged) == ((), True, 0)
    assert (found.position.last_login, found.position.open_ids) == (micros(10), ())
    assert (open_logins(db.path), last_logins(db.path)) == ((), {})
    assert newest_wtmpdb(db.path).last_id == 0
    db.remake()
    db.login("new", 20)
    assert told(db.read(found.position)) == [("login", "new", 20)]


STEPS = st.sampled_from(["login", "logout", "boot", "rotate", "remake", "read", "read one"])


@given(steps=st.lists(STEPS, max_size=30))
def test_each_row_that_was_ever_read_counts_once(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    db = Wtmpdb(tmp_path_factory.mktemp("model") / "wtmp.db")
    position = START
    logins: list[str] = []
    logouts: list[str] = []
    there: dict[int, int] = {}  # ids and times of the rows
    for second, step in enumerate([*steps, "read"]):
        newest = max(there, default=0)
        if step == "login":
            there[db.login(f"u{second}", second)] = second
        elif step == "logout" and there:
            db.logout(newest, second)
        elif step == "boot":
            db.boot(second)
        elif step == "rotate":
            db.rotate(second - 3)
            there = {ident: time for ident, time in there.items() if time > second - 3}
        elif step == "remake":
            db.remake()
            there = {}
        elif step.startswith("read"):
            found = db.read(position, 1 if step == "read one" else 10_000)
            position = found.position
            logins += [entry.key for entry in found.entries if entry.event == "login"]
            logouts += [entry.key for entry in found.entries if entry.event == "logout"]
            if found.complete:
                keys = {f"{ident}:{micros(time)}" for ident, time in there.items()}
                assert keys <= set(logins)
    assert len(set(logins)) == len(logins)
    assert set(logouts) <= set(logins)


# When the file is opened.


def test_an_unchanged_database_is_not_opened(db: Wtmpdb, monkeypatch: pytest.MonkeyPatch) -> None:
    db.login()
    settle(db.path)
    position = db.read().position
    assert position.seen

    def fail(*_: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(os, "open", fail)
    monkeypatch.setattr(sqlite3, "connect", fail)
    assert db.read(position) == WtmpdbFound((), position, True, 0)


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_every_change_shows_in_the_signature(db: Wtmpdb, suffix: str) -> None:
    settle(db.path)
    before = signature(db.path)
    with open(db.path + suffix, "ab") as file:
        file.write(b"1")
    settle(db.path + suffix)
    assert signature(db.path) not in ("", before)
    os.unlink(db.path + suffix)
    if suffix:
        assert signature(db.path) == before


def test_the_signature_is_that_of_the_file_a_link_leads_to(db: Wtmpdb, tmp_path: Path) -> None:
    """Debian's /var/lib/wtmpdb/wtmp.db is a link to /var/log/wtmp.db."""
    db.login()
    link = tmp_path / "link.db"
    link.symlink_to("wtmp.db")
    settle(db.path)
    before = signature(str(link))
    assert before == signature(db.path)
    Path(db.path + "-journal").touch()
    settle(db.path + "-journal")
    assert signature(str(link)) not in ("", before)
    assert told(read_wtmpdb(str(link), START)) == [("login", "alice", 5_000)]


def test_a_change_within_the_same_tick_of_the_clock_is_not_missed(db: Wtmpdb) -> None:
    ident = db.login()
    status = os.stat(db.path)
    position = db.read().position
    db.logout(ident, 6_000)
    os.utime(db.path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert os.stat(db.path).st_size == status.st_size
    assert told(db.read(position)) == [("logout", "alice", 6_000)]


def test_sqlite_is_imported_only_where_something_is_new(db: Wtmpdb) -> None:
    settle(db.path)
    program = (
        "import sys\n"
        "from textfile_users.history import lastlog, wtmpdb\n"
        f"position = wtmpdb.WtmpdbPosition(seen={signature(db.path)!r})\n"
        f"wtmpdb.read_wtmpdb({db.path!r}, position)\n"
        "assert 'sqlite3' not in sys.modules\n"
        f"wtmpdb.read_wtmpdb({db.path!r}, wtmpdb.WtmpdbPosition())\n"
        "assert 'sqlite3' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("mode", ["delete", "persist", "wal"])
def test_nothing_is_written(db: Wtmpdb, tmp_path: Path, mode: str) -> None:
    """Not even the files beside it that a database in WAL mode asks for."""
    db.login()
    db.run(f"PRAGMA journal_mode = {mode}")
    before = os.listdir(tmp_path), Path(db.path).read_bytes()
    assert told(db.read()) == [("login", "alice", 5_000)]
    assert (os.listdir(tmp_path), Path(db.path).read_bytes()) == before


def test_a_writer_in_wal_mode_that_died(db: Wtmpdb, tmp_path: Path) -> None:
    """Its journal is read only with the file that it shared, which we do not make."""
    db.login()
    db.run("PRAGMA journal_mode = WAL")
    Path(db.path + "-wal").touch()
    before = os.listdir(tmp_path)
    with pytest.raises(UnreadableDatabase, match="unable to open database file"):
        db.read()
    assert os.listdir(tmp_path) == before


def test_a_writer_in_wal_mode_is_read_along(db: Wtmpdb) -> None:
    writer = sqlite3.connect(db.path)
    writer.execute("PRAGMA journal_mode = WAL")
    with writer:
        writer.execute(
            "INSERT INTO wtmp(Type, User, Login) VALUES(3, 'alice', ?)", (micros(5_000),)
        )
    assert told(db.read()) == [("login", "alice", 5_000)]
    writer.close()


@pytest.mark.parametrize("name", ["a b", "q?mode=rwc", "h#1", "100%41", "ü", "\udcff", "'\"&=;"])
def test_any_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    Wtmpdb(tmp_path / "plain").login()
    path = str(directory / "wtmp.db")
    shutil.copy(tmp_path / "plain", path)
    assert told(read_wtmpdb(path, START)) == [("login", "alice", 5_000)]
    assert told(read_wtmpdb("/" + path, START)) == [("login", "alice", 5_000)]


# Databases that are not as they should be.


def _fifo(path: str) -> None:
    os.unlink(path)
    os.mkfifo(path)


def _directory(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


def _link_among_others(path: str) -> None:
    os.rename(path, path + ".real")
    os.symlink(path + ".real", path)
    os.chmod(os.path.dirname(path), 0o1777)


@pytest.mark.parametrize("make", [_fifo, _directory, _link_among_others, os.unlink])
@pytest.mark.parametrize(
    "read", [lambda path: read_wtmpdb(path, START), newest_wtmpdb, open_logins, last_logins]
)
def test_what_is_no_file_is_an_os_error(
    db: Wtmpdb, make: Callable[[str], None], read: Callable[[str], object]
) -> None:
    make(db.path)
    with pytest.raises(OSError):
        read(db.path)


def _text(path: str) -> None:
    Path(path).write_bytes(b"root:x:0:0:root:/root:/bin/bash\n" * 200)


def _damaged(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[4096:8192] = b"\xff" * 4096  # the table's page
    Path(path).write_bytes(data)


def _cut(path: str) -> None:
    os.truncate(path, 4096)


def _byte(path: str) -> None:
    os.truncate(path, 1)


def _made(path: str, *statements: str) -> None:
    os.unlink(path)
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def _other_schema(path: str) -> None:
    _made(path, "CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER)")


def _lacks_a_column(path: str) -> None:
    _made(path, LAX_SCHEMA.replace("logout, ", ""))


def _view(path: str) -> None:
    _made(path, LAX_SCHEMA.replace("WTMP", "t"), "CREATE VIEW wtmp AS SELECT * FROM t")


def _virtual(path: str) -> None:
    _made(path, "CREATE VIRTUAL TABLE wtmp USING fts4(ID, Type, User, Login, Logout, TTY,"
                " RemoteHost, Service)")  # fmt: skip


def _generated(path: str) -> None:
    _made(path, LAX_SCHEMA.replace("user", "user AS (hex(zeroblob(100000000)))"))


def _endless(path: str) -> None:
    """Make more rows than are looked at, none of which is a login."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
    _made(path, LAX_SCHEMA, f"INSERT INTO wtmp(type, login) {numbers} SELECT 2, -1 FROM n")


def _names_in_other_bytes(path: str) -> None:
    _made(path, "CREATE TABLE zzq(a)")
    data = Path(path).read_bytes()
    data = data.replace(b"CREATE TABLE zzq", b"CREATE TABLX zzq").replace(b"zzq", b"\xff\n\xfe")
    Path(path).write_bytes(data)


def _huge_cell(path: str) -> None:
    _made(path, LAX_SCHEMA, "INSERT INTO wtmp VALUES(1,3,hex(zeroblob(4000000)),1,1,1,1,1)")


def _hot_journal(path: str) -> None:
    """Let the writer die in the middle of a transaction."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    for n in range(2_000):
        writer.execute("INSERT INTO wtmp(Type, User, Login, TTY) VALUES(3,?,?,'x')", ("u" * 90, n))
    for suffix in ("", "-journal"):
        shutil.copy(path + suffix, path + "2" + suffix)
    writer.close()
    for suffix in ("", "-journal"):
        os.replace(path + "2" + suffix, path + suffix)
    assert os.path.getsize(path + "-journal") > 512


NEEDS_LIMIT = pytest.mark.skipif(sys.version_info < (3, 11), reason="no limits in its sqlite3")


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (_text, "file is not a database"),
        (_byte, "it has no table wtmp|file is not a database"),
        (_damaged, "database disk image is malformed"),
        (_cut, "database disk image is malformed"),
        (_other_schema, "it has no table wtmp"),
        (_lacks_a_column, "its table wtmp has no column Logout"),
        (_view, "it has no table wtmp"),
        (_virtual, "it has no table wtmp"),
        (_generated, "its table wtmp has no column User"),
        (_names_in_other_bytes, "its schema is damaged"),
        pytest.param(_huge_cell, "string or blob too big", marks=NEEDS_LIMIT),
        (_hot_journal, "attempt to write a readonly database|unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_read_says_why(
    db: Wtmpdb, make: Callable[[str], None], fault: str
) -> None:
    db.login()
    make(db.path)
    with pytest.raises(UnreadableDatabase, match=f"^({fault})$"):
        db.read()


def _link_to_a_fifo(path: str) -> None:
    os.mkfifo(path + ".fifo")
    os.symlink(path + ".fifo", path)


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("make", [os.mkfifo, _link_to_a_fifo, os.mkdir])
@pytest.mark.parametrize("is_linked", [False, True])
def test_what_lies_beside_it_never_stalls(
    db: Wtmpdb, tmp_path: Path, suffix: str, mode: str, make: Callable[[str], None], is_linked: bool
) -> None:
    """SQLite opens them by name, and waits for the writer of a FIFO."""
    db.run(f"PRAGMA journal_mode = {mode}")
    db.login()
    make(db.path + suffix)
    path = tmp_path / "elsewhere" / "link.db" if is_linked else Path(db.path)
    if is_linked:
        path.parent.mkdir()
        path.symlink_to(db.path)
    fault = f"^wtmp.db{suffix} beside it is not a regular file: remove it$"
    with pytest.raises(UnreadableDatabase, match=fault):
        within(LONG, lambda: read_wtmpdb(str(path), START))


def test_a_table_that_never_ends_is_given_up(db: Wtmpdb, monkeypatch: pytest.MonkeyPatch) -> None:
    _endless(db.path)
    monkeypatch.setattr(sqlite, "MAX_STEPS", 10 * sqlite.STEPS_AT_ONCE)
    with pytest.raises(UnreadableDatabase, match=r"^it takes too long to read$"):
        db.read()


def test_a_writer_that_holds_its_lock_is_not_waited_for(
    db: Wtmpdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.login()
    writer = sqlite3.connect(db.path)
    writer.execute("BEGIN EXCLUSIVE")
    real: Any = sqlite3.connect
    waits = []

    def connect(*args: Any, timeout: float, **named: Any) -> sqlite3.Connection:
        waits.append(timeout)
        connection: sqlite3.Connection = real(*args, timeout=timeout, **named)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(UnreadableDatabase, match=r"^database is locked$"):
        db.read()
    assert waits == [0.2]
    writer.rollback()
    assert told(db.read()) == [("login", "alice", 5_000)]
    writer.close()


def test_a_message_is_one_short_line(db: Wtmpdb) -> None:
    _made(db.path, "CREATE TABLE zzq(a)")
    data = Path(db.path).read_bytes()
    Path(db.path).write_bytes(data.replace(b"CREATE TABLE zzq", b"CREATE TABLX z\nq"))
    with pytest.raises(UnreadableDatabase) as caught:
        db.read()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


def test_a_python_without_sqlite_says_so(db: Wtmpdb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(UnreadableDatabase, match=r"^this Python has no sqlite3$"):
        db.read()


@pytest.mark.parametrize(
    "column", ["user = NULL", "user = x'616c696365'", "user = 7", "type = 'x'", "type = NULL",
               "type = x'03'", "login = NULL", "login = -1", "login = 'now'", "login = 1.5",
               "login = 9223372036854775807", "logout = 'now'", "logout = -5",
               "logout = 9223372036854775807"],
)  # fmt: skip
def test_damaged_rows_are_skipped_and_counted_once(tmp_path: Path, column: str) -> None:
    db = Wtmpdb(tmp_path / "wtmp.db", LAX_SCHEMA)
    db.login("bob", 1)
    ident = db.login("alice", 2)
    db.login("carol", 3)
    db.run(f"UPDATE wtmp SET {column} WHERE ID = ?", ident)
    found = db.read()
    assert told(found) == [("login", "bob", 1), ("login", "carol", 3)]
    assert (found.damaged, found.position.open_ids) == (1, (1, 3))
    assert db.read(found.position).damaged == 0


def test_a_logout_that_is_damaged_counts_once(tmp_path: Path) -> None:
    db = Wtmpdb(tmp_path / "wtmp.db", LAX_SCHEMA)
    position = (db.login(), db.read().position)[1]
    db.run("UPDATE wtmp SET Logout = 'x'")
    found = db.read(position)
    assert (found.entries, found.damaged, found.position.open_ids) == ((), 1, ())
    assert db.read(found.position).damaged == 0


@pytest.mark.parametrize(
    ("ident", "is_read", "why"),
    [
        (-(2**63), True, "the first number that there is"),
        (-(2**63) + 1, True, "the second"),
        (-1, True, "before those that SQLite gives out"),
        (0, True, "likewise"),
        (2**31, True, "ids go on behind it"),
        (2**53 + 1, True, "likewise"),
        (2**62 + 1, True, "likewise"),
        (2**63 - 1, False, "the last number: SQLite gives out random ones from then on"),
    ],
)
@pytest.mark.parametrize("is_backfill", [False, True])
def test_a_row_with_an_extreme_id(
    db: Wtmpdb, ident: int, is_read: bool, is_backfill: bool, why: str
) -> None:
    bob = db.login("bob", 1)
    position = START if is_backfill else newest_wtmpdb(db.path)
    db.run("INSERT INTO wtmp VALUES(?,3,'eve',?,NULL,'pts/9',NULL,NULL)", ident, micros(2))
    names = {"bob"} if is_backfill else set()
    names |= {"eve"} if is_read and (is_backfill or ident > bob) else set()
    found = db.read(position)
    assert ({entry.user for entry in found.entries}, found.damaged) == (names, not is_read)
    for number in range(3, 6):
        new = db.login(f"user{number}", number)
        db.logout(new, number + 0.5)
        found = db.read(found.position)
        assert told(found)[:1] == [("login", f"user{number}", number)]
        assert [entry.event for entry in found.entries] == ["login", "logout"]
        assert found.damaged == 0
        assert (db.read(found.position).entries, found.complete) == ((), True)
    db.logout(bob, 10)
    assert told(db.read(found.position)) == [("logout", "bob", 10)]
    assert {"bob", "user5"} <= last_logins(db.path).keys()
    at_end = newest_wtmpdb(db.path)
    assert db.read(at_end)[0] == ()
    is_near = is_read and ident >= -1  # open logins are looked for among the newest rows
    assert [entry.user for entry in open_logins(db.path)] == ["eve"] * is_near


def test_an_extreme_id_in_a_database_made_again(db: Wtmpdb) -> None:
    for ident in (-(2**63), 5, 2**63 - 1):
        db.remake()
        db.run("INSERT INTO wtmp VALUES(?,3,'eve',?,NULL,'pts/9',NULL,NULL)", ident, micros(2))
        found = db.read(WtmpdbPosition(77, micros(1), (70, 77)))
        assert len(found.entries) + found.damaged == 1
        assert (db.read(found.position).entries, db.read(found.position).damaged) == ((), 0)


def test_text_is_cut_and_escaped(tmp_path: Path) -> None:
    db = Wtmpdb(tmp_path / "wtmp.db", LAX_SCHEMA)
    db.login("alice\0root", 1, "p" * 1000, "h" * 300)
    db.run("UPDATE wtmp SET service = CAST(x'73fffe' AS TEXT)")
    (entry,) = db.read().entries
    assert (entry.user, entry.tty, entry.host) == ("alice", "p" * 256, "h" * 256)
    db.run("UPDATE wtmp SET user = CAST(x'4afc' AS TEXT), tty = x'70', remotehost = 5")
    (entry,) = db.read().entries
    assert (entry.user, entry.tty, entry.host, entry.ip) == ("J\\xfc", "", "", "")


CELLS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-1, 4)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.sampled_from([micros(0), micros(1), "alice", "pts/0", "su", "192.0.2.7"])
)


@given(rows=st.lists(st.tuples(*[CELLS] * 7), max_size=6))
def test_any_cells_are_accounted_for(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    db = Wtmpdb(tmp_path_factory.mktemp("cells") / "wtmp.db", LAX_SCHEMA)
    connection = sqlite3.connect(db.path)
    with connection:
        connection.executemany("INSERT INTO wtmp VALUES(NULL,?,?,?,?,?,?,?)", rows)
    connection.close()
    found = db.read()
    logins = [entry for entry in found.entries if entry.event != "logout"]
    assert found.complete
    assert len(logins) + found.damaged <= len(rows)
    assert all(0 <= entry.time < 2**32 for entry in found.entries)
    assert all(entry.user for entry in logins if entry.event == "login")
    assert not any(
        "\0" in text for entry in found.entries for text in entry if isinstance(text, str)
    )
    again = db.read(found.position)
    assert (again.entries, again.damaged) == ((), 0)
    assert newest_wtmpdb(db.path).last_id == (len(rows) if rows else 0)
    assert set(last_logins(db.path)) >= {entry.user for entry in logins if entry.event == "login"}


def test_a_position_that_is_no_number_of_sqlites(db: Wtmpdb) -> None:
    """State may be damaged, too."""
    with pytest.raises(UnreadableDatabase, match="too large"):
        db.read(WtmpdbPosition(2**63, 0))
    db.login()
    assert told(db.read(WtmpdbPosition(-5, -5, (-5, 2**70)))) == [("login", "alice", 5_000)]


@given(data=st.data())
def test_any_damage_is_an_unreadable_database_or_less(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    db = Wtmpdb(tmp_path_factory.mktemp("bytes") / "wtmp.db")
    for n in range(3):
        db.login(f"user{n}", n)
    content = bytearray(Path(db.path).read_bytes())
    # Where something stands: the header, the schema at the first page's end, the rows.
    places = st.integers(0, 120) | st.integers(3_800, 4_110) | st.integers(8_000, 8_191)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(places)] = data.draw(st.integers(0, 255))
    Path(db.path).write_bytes(content)
    for read in (lambda path: read_wtmpdb(path, START), newest_wtmpdb, open_logins, last_logins):
        try:
            read(db.path)
        except UnreadableDatabase as error:
            assert str(error).isprintable()
