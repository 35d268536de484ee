"""btmp: refused logins, for where no log of them can be read (utmp(5), lastb(1)).

sshd (10.0, its loginrec.c) writes a record when a name is nobody's, and one for each refused
attempt. login and su (util-linux 2.42, su-common.c), sddm (0.21, HelperApp.cpp), lightdm (1.32,
session-child.c) and gdm write one for each.
"""

from __future__ import annotations

from binascii import crc32

from textfile_users.auth_event import ESCALATION_FAILURE, FAILURE, AuthEvent, finding
from textfile_users.logins import REMEMBERED_SECONDS
from textfile_users.sessions.session import NOWHERE, is_nobodys, is_terminal, line_of
from textfile_users.sessions.utmp import (
    INIT_PROCESS,
    LOGIN_PROCESS,
    USER_PROCESS,
    Origin,
    UtmpRecord,
    parse_origin,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from textfile_users.auth_event import Finding

# What util-linux' programs write where the name is nobody's.
_NOBODY = ("(unknown)", "UNKNOWN")
# Types of records that stand for an attempt; login writes LOGIN_PROCESS.
_TYPES = range(INIT_PROCESS, USER_PROCESS + 1)


def failures(
    records: Iterable[UtmpRecord],
    accounts: Collection[str],
    opened: dict[int, float],
    told: dict[int, float],
) -> Iterator[AuthEvent]:
    """Yield a failure for each refused attempt; records that are the same to the second are one.

    ``accounts`` are the names of the host's accounts, ``opened`` has the pids whose record of
    a name that is nobody's was seen, and when, ``told`` checksums of the records that counted
    and their times; both are added to.
    """
    for record in records:
        if record.type not in _TYPES:
            continue
        is_ssh = record.line.startswith("ssh")
        account = "valid" if record.user in accounts else "invalid"
        if is_ssh and account == "invalid":
            began = opened.pop(record.pid, None)
            is_first = began is None or abs(record.time - began) >= REMEMBERED_SECONDS
            opened[record.pid] = record.time  # the newest comes last
            if is_first:
                continue
        same = crc32(repr((*record[:-1], int(record.time))).encode())
        if same not in told:
            told[same] = record.time
            yield AuthEvent(record.time, record.pid, 0, _said(record, account))


def _said(record: UtmpRecord, account: str) -> Finding:
    origin = parse_origin(record.host, record.ip)
    program = _program(record, origin)
    user = "" if record.user in _NOBODY else record.user
    if program == "su":  # whose record names the account that was asked for
        return finding(ESCALATION_FAILURE, program, target=user, tty=line_of(record))
    return finding(
        FAILURE,
        program,
        method="other",
        user=user,
        account=account,
        ip=origin.ip,
        host=origin.host,
        tty="" if program == "sshd" else record.line,
    )


def _program(record: UtmpRecord, origin: Origin) -> str:
    """Return which program writes such a record."""
    line = line_of(record)
    if line.startswith("ssh"):
        return "sshd"
    if is_nobodys(record):
        return "sddm"
    if not line and record.type == LOGIN_PROCESS and origin == NOWHERE:
        return "su"  # without a terminal
    if origin.kind in ("x11", "wayland") or not line or line.startswith((":", "seat")):
        return "other"  # a display manager
    # login on a pseudo terminal is telnetd's, and has a host.
    return "su" if line.startswith("pts/") and is_terminal(line) and origin == NOWHERE else "login"
