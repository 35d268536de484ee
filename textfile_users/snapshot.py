"""Runs the collectors one by one, each guarded and timed, and gathers what they found."""

from __future__ import annotations

import _thread
import os
import time

from textfile_users.collectors.accounts import look_at_accounts
from textfile_users.collectors.auth import look_at_auth
from textfile_users.collectors.connections import look_at_connections
from textfile_users.collectors.history import look_at_history
from textfile_users.collectors.processes import add_activities, look_at_processes
from textfile_users.collectors.sessions import add_addresses, add_unrecorded, look_at_sessions
from textfile_users.counting import user_of
from textfile_users.durable import NOTHING, Durable
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
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from textfile_users.networks import Network

    Step = Callable[[Paths, Wanted, Snapshot, float], Snapshot]
    Steps = Sequence[tuple[str, Step]]
    Result = TypeVar("Result")
    Value = TypeVar("Value")

# A collector's share of the whole run's time.
COLLECTOR_SHARE = 0.25
BACKFILL_SHARE = 0.75  # of what has to be caught up with
# Of a collector's time, what it may begin a further block in.
READING_SHARE = 0.7


class Overdue(Exception):
    """What was called has not come back in time."""


# Threads that wait for a next call: to start one costs as much as a small collector does.
_waiting: list[tuple[list[Callable[[], None]], _thread.LockType]] = []
os.register_at_fork(after_in_child=_waiting.clear)


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """Return what ``function`` returns, or raise what it raises; Overdue after ``seconds``."""
    results: list[Result] = []
    if not each_within(seconds, [lambda: results.append(function())]):
        raise Overdue
    return results[0]


def each_within(seconds: float, functions: Sequence[Callable[[], None]]) -> int:
    """Call the functions in turn, each for at most ``seconds``; return how many came back.

    Raises what one of them raises. They are called by another thread, which is left behind with
    a function that does not come back, and the ones after it are not called: a read from a dead
    mount can be neither interrupted nor waited for. Where no thread can be started, as at a limit
    of processes, they are called without a limit of time: better than not at all.
    """
    try:
        thread = _waiting.pop() if _waiting else _start_thread()
    except RuntimeError:
        for function in functions:
            function()
        return len(functions)
    errors: list[BaseException] = []
    turns = [time.monotonic()]  # when the first began, and when each came back
    turn, done = _thread.allocate_lock(), _thread.allocate_lock()
    done.acquire()
    is_given_up = False

    def call() -> None:
        try:
            for function in functions:
                function()
                with turn:
                    if is_given_up:
                        return
                    turns.append(time.monotonic())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)
        finally:
            _waiting.append(thread)
            done.release()

    given, wake = thread
    given.append(call)
    wake.release()
    while not done.acquire(timeout=max(0.0, turns[-1] + seconds - time.monotonic())):
        with turn:
            is_given_up = time.monotonic() - turns[-1] >= seconds
        if is_given_up:
            break
    if errors:
        raise errors[0]
    return len(turns) - 1


def _start_thread() -> tuple[list[Callable[[], None]], _thread.LockType]:
    """Start a thread that calls what it is given, each time it is woken."""
    given: list[Callable[[], None]] = []
    wake = _thread.allocate_lock()
    wake.acquire()

    def serve() -> None:
        while True:
            wake.acquire()
            given.pop()()

    _thread.start_new_thread(serve, ())
    return given, wake


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
    share = BACKFILL_SHARE if wanted.backfill else COLLECTOR_SHARE
    snapshot = Snapshot(now, None, durable=before, kept=kept)
    steps: Steps = [(name, step) for name, step in STEPS if name in wanted.collectors]
    while steps:
        snapshot, steps = _go_through(steps, paths, wanted, snapshot, timeout * share, clock)
    if snapshot.durable and not snapshot.durable.began:
        snapshot = snapshot._replace(durable=snapshot.durable._replace(began=now))
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
    seconds: float,
    clock: Callable[[], float],
) -> tuple[Snapshot, Steps]:
    """Return the snapshot after the steps, up to one that does not come back, and those left.

    Of that one the report says that it took the time it had.
    """
    reached = [before]  # after each step; one that was given up may come back and add another

    def taking(name: str, step: Step) -> Callable[[], None]:
        def take() -> None:
            deadline = time.monotonic() + seconds * READING_SHARE
            began = clock()
            after = _guarded(name, step, paths, wanted, reached[-1], deadline)
            reached.append(_timed(after, name, clock() - began))

        return take

    count = each_within(seconds, [taking(*one) for one in steps])
    if count == len(steps):
        return reached[count], ()
    name, _ = steps[count]
    failed = _failed(reached[count], name, f"no answer within {seconds:g} s")
    return _timed(failed, name, seconds), steps[count + 1 :]


def _guarded(
    name: str, step: Step, paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Snapshot:
    """Return the snapshot with what a step adds; its fault costs its collector's metrics only."""
    try:
        return step(paths, wanted, before, deadline)
    except Exception as error:  # noqa: BLE001
        said = "" if wanted.discreet else f": {error}"
        return _failed(before, name, f"{type(error).__name__}{said}")


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
