"""Records of wtmp become logins, logouts and boots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, Record, pack_all
from textfile_users.history.wtmp import HistoryEntry, begins_login, entries
from textfile_users.sessions.utmp import parse_utmp

TIME = BOOT + 5_000


def entries_of(*records: Record) -> list[HistoryEntry]:
    return list(entries(parse_utmp(pack_all(list(records))).records))


def test_a_day_of_a_host_is_told_in_order() -> None:
    assert entries_of(
        Record(type=2, user="reboot", line="~", pid=0, time=BOOT, host="6.1.0-18-amd64", id="~~"),
        Record(type=1, user="runlevel", line="~", pid=53, time=BOOT + 3, id="~~"),
        Record(type=5, user="", line="tty1", pid=600, time=BOOT + 4, id="tty1"),
        Record(type=6, user="LOGIN", line="tty1", pid=600, time=BOOT + 5, id="tty1"),
        Record(user="alice", line="pts/0", pid=1000, time=TIME, host="192.0.2.7", ip="192.0.2.7"),
        Record(user="bob", line="tty1", pid=600, time=TIME + 1, id="tty1"),
        Record(type=8, user="", line="pts/0", pid=1000, time=TIME + 60),
        Record(type=8, user="bob", line="tty1", pid=601, time=TIME + 90, id="tty1"),
        Record(type=1, user="shutdown", line="~", pid=0, time=TIME + 99, id="~~"),
    ) == [
        HistoryEntry("boot", BOOT),
        HistoryEntry("login", TIME, "alice", "pts/0", 1000, ip="192.0.2.7", type="ssh"),
        HistoryEntry("login", TIME + 1, "bob", "tty1", 600, type="tty"),
        HistoryEntry("logout", TIME + 60, tty="pts/0", pid=1000),
        HistoryEntry("logout", TIME + 90, tty="tty1", pid=601),
        HistoryEntry("shutdown", TIME + 99),
    ]


@pytest.mark.parametrize(
    ("line", "host", "ip", "expected", "why"),
    [
        ("pts/0", "client.example.org", "192.0.2.7", ("client.example.org", "192.0.2.7"),
         "sshd with UseDNS writes both"),
        ("pts/0", "2001:db8::1", "", ("", "2001:db8::1"), "the name is an address"),
        ("pts/0", "192.0.2.7 via mosh [99]", "", ("", "192.0.2.7"), "mosh is a login of its own"),
        ("pts/0", "mosh [99]", "", ("", ""), "mosh, whose client is silent"),
        (":0", ":0", "", ("", ""), "a desktop"),
        ("tty2", ":0", "", ("", ""), "a desktop on its virtual terminal"),
        ("/dev/tty3", "", "", ("", ""), "some write the whole path"),
        ("ftpd123", "192.0.2.9", "", ("", "192.0.2.9"), "a line that is no terminal"),
    ],
)  # fmt: skip
def test_these_are_logins(
    line: str, host: str, ip: str, expected: tuple[str, str], why: str
) -> None:
    (entry,) = entries_of(Record(line=line, host=host, ip=ip))
    assert (entry.event, entry.tty) == ("login", line.replace("/dev/", ""))
    assert (entry.host, entry.ip) == expected


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (Record(host="tmux(1555).%0"), "a window of tmux"),
        (Record(host=":pts/3:S.0"), "a window of screen"),
        (Record(host="192.0.2.7:S.0"), "a window of screen, which keeps the host"),
        (Record(host=":0"), "a terminal on the desktop"),
        (Record(host="localhost:10.0"), "a terminal of X11 forwarding"),
        (Record(host=""), "a terminal that libutempter writes without a host"),
        (Record(user="", host="192.0.2.7"), "it names nobody"),
        (Record(type=6, user="LOGIN", line="tty1"), "a getty waits"),
        (Record(pid=0, line="", user="hunter2"), "sddm refused what was typed as a name"),
        (Record(pid=-1, line=" ", user="hunter2", host=":0"), "likewise"),
        (Record(type=1, user="runlevel", line="~", pid=ord("5") + 256 * ord("N")), "it has booted"),
        (Record(type=8, user="shutdown", line=""), "no shutdown, but a user of that name"),
        (Record(type=3, user="date", line="|", pid=0), "the clock was set"),
        (Record(type=8, user="alice", line="", pid=1000), "a logout that names no terminal"),
        (Record(type=9, user="alice", line="pts/0"), "accounting"),
    ],
)
def test_these_are_no_turns(record: Record, why: str) -> None:
    assert entries_of(Record(type=2, user="reboot", line="~"), record)[1:] == []


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (Record(type=1, user="shutdown", line="~", pid=0), "systemd and halt(8)"),
        (Record(type=2, user="shutdown", line="~", pid=0), "with the type of a boot"),
        (Record(type=1, user="runlevel", line="~", pid=ord("6") + 256 * ord("5")), "init: reboot"),
        (Record(type=1, user="runlevel", line="~", pid=ord("0") + 256 * ord("5")), "init: halt"),
    ],
)
def test_these_are_shutdowns(record: Record, why: str) -> None:
    assert [entry.event for entry in entries_of(record)] == ["shutdown"], why


def test_a_record_with_a_process_or_a_terminal_is_a_login() -> None:
    found = entries_of(Record(pid=0, line="tty7", host=":0"), Record(pid=700, line="", host=":0"))
    assert [(entry.user, entry.tty, entry.pid) for entry in found] == [
        ("alice", "tty7", 0),
        ("alice", "", 700),
    ]


def test_a_pid_that_is_none_is_unknown() -> None:
    found = entries_of(
        Record(pid=-1, host="192.0.2.7"), Record(type=8, user="", pid=-1), Record(pid=0, host="a")
    )
    assert [entry.pid for entry in found] == [0, 0, 0]


@pytest.mark.parametrize(
    "service",
    [
        "",
        "sshd",
        "login",
        "gdm-password",
        "sudoers",
        "crontab",
        "remote",
        "cockpit",
        "su-lax",
        "vsftpd",
    ],
)
def test_services_of_logins(service: str) -> None:
    assert begins_login(service)


@pytest.mark.parametrize(
    "service",
    [
        "su",
        "su-l",
        "sudo",
        "sudo-i",
        "systemd-run0",
        "cron",
        "systemd-user",
        "gdm-launch-environment",
        "greetd-greeter",
        "runuser-l",
        "doas",
        "polkit-1",
        "dovecot",
        "samba",
    ],
)
def test_services_that_begin_no_login(service: str) -> None:
    assert not begins_login(service)


@given(st.binary(max_size=384 * 6), st.sampled_from([b"", b"\7\0\0\0", b"\10\0\0\0"]))
def test_any_record_gives_at_most_one_turn(data: bytes, start: bytes) -> None:
    records = parse_utmp(start + data).records
    found = list(entries(records))
    assert len(found) <= len(records)
    assert all(entry.event != "login" or entry.user for entry in found)
    assert all(entry.event != "logout" or entry.tty for entry in found)
    assert all(entry.pid >= 0 for entry in found)
