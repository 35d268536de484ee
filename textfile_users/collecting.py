"""What a collector is given: the scan it is part of; and what it reports of its sources."""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from textfile_users.networks import Network
    from textfile_users.paths import Paths

SESSIONS = "sessions"
AUTH = "auth"
HISTORY = "history"
PROCESSES = "processes"
CONNECTIONS = "connections"
ACCOUNTS = "accounts"
COLLECTORS = (SESSIONS, AUTH, HISTORY, PROCESSES, CONNECTIONS, ACCOUNTS)
SLICES = "slices"
OPT_IN = (SLICES,)  # run only where they are asked for

# What keyed hashes can stand for.
USER, HOST, IP = REDACTABLE = ("user", "host", "ip")

# What the series of a family may be: so many, of so many users or pairs of them.
MAX_USERS = 1_000
MAX_SERIES = 10_000
ROOT = "root"

# What a source says of itself.
OK = "ok"
ABSENT = "absent"  # the host rightly lacks it: no fault
DENIED = "denied"
BROKEN = "broken"


class SourceReport(Record):
    """What a source says of itself: its status, faults to tell, and records left out."""

    name: str
    status: str
    faults: tuple[str, ...] = ()
    unusable: tuple[tuple[str, int], ...] = ()


class Reports(Record):
    """What the sources of a collector say, its faults, and whether it got all that it should."""

    sources: tuple[SourceReport, ...] = ()
    faults: tuple[str, ...] = ()
    success: bool = True


def reports_of(*sources: SourceReport) -> Reports:
    """Return the reports of sources: success is that none is denied or broken."""
    faults = tuple([fault for source in sources for fault in source.faults])
    return Reports(sources, faults, all(source.status in (OK, ABSENT) for source in sources))


def joined(one: Reports, other: Reports) -> Reports:
    """Return the reports of two steps of a collector."""
    sources, faults = (*one.sources, *other.sources), (*one.faults, *other.faults)
    return Reports(sources, faults, one.success and other.success)


class Wanted(Record):
    """What a scan is to find: ``auth_source`` is auto, files, journal or none.

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


class SlicesFound(Record):
    """What the kernel accounts to users' slices: by user, '' for all, figures; None not known.

    A figure is by its family and the values of its labels behind `user`. ``dropped`` slices were
    too many to be read. It is here since a scan without that collector imports nothing of it.
    """

    reports: Reports = Reports()
    by_user: Mapping[str, Mapping[tuple[str, ...], float]] | None = None
    dropped: int = 0


class LogRead(Record):
    """How far the auth log was read, '' for no log: its events come before records of them.

    ``time`` is that of the newest line read.
    """

    source: str = ""
    time: float = 0.0
    caught_up: bool = True
