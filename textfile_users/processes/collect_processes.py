"""What users use: processes, CPU time by their slices (cgroups(7)) and outside, and memory."""

from __future__ import annotations

import os

from textfile_users.accounts.account import name_of, shown_uids
from textfile_users.collecting import Reports, reports_of
from textfile_users.paths import Paths
from textfile_users.processes.process_table import read_all, with_resident
from textfile_users.processes.procfs import Process, count_processors, read_file
from textfile_users.reading.text import is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from textfile_users.accounts.account import Known
    from textfile_users.collecting import Scan
    from textfile_users.processes.process_table import Places
    from textfile_users.processes.procfs import Process

# Version 2, beside version 1 (hybrid: it accounts without being told to), and version 1.
HIERARCHIES = (
    ("fs/cgroup/user.slice", "cpu.stat"),
    ("fs/cgroup/unified/user.slice", "cpu.stat"),
    ("fs/cgroup/cpu,cpuacct/user.slice", "cpuacct.usage"),
    ("fs/cgroup/cpuacct/user.slice", "cpuacct.usage"),
)
MAX_DIGITS = 20
MAX_UIDS = 10_000  # a user may have 65,536 of their own, see subuid(5)


class Usage(Record):
    """What was counted, and what the next scan counts from; all CPU times are in seconds.

    ``seconds`` is the counter by uid. ``slices`` is what users' slices had used by uid,
    ``processes`` what each process outside of them had by its identity, and ``latest`` the start
    of the newest process of all. The latter three are None before there was a scan.

    A process is identified by its pid and its start in hundredths of a second after process 1's,
    which a clock that is set does not change.
    """

    seconds: Mapping[int, float] = {}
    slices: Mapping[int, float] | None = None
    processes: Mapping[tuple[int, int], float] | None = None
    latest: int | None = None


def count_cpu(
    before: Usage, slices: Mapping[int, float], processes: Iterable[Process] | None
) -> Usage:
    """Return the usage counted on by a scan that found ``slices`` and then ``processes``.

    Counted is the growth of each user's slice, whoever's processes are in it, and that of
    processes outside of all, to the real uid that each has now. The first scan counts nothing;
    later a new slice and a new process count whole, also where a slice had been there before.
    ``processes`` are None where they are not known; without process 1 among them (hidepid=)
    only slices count, too. Read the slices after the processes, so that no process is in a slice
    that is not known yet.

    What happens between two scans is not seen, and not counted: what a process outside of
    slices used before its end, what a slice used before its removal (one made anew that has used
    more than the old one had is taken for it), and what a process used outside of slices before
    its move into one or after its move out of one. Counted twice is only what a process used in
    a slice in which no scan saw it: it was there between two scans, or its move was not noticed
    (see processes/process_table.py).
    """
    seconds = dict(before.seconds)
    for uid, used in slices.items():
        growth = 0.0 if before.slices is None else _growth(before.slices.get(uid, 0.0), used)
        seconds[uid] = seconds.get(uid, 0.0) + growth
    after = before._replace(seconds=seconds, slices=slices)
    known = list(processes or ())
    first = next((process for process in known if process.pid == 1), None)
    if first is not None:
        after = _count_processes(after, known, first.start)
    return after if len(after.seconds) <= MAX_UIDS else after._replace(seconds=_most(after.seconds))


def _most(seconds: Mapping[int, float]) -> dict[int, float]:
    """Return the counters of those who used most; the others' begin anew."""
    uids = sorted(seconds, key=lambda uid: seconds[uid])[-MAX_UIDS:]
    return {uid: seconds[uid] for uid in uids}


def _count_processes(before: Usage, processes: list[Process], first: float | None) -> Usage:
    """Count those outside of the slices; ``first`` is the start of process 1."""
    seconds = dict(before.seconds)
    slices = before.slices or {}
    baselines = {}
    latest = 0
    for process in processes:
        start = 0
        if first is not None and process.start is not None:
            start = round((process.start - first) * 100)
        latest = max(latest, start)
        if process.slice in slices or process.uid < 0:
            continue
        identity = process.pid, start
        base = (before.processes or {}).get(identity)
        if base is None:
            # One that was there at the last scan has left a slice, which counted it.
            is_new = before.latest is not None and start > before.latest
            base = 0.0 if is_new else process.cpu
        baselines[identity] = max(base, process.cpu)
        seconds[process.uid] = seconds.get(process.uid, 0.0) + max(0.0, process.cpu - base)
    return before._replace(seconds=seconds, processes=baselines, latest=latest)


def shares_of(before: Usage, after: Usage, seconds: float) -> dict[int, float]:
    """Return the part, up to 1, that each uid's growth is of the CPU ``seconds`` of a host."""
    if seconds <= 0:  # the clock was set back
        return {}
    return {
        uid: min(max(used - before.seconds.get(uid, 0.0), 0.0) / seconds, 1.0)
        for uid, used in after.seconds.items()
    }


def memory_and_counts(processes: Iterable[Process]) -> dict[int, tuple[int, int]]:
    """Return the resident memory in bytes and the number of processes by real uid.

    Pages that processes share count for each of them. Zombies are processes without memory;
    those of the kernel are uid 0's. Processes of which the uid is not known are left out.
    """
    result: dict[int, tuple[int, int]] = {}
    for process in processes:
        if process.uid >= 0:
            memory, count = result.get(process.uid, (0, 0))
            result[process.uid] = memory + process.resident, count + 1
    return result


def _growth(base: float, now: float) -> float:
    """Return what a slice has used since; one with less than before has been made anew."""
    return now - base if now >= base else now


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


def parse_cpu_stat(data: bytes) -> float | None:
    """Return the CPU time in seconds from cpu.stat of version 2, None where it has none."""
    for line in data.split(b"\n"):
        name, _, number = line.partition(b" ")
        if name == b"usage_usec" and number.isdigit() and len(number) <= MAX_DIGITS:
            return int(number) / 1e6
    return None


def parse_cpuacct_usage(data: bytes) -> float | None:
    """Return the CPU time in seconds from cpuacct.usage of version 1, None for anything else."""
    number = data.strip()
    return int(number) / 1e9 if number.isdigit() and len(number) <= MAX_DIGITS else None


def read_slices(paths: Paths) -> dict[int, float]:
    """Return the CPU time in seconds that each user's slice has used, by uid.

    It is that of the slice since it was made, ended processes included. Without systemd, or
    accounts of its slices, there is none.
    """
    for directory, name in HIERARCHIES:
        slices = _read_hierarchy(paths, paths.sys(directory), name)
        if slices:
            return slices
    return {}


def _read_hierarchy(paths: Paths, directory: str, file_name: str) -> dict[int, float]:
    try:
        names = os.listdir(directory)
    except OSError:
        return {}
    parse = parse_cpu_stat if file_name == "cpu.stat" else parse_cpuacct_usage
    slices = {}
    for name in names:
        uid = name[5:-6]
        if name == f"user-{uid}.slice" and is_number(uid):
            used = parse(_read_inside(paths, f"{directory}/{name}/{file_name}"))
            if used is not None:
                slices[int(uid)] = used
    return slices


def _read_inside(paths: Paths, path: str) -> bytes:
    try:
        paths.require_inside(path)
    except OSError:
        return b""
    return read_file(path)
