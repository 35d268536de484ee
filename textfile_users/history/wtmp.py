"""wtmp: who came and went on a terminal, and when the host booted (utmp(5), last(1))."""

from __future__ import annotations

from textfile_users.record import Record
from textfile_users.sessions.session import is_nobodys, is_window, line_of, service_of, type_by_utmp
from textfile_users.sessions.utmp import (
    DEAD_PROCESS,
    RUN_LVL,
    USER_PROCESS,
    UtmpRecord,
    parse_origin,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOOT_TIME = 2

LOGIN = "login"
LOGOUT = "logout"
BOOT = "boot"
SHUTDOWN = "shutdown"

# Run levels, in the lower byte of a pid, in which a host goes down.
_DOWN = (ord("0"), ord("6"))

# PAM services of sessions in which nobody comes: a change of user, a job, a greeter.
_NO_LOGINS = frozenset(
    (
        "su",
        "su-l",
        "sudo",
        "sudo-i",
        "doas",
        "runuser",
        "runuser-l",
        "polkit-1",
        "systemd-run0",
        "cron",
        "crond",
        "atd",
        "systemd-user",
        "gdm-launch-environment",
        "lightdm-greeter",
        "sddm-greeter",
        "plasmalogin-greeter",
        "greetd-greeter",
        "at",
        "samba",  # these and what follows check passwords of their clients
        "dovecot",
        "smtp",
        "imap",
        "pop3",
        "cups",
        "squid",
        "openvpn",
        "ppp",
    )
)


class HistoryEntry(Record):
    """A login, a logout, a boot or a shutdown of the history, in seconds since the epoch.

    ``tty`` is without /dev/, and '' where the source names none; ``pid`` is the leader's, 0
    where it is not known. A logout of wtmp knows its terminal alone; one of wtmpdb has the
    ``key`` of its login. The ``type`` of a login is its session's; that of wtmpdb's boots is
    "clean" or "crash", where the row of the boot before is known.
    """

    event: str
    time: float
    user: str = ""
    tty: str = ""
    pid: int = 0
    host: str = ""
    ip: str = ""
    service: str = ""
    key: str = ""
    type: str = ""


def entries(records: Iterable[UtmpRecord]) -> Iterator[HistoryEntry]:
    """Yield what happened by the records of a wtmp file, in their order.

    A logout names the terminal, whatever id and pid the record has. Gettys and run levels in
    which the host goes on are no entries.
    """
    for record in records:
        if record.type == USER_PROCESS:
            login = None if is_nobodys(record) else login_turn(record)
            if login:
                yield login
        elif record.type == DEAD_PROCESS and record.line:
            yield HistoryEntry(LOGOUT, record.time, tty=line_of(record), pid=max(record.pid, 0))
        elif record.type == BOOT_TIME and record.user == "reboot":
            yield HistoryEntry(BOOT, record.time)
        elif record.type in (RUN_LVL, BOOT_TIME) and _is_shutdown(record):
            yield HistoryEntry(SHUTDOWN, record.time)


def _is_shutdown(record: UtmpRecord) -> bool:
    """Return whether the host goes down: systemd and halt(8) name it, init the run level."""
    is_down = record.type == RUN_LVL and record.user == "runlevel" and record.pid & 0xFF in _DOWN
    return is_down or record.user == "shutdown"


def login_turn(record: UtmpRecord, service: str = "", key: str = "") -> HistoryEntry | None:
    """Return the login that a USER_PROCESS record tells of, with what else is known of it.

    None where it names no user, or is but a window of tmux, screen or a desktop.
    """
    origin = parse_origin(record.host, record.ip)
    if not record.user or is_window(record, origin):
        return None
    tty, pid = line_of(record), max(record.pid, 0)
    label, by_service = service_of(service)
    type_ = type_by_utmp(record, origin, by_service, label)
    where = origin.host, origin.ip
    label = "" if label == "other" else label
    return HistoryEntry(LOGIN, record.time, record.user, tty, pid, *where, label, key, type_)


def begins_login(service: str) -> bool:
    """Return whether a session of the PAM ``service`` is a login; '' is an unknown service."""
    return service not in _NO_LOGINS
