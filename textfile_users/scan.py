"""Scans the host once: the collectors one by one, each guarded and timed, and what they found."""

from __future__ import annotations

import time

from textfile_users.accounts.collect_accounts import (
    AccountsFound,
    collect_accounts,
    find_system_users,
)
from textfile_users.auth.collect_auth import collect_auth
from textfile_users.auth.logs import AuthFound
from textfile_users.collecting import (
    ABSENT,
    ACCOUNTS,
    AUTH,
    CONNECTIONS,
    HISTORY,
    OK,
    PROCESSES,
    ROOT,
    SESSIONS,
    SLICES,
    LogRead,
    Reports,
    Scan,
    SlicesFound,
    SourceReport,
    Wanted,
)
from textfile_users.connections.collect_connections import ConnectionsFound, collect_connections
from textfile_users.counting import BEGINNING, LOGINS, Counts, user_of
from textfile_users.deadline import READING_SHARE, SCAN_SHARE, newest_until, seconds_of, share_of
from textfile_users.history.collect_history import HistoryFound, collect_history
from textfile_users.logins import logged_addresses
from textfile_users.memory import NOTHING, Durable, Memory, Volatile
from textfile_users.processes.collect_processes import ProcessesFound, collect_processes, find_usage
from textfile_users.record import Record
from textfile_users.sessions.collect_sessions import (
    SessionsFound,
    SessionsMemory,
    collect_sessions,
    find_activities,
    find_addresses,
    find_unrecorded,
    remember,
)
from textfile_users.snapshot import CollectorReport, Snapshot, with_networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from textfile_users.counting import Series
    from textfile_users.paths import Paths

    Counters = Mapping[Series, float]
    # Yields what was found with what it adds, at the latest where all of it is found.
    Step = Callable[[Scan, "Found", float], Iterator["Found"]]
    Steps = Sequence[tuple[str, Step]]
    Value = TypeVar("Value")


class Found(Record):
    """What collectors have found so far, and what auth and history have counted.

    ``seconds`` says by collector what it took, ``failures`` by which collector and why a step of
    it came to nothing.
    """

    processes: ProcessesFound
    sessions: SessionsFound
    accounts: AccountsFound
    connections: ConnectionsFound
    auth: AuthFound
    history: HistoryFound
    counts: Counts
    slices: SlicesFound = SlicesFound()
    seconds: dict[str, float] = {}
    failures: tuple[tuple[str, str], ...] = ()

    def reports(self, name: str) -> Reports:
        """Return the reports of a collector's sources."""
        reports: Reports = getattr(self, name).reports
        return reports

    @property
    def is_caught_up(self) -> bool:
        """Whether the auth log was read to its end."""
        return self.auth.caught_up and AUTH not in dict(self.failures)

    def has_succeeded(self, name: str) -> bool:
        """Return whether a collector got all that it should."""
        return self.reports(name).success and name not in dict(self.failures)


def _processes(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    for one in collect_processes(scan, found.processes.memory, deadline):
        yield found._replace(processes=one)


def _sessions(scan: Scan, found: Found, _: float) -> Iterator[Found]:
    processes = found.processes.processes or ()
    for one in collect_sessions(scan, found.sessions.memory, processes):
        yield found._replace(sessions=one)


def _accounts(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    users, running = found.sessions.users, found.processes.uids
    counted = found.processes.memory.usage.seconds
    for one in collect_accounts(scan, found.accounts, users, running, counted, deadline):
        yield found._replace(accounts=one)


def _connections(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    processes = found.processes.processes or ()
    sources = (*found.processes.reports.sources, *found.sessions.reports.sources)
    statuses = {source.name: source.status for source in sources}
    memory = found.connections.memory
    for one in collect_connections(scan, memory, processes, statuses, deadline):
        yield found._replace(connections=one)


def _unrecorded(scan: Scan, found: Found, _: float) -> Iterator[Found]:
    processes, connections = found.processes.processes, found.connections.connections or ()
    known = found.accounts.memory
    for one in find_unrecorded(scan, found.sessions, processes, connections, known):
        yield found._replace(sessions=one)


def _usage(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    users, known = found.sessions.users, found.accounts.memory
    for one in find_usage(scan, found.processes, users, known, deadline):
        found = found._replace(processes=one)
        for sessions in find_activities(scan, found.sessions, one.processes or ()):
            yield found._replace(sessions=sessions)


def _slices(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    from textfile_users.slices.collect_slices import collect_slices  # for those who ask for it

    for one in collect_slices(scan, found.accounts.memory, deadline):
        yield found._replace(slices=one)


def _auth(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    sessions, known = found.sessions.sessions or (), found.accounts.memory
    for one in collect_auth(scan, found.auth, sessions, known, deadline):
        yield found._replace(auth=one, counts=one.counts)


def _addresses(scan: Scan, found: Found, _: float) -> Iterator[Found]:
    logins = found.counts.logins
    for one in find_addresses(
        scan.paths, found.sessions, lambda sessions: logged_addresses(logins, sessions)
    ):
        yield found._replace(sessions=one)


def _history(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    log = LogRead(found.auth.source, found.auth.memory.time, found.is_caught_up)
    sessions, memory = found.sessions.sessions, found.history.memory
    for one in collect_history(scan, memory, found.counts, sessions, log, deadline):
        yield found._replace(history=one, counts=one.counts)


def _system_users(scan: Scan, found: Found, deadline: float) -> Iterator[Found]:
    users = found.sessions.users.union(found.counts.last_logins)
    uids = found.processes.uids.union(found.processes.memory.usage.seconds)
    for one in find_system_users(scan, found.accounts, users, uids, deadline):
        yield found._replace(accounts=one)


# In their order: processes show sessions that nothing records, sessions tell the types of
# logins, and events come before records of them.
STEPS: Steps = (
    (PROCESSES, _processes),
    (SESSIONS, _sessions),
    (ACCOUNTS, _accounts),
    (CONNECTIONS, _connections),
    (SESSIONS, _unrecorded),
    (ACCOUNTS, _accounts),  # of those sessions too
    (PROCESSES, _usage),
    (SLICES, _slices),
    (AUTH, _auth),
    (SESSIONS, _addresses),  # which the log may tell
    (HISTORY, _history),
    (ACCOUNTS, _system_users),
)
COLLECTORS_IN_ORDER = tuple(dict.fromkeys(name for name, _ in STEPS))


def scan(
    paths: Paths,
    now: float,
    wanted: Wanted,
    memory: Memory = NOTHING,
    timeout: float = 4.0,
    excluded: Callable[[str], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Snapshot, Memory]:
    """Scan the host once; return what was found, and what the next scan is to go on from.

    ``now`` is the time of the scan in seconds since the epoch, ``timeout`` that of the whole
    run in seconds; what is of users that are ``excluded`` is left out of the snapshot, not of
    the memory. Never raises: what fails is in the snapshot's faults and reports.
    """
    end = time.monotonic() + timeout * SCAN_SHARE
    asked = Scan(paths, now, wanted)
    found = _from_memory(memory)
    steps: Steps = [(name, step) for name, step in STEPS if name in wanted.collectors]
    while steps:
        found, steps = _go_through(steps, asked, found, timeout, end, clock)
    if not found.counts.began:
        began = BEGINNING if wanted.backfill else now
        found = found._replace(counts=found.counts._replace(began=began))
    excluded = excluded or (lambda _: False)
    snapshot = _snapshot(asked, found, excluded)
    sessions = remember(found.sessions.memory, snapshot.sessions, now, snapshot.whole)
    snapshot = snapshot._replace(
        recent=tuple(pair for pair in sessions.ended if not excluded(pair[0])),
        gone=tuple(place for place in sessions.gone if not excluded(place[0])),
    )
    if wanted.networks:
        snapshot = with_networks(snapshot, wanted.networks)
    return snapshot, _to_memory(found, sessions, memory.volatile.said)


def _from_memory(memory: Memory) -> Found:
    """Return what is found before the first step: nothing, and what was there before."""
    durable, volatile = memory
    return Found(
        ProcessesFound(volatile.processes),
        SessionsFound(volatile.sessions),
        AccountsFound(volatile.accounts),
        ConnectionsFound(volatile.connections),
        AuthFound(durable.auth, volatile.auth, durable.counts),
        HistoryFound(durable.history, durable.counts),
        durable.counts,
    )


def _to_memory(found: Found, sessions: SessionsMemory, said: dict[str, float]) -> Memory:
    """Return what the next scan is to go on from."""
    volatile = Volatile(
        sessions,
        found.accounts.memory,
        found.processes.memory,
        found.connections.memory,
        found.auth.notes,
        said,
    )
    return Memory(Durable(found.counts, found.auth.memory, found.history.memory), volatile)


def _snapshot(scan: Scan, found: Found, excluded: Callable[[str], bool]) -> Snapshot:
    """Return what is shown of what was found: that of users who are not ``excluded``."""
    counts, processes, sessions = found.counts, found.processes, found.sessions
    accounts, auth = found.accounts.accounts, found.auth
    return Snapshot(
        scan.now,
        sessions.sessions and tuple(one for one in sessions.sessions if not excluded(one.user)),
        dropped=sessions.dropped,
        closing=sessions.closing,
        whole=_is_whole(found),
        sources=_sources(found),
        collectors=tuple(
            CollectorReport(name, found.has_succeeded(name), seconds)
            for name, seconds in found.seconds.items()
        ),
        faults=tuple(_faults(found)),
        verdicts=sessions.verdicts,
        counters=_counters(excluded, counts.counters),
        failures=counts.failures,
        last_logins=_without(excluded, counts.last_logins),
        attempts=sum(counts.attempts.values()),
        auth_log=auth.source,
        last_log=auth.memory.source,
        caught_up=found.is_caught_up,
        explained=auth.explained,
        connections=found.connections.connections,
        accounts=accounts and tuple(one for one in accounts if not excluded(one.user)),
        activities=sessions.activities,
        cpu_seconds=_without_if_known(excluded, processes.cpu_seconds),
        usages=_without_if_known(excluded, processes.usages),
        cpu_ratios=_without_if_known(excluded, processes.cpu_ratios),
        refused_users={ip: _without(excluded, who) for ip, who in auth.refused_users.items()},
        root_logins=sum(n for one, n in counts.counters.items() if one[:2] == (LOGINS, ROOT)),
        system_users=found.accounts.system_users,
        slices=_without_if_known(excluded, found.slices.by_user),
        slices_dropped=found.slices.dropped,
    )


def _faults(found: Found) -> Iterator[str]:
    """Yield the faults of all collectors, in their order."""
    for collector in COLLECTORS_IN_ORDER:
        yield from found.reports(collector).faults
        yield from (f"{name}: {why}" for name, why in found.failures if name == collector)


def _is_whole(found: Found) -> bool:
    """Return whether the sessions are all there are: what only processes and sockets show, too."""
    return (found.processes.processes is not None or found.has_succeeded(PROCESSES)) and (
        found.connections.connections is not None or found.has_succeeded(CONNECTIONS)
    )


def _sources(found: Found) -> tuple[SourceReport, ...]:
    """Return a report for each source, of several steps' the one that tells of a fault."""
    by_name: dict[str, SourceReport] = {}
    for collector in COLLECTORS_IN_ORDER:
        for source in found.reports(collector).sources:
            known = by_name.get(source.name)
            if known is None or known.status in (OK, ABSENT):
                by_name[source.name] = source
    return tuple(by_name.values())


def _without(excluded: Callable[[str], bool], by_user: Mapping[str, Value]) -> dict[str, Value]:
    return {user: value for user, value in by_user.items() if not excluded(user)}


def _counters(excluded: Callable[[str], bool], counters: Counters) -> dict[Series, float]:
    return {one: value for one, value in counters.items() if not excluded(user_of(one))}


def _without_if_known(
    excluded: Callable[[str], bool], by_user: Mapping[str, Value] | None
) -> dict[str, Value] | None:
    return None if by_user is None else _without(excluded, by_user)


def _go_through(
    steps: Steps,
    scan: Scan,
    before: Found,
    timeout: float,
    end: float,
    clock: Callable[[], float],
) -> tuple[Found, Steps]:
    """Return what was found after the steps, up to one that does not come back, and those left.

    Of that one the report says that it took the time it had; what it had reached is kept.
    """
    given: list[tuple[float, float]] = []  # to each step: how many seconds, and until when

    def give(index: int) -> None:
        """Before the step ahead of it ends: else that one's time would count as up."""
        now = time.monotonic()
        seconds = seconds_of([name for name, _ in steps[index:]], scan.wanted, timeout, end - now)
        given.append((seconds, now + seconds))

    def go() -> Iterator[tuple[int, Found]]:
        reached = before
        for index, (name, step) in enumerate(steps):
            began = clock()
            deadline = time.monotonic() + given[index][0] * READING_SHARE
            for reached in _guarded(name, step, scan, reached, deadline):  # noqa: B020
                yield index, reached
            reached = _timed(reached, name, clock() - began)
            give(index + 1)
            yield index + 1, reached

    give(0)
    newest, is_all = newest_until(lambda: given[-1][1], go())
    count, reached = newest[0] if newest else (0, before)
    if is_all:
        return reached, ()
    name, seconds = steps[count][0], given[count][0]
    # Its share, whatever was left: a fault that changes is said each time.
    why = f"no answer within {timeout * share_of(name, scan.wanted):g} s"
    return _timed(_failed(reached, name, why), name, seconds), steps[count + 1 :]


def _guarded(name: str, step: Step, scan: Scan, before: Found, deadline: float) -> Iterator[Found]:
    """Yield what was found with what a step adds; its fault costs its collector's metrics only."""
    reached = before
    try:
        for reached in step(scan, before, deadline):
            yield reached
    except Exception as error:  # noqa: BLE001
        said = "" if scan.wanted.discreet else f": {error}"
        yield _failed(reached, name, f"{type(error).__name__}{said}")


def _timed(found: Found, name: str, seconds: float) -> Found:
    """Return what was found with the seconds that a collector took, more than before."""
    spent = {**found.seconds, name: found.seconds.get(name, 0.0) + seconds}
    return found._replace(seconds=spent)


def _failed(found: Found, name: str, why: str) -> Found:
    return found._replace(failures=(*found.failures, (name, why)))
