"""`nobody`: 0 only where it is known that nobody is on; whatever goes wrong lets nothing happen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.hosts import BOOT, Host, Record
from textfile_users import nobody as nobody_module
from textfile_users import scan
from textfile_users.cli import main
from textfile_users.collecting import BROKEN, OK, SourceReport
from textfile_users.connections.connection import Connection
from textfile_users.nobody import Who, doubts_of
from textfile_users.product import SETTINGS
from textfile_users.sessions import logind, utmp
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import TYPES, Session
from textfile_users.snapshot import CollectorReport, Snapshot

NOW = BOOT + 10_000
NOBODY, SOMEBODY, NOT_KNOWN = 0, 1, 2
PROJECT = Path(__file__).parents[1]
SOUND = tuple(SourceReport(name, OK) for name in nobody_module.SOURCES)
EMPTY = Snapshot(NOW, (), sources=SOUND, activities={}, connections=())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that holds no session."""
    for name in ("EXCLUDE_USERS", "SSH_PORTS"):
        monkeypatch.delenv(name, raising=False)
    host = Host(str(tmp_path / "host"))
    host.no_sessions()
    host.write("proc/1/net/tcp", "  sl  local_address rem_address   st\n")
    return host


def nobody(host: Host, *argv: str) -> int:
    return main(["nobody", "--root", host.root, "--now", str(NOW), *argv])


def comes(host: Host) -> None:
    """Let alice log in."""
    host.ssh_connection(1000, "alice", "pts/0", cgroup="/user.slice/session-5.scope")
    host.logind("5", REMOTE_HOST="192.0.2.7", TTY="pts/0")


def test_nobody_is_on(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert nobody(host) == NOBODY
    assert capsys.readouterr() == ("", "")


def test_a_line_a_session(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    comes(host)
    host.utmp(Record("bob\x1b[2J", "tty1", 1100, time=BOOT + 5_000))
    host.process(1100, "login")
    assert nobody(host) == SOMEBODY
    lines, said = capsys.readouterr()
    assert [line.partition(" since ")[0] for line in sorted(lines.splitlines())] == [
        "alice: ssh on pts/0 from 192.0.2.7",
        r"bob\x1b[2J: tty on tty1",
    ]
    assert said == ""
    assert nobody(host, "-q") == nobody(host, "--quiet") == nobody(host, "-q", "--json") == SOMEBODY
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "is_nobody", "users"),
    [
        (lambda host: None, True, []),
        (comes, False, ["alice"]),
        (lambda host: shutil.rmtree(host.path("run")), None, []),
    ],
)
def test_json_says_null_for_what_is_not_known(
    host: Host,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Host], None],
    is_nobody: bool | None,
    users: list[str],
) -> None:
    change(host)
    nobody(host, "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["nobody"] is is_nobody
    assert [one["user"] for one in content["sessions"]] == users
    assert bool(content["doubts"]) is (is_nobody is None)


# Where it cannot be known.


def damaged_utmp(host: Host) -> None:
    host.utmp(Record("bob", "tty1", 1100))
    with open(host.path("run/utmp"), "ab") as file:
        file.write(b"\xff" * 384)


def cut_utmp(host: Host) -> None:
    path = host.utmp(*[Record("bob", "tty1", 1100)] * 4)
    os.truncate(path, 384 * 4 - 100)


def utmp_is_a_directory(host: Host) -> None:
    os.mkdir(host.path("run/utmp"))


def damaged_session(host: Host) -> None:
    host.write("run/systemd/sessions/5", "STATE=active\n")


def no_proc(host: Host) -> None:
    shutil.rmtree(host.path("proc"))


def hidden(host: Host) -> None:
    """As with hidepid=2: process 1 is another's."""
    shutil.rmtree(host.path("proc/1"))
    host.process(900, "bash", uid=1000)


def half_a_table(host: Host) -> None:
    host.write("proc/1/net/tcp", "  sl  local_address rem_address   st\n  what is this\n")


def no_table(host: Host) -> None:
    os.unlink(host.path("proc/1/net/tcp"))


def empty_utmp(host: Host) -> None:
    shutil.rmtree(host.path("run"))
    host.write("run/utmp", b"")


def mistaken_settings(host: Host) -> None:
    host.write(SETTINGS[1:], "PORTS=22\n")


DOUBTS: dict[str, Callable[[Host], None]] = {
    "no source of sessions": lambda host: shutil.rmtree(host.path("run")),
    "a damaged record may be somebody's": damaged_utmp,
    "a record cut short, too": cut_utmp,
    "a mount that is missing leaves a directory": utmp_is_a_directory,
    "a session without a user": damaged_session,
    "what only processes show is not seen": no_proc,
    "nor where they are hidden": hidden,
    "a line of sockets that is damaged": half_a_table,
    "connections cannot be seen": no_table,
    "no program keeps an empty utmp": empty_utmp,
    "the settings may name another port": mistaken_settings,
}


@pytest.mark.parametrize("name", DOUBTS)
def test_it_is_not_known(host: Host, capsys: pytest.CaptureFixture[str], name: str) -> None:
    DOUBTS[name](host)
    assert nobody(host, "--exclude-user", "bob") == NOT_KNOWN
    lines, said = capsys.readouterr()
    assert lines == ""
    assert "not known whether anyone is on: " in said


@pytest.mark.parametrize("name", ["a damaged record may be somebody's", "a session without a user"])
def test_somebody_who_is_seen_is_known(
    host: Host, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    DOUBTS[name](host)
    host.logind("7", LEADER=1)
    assert nobody(host) == SOMEBODY
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["run/systemd/sessions", "run/utmp", "proc"])
def test_without_permission_it_is_not_known(host: Host, name: str) -> None:
    host.utmp()
    os.chmod(host.path(name), 0)
    try:
        assert nobody(host) == NOT_KNOWN
    finally:
        os.chmod(host.path(name), 0o755)


@pytest.mark.parametrize("reader", [logind, utmp])
def test_a_source_that_is_denied(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reader: ModuleType,
) -> None:
    """As it may be to root, too: by a module of the kernel, or on another host's file system."""

    def deny(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    host.utmp()
    host.logind("5", CLASS="manager")
    assert nobody(host) == NOBODY
    monkeypatch.setattr(reader, "read_regular", deny)
    assert nobody(host) == NOT_KNOWN
    assert "permission denied" in capsys.readouterr().err


STEPS = ["collect_sessions", "collect_processes", "collect_connections", "find_usage"]


@pytest.mark.parametrize("step", STEPS)
def test_time_runs_out(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """As on a mount whose server is gone."""
    monkeypatch.setattr(scan, step, lambda *_: time.sleep(1))
    assert nobody(host, "--timeout", "0.2") == NOT_KNOWN
    assert "no answer within" in capsys.readouterr().err


@pytest.mark.parametrize("step", STEPS)
def test_a_collector_with_a_fault(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scan, step, fail)
    assert nobody(host) == NOT_KNOWN
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        (EMPTY._replace(sessions=None), "no source of sessions can be read"),
        (EMPTY._replace(whole=False), "not all processes and connections are known"),
        (EMPTY._replace(activities=None), "not all processes and connections are known"),
        (EMPTY._replace(dropped=3), "3 sessions are more than are kept"),
        (EMPTY._replace(faults=("/proc is another's",)), "/proc is another's"),
        (
            EMPTY._replace(collectors=(CollectorReport("sessions", False, 1.0),)),
            "the collector sessions failed",
        ),
        (
            EMPTY._replace(sources=(*SOUND[1:], SourceReport("utmp", BROKEN))),
            "utmp cannot be read",
        ),
        (
            EMPTY._replace(sources=(*SOUND[1:], SourceReport("utmp", OK, (), (("partial", 1),)))),
            "utmp was not read whole",
        ),
        (EMPTY._replace(sources=SOUND[1:]), "utmp cannot be read"),
    ],
)
def test_each_doubt(snapshot: Snapshot, why: str) -> None:
    assert doubts_of(EMPTY) == ()
    assert doubts_of(snapshot) == (why,)


def test_records_of_who_is_gone_are_no_doubt(host: Host) -> None:
    host.utmp(Record("gone", "pts/0", 3000))
    assert nobody(host) == NOBODY


# Who counts.


def session(type_: str, tty: str = "") -> Session:
    return Session("5", "alice", tty, type_, "sshd", "", "192.0.2.7", "", BOOT, 1000)


def connected(service: str) -> Connection:
    return Connection(service, "192.0.2.7", 40_000, 77)


@pytest.mark.parametrize(
    ("one", "last", "service", "is_here", "why"),
    [
        (session("ssh", "pts/0"), NOW - 1799, "", True, "gave input within the time"),
        (session("ssh", "pts/0"), NOW - 1800, "", False, "gave none"),
        (session("ssh", "pts/0"), NOW + 60, "", True, "the clock was set back"),
        (session("ssh", "pts/0"), None, "", True, "its terminal cannot be seen"),
        (session("tty", "tty1"), NOW - 9000, "", False, "a console without input"),
        (session("mosh", "pts/1"), NOW - 9000, "", False, "mosh has a terminal"),
        (session("ssh"), None, "", True, "sftp, an editor: it lives as long as its connection"),
        (session("wayland", "tty2"), NOW - 9000, "", True, "keys do not come by the terminal"),
        (session("x11", "tty2"), NOW - 9000, "", True, "likewise"),
        (session("x11", ":0"), None, "", True, "likewise"),
        (session("vnc", ":1"), None, "vnc", True, "somebody looks at it"),
        (session("vnc", ":1"), None, "ssh", False, "nobody looks at it"),
        (session("rdp", "xrdp:10"), None, "", False, "disconnected"),
        (session("multiplexer"), None, "", False, "detached"),
        (session("multiplexer", "pts/3"), NOW - 60, "", True, "a window with input"),
        (session("other"), None, "", True, "nothing is known of it"),
    ],
)
def test_idle(one: Session, last: float | None, service: str, is_here: bool, why: str) -> None:
    snapshot = EMPTY._replace(
        sessions=(one,),
        activities={"5": Activity(None, None, last)},
        connections=(connected(service),) if service else (),
    )
    assert nobody_module._is_here(one, snapshot, Who(1800)) is is_here, why
    assert nobody_module._is_here(one, snapshot, Who()), "all count without --idle"
    unknown = snapshot._replace(activities=None, connections=None)
    is_detached = one == session("multiplexer")
    assert nobody_module._is_here(one, unknown, Who(1800)) is not is_detached, (
        "what is not known counts"
    )


def test_types_and_users(host: Host) -> None:
    comes(host)
    for argv, status in (
        (("--session-type", "tty,x11"), NOBODY),
        (("--session-type", "tty,ssh"), SOMEBODY),
        (("--exclude-user", "a*"), NOBODY),
        (("--exclude-user", "b*", "--exclude-user", "alice"), NOBODY),
        (("--exclude-user", "b*"), SOMEBODY),
        (("--exclude-user", "Alice"), SOMEBODY),
    ):
        assert nobody(host, *argv) == status, argv


def test_it_takes_the_settings(host: Host) -> None:
    comes(host)
    path = host.write(SETTINGS[1:], 'OPTIONS="--exclude-user a* --repeat 3"\n')
    os.chmod(path, 0o644)
    assert nobody(host) == NOBODY
    os.chmod(path, 0o666)
    assert nobody(host) == NOT_KNOWN, "anybody may have written them"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--idle", "30"], "'30' is not a time from 1m to 365d"),
        (["--idle", "5s"], "'5s' is not a time"),
        (["--idle", "0m"], "'0m' is not a time"),
        (["--idle", "-5m"], "expected one argument"),
        (["--idle", "400d"], "'400d' is not a time"),
        (["--idle", "9" * 40 + "m"], "is not a time"),
        (["--idle", "½h"], "is not a time"),
        (["--idle", "²m"], "is not a time"),
        (["--idle", ""], "'' is not a time"),
        (["--idle"], "expected one argument"),
        (["--session-type", "shh"], "'shh' is not known; choose from ssh, tty"),
        (["--session-type", ""], f"'' is not known; choose from {', '.join(TYPES)}"),
        (["--idel", "5m"], "'--idel' is no option of nobody; did you mean --idle?"),
        (["alice"], "'alice' is no word for nobody"),
        (["--auth-log", "x"], "'--auth-log' is an option of"),
    ],
)
def test_wrong_usage(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nobody", *argv]) == NOT_KNOWN
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["60s", "1m", "8h", "365d"])
def test_times(host: Host, text: str) -> None:
    assert nobody(host, "--idle", text) == NOBODY


def test_a_word_that_is_almost_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["noboby"]) == 2
    assert "'noboby' is no command; did you mean nobody?" in capsys.readouterr().err


# Whatever happens to the program, only 0 lets a reboot happen.

RUN = "from textfile_users.__main__ import run; run()"


def guarded(tmp_path: Path, command: str, code: str = RUN, *, files: int = 256) -> str:
    """Return what a shell does behind ``command && ...``, where ``code`` is the program."""
    program = tmp_path / "textfile-users"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path[0] = {str(PROJECT)!r}\n{code}\n")
    program.chmod(0o755)
    shell = f"ulimit -n {files}; cd /; {command} && echo REBOOT; exit 0"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_reboot_happens_where_nobody_is_on(host: Host, tmp_path: Path) -> None:
    command = f"{tmp_path}/textfile-users nobody --root {host.root}"
    assert guarded(tmp_path, command) == "REBOOT\n"
    assert guarded(tmp_path, f"{command} >&- 2>&-") == "REBOOT\n", "without streams"
    comes(host)
    assert guarded(tmp_path, f"{command} -q") == ""
    assert guarded(tmp_path, f"{command} >&- 2>&-") == "", "without streams"
    assert guarded(tmp_path, f"{command} >/dev/full") == "", "where nothing can be written"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise ValueError('a fault')", "a traceback"),
        (f"import textfile_users.nobody as a; a.nobody = None; {RUN}", "a fault in the command"),
        (f"import textfile_users.nobody as a; a.doubts_of = None; {RUN}", "and behind the scan"),
        ("import no_such_module", "a module that is missing"),
        ("this is no Python", "a file that is damaged"),
        (f"import os; os.kill(os.getpid(), {signal.SIGKILL:d})", "killed"),
        (f"import os; os.kill(os.getpid(), {signal.SIGTERM:d})", "ended"),
        (f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})", "crashed"),
        ("raise MemoryError", "no memory"),
        ("raise KeyboardInterrupt", "Ctrl-C"),
    ],
)
def test_no_reboot_where_the_program_fails(host: Host, tmp_path: Path, code: str, why: str) -> None:
    command = f"{tmp_path}/textfile-users nobody --root {host.root}"
    assert guarded(tmp_path, command, code) == "", why


def test_no_reboot_without_the_program(host: Host, tmp_path: Path) -> None:
    assert guarded(tmp_path, f"{tmp_path}/no-such nobody --root {host.root}") == ""
    not_a_program = tmp_path / "data"
    not_a_program.write_text("")
    assert guarded(tmp_path, f"{not_a_program} nobody --root {host.root}") == ""


def test_no_reboot_without_descriptors(host: Host, tmp_path: Path) -> None:
    command = f"{tmp_path}/textfile-users nobody --root {host.root}"
    assert guarded(tmp_path, command, files=3) == ""


def test_it_writes_nothing_and_reads_no_log(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, object]] = []

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and isinstance(args[0], str) and args[0].startswith(host.root):
            opened.append((args[0], args[2]))

    host.write("var/log/auth.log", "Dec  7 10:00:00 host sshd[1]: Accepted password for x\n")
    host.write("var/log/wtmp", b"")
    comes(host)
    sys.addaudithook(hook)
    before = sorted(Path(host.root).rglob("*"))
    assert nobody(host, "--idle", "30m") == SOMEBODY
    assert opened
    assert [name for name, _ in opened if "/var/" in name] == []
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    assert [name for name, flags in opened if isinstance(flags, int) and flags & writing] == []
    assert sorted(Path(host.root).rglob("*")) == before
