"""Sessions, each once, from what utmp, logind and /proc saw of the same login.

utmp and logind meet by terminal, then by leader pid. From utmp come the terminal and the
address, from logind all else: its class and state decide what counts.
"""

from __future__ import annotations

from textfile_users.processes.procfs import Descent, Process
from textfile_users.reading.addresses import is_loopback
from textfile_users.reading.text import decode
from textfile_users.record import Record, quick
from textfile_users.sessions.logind import LogindSession
from textfile_users.sessions.session import (
    MAX_SESSIONS,
    MAX_START_AFTER_LOGIN,
    REMOTE_TYPES,
    RUN0,
    Session,
    is_nobodys,
    is_pty,
    is_window,
    line_of,
    service_by_process,
    service_of,
    type_by_logind,
    type_by_utmp,
    with_unique_ids,
)
from textfile_users.sessions.utmp import (
    DEAD_PROCESS,
    ET,
    INIT_PROCESS,
    UNKNOWN,
    USER_PROCESS,
    Origin,
    UtmpRecord,
    parse_origin,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Union

    # What a source saw, and why it counts or not.
    Verdict = tuple[Union[UtmpRecord, LogindSession, Session], str]


# Classes of logind that are people at work (sd_session_get_class(3)); greeter, lock-screen,
# background (cron), manager, none and their variants are not.
CLASSES = frozenset(("user", "user-early", "user-light", "user-early-light", "user-incomplete"))
CLOSING = "closing"
SUDO = ("sudo", "sudo-rs")


class Merged(Record):
    """The sessions, oldest first, and what did not become one.

    ``verdicts`` say of every record and session file what it is, and why it counts or not.
    """

    sessions: tuple[Session, ...]
    closing: int
    stale: int
    faults: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


class _Login(Record):
    """logind's session and the records that are one login; either may be missing."""

    logind: LogindSession | None
    records: tuple[UtmpRecord, ...]


def newest(
    records: tuple[UtmpRecord, ...], logind: tuple[LogindSession, ...]
) -> tuple[tuple[UtmpRecord, ...], tuple[LogindSession, ...], int]:
    """Return the newest logins of each source, 10,000 at most, and how many were left out."""
    users = [record for record in records if record.type == USER_PROCESS]
    dropped = max(len(users), len(logind)) - MAX_SESSIONS
    if dropped <= 0:
        return records, logind, 0
    users = sorted(users, key=lambda record: record.time)[-MAX_SESSIONS:]
    others = [record for record in records if record.type != USER_PROCESS]
    logind = tuple(sorted(logind, key=lambda session: session.start)[-MAX_SESSIONS:])
    return (*others, *users), logind, dropped


def pids_of(records: Iterable[UtmpRecord]) -> set[int]:
    """Return the pids of which merge() wants to know whether they live."""
    return {record.pid for record in records if record.type == USER_PROCESS and record.pid > 0}


def leaders_without_terminal(
    records: Iterable[UtmpRecord], logind: Iterable[LogindSession]
) -> list[int]:
    """Return the leaders of SSH sessions whose terminal only the process tree may tell."""
    known = pids_of(records)
    return [
        session.leader
        for session in logind
        if _counts(session)
        and session.leader > 1
        and session.leader not in known
        and not session.tty
        and service_of(session.service)[1] == "ssh"
    ]


def servers_of_windows(records: Iterable[UtmpRecord]) -> set[int]:
    """Return the pids of which merge() wants to know from which session they descend."""
    return {
        _server(record, origin)
        for record in records
        if record.type == USER_PROCESS
        for origin in (parse_origin(record.host, record.ip),)
        if is_window(record, origin)
    }


def of_sudo(records: Iterable[UtmpRecord], processes: Mapping[int, Process] | None) -> set[int]:
    """Return the pids of records that sudo wrote: of the terminal of its command.

    It copies the record of the terminal that it was called on, see use_pty and set_utmp in
    sudoers(5).
    """
    found = {pid: (processes or {}).get(pid) for pid in pids_of(records)}
    return {pid for pid, process in found.items() if process and process.comm in SUDO}


def merge(
    records: Iterable[UtmpRecord],
    logind: tuple[LogindSession, ...],
    processes: Mapping[int, Process] | None,
    terminals: Mapping[int, tuple[str, ...]],
    descents: Mapping[int, Descent],
) -> Merged:
    """Return each session once.

    ``processes`` are the living ones of pids_of(), or, where none lives, of logind's
    leaders; None where that cannot be known;
    ``terminals`` are those of leaders_without_terminal(), ``descents`` those of
    servers_of_windows() and of_sudo().
    """
    verdicts: list[Verdict] = []
    users = _newest_by_line(records, verdicts)
    faults: tuple[str, ...] = ()
    if processes is not None and not processes and len(pids_of(users)) > 1:
        faults = ("/proc is not that of the host whose utmp this is: stale records count too",)
        processes = None
    alive = [record for record in users if _is_alive(record, processes, verdicts)]
    logins, windows = _join(alive, logind, terminals, of_sudo(alive, processes), verdicts)
    sessions = [_session(login, processes or {}, terminals) for login in logins]
    logins = _detached(windows, sessions, descents, verdicts)
    sessions += [_session(login, processes or {}, terminals) for login in logins]
    sessions.sort(key=lambda session: (session.start, session.id, session.tty, session.leader))
    people = without_run0(sessions)
    kept = {session.id for session in people}
    dropped = {session.id for session in sessions if session.id not in kept}
    if dropped:
        verdicts = [(one, _why_run0(one, dropped) or why) for one, why in verdicts]
    return Merged(
        sessions=with_unique_ids(people),
        closing=sum(s.state == CLOSING and s.class_ in CLASSES for s in logind),
        stale=len(users) - len(alive),
        faults=faults,
        verdicts=tuple(verdicts),
    )


def without_run0(sessions: Iterable[Session]) -> list[Session]:
    """Return the sessions without those of run0 whose caller has one, in their order.

    Nothing says who called: it is taken for somebody who has a session, where anybody has.
    """
    sessions = list(sessions)
    if not any(session.service == RUN0 for session in sessions):
        return sessions
    others = [session for session in sessions if session.service != RUN0]
    return others or sessions[:1]


def _why_run0(seen: UtmpRecord | LogindSession | Session, dropped: set[str]) -> str:
    is_dropped = isinstance(seen, LogindSession) and seen.id in dropped
    return "does not count: run0, and its caller has a session" if is_dropped else ""


def _counts(session: LogindSession) -> bool:
    return session.class_ in CLASSES and session.state != CLOSING


def _newest_by_line(records: Iterable[UtmpRecord], verdicts: list[Verdict]) -> list[UtmpRecord]:
    """Return the USER_PROCESS records that are the newest of their line.

    A logout or a getty, of whatever id and pid, ends the login before it.
    """
    newest: dict[str, UtmpRecord] = {}
    for record in records:
        if not INIT_PROCESS <= record.type <= DEAD_PROCESS:
            verdicts.append((record, "does not count: no USER_PROCESS"))
            continue
        key = line_of(record) or f"pid:{record.pid}"
        other = newest.setdefault(key, record)
        if other is record:
            continue
        if (record.time, record.type == USER_PROCESS) >= (other.time, other.type == USER_PROCESS):
            newest[key] = record
        older = other if newest[key] is record else record
        verdicts.append((older, "does not count: its line has a newer record"))
    users = []
    for record in newest.values():
        if record.type != USER_PROCESS:
            verdicts.append((record, "does not count: no USER_PROCESS"))
        elif not record.user:
            verdicts.append((record, "does not count: it names no user"))
        elif is_nobodys(record):
            verdicts.append((record, "does not count: neither a process nor a terminal"))
        else:
            users.append(record)
    return users


def _is_alive(
    record: UtmpRecord,
    processes: Mapping[int, Process] | None,
    verdicts: list[Verdict],
) -> bool:
    if processes is None or record.pid <= 0:  # xrdp, Cockpit and others write no pid
        return True
    process = processes.get(record.pid)
    if process is None:
        verdicts.append((record, "stale: its process is gone"))
        return False
    if process.start is not None and process.start > record.time + MAX_START_AFTER_LOGIN:
        verdicts.append((record, "stale: its process began after the login"))
        return False
    return True


def _join(
    records: list[UtmpRecord],
    logind: tuple[LogindSession, ...],
    terminals: Mapping[int, tuple[str, ...]],
    sudos: set[int],
    verdicts: list[Verdict],
) -> tuple[list[_Login], list[tuple[UtmpRecord, Origin]]]:
    """Return the logins, and the records that may be no more than windows of one."""
    # For root's SSH session utmp has the shell's pid, so the process tree's terminals count too.
    by_tty = {
        tty: session
        for session in logind
        if _counts(session)
        for tty in (session.tty, *terminals.get(session.leader, ()))
        if tty
    }
    # A closing session may have had the pid that now leads another: those that count come last.
    by_leader = {s.leader: s for s in sorted(logind, key=_counts) if s.leader > 1}
    joined: dict[str, list[UtmpRecord]] = {s.id: [] for s in logind if _counts(s)}
    alone: dict[tuple[str, int, str], list[UtmpRecord]] = {}
    windows = []
    for record in records:
        owner = _owner(record, by_tty.get(line_of(record)), by_leader.get(record.pid))
        origin = parse_origin(record.host, record.ip)
        if owner:
            verdicts.append((record, _join_owner(record, origin, owner, joined)))
        elif is_window(record, origin) or record.pid in sudos:
            windows.append((record, origin))
        else:
            # Several terminals of one connection have its pid; pid 0 is no process.
            line = record.line if record.pid <= 0 else ""
            alone.setdefault((record.user, record.pid, line), []).append(record)
            verdicts.append((record, "counts"))
    for session in logind:
        why = "counts" if session.id in joined else f"does not count: {_why_not(session)}"
        verdicts.append((session, why))
    logins = [_Login(s, tuple(joined[s.id])) for s in logind if s.id in joined]
    logins += [_Login(None, tuple(group)) for group in alone.values()]
    return logins, windows


def _join_owner(
    record: UtmpRecord, origin: Origin, owner: LogindSession, joined: dict[str, list[UtmpRecord]]
) -> str:
    """Add a record to the records of logind's session, if that counts; return what became of it."""
    if _is_somebody(record, origin, owner):
        joined.setdefault(owner.id, [])
    if owner.id not in joined:
        return f"does not count: {_why_not(owner)}"
    joined[owner.id].append(record)
    return f"counts as logind's session {owner.id}"


def _is_somebody(record: UtmpRecord, origin: Origin, owner: LogindSession) -> bool:
    """Return whether somebody works in a background session: a job has no terminal and no peer.

    Teleport records its sessions in utmp; without PAM_TTY pam_systemd (its pam_systemd.c, 257)
    takes them for jobs.
    """
    is_background = owner.class_.startswith("background") and owner.state != CLOSING
    return is_background and bool(origin.host or origin.ip) and is_pty(line_of(record))


def _why_not(session: LogindSession) -> str:
    return "it is closing" if session.state == CLOSING else f"class {session.class_}"


def _owner(record: UtmpRecord, *candidates: LogindSession | None) -> LogindSession | None:
    """Return the first of ``candidates`` that is the record's user's, None without."""
    for session in candidates:
        # utmp has room for 32 bytes of a name, and cuts it anywhere.
        if session and record.user in (session.user, decode(session.user.encode()[:32])):
            return session
    return None


def _server(record: UtmpRecord, origin: Origin) -> int:
    """Return the pid of a window's server; screen names none, but is the window's parent."""
    return origin.server or record.pid


def _detached(
    windows: list[tuple[UtmpRecord, Origin]],
    sessions: list[Session],
    descents: Mapping[int, Descent],
    verdicts: list[Verdict],
) -> list[_Login]:
    """Return a login for each server of windows that is all its user has.

    Terminals come first: a user with one of them has a session beside tmux.
    """
    users = {session.user for session in sessions}
    ids = {session.id for session in sessions if session.id}
    leaders = {session.leader for session in sessions if session.leader > 1}
    groups: dict[tuple[str, str, int], list[UtmpRecord]] = {}
    for record, origin in sorted(windows, key=lambda pair: pair[1].kind in ("tmux", "screen")):
        server = _server(record, origin)
        descent = descents[server]
        # Without a host nothing but its descent shows that it is a window.
        key = (record.user, origin.kind, origin.server if origin.kind else server)
        if record.user in users and origin.kind and key not in groups:
            verdicts.append((record, "does not count: a window, its user has a session"))
        elif descent.session in ids or not leaders.isdisjoint(descent.ancestors):
            verdicts.append((record, "does not count: a window of a session that counts"))
        else:
            groups.setdefault(key, []).append(record)
            if origin.kind not in ("tmux", "screen"):
                users.add(record.user)
            verdicts.append((record, "counts: no other session of its user shows it"))
    return [_Login(None, tuple(group)) for group in groups.values()]


def _session(
    login: _Login, processes: Mapping[int, Process], terminals: Mapping[int, tuple[str, ...]]
) -> Session:
    logind, records = login
    record = min(records, key=_by_terminal) if records else None
    origin = parse_origin(record.host, record.ip) if record else Origin()
    if logind is None:
        assert record is not None  # noqa: S101 - a login has one or the other
        ident, user, start, leader = "", record.user, record.time, record.pid
        service, by_service = service_by_process(processes.get(record.pid), processes)
        type_ = type_by_utmp(record, origin, by_service, service)
        tty = line_of(record)
    else:
        ident, user, start, leader = logind.id, logind.user, logind.start, logind.leader
        service, by_service = service_of(logind.service)
        type_ = type_by_logind(logind, origin, by_service)
        start = start or (record.time if record else 0.0)
        tty = logind.tty or (line_of(record) if record else terminals.get(leader, ("",))[0])
        origin = _with_logind_host(origin, logind.host)
    nowhere = not origin.host and not origin.ip
    is_remote = type_ in REMOTE_TYPES or origin.kind in (ET, UNKNOWN)
    local = not is_remote if nowhere else is_loopback(origin.ip)
    network = "local" if local else ""
    where = origin.host, origin.ip, network
    recorded = record.host if record else ""
    return quick(Session, (ident, user, tty, type_, service, *where, start, leader, recorded))


def _by_terminal(record: UtmpRecord) -> tuple[bool, float, str]:
    # gdm writes a record for the seat beside that of the terminal
    return record.line.startswith(("seat", ":")), record.time, record.line


def _with_logind_host(origin: Origin, host: str) -> Origin:
    theirs = parse_origin(host)
    kind = origin.kind or (theirs.kind if theirs.kind == UNKNOWN else "")
    return Origin(kind, origin.host or theirs.host, origin.ip or theirs.ip)
