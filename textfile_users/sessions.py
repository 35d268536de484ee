"""Sessions, each once, from what utmp, logind and /proc saw of the same login.

utmp and logind meet by terminal, then by leader pid. From utmp come the terminal and the
address, from logind all else: its class and state decide what counts.
"""

from __future__ import annotations

from textfile_users.origin import ET, UNKNOWN, Origin, parse_origin
from textfile_users.record import Record, quick
from textfile_users.sources.addresses import is_loopback
from textfile_users.sources.logind import LogindSession
from textfile_users.sources.procfs import Descent, Process
from textfile_users.sources.text import decode, label
from textfile_users.sources.utmp import DEAD_PROCESS, INIT_PROCESS, USER_PROCESS, UtmpRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Union

    # What a source saw, and why it counts or not.
    Verdict = tuple[Union[UtmpRecord, LogindSession, "Session"], str]


MAX_SESSIONS = 10_000

# Classes of logind that are people at work (sd_session_get_class(3)); greeter, lock-screen,
# background (cron), manager, none and their variants are not.
CLASSES = frozenset(("user", "user-early", "user-light", "user-early-light", "user-incomplete"))
CLOSING = "closing"

SUDO = ("sudo", "sudo-rs")
# Programs whose processes may be of sessions that nothing records.
SSHD = ("sshd", "sshd-session")  # the latter since OpenSSH 9.8
DROPBEAR = "dropbear"
MOSH = "mosh-server"
TMUX = "tmux: server"
SCREEN = "screen"
UNRECORDED = (DROPBEAR, MOSH, TMUX)
# A session of these is from elsewhere, also where nothing says from where.
REMOTE_TYPES = ("ssh", "mosh", "vnc", "rdp")
NOWHERE = Origin()

# A process that began later than this after the login is another one, with the same pid.
MAX_START_AFTER_LOGIN = 60.0

RUN0 = "run0"

# The start of a PAM service's or program's name: label `program`, and the type it decides.
SERVICES = (
    ("sshd", "sshd", "ssh"),
    ("dropbear", "dropbear", "ssh"),
    ("xrdp", "xrdp", "rdp"),
    ("cockpit", "cockpit", ""),
    ("tigervnc", "other", "vnc"),
    ("vnc", "other", "vnc"),
    ("teleport", "other", "ssh"),
    ("login", "login", ""),
    ("remote", "login", ""),  # login(1) for telnetd and rlogind
    ("cockpit", "cockpit", ""),
    ("gdm", "gdm", ""),
    ("lightdm", "lightdm", ""),
    ("sddm", "sddm", ""),
    ("sudo", "sudo", ""),
    ("su", "su", ""),
    ("runuser", "su", ""),
    ("doas", "doas", ""),
    ("polkit-1", "pkexec", ""),
    ("systemd-run0", RUN0, ""),
)
LOGIN = "login"
_XRDP = "xrdp:"  # and the display, as xrdp 0.10 names its line
_CONSOLES = ("tty", "console", "hvc", "xvc", "sclp_line", "lxc/")


# Services whose sessions are those of somebody who was there already.
CHANGES_OF_USER = ("run0", "su", "sudo", "doas", "pkexec")


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
    recorded: str = ""  # utmp's host field as it stands

    @property
    def origin(self) -> str:
        """From where it is: an address, else a name, '' where it is local or not known."""
        return self.ip or self.host

    @property
    def written(self) -> str:
        """From where utmp says it is, a display too; without its word what origin says."""
        return self.recorded or self.origin

    @property
    def numeric(self) -> str:
        """Its address as `w -i` shows it, with utmp's zone or display; else what written says."""
        if not self.ip:  # w ends a host at its first blank
            return self.recorded.partition(" ")[0] or self.origin
        _, percent, zone = self.recorded.partition("%")
        if percent and zone.isalnum():
            return f"{self.ip}%{zone}"
        host, colon, display = self.recorded.rpartition(":")
        is_display = colon and ":" not in host and display.replace(".", "", 1).isdecimal()
        return f"{self.ip}:{display}" if is_display else self.ip

    @property
    def is_login(self) -> bool:
        """Whether somebody came: not in a window, and not by a change of user."""
        return self.type != "multiplexer" and self.service not in CHANGES_OF_USER


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
    return is_background and bool(origin.host or origin.ip) and _is_pty(line_of(record))


def _why_not(session: LogindSession) -> str:
    return "it is closing" if session.state == CLOSING else f"class {session.class_}"


def _owner(record: UtmpRecord, *candidates: LogindSession | None) -> LogindSession | None:
    """Return the first of ``candidates`` that is the record's user's, None without."""
    for session in candidates:
        # utmp has room for 32 bytes of a name, and cuts it anywhere.
        if session and record.user in (session.user, decode(session.user.encode()[:32])):
            return session
    return None


def line_of(record: UtmpRecord) -> str:
    """Return the terminal of a record, without /dev/."""
    return record.line[5:] if record.line.startswith("/dev/") else record.line


def is_nobodys(record: UtmpRecord) -> bool:
    """Return whether a USER_PROCESS record has neither a process nor a terminal: no login.

    sddm (0.21, its HelperApp.cpp) writes one of whom it refused. What was typed as the name may
    be a password.
    """
    return record.pid <= 0 and not line_of(record).strip()


def _server(record: UtmpRecord, origin: Origin) -> int:
    """Return the pid of a window's server; screen names none, but is the window's parent."""
    return origin.server or record.pid


def is_window(record: UtmpRecord, origin: Origin) -> bool:
    """Return whether a record may be a window of tmux or screen, or a terminal on a desktop.

    libutempter may write the latter without a host.
    """
    if origin.kind in ("tmux", "screen"):
        return True
    if not _is_pty(line_of(record)):
        return False
    return origin.kind == "x11" or (origin == NOWHERE and record.pid > 0)


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
        service, by_service = _service_by_process(processes.get(record.pid), processes)
        type_ = type_by_utmp(record, origin, by_service, service)
        tty = line_of(record)
    else:
        ident, user, start, leader = logind.id, logind.user, logind.start, logind.leader
        service, by_service = service_of(logind.service)
        type_ = _type_by_logind(logind, origin, by_service)
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


def from_address(session: Session, ip: str) -> Session:
    """Return a session of which the address has become known."""
    return session._replace(ip=ip, network="local" if is_loopback(ip) else "")


def _by_terminal(record: UtmpRecord) -> tuple[bool, float, str]:
    # gdm writes a record for the seat beside that of the terminal
    return record.line.startswith(("seat", ":")), record.time, record.line


def _with_logind_host(origin: Origin, host: str) -> Origin:
    theirs = parse_origin(host)
    kind = origin.kind or (theirs.kind if theirs.kind == UNKNOWN else "")
    return Origin(kind, origin.host or theirs.host, origin.ip or theirs.ip)


def service_of(name: str) -> tuple[str, str]:
    """Return the label `program` of a PAM service or program, and the type it decides or ''."""
    for start, program, type_ in SERVICES:
        if name == start or (name.startswith(start) and not name[len(start)].isalpha()):
            return program, type_
    return "other", ""


def _service_by_process(
    process: Process | None, processes: Mapping[int, Process]
) -> tuple[str, str]:
    """Return service_of() of a record's process, or of its parent: for root it is the shell."""
    for candidate in (process, processes.get(process.ppid) if process else None):
        found = service_of(candidate.comm) if candidate else ("other", "")
        if found[0] != "other":
            return found
    return "other", ""


def _type_by_logind(session: LogindSession, origin: Origin, by_service: str) -> str:
    if by_service:
        return by_service
    if session.type in ("x11", "wayland"):
        return session.type
    if session.type == "tty" and origin.kind in ("", UNKNOWN):
        is_local = not session.host and origin.kind == ""
        if is_local or service_of(session.service)[0] == LOGIN:
            return "tty"
    return origin.kind if origin.kind in ("x11", "wayland", "mosh") else "other"


def type_by_utmp(record: UtmpRecord, origin: Origin, by_service: str, service: str) -> str:
    """Return the type of a record's login, by what service_of() says of its service."""
    if origin.kind in ("tmux", "screen"):
        return "multiplexer"
    if origin.kind not in ("", UNKNOWN):
        return "other" if origin.kind == ET else origin.kind
    if by_service:
        return by_service
    remote = bool(origin.host or origin.ip or origin.kind)
    if record.line.startswith(_XRDP):
        return "rdp"
    if _is_pty(line_of(record)):
        # Nothing else in utmp tells a telnet login, whose process is login, from an SSH one.
        if service == LOGIN:
            return "tty"
        return "ssh" if remote else "other"
    if record.line.startswith(":"):
        return "x11"
    return "tty" if line_of(record).startswith(_CONSOLES) and not remote else "other"


def is_terminal(line: str) -> bool:
    """Return whether a line is a device at which one person works at a time."""
    return _is_pty(line) or line.startswith(_CONSOLES)


def _is_pty(line: str) -> bool:
    """Return whether a line is a pseudo terminal: pts/0, or ttyp0 as BSD has it."""
    return line.startswith("pts/") or (
        len(line) == 5 and line.startswith("tty") and line[3] in "pqrstuvwxyzabcde"
    )


def with_unique_ids(sessions: list[Session]) -> tuple[Session, ...]:
    """Return the sessions with an id each: logind's, else the tty, else pid:N; taken: `:2`."""
    taken = {label(session.id) for session in sessions if session.id}
    numbers: dict[str, int] = {}  # the next to try; viewers of one desktop may be many
    result = []
    for session in sessions:
        if not session.id:
            ident = wanted = label(session.tty) or f"pid:{session.leader}"
            number = numbers.get(wanted, 1)
            if number > 1:
                ident = label(wanted, f":{number}")
            while ident in taken:
                number += 1
                ident = label(wanted, f":{number}")
            taken.add(ident)
            numbers[wanted] = number + 1
            session = Session(ident, *session[1:])  # noqa: PLW2901 - _replace takes thrice as long
        result.append(session)
    return tuple(result)


def subject(seen: UtmpRecord | LogindSession | Session) -> str:
    """Return what names a record, session file or session in a message."""
    if isinstance(seen, Session):
        return f"{seen.type} session {seen.id} of {seen.user}"
    if isinstance(seen, LogindSession):
        return f"logind session {seen.id} of {seen.user}"
    who = "nobody" if is_nobodys(seen) else seen.user  # what was typed may be a password
    return f"utmp record {seen.line} of {who}, pid {seen.pid}"


def may_show(processes: Iterable[Process], *, by_logind: bool) -> bool:
    """Return whether a process may be of a session that nothing records.

    On most hosts none is, and this costs a tenth of what unrecorded.py does. Where
    logind could be read, sshd's processes that it has no session for are the listener, whose
    parent is process 1, and connections.
    """
    return any(
        process.comm in UNRECORDED
        or process.comm.startswith(SCREEN)
        or (process.comm in SSHD and not (by_logind and (process.session or process.ppid == 1)))
        for process in processes
    )
