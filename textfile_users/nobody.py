"""`nobody`: whether anyone is logged in, for what must not happen while somebody is.

Only where it is known that nobody is on the status is 0: what cannot be read may hide somebody.
"""

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
from textfile_users.console import ERROR, put, say
from textfile_users.reading.text import printable
from textfile_users.record import Record
from textfile_users.scan import scan
from textfile_users.sessions.session import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textfile_users.paths import Paths
    from textfile_users.sessions.session import Session
    from textfile_users.snapshot import Snapshot

COLLECTORS = (SESSIONS, PROCESSES, ACCOUNTS, CONNECTIONS)  # no log, and nothing of the past
NOBODY, SOMEBODY, NOT_KNOWN = 0, 1, 2  # the exit status
RECORDERS = ("utmp", "logind")  # a host may have one of them alone
SOURCES = (*RECORDERS, "procfs", "sockets")
HALF_READ = ("damaged", "partial")
GRAPHICAL = ("x11", "wayland")  # the server reads keys and mouse, and the terminal's time stands
VIEWED = ("vnc", "rdp")  # these go on without a connection
DETACHED = "multiplexer"  # whoever attaches it has a session of their own


class Who(Record):
    """Who counts: those of session ``types``, () for all, with input within ``idle`` seconds.

    ``idle`` is None where idle ones count, too. ``excluded`` tells which users do not.
    """

    idle: float | None = None
    types: tuple[str, ...] = ()
    excluded: Callable[[str], bool] | None = None


def nobody(
    paths: Paths,
    wanted: Wanted,
    who: Who,
    timeout: float,
    now: float | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Scan once; print a line a session that counts, or JSON, or nothing. Returns the status.

    Why it is not known whether anyone is on is said on stderr. It reads no log, writes nothing.
    """
    at = time.time() if now is None else now
    wanted = wanted._replace(collectors=COLLECTORS)
    snapshot, _ = scan(paths, at, wanted, timeout=timeout, excluded=who.excluded)
    here = tuple(one for one in snapshot.sessions or () if _is_here(one, snapshot, who))
    doubts = (*doubts_of(snapshot), *_of_no_recorder(paths, snapshot))
    status = SOMEBODY if here else NOT_KNOWN if doubts else NOBODY
    if as_json and not quiet:
        put(_as_json(here, doubts, snapshot))
    elif not quiet:
        for session in here:
            put(_line(session, snapshot))
    for doubt in doubts if status == NOT_KNOWN else ():
        say(ERROR, f"not known whether anyone is on: {doubt}")
    return status


def doubts_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Return why there may be sessions that the snapshot has not, () where it has all."""
    return snapshot.faults or tuple(_unsaid(snapshot))


def _unsaid(snapshot: Snapshot) -> Iterator[str]:
    """Yield what is lacking, of which no fault tells."""
    for name in snapshot.failed:
        yield f"the collector {name} failed"
    sources = {source.name: source for source in snapshot.sources}
    for name in SOURCES:
        source = sources.get(name)
        rightly = (OK, ABSENT) if name in RECORDERS else (OK,)
        if source is None or source.status not in rightly:
            yield f"{name} cannot be read"
        elif any(count for reason, count in source.unusable if reason in HALF_READ):
            yield f"{name} was not read whole"
    if snapshot.sessions is None:
        yield "no source of sessions can be read"
    if not snapshot.whole or snapshot.activities is None:
        yield "not all processes and connections are known"
    if snapshot.dropped:
        yield f"{snapshot.dropped} sessions are more than are kept"


def _of_no_recorder(paths: Paths, snapshot: Snapshot) -> Iterator[str]:
    """Yield a doubt where no program records logins: one that keeps a utmp begins it at boot."""
    statuses = {source.name: source.status for source in snapshot.sources}
    try:
        is_empty = os.stat(paths.utmp()).st_size == 0
    except OSError:
        return
    if is_empty and statuses.get("logind") != OK:
        yield "utmp is empty, and systemd-logind does not run"


def _is_here(session: Session, snapshot: Snapshot, who: Who) -> bool:
    """Return whether a session counts; where its input cannot be known it does."""
    if who.types and session.type not in who.types:
        return False
    if who.idle is None or session.type in GRAPHICAL:
        return True
    if is_terminal(session.tty):
        last = _last_input(session, snapshot)
        return last is None or last > snapshot.now - who.idle
    if session.type in VIEWED and snapshot.connections is not None:
        return any(one.service == session.type for one in snapshot.connections)
    return session.type != DETACHED


def _last_input(session: Session, snapshot: Snapshot) -> float | None:
    activity = (snapshot.activities or {}).get(session.id)
    return activity.last_activity if activity else None


# What is printed.


def _line(session: Session, snapshot: Snapshot) -> str:
    place = f" on {session.tty}" if session.tty else ""
    source = f" from {session.origin}" if session.origin else ""
    last = _last_input(session, snapshot)
    idle = f", no input for {max(0, int(snapshot.now - last))} s" if last is not None else ""
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.start))
    return printable(f"{session.user}: {session.type}{place}{source} since {began}{idle}")


def _as_json(here: tuple[Session, ...], doubts: tuple[str, ...], snapshot: Snapshot) -> str:
    """Return a JSON object; ``nobody`` is null where that is not known."""
    import json  # as much as a third of a scan

    content = {
        "time": snapshot.now,
        "nobody": False if here else None if doubts else True,
        "sessions": [
            {
                "session": one.id,
                "user": one.user,
                "session_type": one.type,
                "tty": one.tty,
                "host": one.host,
                "ip": one.ip,
                "start": one.start,
                "last_activity": _last_input(one, snapshot),
            }
            for one in here
        ],
        "doubts": doubts,
    }
    return json.dumps(content, indent=2)
