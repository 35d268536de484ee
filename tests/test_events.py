"""`events` reads logs, plain and compressed, and says of others in one line that they are none."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import Record, pack
from textfile_users.cli import main
from textfile_users.events import read_log

LINE = (
    b"2026-11-30T10:00:00+00:00 host sshd[%d]: Failed password for %s from 192.0.2.7 port 2 ssh2\n"
)
ROOT = LINE % (1, b"root")
BOB = LINE % (2, b"bob")


def users(out: str) -> list[str]:
    return [json.loads(line)["user"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ROOT + BOB, ["root", "bob"]),
        (b"", []),
        (b"text without a stamp\n", []),
        (bytes(5_000), []),  # all that a crash left
        (bytes(2 << 20) + ROOT + BOB, ["root", "bob"]),  # longer than what is read at once
        (bytes((1 << 20) - 9) + ROOT + BOB, ["root", "bob"]),  # a stamp where a block ends
        (ROOT + bytes(5_000) + BOB, ["root", "bob"]),
        (ROOT[:40] + bytes(5_000) + BOB, ["bob"]),  # a line that was never ended
        (LINE % (1, b"r\xf6\xf6t") + BOB, ["r\\xf6\\xf6t", "bob"]),
        (LINE % (1, b"a\x07\x01b") + BOB, ["a\x07\x01b", "bob"]),
        (b"\x01\x02\x03\n" + BOB, ["bob"]),
    ],
)
def test_a_log_is_read_whatever_else_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, expected: list[str]
) -> None:
    path = tmp_path / "auth.log"
    path.write_bytes(data)
    assert main(["events", str(path)]) == 0
    out, err = capsys.readouterr()
    assert (users(out), err) == (expected, "")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pack(Record()) * 9, "holds records, not lines of a log: see textfile-users records"),
        (bytes(range(256)) * 9, "is not a log: it is not text, and none of its lines has a stamp"),
        (b"SQLite format 3\0" + bytes(99), "is an SQLite database, not a log"),
        (
            b"LPKSHHRH" + bytes(99) + b"\n" + ROOT,
            "is the journal's: journalctl -o short-iso --file",
        ),
        (gzip.compress(pack(Record()) * 9, mtime=0), "holds records, not lines of a log"),
        (gzip.compress(ROOT, mtime=0)[:10], "is compressed (gz), and damaged or cut short"),
    ],
)
def test_what_is_no_log_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    """Nothing is printed, the status is 1, and the next file is read all the same."""
    path, log = tmp_path / "binary", tmp_path / "auth.log"
    path.write_bytes(data)
    log.write_bytes(ROOT)
    assert main(["events", str(path), str(log)]) == 1
    out, err = capsys.readouterr()
    assert users(out) == ["root"]
    assert err.startswith(f"textfile-users: {path}: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_logs_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "auth.log.2"  # content tells, not the name
    path.write_bytes(compress(ROOT * 9_000 + BOB))
    assert main(["events", str(path)]) == 0
    assert len(users(capsys.readouterr().out)) == 9_001


def test_what_comes_before_damage_in_a_compressed_log_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "auth.log.gz"
    path.write_bytes(
        gzip.compress(ROOT * 100 + b"".join(os.urandom(9).hex().encode() for _ in range(999)))[
            :3_000
        ]
    )
    assert main(["events", str(path)]) == 1
    out, err = capsys.readouterr()
    assert len(users(out)) == 100
    assert err == f"textfile-users: {path}: is compressed (gz), and damaged or cut short\n"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dev/null", ""),
        ("/proc", "is a directory, not a file"),
        ("/nonexistent", "no such file or directory"),
        ("/dev/zero", "is not a regular file"),
    ],
)
def test_paths(path: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", path]) == (1 if said else 0)
    assert capsys.readouterr() == ("", f"textfile-users: {path}: {said}\n" if said else "")


@pytest.mark.parametrize("argv", [[], ["-"]])
@pytest.mark.parametrize("data", [ROOT, gzip.compress(ROOT, mtime=0)])
def test_standard_input(argv: list[str], data: bytes) -> None:
    command = [sys.executable, "-m", "textfile_users", "events", *argv]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert users(done.stdout.decode()) == ["root"]


def on_a_terminal(*argv: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run `events` with a terminal for its standard input, at which ``typed`` is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        command = [sys.executable, "-m", "textfile_users", "events", *argv]
        return subprocess.run(command, stdin=theirs, capture_output=True, timeout=60, check=False)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_terminal_is_not_waited_for() -> None:
    done = on_a_terminal()
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"textfile-users: events reads a log: give a FILE, or - for standard input "
        b"(see textfile-users events --help)\n"
    )


def test_a_terminal_that_is_asked_for_is_read() -> None:
    done = on_a_terminal("-", typed=ROOT + b"\x04")  # Ctrl-D
    assert (done.returncode, done.stderr) == (0, b"")
    assert users(done.stdout.decode()) == ["root"]


# Ends of connections that are a login's.

LOGIN = "Accepted password for alice from 192.0.2.7 port 38926 ssh2"
BYE = "Received disconnect from 192.0.2.7 port {}:11: bye [preauth]"


@pytest.mark.parametrize(
    ("lines", "probes", "why"),
    [
        ((("100", 0, LOGIN), ("101", 9, BYE.format(38926))), 0,
         "a client's farewell may end as if it had not logged in"),
        ((("100", 0, LOGIN), ("101", 4000, BYE.format(38926))), 0, "however long it stays"),
        ((("100", 0, LOGIN), ("101", 9, "Connection closed by 192.0.2.7 port 38926")), 0,
         "OpenSSH 10.6"),
        ((("100", 0, LOGIN), ("100", 9, "pam_unix(sshd:session): session closed for user alice"),
          ("101", 10, BYE.format(38926))), 0, "its line comes late"),
        ((("100", 0, LOGIN), ("100", 9, "pam_unix(sshd:session): session closed for user alice"),
          ("101", 60, BYE.format(38926))), 1, "the port is used again"),
        ((("100", 0, LOGIN), ("101", 9, BYE.format(38927))), 1, "another connection"),
        ((("101", 9, BYE.format(38926)),), 1, "nobody logged in"),
        ((("101", 0, BYE.format(38926)), ("102", 9, LOGIN)), 1, "a login after it"),
    ],
)  # fmt: skip
def test_the_end_of_a_login_is_no_probe(
    lines: tuple[tuple[str, int, str], ...], probes: int, why: str
) -> None:
    log = "".join(
        f"{time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(1_765_000_000 + at))}"
        f" host sshd[{pid}]: {message}\n"
        for pid, at, message in lines
    )
    found = read_log([log.encode()], False, 1_765_100_000.0)
    assert [event["event"] for event in found].count("probe") == probes
