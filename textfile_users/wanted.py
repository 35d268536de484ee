"""What a scan is to find, where and when."""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.networks import Network
    from textfile_users.paths import Paths

SESSIONS = "sessions"
AUTH = "auth"
HISTORY = "history"
PROCESSES = "processes"
CONNECTIONS = "connections"
ACCOUNTS = "accounts"
COLLECTORS = (SESSIONS, AUTH, HISTORY, PROCESSES, CONNECTIONS, ACCOUNTS)

# What keyed hashes can stand for.
USER, HOST, IP = REDACTABLE = ("user", "host", "ip")


class Wanted(Record):
    """What a look is to find: ``auth_source`` is auto, files, journal or none.

    ``commands`` are those of sessions, which may hold secrets; of ``networks`` the first that holds
    an address names it. ``refused_users`` are the users of the last hour's failures, by address.
    ``discreet``: no message may hold what a source says. ``summed``: users' CPU time will be added
    up, so that none may come and go. ``system_users``: it is to be known who is one.
    """

    collectors: tuple[str, ...] = COLLECTORS
    auth_source: str = "auto"
    backfill: bool = False
    explain: bool = False
    all_users: bool = False
    commands: bool = False
    ssh_ports: tuple[int, ...] = ()
    networks: tuple[Network, ...] = ()
    refused_users: bool = False
    discreet: bool = False
    summed: bool = False
    system_users: bool = False


class Scan(Record):
    """What a scan goes by: the host, the time in seconds since the epoch, and what is wanted."""

    paths: Paths
    now: float
    wanted: Wanted = Wanted()
