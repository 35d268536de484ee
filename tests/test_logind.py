"""logind's session files: what is in them, and what may lie beside them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, Host
from textfile_users.collecting import ABSENT, BROKEN, OK
from textfile_users.paths import Paths
from textfile_users.sessions.logind import Damaged, parse_session, read_logind

# As systemd 257 (Debian 13) writes it for an SSH session with a PTY.
TRIXIE = b"""# This is private data. Do not parse.
UID=1000
USER=alice
ACTIVE=1
IS_DISPLAY=1
STATE=active
REMOTE=1
LEADER_FD_SAVED=1
TYPE=tty
ORIGINAL_TYPE=tty
CLASS=user
SCOPE=session-10.scope
FIFO=/run/systemd/sessions/10.ref
REMOTE_HOST=192.0.2.7
SERVICE=sshd
POSITION=0
LEADER=630
AUDIT=10
REALTIME=1765349748956625
MONOTONIC=281549369
"""


def test_a_session_of_debian_13() -> None:
    session = parse_session("10", TRIXIE)
    assert session == (
        "10", "alice", "active", "user", "tty", "sshd", "", "192.0.2.7", 630, 1765349748.956625,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "field", "value", "why"),
    [
        (b"USER=a\nUSER=b\n", "user", "b", "of duplicate keys the last holds, as in systemd"),
        (b"USER=a\n", "class_", "user", "systemd's default"),
        (b"USER=a\n", "leader", 0, "a missing number"),
        (b"USER=a\nLEADER=-1\n", "leader", 0, "no pid"),
        (b"USER=a\nLEADER=99999999999999999999\n", "leader", 0, "more than 64 bits"),
        (b"USER=a\nREALTIME=x\n", "start", 0.0, "no number"),
        (b"USER=J\xfcrgen\n", "user", "J\\xfcrgen", "not UTF-8"),
        (b'USER="a b"\n', "user", "a b", "quoted"),
        (b'USER="a\\"b\\\\c"\n', "user", 'a"b\\c', "quoted with escapes"),
        (
            b"USER=DOMAIN\\alice\n",
            "user",
            "DOMAIN\\alice",
            "systemd 252 quotes nothing",
        ),
        (b'USER="DOMAIN\\\\alice"\n', "user", "DOMAIN\\alice", "systemd 257 does"),
        (b"USER=a\nTTY=/dev/pts/3\n", "tty", "pts/3", "a device's whole path"),
        (b"USER=a\nTTY=tty2\nNEW_KEY=1\nno key\n\n=\n", "tty", "tty2", "what is not known"),
        ("USER=алиса🙂\n".encode(), "user", "алиса🙂", "any UTF-8"),
        (b"USER=a=b\n", "user", "a=b", "an equals sign in a value"),
    ],
)
def test_values(content: bytes, field: str, value: object, why: str) -> None:
    assert getattr(parse_session("1", content), field) == value, why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"UID=0\nCLASS=user\n", "no user"),
        (b"USER=\n", "an empty name"),
        (b"USER=a\0b\n", "a NUL"),
        (b'USER="a\\\0b"\n', "a NUL behind a backslash"),
        (b"USER=" + b"a" * 2000, "longer than any name"),
    ],
)
def test_damaged_files(content: bytes, why: str) -> None:
    with pytest.raises(Damaged):
        parse_session("1", content)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_session_or_damaged(data: bytes) -> None:
    with suppress(Damaged):
        assert parse_session("1", data).user


def test_only_session_files_are_opened(tmp_path: Path) -> None:
    """FIFOs, directories, links, temporary files and overlong ones are not."""
    host = Host(str(tmp_path))
    host.logind("5")
    host.logind("c2", USER="bob")
    directory = tmp_path / "run/systemd/sessions"
    os.mkfifo(directory / "5.ref")
    os.mkfifo(directory / "7")
    (directory / "8").mkdir()
    (directory / "9").symlink_to("/etc/passwd")
    (directory / ".#6abc").write_bytes(TRIXIE)
    (directory / "10").write_bytes(TRIXIE + b"#" * (1 << 20))
    directory.chmod(0o777)
    sessions, report = read_logind(Paths(str(tmp_path)))
    assert [session.id for session in sessions] == ["5", "c2"]
    assert (report.status, report.unusable) == (OK, (("damaged", 4),))
    (fault,) = report.faults
    assert fault == f"{directory}: 4 session files skipped; 10: longer than 65536 bytes"


def test_a_session_that_ends_while_we_look_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(str(tmp_path)).logind("5")
    real = os.lstat

    def gone(path: str) -> os.stat_result:
        os.unlink(path)
        return real(path)

    monkeypatch.setattr(os, "lstat", gone)
    sessions, report = read_logind(Paths(str(tmp_path)))
    assert (sessions, report.status, report.faults) == ((), OK, ())


def test_hosts_without_systemd_lack_it(tmp_path: Path) -> None:
    assert read_logind(Paths(str(tmp_path)))[1].status == ABSENT


def test_a_file_in_the_directorys_place_is_said(tmp_path: Path) -> None:
    path = Host(str(tmp_path)).write("run/systemd/sessions", "")
    report = read_logind(Paths(str(tmp_path)))[1]
    assert (report.status, report.faults) == (BROKEN, (f"{path}: not a directory",))


def test_nothing_but_damaged_files_is_a_broken_source(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("run/systemd/sessions/1", b"\xff\xfe")
    assert read_logind(Paths(str(tmp_path)))[1].status == BROKEN


def test_start_times_are_in_seconds(tmp_path: Path) -> None:
    Host(str(tmp_path)).logind("5", REALTIME=BOOT * 1_000_000 + 250_000)
    assert read_logind(Paths(str(tmp_path)))[0][0].start == BOOT + 0.25
