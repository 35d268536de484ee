"""`nobody`: whether it is known that nobody is on, so that a reboot disturbs no one."""

from __future__ import annotations

import os
import time

from textfile_users.collecting import (
    ABSENT,
    ACCOUNTS,
    CONNECTIONS,
    OK,
    PROCESSES,
    SESSIONS,
    Wanted,
)
from textfile_users.console import ERROR, say
from textfile_users.reading.text import printable
from textfile_users.record import Record
from textfile_users.scan import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from textfile_users.collecting import SourceReport
    from textfile_users.paths import Paths
    from textfile_users.sessions.session import Session
    from textfile_users.snapshot import Snapshot

# Exit statuses. A traceback ends with 1, a shell that finds no program with 127: neither is 0.
NOBODY, SOMEBODY, NOT_KNOWN = range(3)
COLLECTORS = (PROCESSES, SESSIONS, ACCOUNTS, CONNECTIONS)
RECORDERS = ("utmp", "logind")  # what records a login, whatever the way in
SOURCES = (*RECORDERS, "procfs", "sockets")
# Their input moves no terminal's time; of the latter two the session outlives its connection.
DESKTOPS, VIEWED = ("x11", "wayland"), ("vnc", "rdp")
UNREAD = ("damaged", "partial")  # records that may have been a session's


class WhoCounts(Record):
    """Who counts as on: sessions of these ``types``, none of them for all.

    With ``idle``, in seconds, whoever has given no input for so long does not.
    """

    types: tuple[str, ...] = ()
    idle: float | None = None


class WhoIsOn(Record):
    """The sessions of those who are on, each with its last input, and why there may be more.

    The last input is in seconds since the epoch, None where it is not known.
    """

    sessions: tuple[tuple[Session, float | None], ...]
    doubts: tuple[str, ...]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.sessions:
            return SOMEBODY
        return NOT_KNOWN if self.doubts else NOBODY


def nobody(
    paths: Paths,
    wanted: Wanted,
    timeout: float,
    now: float | None,
    excluded: Callable[[str], bool] | None,
    counts: WhoCounts,
    form: str,
) -> int:
    """Scan once, print who is on as ``form`` says (lines, json, quiet), return the exit status.

    0: it is known that nobody is on; 1: somebody is; 2: it cannot be known, with the reasons on
    stderr. No log is read and nothing is written.
    """
    at = time.time() if now is None else now
    wanted = wanted._replace(collectors=COLLECTORS)
    snapshot, _ = scan(paths, at, wanted, timeout=timeout, excluded=excluded)
    answer = judge(snapshot, counts, has_records(paths.utmp()))
    if answer.status == NOT_KNOWN:
        for doubt in answer.doubts:
            say(ERROR, f"not known whether anybody is on: {doubt}")
    if form == "json":
        print(format_json(answer, at))
    elif form == "lines":
        for session, last_input in answer.sessions:
            print(format_line(session, last_input, at))
    return answer.status


def has_records(path: str) -> bool:
    """Return whether a utmp holds any record: an empty one is kept by no program."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def judge(snapshot: Snapshot, counts: WhoCounts, has_utmp: bool) -> WhoIsOn:
    """Return who is on, and all that keeps the scan from telling that nobody else is."""
    activities = snapshot.activities or {}
    found = []
    for session in snapshot.sessions or ():
        activity = activities.get(session.id)
        last_input = activity and activity.last_activity
        if is_on(session, last_input, snapshot, counts):
            found.append((session, last_input))
    return WhoIsOn(tuple(found), tuple(_doubts(snapshot, has_utmp)))


def is_on(
    session: Session, last_input: float | None, snapshot: Snapshot, counts: WhoCounts
) -> bool:
    """Return whether a session's user is on, as ``counts`` says.

    Where the last input cannot be known, as of a desktop and of SSH without a terminal, they are.
    But without a viewer, or detached, a session has nobody to give any.
    """
    if counts.types and session.type not in counts.types:
        return False
    if counts.idle is None or session.type in DESKTOPS:
        return True
    if session.type in VIEWED:
        connections = snapshot.connections
        return connections is None or any(one.service == session.type for one in connections)
    if last_input is None:
        return session.type != "multiplexer"
    return snapshot.now - last_input < counts.idle


def _doubts(snapshot: Snapshot, has_utmp: bool) -> list[str]:
    """Return why there may be more sessions than were found."""
    reports = {source.name: source for source in snapshot.sources}
    doubts = [doubt for name in SOURCES for doubt in _doubts_of(name, reports.get(name))]
    for name in snapshot.failed:  # also those that came to no end
        doubts += [fault for fault in snapshot.faults if fault.startswith(f"{name}: ")]
    recorders = {name for name in RECORDERS if name in reports and reports[name].status == OK}
    if not (recorders if has_utmp else recorders - {"utmp"}):
        doubts.append("neither utmp nor systemd-logind records logins here")
    if snapshot.dropped:
        doubts.append(f"{snapshot.dropped} sessions more than are kept")
    is_all = snapshot.sessions is not None and snapshot.whole
    if not doubts and not (is_all and set(snapshot.failed) <= {ACCOUNTS}):
        doubts.append("not all sources were read")
    return list(dict.fromkeys(doubts))


def _doubts_of(name: str, report: SourceReport | None) -> tuple[str, ...]:
    """Return what keeps a source from telling of every session."""
    if report is None or report.status == ABSENT:
        return () if name in RECORDERS else (f"{name}: there is none",)
    if report.status != OK:
        return report.faults or (f"{name} is {report.status}",)
    unread = [why for why, count in report.unusable if count and why in UNREAD]
    return (f"{name}: a {unread[0]} record",) if unread else ()


def format_line(session: Session, last_input: float | None, now: float) -> str:
    """Return a session as a line, times local: user, terminal, type, from where, since when."""
    stamp = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.start))
    words = [session.user or "?", session.tty or "-", session.type, session.origin or "-"]
    idle = "" if last_input is None else f", idle {max(0, now - last_input) // 60:.0f} min"
    return printable(f"{' '.join(words)} since {stamp}{idle}")


def format_json(answer: WhoIsOn, now: float) -> str:
    """Return the answer as a JSON object; `nobody` is null where it is not known."""
    import json

    content = {
        "time": now,
        "nobody": {NOBODY: True, SOMEBODY: False, NOT_KNOWN: None}[answer.status],
        "sessions": [
            {
                "user": one.user,
                "tty": one.tty,
                "type": one.type,
                "ip": one.ip,
                "host": one.host,
                "start": one.start,
                "last_activity": last_input,
            }
            for one, last_input in answer.sessions
        ],
        "doubts": answer.doubts,
    }
    return json.dumps(content, indent=2)
