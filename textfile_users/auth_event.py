"""What happened, as `events` prints it and as it is counted: by a log, or by btmp."""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUCCESS = "success"
FAILURE = "failure"
PROBE = "probe"
SESSION_OPENED = "session-opened"
SESSION_CLOSED = "session-closed"
ESCALATION = "escalation"
ESCALATION_FAILURE = "escalation-failure"
IRRELEVANT = "irrelevant"


class Finding(Record):
    """What a message says; what it does not say is empty.

    ``kind`` is how a connection ended, and UNCLEAR where a message may name several targets;
    ``pid`` the process that the message is about where it is another than the one that wrote it,
    and of sudo's escalations a number that stands for the text of the line.
    """

    event: str
    service: str
    method: str
    user: str
    account: str
    ip: str
    host: str
    port: int
    times: int
    target: str
    tty: str
    kind: str
    pid: int


NOTHING = Finding(IRRELEVANT, "", "", "", "", "", "", 0, 1, "", "", "", 0)


class AuthEvent(Record):
    """Something that happened: ``time`` in seconds since the epoch, ``line`` in its log."""

    time: float
    pid: int
    line: int
    said: Finding


def finding(event: str, service: str, **said: Any) -> Finding:
    """Return a finding of which only some fields are said; slower than Finding itself."""
    return NOTHING._replace(event=event, service=service, **said)
