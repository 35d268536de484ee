"""The `unix-user` set: sessions of users and by address (docs/migration.md)."""

from __future__ import annotations

import time

from textfile_users.metrics.family import Family, count_by, gauge, info, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.snapshot import Snapshot


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families, none where sessions are not known."""
    sessions = snapshot.sessions
    if sessions is None:
        return
    count = float(len(sessions))
    yield gauge("unix_users_logged_in_total", "Open sessions.", (), [((), count)])
    rows = [
        (label(one.user), label(one.written or "-"), label(one.tty), login_time(one.start))
        for one in sessions
    ]
    labels = "username", "from", "tty", "login_time"
    yield info("unix_user_session_info", "A session; always 1.", labels, rows)
    yield gauge(
        "unix_user_session_count",
        "Sessions of a user.",
        ("username",),
        count_by((session.user,) for session in sessions),
    )
    yield gauge(
        "unix_user_session_by_ip",
        "Sessions from an address.",
        ("ip",),
        count_by((session.written,) for session in sessions if session.written),
    )


def login_time(start: float) -> str:
    """Return a time as ``2025-07-23 14:16``, local time, '' for one that is not known."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(start)) if start else ""
    except (OverflowError, ValueError, OSError):  # a damaged record's year
        return ""
