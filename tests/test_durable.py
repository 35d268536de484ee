"""What must not be lost: it comes back as it was, or is put aside with a message."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import NOW, Host
from textfile_users import counting, durable
from textfile_users.auth.attempts import AuthEvent, Memory
from textfile_users.auth.finding import FAILURE, Finding
from textfile_users.cli import main
from textfile_users.counting import Counting
from textfile_users.durable import (
    FILE_NAME,
    NOTHING,
    Durable,
    format_durable,
    load,
    parse_durable,
    save,
)
from textfile_users.logins import Login
from textfile_users.rows import end_of
from textfile_users.sources.follow import Position
from textfile_users.sources.journals import JournalPosition
from textfile_users.sources.wtmpdb import WtmpdbPosition

# Text as sources have it: any character, and bytes that are not UTF-8; U+DC00 is no such byte.
TEXT = st.text(
    st.characters(exclude_characters="\udc00") | st.sampled_from('\0\r\n",;\\\u2028\x85\x1c\udcff')
)
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
    st.builds(Memory, FLOAT, TEXT, EVENTS, TEXT),
    max_size=2,
)
DURABLE = st.builds(
    Durable,
    began=FLOAT,
    boot_id=TEXT,
    boot=FLOAT,
    counters=st.dictionaries(st.lists(TEXT, min_size=1, max_size=4).map(tuple), FLOAT, max_size=3),
    failures=st.dictionaries(
        TEXT, st.dictionaries(st.integers(), NUMBER, min_size=1, max_size=2), max_size=2
    ),
    last_logins=st.dictionaries(TEXT, FLOAT, max_size=2),
    source=TEXT,
    time=FLOAT,
    logs=POSITIONS,
    journal=st.none() | st.builds(JournalPosition, TEXT, FLOAT, FLOAT),
    remembered=MEMORIES.map(lambda found: tuple(found.items())),
    held=EVENTS,
    last=st.none() | EVENT,
    logins=st.lists(LOGIN, max_size=2).map(tuple),
    forgotten=FLOAT,
    records=POSITIONS,
    wtmpdb=st.none()
    | st.builds(WtmpdbPosition, NUMBER, NUMBER, st.lists(NUMBER, max_size=3).map(tuple), TEXT),
    seen=st.dictionaries(TEXT, TEXT, max_size=2),
    quiet=FLOAT,
)
FOUND = Finding("failure", "sshd", "password", "ro\not", "", "192.0.2.7", "", 1, 1, "", "", "", 0)
SAMPLE = NOTHING._replace(
    began=NOW,
    counters={("users_reboots_total", "clean"): 3.0, ("users_logins_total", 'a"\n,b', "ssh"): 1.5},
    failures={"192.0.2.7": {29_000_000: 2}},
    logs={"/var/log/auth.log": Position(1, 2, "a", "b", False, "1:2:3")},
    remembered=((("sshd", 100), Memory(NOW, "f", (AuthEvent(NOW, 100, 0, FOUND),))),),
    last=AuthEvent(NOW, 100, 0, FOUND),
    wtmpdb=WtmpdbPosition(1, 2, (3, 4), "x"),
)


@given(DURABLE)
def test_what_is_kept_comes_back_as_it_was(durable: Durable) -> None:
    data = format_durable(durable)
    assert parse_durable(data) == durable
    assert b"\0" not in data, "csv before Python 3.11 reads no NUL"


def test_a_state_cut_short_anywhere_is_none() -> None:
    data = format_durable(SAMPLE)
    assert parse_durable(data) == SAMPLE
    for length in range(len(data)):
        with pytest.raises(ValueError):
            parse_durable(data[:length])


def test_an_older_state_knows_no_peers() -> None:
    row = b'"process","sshd","pid","100","5.0","f"\n'
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","","0.0"\n'
    data += b'"forgotten","0.0"\n' + row
    assert parse_durable(data + end_of(data)).remembered == (
        (("sshd", 100), Memory(5.0, "f", (), "")),
    )


def test_an_older_state_knows_no_ports() -> None:
    row = b'"process","sshd","pid","100","5.0","f","192.0.2.7"\n'
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","","0.0"\n'
    data += b'"forgotten","0.0"\n' + row
    assert parse_durable(data + end_of(data)).remembered == (
        (("sshd", 100), Memory(5.0, "f", (), "192.0.2.7", 0)),
    )


def test_an_older_state_knows_neither_files_left_nor_silence() -> None:
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","x","5.0"\n'
    data += b'"forgotten","0.0"\n"log","/log","1","2","a","b","False","1:2:3"\n'
    found = parse_durable(data + end_of(data))
    assert found.logs == {"/log": Position(1, 2, "a", "b", False, "1:2:3", "")}
    assert (found.source, found.time, found.quiet) == ("x", 5.0, 0.0)


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
    save(str(tmp_path), SAMPLE)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert load(str(tmp_path)) == SAMPLE


def test_a_further_look_takes_what_is_known_unless_somebody_wrote_since(tmp_path: Path) -> None:
    save(str(tmp_path), SAMPLE)
    assert load(str(tmp_path)) is SAMPLE, "no need to parse"
    other = SAMPLE._replace(began=1.0)
    (tmp_path / FILE_NAME).write_bytes(format_durable(other))
    found = load(str(tmp_path))
    assert found == other
    assert load(str(tmp_path)) is found
    (tmp_path / FILE_NAME).unlink()
    assert load(str(tmp_path)) == NOTHING


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert load(str(tmp_path)) == NOTHING


class Run:
    """Runs the program on a host with an auth log, in which a failure comes with each run."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.host = Host(str(directory / "host"))
        self.host.no_sessions()
        self.host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        self.log = self.host.write("var/log/auth.log", "")
        self.output = directory / "users.prom"
        self.state = directory / "state"
        self.path = self.state / FILE_NAME
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
    path.write_bytes(data.replace(b'"2"\n', b'"99"\n', 1))


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
        (lambda path: path.write_bytes(b"\xff\n"), "'utf-8' codec can't decode"),
        (lambda path: os.truncate(path, path.stat().st_size - 1), "cut short"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), ""),
        (_of_another_version, "of version ['99'], not 2"),
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
    """Too many open files say nothing of the state: a single fault costs nothing, more a look."""
    run()
    before = run.path.read_bytes()
    left = [times]

    def fail(directory: str) -> Durable:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EMFILE, "Too many open files")
        return load(directory)

    monkeypatch.setattr(durable, "load", fail)
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
