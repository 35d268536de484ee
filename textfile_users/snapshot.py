"""Runs the collectors one by one, each guarded and timed, and gathers what they found."""

from __future__ import annotations

import time

from textfile_users.collectors.accounts import add_system_users, look_at_accounts
from textfile_users.collectors.auth import look_at_auth
from textfile_users.collectors.connections import look_at_connections
from textfile_users.collectors.history import look_at_history
from textfile_users.collectors.processes import add_activities, look_at_processes
from textfile_users.collectors.sessions import add_addresses, add_unrecorded, look_at_sessions
from textfile_users.counting import LOGINS, user_of
from textfile_users.deadline import newest_until
from textfile_users.durable import BEGINNING, NOTHING, Durable
from textfile_users.kept import NOTHING as NOTHING_KEPT
from textfile_users.kept import Kept
from textfile_users.model import (
    ABSENT,
    ACCOUNTS,
    AUTH,
    CONNECTIONS,
    HISTORY,
    OK,
    PROCESSES,
    SESSIONS,
    CollectorReport,
    Snapshot,
    SourceReport,
    Wanted,
)
from textfile_users.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from textfile_users.networks import Network

    # Yields the snapshot with what it adds, at the latest where all of it is found.
    Step = Callable[[Paths, Wanted, Snapshot, float], Iterator[Snapshot]]
    Steps = Sequence[tuple[str, Step]]
    Value = TypeVar("Value")

# Of the whole run's time a look may take so much, and of that a collector.
LOOK_SHARE = 0.9
COLLECTOR_SHARE = 0.25
# More for a table, which is read at once or not at all, and for what comes last and may have
# much to catch up with; see docs/decisions.md.
SHARES = {PROCESSES: 0.75, AUTH: 0.75, HISTORY: 0.75}
LEAST_SHARE = 0.02  # what is left for each step that follows
# Of a collector's time, what it may begin a further block in.
READING_SHARE = 0.9


# In their order: processes show sessions that nothing records, sessions tell the types of
# logins, and events come before records of them.
STEPS: Steps = (
    (PROCESSES, look_at_processes),
    (SESSIONS, look_at_sessions),
    (ACCOUNTS, look_at_accounts),
    (CONNECTIONS, look_at_connections),
    (SESSIONS, add_unrecorded),
    (ACCOUNTS, look_at_accounts),  # of those sessions too
    (PROCESSES, add_activities),
    (AUTH, look_at_auth),
    (SESSIONS, add_addresses),  # which the log may tell
    (HISTORY, look_at_history),
    (ACCOUNTS, add_system_users),
)


def look(
    paths: Paths,
    now: float,
    timeout: float,
    excluded: Callable[[str], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wanted: Wanted = Wanted(),  # noqa: B008 - immutable
    before: Durable = NOTHING,
    kept: Kept = NOTHING_KEPT,
) -> Snapshot:
    """Look once at the host.

    ``now`` is the time of the look in seconds since the epoch, ``timeout`` that of the whole
    run in seconds; what is of users that are ``excluded`` is left out of the snapshot, not of
    what is remembered. Counting goes on from what the last look's snapshot had: its durable
    ``before``, and ``kept``. Never raises: what fails is in the snapshot's faults and reports.
    """
    end = time.monotonic() + timeout * LOOK_SHARE
    snapshot = Snapshot(now, None, durable=before, kept=kept)
    steps: Steps = [(name, step) for name, step in STEPS if name in wanted.collectors]
    while steps:
        snapshot, steps = _go_through(steps, paths, wanted, snapshot, timeout, end, clock)
    if snapshot.durable and not snapshot.durable.began:
        began = BEGINNING if wanted.backfill else now
        snapshot = snapshot._replace(durable=snapshot.durable._replace(began=began))
    snapshot = _shown(snapshot, excluded or (lambda _: False))
    return _with_networks(snapshot, wanted.networks) if wanted.networks else snapshot


def is_whole(snapshot: Snapshot) -> bool:
    """Return whether the sessions are all there are: what only processes and sockets show, too."""
    return not (
        (PROCESSES in snapshot.failed and snapshot.processes is None)
        or (CONNECTIONS in snapshot.failed and snapshot.connections is None)
    )


def _shown(snapshot: Snapshot, excluded: Callable[[str], bool]) -> Snapshot:
    """Return the snapshot with what is shown of what was counted, without users ``excluded``."""
    durable = snapshot.durable or NOTHING
    sessions, accounts = snapshot.sessions, snapshot.accounts
    cpu, ratios, usages = snapshot.cpu_seconds, snapshot.cpu_ratios, snapshot.usages
    return snapshot._replace(
        sessions=sessions and tuple(one for one in sessions if not excluded(one.user)),
        counters={
            series: value
            for series, value in durable.counters.items()
            if not excluded(user_of(series))
        },
        failures=durable.failures,
        attempts=sum(durable.attempts.values()),
        root_logins=sum(
            count
            for series, count in durable.counters.items()
            if series[0] == LOGINS and series[1] == snapshot.root
        ),
        last_logins=_without(excluded, durable.last_logins),
        refused_users={
            address: _without(excluded, users) for address, users in snapshot.refused_users.items()
        },
        accounts=accounts and tuple(one for one in accounts if not excluded(one.user)),
        cpu_seconds=None if cpu is None else _without(excluded, cpu),
        usages=None if usages is None else _without(excluded, usages),
        cpu_ratios=None if ratios is None else _without(excluded, ratios),
        sources=_each_once(snapshot.sources),
    )


def _with_networks(snapshot: Snapshot, networks: tuple[Network, ...]) -> Snapshot:
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


def _each_once(sources: tuple[SourceReport, ...]) -> tuple[SourceReport, ...]:
    """Return a report for each source, of several steps' the one that tells of a fault."""
    by_name: dict[str, SourceReport] = {}
    for source in sources:
        known = by_name.get(source.name)
        if known is None or known.status in (OK, ABSENT):
            by_name[source.name] = source
    return tuple(by_name.values())


def _without(excluded: Callable[[str], bool], by_user: Mapping[str, Value]) -> dict[str, Value]:
    return {user: value for user, value in by_user.items() if not excluded(user)}


def _go_through(
    steps: Steps,
    paths: Paths,
    wanted: Wanted,
    before: Snapshot,
    timeout: float,
    end: float,
    clock: Callable[[], float],
) -> tuple[Snapshot, Steps]:
    """Return the snapshot after the steps, up to one that does not come back, and those left.

    Of that one the report says that it took the time it had; what it had reached is kept.
    """
    given: list[tuple[float, float]] = []  # to each step: how many seconds, and until when

    def give(index: int) -> None:
        """Before the step ahead of it ends: else that one's time would count as up."""
        now = time.monotonic()
        seconds = _seconds_of(steps[index:], wanted, timeout, end - now)
        given.append((seconds, now + seconds))

    def go() -> Iterator[tuple[int, Snapshot]]:
        reached = before
        for index, (name, step) in enumerate(steps):
            began = clock()
            deadline = time.monotonic() + given[index][0] * READING_SHARE
            for reached in _guarded(name, step, paths, wanted, reached, deadline):  # noqa: B020
                yield index, reached
            reached = _timed(reached, name, clock() - began)
            give(index + 1)
            yield index + 1, reached

    give(0)
    newest, is_all = newest_until(lambda: given[-1][1], go())
    count, reached = newest[0] if newest else (0, before)
    if is_all:
        return reached, ()
    name, _ = steps[count]
    seconds, _ = given[count]
    # Its share, whatever was left: a fault that changes is said each time.
    failed = _failed(reached, name, f"no answer within {timeout * _share_of(name, wanted):g} s")
    return _timed(failed, name, seconds), steps[count + 1 :]


def _seconds_of(steps: Steps, wanted: Wanted, timeout: float, left: float) -> float:
    """Return what the first of ``steps`` may take: its share, if enough is left for the others."""
    if not steps:
        return timeout
    least = timeout * LEAST_SHARE
    share = timeout * _share_of(steps[0][0], wanted)
    return max(least, min(share, left - (len(steps) - 1) * least))


def _share_of(name: str, wanted: Wanted) -> float:
    return LOOK_SHARE if wanted.backfill else SHARES.get(name, COLLECTOR_SHARE)


def _guarded(
    name: str, step: Step, paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Yield the snapshot with what a step adds; its fault costs its collector's metrics only."""
    reached = before
    try:
        for reached in step(paths, wanted, before, deadline):
            yield reached
    except Exception as error:  # noqa: BLE001
        said = "" if wanted.discreet else f": {error}"
        yield _failed(reached, name, f"{type(error).__name__}{said}")


def _timed(snapshot: Snapshot, name: str, seconds: float) -> Snapshot:
    """Return the snapshot with the report of a collector that took so many seconds more."""
    reports = {report.name: report for report in snapshot.collectors}
    spent = seconds + (reports[name].seconds if name in reports else 0.0)
    reports[name] = CollectorReport(name, name not in snapshot.failed, spent)
    return snapshot._replace(collectors=tuple(reports.values()))


def _failed(before: Snapshot, name: str, why: str) -> Snapshot:
    return before._replace(
        faults=(*before.faults, f"{name}: {why}"),
        failed=(*before.failed, name),
        caught_up=before.caught_up and name != AUTH,
    )
