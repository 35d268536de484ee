"""The commands, and the program as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import NOW, Host, Record, busy_host, pack, pack_all
from textfile_users import __version__
from textfile_users.cli import main, matches


def program(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "textfile_users", *argv],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"textfile-users {__version__}\n"
    for argv in (["--help"], ["show", "--help"], ["records", "--help"], ["collect", "--help"]):
        assert main(argv) == 0
        assert "usage: textfile-users" in capsys.readouterr().out


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == 2
    assert main(["shwo"]) == 2
    assert main(["records"]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_the_process_writes_and_exits(tmp_path: Path) -> None:
    host = busy_host(str(tmp_path / "host"), 3)
    output = tmp_path / "users.prom"
    state = str(tmp_path / "state")
    done = program(
        "collect", "--root", host.root, "--output", str(output), "--now", str(NOW),
        "--state-directory", state, "--runtime-directory", state,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert 'users_sessions{session_type="ssh",user="user0"} 3.0\n' in output.read_text()


def test_the_process_prints_names_in_any_locale(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.logind("5", USER="алиса🙂", LEADER=1)
    for locale in ("C", "POSIX", "C.UTF-8"):
        environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        state = f"{tmp_path}/state"
        done = program("--root", host.root, "--output", "-", "--state-directory", state,
                       "--runtime-directory", state, **environment)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        done = program("show", "--root", host.root, **environment)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "wtmp"
    path.write_bytes(pack(Record()) * 20_000)
    child = subprocess.Popen(
        [sys.executable, "-m", "textfile_users", "records", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 1
    child.stderr.close()


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        *((closed, "") for closed in (">&-", "2>&-", ">&- 2>&-", "2>/dev/full")),
        ("--output - >&-", "textfile-users: -: not written: bad file descriptor"),
        ("--output - >/dev/full", "textfile-users: -: not written: no space left on device"),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path: Path, redirection: str, said: str) -> None:
    """The file is written all the same; nothing goes to the wrong stream."""
    host = Host(str(tmp_path / "host"))
    host.no_sessions()
    state = str(tmp_path / "state")
    argv = [sys.executable, "-m", "textfile_users", "--root", host.root, "--output",
            str(tmp_path / "users.prom"), "--state-directory", state,
            "--runtime-directory", state]  # fmt: skip
    if not said:
        os.makedirs(host.path("run/utmp"))  # a fault to say
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *argv],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1 if said else 0, "")
    if said:
        assert done.stderr.strip() == said
    else:
        assert (tmp_path / "users.prom").exists()
        assert "a fault of this program" not in done.stderr


@pytest.mark.parametrize("count", [1, 1000])
def test_an_output_that_is_full_is_not_the_inputs_fault(tmp_path: Path, count: int) -> None:
    """However little is printed."""
    path = tmp_path / "utmp"
    path.write_bytes(pack(Record()) * count)
    command = '"$@" >/dev/full'
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "textfile_users", "records", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "textfile-users: standard output: no space left on device\n"


def test_a_home_that_is_missing_does_not_stop_the_run(tmp_path: Path) -> None:
    """A system user has HOME=/nonexistent."""
    host = busy_host(str(tmp_path / "host"), 1)
    output = str(tmp_path / "users.prom")
    blocked = tmp_path / "file"
    blocked.touch()
    done = program(
        "--root", host.root, "--output", output, "--state-directory", f"{blocked}/state",
        "--runtime-directory", f"{blocked}/state",
    )  # fmt: skip
    assert done.returncode == 0
    assert "not a directory; see --state-directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.path.exists(output)


def test_our_own_faults_are_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, textfile_users.cli as cli, textfile_users.__main__ as program\n"
            "cli.main = lambda argv: 1 / 0\n"
            "program.run()",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "textfile-users: a fault of this program, please report it: ZeroDivisionError in "
        "<string>:2: division by zero\n"
    )


def test_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "utmp"
    record = Record(user="alice", line="tty1", pid=1, id="1", time=1_700_001_000)
    path.write_bytes(pack_all([record, record._replace(type=8)], 400, "big") + b"\xff" * 401)
    assert main(["records", str(path)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == (
        '{"type": "user_process", "pid": 1, "line": "tty1", "id": "1", "user": "alice", '
        '"host": "", "ip": "", "session": 0, "time": 1700001000.0}'
    )
    assert json.loads(lines[1])["type"] == "dead_process"
    assert err == (
        f"textfile-users: {path}: layout 400 bytes, big-endian; 2 sound, 1 damaged, 1 partial\n"
    )


def test_records_of_a_file_longer_than_a_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in (384, 400):
        path = tmp_path / str(size)
        path.write_bytes(pack(Record(), size) * 1000)
        assert main(["records", str(path)]) == 0
        out, err = capsys.readouterr()
        assert out.count("\n") == 1000
        assert "1000 sound, 0 damaged, 0 partial" in err


def test_records_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "directory").mkdir()
    names = [str(tmp_path / name) for name in ("missing", "directory", "empty")]
    assert main(["records", *names]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"textfile-users: {names[0]}: no such file or directory",
        f"textfile-users: {names[1]}: is a directory, not a file",
        f"textfile-users: {names[2]}: layout none, the file is empty; 0 sound, 0 damaged, "
        "0 partial",
    ]


@given(
    st.text("ab*", max_size=8),
    st.text("ab", max_size=8),
)
def test_globs_with_stars_are_the_shells(glob: str, name: str) -> None:
    assert matches(name, glob) == fnmatchcase(name, glob)
