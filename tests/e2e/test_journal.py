"""A real journal, made by systemd-journal-remote and by journald, read by the real journalctl."""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.e2e.debian import programs, unpacked
from tests.e2e.parts import PASSWORD, SUDOERS, Box
from tests.hosts import Host
from textfile_users.accounts.account import accounts
from textfile_users.auth import collect_auth as auth
from textfile_users.auth import journalctl as source
from textfile_users.auth import log_choice, log_reading
from textfile_users.auth.journal import advance, entries
from textfile_users.auth.journal_entry import JournalEntry, JournalGap
from textfile_users.auth.journal_files import JournalPosition, ends, journal_state
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import UNTRUSTED, Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.cli import main
from textfile_users.collecting import DENIED, OK
from textfile_users.paths import Paths
from textfile_users.reading.localtime import utc_time

pytestmark = pytest.mark.e2e

REMOTE = "/lib/systemd/systemd-journal-remote"
MACHINE = "0123456789abcdef0123456789abcdef"
BOOTS = ("a" * 32, "b" * 32)
START = 1_765_000_000
BEGINNING = JournalPosition("", 0.0)
PROGRAMS = ("sshd", "sshd-session", "sudo", "su")


def exported(second: int, boot: str = BOOTS[0], **changed: bytes) -> bytes:
    """Return an entry in the export format: by default sshd's, `second` after the start."""
    fields = {
        "__REALTIME_TIMESTAMP": b"%d" % ((START + second) * 10**6),
        "__MONOTONIC_TIMESTAMP": b"%d" % (second * 10**6),
        "_BOOT_ID": boot.encode(),
        "_UID": b"0",
        "_PID": b"100",
        "SYSLOG_IDENTIFIER": b"sshd-session",
        "MESSAGE": b"message %d" % second,
        **changed,
    }
    # The form for any bytes; that for text is for text alone.
    return (
        b"".join(
            b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value)
            if name == "MESSAGE"
            else b"%s=%s\n" % (name.encode(), value)
            for name, value in fields.items()
        )
        + b"\n"
    )


class Journal:
    """A host's journal, and where a reader of it is."""

    def __init__(self, root: str) -> None:
        self.host = Host(root)
        self.host.write("etc/machine-id", MACHINE + "\n")
        self.paths = Paths(root)
        self.position = BEGINNING

    def path(self, name: str = "system", machine: str = MACHINE) -> str:
        """Return the path of a file of the journal."""
        return self.host.path(f"var/log/journal/{machine}/{name}.journal")

    def write(self, *data: bytes, name: str = "system", machine: str = MACHINE) -> None:
        """Append entries to a file of the journal."""
        path = self.path(name, machine)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        done = subprocess.run(
            [REMOTE, "--output", path, "-"], input=b"".join(data), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def read(self, count: int = 1000) -> list[JournalEntry | JournalGap]:
        """Go on reading, `count` at most."""
        found = entries(self.paths, self.position, PROGRAMS, time.monotonic() + 60)
        read = list(islice(found, count))
        found.close()
        for item in read:
            self.position = advance(self.position, item)
        return read

    def messages(self, count: int = 1000) -> list[str]:
        """Go on reading; return messages, and gaps' reasons in angles."""
        return [
            item.message.decode() if isinstance(item, JournalEntry) else f"<{item.reason}>"
            for item in self.read(count)
        ]


@pytest.fixture(params=["own", "trixie", "sid"])
def journal(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Journal:
    """A host without any entry yet, and this machine's journalctl or that of another release."""
    if request.param != "own":
        monkeypatch.setenv("PATH", f"{programs(request.param)}:{os.environ['PATH']}")
    return Journal(str(tmp_path / "host"))


# The sets of options that journalctl is run with, and when.
ALWAYS = ["--no-pager", "--quiet", "--directory"]
ASKED = ["SYSLOG_IDENTIFIER", "+", "SYSLOG_FACILITY", "_UID"]
JSON = [*ALWAYS, "--output", "--output-fields"]
ENTRIES = [*JSON, *ASKED]
PLAIN = [*ALWAYS, "--output", *ASKED]
OPTION_SETS = {
    "the boots": ([*ALWAYS, "--field"], True),
    "all, where no boot is known": (ENTRIES, True),
    "all that a boot has": ([*ENTRIES, "_BOOT_ID"], True),
    "behind an entry": ([*ENTRIES, "--cursor", "_BOOT_ID"], True),
    "behind a time": ([*ENTRIES, "--since", "_BOOT_ID"], True),
    "a long message": ([*JSON, "--all", "--cursor"], True),
    "where the boots are not told": ([*ENTRIES, "--since"], False),
    "where --output-fields is refused": ([*PLAIN, "--cursor", "_BOOT_ID"], False),
    "there behind a time": ([*PLAIN, "--since", "_BOOT_ID"], False),
    "there a long message": ([*ALWAYS, "--output", "--all", "--cursor"], False),
}


@pytest.mark.parametrize(
    "options", [options for options, _ in OPTION_SETS.values()], ids=OPTION_SETS
)
def test_every_journalctl_takes_the_options_together(journal: Journal, options: list[str]) -> None:
    """Alone, without the program: it would make do with fewer."""
    journal.write(exported(1), exported(2))
    second = journal.read()[1]
    values = {
        "--output": "json",
        "--output-fields": "MESSAGE",
        "SYSLOG_IDENTIFIER": "sshd-session",
        "SYSLOG_FACILITY": "10",
        "_UID": "0",
        "--directory": os.path.dirname(journal.path()),
        "--field": "_BOOT_ID",
        "--cursor": second.cursor,
        "--since": f"@{START + 2}",
        "_BOOT_ID": BOOTS[0],
    }
    argv = [f"{name}={values[name]}" if name in values else name for name in options]
    done = subprocess.run(["journalctl", *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = 2 if {"--cursor", "--since", "--field"}.isdisjoint(options) else 1
    assert len(done.stdout.splitlines()) == lines


def test_the_options_in_the_table_are_what_is_used(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none of them is refused: then others would be."""
    used = set()

    def spy(argv: list[str]) -> tuple[int, int, int]:
        used.add(tuple(sorted({word.partition("=")[0] for word in argv[1:]})))
        return spawn(argv)

    spawn = source._spawn
    monkeypatch.setattr(source, "_spawn", spy)
    journal.write(exported(1), exported(2, MESSAGE=b"x" * 5000))
    assert len(journal.messages()) == 2
    journal.host.write("proc/sys/kernel/random/boot_id", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb\n")
    journal.write(exported(3, "c" * 32), exported(4, BOOTS[1]))
    assert journal.messages() == ["message 3", "message 4"]
    journal.position = JournalPosition("", START + 3.5)
    assert journal.messages() == ["message 4"]
    assert used == {
        tuple(sorted(options)) for options, is_usual in OPTION_SETS.values() if is_usual
    }


def test_entries_are_what_was_logged_and_believed_by_uid_and_file(journal: Journal) -> None:
    journal.write(
        exported(1),
        exported(2, _UID=b"1000", SYSLOG_IDENTIFIER=b"sudo", _EXE=b"/usr/bin/sudo"),
        exported(3, _UID=b"1000", SYSLOG_IDENTIFIER=b"sshd", _EXE=b"/usr/bin/logger"),
        exported(4, SYSLOG_IDENTIFIER=b"cron"),
        exported(5, MESSAGE=b"J\xfcrgen\0 \x1b[0m"),
        exported(6, MESSAGE=b"two\nlines"),
        exported(7, MESSAGE=b""),
        exported(8, SYSLOG_IDENTIFIER=b"newdm", SYSLOG_FACILITY=b"10", _EXE=b"/usr/sbin/newdm"),
        exported(9, SYSLOG_IDENTIFIER=b"(id)", SYSLOG_FACILITY=b"10", _EXE=b"/usr/bin/logger"),
        exported(10, SYSLOG_IDENTIFIER=b"newdm", SYSLOG_FACILITY=b"10", _UID=b"1000"),
        exported(11, SYSLOG_IDENTIFIER=b"newdm", SYSLOG_FACILITY=b"9"),
    )
    found = journal.read()
    assert all(isinstance(item, JournalEntry) for item in found)
    assert [item[1:6] for item in found] == [
        (START + 1.0, "sshd-session", 100, b"message 1", True),
        (START + 2.0, "sudo", 100, b"message 2", True),
        (START + 3.0, "sshd", 100, b"message 3", False),
        (START + 5.0, "sshd-session", 100, b"J\xfcrgen\0 \x1b[0m", True),
        (START + 6.0, "sshd-session", 100, b"two\nlines", True),
        (START + 7.0, "sshd-session", 100, b"", True),
        (START + 8.0, "newdm", 100, b"message 8", True),
        (START + 9.0, "(id)", 100, b"message 9", False),
    ]


def test_long_messages(journal: Journal) -> None:
    """journalctl shows 4 KiB of its own; a trusted program may have 64."""
    journal.write(
        exported(1, MESSAGE=b"x" * 4000),
        exported(2, MESSAGE=b"x" * 65536),
        exported(3, MESSAGE=b"\xff" * 65536),
        exported(4, MESSAGE=b"x" * 65537),
        exported(5, MESSAGE=b"x" * 5000, _UID=b"1000"),
        exported(6, MESSAGE=b"\xff" * (3 << 20)),
        exported(7),
    )
    found = journal.read()
    told = [one.reason if isinstance(one, JournalGap) else len(one.message) for one in found]
    assert told == [
        4000, 65536, 65536, "too-long", "too-long", "too-long", 9,
    ]  # fmt: skip
    assert journal.read() == [], "what was skipped is not skipped again"


def test_a_line_of_many_megabytes_is_skipped(journal: Journal) -> None:
    """A field given a thousand times, each in 16 KiB of JSON."""
    many = b"".join(b"MESSAGE\n%s%s\n" % (struct.pack("<Q", 4000), b"%04d" % n + b"\xff" * 3996)
                    for n in range(500))  # fmt: skip
    journal.write(exported(1), exported(2)[:-1] + many + b"\n")
    assert journal.messages() == ["message 1", "<too-long>"]
    assert journal.messages() == []
    journal.write(exported(3))
    assert journal.messages() == ["message 3"]


def test_each_entry_is_read_once_however_often_reading_stops(journal: Journal) -> None:
    expected = []
    found = []
    for batch in range(6):
        seconds = range(10 * batch + 1, 10 * batch + 8)
        journal.write(*(exported(second) for second in seconds))
        expected += [f"message {second}" for second in seconds]
        found += journal.messages(3) + journal.messages(2 * batch)
    while more := journal.messages(5):
        found += more
    assert found == expected


def test_the_signature_tells_whether_something_was_written(journal: Journal) -> None:
    journal.write(exported(1))
    before = journal_state(journal.paths)
    journal.messages()
    assert (before[0], journal_state(journal.paths)) == (OK, before), "reading is no writing"
    journal.write(exported(2))
    assert journal_state(journal.paths)[1] != before[1]


def test_users_own_files_are_read_too_but_no_other_machines(journal: Journal) -> None:
    journal.write(exported(1), exported(3))
    journal.write(exported(2), name="user-1000")
    journal.write(exported(9), machine="f" * 32)
    assert journal.messages() == ["message 1", "message 2", "message 3"]
    journal.write(exported(5), name="user-1000")
    journal.write(exported(4))
    assert journal.messages() == ["message 4", "message 5"]


@pytest.mark.parametrize("count", [2, 3])
def test_a_position_vacuumed_away_is_a_gap_and_nothing_more_is_lost(
    journal: Journal, count: int
) -> None:
    journal.write(*(exported(second) for second in (1, 2, 3)), name="system@old")
    journal.write(exported(11), exported(12))
    assert len(journal.messages(count)) == count
    os.unlink(journal.path("system@old"))
    assert journal.messages() == ["<gap>", "message 11", "message 12"]
    assert journal.messages() == []


def test_a_position_vacuumed_away_with_nothing_behind_it(journal: Journal) -> None:
    journal.write(exported(1), name="system@old")
    journal.write(exported(2, SYSLOG_IDENTIFIER=b"cron"))
    assert journal.messages() == ["message 1"]
    os.unlink(journal.path("system@old"))
    assert (journal.messages(), journal.messages()) == ([], [])
    journal.write(exported(3))
    assert journal.messages() == ["<gap>", "message 3"]
    assert journal.messages() == []


def test_a_malformed_cursor_is_a_gap_and_time_decides(journal: Journal) -> None:
    journal.write(exported(1), exported(2), exported(3))
    assert len(journal.messages(2)) == 2
    journal.position = journal.position._replace(cursor="nonsense")
    assert journal.messages() == ["<gap>", "message 3"]


def test_a_boot_whose_clock_was_behind_hides_nothing(journal: Journal) -> None:
    """A small machine without a clock of its own, before it has asked for the time."""
    boot_id = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb\n"
    journal.write(exported(50), exported(60), name="system@old")
    assert journal.messages() == ["message 50", "message 60"]
    journal.write(exported(70), name="system@old")
    journal.host.write("proc/sys/kernel/random/boot_id", boot_id)
    journal.write(*(exported(second, BOOTS[1]) for second in (55, 56, 90)))
    assert journal.messages(2) == ["message 70", "message 55"]
    assert journal.messages() == ["message 56", "message 90"]
    journal.write(exported(91, BOOTS[1]))
    assert journal.messages() == ["message 91"]


def test_who_may_not_read_it_is_denied(journal: Journal, tmp_path: Path) -> None:
    journal.write(exported(1))
    for part in (tmp_path, *list(tmp_path.parents)[:2]):
        part.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os._exit(0 if journal_state(journal.paths) == (DENIED, "") else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


CONFIG = """[Journal]
Audit=no
ReadKMsg=no
RateLimitIntervalSec=0
ForwardToSyslog=yes
"""
JOURNALD = """set -e
mkdir -p /run/systemd/journal
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sfn /run/systemd/journal/dev-log /dev/log
echo $$ >/run/journald.pid
exec /lib/systemd/systemd-journald
"""


@pytest.fixture
def journald(box: Box) -> Iterator[Box]:
    """The box with a journald that keeps its files in /run, as without /var/log/journal."""
    (box.root / "etc/machine-id").write_text(MACHINE + "\n")
    config = box.root / "etc/systemd/journald.conf.d"
    config.mkdir(parents=True, exist_ok=True)
    (config / "test.conf").write_text(CONFIG)
    with subprocess.Popen(box.argv("sh", "-c", JOURNALD), stderr=subprocess.PIPE) as process:
        try:
            while not (box.root / "run/systemd/journal/io.systemd.journal").exists():
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
            yield box
        finally:
            box.run("sh", "-c", "kill $(cat /run/journald.pid)", check=False)
    box.run("rm", "-rf", "/dev/log", "/run/systemd/journal", "/run/log", "/var/log/journal")


def read_on(box: Box, position: JournalPosition) -> tuple[list[JournalEntry], JournalPosition]:
    """Return what has come since; nothing of it is a gap."""
    box.run("journalctl", "--sync")
    found = []
    for item in entries(Paths(str(box.root)), position, PROGRAMS, time.monotonic() + 60):
        assert isinstance(item, JournalEntry)
        found.append(item)
        position = advance(position, item)
    return found, position


def log(box: Box, message: str, user: str = "root") -> None:
    """Log as sshd."""
    if user == "root":
        box.run("logger", "-t", "sshd", message)
    else:
        assert box.run_as(user, "logger", "-t", "sshd", message) == 0


def test_a_display_manager_that_no_table_knows_is_believed(journald: Box) -> None:
    """Its own file, run by root, whose tag is its name; here a copy of logger(1)."""
    journald.run("cp", "/usr/bin/logger", "/usr/bin/newdm")
    journald.run(
        "sh", "-c", f"(echo {shlex.quote(REFUSED)}; sleep 1) | newdm -p authpriv.notice -t newdm"
    )
    journald.run("rm", "/usr/bin/newdm")
    assert told(journald) == (["failure other tu-bob"], 0)


def test_who_is_believed_of_what_journald_saw(journald: Box) -> None:
    """The kernel's and journald's word for it, of real programs.

    They live on for a while, since of one that ended at once journald cannot see the file; in
    the box a refusal comes without the delay that it has elsewhere.
    """
    (journald.root / "etc/sudoers").write_text(SUDOERS)
    log(journald, "Accepted password for root from 192.0.2.7 port 22 ssh2", user="tu-bob")
    logged = "(echo Server listening on 192.0.2.1 port 22.; sleep 1) | logger -t sshd"
    journald.run("sh", "-c", logged)
    port = journald.sshd()
    assert journald.run_as("tu-bob", "su", "-c", "sleep 1", "tu-alice", password=PASSWORD) == 0
    assert journald.run_as("tu-alice", "sudo", "sleep", "1") == 0
    found, _ = read_on(journald, BEGINNING)
    said = {(entry.program, entry.message, entry.trusted) for entry in found}
    assert (
        "sshd", b"Accepted password for root from 192.0.2.7 port 22 ssh2", False
    ) in said  # fmt: skip
    assert ("sshd", b"Server listening on 192.0.2.1 port 22.", False) in said, "root's logger"
    assert ("sshd", b"Server listening on 127.0.0.1 port %d." % port, True) in said
    su = {(message, trusted) for program, message, trusted in said if program == "su"}
    assert any(
        message.startswith(b"(to tu-alice) tu-bob on ") and trusted for message, trusted in su
    )
    sudo = {(message, trusted) for program, message, trusted in said if program == "sudo"}
    assert any(b"COMMAND=/usr/bin/sleep 1" in message and trusted for message, trusted in sudo)


DOAS = """permit nopass tu-alice
permit nopass keepenv tu-bob as tu-alice
"""
ACCEPTED = "Accepted password for root from 198.51.100.66 port 22 ssh2"
REFUSED = (
    "pam_unix(newdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost="
    "  user=tu-bob"
)
GRANTED = "tu-alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
# Runs a program whose output and errors are datagrams to a socket.
DATAGRAMS = """
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect(sys.argv[1])
os.dup2(log.fileno(), 1)
os.dup2(log.fileno(), 2)
os.execvp(sys.argv[2], sys.argv[2:])
"""
# Long enough for sudo to go on in a second line.
DEEP = "/tmp/m" + ("/" + "d" * 200) * 5


@pytest.fixture
def escalating(journald: Box, tmp_path: Path) -> Iterator[Box]:
    """The box with a journald, where tu-alice may become all and tu-bob may become tu-alice."""
    doas = unpacked("opendoas", tmp_path)
    (journald.root / "etc/sudoers").write_text(
        SUDOERS + "tu-bob ALL=(root) NOPASSWD: /usr/bin/cat\n"
    )
    (journald.root / "etc/doas.conf").write_text(DOAS)
    shutil.copy(doas / "etc/pam.d/doas", journald.root / "etc/pam.d/doas")
    shutil.copy(doas / "usr/bin/doas", journald.root / "usr/local/bin/doas")
    journald.run("chmod", "4755", "/usr/local/bin/doas")
    journald.run("chmod", "600", "/etc/doas.conf")
    (journald.directory / "datagrams.py").write_text(DATAGRAMS)
    yield journald
    journald.run("sh", "-c", "rm -rf /tmp/m /usr/local/bin/doas /etc/doas.conf /etc/pam.d/doas")


def told(box: Box) -> tuple[list[str], int]:
    """Return what the box's log says, with its accounts, and how many lines nobody believes."""
    box.run("journalctl", "--sync")
    paths = Paths(str(box.root))
    reader = Reader(Pairing(), Stamps(0.0, utc_time), lambda: accounts(paths))
    events = []
    for entry in entries(paths, BEGINNING, (*PROGRAMS, "doas", "polkitd"), time.monotonic() + 60):
        assert isinstance(entry, JournalEntry)
        events += reader.read_entry(entry)
    events += reader.pairing.finish()
    said = [event.said for event in events]
    words = [(one.event, one.service, one.user, one.target) for one in said]
    return sorted(" ".join(filter(None, one)) for one in words), reader.lines[UNTRUSTED]


def sh(*words: str) -> tuple[str, ...]:
    return "sh", "-c", "; ".join(words)


def cat(name: str, *command: str) -> tuple[str, ...]:
    return "systemd-cat", "-t", name, *command


def datagrams(box: Box, socket: str, *command: str) -> tuple[str, ...]:
    return "/usr/bin/python3", str(box.directory / "datagrams.py"), socket, *command


IN_NAME = "x\n{}\ny"


def test_nobody_forges_a_login_by_what_roots_programs_write(escalating: Box) -> None:
    """sudo complains with root's uid, into whatever the user has for stderr; cat(1) writes, too."""
    box = escalating
    name = IN_NAME.format(ACCEPTED)
    native = f"a=b\nSYSLOG_IDENTIFIER=sshd\nMESSAGE={ACCEPTED}\nz"
    box.run_as("tu-alice", *cat("sshd", "sudo", "-h", name, "id"))
    box.run_as("tu-alice", *datagrams(box, "/dev/log", "sudo", "-h", name, "id"))
    socket = "/run/systemd/journal/socket"
    box.run_as("tu-alice", *datagrams(box, socket, "sudo", "-h", native, "id"))
    box.run_as("tu-bob", *cat("sshd", "sh", "-c", f"echo {ACCEPTED} | sudo cat"))
    for command in ("logger", "sudo logger", "exec -a newdm sudo logger"):
        words = f"{command} -p authpriv.info -t newdm {shlex.quote(REFUSED)}"
        box.run_as("tu-alice", "bash", "-c", words)
    events, untrusted = told(box)
    assert [event for event in events if "success" in event or "other" in event] == []
    assert untrusted > 4


@pytest.mark.parametrize("flood", ["", "seq 4000 | logger -t flood & "])
def test_nobody_forges_by_a_complaint_of_sudos_that_begins_as_they_like(
    escalating: Box, flood: str
) -> None:
    """It has root's uid, and in a flood journald does not see any more that sudo wrote it."""
    box = escalating
    verdict = (
        "Operator of x successfully authenticated as unix-user:root to gain x authorization for"
        " action x for x (owned by unix-user:tu-bob)"
    )
    native = f"a=b\nSYSLOG_IDENTIFIER=polkitd\nMESSAGE={verdict}\nz"
    command = datagrams(box, "/run/systemd/journal/socket", "sudo", "-h", native, "id")
    for _ in range(3):
        box.run_as("tu-carol", *sh(flood + shlex.join(command)))
    names = (
        "sudo: tu-bob : TTY=tty1 ; PWD=x ; USER=root ; COMMAND=x",
        "sshd[1]: Accepted publickey for root from 198.51.100.66 port 22 ssh2",
    )
    edit = ("sudo", "-u", "tu-bob", "-e", "x", *names)
    command = datagrams(box, "/dev/log", *edit)
    write = "mkdir -p /tmp/m; cd /tmp/m; export SUDO_EDITOR=true; "
    for _ in range(3):
        box.run_as("tu-alice", *sh(write + flood + shlex.join(command)))
    events, untrusted = told(box)
    # Names of files leave open who tu-alice became: sudoedit opens no session.
    assert set(events) == {"escalation sudo tu-alice"}
    assert untrusted >= 3


@pytest.mark.parametrize("log", ["systemd-cat", "/dev/log", "/run/systemd/journal/socket"])
def test_nobody_forges_anothers_escalation_by_a_prompt(escalating: Box, log: str) -> None:
    box = escalating
    prompts = {
        "systemd-cat": f"\n   {GRANTED}\n ",
        "/dev/log": f"<85>sudo:   {GRANTED}",
        "/run/systemd/journal/socket": f"a=b\nSYSLOG_IDENTIFIER=sudo\nMESSAGE={GRANTED}\nz",
    }
    sudo = ("sudo", "-S", "-k", "-p", prompts[log], "id")
    command = cat("sudo", *sudo) if log == "systemd-cat" else datagrams(box, log, *sudo)
    box.run_as("tu-carol", *command, password="wrong")
    box.run_as("tu-carol", *cat("su", "su", IN_NAME.format("(to root) tu-alice on pts/0")))
    events, untrusted = told(box)
    assert events == ["escalation-failure sudo tu-carol root"]
    assert untrusted >= 1


def test_no_refusal_is_lost_while_the_log_is_flooded(escalating: Box) -> None:
    """sudo and doas end before journald sees which file they were of."""
    box = escalating
    flood = "seq 3000 | logger -t flood & seq 3000 | logger -t flood & "
    times = 10
    box.run_as("tu-carol", *sh(f"{flood} for n in $(seq {times}); do doas id; sudo -n id; done"))
    box.run_as("tu-alice", *sh(f"{flood} for n in $(seq {times}); do sudo -u tu-bob id; done"))
    events, untrusted = told(box)
    # sudo asks for the password first, and says that it needs one.
    expected = {
        "escalation-failure doas tu-carol": times,
        "escalation sudo tu-alice tu-bob": times,
    }
    found = Counter(event for event in events if "sudo tu-carol" not in event)
    assert found == expected
    assert untrusted == 0


ROOTS = "/tmp/m/x ; USER=root ; COMMAND=/bin/sh"
BOBS = "/tmp/m/x ; USER=tu-bob ; COMMAND=/bin/sh"


@pytest.mark.parametrize(
    ("directory", "command", "expected"),
    [
        (ROOTS, "sudo -u tu-bob sleep 0.2", "escalation sudo tu-alice tu-bob"),
        (BOBS, "sudo sleep 0.2", "escalation sudo tu-alice root"),
        ("/tmp/m/y as root from /z", "doas -u tu-bob sleep 0.2", "escalation doas tu-alice tu-bob"),
        ("/tmp/m/y as tu-bob from /z", "doas sleep 0.2", "escalation doas tu-alice root"),
        (DEEP, "sudo sleep 0.2", "escalation sudo tu-alice root"),
        (ROOTS + "/" + "d" * 250 + DEEP[6:], "sudo -u tu-bob sleep 0.2",
         "escalation sudo tu-alice tu-bob"),
        (BOBS + "/" + "d" * 250 + DEEP[6:], "sudo sleep 0.2", "escalation sudo tu-alice root"),
    ],
)  # fmt: skip
def test_a_directory_neither_forges_nor_hides_whom_an_escalation_is_to(
    escalating: Box, directory: str, command: str, expected: str
) -> None:
    box = escalating
    box.run_as("tu-alice", *sh(f"mkdir -p '{directory}'", f"cd '{directory}'", command))
    assert told(box)[0] == [expected]


@pytest.mark.parametrize(
    "command", ["sudo -n -u tu-bob true", "echo wrong | sudo -kS -u tu-bob id"]
)
def test_a_directory_does_not_hide_a_refusal(escalating: Box, command: str) -> None:
    box = escalating
    box.run_as("tu-bob", *sh(f"mkdir -p {DEEP}", f"cd {DEEP}", command))
    assert told(box)[0] == ["escalation-failure sudo tu-bob tu-bob"]


def test_flushed_rotated_and_vacuumed_each_entry_is_read_once(journald: Box) -> None:
    found: list[JournalEntry] = []
    position = BEGINNING
    changes: tuple[list[str], ...] = (
        [],
        ["mkdir -p /var/log/journal && journalctl --flush"],
        ["journalctl --rotate"],
        ["journalctl --rotate", "journalctl --vacuum-files=1"],
    )
    for number, commands in enumerate(changes):
        log(journald, f"before {number}")
        log(journald, f"before {number}", user="tu-bob")
        new, position = read_on(journald, position)
        found += new
        log(journald, f"unread {number}", user="tu-bob")
        log(journald, f"unread {number}")
        if "--vacuum-files=1" in "".join(commands):
            new, position = read_on(journald, position)
            found += new
            log(journald, f"behind {number}")
        for command in commands:
            journald.run("sh", "-c", command)
    log(journald, "last")
    paths = Paths(str(journald.root))
    journald.run("journalctl", "--sync")
    rest = list(entries(paths, position, PROGRAMS, time.monotonic() + 60))
    assert rest[0] == JournalGap("gap", "", 0.0), "the last position was vacuumed away, and more"
    assert [item.message for item in rest[1:] if isinstance(item, JournalEntry)] == [b"last"]
    expected = [
        f"{word} {number}" for number in range(len(changes)) for word in ("before", "unread") * 2
    ]
    assert sorted(entry.message.decode() for entry in found) == sorted(expected)


def test_vacuums_that_lose_nothing_are_no_gaps(journald: Box) -> None:
    """What was vacuumed away had been read each time, except the last."""
    paths = Paths(str(journald.root))
    position, known = BEGINNING, ""
    found: list[JournalEntry | JournalGap] = []
    for number in range(10):
        log(journald, f"message {number}")
        log(journald, f"message {number}", user="tu-bob")
        if number == 9:
            journald.run("journalctl", "--rotate")
            journald.run("journalctl", "--vacuum-files=1")
            log(journald, "last")
        journald.run("journalctl", "--sync")
        before, known = known, ends(paths)
        for item in entries(paths, position, PROGRAMS, time.monotonic() + 60, known=before):
            found.append(item)
            position = advance(position, item)
        if number < 8:
            journald.run("journalctl", "--rotate")
            journald.run("journalctl", "--vacuum-files=1")
    said = [item.message.decode() if isinstance(item, JournalEntry) else "<gap>" for item in found]
    twice = [text for number in range(9) for text in [f"message {number}"] * 2]
    assert said == [*twice, "<gap>", "last"]


RSYSLOG = """module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/systemd/journal/syslog")
$ActionFileDefaultTemplate {template}
$WorkDirectory /run
auth,authpriv.* /var/log/auth.log
"""


@pytest.mark.parametrize("template", ["RSYSLOG_FileFormat", "RSYSLOG_TraditionalFileFormat"])
def test_a_syslogd_that_comes_and_goes_loses_nothing(
    journald: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, template: str
) -> None:
    """journald passes on what it gets; while rsyslogd is off the journal alone has it."""
    for module in (auth, log_choice, log_reading):
        monkeypatch.setattr(module, "SILENT_SECONDS", 4.0)
    (journald.root / "etc/sudoers").write_text(SUDOERS)
    (journald.root / "etc/rsyslog.conf").write_text(RSYSLOG.format(template=template))
    (journald.root / "var/log/auth.log").write_text("")
    output = tmp_path / "users.prom"
    done = 0

    def scan() -> float:
        argv = ["--root", str(journald.root), "--output", str(output), "--timeout", "60"]
        assert main([*argv, "--state-directory", str(tmp_path), "--collectors", "auth"]) == 0
        lines = output.read_text().splitlines()
        found = [line for line in lines if line.startswith("users_escalations_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def work(times: int) -> None:
        nonlocal done
        for number in range(times):
            journald.run("sudo", "-u", "tu-alice", "sleep", f"0.3{number}")
            done += 1

    assert scan() == 0
    for _ in range(3):
        journald.run("/usr/sbin/rsyslogd")
        work(2)
        scan()
        work(1)
        stop = "cd /run; kill $(cat rsyslogd.pid); while [ -e rsyslogd.pid ]; do sleep 0.05; done"
        journald.run("sh", "-c", stop)
        work(2)
        scan()
        work(2)
    journald.run("rm", "-f", "/run/systemd/journal/syslog")
    ends_at = time.monotonic() + 40
    while scan() < done and time.monotonic() < ends_at:
        time.sleep(1)
    time.sleep(6)
    assert scan() == done == 21


def test_the_signature_changes_soon_after_journald_has_written(journald: Box) -> None:
    paths = Paths(str(journald.root))
    log(journald, "one")
    journald.run("journalctl", "--sync")
    state = journal_state(paths)
    assert state[0] == OK
    for _ in range(100):  # until journald is at rest
        time.sleep(1)
        before, state = state, journal_state(paths)
        if state == before:
            break
    assert state == before
    log(journald, "two")
    for _ in range(100):
        time.sleep(0.1)
        if journal_state(paths) != state:
            break
    assert journal_state(paths) != state
