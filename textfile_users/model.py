"""The plain immutable data that flows from the sources to the metric sets.

Times are seconds since the epoch. Text is as the source has it, with bytes that are not
UTF-8 escaped; bounds are the metric sets' business.
"""

from __future__ import annotations

from typing import Union

from textfile_users.record import Record

# What a source says of itself.
OK = "ok"
ABSENT = "absent"  # the host rightly lacks it: no fault
DENIED = "denied"
BROKEN = "broken"


class UtmpRecord(Record):
    """One sound record of a utmp, wtmp or btmp file, see utmp(5)."""

    type: int
    pid: int
    line: str
    id: str
    user: str
    host: str
    ip: str
    session: int
    time: float


class LogindSession(Record):
    """One session file of systemd-logind."""

    id: str
    user: str
    state: str
    class_: str
    type: str
    service: str
    tty: str
    host: str
    leader: int
    start: float


class Process(Record):
    """One living process; ``start`` is None where /proc does not show it to us."""

    pid: int
    comm: str
    ppid: int
    start: float | None


class Descent(Record):
    """Where a process comes from: its logind session's id or '', and its ancestors' pids."""

    session: str
    ancestors: tuple[int, ...]


NO_DESCENT = Descent("", ())


class Session(Record):
    """One person at work, seen by one or more sources, counted once."""

    id: str
    user: str
    tty: str
    type: str
    service: str
    host: str
    ip: str
    network: str
    start: float
    leader: int


class SourceReport(Record):
    """What a source says of itself: its status, faults to tell, and records left out."""

    name: str
    status: str
    faults: tuple[str, ...] = ()
    unusable: tuple[tuple[str, int], ...] = ()


class CollectorReport(Record):
    """How a collector did: ``seconds`` is what it took."""

    name: str
    success: bool
    seconds: float


# What a source saw, and why it counts or not.
Verdict = tuple[Union[UtmpRecord, LogindSession], str]


class Snapshot(Record):
    """All that one look found.

    ``sessions`` is None where no source of sessions could be read. ``recent`` holds the
    (user, type) pairs without a session now that had one within the last hour.
    """

    now: float
    sessions: tuple[Session, ...] | None
    dropped: int = 0
    closing: int = 0
    recent: tuple[tuple[str, str], ...] = ()
    sources: tuple[SourceReport, ...] = ()
    collectors: tuple[CollectorReport, ...] = ()
    faults: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
