"""A host with every kind of source, on which something has happened since the last scan."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests import test_lastlog, test_wtmpdb
from tests.hosts import BOOT, NOW, Host, Record, busy_host, pack_all
from tests.test_connections import LISTENER_TITLE
from tests.test_model import KINDS
from tests.test_sockets import line, listening, write_tables
from textfile_users.cli import main

PROJECT = Path(__file__).parents[2]
PASSWD = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nuser0:x:1001:1001::/:/bin/sh\n"
IP = "192.0.2.7"
# What an event or a record adds to. The rest tells of the scan itself.
COUNTERS = (
    "users_auth_successes_total",
    "users_auth_failures_total",
    "users_auth_failures_last_hour",
    "users_auth_probes_total",
    "users_auth_log_lines_total",
    "users_escalations_total",
    "users_escalation_failures_total",
    "users_logins_total",
    "users_session_duration_seconds",
    "users_reboots_total",
)


class World:
    """A host, its program's state and output: before a scan, and as often as wanted again."""

    def __init__(self, directory: Path) -> None:
        """Make the host, look at it twice, and let things happen that no scan has seen yet."""
        self.directory = directory
        self.host = make_host(str(directory / "host"))
        self.work = directory / "work"
        self.output = self.work / "out" / "users.prom"
        self.output.parent.mkdir(parents=True)
        for at in (-20, -10):
            happen(self.host, at - 2)
            assert main(self.arguments(at)) == 0
        happen(self.host, -3)
        self.kept = directory / "kept"
        shutil.copytree(self.work, self.kept)
        self.old = self.output.read_bytes()

    def arguments(self, at: float) -> list[str]:
        """Return the command line of a look at NOW + ``at``."""
        work = str(self.work)
        return [
            *("--root", self.host.root, "--now", str(NOW + at), "--timeout", "60"),
            *("--state-directory", work + "/state", "--runtime-directory", work + "/run"),
            *("--output", str(self.output)),
        ]

    def command(self, at: float, *python: str) -> list[str]:
        """Return the command of a process that scans."""
        return [sys.executable, *python, *self.arguments(at)]

    def restore(self) -> None:
        """Put back what the program keeps, as it was before the scan."""
        shutil.rmtree(self.work)
        shutil.copytree(self.kept, self.work)

    def temporary(self) -> list[str]:
        """Return the temporary files that lie about."""
        return [
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.work)
            for name in names
            if name.endswith(".tmp")
        ]


def make_host(root: str) -> Host:
    """Return a host with every source that needs no other program."""
    host = busy_host(root, 3)
    host.write("etc/passwd", PASSWD)
    host.process(1, "systemd", 0, BOOT, "/sbin/init", children=(500, 1000, 1003, 1006))
    host.process(500, "sshd", 1, BOOT + 9, LISTENER_TITLE.decode().rstrip("\0"))
    connected = line(remote=(IP, 50_000))
    write_tables(host, [listening("0.0.0.0", 22), connected], [])
    host.write("var/log/auth.log", "")
    host.write("var/log/auth.log.1", "2025-12-06T00:00:00+00:00 host sshd[9]: Server listening\n")
    for name in ("wtmp", "btmp"):
        host.write(
            "var/log/" + name, pack_all([Record(line="~", type=2, user="reboot", time=BOOT)])
        )
    host.write("var/log/lastlog", bytes(292 * 1001))
    os.makedirs(host.path("var/lib/lastlog"))
    os.makedirs(host.path("var/lib/wtmpdb"))
    test_lastlog.Lastlog2(Path(host.path("var/lib/lastlog/lastlog2.db"))).login("alice", BOOT + 60)
    test_wtmpdb.Wtmpdb(Path(host.path("var/lib/wtmpdb/wtmp.db"))).boot()
    _settle(host, -60)
    return host


def happen(host: Host, at: float) -> None:
    """Let one of each kind of event be logged and recorded at NOW + ``at``."""
    from time import gmtime, strftime

    stamp = strftime("%Y-%m-%dT%H:%M:%S+00:00", gmtime(NOW + at))
    pid = 20_000 + int(at) * 100
    logged_in = 0
    with open(host.path("var/log/auth.log"), "a") as log:
        for kind, (lines, _) in KINDS.items():
            pid += 1
            logged_in = pid if kind == "success" else logged_in
            for text in lines:
                log.write(f"{stamp} host {text.format(pid, pid)}\n")
        # Its end decides, and is still to come.
        log.write(f"{stamp} host sshd[{pid + 1}]: Invalid user x from 192.0.2.99 port 1\n")
    second = int(NOW + at)  # as the log has it
    records = [
        Record("alice", "pts/80", logged_in, second, IP, IP),  # the log tells of it
        Record("", "pts/80", logged_in, second + 1, type=8),
        Record("user0", "pts/90", pid + 2, second, IP, IP),
        Record("", "pts/90", pid + 2, second + 1, type=8),
    ]
    with open(host.path("var/log/wtmp"), "ab") as wtmp:
        wtmp.write(pack_all(records))
    database = test_wtmpdb.Wtmpdb(Path(host.path("var/lib/wtmpdb/wtmp.db")))
    ident = database.login("alice", NOW - BOOT + at, f"tty{-int(at)}", None, "login")
    database.logout(ident, NOW - BOOT + at + 1)
    _settle(host, at)


def _settle(host: Host, at: float) -> None:
    """Let the databases have been changed then: just now would be read again and again."""
    for name in ("wtmpdb/wtmp.db", "lastlog/lastlog2.db"):
        os.utime(host.path("var/lib/" + name), (NOW + at, NOW + at))


def samples(data: bytes) -> dict[str, float]:
    """Return the samples of a file that is whole: prometheus_client's parser takes it."""
    text = data.decode()
    assert text.endswith("\n")
    return {
        f"{name}{sorted(labels.items())}": value
        for family in text_string_to_metric_families(text)
        for name, labels, value, *_ in family.samples
    }


def families(data: bytes) -> set[str]:
    """Return the names of a file's families."""
    return {text.split()[2] for text in data.decode().splitlines() if text.startswith("# TYPE ")}


def counted(data: bytes) -> dict[str, float]:
    """Return what is counted of events and records, without zeros."""
    return {
        name: value for name, value in samples(data).items() if name.startswith(COUNTERS) and value
    }
