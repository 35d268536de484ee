"""What journalctl prints is read exactly once, whatever it prints and however it ends."""

from __future__ import annotations

import errno
import json
import os
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, Host
from textfile_users.auth import journal, journalctl
from textfile_users.auth.journal import MAX_WHOLE, advance, entries
from textfile_users.auth.journal_entry import (
    LOST,
    MAX_MESSAGE,
    JournalEntry,
    JournalGap,
    parse_entry,
)
from textfile_users.auth.journal_files import (
    JournalPosition,
    ends,
    holds_all_since,
    journal_state,
    parse_header,
)
from textfile_users.auth.journal_trust import BINARIES, NOBODY, is_believed, is_roots
from textfile_users.auth.journalctl import MAX_LINE, Refused
from textfile_users.auth.programs import PROGRAMS
from textfile_users.collecting import ABSENT, DENIED, OK
from textfile_users.paths import Paths
from textfile_users.reading.files import closing

MACHINE = "0123456789abcdef0123456789abcdef"
FIRST = "b" * 32  # boots
SECOND = "c" * 32
START = 1_765_000_000
BEGINNING = JournalPosition("", 0.0)
SSHD = ("sshd", "sshd-session")


def cursor(number: int, boot: str = FIRST, file: str = "f" * 32, instant: int = -1) -> str:
    """Return the cursor of the entry `number`, a second later each, as journald writes it."""
    second = number if instant < 0 else instant
    return (
        f"s={file};i={number:x};b={boot};m={second * 10**6:x};"
        f"t={(START + second) * 10**6:x};x={number + 1:x}"
    )


def fields(number: int, **changed: object) -> dict[str, object]:
    """Return the fields of the entry `number`; one changed to None is null in JSON."""
    return {
        "__REALTIME_TIMESTAMP": str((START + number) * 10**6),
        "_UID": "0",
        "__CURSOR": cursor(number),
        "MESSAGE": f"message {number}",
        "SYSLOG_IDENTIFIER": "sshd-session",
        "_PID": "100",
        "_EXE": "/usr/lib/openssh/sshd-session",
        **changed,
    }


def line(number: int, **changed: object) -> bytes:
    """Return the line of JSON that journalctl prints for the entry `number`."""
    return json.dumps(fields(number, **changed), separators=(",", ":")).encode()


def without(number: int, name: str) -> bytes:
    return json.dumps({k: v for k, v in fields(number).items() if k != name}).encode()


class Fake:
    """A host with a journal, and a journalctl that does what a shell script says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = Host(str(directory / "host"))
        self.host.write("etc/machine-id", MACHINE + "\n")
        self.host.write(f"var/log/journal/{MACHINE}/system.journal", "")
        self.paths = Paths(self.host.root)
        (directory / "bin").mkdir()

    def does(self, script: str) -> None:
        """Let journalctl note its arguments and pid, and do `script`."""
        note = f'cd {self.directory}; echo "$*" >>calls; echo $$ >>pids\n'
        program = self.directory / "bin" / "journalctl"
        program.write_text("#!/bin/sh\n" + note + script + "\n")
        program.chmod(0o755)

    def prints(self, *lines: bytes) -> None:
        """Let journalctl print `lines` and end."""
        (self.directory / "out").write_bytes(b"".join(line + b"\n" for line in lines))
        self.does("cat out")

    def calls(self) -> list[list[str]]:
        """Return the arguments of each run so far."""
        path = self.directory / "calls"
        return [call.split() for call in path.read_text().splitlines()] if path.exists() else []

    def read(
        self, position: JournalPosition = BEGINNING, seconds: float = 30.0
    ) -> Generator[JournalEntry | JournalGap, None, None]:
        """Start to read."""
        return entries(self.paths, position, SSHD, time.monotonic() + seconds)

    def has_child(self) -> bool:
        """Return whether a journalctl is still there, if only as a zombie."""
        pids = map(int, (self.directory / "pids").read_text().split())
        return any(os.path.exists(f"/proc/{pid}") for pid in pids)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A fake host; afterwards no descriptor and no child of a run is left."""
    found = Fake(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    before = sorted(os.listdir("/proc/self/fd"))
    yield found
    assert sorted(os.listdir("/proc/self/fd")) == before
    if (tmp_path / "pids").exists():
        assert not found.has_child()


def messages(
    found: Iterator[JournalEntry | JournalGap] | list[JournalEntry | JournalGap],
) -> list[str]:
    """Return the messages of entries, and the reasons of gaps in angles."""
    return [
        item.message.decode() if isinstance(item, JournalEntry) else f"<{item.reason}>"
        for item in found
    ]


# What a line of JSON means.


def test_an_entry_has_what_journald_says_of_it() -> None:
    assert parse_entry(line(7)) == JournalEntry(
        cursor(7), START + 7.0, "sshd-session", 100, b"message 7", True,
        0, NOBODY, "/usr/lib/openssh/sshd-session",
    )  # fmt: skip


def test_the_time_is_exact_to_the_microsecond() -> None:
    found = parse_entry(line(1, __REALTIME_TIMESTAMP="1765000001000001"))
    assert f"{found.time:.6f}" == "1765000001.000001"


@pytest.mark.parametrize(
    ("value", "message", "why"),
    [
        ("two\nlines", b"two\nlines", "a message may have several lines"),
        ([98, 255, 0, 10], b"b\xff\x00\n", "bytes that are not printable UTF-8 come as numbers"),
        ([], b"", "an empty list of bytes"),
        ("", b"", "a message may be empty"),
        ("\u2028\u20ac", "\u2028\u20ac".encode(), "text is UTF-8"),
        ("\ud800", b"\xed\xa0\x80", "half a surrogate pair is no reason to stop"),
        ("x" * MAX_MESSAGE, b"x" * MAX_MESSAGE, "64 KiB are allowed"),
    ],
)
def test_messages_are_bytes(value: object, message: bytes, why: str) -> None:
    found = parse_entry(line(1, MESSAGE=value))
    assert isinstance(found, JournalEntry)
    assert found.message == message


@pytest.mark.parametrize(
    ("value", "reason", "why"),
    [
        (None, "too-long", "journalctl prints null for what is over 4 KiB"),
        ("x" * (MAX_MESSAGE + 1), "too-long", "over 64 KiB"),
        ([120] * (MAX_MESSAGE + 1), "too-long", "over 64 KiB, as bytes"),
        (["one", "two"], "damaged", "given twice: neither is the message"),
        ([[1], [2]], "damaged", "given twice, as bytes"),
        ([256], "damaged", "no byte"),
        ([-1], "damaged", "no byte"),
        ([1.5], "damaged", "no byte"),
        ([10**30], "damaged", "no byte"),
        (5, "damaged", "a number is no message"),
        ({}, "damaged", "an object is no message"),
    ],
)
def test_what_is_no_message_is_skipped_with_its_place(value: object, reason: str, why: str) -> None:
    """With the cursor, so that it is counted once."""
    assert parse_entry(line(3, MESSAGE=value)) == JournalGap(reason, cursor(3), START + 3.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"garbage",
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        without(1, "__CURSOR"),
        line(1, __CURSOR=5),
        b'{"__CURSOR":"' + cursor(1).encode(),
    ],
)
def test_what_is_no_entry_is_damaged(data: bytes) -> None:
    assert parse_entry(data) == JournalGap("damaged", "", 0.0)


@pytest.mark.parametrize("stamp", [None, "", "x", "-1", 1765000001000000, "9" * 40, ["1", "2"]])
def test_an_entry_without_a_time_is_damaged(stamp: object) -> None:
    assert parse_entry(line(1, __REALTIME_TIMESTAMP=stamp)) == JournalGap(
        "damaged", cursor(1), START + 1
    )


@pytest.mark.parametrize(
    ("changed", "pid", "why"),
    [
        ({"SYSLOG_PID": "7"}, 100, "the kernel's word goes before the program's"),
        ({"_PID": None, "SYSLOG_PID": "7"}, 7, "the program's own is better than none"),
        ({"_PID": None}, 0, "none known"),
        ({"_PID": ["1", "2"]}, 0, "given twice"),
        ({"_PID": "\u0661"}, 0, "a digit, but no ASCII one"),
        ({"_PID": 5}, 0, "journald writes text"),
    ],
)
def test_pids(changed: dict[str, object], pid: int, why: str) -> None:
    found = parse_entry(line(1, **changed))
    assert isinstance(found, JournalEntry)
    assert found.pid == pid


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"_UID": ["0", "0"]}, "given twice"),
        ({"_UID": 0}, "journald writes text"),
        ({"_UID": None}, "not known"),
        ({"_UID": "1000"}, "a user with logger(1)"),
    ],
)
def test_without_the_kernels_word_nothing_is_trusted(changed: dict[str, object], why: str) -> None:
    found = parse_entry(line(1, **changed))
    assert isinstance(found, JournalEntry)
    assert not found.trusted


def test_a_program_named_twice_is_none() -> None:
    found = parse_entry(line(1, SYSLOG_IDENTIFIER=["sudo", "x"], _UID="1", _EXE="/usr/bin/sudo"))
    assert isinstance(found, JournalEntry)
    assert (found.program, found.trusted) == ("", False)


def test_a_programs_name_is_text_that_can_be_printed() -> None:
    found = parse_entry(line(1, SYSLOG_IDENTIFIER="caf\u00e9 \ud800"))
    assert isinstance(found, JournalEntry)
    assert found.program == "caf\u00e9 \\xed\\xa0\\x80"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
HOSTILE = st.one_of(
    st.binary(),
    st.fixed_dictionaries({}, optional=dict.fromkeys(fields(1), JSON)).map(
        lambda found: json.dumps(found).encode()
    ),
    st.dictionaries(st.sampled_from(list(fields(1))), JSON, min_size=1).map(
        lambda found: line(1, **found)
    ),
    st.tuples(st.integers(0, 400), st.binary(max_size=9)).map(
        lambda cut: line(1)[: cut[0]] + cut[1] + line(1)[cut[0] :]
    ),
)


@given(HOSTILE)
def test_no_line_raises(data: bytes) -> None:
    found = parse_entry(data)
    if isinstance(found, JournalEntry):
        assert found.cursor
        assert found.time > 0
        assert found.pid >= 0
        found.program.encode()
    else:
        assert found.reason in ("too-long", "damaged")


# Whom to believe.


@pytest.mark.parametrize(
    ("program", "uid", "exe", "believed", "why"),
    [
        ("sshd", "0", "/usr/sbin/sshd", True, "root's"),
        ("sshd-session", "0", "", True, "root's, gone before journald looked"),
        ("dropbear", "0", "/usr/sbin/dropbear", True, "root's"),
        ("gdm-password]", "0", "/usr/libexec/gdm-session-worker", True, "root's"),
        ("login", "1000", "/usr/bin/login", False, "runs as root when it decides"),
        ("sshd", "1000", "/usr/sbin/sshd", False, "a user can start one"),
        ("sshd", "1000", "/usr/bin/logger", False, "logger -t sshd"),
        ("sshd", "", "/usr/sbin/sshd", False, "nobody's"),
        ("sshd", "00", "", False, "journald writes it as 0"),
        ("sudo", "1000", "/usr/bin/sudo", True, "the caller's uid, the program's file"),
        ("sudo", "1000", "/usr/lib/cargo/bin/sudo", True, "sudo-rs, through a link"),
        ("sudo", "1000", "/usr/bin/sudo.ws", True, "sudo beside sudo-rs"),
        ("sudo-rs", "1000", "/usr/lib/cargo/bin/sudo", True, "Debian's, called by the link's name"),
        ("sudo-rs", "1000", "/usr/bin/logger", False, "logger -t sudo-rs"),
        ("su-rs", "1000", "/usr/lib/cargo/bin/su", True, "Debian's, called by the link's name"),
        ("sudoedit", "1000", "/usr/bin/sudo", True, "a link to sudo"),
        ("su", "1000", "/usr/bin/su", True, "the same for su"),
        ("su", "1000", "/bin/su", True, "/usr not merged"),
        ("su-l", "1000", "/usr/bin/su", True, "a login shell's service name"),
        ("doas", "1000", "/usr/local/bin/doas", True, "installed by hand"),
        ("pkexec", "1000", "/usr/bin/pkexec", True, "the same for pkexec"),
        ("polkit-agent-helper-1", "1000", "/usr/lib/polkit-1/polkit-agent-helper-1", True,
         "it asks for the password"),
        ("sudo", "1000", "/usr/bin/logger", False, "logger -t sudo"),
        ("sudo", "1000", "/usr/bin/su", False, "a setuid program called by another name"),
        ("sudo", "1000", "/home/alice/sudo", False, "a user's own"),
        ("sudo", "1000", "/home/alice/usr/bin/sudo", False, "a user's own"),
        ("sudo", "1000", "/usr/bin/../../home/alice/sudo", False, "no path of the kernel's"),
        ("sudo", "1000", "sudo", False, "no path"),
        ("sudo", "1000", "", True, "gone before journald looked; it may tell of that user"),
        ("sudo", "1000", "/nix/store/0a1b-sudo-1.9.15p5/bin/sudo", True, "NixOS"),
        ("sudo", "1000", "/nix/store/0a1b-sudo-1.9.15p5/bin/.sudo-wrapped", True, "NixOS' other"),
        ("sudo", "1000", "/run/wrappers/bin/sudo", True, "NixOS' setuid program"),
        ("sudo", "1000", "/run/user/1000/sudo", False, "a user's own"),
        ("sudo", "1000", "/gnu/store/0a1b-sudo-1.9.15p5/bin/sudo", True, "Guix"),
        ("sudo", "1000", "/run/privileged/bin/sudo", True, "Guix' setuid program"),
        ("sudo", "1000", "/run/setuid-programs/sudo", True, "Guix' setuid program, before"),
        ("sudo", "1000", "/home/alice/nix/store/0a1b-sudo/bin/sudo", False, "a user's own store"),
        ("sudo", "1000", "/nix/store/../../home/alice/sudo", False, "no path of the kernel's"),
        ("sudo", "1000", "/nix/storehouse/bin/sudo", False, "another directory"),
        ("sudo", "1000", "/nix/store/0a1b-sudo/bin/.sudoers-wrapped", False, "another program"),
        ("sudo", "1000", "/snap/mallory/1/bin/sudo", False, "snaps are anybody's"),
        ("sudo", "1000", "/usr/bin/sudo-rs", True, "Fedora's"),
        ("su", "1000", "/bin/busybox.suid", True, "Yocto's busybox"),
        ("su", "1000", "/bin/su.shadow", True, "Yocto's alternatives"),
        ("su", "1000", "/bin/su.mallory", False, "no provider"),
        ("login", "0", "/bin/busybox.suid", True, "Yocto's busybox"),
        ("login", "0", "/usr/bin/login.shadow", True, "Yocto's alternatives"),
        ("xrdp-sesman", "0", "/usr/sbin/xrdp-sesman", True, "Debian"),
        ("xrdp-sesman", "0", "/usr/libexec/xrdp/xrdp-sesexec", True, "Fedora"),
        ("polkitd", "998", "/usr/libexec/polkitd", True, "Debian 13's is elsewhere, Arch's"),
        ("sddm-helper", "0", "/usr/lib/x86_64-linux-gnu/sddm/sddm-helper", True, "Debian"),
        ("sshd-session", "0", "/usr/lib64/misc/sshd-session", True, "Gentoo"),
        ("sudo", "1000", "/usr/bin//sudo", False, "no path of the kernel's"),
        ("sudo", "1000", "/usr/bin", False, "a directory"),
        ("sudo", "4294967295", "/usr/bin/sudo", False, "nobody's"),
        ("sshd", "1000", "", False, "a user's own, gone"),
        ("sshd", "0", "/usr/bin/sudo", False, "root's sudo, called by a user"),
        ("sshd", "0", "/usr/bin/python3", False, "root's, but another program"),
        ("sshd", "0", "/tmp/sshd", False, "where anybody writes"),
        ("sshd", "0", "/usr/bin/../../tmp/sshd", False, "no path of the kernel's"),
        ("sshd-session", "0", "/usr/lib/openssh/sshd-session", True, "Debian"),
        ("sshd-session", "0", "/usr/libexec/openssh/sshd-session", True, "Fedora"),
        ("sshd-session", "0", "/usr/lib/ssh/sshd-session", True, "Arch, Alpine"),
        ("sshd", "0", "/usr/local/sbin/sshd", True, "installed by hand"),
        ("sshd", "0", "/nix/store/0a1b-openssh-9.9p2/bin/sshd", True, "NixOS"),
        ("sudo", "0", "/usr/bin/sudo", True, "root's"),
        ("su", "0", "/usr/bin/sudo", False, "root's sudo under the name of another"),
        ("doas", "0", "/usr/bin/id", False, "what was run by it"),
        ("login", "0", "/usr/bin/login", True, "root's"),
        ("login", "0", "/bin/busybox", True, "of which login is a part"),
        ("agetty", "0", "/usr/sbin/agetty", True, "root's"),
        ("logger", "0", "/usr/bin/logger", False, "none that is read"),
        ("sudo", "", "", False, "nothing known"),
        ("logger", "1000", "/usr/bin/logger", False, "true, but not setuid"),
        ("", "1000", "/usr/bin/", False, "no name"),
        ("polkitd", "998", "/usr/lib/polkit-1/polkitd", True, "a system user of its own"),
        ("polkitd", "1000", "/usr/lib/polkit-1/polkitd", False, "a user's, with LD_PRELOAD"),
        ("polkitd", "65534", "/usr/lib/polkit-1/polkitd", False, "nobody's"),
        ("polkitd", "998", "/usr/bin/logger", False, "another program of that user"),
        ("polkitd", "", "/usr/lib/polkit-1/polkitd", False, "nobody's"),
        ("newdm", "0", "/usr/sbin/newdm", True, "a display manager that no table knows"),
        ("newdm", "0", "/usr/libexec/newdm-session-worker", True, "its helper, by its tag"),
        ("newdm-helper", "0", "/usr/libexec/newdm", True, "its helper by name alone"),
        ("newdm", "0", "/nix/store/0a1b-newdm/bin/.newdm-wrapped", True, "NixOS'"),
        ("gdm-novel]", "0", "/usr/libexec/gdm-session-worker", True, "a service of gdm's"),
        ("gdm-novel]", "0", "/usr/bin/cat", False, "not gdm's file"),
        ("newdm", "1000", "/usr/sbin/newdm", False, "a user can start one"),
        ("newdm", "1000", "/usr/bin/logger", False, "logger -t newdm"),
        ("newdm", "0", "/usr/bin/logger", False, "sudo logger -t newdm"),
        ("logger", "0", "/usr/bin/logger", False, "sudo logger"),
        ("busybox", "0", "/bin/busybox", False, "its logger"),
        ("newdm", "0", "/home/alice/newdm", False, "a user's own file, run by sudo"),
        ("newdm", "0", "/usr/sbin/../../home/alice/newdm", False, "no path of the kernel's"),
        ("newdm", "0", "/usr/bin/python3", False, "a name that a script chose"),
        ("newd", "0", "/usr/sbin/newdm", False, "another word"),
        ("newdm", "0", "", False, "gone: it may have been anything"),
        ("(id)", "0", "/usr/lib/systemd/systemd-executor", True, "run0's, before it becomes id"),
        ("(id)", "0", "/usr/lib/systemd/systemd", True, "the same before systemd 255"),
        ("(id)", "0", "/usr/bin/id", False, "sudo may allow a user to run it"),
        ("(id)", "0", "/usr/bin/logger", False, "sudo logger -t '(id)'"),
        ("()", "0", "/usr/bin/cat", False, "no name"),
        ("", "0", "/usr/bin/cat", False, "no name"),
        ("(id)", "1000", "/usr/lib/systemd/systemd-executor", False, "a user's manager's"),
    ],
)  # fmt: skip
def test_who_is_believed(program: str, uid: str, exe: str, believed: bool, why: str) -> None:
    assert is_believed(program, uid, exe) is believed


def test_each_program_that_is_read_has_a_file() -> None:
    assert {name.decode() for name in PROGRAMS} <= BINARIES.keys()


@pytest.mark.parametrize(
    ("program", "uid", "exe", "transport", "believed", "why"),
    [
        ("sshd", "0", "/usr/sbin/sshd", "syslog", True, "as it logs"),
        ("sshd", "0", "/usr/sbin/sshd", "stdout", False, "a stream may be anybody's"),
        ("sshd", "0", "", "stdout", False, "and who wrote into it gone"),
        ("sshd", "0", "/usr/sbin/sshd", "journal", False, "it does not log so"),
        ("sshd", "0", "/usr/sbin/sshd", "kernel", False, "/dev/kmsg"),
        ("sshd", "0", "/usr/sbin/sshd", "audit", False, "it does not log so"),
        ("sudo", "1000", "/usr/bin/sudo", "stdout", False, "its prompt"),
        ("sudo", "1000", "/usr/bin/sudo", "journal", False, "its prompt"),
        ("su", "1000", "/usr/bin/su", "stdout", False, "its complaint of a user's name"),
        ("login", "0", "/usr/bin/login", "stdout", False, "its prompt"),
        ("polkitd", "998", "/usr/lib/polkit-1/polkitd", "journal", True, "GLib's log"),
        ("polkitd", "998", "/usr/lib/polkit-1/polkitd", "stdout", False, "its errors"),
        ("gdm-password]", "0", "/usr/libexec/gdm-session-worker", "journal", True, "GLib's log"),
        ("gdm-password]", "0", "/usr/libexec/gdm-session-worker", "syslog", True, "PAM's lines"),
        ("newdm", "0", "/usr/sbin/newdm", "syslog", True, "PAM's lines"),
        ("newdm", "0", "/usr/sbin/newdm", "stdout", False, "a stream may be anybody's"),
        ("newdm", "0", "/usr/sbin/newdm", "journal", False, "PAM does not log so"),
    ],
)
def test_by_which_way_a_program_is_believed(
    program: str, uid: str, exe: str, transport: str, believed: bool, why: str
) -> None:
    assert is_believed(program, uid, exe, transport) is believed


@pytest.mark.parametrize(
    ("program", "told", "believed", "why"),
    [
        ("sshd", {"comm": "sshd"}, True, "its file was not seen any more"),
        ("sshd", {"comm": "sshd-session"}, True, "its file was not seen any more"),
        ("gdm-password]", {"comm": "gdm-session-wor"}, True, "cut, as the kernel does"),
        ("sshd", {"comm": "cat"}, False, "run by sudo, with the log for its output"),
        ("sshd", {"comm": "any", "exe": "/usr/sbin/sshd"}, True, "the file is what counts"),
        ("sshd", {"gid": "0"}, True, "root's group"),
        ("sshd", {"gid": "1000"}, False, "a user's sudo, whose complaint begins like sshd's"),
        ("gdm-password", {"gid": "1000"}, False, "the same by journald's own protocol"),
        ("polkitd", {"gid": "1000"}, False, "the same"),
        ("login", {"gid": "1000", "exe": "/usr/bin/login"}, True, "the group of who logs in"),
        ("sudo", {"gid": "1000"}, True, "it may tell of who logged in"),
    ],
)
def test_what_is_believed_of_a_process_of_roots_that_has_gone(
    program: str, told: dict[str, str], believed: bool, why: str
) -> None:
    transport = "syslog" if "comm" in told else ""
    assert is_believed(program, "0", **{"exe": "", "transport": transport, **told}) is believed


@pytest.mark.parametrize(
    ("changed", "expected", "why"),
    [
        ({"_UID": "1000", "_AUDIT_LOGINUID": "1001"}, (1000, 1001), "who writes, who logged in"),
        ({"_UID": "1000"}, (1000, NOBODY), "started by no login"),
        ({"_UID": "1000", "_AUDIT_LOGINUID": "4294967295"}, (1000, NOBODY), "the same, in full"),
        ({"_UID": "01000", "_AUDIT_LOGINUID": "-1"}, (NOBODY, NOBODY), "not as journald writes"),
        ({"_UID": "1000", "_AUDIT_LOGINUID": ["0", "1"]}, (1000, NOBODY), "given twice"),
    ],
)
def test_uids(changed: dict[str, object], expected: tuple[int, int], why: str) -> None:
    found = parse_entry(line(1, **changed))
    assert isinstance(found, JournalEntry)
    assert (found.uid, found.login_uid) == expected


def test_of_a_program_upgraded_while_it_runs_the_file_is_what_it_was() -> None:
    found = parse_entry(line(1, _EXE="/usr/sbin/sshd (deleted)"))
    assert isinstance(found, JournalEntry)
    assert (found.exe, found.trusted) == ("/usr/sbin/sshd", True)


@pytest.mark.parametrize("name", ["_EXE", "_TRANSPORT", "_COMM"])
def test_what_is_given_twice_is_not_missing(name: str) -> None:
    found = parse_entry(line(1, **{name: ["/usr/sbin/sshd", "x"]}))
    assert isinstance(found, JournalEntry)
    assert not found.trusted


# Uid and mode of a file and of the directories above it, from the root on.
ROOTS = (0, 0o755)


@pytest.mark.parametrize(
    ("statuses", "is_own", "why"),
    [
        ((ROOTS, ROOTS, ROOTS, ROOTS), True, "root's, all the way up"),
        ((ROOTS, ROOTS, ROOTS, (1000, 0o755)), False, "another's"),
        ((ROOTS, ROOTS, (1000, 0o755), ROOTS), False, "in another's directory"),
        ((ROOTS, (0, 0o2775), ROOTS, ROOTS), False, "Debian's group staff"),
        ((ROOTS, ROOTS, (0, 0o41777), ROOTS), False, "sticky, but anybody's"),
        ((ROOTS, ROOTS, (0, 0o41775), ROOTS), True, "sticky: Nix' builders replace nothing"),
        ((ROOTS, ROOTS, (0, 0o41775), (30_001, 0o755)), False, "a builder's own"),
        ((ROOTS, ROOTS, ROOTS, (0, 0o101775)), False, "a file, of which sticky says nothing"),
        ((ROOTS, ROOTS, (0, 0o40775), ROOTS), False, "a group's"),
        (((1000, 0o755), ROOTS, ROOTS, ROOTS), False, "whose root is not root's"),
        ((ROOTS, ROOTS, ROOTS), False, "not there"),
    ],
)
def test_what_only_root_can_write(
    statuses: tuple[tuple[int, int], ...],
    is_own: bool,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = "/local/sbin/sshd"
    found = dict(zip(("/", "/local", "/local/sbin", path), statuses))

    def lstat(path: str) -> os.stat_result:
        if path not in found:
            raise FileNotFoundError(errno.ENOENT, "not there", path)
        uid, mode = found[path]
        return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))

    monkeypatch.setattr(os, "lstat", lstat)
    assert is_roots(path, {}) is is_own


@pytest.mark.parametrize("is_own", [True, False])
def test_where_others_may_write_the_program_is_not_believed_on_the_own_host(
    fake: Fake, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = "/usr/local/sbin/sshd"
    fake.prints(line(1), line(2, _EXE=local))
    monkeypatch.setattr(journal, "is_roots", lambda path: path != local)
    paths = Paths() if is_own else fake.paths
    with closing(entries(paths, BEGINNING, SSHD, time.monotonic() + 60)) as every:
        found = {item.exe: item.trusted for item in every if isinstance(item, JournalEntry)}
    assert found == {"/usr/lib/openssh/sshd-session": True, local: not is_own}


@pytest.mark.parametrize(
    ("exe", "roots", "is_trusted", "why"),
    [
        ("/nix/store/0a1b-openssh/bin/sshd", ["/nix/store"], True, "collected as garbage since"),
        ("/gnu/store/0a1b-openssh/sbin/sshd", ["/gnu/store"], True, "likewise"),
        ("/nix/store/0a1b-openssh/bin/sshd", [], False, "Nix without root: the store is a user's"),
        ("/usr/local/gone/sshd", ["/usr/local"], False, "no store"),
    ],
)
def test_the_store_of_nix_is_looked_at_on_the_own_host(
    fake: Fake, exe: str, roots: list[str], is_trusted: bool, why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fake.prints(line(1), line(2, _EXE=exe))
    monkeypatch.setattr(journal, "is_roots", lambda path: path in roots)
    with closing(entries(Paths(), BEGINNING, SSHD, time.monotonic() + 60)) as every:
        found = {item.exe: item.trusted for item in every if isinstance(item, JournalEntry)}
    assert found[exe] is is_trusted, why


# What is there.


def test_a_host_without_a_journal_lacks_it(fake: Fake, tmp_path: Path) -> None:
    fake.prints()
    assert journal_state(Paths(str(tmp_path / "nothing"))) == (ABSENT, "")
    os.unlink(fake.host.path(f"var/log/journal/{MACHINE}/system.journal"))
    assert journal_state(fake.paths) == (ABSENT, ""), "a directory that packages bring"


def test_a_host_without_journalctl_lacks_it(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert journal_state(fake.paths) == (ABSENT, "")
    with pytest.raises(FileNotFoundError):
        list(fake.read())


def test_ones_own_entries_make_no_log(fake: Fake) -> None:
    fake.prints()
    directory = fake.host.path(f"var/log/journal/{MACHINE}")
    os.rename(f"{directory}/system.journal", f"{directory}/user-1000.journal")
    assert journal_state(fake.paths) == (DENIED, "")


@pytest.mark.parametrize("call", ["access", "scandir"])
def test_a_journal_for_others_is_denied(
    fake: Fake, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.prints()

    def access(path: str, mode: int) -> bool:
        return "journal/" not in path

    def scandir(path: str) -> None:
        raise PermissionError(errno.EACCES, "denied", path)

    monkeypatch.setattr(os, call, {"access": access, "scandir": scandir}[call])
    assert journal_state(fake.paths) == (DENIED, "")


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def _grow(path: Path) -> None:
    """Within one tick of the clock that stamps files."""
    status = os.stat(path)
    _append(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _touch(path: Path) -> None:
    later = os.stat(path).st_mtime_ns + 1
    os.utime(path, ns=(later, later))


def _touch_backwards(path: Path) -> None:
    """As after a clock that was set back."""
    os.utime(path, ns=(1, 1))


def _rotate(path: Path) -> None:
    status = os.stat(path)
    path.rename(path.with_name("system@1.journal"))
    path.write_bytes(b"")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _users(path: Path) -> None:
    path.with_name("user-1000.journal").write_bytes(b"")


def _runtime(path: Path) -> None:
    other = Path(str(path).replace("/var/", "/run/"))
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")


@pytest.mark.parametrize(
    "change",
    [_append, _grow, _touch, _touch_backwards, _rotate, _users, _runtime],
    ids=lambda change: change.__name__,
)
def test_the_signature_changes_with_the_files(fake: Fake, change: Callable[[Path], None]) -> None:
    fake.prints()
    found = journal_state(fake.paths)
    assert (found[0], journal_state(fake.paths)) == (OK, found), "nothing has changed"
    change(Path(fake.host.path(f"var/log/journal/{MACHINE}/system.journal")))
    assert journal_state(fake.paths)[0] == OK
    assert journal_state(fake.paths)[1] != found[1]


def test_other_machines_journals_are_not_the_hosts(fake: Fake) -> None:
    """Containers' and remote hosts' files lie beside it."""
    fake.prints(line(1))
    found = journal_state(fake.paths)
    other = "a" * 32
    fake.host.write(f"var/log/journal/{other}/system.journal", "x")
    assert journal_state(fake.paths) == found
    assert messages(fake.read()) == ["message 1"]
    assert f"--directory={fake.host.path(f'var/log/journal/{MACHINE}')}" in fake.calls()[-1]


def test_without_a_machine_id_all_are_the_hosts(fake: Fake) -> None:
    """As where only its /var was mounted."""
    fake.prints(line(1))
    os.unlink(fake.host.path("etc/machine-id"))
    assert journal_state(fake.paths)[0] == OK
    assert messages(fake.read()) == ["message 1"]
    assert f"--directory={fake.host.path('var/log/journal')}" in fake.calls()[-1]


@pytest.mark.parametrize("newer", ["run", "var"])
def test_the_journal_written_last_is_read(fake: Fake, newer: str) -> None:
    """The other is left over from before Storage= was changed."""
    fake.prints(line(1))
    for name in ("run", "var"):
        path = fake.host.write(f"{name}/log/journal/{MACHINE}/system.journal", "")
        os.utime(path, (START + (name == newer), START + (name == newer)))
    assert messages(fake.read()) == ["message 1"]
    assert f"--directory={fake.host.path(f'{newer}/log/journal/{MACHINE}')}" in fake.calls()[-1]


@pytest.mark.parametrize("name", ["var/log/journal", f"var/log/journal/{MACHINE}/system@1.journal"])
def test_no_link_leads_out_of_a_root(fake: Fake, tmp_path: Path, name: str) -> None:
    """Its owner would have us count another's journal."""
    fake.prints(line(1))
    path = Path(fake.host.path(name))
    if path.exists():
        path.rename(tmp_path / "outside")
    else:
        (tmp_path / "outside").write_bytes(b"")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="leads out of the root"):
        journal_state(fake.paths)
    with pytest.raises(OSError, match="leads out of the root"):
        list(fake.read())
    assert fake.calls() == []


def test_the_own_host_has_no_directory_option(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.prints()
    deadline = time.monotonic() + 30
    assert list(entries(Paths(), BEGINNING, SSHD, deadline)) == []
    assert fake.calls() != []
    assert not [word for call in fake.calls() for word in call if "--directory" in word]


# How it is read.


def test_journalctl_is_asked_for_these_programs_and_fields_alone(fake: Fake) -> None:
    fake.prints(line(1))
    assert messages(fake.read(JournalPosition("", START + 0.5))) == ["message 1"]
    (call,) = fake.calls()
    assert {
        "--no-pager",
        "--quiet",
        "--output=json",
        f"--since=@{START}",
    } < set(call)
    names = ["SYSLOG_IDENTIFIER=sshd", "SYSLOG_IDENTIFIER=sshd-session"]
    assert call[-5:] == [*names, "+", "SYSLOG_FACILITY=10", "_UID=0"], (
        "and for PAM's, of any program"
    )
    assert "--all" not in call, "a user's message may have hundreds of megabytes"


def test_a_time_before_the_epoch_is_its_beginning(fake: Fake) -> None:
    fake.prints()
    assert list(fake.read(JournalPosition("", -5.0))) == []
    assert not [word for word in fake.calls()[0] if word.startswith("--since")]


def test_a_time_is_exact_though_journalctl_is_given_whole_seconds(fake: Fake) -> None:
    """The fraction of a second after the `@` is not documented."""
    stamps = [(START + 3) * 10**6 + micros for micros in (0, 299_999, 300_000, 300_001, 300_002)]
    fake.prints(
        *(line(n, __REALTIME_TIMESTAMP=f"{t}") for n, t in enumerate(stamps)), b"garbage", line(9)
    )
    found = messages(fake.read(JournalPosition("", START + 3.3 + journal.MICROSECOND)))
    assert found == ["message 3", "message 4", "<damaged>", "message 9"]
    assert f"--since=@{START + 3}" in fake.calls()[0]


def test_without_programs_nothing_is_asked(fake: Fake) -> None:
    fake.prints(line(1))
    assert list(entries(fake.paths, BEGINNING, (), time.monotonic() + 30)) == []
    assert fake.calls() == []


def test_the_environment_is_plain(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No language, and nothing of what we were given on stdin."""
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    fake.does('echo "$LC_ALL" >locale; cat >input')
    (fake.directory / "ours").write_text("ours")
    kept = os.dup(0)
    with (fake.directory / "ours").open() as file:
        os.dup2(file.fileno(), 0)
    try:
        assert list(fake.read()) == []
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert (fake.directory / "locale").read_text() == "C\n"
    assert (fake.directory / "input").read_text() == ""


@pytest.mark.parametrize(
    ("printed", "expected", "why"),
    [
        ([line(3), line(4)], ["message 4"], "the entry itself is not new"),
        ([line(3)], [], "nothing is new"),
        ([line(4), line(5)], ["<gap>", "message 4", "message 5"], "vacuumed away"),
        ([], [], "vacuumed away, to be said with the first that follows"),
        (
            [line(3, __CURSOR=cursor(7, file="e" * 32, instant=3)), line(3), line(4)],
            ["message 4"],
            "the same instant in another file, earlier in the order",
        ),
        (
            [line(3), line(8, __CURSOR=cursor(8, instant=3))],
            ["message 8"],
            "the same instant, behind it",
        ),
        (
            [line(3, __CURSOR=cursor(3, file="e" * 32)), line(4)],
            ["message 4"],
            "journald has flushed its files to disk: another sequence",
        ),
        ([line(4, boot=SECOND)], ["<gap>", "message 4"], "another boot"),
        ([line(3).replace(b'":"', b'" : "'), line(4)], ["message 4"], "systemd before 240"),
        ([b"garbage", line(4)], ["<gap>", "<damaged>", "message 4"], "not known what it is"),
    ],
)
def test_reading_goes_on_behind_the_cursor(
    fake: Fake, printed: list[bytes], expected: list[str], why: str
) -> None:
    fake.prints(*printed)
    position = JournalPosition(cursor(3), START + 3.0)
    assert messages(fake.read(position)) == expected
    assert f"--cursor={cursor(3)}" in fake.calls()[0]


def header(head: int, tail: int, sequence: str = "f" * 32) -> bytes:
    """Return a journal file's header, as systemd documents it."""
    data = bytearray(256)
    data[:8] = b"LPKSHHRH"
    data[72:88] = bytes.fromhex(sequence)
    data[160:168] = tail.to_bytes(8, "little")
    data[168:176] = head.to_bytes(8, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("known", "files", "is_whole", "why"),
    [
        ((1, 30), {"system": (31, 40)}, True, "what was removed had been read"),
        ((1, 30), {"system": (32, 40)}, False, "an entry may be lost"),
        ((1, 30), {"system": (20, 40)}, True, "older ones are there, too"),
        ((1, 30), {"system": (41, 60), "system@1": (25, 40)}, True, "in an archived file"),
        ((1, 30), {"system": (41, 60), "user-1000": (5, 35)}, False, "users' files tell nothing"),
        ((1, 30), {"system": (0, 0), "system@1": (31, 40)}, True, "rotated, and empty"),
        ((1, 30), {}, False, "no file is left"),
        ((0, 0), {"system": (1, 9)}, False, "nothing was read"),
    ],
)
def test_what_was_vacuumed_away_is_no_gap_if_it_was_read(
    fake: Fake,
    known: tuple[int, int],
    files: dict[str, tuple[int, int]],
    is_whole: bool,
    why: str,
) -> None:
    system = Path(fake.host.path(f"var/log/journal/{MACHINE}/system.journal"))
    system.write_bytes(header(*known))
    read = ends(fake.paths)
    system.unlink()
    for name, numbers in files.items():
        system.with_name(f"{name}.journal").write_bytes(header(*numbers))
    fake.prints(line(4))
    assert holds_all_since(fake.paths, read) == is_whole, why
    if files:
        position = JournalPosition(cursor(3), START + 3.0)
        found = entries(fake.paths, position, SSHD, time.monotonic() + 30, known=read)
        assert messages(found) == [*([] if is_whole else ["<gap>"]), "message 4"], why


def test_another_sequence_tells_nothing(fake: Fake) -> None:
    """journald began anew, as where its files were damaged."""
    name = f"var/log/journal/{MACHINE}/system.journal"
    fake.host.write(name, header(1, 30))
    read = ends(fake.paths)
    fake.host.write(name, header(1, 2, "e" * 32))
    assert not holds_all_since(fake.paths, read)


@given(st.binary(max_size=300))
def test_any_header_is_read(data: bytes) -> None:
    sequence, head, tail = parse_header(data)
    assert len(sequence) in (0, 32)
    assert min(head, tail) >= 0
    parse_header(b"LPKSHHRH" + data)


@pytest.mark.parametrize(
    "malformed",
    ["x", "s=1;i=2", cursor(3) + ";", cursor(3) + ";q=1", cursor(3).replace("x=4", "x="),
     cursor(3).replace("x=4", "x=xyz"), cursor(3).replace("x=4", "x=" + "4" * 17)],
)  # fmt: skip
def test_a_malformed_cursor_is_a_gap_and_time_decides(fake: Fake, malformed: str) -> None:
    fake.prints(line(3), line(4))
    assert messages(fake.read(JournalPosition(malformed, START + 3.0))) == ["<gap>", "message 4"]
    assert f"--since=@{START + 3}" in fake.calls()[0], "behind the last one read"


def test_a_time_that_no_float_holds_makes_a_cursor_malformed() -> None:
    far = cursor(1).replace(";t=", ";t=" + "9" * 300)
    assert parse_entry(line(1, __CURSOR=far, MESSAGE=7)) == JournalGap("damaged", far, 0.0)


def test_what_is_skipped_is_left_behind() -> None:
    position = JournalPosition(cursor(1), START + 1.0)
    entry = parse_entry(line(2))
    assert advance(position, entry) == JournalPosition(cursor(2), START + 2.0, START + 2.0)
    gap = parse_entry(line(2, MESSAGE=None))
    assert advance(position, gap) == JournalPosition(cursor(2), START + 2.0, START + 2.0)
    assert advance(position, JournalGap("damaged", "", 0.0)) == position
    assert advance(position, LOST) == position, "the entry behind the gap moves it"


def test_a_long_message_of_a_trusted_program_is_read_again(fake: Fake) -> None:
    """journalctl shows 4 KiB; pkexec may log more, and a user's message is never asked for."""
    (fake.directory / "out").write_bytes(
        b"\n".join([line(1, MESSAGE=None), line(2, MESSAGE=None, _UID="1000"), line(3), b""])
    )
    (fake.directory / "whole").write_bytes(line(1, MESSAGE="x" * 9000) + b"\n" + line(2) + b"\n")
    fake.does('case "$*" in *--all*) cat whole;; *) cat out;; esac')
    assert messages(fake.read()) == ["x" * 9000, "<too-long>", "message 3"]
    asked = [call for call in fake.calls() if "--all" in call]
    assert [f"--cursor={cursor(1)}" in call for call in asked] == [True]


@pytest.mark.parametrize(
    "whole", [b"", line(2), line(1, MESSAGE=None), line(1, MESSAGE="x" * (MAX_MESSAGE + 1))]
)
def test_a_long_message_that_cannot_be_read_again_is_skipped(fake: Fake, whole: bytes) -> None:
    (fake.directory / "out").write_bytes(line(1, MESSAGE=None) + b"\n" + line(3) + b"\n")
    (fake.directory / "whole").write_bytes(whole + b"\n" if whole else b"")
    fake.does('case "$*" in *--all*) cat whole;; *) cat out;; esac')
    assert next(iter(list(fake.read()))) == JournalGap("too-long", cursor(1), START + 1.0)


def test_of_many_long_messages_few_are_read_again(fake: Fake) -> None:
    """Each takes a journalctl of its own, and a user's pkexec may log fifty a second."""
    lines = [line(number, MESSAGE=None) for number in range(1, 61)]
    (fake.directory / "out").write_bytes(b"\n".join([*lines, line(61), b""]))
    fake.does('case "$*" in *--all*) echo;; *) cat out;; esac')
    found = messages(fake.read())
    assert found == ["<too-long>"] * 60 + ["message 61"]
    assert sum("--all" in call for call in fake.calls()) == MAX_WHOLE


OLD = cursor(3)
NEW = cursor(2, boot=SECOND)


def boots(fake: Fake, old: list[bytes], new: list[bytes]) -> None:
    """Give the host two boots, of which that of the c's runs."""
    fake.host.write("proc/sys/kernel/random/boot_id", "cccccccc-cccc-cccc-cccc-cccccccccccc\n")
    for name, found in (("old", old), ("new", new)):
        (fake.directory / name).write_bytes(b"".join(line + b"\n" for line in found))
    ids = f"{FIRST}\n{SECOND}\n" if old else f"{SECOND}\n"
    (fake.directory / "boots").write_text(ids)
    fake.does('case "$*" in *--field*) cat boots;; *_BOOT_ID=c*) cat new;; *) cat old;; esac')


@pytest.mark.parametrize(
    ("position", "expected", "since"),
    [
        (JournalPosition(OLD, START + 3.0), ["message 4", "message 2"], False),
        (JournalPosition(NEW, START + 2.0), [], False),
        (JournalPosition("", BOOT - 1.0), ["message 3", "message 4", "message 2"], True),
        (JournalPosition("", BOOT + 1.0), ["message 2"], True),
    ],
    ids=["from the boot before", "from this boot", "by time before it", "by time in it"],
)
def test_a_clock_behind_that_of_the_boot_before_hides_nothing(
    fake: Fake, position: JournalPosition, expected: list[str], since: bool
) -> None:
    """This boot's entry has a time before those of the boot before it."""
    boots(fake, [line(3), line(4)], [line(2, __CURSOR=NEW)])
    assert messages(fake.read(position)) == expected
    calls = [call for call in fake.calls() if f"_BOOT_ID={SECOND}" in call]
    assert len(calls) == 1
    assert any(word.startswith("--since") for word in calls[0]) is since
    assert any(word.startswith("--cursor") for word in calls[0]) is (position.cursor == NEW)


def test_a_boot_vacuumed_away_is_a_gap(fake: Fake) -> None:
    boots(fake, [], [line(2, __CURSOR=NEW)])
    assert messages(fake.read(JournalPosition(OLD, START + 3.0))) == ["<gap>", "message 2"]


def test_boots_never_read_are_read_from_the_newest_time_on(fake: Fake) -> None:
    """Boots long read are not read again, though a clock was set back since."""
    boots(fake, [line(3)], [])
    with (fake.directory / "boots").open("a") as file:
        file.write("a" * 32 + "\n")
    for newest, since in ((0.0, 3), (START + 9.0, 9)):
        list(fake.read(JournalPosition(OLD, START + 3.0, newest)))
        (call,) = [words for words in fake.calls() if f"_BOOT_ID={'a' * 32}" in words]
        assert f"--since=@{START + since}" in call
        assert f"_BOOT_ID={FIRST}" not in call
        (fake.directory / "calls").unlink()


# What journalctl refuses, by release.

KNOWN = "--no-pager --quiet --output=json --directory=* --cursor=* --since=@*"
MATCHES = "SYSLOG_IDENTIFIER=*|+|SYSLOG_FACILITY=10|_UID=0"
REFUSALS = {
    "262 lists values without a limit only": """
case "$*" in *--field=*) case "$*" in
    *IDENTIFIER*|*--since*|*--cursor*|*_BOOT_ID=*) echo '-F/--field= and -N/--fields cannot be
combined with options that limit the journal.' >&2; exit 1;;
esac;; esac""",
    "235 does not know --output-fields": """
for word; do case $word in --output-fields*)
    echo "journalctl: unrecognized option '$word'" >&2; exit 1;;
esac; done""",
    "219 knows these and documents whole seconds": f"""
for word; do case $word in --since=@*.*) echo 'Failed to parse timestamp' >&2; exit 1;;
    {KNOWN.replace(" ", "|")}|--all|--field=_BOOT_ID|_BOOT_ID=*|{MATCHES}) ;;
    *) echo "journalctl: unrecognized option '$word'" >&2; exit 1;;
esac; done""",
    "one that does not list the boots": """
case "$*" in *--field=*) echo 'no' >&2; exit 1;; esac""",
    "one that takes no cursor": """
case "$*" in *--cursor=*) echo 'Failed to seek to cursor' >&2; exit 1;; esac""",
}

PRINTS = """
case "$*" in
    *--field*) cat boots;; *_BOOT_ID=c*) cat new;; *_BOOT_ID=*) cat old;; *) cat old new;;
esac"""


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (JournalPosition(OLD, START + 3.0), ["message 4", "message 2"]),
        (JournalPosition(NEW, START + 2.0), ["message 5"]),
        (JournalPosition("", BOOT - 1.0), ["message 3", "message 4", "message 2"]),
        (JournalPosition("", BOOT + 1.0), ["message 2"]),
    ],
    ids=["from the boot before", "from this boot", "by time before it", "by time in it"],
)
def test_what_journalctl_refuses_costs_no_entry_and_none_counts_twice(
    fake: Fake, position: JournalPosition, expected: list[str], refusal: str
) -> None:
    this = [line(2, __CURSOR=NEW)]
    if position.cursor == NEW:
        this += [line(5, __CURSOR=cursor(5, boot=SECOND))]
    boots(fake, [line(3), line(4)], this)
    fake.does(REFUSALS[refusal] + PRINTS)
    found = messages(fake.read(position))
    if refusal == "one that takes no cursor" and position.cursor:
        assert found.pop(0) == "<gap>"
    assert found == expected


@pytest.mark.parametrize(
    ("script", "calls", "why"),
    [
        ("echo 'Bad message' >&2; exit 1", 2, "with fewer options once more, then it is a failure"),
        ("cat out; echo 'Bad message' >&2; exit 1", 1, "something was printed already"),
        ("cat out; exit 1", 1, "silent, but something was printed"),
        ("kill -9 $$", 1, "killed, as for want of memory"),
        ("echo 'a file is truncated, ignoring it' >&2", 1, "a damaged file, the rest was read"),
    ],
)
def test_a_failure_is_no_refusal(fake: Fake, script: str, calls: int, why: str) -> None:
    fake.prints(line(1))
    fake.does(script)
    with pytest.raises(OSError, match=r"Bad message|ended with|truncated"):
        list(fake.read())
    assert len(fake.calls()) == calls


# How it ends.


def test_closed_early_nothing_is_left(fake: Fake) -> None:
    """What the fixture checks: no child, no zombie, no descriptor."""
    fake.prints(*map(line, range(1, 10_000)))
    found = fake.read()
    assert messages(islice(found, 3)) == ["message 1", "message 2", "message 3"]
    assert fake.has_child()
    found.close()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exec sleep 600", "silent"),
        ("exec >&- 2>&-; exec sleep 600", "its output is closed, but it lives"),
        ("trap '' TERM; exec sleep 600", "deaf to SIGTERM"),
        ("while :; do echo noise >&2; done", "talks to nobody"),
        ("exec yes x", "prints for ever"),
    ],
)
def test_at_the_deadline_the_child_is_killed(fake: Fake, script: str, why: str) -> None:
    fake.does(script)
    with pytest.raises(TimeoutError, match="took too long"):
        list(fake.read(seconds=0.2))


def test_what_came_before_the_deadline_is_good(fake: Fake) -> None:
    fake.prints(line(1), line(2))
    fake.does("cat out; exec sleep 600")
    found = []
    with pytest.raises(TimeoutError):
        for item in fake.read(seconds=2.0):
            found.append(item)  # noqa: PERF402
    assert messages(found) == ["message 1", "message 2"]


def test_the_clock_is_the_callers(fake: Fake) -> None:
    fake.prints(line(1))
    with pytest.raises(TimeoutError):
        list(entries(fake.paths, BEGINNING, SSHD, 5.0, clock=lambda: 5.0))
    assert messages(entries(fake.paths, BEGINNING, SSHD, 5.0, clock=lambda: 4.0)) == ["message 1"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Failed to open: oh' >&2; echo more >&2; exit 1", "Failed to open: oh"),
        ("exit 3", "ended with status 3"),
        ("kill -9 $$", "ended with status -9"),
        ("echo 'a file is truncated, ignoring it' >&2", "a file is truncated, ignoring it"),
        ("printf '\\377\\n' >&2", r"\xff"),
        ("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1", "x" * 4096),
    ],
)
def test_a_failure_is_one_message_after_what_could_be_read(
    fake: Fake, script: str, message: str
) -> None:
    fake.prints(line(1))
    fake.does("cat out; " + script)
    found = []
    with pytest.raises(OSError, match=r".") as raised:
        for item in fake.read():
            found.append(item)  # noqa: PERF402
    assert messages(found) == ["message 1"]
    assert (raised.value.strerror, raised.value.filename) == (message, "journalctl")
    assert not isinstance(raised.value, TimeoutError)


def test_garbage_costs_only_its_own_lines(fake: Fake) -> None:
    fake.prints(line(1), b"-- Boot 1 --", b"\xff\0", b"{", line(2))
    expected = ["message 1", "<damaged>", "<damaged>", "<damaged>", "message 2"]
    assert messages(fake.read()) == expected


def test_half_a_line_at_the_end_is_none(fake: Fake) -> None:
    (fake.directory / "out").write_bytes(line(1) + b"\n" + line(2)[:-1])
    fake.does("cat out")
    assert messages(fake.read()) == ["message 1"]


@pytest.mark.parametrize("place", ["first", "last", "none"])
def test_a_huge_line_is_skipped_in_constant_memory(fake: Fake, place: str) -> None:
    """Many fields of one name make one; its place is still known."""
    huge = b'"MESSAGE":["\\"__CURSOR\\":\\"' + b"x" * (40 << 20) + b'"]'
    key = b'"__CURSOR":"%s"' % cursor(2).encode()
    parts = {"first": [key, huge], "last": [huge, key], "none": [huge]}[place]
    fake.prints(line(1), b"{" + b",".join(parts) + b"}", line(3))
    tracemalloc.start()
    try:
        first, gap, last = fake.read()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert messages([first, last]) == ["message 1", "message 3"]
    known = place != "none"
    assert gap == JournalGap("too-long", cursor(2) if known else "", START + 2.0 if known else 0.0)


@pytest.mark.parametrize("cut", range(-2, 200, 7))
def test_the_place_of_a_huge_line_is_found_wherever_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    before = line(2, __CURSOR=None, MESSAGE="x" * MAX_LINE).replace(b'"__CURSOR":null,', b"")
    before = before[:-1] + b","
    data = before + b'"__CURSOR":"%s"}\n' % cursor(2).encode()
    at = len(before) + cut
    monkeypatch.setattr(
        journalctl, "_output", lambda argv, left: (part for part in (data[:at], data[at:]))
    )
    monkeypatch.setattr(journal, "read_id", lambda paths, path: "")
    found = list(entries(Paths(), BEGINNING, SSHD, time.monotonic() + 30))
    assert found == [JournalGap("too-long", cursor(2), START + 2.0)]


# Whatever happens between reads.


class Model:
    """A journal of several boots, and a journalctl that prints from it.

    An entry is its number, its boot, and its seconds by the clock of that boot.
    """

    def __init__(self, refused: str = "") -> None:
        self.refused = refused  # an option that this journalctl does not take
        self.entries: list[tuple[int, str, int]] = []
        self.boots = ["0" * 32]
        self.count = 0
        self.clock = 100_000
        self.before = 0  # the highest time of the boots before this one
        self.file = 0

    def append(self, count: int) -> None:
        for _ in range(count):
            self.clock += 1
            self.entries.append((self.count, self.boots[-1], self.clock))
            self.count += 1

    def reboot(self, seconds: int) -> None:
        """Begin a boot whose clock goes on `seconds` later, or earlier."""
        self.boots.append(f"{len(self.boots):032x}")
        self.before = max(self.before, self.clock)
        self.clock += seconds

    def may_reboot(self, seen: list[int], clock_set_back: bool) -> bool:
        """Return whether all entries can still be told from those read before.

        Not in a boot of which nothing was read before the next, with the clock behind.
        """
        unread = {boot for number, boot, _ in self.entries if number not in seen}
        if clock_set_back and unread - {self.boots[-1]}:
            return False
        last = [(number, second) for number, boot, second in self.entries if boot == self.boots[-1]]
        is_ahead = all(second > self.before for _, second in last)
        return is_ahead or any(number in seen for number, _ in last)

    def output(self, argv: list[str], left: object) -> Iterator[bytes]:
        """Stand for journalctl._output, in chunks of an odd size."""
        if self.refused and any(word.startswith(self.refused) for word in argv):
            raise Refused(errno.EIO, "unrecognized option", "journalctl")
        if "--field=_BOOT_ID" in argv:
            yield b"".join(b"%s\n" % boot.encode() for boot in {e[1] for e in self.entries})
            return
        boots = {word.partition("=")[2] for word in argv if word.startswith("_BOOT_ID=")}
        chosen = [entry for entry in self.entries if not boots or entry[1] in boots]
        for word in argv:
            if word.startswith("--since="):
                since = round(float(word.partition("@")[2]) * 10**6)
                chosen = [e for e in chosen if (START + e[2]) * 10**6 >= since]
            elif word.startswith("--cursor="):
                boot = word.partition(";b=")[2][:32]
                second = int(word.partition(";m=")[2].partition(";")[0], 16) // 10**6
                assert boots == {boot}, "in the same boot monotonic time decides"
                chosen = [e for e in chosen if e[2] >= second]
        data = b"".join(
            line(number, __CURSOR=cursor(number, boot, f"{self.file:032x}", second),
                 __REALTIME_TIMESTAMP=str((START + second) * 10**6)) + b"\n"
            for number, boot, second in sorted(chosen, key=lambda entry: entry[2])
        )  # fmt: skip
        for offset in range(0, len(data), 97):
            yield data[offset : offset + 97]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("read"), st.integers(1, 6)),
        st.tuples(st.just("vacuum"), st.integers(1, 5)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("reboot"), st.integers(-1000, 9)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("refused", ["", "--field=", "--output-fields=", "--cursor="])
@given(steps=STEPS)
def test_each_entry_is_read_exactly_once_or_a_gap_is_said(
    refused: str, steps: list[tuple[str, int]]
) -> None:
    model = Model(refused)
    position = BEGINNING
    seen: list[int] = []
    gaps = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journalctl, "_output", model.output)
        patch.setattr(journal, "read_id", lambda paths, path: model.boots[-1])
        for step, count in [*steps, ("append", 1), ("read", 1000)]:
            if step == "append":
                model.append(count)
            elif step == "vacuum":
                del model.entries[:count]
            elif step == "flush":
                model.file += 1
            elif step == "reboot":
                if model.may_reboot(seen, count < 0):
                    model.reboot(count)
            else:
                reading = entries(Paths(), position, SSHD, time.monotonic() + 60)
                for done, item in enumerate(reading, 1):
                    position = advance(position, item)
                    if isinstance(item, JournalGap):
                        gaps += 1
                    else:
                        seen.append(int(item.message.split()[1]))
                    if done == count:
                        break
                reading.close()
    assert len(seen) == len(set(seen)), "none twice"
    missing = set(range(model.count)) - set(seen)
    assert not missing & {number for number, _, _ in model.entries}, "all that is still there"
    first_read = min(seen, default=model.count)
    assert gaps or not any(number > first_read for number in missing), "a gap is said"
