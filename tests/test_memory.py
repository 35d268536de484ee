"""What scans hand to the next one: it comes back as it was, or is put aside with a message."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import NOW, Host
from textfile_users import counting
from textfile_users import run as collect
from textfile_users.accounts.account import Answer, Known, Pause
from textfile_users.auth.journal_files import JournalPosition
from textfile_users.auth.logs import AuthMemory, AuthNotes
from textfile_users.auth.remembered import Remembered
from textfile_users.auth_event import FAILURE, AuthEvent, Finding
from textfile_users.cli import main
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.connection import Connection
from textfile_users.counting import Counting, Counts
from textfile_users.history.collect_history import HistoryMemory
from textfile_users.history.wtmpdb import WtmpdbPosition
from textfile_users.logins import Login
from textfile_users.memory import Durable, Volatile
from textfile_users.processes.collect_processes import ProcessesMemory, Usage
from textfile_users.reading.position import Position
from textfile_users.run import remember_faults
from textfile_users.sessions.collect_sessions import HOUR, MAX_RECENT, SessionsMemory, remember
from textfile_users.sessions.session import Session
from textfile_users.state_files import (
    DURABLE,
    VOLATILE,
    Saved,
    _end_of,
    format_durable,
    format_volatile,
    load_durable,
    load_volatile,
    parse_durable,
    parse_volatile,
    save_durable,
    save_volatile,
)

# Text as sources have it: any character, and bytes that are not UTF-8.
TEXT = st.text(st.characters() | st.sampled_from('\0\r\n",;\\\u2028\x85\x1c\udcff'))
NUMBER = st.integers(0, 1 << 62)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
FINDING = st.builds(
    Finding, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, NUMBER, NUMBER, TEXT, TEXT, TEXT, NUMBER
)
EVENT = st.builds(AuthEvent, FLOAT, NUMBER, NUMBER, FINDING)
EVENTS = st.lists(EVENT, max_size=2).map(tuple)
POSITION = st.builds(Position, NUMBER, NUMBER, TEXT, TEXT, st.booleans(), TEXT)
POSITIONS = st.dictionaries(TEXT, POSITION, max_size=2)
LOGIN = st.builds(
    Login, TEXT, TEXT, TEXT, TEXT, NUMBER, TEXT, TEXT, NUMBER, FLOAT, FLOAT, FLOAT, TEXT,
    st.booleans(), st.booleans(),
)  # fmt: skip
MEMORIES = st.dictionaries(
    st.tuples(TEXT, NUMBER | TEXT | st.sampled_from(("0", "²"))),
    st.builds(Remembered, FLOAT, TEXT, EVENTS, TEXT, NUMBER),
    max_size=2,
)
COUNTS = st.builds(
    Counts,
    began=FLOAT,
    boot=FLOAT,
    counters=st.dictionaries(st.lists(TEXT, min_size=1, max_size=4).map(tuple), FLOAT, max_size=3),
    failures=st.dictionaries(
        TEXT, st.dictionaries(st.integers(), NUMBER, min_size=1, max_size=2), max_size=2
    ),
    attempts=st.dictionaries(st.integers(), NUMBER, max_size=2),
    last_logins=st.dictionaries(TEXT, FLOAT, max_size=2),
    logins=st.lists(LOGIN, max_size=2).map(tuple),
    forgotten=FLOAT,
)
AUTH = st.builds(
    AuthMemory,
    source=TEXT,
    time=FLOAT,
    quiet=FLOAT,
    logs=POSITIONS,
    journal=st.none() | st.builds(JournalPosition, TEXT, FLOAT, FLOAT),
    remembered=MEMORIES.map(lambda found: tuple(found.items())),
    held=EVENTS,
    last=st.none() | EVENT,
)
HISTORY = st.builds(
    HistoryMemory,
    boot_id=TEXT,
    records=POSITIONS,
    wtmpdb=st.none()
    | st.builds(WtmpdbPosition, NUMBER, NUMBER, st.lists(NUMBER, max_size=3).map(tuple), TEXT),
    seen=st.dictionaries(TEXT, TEXT, max_size=2),
)
DURABLES = st.builds(Durable, COUNTS, AUTH, HISTORY)
FOUND = Finding("failure", "sshd", "password", "ro\not", "", "192.0.2.7", "", 1, 1, "", "", "", 0)
SAMPLE = Durable(
    Counts(
        NOW,
        counters={
            ("users_reboots_total", "clean"): 3.0,
            ("users_logins_total", 'a"\n,b', "ssh"): 1.5,
        },
        failures={"192.0.2.7": {29_000_000: 2}},
    ),
    AuthMemory(
        logs={"/var/log/auth.log": Position(1, 2, "a", "b", False, "1:2:3")},
        remembered=((("sshd", 100), Remembered(NOW, "f", (AuthEvent(NOW, 100, 0, FOUND),))),),
        last=AuthEvent(NOW, 100, 0, FOUND),
    ),
    HistoryMemory(wtmpdb=WtmpdbPosition(1, 2, (3, 4), "x")),
)


@given(DURABLES)
def test_what_is_kept_comes_back_as_it_was(durable: Durable) -> None:
    data = format_durable(durable)
    assert parse_durable(data) == durable


def test_a_state_cut_short_anywhere_is_none() -> None:
    data = format_durable(SAMPLE)
    assert parse_durable(data) == SAMPLE
    for length in range(len(data)):
        with pytest.raises(ValueError):
            parse_durable(data[:length])


@given(st.data())
def test_a_damaged_state_is_another_or_none(data: st.DataObject) -> None:
    """Nothing but ValueError leaves."""
    whole = bytearray(format_durable(SAMPLE))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=5))
    try:
        found = parse_durable(bytes(whole))
    except ValueError:
        return
    assert isinstance(found, Durable)


@given(st.binary())
def test_garbage_is_no_state(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_durable(data)


def test_it_is_for_this_user_alone(tmp_path: Path) -> None:
    save_durable(str(tmp_path), SAMPLE)
    assert (tmp_path / DURABLE).stat().st_mode & 0o777 == 0o600
    assert load_durable(str(tmp_path)).value == SAMPLE


def test_a_further_scan_takes_what_is_known_unless_somebody_wrote_since(tmp_path: Path) -> None:
    saved = save_durable(str(tmp_path), SAMPLE)
    assert load_durable(str(tmp_path), saved) is saved, "no need to parse"
    other = SAMPLE._replace(counts=Counts(1.0))
    (tmp_path / DURABLE).write_bytes(format_durable(other))
    found = load_durable(str(tmp_path), saved)
    assert found.value == other
    assert load_durable(str(tmp_path), found) is found
    (tmp_path / DURABLE).unlink()
    assert load_durable(str(tmp_path), found).value == Durable()


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert load_durable(str(tmp_path)).value == Durable()


class Run:
    """Runs the program on a host with an auth log, in which a failure comes with each run."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.host = Host(str(directory / "host"))
        self.host.no_sessions()
        self.host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        self.log = self.host.write("var/log/auth.log", "")
        self.output = directory / "users.prom"
        self.state = directory / "state"
        self.path = self.state / DURABLE
        self.runs = 0
        self.capsys = capsys

    def __call__(self, events: int = 1, status: int = 0) -> tuple[str, float]:
        """Return what was said, and the failures that the file has counted."""
        message = "Failed password for root from 192.0.2.7 port 1 ssh2"
        with open(self.log, "a") as log:
            log.write(f"2025-12-07T09:33:20+00:00 host sshd[{self.runs}]: {message}\n" * events)
        self.runs += 1
        argv = ["--root", self.host.root, "--now", str(NOW + self.runs), "--timeout", "60"]
        argv += ["--state-directory", str(self.state), "--runtime-directory", str(self.state)]
        assert main([*argv, "--output", str(self.output)]) == status
        start = 'users_auth_failures_total{method="password",program="sshd",user="root"} '
        counts = [line for line in self.output.read_text().splitlines() if line.startswith(start)]
        return self.capsys.readouterr().err, float(counts[0].rpartition(" ")[2])


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


def _of_another_version(path: Path) -> None:
    data = path.read_bytes()
    data = data[: data.rindex(b"\n", 0, -1) + 1].replace(b'",3]\n', b'",99]\n', 1)
    path.write_bytes(data + _end_of(data))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(b""), "cut short"),
        (lambda path: path.write_bytes(b"garbage\n"), "no state of this program"),
        (lambda path: path.write_bytes(b"\xff\n"), "no state of this program"),
        (lambda path: os.truncate(path, path.stat().st_size - 1), "cut short"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), ""),
        (_of_another_version, "of version [99], not 3"),
        (_directory, "is a directory, not a file"),
        (_fifo, "is not a regular file"),
    ],
    ids=["empty", "garbage", "bytes", "cut", "half", "version", "directory", "fifo"],
)
def test_what_cannot_be_read_is_put_aside(run: Run, damage: object, why: str) -> None:
    run()
    assert run() == ("", 1)
    damage(run.path)  # type: ignore[operator]
    said, count = run()
    assert said.startswith(f"textfile-users: {run.path}: {why}")
    assert said.endswith(f"it is now {run.path}.unreadable, and counting starts anew\n")
    assert said.count("\n") == 1
    assert count == 0
    assert run() == ("", 1)
    assert os.path.lexists(f"{run.path}.unreadable")


def test_what_was_put_aside_before_gives_way(run: Run) -> None:
    for damage in (_of_another_version, _fifo, _of_another_version):
        run()
        damage(run.path)
        said, _ = run()
        assert "counting starts anew" in said
        assert run() == ("", 1)


def test_what_has_not_changed_is_not_written(run: Run) -> None:
    run()
    run(0)
    before = run.path.stat()
    for _ in range(3):
        run(0)
    after = run.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    run(1)
    assert run.path.stat().st_ino != before.st_ino


@pytest.mark.parametrize("times", [1, 2])
def test_a_passing_fault_loses_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Too many open files say nothing of the state: a single fault costs nothing, more a scan."""
    run()
    before = run.path.read_bytes()
    left = [times]

    def fail(directory: str, known: Saved) -> Saved:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EMFILE, "Too many open files")
        return load_durable(directory, known)

    monkeypatch.setattr(collect, "load_durable", fail)
    said, count = run(status=times - 1)
    if times == 1:
        assert (said, count) == ("", 1)
        return
    assert (count, run.path.read_bytes()) == (0, before)
    assert said.endswith(f"not written: {run.path}: too many open files\n")
    assert said.count("\n") == 1
    left[0] = 2
    assert run(status=1) == ("", 0), "it is said once, then once an hour"
    assert run() == ("", 3)
    assert not os.path.lexists(f"{run.path}.unreadable")


def test_what_is_half_counted_is_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is needed for the second line only cannot be loaded: an OSError, too."""
    run()
    take, calls = counting._TAKE[FAILURE], [0]

    def fail(counting: Counting, event: AuthEvent, said: Finding) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        take(counting, event, said)

    monkeypatch.setitem(counting._TAKE, FAILURE, fail)
    said, count = run(3)
    assert said == "textfile-users: auth: Unfinished: a module: cannot allocate memory\n"
    assert count == 0
    assert run(1) == ("", 4)


# The volatile part

TIME = FLOAT
ID = st.integers(-1, 2**40)
SECONDS = st.dictionaries(ID, TIME, max_size=3)
ANSWERS = st.lists(
    st.builds(Answer, TEXT, TEXT, TEXT, ID, ID, TEXT, st.booleans(), TIME), max_size=3
).map(lambda answers: {answer.question: answer for answer in answers})
USAGES = SECONDS.map(Usage) | st.builds(
    Usage, SECONDS, SECONDS, st.dictionaries(st.tuples(ID, ID), TIME, max_size=3), ID
)
CONNECTIONS = st.lists(st.builds(Connection, TEXT, TEXT, ID, ID, ID, ID, ID), max_size=3).map(tuple)
VOLATILES = st.builds(
    Volatile,
    st.builds(
        SessionsMemory,
        st.none() | st.dictionaries(st.tuples(*[TEXT] * 6), TIME, max_size=4),
        st.dictionaries(st.tuples(TEXT, TEXT), TIME, max_size=4),
        st.dictionaries(st.tuples(*[TEXT] * 4), TIME, max_size=4),
        st.dictionaries(st.tuples(TEXT, ID, TIME), TEXT, max_size=3),
    ),
    st.builds(Known, ANSWERS, TEXT, st.builds(Pause, TEXT, TEXT, TIME, TIME)),
    st.builds(
        ProcessesMemory,
        USAGES,
        st.dictionaries(st.tuples(ID, ID), st.tuples(TEXT, ID, ID, ID), max_size=3),
        TIME,
    ),
    st.builds(ConnectionsMemory, st.just("1 2 3"), TIME, CONNECTIONS)
    | st.just(ConnectionsMemory()),
    st.builds(AuthNotes, st.tuples(TEXT, TIME), st.dictionaries(TEXT, TEXT, max_size=2)),
    st.dictionaries(TEXT, TIME, max_size=4),
)


def session(ident: str, user: str = "alice", type_: str = "ssh", start: float = 5.0) -> Session:
    return Session(ident, user, f"pts/{ident}", type_, "sshd", "", "", "", start, 1)


@given(VOLATILES)
def test_what_is_noted_is_read_again(volatile: Volatile) -> None:
    assert parse_volatile(format_volatile(volatile, "boot"), "boot") == volatile


@given(VOLATILES)
def test_of_another_boot_nothing_is_believed(volatile: Volatile) -> None:
    assert parse_volatile(format_volatile(volatile, "boot"), "next") == Volatile()


@given(VOLATILES, st.data())
def test_a_file_cut_short_is_refused(volatile: Volatile, data: st.DataObject) -> None:
    whole = format_volatile(volatile, "boot")
    length = data.draw(st.integers(0, len(whole) - 2))
    with pytest.raises(ValueError):
        parse_volatile(whole[:length], "boot")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_harm(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_volatile(data, "boot")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 500,
        b'["textfile-users volatile",1,"boot"]\n',
        b'["textfile-users volatile",2,"boot"]\n["sessions",[[1,2]]]\n["known",true]\n',
        b'["textfile-users volatile",2,"boot"]\n["ended",[["a","ssh","x"]]]\n',
        b'["textfile-users volatile",2,"boot"]\n["said",5]\n',
        b'["textfile-users volatile",2,"boot"]\n["looked",{}]\n',
        b'["textfile-users volatile",2,"boot"]\n[1]\n',
        b'["textfile-users volatile",2,"boot"]\n\n',
        b'{"textfile-users volatile":2}\n',
    ],
)
def test_other_versions_and_nonsense_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_volatile(content + _end_of(content), "boot")


def test_files(tmp_path: Path) -> None:
    assert load_volatile(str(tmp_path), "boot").value == Volatile()
    volatile = Volatile(remember(SessionsMemory(), (session("1"),), 100.0))
    before = os.umask(0)
    try:
        save_volatile(str(tmp_path), volatile, "boot")
    finally:
        os.umask(before)
    assert load_volatile(str(tmp_path), "boot").value == volatile
    assert stat.S_IMODE((tmp_path / VOLATILE).stat().st_mode) == 0o600


def test_a_further_scan_takes_what_is_saved_unless_somebody_wrote_since(tmp_path: Path) -> None:
    first, second = (Volatile(said={text: 1.0}) for text in "12")
    saved = save_volatile(str(tmp_path), first, "boot")
    assert load_volatile(str(tmp_path), "boot", saved) is saved, "no need to parse"
    assert load_volatile(str(tmp_path), "other boot").value == Volatile()
    (tmp_path / VOLATILE).write_bytes(format_volatile(second, "boot"))
    assert load_volatile(str(tmp_path), "boot", saved).value == second
    (tmp_path / VOLATILE).unlink()
    assert load_volatile(str(tmp_path), "boot", saved).value == Volatile()


def test_ended_sessions_are_remembered_for_an_hour() -> None:
    both = remember(SessionsMemory(), (session("1"), session("2", "bob", "tty")), 100.0)
    one = remember(both, (session("1"),), 105.0)
    assert one.ended == {("bob", "tty"): 105.0}
    assert remember(one, (session("1"),), 105.0 + HOUR - 1).ended == one.ended
    assert remember(one, (session("1"),), 105.0 + HOUR).ended == {}
    again = remember(one, (session("1"), session("3", "bob", "tty")), 110.0)
    assert again.ended == {}


def test_a_clock_set_back_keeps_no_zero_for_ever() -> None:
    one = remember(remember(SessionsMemory(), (session("1"),), 1e9), (), 1e9)
    assert one.ended == {("alice", "ssh"): 1e9}
    assert remember(one, (), 1e9 - 1).ended == {}


def test_what_is_not_known_ends_nothing() -> None:
    one = remember(SessionsMemory(), (session("1"),), 100.0)
    assert remember(one, None, 105.0) == one


def test_the_newest_of_too_many_are_kept() -> None:
    many = tuple(session(str(n), f"user{n}") for n in range(MAX_RECENT + 5))
    remembered = remember(remember(SessionsMemory(), many[5:], 1.0), many[:5], 2.0)
    remembered = remember(remembered, (), 3.0)
    assert len(remembered.ended) == MAX_RECENT
    assert ("user0", "ssh") in remembered.ended


def test_a_fault_is_said_once_and_then_once_an_hour() -> None:
    state, due = remember_faults({}, ("a", "b", "a"), 0.0)
    assert due == ("a", "b")
    state, due = remember_faults(state, ("a", "c"), 5.0)
    assert due == ("c",)
    state, due = remember_faults(state, ("a", "b"), 10.0)
    assert due == ("b",), "it had gone in between"
    state, due = remember_faults(state, ("a",), HOUR)
    assert due == ("a",)
    state, due = remember_faults(state, ("a",), HOUR - 10)
    assert due == ("a",), "a clock set back"
