"""Every decoder of the program: what it is called with, real bytes, and what it may raise."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.hosts import BOOT, NOW, PASSWD, Record, pack_all
from tests.test_journal import line as journal_line
from tests.test_lastlog import pack as pack_lastlog
from tests.test_memory import SAMPLE
from tests.test_older_memory import OLD_DURABLE, OLD_VOLATILE
from tests.test_patterns import ALL
from tests.test_sockets import line as socket_line
from tests.test_sockets import listening
from textfile_users import older_memory
from textfile_users.accounts import account as accounts
from textfile_users.accounts.nss import parse_answers
from textfile_users.accounts.passwd import find_entries, find_groups, parse_passwd
from textfile_users.auth import log_forms as forms
from textfile_users.auth import log_lines as authlog
from textfile_users.auth.journal_entry import parse_entry
from textfile_users.auth.journal_files import parse_header
from textfile_users.auth.logs import AuthNotes
from textfile_users.auth.message import find
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.stamps import Stamps
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.sockets import parse_activity, parse_connections, parse_table
from textfile_users.events import read_log
from textfile_users.history.btmp import failures
from textfile_users.history.lastlog import SIZES, parse_lastlog
from textfile_users.history.wtmp import entries
from textfile_users.memory import Volatile
from textfile_users.processes.collect_processes import (
    ProcessesMemory,
    Usage,
    parse_cpu_stat,
    parse_cpuacct_usage,
)
from textfile_users.processes.process_table import parse_uid
from textfile_users.processes.procfs import (
    parse_boot_time,
    parse_cgroup,
    parse_root_cgroup,
    parse_stat,
    parse_title,
)
from textfile_users.reading import lines, localtime
from textfile_users.reading.addresses import ip_of_record, parse_ip
from textfile_users.reading.text import decode, printable
from textfile_users.sessions.activity import parse_command
from textfile_users.sessions.collect_sessions import SessionsMemory
from textfile_users.sessions.logind import parse_session
from textfile_users.sessions.utmp import LAYOUTS, parse_origin, parse_utmp
from textfile_users.setup.settings import parse_settings
from textfile_users.state_files import (
    _end_of,
    format_durable,
    format_volatile,
    parse_durable,
    parse_volatile,
)

Exceptions = tuple[type[Exception], ...]
STAT = b"1000 (a) (b) S 1 1000 1000 34816 1000 4194560 1 2 3 4 5 6 7 8 20 0 1 0 500 1000 200 18446"
STAMP = b"2025-12-07T09:33:20.123456+00:00 host "
LINES = (
    STAMP + b"sshd[1]: Failed password for root from 192.0.2.7 port 1 ssh2",
    b"Dec  7 09:33:20 host sshd[1]: [ID 800047 auth.info] Invalid user x from 192.0.2.7",
    b'<38>1 2025-12-07T09:33:20Z host sshd 1 ID47 [a@1 b="c"][d] \xef\xbb\xbfInvalid user x',
    b"Dec  7 09:33:20 host sshd(pam_unix)[1]: check pass; user unknown",
    b"Dec  7 09:33:20 last message repeated 2 times",
    b"Dec  7 09:33:20 host [sshd] Accepted",
    b"Sun Dec  7 09:33:20 2025 [1765099999.123] auth.info sshd[1]: Accepted",
    b"Sun 2025-12-07 09:33:20 CET host ssh@1-192.0.2.1:22.service[1]: Accepted",
    b"2025-12-07T09:33:20.12345 auth.info: Dec  7 09:33:20 host sshd[1]: Accepted",
    b"@400000006935489a00000000 192.0.2.1: auth.info: sshd[1]: Accepted",
    b'2025-12-07T09:33:20Z host sshd 1 - [a b="\\"\\]"][c d="e" f=""]  Accepted',
    b"Dec  7 09:33:20 <auth.info> host auth|security:info /usr/sbin/sshd(a)[1]: Accepted",
    b"[    1.234567 <    0.000001 >] host Message forwarded from a: sshd[1]: Accepted",
    b"1765099999.123456 host sshd[1]: Accepted",
    b'{"a": "b", "SYSLOG_IDENTIFIER": "sshd"} weird|sshd[1]: sudo 1 - - a',
)
MESSAGES = [message for samples in ALL for message, _ in samples.known]


class Decoder(NamedTuple):
    """What is called with bytes like the samples, and what it says that it raises."""

    name: str
    call: Callable[[bytes], object]
    samples: tuple[bytes, ...]
    raises: Exceptions = ()


def _exhaust(found: Iterable[object]) -> None:
    for _ in found:
        pass


def _message(data: bytes) -> None:
    for program in PROGRAMS:
        find(program, data)


def _records(layout: str) -> Callable[[bytes], object]:
    def records(data: bytes) -> None:
        found = parse_utmp(data, layout).records
        _exhaust(entries(found))
        _exhaust(failures(found, {"alice"}, {}, {}))

    return records


def _lastlog(data: bytes) -> object:
    records = {
        size: {uid: data[uid * size : (uid + 1) * size] for uid in range(3)} for size in SIZES
    }
    return parse_lastlog(records, len(data), NOW)


def _rows(data: bytes) -> bytes:
    """Return a state file without its last line."""
    return data[: data.rindex(b"\n", 0, -1) + 1]


def zone(rule: str) -> bytes:
    """Return a file of the time zone that a rule of POSIX tells (RFC 8536)."""
    head = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    part = head + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return part + part + f"\n{rule}\n".encode()


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


def _zone(data: bytes) -> object:
    local = localtime._of_zone(data)
    return Stamps(NOW, local).time_of(b"Oct 25 02:30:00")


def _stamp(data: bytes) -> object:
    return Stamps(NOW, localtime.own_time).time_of_line(data)


RECORDS = [
    Record(),
    Record(type=8),
    Record("reboot", "~", 0, BOOT, type=2),
    Record(type=6, ip="::1"),
]
VOLATILE = Volatile(
    SessionsMemory(
        {("1", "alice", "pts/0", "ssh", "utmp", "utmp"): 5.0},
        {("alice", "ssh"): 6.0},
        {("alice", "utmp", "utmp", "pts/0"): 7.0},
    ),
    accounts.NOTHING,
    ProcessesMemory(
        Usage({0: 1.0}, {0: 2.0}, {(1, 2): 3.0}, 4), {(1, 2): ("1", 1000, 1000, 1000)}, 5.0
    ),
    ConnectionsMemory(),
    AuthNotes(("x", 1.0)),
    {"fault": 8.0},
)
ACCOUNTS = PASSWD.encode()

DECODERS = (
    *(
        Decoder(
            "utmp " + (layout or "any"),
            _records(layout),
            tuple(
                pack_all(RECORDS, size, order) for size in (384, 400) for order in ("little", "big")
            ),
        )
        for layout in ("", *LAYOUTS)
    ),
    Decoder(
        "lastlog",
        _lastlog,
        tuple(
            pack_lastlog(size, order, BOOT) * 3
            for size in (292, 296)
            for order in ("little", "big")
        ),
    ),
    Decoder(
        "logind session",
        lambda data: parse_session("1", data),
        (b'USER=alice\nTYPE=tty\nTTY=/dev/pts/0\nREMOTE_HOST="a\\x20b"\nLEADER=1\nREALTIME=1\n',),
        (ValueError,),
    ),
    Decoder("log", lambda data: _exhaust(read_log(io.BytesIO(data), False, NOW)), LINES),
    Decoder("log, unmatched", lambda data: _exhaust(read_log(io.BytesIO(data), True, NOW)), LINES),
    Decoder("lines", lambda data: _exhaust(authlog.parse_lines(data)), LINES),
    Decoder("stamp", _stamp, LINES),
    Decoder("journal header", parse_header, (b"LPKSHHRH" + bytes(range(200)),)),
    Decoder("naming", forms.naming, LINES),
    Decoder("message", _message, tuple(MESSAGES)),
    Decoder("log bytes", lambda data: lines.take_lines(data, False, True), (b"a\0b\n",)),
    Decoder("journal", parse_entry, (journal_line(1),)),
    Decoder("stat", parse_stat, (STAT,), (ValueError,)),
    Decoder("status", parse_uid, (b"Name:\ta\nUid:\t1000\t1000\t1000\t1000\n",)),
    Decoder("cgroup", parse_cgroup, (b"0::/user.slice/user-1000.slice/session-1.scope\n",)),
    Decoder("root cgroup", parse_root_cgroup, (b"1:name=systemd:/lxc/1/init.scope\n",)),
    Decoder("title", parse_title, (b"sshd: alice@pts/0,pts/1\0", b"sshd-session: a@notty\0")),
    Decoder("command", lambda data: parse_command(data, "vi"), (b"/usr/bin/vi\0-R\0file\0",)),
    Decoder("/proc/stat", parse_boot_time, (b"cpu 1 2 3\nbtime 1765000000\n",)),
    Decoder("cpu.stat", parse_cpu_stat, (b"usage_usec 100\nuser_usec 50\n",)),
    Decoder("cpuacct.usage", parse_cpuacct_usage, (b"1000000\n",)),
    Decoder(
        "net/tcp",
        lambda data: parse_connections(parse_table(data.split(b"\n"))[1], {22}),
        (socket_line() + b"\n" + listening("::", 22),),
    ),
    Decoder(
        "net/snmp", parse_activity, (b"Tcp: ActiveOpens PassiveOpens CurrEstab\nTcp: 1 2 3\n",)
    ),
    Decoder("passwd", parse_passwd, (ACCOUNTS,)),
    Decoder("passwd entries", lambda data: find_entries(data, {"alice"}, {0, 1000}), (ACCOUNTS,)),
    Decoder(
        "group", lambda data: find_groups(data, {0, 100}), (b"root:x:0:\nusers:x:100:alice,bob\n",)
    ),
    Decoder(
        "nss", lambda data: parse_answers(data, 0.0), (b"uid\0001000\0alice\0001000\000100\0A\0",)
    ),
    # Damage is found by the checksum; a file of another program may have the right one.
    Decoder(
        "durable",
        lambda data: parse_durable(data + _end_of(data)),
        (_rows(format_durable(SAMPLE)),),
        (ValueError,),
    ),
    Decoder(
        "volatile",
        lambda data: parse_volatile(data + _end_of(data), "b"),
        (_rows(format_volatile(VOLATILE, "b")),),
        (ValueError,),
    ),
    Decoder(
        "older durable",
        lambda data: older_memory.parse_durable(data + older_memory._end_of(data)),
        (OLD_DURABLE,),
        (ValueError,),
    ),
    Decoder(
        "older volatile",
        lambda data: older_memory.parse_volatile(data + older_memory._end_of(data), "b"),
        (OLD_VOLATILE,),
        (ValueError,),
    ),
    Decoder(
        "origin",
        lambda data: parse_origin(decode(data)),
        (
            b"tmux(1).%0",
            b":pts/3:S.0",
            b"192.0.2.7 via mosh [1]",
            b"localhost:10.0",
            b"::ffff:192.0.2.7",
        ),
    ),
    Decoder("zone", _zone, (zone(BERLIN), zone(BERLIN)[:-1], zone(BERLIN)[:-28])),
    Decoder(
        "address", lambda data: parse_ip(decode(data)), (b"2001:db8::192.0.2.1%eth0", b"192.0.2.7")
    ),
    Decoder(
        "address bytes", lambda data: ip_of_record(data[:16].ljust(16, b"\0")), (b"\xc0\0\2\7",)
    ),
    Decoder("printable", lambda data: printable(decode(data)), (b"a\x1b[31m\xff\n",)),
    Decoder(
        "settings",
        lambda data: parse_settings(decode(data)),
        (b'OPTIONS="--network a=192.0.2.0/24"\nTEXTFILE_DIRECTORY=/x\n# c\nSSH_PORTS=22\n',),
    ),
)
