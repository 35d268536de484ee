"""Builds hosts to look at: utmp files of every layout, logind's session files, /proc trees.

Written from the formats' documentation by byte offset, apart from the decoder's structs.
"""

from __future__ import annotations

import ipaddress
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from textfile_users.auth import log_choice
from textfile_users.cli import main
from textfile_users.deadline import paced
from textfile_users.history import collect_history as history

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

BOOT = 1_765_000_000  # when the hosts booted
NOW = BOOT + 100_000.5  # when they are looked at
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
alice:x:1000:100:Alice Example,room 1,,:/home/alice:/bin/sh
bob:x:1001:100:Bob Example:/home/bob:/bin/sh
"""
TICKS = os.sysconf("SC_CLK_TCK")
# Names of processes as stat(5) has them, between parentheses, and how they are shown.
COMMS = {
    b"bash": "bash",
    b"Web Content": "Web Content",
    b"a) S 1 (b": "a) S 1 (b",  # which imitates the fields
    b"((sd-pam))": "((sd-pam))",
    b"a\nb": "a\nb",
    b"": "",
    b"\xff": "\\xff",  # not UTF-8
}
# What a host is installed with, below share/textfile-users.
SHIPPED = (
    "cron/textfile-users",
    "cron/textfile-users.crontab",
    "systemd-timer/ptrace.conf",
    "systemd-timer/textfile-users.path",
    "systemd-timer/textfile-users.service",
    "systemd-timer/textfile-users.sysusers",
    "systemd-timer/textfile-users.timer",
)


@contextmanager
def hurried(*, is_hurried: bool = True) -> Iterator[None]:
    """Have each log and file of records read for one step, a block, and no further."""

    def of_one_step(steps: Any, deadline: float, reached: Any) -> Any:
        return paced(steps, 0.0 if is_hurried else deadline, reached)

    with (
        mock.patch.object(log_choice, "paced", of_one_step),
        mock.patch.object(history, "paced", of_one_step),
    ):
        yield


class Record(NamedTuple):
    """One record of a utmp file; by default an SSH login."""

    user: str = "alice"
    line: str = "pts/0"
    pid: int = 1000
    time: float = BOOT + 5_000
    host: str = ""
    ip: str = ""
    type: int = 7
    id: str = "ts/0"
    session: int = 0


def pack(record: Record, size: int = 384, order: str = "little") -> bytes:
    """Return the record's bytes: `size` 384 or 400, byte `order` little or big."""
    wide = 8 if size == 400 else 4
    data = bytearray(size)

    def number(offset: int, length: int, value: int) -> None:
        data[offset : offset + length] = value.to_bytes(length, order, signed=value < 0)  # type: ignore[arg-type]

    def text(offset: int, length: int, value: str) -> None:
        encoded = value.encode("utf-8", "surrogateescape")[:length]
        data[offset : offset + len(encoded)] = encoded

    number(0, 2, record.type)
    number(4, 4, record.pid)
    text(8, 32, record.line)
    text(40, 4, record.id)
    text(44, 32, record.user)
    text(76, 256, record.host)
    number(336, wide, record.session)
    seconds = int(record.time)
    base = 336 + wide
    number(base, wide, seconds)
    number(base + wide, wide, round((record.time - seconds) * 1e6))
    address = ipaddress.ip_address(record.ip).packed if record.ip else b""
    data[base + 2 * wide : base + 2 * wide + len(address)] = address
    return bytes(data)


def pack_all(records: list[Record], size: int = 384, order: str = "little") -> bytes:
    """Return a whole file's bytes."""
    return b"".join(pack(record, size, order) for record in records)


class Host:
    """A file system below `root` that a scan takes for a host."""

    def __init__(self, root: str) -> None:
        """Make the host's directories; it has a /proc and no source of sessions."""
        self.root = str(root)
        self.write("proc/stat", f"cpu  1 2 3\nbtime {BOOT}\n")
        self.write("etc/passwd", PASSWD)
        self.write("etc/group", "root:x:0:\nusers:x:100:\n")
        self.process(1, "systemd", parent=0)

    def path(self, name: str) -> str:
        """Return where a file of the host lies."""
        return os.path.join(self.root, name)

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file of the host and return its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        with open(path, "wb") as file:
            file.write(data)
        return path

    def utmp(self, *records: Record, size: int = 384, order: str = "little") -> str:
        """Write the host's utmp."""
        return self.write("run/utmp", pack_all(list(records), size, order))

    def process(
        self,
        pid: int,
        comm: str,
        parent: int = 1,
        start: float = BOOT + 5_000,
        title: str = "",
        cgroup: str = "",
        children: tuple[int, ...] = (),
        uid: int = 0,
    ) -> None:
        """Add a process to /proc: it has used 11 clock ticks, and 200 pages are resident."""
        ticks = int((start - BOOT) * TICKS)
        fields = f"S {parent} {pid} {pid} 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {ticks} 1000 200"
        self.write(f"proc/{pid}/stat", f"{pid} ({comm}) {fields}\n")
        self.write(f"proc/{pid}/statm", "1000 200 100 1 0 10 0\n")
        self.write(f"proc/{pid}/status", f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        self.write(f"proc/{pid}/cmdline", title.encode() + b"\0\0\0" if title else b"")
        self.write(f"proc/{pid}/cgroup", f"0::{cgroup or '/init.scope'}\n")
        words = "".join(f"{child} " for child in children)
        self.write(f"proc/{pid}/task/{pid}/children", words)

    def logind(self, ident: str, **keys: object) -> None:
        """Write a session file of logind: by default an SSH session of alice's."""
        values = {
            "UID": 1000,
            "USER": "alice",
            "ACTIVE": 1,
            "IS_DISPLAY": 0,
            "STATE": "active",
            "REMOTE": 1,
            "TYPE": "tty",
            "ORIGINAL_TYPE": "tty",
            "CLASS": "user",
            "SCOPE": f"session-{ident}.scope",
            "FIFO": f"/run/systemd/sessions/{ident}.ref",
            "SERVICE": "sshd",
            "POSITION": 0,
            "LEADER": 1000,
            "AUDIT": 5,
            "REALTIME": (BOOT + 5_000) * 1_000_000,
            "MONOTONIC": 5_000_000_000,
            **keys,
        }
        lines = "".join(f"{key}={value}\n" for key, value in values.items() if value is not None)
        self.write(
            f"run/systemd/sessions/{ident}",
            "# This is private data. Do not parse.\n" + lines,
        )

    def no_sessions(self) -> None:
        """Give the host a logind that holds no session."""
        os.makedirs(self.path("run/systemd/sessions"), exist_ok=True)

    def ssh_connection(
        self,
        leader: int,
        user: str,
        tty: str,
        program: str = "sshd",
        uid: int = 1000,
        cgroup: str = "",
    ) -> None:
        """Add the processes of an SSH connection: leader, the user's sshd, and a shell."""
        title = f"{program}: {user} [priv]"
        self.process(leader, program, title=title, children=(leader + 1,), cgroup=cgroup)
        self.process(
            leader + 1,
            program,
            leader,
            title=f"{program}: {user}@{tty}",
            children=(leader + 2,),
            uid=uid,
            cgroup=cgroup,
        )
        self.process(leader + 2, "bash", leader + 1, title="-bash", uid=uid, cgroup=cgroup)


def busy_host(root: str, count: int, utmp: bool = True, logind: bool = True) -> Host:
    """Make a host with `count` SSH sessions of ten users each, seen by the sources named."""
    host = Host(root)
    host.no_sessions()
    records = []
    for index in range(count):
        user = f"user{index // 10}"
        leader = 1000 + 3 * index
        ip = f"192.0.2.{index % 250 + 1}"
        scope = f"/user.slice/user-1000.slice/session-{index + 1}.scope" if logind else ""
        host.ssh_connection(leader, user, f"pts/{index}", "sshd-session", cgroup=scope)
        records.append(Record(user, f"pts/{index}", leader, host=ip, ip=ip))
        if logind:
            host.logind(str(index + 1), USER=user, LEADER=leader, REMOTE_HOST=ip)
    if utmp:
        host.utmp(*records)
    return host


class Run:
    """Runs the program on a host below `directory`, and reads what it wrote."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Make the host; logind holds no session."""
        self.host = Host(str(directory / "host"))
        self.host.no_sessions()
        self.output = directory / "users.prom"
        self.state = directory / "state"
        self.capsys = capsys

    def __call__(self, *extra: str, at: float = 0.0) -> tuple[int, str]:
        """Return the exit status and the messages of a run at NOW + `at`."""
        argv = ["--root", self.host.root, "--now", str(NOW + at), "--output", str(self.output)]
        argv += ["--state-directory", str(self.state), "--runtime-directory", str(self.state)]
        argv += [] if "--timeout" in extra else ["--timeout", "60"]
        self.capsys.readouterr()
        status = main([*argv, *extra])
        return status, self.capsys.readouterr().err

    def counts(self, *extra: str, at: float = 0.0) -> dict[str, float]:
        """Run without a message, and return the samples that are not 0."""
        assert self(*extra, at=at) == (0, "")
        return {name: value for name, value in self.samples().items() if value}

    def samples(self) -> dict[str, float]:
        """Return all samples of the file."""
        lines = self.output.read_text().split("\n")
        pairs = [text.rpartition(" ") for text in lines if text and not text.startswith("#")]
        return {name: float(value) for name, _, value in pairs}
