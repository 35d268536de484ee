"""What users use: CPU time as a true counter, memory, and how many processes they have."""

from __future__ import annotations

from textfile_users.record import Record
from textfile_users.sources.procfs import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


MAX_UIDS = 10_000  # a user may have 65,536 of their own, see subuid(5)


class Usage(Record):
    """What was counted, and what the next look counts from; all CPU times are in seconds.

    ``seconds`` is the counter by uid. ``slices`` is what users' slices had used by uid,
    ``processes`` what each process outside of them had by its identity, and ``latest`` the start
    of the newest process of all. The latter three are None before there was a look.

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
    """Return the usage counted on by a look that found ``slices`` and then ``processes``.

    Counted is the growth of each user's slice, whoever's processes are in it, and that of
    processes outside of all, to the real uid that each has now. The first look counts nothing;
    later a new slice and a new process count whole, also where a slice had been there before.
    ``processes`` are None where they are not known; without process 1 among them (hidepid=)
    only slices count, too. Read the slices after the processes, so that no process is in a slice
    that is not known yet.

    What happens between two looks is not seen, and not counted: what a process outside of
    slices used before its end, what a slice used before its removal (one made anew that has used
    more than the old one had is taken for it), and what a process used outside of slices before
    its move into one or after its move out of one. Counted twice is only what a process used in
    a slice in which no look saw it: it was there between two looks, or its move was not noticed
    (see sources/processes.py).
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
            # One that was there at the last look has left a slice, which counted it.
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
