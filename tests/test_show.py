"""`show`: tables that fit, whatever is in them, on terminals and elsewhere."""

from __future__ import annotations

import fcntl
import html
import json
import os
import pty
import re
import runpy
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, TICKS, Host, Record, pack
from textfile_users.cli import main
from textfile_users.collecting import BROKEN, OK, SourceReport
from textfile_users.memory import Memory
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.show_table import Failures, Page, View, format_table, interval, size
from textfile_users.snapshot import Snapshot
from textfile_users.terminal import Column, columns_of, cut, style, table

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def _80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)


def session(ident: str, user: str, tty: str, start: float, **more: str) -> Session:
    fields = {"type": "ssh", "service": "sshd", "host": "", "ip": "", "network": "", **more}
    return Session(ident, user, tty, start=start, leader=1, **fields)


SESSIONS = (
    session("1", "root", "tty1", NOW - 40 * 86_400, type="tty", network="local"),
    session("2", "alice", "pts/0", NOW - 8_000, ip="192.0.2.7", network="office"),
    session("c3", "bob", "", NOW - 3 * 86_400, ip="2001:db8:0:17::a:b0c", network="vpn"),
    session("pid:9", "한글이름", "pts/1", NOW - 60, type="mosh", host="client.example.org"),
)
ACTIVITIES = {
    "1": Activity(0.05, 2, NOW - 39 * 86_400, resident=9_000_000, command="-bash"),
    "2": Activity(75.5, 3, NOW - 5, resident=123_456, command="vim " + "notes " * 30),
    "c3": Activity(4_000.0, 3, None, resident=7_000_000_000),
    "pid:9": Activity(None, None, NOW - 11_100),
}
FAILURES = (
    Failures("203.0.113.66", "", 1_234, NOW - 60, ("root", "alice", "")),
    Failures("2001:db8:5::/64", "office", 20, NOW - 1_800, ("",)),
    *(Failures(f"198.51.100.{n}", "", 1, NOW - 100, ("",)) for n in range(1, 6)),
)
SNAPSHOT = Snapshot(
    NOW,
    SESSIONS,
    closing=1,
    activities=ACTIVITIES,
    sources=(SourceReport("utmp", OK), SourceReport("logind", BROKEN)),
    faults=("logind: no\x1b[2J such",),
)
VIEW = View(SNAPSHOT, FAILURES)

BELOW = """\
4 sessions of 4 users; 1 more closing

FAILURES  FROM             NETWORK  LAST   USER
    1234  203.0.113.66     -        09:32  root, alice, others
      20  2001:db8:5::/64  office   09:03  others
       1  198.51.100.1     -        09:31  others
       1  198.51.100.2     -        09:31  others
       1  198.51.100.3     -        09:31  others
1259 failures in the last hour from 7 addresses, 2 of them from 2 more

Not read: logind
logind: no\\x1b[2J such"""
AT_80 = """\
USER     TTY   TYPE FROM                 NETWORK SINCE       IDLE   CPU  MEM
root     tty1  tty  -                    local   2025-10-28   39d  0.1s 8.6M
alice    pts/0 ssh  192.0.2.7            office  07:20         5s    1m 121K
bob      -     ssh  2001:db8:0:17::a:b0c vpn     Thu 09:33      - 1h06m 6.5G
한글이름 pts/1 mosh client.example.org   -       09:32      3h05m     -    -
"""
AT_120 = """\
USER     TTY   TYPE FROM                 NETWORK SINCE       IDLE   CPU  MEM COMMAND
root     tty1  tty  -                    local   2025-10-28   39d  0.1s 8.6M -bash
alice    pts/0 ssh  192.0.2.7            office  07:20         5s    1m 121K vim notes notes notes notes notes notes no…
bob      -     ssh  2001:db8:0:17::a:b0c vpn     Thu 09:33      - 1h06m 6.5G -
한글이름 pts/1 mosh client.example.org   -       09:32      3h05m     -    - -
"""  # noqa: E501


@pytest.mark.parametrize(
    ("width", "commands", "expected"), [(80, False, AT_80 + BELOW), (120, True, AT_120 + BELOW)]
)
def test_tables(width: int, commands: bool, expected: str) -> None:
    assert format_table(VIEW, Page(width), commands).split("\n") == expected.split("\n")


def test_with_commands_it_fits_80_columns_exactly() -> None:
    lines = format_table(VIEW, Page(80), True).split("\n")
    assert max(map(columns_of, lines)) == 80
    assert lines[2].endswith(" vim notes n…")


@pytest.mark.parametrize("width", [1, 2, 10, 30, 40, 79])
def test_on_narrow_terminals_the_last_columns_go_first(width: int) -> None:
    lines = format_table(VIEW, Page(width), True).split("\n")
    assert max(map(columns_of, lines)) <= width
    assert lines[0].startswith("USER"[: max(1, width)][: width - 1])


@pytest.mark.parametrize("lines", [1, 2, 5, 8, 12, 19, 20, 30])
def test_a_screen_has_the_newest_sessions(lines: int) -> None:
    many = tuple(session(str(n), f"u{n}", "", NOW - 1000 + n) for n in range(900))
    shown = format_table(View(SNAPSHOT._replace(sessions=many), FAILURES), Page(80, lines))
    assert len(shown.split("\n")) <= lines
    if lines >= 8:
        assert "u899 " in shown
        assert "900 sessions of 900 users; 1 more closing; the newest " in shown
        assert "1259 failures in the last hour from 7 addresses" in shown


def test_all_of_10000_sessions_are_shown_in_order() -> None:
    many = tuple(
        session(str(n), f"user{n // 10}", f"pts/{n}", BOOT + n, ip=f"192.0.2.{n % 250 + 1}")
        for n in range(10_000)
    )
    lines = format_table(View(SNAPSHOT._replace(sessions=many), ())).split("\n")
    assert [line.split()[1] for line in lines[1:10_001]] == [one.tty for one in many]
    assert lines[10_001:10_003] == [
        "10000 sessions of 1000 users; 1 more closing",
        "No failures in the last hour.",
    ]


def test_where_the_locale_lacks_letters_the_table_stands_all_the_same() -> None:
    lines = format_table(VIEW, Page(80, encoding="ascii"), True).split("\n")
    assert all(line.isascii() and len(line) <= 80 for line in lines)
    assert lines[4].startswith(r"\ud55c\ua~ pts/1 ")


def test_colours_change_no_width() -> None:
    coloured = format_table(VIEW, Page(80, colour=True))
    assert "\x1b[31mroot\x1b[0m " in coloured
    assert ESCAPES.sub("", coloured) == AT_80 + BELOW


def test_what_is_not_known() -> None:
    nothing = View(Snapshot(NOW, None), None)
    assert format_table(nothing).split("\n") == [
        "Not known who is logged in: no source of sessions could be read.",
        "Failures of the last hour: not known, no log of them was read.",
    ]
    partial = View(Snapshot(NOW, ()), FAILURES[:1], True)
    assert format_table(partial).split("\n")[-1] == (
        "1234 failures in the last hour from 1 address; some may be missing"
    )
    none = View(Snapshot(NOW, (), closing=2, dropped=3), (), True)
    assert format_table(none).split("\n") == [
        "Nobody is logged in; 2 more closing; 3 left out.",
        "No failures in the last hour; some may be missing.",
    ]


TEXTS = st.text(max_size=60) | st.sampled_from(
    ["\x1b]0;x\x07", "\u202e", "👩‍👩‍👧", "e\u0301" * 9, "한글" * 9]
)


@given(
    st.lists(TEXTS, min_size=6, max_size=6),
    st.integers(1, 130),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_hostile_names_break_no_table(texts: list[str], width: int, encoding: str) -> None:
    user, tty, host, network, command, fault = texts
    one = session("1", user, tty, NOW, host=host, network=network)
    snapshot = Snapshot(
        NOW, (one,), faults=(fault,), activities={"1": Activity(1.0, 1, NOW, command=command)}
    )
    view = View(snapshot, (Failures(host, network, 1, NOW, (user,)),))
    shown = format_table(view, Page(width, encoding=encoding), True)
    assert not [char for char in shown if char != "\n" and not char.isprintable()]
    for line in shown.encode(encoding).decode(encoding).split("\n"):
        wide = sum(1 for char in line if unicodedata.east_asian_width(char) in "WF")
        without = sum(1 for char in line if unicodedata.category(char) in ("Mn", "Me"))
        assert len(line) + wide - without <= width
    # What stands right of a name stands where it does beside any other.
    heading, row = shown.split("\n")[:2] if one.user.strip() else ("", "")
    if " SINCE" in heading:
        at = heading.index(" SINCE") + 1
        assert cut(row, at + 5, "").endswith("09:33" if width else "")


# The parts


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("alice", 5),
        ("é", 1),
        ("e\u0301", 1),
        ("한글", 4),
        ("\uff41", 2),  # full width
        ("🙂", 2),
        ("\u20dd", 0),
    ],
)
def test_columns_of(text: str, columns: int) -> None:
    assert columns_of(text) == columns


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("alice", 5, "alice"),
        ("alices", 5, "alic…"),
        ("한글한", 5, "한글…"),
        ("한글한", 4, "한…"),  # half a letter there is not
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("한", 1, "…"),
    ],
)
def test_cut(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_a_table_without_rows_has_a_heading() -> None:
    assert table((Column("A"), Column("B", right=True)), (), 80) == ["A  B"]


def test_style() -> None:
    assert style("x", "red") == "\x1b[31mx\x1b[0m"
    assert style("x", "") == "x"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h00m"), (86_399, "23h59m"),
     (86_400, "1d"), (40 * 86_400, "40d")],
)  # fmt: skip
def test_interval(seconds: float, expected: str) -> None:
    assert interval(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0B"), (999, "999B"), (1_000, "1.0K"), (10_200, "10K"), (1_023_000, "999K"),
     (1_023_488, "1.0M"), (7_000_000_000, "6.5G"), (2**60, "1.0E")],
)  # fmt: skip
def test_size(count: int, expected: str) -> None:
    assert size(count) == expected


# Whole looks


def log_lines(*lines: tuple[float, str]) -> str:
    """Return lines of an auth log at seconds after NOW."""
    return "".join(
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW + at))
        + f".000000+00:00 host sshd[{700 + n}]: {text}\n"
        for n, (at, text) in enumerate(lines)
    )


REFUSED = "Failed password for {} from {} port 22 ssh2"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(str(tmp_path / "host"))
    host.ssh_connection(1000, "alice", "pts/0")
    host.logind("5", REMOTE_HOST="192.0.2.7")
    host.write(
        "var/log/auth.log",
        log_lines(
            (-4_000, REFUSED.format("root", "203.0.113.1")),  # more than an hour ago
            (-3_000, REFUSED.format("root", "203.0.113.1")),
            (-2_000, REFUSED.format("invalid user oracle", "203.0.113.1")),
            (-1_000, REFUSED.format("bob", "2001:db8:5::9")),
        ),
    )
    return host


def arguments(host: Host, *more: str) -> list[str]:
    common = ["--root", host.root, "--now", str(NOW), "--auth-source", "files", "--timeout", "60"]
    return ["show", *common, *more]


def test_show(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.logind("1", TTY="tty1", SERVICE="login", LEADER=1, REALTIME=(BOOT + 100) * 1_000_000)
    host.logind("3", STATE="closing", LEADER=1)
    assert main(arguments(host, "--exclude-user", "bob")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "USER   TTY    TYPE  FROM       SINCE      IDLE   CPU   MEM",
        "alice  tty1   tty   -          Sat 05:48     -     -     -",
        "alice  pts/0  ssh   192.0.2.7  Sat 07:10     -  0.3s  2.3M",
        "2 sessions of 1 user; 1 more closing",
        "",
        "FAILURES  FROM             LAST   USER",
        "       2  203.0.113.1      09:00  root, others",
        "       1  2001:db8:5::/64  09:16  -",
        "3 failures in the last hour from 2 addresses",
    ]


def test_commands_and_networks(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    named = ("--network", "office=192.0.2.0/24", "--network", "vpn=2001:db8:5::/48")
    assert main(arguments(host, "--session-command", *named)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-1] == "COMMAND"
    assert "NETWORK" in lines[0]
    assert lines[1].split()[4] == "office"
    assert lines[6].split() == ["1", "2001:db8:5::/64", "vpn", "09:16", "bob"]


def test_logs_that_cannot_be_read(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    os.rename(host.path("var/log/auth.log"), host.path("var/log/auth.log.1"))
    os.mkdir(host.path("var/log/auth.log"))
    assert main(arguments(host)) == 0
    _, _, below = capsys.readouterr().out.partition("1 session of 1 user\n")
    assert below.splitlines()[:3] == [
        "Failures of the last hour: not known, no log of them was read.",
        "",
        "Not read: authlog",
    ]
    # A long path goes on in the next line.
    said = "".join(below.split("\n  ")).replace("\n", "")
    path = host.path("var/log/auth.log")
    assert f"{path}: is a directory, not a file".replace(" ", "") in said.replace(" ", "")


def test_an_hour_that_began_in_a_rotated_log(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    path = host.path("var/log/auth.log")
    os.rename(path, path + ".1")
    host.write("var/log/auth.log", log_lines((-10, REFUSED.format("root", "203.0.113.1"))))
    assert main(arguments(host)) == 0
    assert "       3  203.0.113.1      09:33  root, others" in capsys.readouterr().out


def test_without_sessions_and_without_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = Host(str(tmp_path))
    assert main(arguments(host)) == 1
    out = capsys.readouterr().out
    assert "Not known who is logged in" in out
    assert "no source of sessions: neither" in out
    host.no_sessions()
    host.write("var/log/auth.log", "")
    assert main(arguments(host)) == 0
    assert capsys.readouterr().out == "Nobody is logged in.\nNo failures in the last hour.\n"


def test_names_are_cut_and_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(str(tmp_path))
    host.logind("1", USER="u\x1b[2J" * 20, TTY="pts/" + "1" * 20, REMOTE_HOST="h" * 255, LEADER=1)
    assert main(arguments(host)) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines()[:2])) == 80


def test_times_beyond_any_calendar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(str(tmp_path))
    host.logind("1", LEADER=1, REALTIME=9_000_000_000_000_000_000)
    host.logind("2", LEADER=1, REALTIME=None)
    host.write("run/utmp", pack(Record(pid=1, time=2**62), 400))
    assert main(arguments(host)) == 0
    rows = [line.split()[4:] for line in capsys.readouterr().out.splitlines()[1:3]]
    assert rows == [["-"] * 4, ["287168-08-24", "-", "-", "-"]]


SOURCES = {
    "utmp": "absent", "logind": "ok", "procfs": "ok", "sockets": "absent", "accounts": "ok",
    "authlog": "ok", "journal": "absent",
}  # fmt: skip


def test_json(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(host, "--json", "--session-command")) == 0
    page = os.sysconf("SC_PAGE_SIZE")
    assert json.loads(capsys.readouterr().out) == {
        "time": NOW,
        "sessions": [
            {
                "id": "5", "user": "alice", "tty": "pts/0", "type": "ssh", "program": "sshd",
                "host": "", "ip": "192.0.2.7", "network": "", "start": BOOT + 5000.0,
                "leader": 1000, "last_activity": None, "cpu_seconds": round(33 / TICKS, 6),
                "memory_bytes": 600 * page, "processes": 3, "command": "",
            }
        ],
        "closing": 0,
        "failures": [
            {"ip": "203.0.113.1", "network": "", "count": 2, "last": 1765098000.0,
             "users": ["root", ""]},
            {"ip": "2001:db8:5::/64", "network": "", "count": 1, "last": 1765098960.0,
             "users": ["bob"]},
        ],
        "failures_partial": False,
        "sources": SOURCES,
        "faults": [],
    }  # fmt: skip


def test_json_where_nothing_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(Host(str(tmp_path)), "--json")) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["sessions"], said["failures"]) == (None, None)
    assert said["faults"]


class Pauses:
    """Stands for the pauses of --watch: does what is due in each, and Ctrl-C in the end."""

    def __init__(self, *between: str) -> None:
        self.lines = list(between)
        self.path = ""

    def __call__(self, _: float) -> None:
        if not self.lines:
            raise KeyboardInterrupt
        with open(self.path, "a") as file:
            file.write(self.lines.pop(0))


def test_watch_goes_on_where_the_last_look_stopped(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, root = (REFUSED.format(user, "203.0.113.1") for user in ("alice", "root"))
    pauses = Pauses(
        log_lines((-30, alice), (-30, alice)),
        "",
        log_lines((-20, root), (-20, root)),
        log_lines((-10, alice))[:40],  # half a line
    )
    pauses.path = host.path("var/log/auth.log")
    monkeypatch.setattr("textfile_users.show.time.sleep", pauses)
    assert main(arguments(host, "--json", "--watch")) == 130
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(look["failures"][0]["count"], look["failures"][0]["users"]) for look in looks] == [
        (2, ["root", ""]),
        (4, ["alice", "root", ""]),
        (4, ["alice", "root", ""]),
        (6, ["root", "alice", ""]),
        (6, ["root", "alice", ""]),
    ]


def test_watch_reads_the_whole_hour_once_it_can(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.path("var/log/auth.log")
    os.rename(path, path + ".aside")
    os.mkdir(path)

    def put_back(_: float) -> None:
        if not os.path.isdir(path):
            raise KeyboardInterrupt
        os.rmdir(path)
        os.rename(path + ".aside", path)

    monkeypatch.setattr("textfile_users.show.time.sleep", put_back)
    assert main(arguments(host, "--json", "--watch")) == 130
    first, second = (json.loads(line)["failures"] for line in capsys.readouterr().out.splitlines())
    assert first is None
    assert [one["count"] for one in second] == [2, 1]


def test_what_a_first_look_left_out_is_said_for_an_hour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [NOW, NOW + 3_599, NOW + 3_600]

    def scan(_: object, now: float, *__: object) -> tuple[Snapshot, Memory]:
        return Snapshot(now, (), auth_log="authlog", caught_up=now > NOW), Memory()

    def pause(_: float) -> None:
        times.pop(0)
        if not times:
            raise KeyboardInterrupt

    monkeypatch.setattr("textfile_users.show.scan", scan)
    monkeypatch.setattr("textfile_users.show.time.time", lambda: times[0])
    monkeypatch.setattr("textfile_users.show.time.sleep", pause)
    assert main(["show", "--json", "--watch"]) == 130
    scans = map(json.loads, capsys.readouterr().out.splitlines())
    assert [scan["failures_partial"] for scan in scans] == [True, True, False]


def test_watch_shows_the_share_of_a_processor(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [NOW, NOW + 2]
    monkeypatch.setattr("textfile_users.show.time.time", lambda: times[0])
    fields = Path(host.path("proc/1002/stat"))

    def work(_: float) -> None:
        if len(times) == 1:
            raise KeyboardInterrupt
        times.pop(0)
        data = fields.read_text().split()
        data[13] = str(int(data[13]) + TICKS)  # a second of its own, see proc(5)
        fields.write_text(" ".join(data) + "\n")

    monkeypatch.setattr("textfile_users.show.time.sleep", work)
    argv = [word for word in arguments(host, "--watch") if word not in ("--now", str(NOW))]
    assert main(argv) == 130
    out = capsys.readouterr().out
    assert "\x1b" not in out, "no terminal: plain tables one below the other"
    first, second = out.split("\n\n2025-12-07 09:33:2")
    assert "  CPU " in first
    assert "  %CPU " in second
    assert second.splitlines()[2].split()[-2:] == ["50.0", "2.3M"]


# On a real terminal

# What a shell has put into the background ignores SIGINT, and so do its children.
LAUNCHER = """import fcntl, os, signal, sys, termios
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "textfile_users", *sys.argv[1:]])
"""


class Terminal:
    """A pseudo terminal of 100 columns and 30 lines with the program in its foreground."""

    def __init__(self, argv: list[str], **environment: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.modes = termios.tcgetattr(slave)
        env = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        self.child = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, *argv],
            stdin=slave, stdout=slave, stderr=slave,
            env={**env, "TERM": "xterm", "PYTHONUTF8": "1", **environment},
        )  # fmt: skip
        self.slave = slave
        self.output = ""

    def read_until(self, count: int, text: str) -> str:
        """Read until `text` was written `count` times, or the program has ended."""
        while self.output.count(text) < count:
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self.output += os.read(self.master, 65_536).decode()
            elif self.child.poll() is not None:
                break
        return self.output

    def end(self) -> int:
        """Return the status; the terminal's modes are as they were."""
        status = self.child.wait(60)
        self.read_until(10**6, "\0")
        assert termios.tcgetattr(self.slave) == self.modes
        os.close(self.slave)
        os.close(self.master)
        return status


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),  # no-color.org: when it is not empty
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
    ],
)
def test_colours_of_a_terminal(host: Host, environment: dict[str, str], colours: bool) -> None:
    terminal = Terminal(arguments(host), **environment)
    terminal.read_until(1, "addresses")
    assert terminal.end() == 0
    assert bool(ESCAPES.search(terminal.output)) == colours
    assert "\x1b" not in ESCAPES.sub("", terminal.output)


def test_a_wide_terminal_is_used(host: Host) -> None:
    host.logind("6", USER="u" * 60, REMOTE_HOST="h" * 200, LEADER=1)
    terminal = Terminal(arguments(host), TERM="dumb")
    terminal.read_until(1, "addresses")
    assert terminal.end() == 0
    assert max(map(len, terminal.output.splitlines())) == 100


def test_watch_on_a_terminal_until_ctrl_c(host: Host) -> None:
    for n in range(40):
        host.logind(f"c{n}", USER=f"u{n}", LEADER=1)
    terminal = Terminal(arguments(host, "--watch"))
    terminal.read_until(2, "\x1b[J")
    os.write(terminal.master, b"\x03")
    assert terminal.end() == 130
    before, first, second, *_ = terminal.output.split("\x1b[H")
    assert before == "\r\n" * 30, "what was on the screen can be scrolled back to"
    assert first.count("\r\n") < 30
    assert "; the newest " in first
    assert first.endswith("\x1b[J")
    assert second == first + "^C", "the echo of what was typed"
    # After a line as wide as the screen it would erase the last character.
    assert first.startswith("\x1b[K")
    assert not re.search("[^\n]\x1b\\[K", first[3:])
    assert "Traceback" not in terminal.output
    assert not re.search(r"\x1b\[\?", terminal.output), "no mode of the terminal is changed"


def test_watch_on_a_dumb_terminal_moves_no_cursor(host: Host) -> None:
    terminal = Terminal(arguments(host, "--watch"), TERM="dumb")
    terminal.read_until(2, "addresses")
    os.write(terminal.master, b"\x03")
    assert terminal.end() == 130
    assert "\x1b" not in terminal.output


def test_the_picture_in_the_readme_is_what_show_prints(tmp_path: Path) -> None:
    project = Path(__file__).parents[1]
    drawn = (project / "docs/show.svg").read_text()
    assert len(drawn) < 40_000
    assert "url(http" not in drawn, "nothing is fetched"
    picture = runpy.run_path(str(project / "script/picture.py"))
    try:
        printed = picture["show"](str(tmp_path))
    except PermissionError:
        pytest.skip("only root can make the terminals of the host")
    shown = "$ textfile-users show " + picture["OPTIONS"] + ESCAPES.sub("", printed)
    matrix = drawn.partition('-matrix">')[2]
    text = html.unescape(re.sub(r"<[^>]*>", "", matrix))
    assert "".join(text.split()) == "".join(shown.split()), "run script/picture"
