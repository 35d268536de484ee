"""`nobody`: only what is known lets a reboot happen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import BOOT, NOW, Host, Record
from textfile_users.cli import main
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, SourceReport
from textfile_users.connections.connection import Connection
from textfile_users.nobody import NOBODY, NOT_KNOWN, SOMEBODY, WhoCounts, format_line, judge
from textfile_users.product import SETTINGS
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.snapshot import CollectorReport, Snapshot

TABLE = "  sl  local_address rem_address   st\n"
ALICE = Record(host="192.0.2.7", ip="192.0.2.7")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One on which all is known, and nobody is on."""
    host = Host(str(tmp_path / "host"))
    host.no_sessions()
    host.write("proc/1/net/tcp", TABLE)
    return host


def asked(host: Host, *argv: str) -> int:
    return main(["nobody", "--root", host.root, "--now", str(NOW), *argv])


def login(host: Host) -> None:
    host.utmp(ALICE)
    host.ssh_connection(1000, "alice", "pts/0")


def test_nobody(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(host) == NOBODY
    assert capsys.readouterr() == ("", "")
    assert asked(host, "--json") == NOBODY
    assert json.loads(capsys.readouterr().out) == {
        "time": NOW, "nobody": True, "sessions": [], "doubts": [],
    }  # fmt: skip


def test_somebody(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    login(host)
    assert asked(host) == SOMEBODY
    out, err = capsys.readouterr()
    assert (out, err) == ("alice pts/0 ssh 192.0.2.7 since 2025-12-06 07:10\n", "")
    for argv in (["-q"], ["--quiet"]):
        assert asked(host, *argv) == SOMEBODY
        assert capsys.readouterr() == ("", "")
    assert asked(host, "--json") == SOMEBODY
    said = json.loads(capsys.readouterr().out)
    assert said["nobody"] is False
    assert said["sessions"] == [
        {"user": "alice", "tty": "pts/0", "type": "ssh", "ip": "192.0.2.7", "host": "",
         "start": BOOT + 5_000, "last_activity": None},
    ]  # fmt: skip


def _without_logind(host: Host) -> None:
    os.rmdir(host.path("run/systemd/sessions"))


def _with_empty_utmp(host: Host) -> None:
    _without_logind(host)
    host.write("run/utmp", b"")


def _with_a_file_of_sessions(host: Host) -> None:
    _without_logind(host)
    host.write("run/systemd/sessions", "x")


def _fifo(host: Host, name: str) -> None:
    if os.path.isdir(host.path(name)):
        os.rmdir(host.path(name))
    os.mkfifo(host.path(name))


UNKNOWN: dict[str, tuple[Callable[[Host], object], str]] = {
    "neither utmp nor logind": (_without_logind, "neither utmp nor systemd-logind"),
    "an empty utmp, which no program keeps": (_with_empty_utmp, "neither utmp nor"),
    "a utmp of random bytes": (lambda host: host.write("run/utmp", os.urandom(1_000)), "utmp"),
    "a utmp that is cut": (
        lambda host: host.write("run/utmp", b"\2" + bytes(383) + b"\7" + bytes(99)),
        "utmp: a ",
    ),
    "a utmp that is a FIFO": (lambda host: _fifo(host, "run/utmp"), "run/utmp: "),
    "a link in the place of utmp": (
        lambda host: os.symlink("/etc/passwd", host.path("run/utmp")),
        "run/utmp",
    ),
    "a session file without its user": (
        lambda host: host.logind("1", UID=None, USER=None),
        "logind",
    ),
    "sessions that are a file": (_with_a_file_of_sessions, "run/systemd/sessions: "),
    "processes that are hidden": (
        lambda host: os.rename(host.path("proc/1"), host.path("x")),
        "procfs: there is none",
    ),
    "no table of connections": (lambda host: os.unlink(host.path("proc/1/net/tcp")), "sockets"),
    "a damaged table": (lambda host: host.write("proc/1/net/tcp", TABLE + "x\n"), "sockets: 1 dam"),
}


@pytest.mark.parametrize(("change", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_known(
    change: Callable[[Host], object], said: str, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    change(host)
    assert asked(host) == NOT_KNOWN
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err, err
    assert all("not known whether anybody is on: " in line for line in err.splitlines())
    assert asked(host, "--json") == NOT_KNOWN
    answer = json.loads(capsys.readouterr().out)
    assert answer["nobody"] is None
    assert answer["doubts"]


def test_what_cannot_be_known_does_not_hide_who_is_on(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    login(host)
    os.unlink(host.path("proc/1/net/tcp"))
    assert asked(host) == SOMEBODY
    assert capsys.readouterr().out.startswith("alice ")


def test_no_time(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(host, "--timeout", "0.000001") == NOT_KNOWN
    assert "no answer within" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "status", "why"),
    [
        (["--exclude-user", "alice"], NOBODY, "she does not count"),
        (["--exclude-user", "al*"], NOBODY, "by a glob"),
        (["--exclude-user", "bob"], SOMEBODY, "another"),
        (["--session-type", "tty"], NOBODY, "it is of another type"),
        (["--session-type", "tty,ssh"], SOMEBODY, "one of both"),
        (["--session-type=ssh"], SOMEBODY, "its own"),
        (["--idle", "30m"], SOMEBODY, "her terminal is not seen here"),
    ],
)
def test_who_counts(argv: list[str], status: int, why: str, host: Host) -> None:
    login(host)
    assert asked(host, *argv) == status, why


def test_settings_count(host: Host) -> None:
    """As for `show`: who is excluded there is excluded here."""
    login(host)
    path = Path(host.write(SETTINGS[1:], "OPTIONS='--exclude-user alice'\n"))
    path.chmod(0o644)
    assert asked(host) == NOBODY
    host.utmp(ALICE, Record("bob", "pts/1", 1001))
    host.ssh_connection(1001, "bob", "pts/1")
    assert asked(host) == SOMEBODY
    assert asked(host, "--exclude-user", "bob") == NOBODY, "both count"


@pytest.mark.parametrize(
    "argv",
    [
        ["--idle", ""], ["--idle", "0"], ["--idle", "-1"], ["--idle", "30x"], ["--idle", "m"],
        ["--idle", "1e9"], ["--idle", "400d"], ["--idle", "\u0663m"], ["--idle", "1mm"],
        ["--idle"], ["--session-type", ""], ["--session-type", "ssh,"], ["--session-type", "SSH"],
        ["--json=1"], ["--no-such"], ["extra"], ["--timeout", "0"], ["--root", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_not_known(
    argv: list[str], host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(host, *argv) == NOT_KNOWN
    assert len(capsys.readouterr().err.splitlines()) == 1


# Pure

SSH = Session("1", "alice", "pts/0", "ssh", "sshd", "", "192.0.2.7", "", BOOT, 1000)
WHOLE = (
    SourceReport("utmp", ABSENT), SourceReport("logind", OK), SourceReport("procfs", OK),
    SourceReport("sockets", OK),
)  # fmt: skip


@pytest.mark.parametrize("idle", [None, 1800.0])
@pytest.mark.parametrize(
    ("session", "last_input", "is_on", "why"),
    [
        (SSH, NOW - 1799, True, "input within that time"),
        (SSH, NOW - 1800, False, "none within it"),
        (SSH, NOW + 99, True, "the clock was set back"),
        (SSH, None, True, "a terminal that cannot be seen"),
        (SSH._replace(tty=""), None, True, "a connection without a terminal"),
        (SSH._replace(tty="", ip="", type="wayland"), None, True, "a desktop: who can tell"),
        (SSH._replace(tty="", ip="", type="multiplexer"), None, False, "a detached tmux"),
    ],
)
def test_idle(
    session: Session, last_input: float | None, is_on: bool, why: str, idle: float | None
) -> None:
    snapshot = Snapshot(
        NOW,
        (session,),
        sources=WHOLE,
        activities={"1": Activity(1.0, 1, last_input)},
        connections=(Connection("vnc", "192.0.2.9", 5901, 7),),
    )
    found = judge(snapshot, WhoCounts((), idle), False)
    assert bool(found.sessions) == (is_on or idle is None), why
    assert found.status == (SOMEBODY if found.sessions else NOBODY)


def test_more_sessions_than_are_kept() -> None:
    idle = SSH._replace(type="multiplexer")
    snapshot = Snapshot(NOW, (idle,), dropped=1, sources=WHOLE)
    assert judge(snapshot, WhoCounts((), 60.0), False).status == NOT_KNOWN


def test_an_activity_that_is_not_known() -> None:
    for activities in (None, {}, {"2": Activity(1.0, 1, 0.0)}):
        found = judge(
            Snapshot(NOW, (SSH,), sources=WHOLE, activities=activities), WhoCounts((), 60.0), False
        )
        assert found.sessions == ((SSH, None),)


@pytest.mark.parametrize("name", [source.name for source in WHOLE])
@pytest.mark.parametrize("status", [DENIED, BROKEN])
def test_each_source(name: str, status: str) -> None:
    sources = tuple(one._replace(status=status) if one.name == name else one for one in WHOLE)
    assert judge(Snapshot(NOW, (), sources=sources), WhoCounts(), True).status == NOT_KNOWN


@pytest.mark.parametrize("name", ["sessions", "processes", "connections", "accounts"])
def test_each_collector(name: str) -> None:
    """Whose an id is does not matter: who is not known by name is not left out."""
    snapshot = Snapshot(NOW, (), sources=WHOLE, collectors=(CollectorReport(name, False, 0.1),))
    expected = NOBODY if name == "accounts" else NOT_KNOWN
    assert judge(snapshot, WhoCounts(), False).status == expected


@pytest.mark.parametrize(
    "snapshot", [Snapshot(NOW, None, sources=WHOLE), Snapshot(NOW, (), whole=False, sources=WHOLE)]
)
def test_sessions_that_are_not_all(snapshot: Snapshot) -> None:
    assert judge(snapshot, WhoCounts(), False).status == NOT_KNOWN


def test_hostile_names_are_escaped() -> None:
    hostile = SSH._replace(user="a\x1b[31m\nroot", tty="\x9b", ip="", host="\u202e")
    line = format_line(hostile, NOW - 90, NOW)
    assert line.isprintable()
    assert line.endswith("idle 1 min")


# As a shell and a unit call it

CALL = "import sys; from textfile_users.__main__ import run; sys.argv[0] = 'textfile-users'; run()"
BREAK = {
    "an exception": "raise RuntimeError",
    "no memory": "raise MemoryError",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "an interrupt": "raise KeyboardInterrupt",
    "half an import": "raise ImportError",
}


def reboots(command: str) -> bool:
    """Return whether a shell reboots after a command."""
    done = subprocess.run(
        ["sh", "-c", f"{command} && echo reboot"], capture_output=True, text=True, check=False
    )
    return "reboot" in done.stdout.split("\n")


def test_a_shell_reboots(host: Host, tmp_path: Path) -> None:
    call = f'{sys.executable} -c "{CALL}" nobody --root {host.root}'
    assert reboots(call)
    assert not reboots(f"{call} </dev/null >/dev/full --json")
    assert not reboots(f"{tmp_path}/textfile-users nobody"), "it is not there"
    login(host)
    assert not reboots(call)


@pytest.mark.parametrize("how", BREAK.values(), ids=BREAK)
def test_no_shell_reboots(how: str, host: Host) -> None:
    broken = (
        f"def boom(*args, **options): {how}\n"
        "import textfile_users.nobody as module\nmodule.scan = boom\n"
    )
    argv = [sys.executable, "-c", broken + CALL, "nobody", "--root", host.root]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.returncode != 0


WATCHED = """
import os, sys
def watch(event, args):
    if event == "open" and isinstance(args[0], str):
        writes = (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or "/var/log/" in args[0]:
            print("opened", args[0])
    elif event in ("os.rename", "os.mkdir", "os.remove", "socket.connect"):
        print(event, args)
sys.dont_write_bytecode = True
sys.addaudithook(watch)
"""


def test_it_reads_no_log_and_writes_nothing(host: Host) -> None:
    host.write("var/log/auth.log", "x\n")
    host.write("var/log/wtmp", b"")
    argv = [sys.executable, "-c", WATCHED + CALL, "nobody", "--root", host.root, "-q"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
