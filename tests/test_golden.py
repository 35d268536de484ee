"""Whole outputs of whole hosts, line by line: tests/fixtures/NAME.prom.

`UPDATE_GOLDEN=1 script/test tests/test_golden.py` writes them anew; read the difference.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import BOOT, NOW, Host, Record
from textfile_users import __version__
from textfile_users import run as collect_module
from textfile_users.cli import main
from textfile_users.metrics import SETS

FIXTURES = Path(__file__).with_name("fixtures")


RECORDS = (
    Record(type=2, user="reboot", line="~", pid=0, time=BOOT, host="6.1.0-44-amd64", id="~~"),
    Record(type=6, user="LOGIN", line="tty2", pid=601, id="tty2"),
    Record(user="root", line="tty1", pid=600, id="tty1", time=BOOT + 60.5),
    Record(line="pts/0", pid=1000, host="192.0.2.7", ip="192.0.2.7"),
    Record(line="pts/1", pid=1100, host="client.example.org", ip="2001:db8::7"),
    Record(line="pts/2", pid=1500, host="tmux(1500).%0"),
    Record(user="carol", line="pts/3", pid=1900, host="192.0.2.9"),
    Record(type=8, user="", line="pts/4", pid=1901),
)


def bookworm(host: Host) -> None:
    """Debian 12: utmp has the terminals, logind the session without one."""
    host.process(600, "login", start=BOOT + 50)
    host.ssh_connection(1000, "alice", "pts/0")
    host.ssh_connection(1100, "alice", "pts/1")
    host.ssh_connection(1200, "bob", "notty", uid=1001)
    host.process(
        1500, "tmux: server", cgroup="/user.slice/user-1000.slice/session-3.scope", uid=1000
    )
    host.utmp(*RECORDS)
    host.logind("1", USER="root", UID=0, LEADER=600, TTY="tty1", SERVICE="login", REMOTE=0)
    host.logind("3", REMOTE_HOST="192.0.2.7", LEADER=1000)
    host.logind("4", REMOTE_HOST="2001:db8::7", LEADER=1100)
    host.logind("7", USER="bob", UID=1001, REMOTE_HOST="192.0.2.8", LEADER=1200)
    host.logind("8", USER="dave", UID=1002, REMOTE_HOST="192.0.2.8", STATE="closing", LEADER=1300)
    host.logind("9", USER="root", UID=0, CLASS="background", SERVICE="cron", LEADER=1400)


def trixie(host: Host) -> None:
    """Debian 13: no utmp, logind has no terminals."""
    host.ssh_connection(630, "alice", "pts/0", "sshd-session")
    host.ssh_connection(640, "alice", "pts/1", "sshd-session")
    host.ssh_connection(650, "alice", "notty", "sshd-session")
    host.ssh_connection(660, "bob", "notty", "sshd-session", 1001)
    for ident, user, leader in (
        ("10", "alice", 630), ("11", "alice", 640), ("12", "alice", 650), ("13", "bob", 660),
    ):  # fmt: skip
        host.logind(
            ident, USER=user, LEADER=leader, REMOTE_HOST="192.0.2.2",
            REALTIME=(BOOT + leader) * 1_000_000 + 956_625,
        )  # fmt: skip
    host.logind("15", CLASS="manager", TYPE="unspecified", SERVICE="systemd-user", LEADER=648)


def arm(host: Host) -> None:
    """A 64-bit Arm without systemd: records of 400 bytes, one damaged, one cut short."""
    host.process(1000, "sshd")
    host.utmp(
        Record(host="192.0.2.7", ip="192.0.2.7", time=2**32 - 1),
        Record(type=99),
        Record(user='q"u\\o\nte', line="pts/1", host="🙂.example.org"),
        size=400,
    )
    path = host.path("run/utmp")
    with open(path, "ab") as file:
        file.write(b"\x07\0")


def empty(host: Host) -> None:
    """systemd without anybody."""
    host.no_sessions()


def busy(host: Host) -> None:
    """Debian 12 with a desktop that is looked at, refused passwords, and logins of root."""
    bookworm(host)
    host.process(2000, "Xtigervnc", title="Xtigervnc\0:1\0-localhost", uid=1001)
    host.process(700, "sshd", title="/usr/sbin/sshd -D")
    for pid, inode in ((2000, 21), (700, 22)):
        os.makedirs(host.path(f"proc/{pid}/fd"))
        os.symlink(f"socket:[{inode}]", host.path(f"proc/{pid}/fd/3"))
    rows = (
        ("0100007F:170D", "00000000:0000", "0A", 21),
        ("00000000:0016", "00000000:0000", "0A", 22),
        ("0100007F:170D", "0100007F:9C40", "01", 31),
        ("0A0200C0:0016", "070200C0:9C41", "01", 32),
        ("0A0200C0:170E", "080200C0:9C42", "01", 33),  # another program's 5902
    )
    lines = [
        f"{number:4}: {local} {peer} {state} 0:0 00:0 0 0 0 {inode}"
        for number, (local, peer, state, inode) in enumerate(rows)
    ]
    host.write("proc/1/net/tcp", "\n".join(["  sl  local_address", *lines, ""]))
    host.write("var/log/auth.log", "")


def happen(host: Host) -> None:
    """Between two scans: a session ends, root logs in, and some fail to."""
    os.unlink(host.path("run/systemd/sessions/4"))
    records = [record for record in RECORDS if record.line != "pts/1"]
    host.utmp(*records)
    for pid in (1100, 1101, 1102):
        shutil.rmtree(host.path(f"proc/{pid}"))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 1))
    messages = (
        "Failed password for root from 192.0.2.9 port 1 ssh2",
        "Failed password for invalid user rootkit from 192.0.2.9 port 2 ssh2",
        "Accepted publickey for root from 192.0.2.8 port 3 ssh2: ED25519 SHA256:abc",
        "Accepted password for rootkit from 192.0.2.8 port 4 ssh2",
    )
    lines = [f"{stamp} host sshd[{5000 + n}]: {text}\n" for n, text in enumerate(messages)]
    host.write("var/log/auth.log", "".join(lines))


def nothing(host: Host) -> None:
    """No source of sessions at all."""


@pytest.mark.parametrize("build", [bookworm, trixie, arm, empty, nothing])
def test_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], build: Callable[[Host], None]
) -> None:
    host = Host(str(tmp_path / "host"))
    build(host)
    state = str(tmp_path / "state")
    argv = ["--state-directory", state, "--runtime-directory", state, "--output", "-"]
    assert main(["--root", host.root, "--now", str(NOW), *argv]) == 0
    compare(capfd.readouterr().out, FIXTURES / f"{build.__name__}.prom")


@pytest.mark.parametrize("sets", [*SETS[1:], ",".join(SETS)])
def test_output_of_other_sets(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    sets: str,
) -> None:
    """One scan and what happened until the next; the files of each set, and of all."""
    text = two_looks(tmp_path, capfd, "--metrics", sets)
    compare(text, FIXTURES / "sets" / f"{'all' if ',' in sets else sets}.prom")


# What tells less or more of people: a golden file, and the flags it is of.
PRIVACY = [
    ("network", ("--network", "office=192.0.2.8/31", "--network", "loop=127.0.0.0/8")),
    ("redact", ("--redact", "user,host,ip", "--metrics", ",".join(SETS))),
    ("aggregate", ("--aggregate-only",)),
]


@pytest.mark.parametrize(("name", "flags"), PRIVACY)
def test_output_with_less_or_more_told_of_people(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    flags: tuple[str, ...],
) -> None:
    key = tmp_path / "redact.key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    monkeypatch.setattr(collect_module, "REDACT_KEY", str(key))
    compare(two_looks(tmp_path, capfd, *flags), FIXTURES / "privacy" / f"{name}.prom")


def two_looks(tmp_path: Path, capfd: pytest.CaptureFixture[str], *flags: str) -> str:
    """Return what the second of two looks at a busy host writes."""
    host = Host(str(tmp_path / "host"))
    busy(host)
    state = str(tmp_path / "state")
    argv = ["--root", host.root, "--state-directory", state, "--runtime-directory", state]
    argv += [*flags, "--output", "-", "--timeout", "60"]
    assert main([*argv, "--now", str(NOW - 60)]) == 0
    happen(host)
    capfd.readouterr()
    assert main([*argv, "--now", str(NOW)]) == 0
    return capfd.readouterr().out


def compare(text: str, path: Path) -> None:
    text = text.replace(".".join(map(str, sys.version_info[:3])), "PYTHON")
    text = text.replace(__version__, "VERSION")
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
