"""The `ssh-sessions` set: sessions with the columns of `w` (docs/migration.md; procps' w.c)."""

from __future__ import annotations

import time

from textfile_users.metrics.family import Family, gauge, info, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.sessions.activity import Activity
    from textfile_users.sessions.session import Session
    from textfile_users.snapshot import Snapshot

NOT_KNOWN = "?"
NOTHING = "-"
MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families, none where sessions are not known."""
    sessions = snapshot.sessions
    if sessions is None:
        return
    yield gauge("ssh_sessions_total", "Active sessions.", (), [((), float(len(sessions)))])
    found = snapshot.activities or {}
    rows = [tuple(map(label, columns(one, found.get(one.id), snapshot.now))) for one in sessions]
    labels = "user", "tty", "from", "login", "idle", "jcpu", "pcpu", "what"
    yield info("ssh_session_info", "A session, as w shows it; always 1.", labels, rows)


def columns(session: Session, activity: Activity | None, now: float) -> tuple[str, ...]:
    """Return user, terminal, host, login, idle, JCPU, PCPU and command, as `w` prints them.

    ``now`` is in seconds since the epoch. Where `w` has nothing to say it is ``-`` or ``?``.
    """
    idle = jcpu = pcpu = NOT_KNOWN
    command = ""
    if activity and activity.last_activity is not None:
        # w's clock has whole seconds; in the kernel's time a terminal's birth leaves a fraction.
        idle = interval(max(0, int(now) - int(activity.last_activity)), False)
    if activity and activity.cpu is not None:
        jcpu = interval(activity.terminal_cpu, True)
        if activity.command_cpu:  # w has no PCPU of 0
            pcpu = interval(activity.command_cpu, True)
        command = _printable(activity.command)
    # w ends a host at its first blank, as in `192.0.2.7 via mosh [123]`.
    origin = session.recorded.partition(" ")[0] or session.host or session.ip or NOTHING
    login = login_time(session.start, now)
    return session.user, session.tty, origin, login, idle, jcpu, pcpu, command or NOTHING


def _printable(command: str) -> str:
    """Return a command line as `w` shows it: a newline as a blank, other control bytes as `?`."""
    if command.isprintable():
        return command
    return "".join([char if char.isprintable() else " ?"[char != "\n"] for char in command])


def login_time(start: float, now: float) -> str:
    """Return LOGIN@: the time of today's, weekday and hour of a week's, else the date."""
    try:
        began, today = time.localtime(start), time.localtime(now)
        if not start:
            return NOT_KNOWN
        age = int(now) - int(start)  # w's clock has whole seconds
        if age > 12 * HOUR and began.tm_yday != today.tm_yday:
            return time.strftime("%d%b%y" if age > 6 * DAY else "%a%H", began)
        return time.strftime("%H:%M", began)
    except (OverflowError, ValueError, OSError):  # a damaged record's year
        return NOT_KNOWN


def interval(seconds: float, has_fractions: bool) -> str:
    """Return a time as `w` has it: ``5.00s``, ``1:02``, ``1:02m``, ``3days``."""
    whole = int(seconds)
    if whole >= 2 * DAY:
        return f"{whole // DAY}days"
    if whole >= HOUR:
        return f"{whole // HOUR}:{whole // MINUTE % 60:02}m"
    if whole > MINUTE:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    hundredths = round(seconds * 100) % 100 if has_fractions else 0
    return f"{whole}.{hundredths:02}s"
