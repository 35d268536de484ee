"""What a scan found, as plain immutable data for those who show it.

Times are seconds since the epoch. Text is as the source has it, with bytes that are not
UTF-8 escaped; bounds are the metric sets' business.
"""

from __future__ import annotations

from textfile_users.collecting import OK, SourceReport
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from textfile_users.accounts.account import Account
    from textfile_users.connections.connection import Connection
    from textfile_users.networks import Network
    from textfile_users.sessions.activity import Activity
    from textfile_users.sessions.merge import Verdict
    from textfile_users.sessions.session import Session


class CollectorReport(Record):
    """How a collector did: ``seconds`` is what it took."""

    name: str
    success: bool
    seconds: float


class Snapshot(Record):
    """All that one scan found, without the users that are not to be shown.

    ``sessions`` is None where no source of sessions could be read. ``recent`` holds the
    (user, type) pairs without a session now that had one within the last hour, ``gone`` the same
    of (user, written, numeric, tty), see Session, for five minutes. ``whole``: the sessions are all
    there are, those that only processes and sockets show, too. ``counters``, ``failures`` and
    ``last_logins`` are as in Counts; ``attempts`` are the last hour's failures and probes.
    ``auth_log`` is the log that was read, '' for none, ``last_log`` the one believed last,
    ``caught_up`` whether it was read to its end. ``explained`` says of each line that was read
    what it is, where that was asked for. What connections and accounts there are is None where
    that is not known, and so are ``activities`` by the session's id, and by user ``cpu_seconds``,
    ``cpu_ratios`` and ``usages``, see ProcessesFound. ``refused_users`` says by address how often
    this scan's log refused whom within the last hour, '' for users not known. ``networks`` names by
    address the networks of ``failures``, of ``network_count`` known by name. ``root`` is how root
    is called, who has had ``root_logins``. Uids below 1000 are known of ``system_users``.
    ``slices`` are by user, see SlicesFound, without ``slices_dropped`` of them.
    """

    now: float
    sessions: tuple[Session, ...] | None
    dropped: int = 0
    closing: int = 0
    recent: tuple[tuple[str, str], ...] = ()
    gone: tuple[tuple[str, str, str, str], ...] = ()
    whole: bool = True
    sources: tuple[SourceReport, ...] = ()
    collectors: tuple[CollectorReport, ...] = ()
    faults: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    counters: Mapping[tuple[str, ...], float] = {}
    failures: Mapping[str, Mapping[int, int]] = {}
    last_logins: Mapping[str, float] = {}
    attempts: int = 0
    auth_log: str = ""
    last_log: str = ""
    caught_up: bool = True
    explained: tuple[str, ...] = ()
    connections: tuple[Connection, ...] | None = None
    accounts: tuple[Account, ...] | None = None
    activities: Mapping[str, Activity] | None = None
    cpu_seconds: Mapping[str, float] | None = None
    usages: Mapping[str, tuple[int, int]] | None = None
    cpu_ratios: Mapping[str, float] | None = None
    refused_users: Mapping[str, Mapping[str, int]] = {}
    networks: Mapping[str, str] = {}
    root: str = "root"
    root_logins: float = 0.0
    system_users: frozenset[str] = frozenset()
    network_count: int = 0
    slices: Mapping[str, Mapping[tuple[str, ...], float]] | None = None
    slices_dropped: int = 0

    @property
    def failed(self) -> tuple[str, ...]:
        """The collectors that got less than they should."""
        return tuple([one.name for one in self.collectors if not one.success])

    @property
    def is_log_known(self) -> bool:
        """Whether an auth log is or was read, or btmp in its stead."""
        # A btmp that has told of no refusal yet counts too: the first is counted from zero.
        has_btmp = any(source.name == "btmp" and source.status == OK for source in self.sources)
        names = {series[0] for series in self.counters}
        was_read = bool(self.auth_log or self.last_log)
        return was_read or has_btmp or "users_auth_failures_total" in names


def with_networks(snapshot: Snapshot, networks: tuple[Network, ...]) -> Snapshot:
    """Return the snapshot with the names of networks that sessions and failures are from."""
    from textfile_users.networks import network_of

    return snapshot._replace(
        sessions=snapshot.sessions
        and tuple(
            one._replace(network=network_of(one.ip, networks) or one.network)
            for one in snapshot.sessions
        ),
        networks={address: network_of(address, networks) for address in snapshot.failures},
        network_count=len(networks),
    )
