"""The plain immutable data that flows from the sources to the metric sets.

Times are seconds since the epoch. Text is as the source has it, with bytes that are not
UTF-8 escaped; bounds are the metric sets' business.
"""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Union

    from textfile_users.activity import Activity
    from textfile_users.connections import Connection
    from textfile_users.durable import Durable
    from textfile_users.kept import Kept
    from textfile_users.networks import Network

    # What a source saw, and why it counts or not.
    Verdict = tuple[Union["UtmpRecord", "LogindSession", "Session"], str]

# What a source says of itself.
OK = "ok"
ABSENT = "absent"  # the host rightly lacks it: no fault
DENIED = "denied"
BROKEN = "broken"


class UtmpRecord(Record):
    """One sound record of a utmp, wtmp or btmp file, see utmp(5)."""

    type: int
    pid: int
    line: str
    id: str
    user: str
    host: str
    ip: str
    session: int
    time: float


class LogindSession(Record):
    """One session file of systemd-logind."""

    id: str
    user: str
    state: str
    class_: str
    type: str
    service: str
    tty: str
    host: str
    leader: int
    start: float


class Process(Record):
    """One living process; ``start`` is None where /proc does not show it to us.

    ``uid`` is the real one, -1 where it is not known. ``tty`` is the device number of its
    terminal, 0 without one; it is in the foreground there if its ``group`` is the terminal's
    ``foreground`` group. ``cpu`` is in seconds, ``resident`` in bytes. ``session`` is logind's id
    or '', and ``slice`` the uid whose systemd slice it is in, -1 outside of all.
    """

    pid: int
    comm: str
    ppid: int
    start: float | None
    uid: int = -1
    state: str = ""
    group: int = 0
    tty: int = 0
    foreground: int = -1
    cpu: float = 0.0
    resident: int = 0
    session: str = ""
    slice: int = -1


class Socket(Record):
    """One TCP socket of the host that listens or has a peer (then ``ip`` and ``port``)."""

    local_ip: str
    local_port: int
    ip: str
    port: int
    listens: bool
    inode: int


class Account(Record):
    """One account: ``group`` is its primary group's name, ``name`` the real name."""

    user: str
    uid: int
    group: str
    name: str


class Descent(Record):
    """Where a process comes from: its logind session's id or '', and its ancestors' pids."""

    session: str
    ancestors: tuple[int, ...]


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


class SourceReport(Record):
    """What a source says of itself: its status, faults to tell, and records left out."""

    name: str
    status: str
    faults: tuple[str, ...] = ()
    unusable: tuple[tuple[str, int], ...] = ()


class CollectorReport(Record):
    """How a collector did: ``seconds`` is what it took."""

    name: str
    success: bool
    seconds: float


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


class Snapshot(Record):
    """All that one look found.

    ``sessions`` is None where no source of sessions could be read. ``recent`` holds the
    (user, type) pairs without a session now that had one within the last hour, ``gone`` the same
    of (user, written, numeric, tty), see Session, for five minutes. ``durable`` is
    what counting goes on with; of that ``counters``, ``failures`` and ``last_logins`` are shown,
    without the users that are not to be. ``auth_log`` is the log that was read, '' for none,
    ``caught_up`` whether to its end. ``kept`` is what the next look goes on with, if it is there.
    ``failed`` are collectors that got less than they should. ``explained`` says of each line that
    was read what it is, where that was asked for. What processes, connections and accounts there
    are is None where that is not known, and so are ``activities`` by the session's id, and by user
    ``cpu_seconds``, the counter, its growth since the last look as a share of all the host has,
    ``cpu_ratios`` (``shares`` by uid), and ``usages``, resident memory in bytes and the number of
    processes. ``refused_users`` says by address how often this look's log refused whom within the
    last hour, '' for users not known. ``networks`` names by address the networks of ``failures``,
    and ``root`` is how root is called, who has had ``root_logins``. ``attempts`` are the
    last hour's failures and probes. Uids below 1000 are known of ``system_users``. Of networks
    ``network_count`` are known by name.
    """

    now: float
    sessions: tuple[Session, ...] | None
    dropped: int = 0
    closing: int = 0
    recent: tuple[tuple[str, str], ...] = ()
    gone: tuple[tuple[str, str, str, str], ...] = ()
    sources: tuple[SourceReport, ...] = ()
    collectors: tuple[CollectorReport, ...] = ()
    faults: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    durable: Durable | None = None
    counters: Mapping[tuple[str, ...], float] = {}
    failures: Mapping[str, Mapping[int, int]] = {}
    last_logins: Mapping[str, float] = {}
    auth_log: str = ""
    caught_up: bool = True
    kept: Kept | None = None
    failed: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    processes: tuple[Process, ...] | None = None
    connections: tuple[Connection, ...] | None = None
    accounts: tuple[Account, ...] | None = None
    activities: Mapping[str, Activity] | None = None
    cpu_seconds: Mapping[str, float] | None = None
    usages: Mapping[str, tuple[int, int]] | None = None
    cpu_ratios: Mapping[str, float] | None = None
    shares: Mapping[int, float] | None = None
    refused_users: Mapping[str, Mapping[str, int]] = {}
    networks: Mapping[str, str] = {}
    root: str = "root"
    root_logins: float = 0.0
    attempts: int = 0
    system_users: frozenset[str] = frozenset()
    network_count: int = 0

    @property
    def is_log_known(self) -> bool:
        """Whether an auth log is or was read, or btmp in its stead."""
        was_read = self.durable is not None and self.durable.source != ""
        # A btmp that has told of no refusal yet counts too: the first is counted from zero.
        has_btmp = any(source.name == "btmp" and source.status == OK for source in self.sources)
        names = {series[0] for series in self.counters}
        return bool(self.auth_log) or was_read or has_btmp or "users_auth_failures_total" in names
