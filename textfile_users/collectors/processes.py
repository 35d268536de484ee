"""What users use: processes, CPU time and memory."""

from __future__ import annotations

from textfile_users.accounts import name_of, shown_uids
from textfile_users.record import Record
from textfile_users.sources.cgroups import read_slices
from textfile_users.sources.processes import read_all, with_resident
from textfile_users.sources.procfs import count_processors
from textfile_users.sources.report import Reports, reports_of
from textfile_users.usage import Usage, count_cpu, memory_and_counts, shares_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textfile_users.accounts import Known
    from textfile_users.sources.processes import Places
    from textfile_users.sources.procfs import Process
    from textfile_users.wanted import Scan


class ProcessesMemory(Record):
    """What counting CPU time goes on from, of the scan at ``time``, 0 for none.

    ``places`` says of which sessions, slices and users processes are.
    """

    usage: Usage = Usage()
    places: Places = {}
    time: float = 0.0


class ProcessesFound(Record):
    """All processes, None where they are not known, and what users use by name.

    ``cpu_seconds`` is the counter, ``cpu_ratios`` its growth since the last scan as a share of all
    the host has (``shares`` by uid), ``usages`` resident memory in bytes and the number of
    processes; None where they are not known.
    """

    memory: ProcessesMemory = ProcessesMemory()
    reports: Reports = Reports()
    processes: tuple[Process, ...] | None = None
    shares: Mapping[int, float] | None = None
    cpu_seconds: Mapping[str, float] | None = None
    cpu_ratios: Mapping[str, float] | None = None
    usages: Mapping[str, tuple[int, int]] | None = None

    @property
    def uids(self) -> set[int]:
        """The uids of all processes, as far as they are known."""
        return {process.uid for process in self.processes or () if process.uid >= 0}


def collect_processes(
    scan: Scan, before: ProcessesMemory, deadline: float
) -> Iterator[ProcessesFound]:
    """Find all processes, and count the CPU time of their users on. Raises nothing.

    Where time.monotonic() passes ``deadline`` before all are read, none are known.
    """
    processes, report, places = read_all(scan.paths, before.places, scan.now, deadline, before.time)
    after, shares = before._replace(places=places), None
    if processes is not None:  # slices come last, see count_cpu()
        usage = count_cpu(before.usage, read_slices(scan.paths), processes)
        seconds = (scan.now - before.time) * count_processors(scan.paths)
        shares = shares_of(before.usage, usage, seconds) if before.time else None
        after = after._replace(usage=usage, time=scan.now)
    yield ProcessesFound(after, reports_of(report), processes, shares)


def find_usage(
    scan: Scan, before: ProcessesFound, users: set[str], known: Known, deadline: float
) -> Iterator[ProcessesFound]:
    """Add what each user uses, by name; ``users`` are those with a session. Raises nothing."""
    if before.processes is None:
        return
    shown = shown_uids(users, before.uids, known, scan.wanted.all_users)
    processes = with_resident(scan.paths, before.processes, shown, deadline)
    by_uid = memory_and_counts(processes)
    usages: dict[str, tuple[int, int]] = {}
    for uid in shown:
        user = name_of(uid, known)
        memory, count = usages.get(user, (0, 0))
        usages[user] = memory + by_uid[uid][0], count + by_uid[uid][1]

    def named(values: Mapping[int, float]) -> dict[str, float]:
        result: dict[str, float] = {}
        # A sum whose members come and go is no counter: those with a session only are left out.
        with_session = () if scan.wanted.summed else users
        for uid in shown_uids(with_session, values, known, scan.wanted.all_users):
            user = name_of(uid, known)
            result[user] = result.get(user, 0.0) + values[uid]
        return result

    yield before._replace(
        processes=processes,
        cpu_seconds=named(before.memory.usage.seconds),
        cpu_ratios=None if before.shares is None else named(before.shares),
        usages=usages,
    )
