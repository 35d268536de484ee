"""`show`: what a look found, for people."""

from __future__ import annotations

import json
import sys
import time
from io import TextIOWrapper

from textfile_users.messages import WARNING, say
from textfile_users.metrics.unix_user import login_time
from textfile_users.model import (
    ACCOUNTS,
    CONNECTIONS,
    PROCESSES,
    SESSIONS,
    Session,
    Snapshot,
    Wanted,
)
from textfile_users.paths import Paths
from textfile_users.snapshot import look
from textfile_users.sources.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = ("USER", "TTY", "TYPE", "FROM", "SINCE")
# Widest that a column gets, so that a line fits 80 columns.
_WIDTHS = (16, 8, 11, 26, 16)


def show(
    paths: Paths,
    timeout: float,
    now: float | None,
    excluded: Callable[[str], bool] | None,
    as_json: bool,
) -> int:
    """Look once and print a table, or JSON; return 0, or 1 where sessions are not known."""
    snapshot = look(
        paths,
        time.time() if now is None else now,
        timeout,
        excluded,
        wanted=Wanted(collectors=(PROCESSES, SESSIONS, ACCOUNTS, CONNECTIONS)),
    )
    for fault in snapshot.faults:
        say(WARNING, fault)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every locale has every name
    print(format_json(snapshot) if as_json else format_table(snapshot))
    return 0 if snapshot.sessions is not None else 1


def format_json(snapshot: Snapshot) -> str:
    """Return the snapshot's sessions and sources as a JSON object."""
    sessions = snapshot.sessions
    content = {
        "time": snapshot.now,
        "sessions": None if sessions is None else [session._asdict() for session in sessions],
        "closing": snapshot.closing,
        "sources": {source.name: source.status for source in snapshot.sources},
    }
    return json.dumps(content, indent=2)


def format_table(snapshot: Snapshot) -> str:
    """Return the snapshot's sessions as lines of at most 80 columns, times in local time."""
    if snapshot.sessions is None:
        return "Not known who is logged in: no source of sessions could be read."
    closing = f"{snapshot.closing} more closing" if snapshot.closing else ""
    if not snapshot.sessions:
        return f"Nobody is logged in{'; ' if closing else ''}{closing}."
    rows = [_HEADER, *(_row(session) for session in snapshot.sessions)]
    widths = [
        min(limit, max(len(row[column]) for row in rows)) for column, limit in enumerate(_WIDTHS)
    ]
    lines = ["  ".join(_cell(*pair) for pair in zip(row, widths)).rstrip() for row in rows]
    users = len({session.user for session in snapshot.sessions})
    lines.append(
        f"{len(snapshot.sessions)} sessions of {users} users{', ' if closing else ''}{closing}"
    )
    return "\n".join(lines)


def _row(session: Session) -> tuple[str, ...]:
    origin = session.host or session.ip or "-"
    cells = (
        session.user,
        session.tty or "-",
        session.type,
        origin,
        login_time(session.start) or "-",
    )
    return tuple(printable(cell) for cell in cells)


def _cell(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
