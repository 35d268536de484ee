"""A session: one person at work; its type, and the program that let it in."""

from __future__ import annotations

from textfile_users.reading.addresses import is_loopback
from textfile_users.reading.text import label
from textfile_users.record import Record
from textfile_users.sessions.logind import LogindSession
from textfile_users.sessions.utmp import (
    ET,
    UNKNOWN,
    Origin,
    UtmpRecord,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textfile_users.processes.procfs import Process


MAX_SESSIONS = 10_000
TYPES = ("ssh", "tty", "x11", "wayland", "vnc", "rdp", "mosh", "multiplexer", "other")


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


def line_of(record: UtmpRecord) -> str:
    """Return the terminal of a record, without /dev/."""
    return record.line[5:] if record.line.startswith("/dev/") else record.line


def is_nobodys(record: UtmpRecord) -> bool:
    """Return whether a USER_PROCESS record has neither a process nor a terminal: no login.

    sddm (0.21, its HelperApp.cpp) writes one of whom it refused. What was typed as the name may
    be a password.
    """
    return record.pid <= 0 and not line_of(record).strip()


def is_window(record: UtmpRecord, origin: Origin) -> bool:
    """Return whether a record may be a window of tmux or screen, or a terminal on a desktop.

    libutempter may write the latter without a host.
    """
    if origin.kind in ("tmux", "screen"):
        return True
    if not is_pty(line_of(record)):
        return False
    return origin.kind == "x11" or (origin == NOWHERE and record.pid > 0)


def from_address(session: Session, ip: str) -> Session:
    """Return a session of which the address has become known."""
    return session._replace(ip=ip, network="local" if is_loopback(ip) else "")


def service_of(name: str) -> tuple[str, str]:
    """Return the label `program` of a PAM service or program, and the type it decides or ''."""
    for start, program, type_ in SERVICES:
        if name == start or (name.startswith(start) and not name[len(start)].isalpha()):
            return program, type_
    return "other", ""


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
    if is_pty(line_of(record)):
        # Nothing else in utmp tells a telnet login, whose process is login, from an SSH one.
        if service == LOGIN:
            return "tty"
        return "ssh" if remote else "other"
    if record.line.startswith(":"):
        return "x11"
    return "tty" if line_of(record).startswith(_CONSOLES) and not remote else "other"


def is_terminal(line: str) -> bool:
    """Return whether a line is a device at which one person works at a time."""
    return is_pty(line) or line.startswith(_CONSOLES)


def is_pty(line: str) -> bool:
    """Return whether a line is a pseudo terminal: pts/0, or ttyp0 as BSD has it."""
    return line.startswith("pts/") or (
        len(line) == 5 and line.startswith("tty") and line[3] in "pqrstuvwxyzabcde"
    )


def service_by_process(
    process: Process | None, processes: Mapping[int, Process]
) -> tuple[str, str]:
    """Return service_of() of a record's process, or of its parent: for root it is the shell."""
    for candidate in (process, processes.get(process.ppid) if process else None):
        found = service_of(candidate.comm) if candidate else ("other", "")
        if found[0] != "other":
            return found
    return "other", ""


def type_by_logind(session: LogindSession, origin: Origin, by_service: str) -> str:
    """Return the type of a session by what logind says of it."""
    if by_service:
        return by_service
    if session.type in ("x11", "wayland"):
        return session.type
    if session.type == "tty" and origin.kind in ("", UNKNOWN):
        is_local = not session.host and origin.kind == ""
        if is_local or service_of(session.service)[0] == LOGIN:
            return "tty"
    return origin.kind if origin.kind in ("x11", "wayland", "mosh") else "other"


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
