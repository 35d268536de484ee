"""btmp: refused logins, for where no log of them can be read (utmp(5), lastb(1)).

sshd writes a record when a name is nobody's, and one for each refused attempt.
"""

from __future__ import annotations

from textfile_users.auth.attempts import REMEMBERED_SECONDS, AuthEvent
from textfile_users.auth.finding import FAILURE, finding
from textfile_users.model import UtmpRecord
from textfile_users.origin import parse_origin
from textfile_users.sources.utmp import INIT_PROCESS, USER_PROCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# Types of records that stand for an attempt; login writes LOGIN_PROCESS.
_TYPES = range(INIT_PROCESS, USER_PROCESS + 1)


def failures(
    records: Iterable[UtmpRecord], accounts: Collection[str], opened: dict[int, float]
) -> Iterator[AuthEvent]:
    """Yield a failure for each refused attempt.

    ``accounts`` are the names of the host's accounts, ``opened`` has the pids whose record of
    a name that is nobody's was seen, and when; it is added to.
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
        origin = parse_origin(record.host, record.ip)
        said = finding(
            FAILURE,
            "sshd" if is_ssh else "login",
            method="other",
            user=record.user,
            account=account,
            ip=origin.ip,
            host=origin.host,
            tty="" if is_ssh else record.line,
        )
        yield AuthEvent(record.time, record.pid, 0, said)
