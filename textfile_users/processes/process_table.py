"""processes: every process of the host, from /proc (proc(5))."""

from __future__ import annotations

import os
import time

from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, SourceReport
from textfile_users.paths import Paths
from textfile_users.processes.procfs import (
    CLOCK_TICKS,
    PAGE_SIZE,
    Process,
    has_proc,
    parse_cgroup,
    parse_root_cgroup,
    parse_stat,
    read_boot_time,
    read_file,
    read_owned,
)
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    # Which logind session ('' for none) and whose slice (-1 for none) a process is in, its real
    # uid, and the uid that owned its files in /proc meanwhile.
    Place = tuple[str, int, int, int]
    # By pid and start (clock ticks since boot), which no clock changes.
    Places = dict[tuple[int, int], Place]

MAX_DIGITS = 10  # of a pid or uid
MAX_STATUS = 512  # up to the uids; the kernel's names are of 15 bytes, escaped 60
NOWHERE = ("", -1, 0)

# logind moves the processes of a new session to its scope. They are no older than this, but for
# those that have waited for a password, as login(1) does: places are read again now and then.
# Nor do processes that are older become another user's but by running su(1) and its like, or as
# root; /proc/PID then changes its owner, and at once when who changes is not root before.
MAX_AGE_OF_MOVES = 60.0
# Of so many scans one reads a process's place again; a prime, so that each has its turn.
TURNS = 61
# Young ones are read again at each scan. But of all no more than this: who starts thousands may
# choose their pids.
MANY = 2_000
LOOK_SECONDS = 5

HIDDEN = (
    "/proc shows only our own processes (hidepid=, ProtectProc=): mount it with gid=GROUP too "
    "and be in that group, or set ProtectProc=default"
)


def parse_statm(data: bytes) -> int:
    """Return the resident memory in bytes that /proc/PID/statm tells. Raises ValueError.

    /proc/PID/stat leaves out what a processor has not added up yet, up to some 300 KiB a process.
    """
    fields = data.split(None, 2)
    if len(fields) < 3 or not fields[1].isdigit() or len(fields[1]) > MAX_DIGITS:
        raise ValueError("not a line of /proc/PID/statm")
    return int(fields[1]) * PAGE_SIZE


def with_resident(
    paths: Paths, processes: tuple[Process, ...], uids: Collection[int], deadline: float
) -> tuple[Process, ...]:
    """Return ``processes``, those of ``uids`` with their exact resident memory. Raises nothing.

    Of thousands only the largest ones are read again, as long as time.monotonic() is before the
    ``deadline``: the others have what /proc/PID/stat tells.
    """
    own = [process for process in processes if process.uid in uids and process.resident]
    own.sort(key=lambda process: -process.resident)
    exact = {}
    proc = paths.proc("")
    for process in own[:MANY]:
        if time.monotonic() > deadline:
            break
        try:
            resident = parse_statm(read_file(f"{proc}{process.pid}/statm", MAX_STATUS))
        except ValueError:  # it ended
            continue
        if resident:
            exact[process.pid] = resident
    return tuple(
        process._replace(resident=exact[process.pid]) if process.pid in exact else process
        for process in processes
    )


def parse_uid(data: bytes) -> int:
    """Return the real uid that /proc/PID/status tells, -1 where it tells none."""
    # The name before it can't imitate a line: its newlines are escaped.
    start = data.find(b"\nUid:\t") + 6
    digits = data[start : data.find(b"\t", start)]
    return int(digits) if start > 5 and digits.isdigit() and len(digits) <= MAX_DIGITS else -1


def read_all(
    paths: Paths,
    known: Mapping[tuple[int, int], Place],
    now: float,
    deadline: float = float("inf"),
    since: float = float("inf"),
) -> tuple[tuple[Process, ...] | None, SourceReport, Places]:
    """Return every process at the time ``now``, the source's report, and places to remember.

    The processes are None where the root has no /proc, or a dead image's; those that end while
    we look are left out. ``known`` are the places that the last scan gave to remember, whose
    files are not read again while /proc has the same owner for the process. Nor are there
    processes where time.monotonic() passes ``deadline`` before all are read: then only the places
    are good, so that the next scan has less to read. The last one, that of ``known``, was at
    ``since``.
    """
    if not has_proc(paths):
        return None, SourceReport("procfs", ABSENT), {}
    places: Places = {}
    pids = _pids(paths)
    remembered = {pid for pid, _ in known}
    pids.sort(key=remembered.__contains__)  # those that cost most first: each scan gets further
    try:
        processes = tuple(_read_each(paths, pids, known, now, min(now, since), places, deadline))
    except TimeoutError as error:
        listed = set(pids)
        places = {**{key: known[key] for key in known if key[0] in listed}, **places}
        return None, SourceReport("procfs", BROKEN, (f"{paths.proc('')}: {error}",)), places
    if any(process.pid == 1 for process in processes):
        return processes, SourceReport("procfs", OK), places
    return processes, SourceReport("procfs", DENIED, (HIDDEN,)), places


def _read_place(process: str, owner: int, inside: str) -> Place | None:
    """Return of which session, slice and user the directory of a process is, None if it ended."""
    status = read_file(f"{process}/status", MAX_STATUS)
    if not status:
        return None
    return (*parse_cgroup(read_file(f"{process}/cgroup"), inside), parse_uid(status), owner)


def _pids(paths: Paths) -> list[int]:
    """Return the pids in /proc, below another root without those that are links out of it."""
    proc = paths.proc("")
    if paths.is_own_host:
        names = os.listdir(proc)
    else:
        with os.scandir(proc) as entries:
            names = [entry.name for entry in entries if not entry.is_symlink()]
    return [
        int(name) for name in names if name.isdigit() and name.isascii() and len(name) <= MAX_DIGITS
    ]


def _read_each(
    paths: Paths,
    pids: list[int],
    known: Mapping[tuple[int, int], Place],
    now: float,
    since: float,
    places: Places,
    deadline: float,
) -> Iterator[Process]:
    """Yield every process, and note in ``places`` what stays. Raises TimeoutError."""
    turn, turns_of_young, read_again = int(now / LOOK_SECONDS), 1 + len(known) // MANY, 0
    boot_time, proc = read_boot_time(paths), paths.proc("")
    inside = parse_root_cgroup(read_file(f"{proc}1/cgroup"))
    for pid in pids:
        if time.monotonic() > deadline:
            raise TimeoutError("more processes than can be read in time; the next scan reads on")
        data, owner = read_owned(f"{proc}{pid}/stat")
        try:
            comm, state, ppid, group, tty, leads, is_kernels, cpu, ticks, rss = parse_stat(data)
        except ValueError:  # it ended, or is hidden from us
            continue
        start = None if boot_time is None else boot_time + ticks / CLOCK_TICKS
        session, slice_, uid = NOWHERE
        if not is_kernels:
            is_young = start is None or since - start < MAX_AGE_OF_MOVES
            place = known.get((pid, ticks))
            is_turn = not (pid - turn) % (turns_of_young if is_young else TURNS)
            if place and is_turn and read_again < MANY:
                place, read_again = None, read_again + 1
            if place is None or place[3] != owner:
                place = _read_place(f"{proc}{pid}", owner, inside)
                if place is None:
                    continue
            session, slice_, uid, _ = place
            if start is not None and uid >= 0:
                places[pid, ticks] = place
        fields = pid, comm, ppid, start, uid, state, group, tty, leads, cpu, rss, session, slice_
        yield quick(Process, fields)
