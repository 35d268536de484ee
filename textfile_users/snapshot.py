"""Runs the collectors one by one, each guarded and timed, and gathers what they found."""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable
from typing import TypeVar

from textfile_users.model import ABSENT, OK, CollectorReport, Snapshot
from textfile_users.paths import Paths
from textfile_users.sessions import (
    leaders_without_terminal,
    merge,
    newest,
    pids_of,
    servers_of_windows,
)
from textfile_users.sources.logind import read_logind
from textfile_users.sources.procfs import read_descents, read_processes, read_terminals
from textfile_users.sources.utmp import read_utmp

Result = TypeVar("Result")

# A collector's share of the whole run's time.
COLLECTOR_SHARE = 0.25


class Overdue(Exception):
    """What was called has not come back in time."""


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """Return what ``function`` returns, or raise what it raises.

    Raises Overdue after ``seconds``: a thread of its own is then left behind, since a
    read from a dead mount can be neither interrupted nor waited for.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)
        finally:
            done.release()

    _thread.start_new_thread(call, ())
    if not done.acquire(timeout=seconds):
        raise Overdue
    if errors:
        raise errors[0]
    return results[0]


def look(
    paths: Paths,
    now: float,
    timeout: float,
    excluded: Callable[[str], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Snapshot:
    """Look once at the host.

    ``now`` is the time of the look in seconds since the epoch, ``timeout`` that of the
    whole run in seconds; sessions of users that are ``excluded`` are left out. Never
    raises: what fails is in the snapshot's faults and reports.
    """
    began = clock()
    seconds = timeout * COLLECTOR_SHARE
    try:
        snapshot = within(seconds, lambda: _look_at_sessions(paths, now))
    except Overdue:
        snapshot = Snapshot(now, None, faults=(f"sessions: no answer within {seconds:g} s",))
    except Exception as error:  # noqa: BLE001 - a collector's fault costs its own metrics only
        snapshot = Snapshot(now, None, faults=(f"sessions: {type(error).__name__}: {error}",))
    sessions = snapshot.sessions
    if sessions is not None and excluded is not None:
        sessions = tuple(session for session in sessions if not excluded(session.user))
    success = sessions is not None and all(s.status in (OK, ABSENT) for s in snapshot.sources)
    report = CollectorReport("sessions", success, clock() - began)
    return snapshot._replace(sessions=sessions, collectors=(report,))


def _look_at_sessions(paths: Paths, now: float) -> Snapshot:
    records, utmp = read_utmp(paths)
    logind, logind_report = read_logind(paths)
    # Before anything is read for each of them.
    records, logind, dropped = newest(records, logind)
    pids = pids_of(records)
    processes, procfs = read_processes(paths, pids)
    if len(pids) > 1 and processes is not None and not processes:  # is /proc another host's?
        processes, procfs = read_processes(paths, [session.leader for session in logind])
    elif processes and logind_report.status != OK:  # for the services of root's logins
        parents, _ = read_processes(paths, {process.ppid for process in processes.values()})
        processes.update(parents or {})
    reports = (utmp, logind_report, procfs)
    faults = tuple(fault for report in reports for fault in report.faults)
    if OK not in (utmp.status, logind_report.status):
        nothing = f"no source of sessions: neither {paths.utmp()} nor {paths.logind_sessions()}"
        return Snapshot(now, None, sources=reports, faults=(*faults, f"{nothing} can be read"))
    terminals = read_terminals(paths, leaders_without_terminal(records, logind))
    descents = read_descents(paths, servers_of_windows(records))
    merged = merge(records, logind, processes, terminals, descents)
    if utmp.status == OK:
        utmp = utmp._replace(unusable=(*utmp.unusable, ("stale", merged.stale)))
    return Snapshot(
        now,
        merged.sessions,
        dropped=dropped,
        closing=merged.closing,
        sources=(utmp, logind_report, procfs),
        faults=(*faults, *merged.faults),
        verdicts=merged.verdicts,
    )
