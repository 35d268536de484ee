"""The table that `show` prints: sessions, failures, faults."""

from __future__ import annotations

import time
from textwrap import wrap

from textfile_users.collecting import (
    BROKEN,
    DENIED,
)
from textfile_users.reading.text import printable
from textfile_users.record import Record
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.snapshot import Snapshot
from textfile_users.terminal import CUT, Column, cut, style, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from textfile_users.terminal import Cell


MINUTE, HOUR, DAY = 60, 3600, 86_400
TOP = 5  # addresses
FEW_LINES = 20  # on a screen with less there is room for sessions alone
NOTHING_KNOWN = Activity(None, None, None)
NONE = "-"


class Page(Record):
    """Where a table is drawn: its columns, its lines (0 for any number), and what it can show."""

    columns: int = 80
    lines: int = 0
    colour: bool = False
    encoding: str = "utf-8"


class Failures(Record):
    """The failures of the last hour from one address, or of one network of IPv6 addresses.

    ``last`` is the minute of the last one in seconds since the epoch, ``users`` those of the
    host who were tried, most often first; '' stands for all names that it does not know.
    """

    ip: str
    network: str
    times: int
    last: float
    users: tuple[str, ...]


class View(Record):
    """A scan, and what comes of those before it.

    ``failures`` are None where they are not known, and ``partial`` where some may be missing.
    ``percent`` is by the session's id what its processes have used since the scan before of one
    processor; None on the first scan.
    """

    snapshot: Snapshot
    failures: tuple[Failures, ...] | None
    partial: bool = False
    percent: Mapping[str, float] | None = None


def format_table(view: View, page: Page = Page(), commands: bool = False) -> str:  # noqa: B008
    """Return the view as lines that fit the page, times in local time."""
    below = [*_failure_lines(view, page), *_fault_lines(view.snapshot, page)]
    room = page.lines and max(1, page.lines - len(below))
    lines = [*_session_lines(view, page, commands, room), *below]
    return "\n".join(lines[: page.lines] if page.lines else lines)


def _session_lines(view: View, page: Page, commands: bool, room: int) -> list[str]:
    """Return the lines of sessions, the newest where there is no ``room`` for all."""
    snapshot = view.snapshot
    sessions = snapshot.sessions
    if sessions is None:
        why = "Not known who is logged in: no source of sessions could be read."
        return _wrapped(why, page, "red")
    more = f"; {snapshot.closing} more closing" if snapshot.closing else ""
    more += f"; {snapshot.dropped} left out" if snapshot.dropped else ""
    if not sessions:
        return _wrapped(f"Nobody is logged in{more}.", page)
    users = len({one.user for one in sessions})
    shown = sessions
    if room and len(sessions) > room - 2:
        shown = sessions[len(sessions) - max(0, room - 2) :]
        more += f"; the newest {len(shown)} are shown"
    summary = f"{_number(len(sessions), 'session')} of {_number(users, 'user')}{more}"
    return [*_session_table(shown, view, page, commands), *_wrapped(summary, page)]


def _session_table(
    sessions: tuple[Session, ...], view: View, page: Page, commands: bool
) -> list[str]:
    networks = any(one.network not in ("", "local") for one in sessions)
    columns = (
        Column("USER", 8),
        Column("TTY", 5),
        Column("TYPE", 3),
        Column("FROM", 11),
        *((Column("NETWORK", 4),) if networks else ()),
        Column("SINCE"),
        Column("IDLE", right=True),
        Column("CPU" if view.percent is None else "%CPU", right=True),
        Column("MEM", right=True),
        *((Column("COMMAND", 10),) if commands else ()),
    )
    activities = view.snapshot.activities or {}

    def row(one: Session) -> list[Cell]:
        activity = activities.get(one.id, NOTHING_KNOWN)
        return [
            (one.user, "red" if one.user == "root" else ""),
            (one.tty, ""),
            (one.type, ""),
            (one.host or one.ip, ""),
            *(((one.network, ""),) if networks else ()),
            (_since(one.start, view.snapshot.now), ""),
            _idle(activity, view.snapshot.now),
            (_cpu(one, activity, view.percent), ""),
            ("" if activity.cpu is None else size(activity.resident), ""),
            *(((printable(activity.command), ""),) if commands else ()),
        ]

    return _table(columns, [row(one) for one in sessions], page)


def _failure_lines(view: View, page: Page) -> list[str]:
    """Return the lines of the last hour's failures: the addresses with most, and how many more."""
    failures = view.failures
    if failures is None:
        return _wrapped("Failures of the last hour: not known, no log of them was read.", page)
    total = sum(one.times for one in failures)
    partial = "; some may be missing" if view.partial else ""
    if not total:
        return _wrapped(f"No failures in the last hour{partial}.", page)
    summary = f"{_number(total, 'failure')} in the last hour from "
    summary += _number(len(failures), "address", "addresses")
    if 0 < page.lines < FEW_LINES:
        return _wrapped(summary + partial, page)
    if len(failures) > TOP:
        rest = sum(one.times for one in failures[TOP:])
        summary += f", {rest} of them from {len(failures) - TOP} more"
    rows = _failure_table(failures[:TOP], view.snapshot.now, page)
    return ["", *rows, *_wrapped(summary + partial, page)]


def _failure_table(failures: tuple[Failures, ...], now: float, page: Page) -> list[str]:
    networks = any(one.network for one in failures)
    columns = (
        Column("FAILURES", right=True),
        Column("FROM", 11),
        *((Column("NETWORK", 4),) if networks else ()),
        Column("LAST"),
        Column("USER", 8),
    )
    rows = [
        [
            (str(one.times), "red"),
            (one.ip, ""),
            *(((one.network, ""),) if networks else ()),
            (_since(one.last, now), ""),
            (", ".join(user or "others" for user in one.users), ""),
        ]
        for one in failures
    ]
    return _table(columns, rows, page)


def _fault_lines(snapshot: Snapshot, page: Page) -> list[str]:
    unread = [one.name for one in snapshot.sources if one.status in (DENIED, BROKEN)]
    lines = [f"Not read: {', '.join(unread)}"] if unread else []
    lines += map(printable, snapshot.faults)
    wrapped = [part for line in lines for part in _wrapped(line, page, "yellow")]
    return ["", *wrapped] if wrapped else []


def _table(columns: tuple[Column, ...], rows: list[list[Cell]], page: Page) -> list[str]:
    safe = [[(_plain(text, page) or NONE, name) for text, name in row] for row in rows]
    return table(columns, safe, page.columns, colour=page.colour, mark=_mark(page))


def _wrapped(text: str, page: Page, name: str = "") -> list[str]:
    lines = wrap(_plain(text, page), page.columns, subsequent_indent="  ")
    return [style(cut(line, page.columns, _mark(page)), name * page.colour) for line in lines]


def _plain(text: str, page: Page) -> str:
    """Return text that is safe for a terminal, and as its encoding has it."""
    if text.isascii() and text.isprintable():
        return text
    return printable(text).encode(page.encoding, "backslashreplace").decode(page.encoding)


def _mark(page: Page) -> str:
    return CUT if _plain(CUT, page) == CUT else "~"


def _number(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def clock_time(now: float) -> str:
    """Return the time of day of a scan, as the table\'s first line has it."""
    return _formatted("%Y-%m-%d %H:%M:%S", now)


def _idle(activity: Activity, now: float) -> Cell:
    if activity.last_activity is None:
        return "", ""
    # Of whole seconds, as `w` has it: a terminal's birth leaves a fraction.
    seconds = max(0, int(now) - int(activity.last_activity))
    return interval(seconds), "green" if seconds < MINUTE else "dim" if seconds >= DAY else ""


def _cpu(session: Session, activity: Activity, percent: Mapping[str, float] | None) -> str:
    if percent is not None:
        return f"{percent[session.id]:.1f}" if session.id in percent else ""
    if activity.cpu is None:
        return ""
    return f"{activity.cpu:.1f}s" if activity.cpu < 9.95 else interval(activity.cpu)


def _since(start: float, now: float) -> str:
    """Return a time of today as 09:12, of the last days with the weekday, else the date."""
    if not start:
        return ""
    if _formatted("%Y-%j", start) == _formatted("%Y-%j", now):
        return _formatted("%H:%M", start)
    return _formatted("%a %H:%M" if 0 <= now - start < 6 * DAY else "%Y-%m-%d", start)


def _formatted(form: str, at: float) -> str:
    try:
        return time.strftime(form, time.localtime(at))
    except (OverflowError, ValueError, OSError):  # a damaged record's year
        return ""


def interval(seconds: float) -> str:
    """Return a time in seconds as people have it: ``45s``, ``12m``, ``3h05m``, ``12d``."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d"


def size(count: int) -> str:
    """Return a number of bytes in powers of 1024 and at most four characters: ``9.4M``."""
    value = float(count)
    units = iter("BKMGTPE")
    unit = next(units)
    while value >= 999.5:
        value, unit = value / 1024, next(units)
    return f"{value:.1f}{unit}" if value < 9.95 and unit != "B" else f"{value:.0f}{unit}"
