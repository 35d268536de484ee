"""What users and sessions use: processes, CPU time, memory, terminals."""

from __future__ import annotations

from textfile_users.accounts import name_of, shown_uids
from textfile_users.activity import activities, with_commands
from textfile_users.kept import NOTHING
from textfile_users.model import ABSENT, OK, PROCESSES, Snapshot, Wanted
from textfile_users.paths import Paths
from textfile_users.sources.cgroups import read_slices
from textfile_users.sources.processes import read_all, with_resident
from textfile_users.sources.procfs import count_processors
from textfile_users.sources.terminals import read_command_lines, stat_terminals
from textfile_users.usage import count_cpu, memory_and_counts, shares_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def look_at_processes(
    paths: Paths, _: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Add all processes, and count the CPU time of their users on. Raises nothing.

    Where time.monotonic() passes ``deadline`` before all are read, none are known.
    """
    kept = before.kept or NOTHING
    processes, report, places = read_all(paths, kept.places, before.now, deadline, kept.time)
    kept, shares = kept._replace(places=places), None
    if processes is not None:  # slices come last, see count_cpu()
        usage = count_cpu(kept.usage, read_slices(paths), processes)
        seconds = (before.now - kept.time) * count_processors(paths)
        shares = shares_of(kept.usage, usage, seconds) if kept.time else None
        kept = kept._replace(usage=usage, time=before.now)
    yield before._replace(
        processes=processes,
        shares=shares,
        kept=kept,
        sources=(*before.sources, report),
        faults=(*before.faults, *report.faults),
        failed=before.failed if report.status in (OK, ABSENT) else (*before.failed, PROCESSES),
    )


def add_activities(
    paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Add what each user and each session does, by name. Raises nothing."""
    if before.processes is None:
        return
    sessions = before.sessions or ()
    kept = before.kept or NOTHING
    known = kept.known
    users = {session.user for session in sessions}
    uids = {process.uid for process in before.processes if process.uid >= 0}
    shown = shown_uids(users, uids, known, wanted.all_users)
    processes = with_resident(paths, before.processes, shown, deadline)
    by_uid = memory_and_counts(processes)
    usages: dict[str, tuple[int, int]] = {}
    for uid in shown:
        user = name_of(uid, known)
        memory, count = usages.get(user, (0, 0))
        usages[user] = memory + by_uid[uid][0], count + by_uid[uid][1]

    def named(values: Mapping[int, float]) -> dict[str, float]:
        result: dict[str, float] = {}
        # A sum whose members come and go is no counter: those with a session only are left out.
        with_session = () if wanted.summed else users
        for uid in shown_uids(with_session, values, known, wanted.all_users):
            user = name_of(uid, known)
            result[user] = result.get(user, 0.0) + values[uid]
        return result

    terminals = stat_terminals(paths, (session.tty for session in sessions if session.tty))
    found = activities(sessions, processes, terminals)
    if wanted.commands:
        pids = {activity.command_pid for activity in found.values()} - {0}
        found = with_commands(found, read_command_lines(paths, pids), processes)
    yield before._replace(
        activities=found,
        cpu_seconds=named(kept.usage.seconds),
        cpu_ratios=None if before.shares is None else named(before.shares),
        usages=usages,
    )
