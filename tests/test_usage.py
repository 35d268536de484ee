"""What users use: the CPU counter over looks, memory and numbers of processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textfile_users.processes import collect_processes as usage
from textfile_users.processes.collect_processes import Usage, count_cpu, memory_and_counts
from textfile_users.processes.procfs import Process

BOOT = 1_765_000_000.0
INIT = Process(1, "systemd", 0, BOOT + 0.05)


def process(
    pid: int, cpu: float, uid: int = 1000, slice_: int = -1, start: float = BOOT + 10
) -> Process:
    return Process(pid, "x", 1, start, uid, cpu=cpu, slice=slice_)


def looks(*found: tuple[dict[int, float], list[Process] | None]) -> Usage:
    """Return what is counted by scans that find these slices and processes, with a pid 1."""
    usage = Usage()
    for slices, processes in found:
        usage = count_cpu(usage, slices, processes and [INIT._replace(uid=0), *processes])
    return usage


NEW = BOOT + 20  # after the processes of a first scan
FIRST = process(7, 0.0, uid=1)  # one that is there at each scan


@pytest.mark.parametrize(
    ("first", "second", "seconds", "why"),
    [
        (({1000: 5.0}, [FIRST]), ({1000: 7.5}, [FIRST]), 2.5, "a slice grows"),
        (({}, [FIRST]), ({1000: 2.0}, [FIRST]), 2.0, "a new slice begins at 0"),
        (({1000: 5.0}, [FIRST]), ({1000: 2.0}, [FIRST]), 2.0, "a slice made anew begins at 0"),
        (({1000: 5.0}, [FIRST]), ({}, [FIRST]), 0.0, "a slice goes"),
        (({}, [process(9, 5.0)]), ({}, [process(9, 7.5)]), 2.5, "a process outside grows"),
        (({}, [FIRST]), ({}, [FIRST, process(9, 2.0, start=NEW)]), 2.0, "a new one begins at 0"),
        (({1000: 1.0}, [FIRST]), ({1000: 2.0}, [FIRST, process(9, 1.0, 1000, 1000, NEW)]), 1.0,
         "but not in a slice"),
        (({}, [process(9, 5.0), FIRST]), ({}, [FIRST]), 0.0, "a process ends"),
        (({}, [process(9, 5.0)]), ({}, [process(9, 2.0, start=NEW)]), 2.0, "a pid is used again"),
        (({}, [process(9, 5.0)]), ({}, [process(9, 4.0)]), 0.0, "a process's time goes back"),
        (({1000: 1.0}, [process(9, 5.0)]), ({1000: 1.5}, [process(9, 6.0)]), 1.5,
         "a slice and a process outside add up"),
        (({1000: 1.0}, [process(9, 5.0, 1000, 1000)]), ({1000: 2.0}, [process(9, 6.0, 1000, 1000)]),
         1.0, "a process inside counts as its slice"),
        (({1000: 1.0}, [process(9, 5.0, 0, 1000)]), ({1000: 2.0}, [process(9, 6.0, 0, 1000)]),
         1.0, "also where it is another user's (sudo)"),
        (({}, [process(9, 5.0, 1000, 1000)]), ({}, [process(9, 6.0, 1000, 1000)]), 1.0,
         "inside, but nobody accounts to slices"),
        (({}, [process(9, 5.0)]), ({1000: 0.3}, [process(9, 5.5, 1000, 1000)]), 0.3,
         "moved into a slice: its time outside is lost"),
        (({1000: 1.0}, [process(9, 5.0, 1000, 1000)]), ({1000: 1.3}, [process(9, 5.5)]), 0.3,
         "moved out of a slice: its time there counted as the slice's"),
        (({1000: 1.0}, [process(9, 5.0, 1000, 1000, NEW), FIRST]),
         ({1000: 1.3}, [process(9, 5.5, start=NEW)]), 0.3,
         "the same of the newest, whatever the order"),
        (({}, [process(9, 5.0, uid=0)]), ({}, [process(9, 7.0)]), 2.0, "a uid changes"),
        (({}, [process(9, 5.0)]), ({}, [process(9, 7.0, uid=-1)]), 0.0, "a uid that is not known"),
        (({1000: 1.0}, [process(9, 5.0)]), ({1000: 2.0}, None), 1.0, "processes are not known"),
        (({}, None), ({}, [process(9, 5.0)]), 0.0, "they are known for the first time"),
        (({}, [FIRST]), ({1000: 2.0}, [FIRST, process(9, 2.5, start=NEW)]), 4.5,
         "a new one has left a slice: what it used there counts twice"),
    ],
)  # fmt: skip
def test_two_looks(
    first: tuple[dict[int, float], list[Process] | None],
    second: tuple[dict[int, float], list[Process] | None],
    seconds: float,
    why: str,
) -> None:
    assert set(looks(first).seconds.values()) <= {0.0}, "the first scan counts nothing"
    found = looks(first, second).seconds
    assert found.get(1000, 0.0) == pytest.approx(seconds), why
    assert sum(found.values()) == pytest.approx(seconds), why


@pytest.mark.parametrize(
    ("found", "seconds", "why"),
    [
        ([({1000: 5.0}, [FIRST]), ({}, [FIRST]), ({1000: 1.0}, [FIRST])], 1.0,
         "logged out, and in again"),
        ([({}, [process(9, 5.0)]), ({}, [process(9, 4.0)]), ({}, [process(9, 5.5)])], 0.5,
         "what goes back and forth counts once"),
        ([({}, [process(9, 5.0)]), ({}, None), ({}, [process(9, 7.0)])], 2.0,
         "what grew while nobody could look"),
        ([({}, [process(9, 1.0)]), ({1000: 2.0}, [process(9, 3.0, 1000, 1000)]),
          ({1000: 2.0}, [process(9, 3.5)]), ({1000: 2.0}, [process(9, 4.0)])], 2.5,
         "into a slice and out again"),
    ],
)  # fmt: skip
def test_three_looks(
    found: list[tuple[dict[int, float], list[Process] | None]], seconds: float, why: str
) -> None:
    assert looks(*found).seconds[1000] == pytest.approx(seconds), why


def moved(seconds: float) -> Callable[[Process], Process]:
    """Return what a clock set by `seconds` makes of a process: its boot moves, so its start."""
    return lambda one: one._replace(start=None if one.start is None else one.start + seconds)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 1.0, 50 * 365 * 86400.0])
def test_a_clock_that_is_set_counts_nothing_twice(seconds: float) -> None:
    before = count_cpu(Usage(), {}, [INIT, process(9, 5.0)])
    found = [INIT, process(9, 6.0), process(10, 2.0, start=NEW)]
    usage = count_cpu(before, {}, map(moved(seconds), found))
    assert usage.seconds[1000] == pytest.approx(3.0)


def test_hidden_processes_are_not_new_ones_when_they_show() -> None:
    """hidepid= shows our own only; later all of the others' lives would count at once."""
    before = count_cpu(Usage(), {1000: 1.0}, [process(9, 5.0, uid=33)])
    hidden = count_cpu(before, {1000: 2.0}, [process(9, 6.0, uid=33)])
    assert hidden.seconds == {1000: 1.0}
    shown = count_cpu(hidden, {1000: 2.0}, [INIT, process(9, 7.0, uid=33), process(8, 900.0)])
    assert sum(shown.seconds.values()) == 1.0


def test_without_a_boot_time_no_process_is_taken_for_new() -> None:
    first = INIT._replace(start=None)
    one = process(9, 5.0)._replace(start=None)
    usage = count_cpu(Usage(), {}, [first, one])
    new = process(10, 900.0)._replace(start=None)
    usage = count_cpu(usage, {}, [first, one._replace(cpu=6.0), new])
    assert usage.seconds[1000] == pytest.approx(1.0)


def test_nothing_of_what_ended_is_remembered() -> None:
    usage = looks(({1000: 5.0}, [process(9, 5.0), FIRST]), ({}, [FIRST]))
    assert usage.slices == {}
    assert {pid for pid, _ in usage.processes or ()} == {1, 7}


class Host:
    """A host whose processes start, burn, move, change uid and end, and what is to be counted.

    It keeps the truth tick by tick, and leaves out of it what count_cpu() says it cannot see.
    """

    def __init__(self) -> None:
        self.hundredths = 0  # since process 1 began
        self.living = {1: INIT._replace(uid=0)}
        self.slices: dict[int, float] = {}
        self.seconds: dict[int, float] = {}  # to be counted
        self.were_inside: set[int] = set()  # of a slice at the last scan
        self.moved: set[int] = set()  # since the last scan
        self.outside: dict[int, float] = {}  # burned since the last scan, by pid
        self.bases: dict[int, float] = {}  # what slices had used at the last scan

    def start(self, uid: int, inside: int) -> None:
        self.hundredths += 1
        pid = 2 + self.hundredths
        start = INIT.start and INIT.start + self.hundredths / 100
        self.living[pid] = Process(pid, "x", 1, start, uid)
        if inside >= 0:
            self.move(pid, inside)

    def burn(self, pid: int, ticks: int) -> None:
        one = self.living[pid]
        self.living[pid] = one._replace(cpu=one.cpu + ticks)
        if one.slice < 0:
            self.outside[pid] = self.outside.get(pid, 0.0) + ticks
        else:
            self.slices[one.slice] += ticks

    def change(self, pid: int, uid: int) -> None:
        self.living[pid] = self.living[pid]._replace(uid=uid)

    def move(self, pid: int, to: int) -> None:
        if pid in self.moved:  # into a slice and out again unseen counts twice
            return
        if to >= 0:
            self.slices.setdefault(to, 0.0)
        self.moved.add(pid)
        self.living[pid] = self.living[pid]._replace(slice=to)

    def end(self, pid: int) -> None:
        if pid != 1:
            del self.living[pid]

    def log_out(self, uid: int) -> None:
        if self.living[1].slice != uid:
            self.slices.pop(uid, None)
            self.living = {pid: one for pid, one in self.living.items() if one.slice != uid}

    def look_at_slices(self, is_first: bool) -> None:
        for uid, used in self.slices.items():
            base = self.bases.get(uid, 0.0)
            # A slice made anew that has used more than the old one cannot be told from it.
            self.add(uid, 0.0 if is_first else used if used < base else used - base)
        self.bases = dict(self.slices)

    def look_at_processes(self, is_first: bool) -> None:
        for pid, one in self.living.items():
            if not is_first and one.slice < 0 and pid not in self.were_inside:
                self.add(one.uid, self.outside.get(pid, 0.0))
        self.moved, self.outside = set(), {}
        self.were_inside = {pid for pid, one in self.living.items() if one.slice >= 0}

    def add(self, uid: int, ticks: float) -> None:
        if ticks:
            self.seconds[uid] = self.seconds.get(uid, 0.0) + ticks


UIDS = (0, 1000, 1001)
PLACES = (-1, -1, 1000, 1001)
LOOK = "look"
STEPS = ("start", "start", "burn", "burn", "burn", "change", "move", "move", "end", "log_out",
         LOOK, LOOK, "look at slices")  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(0, 11)),
        min_size=5,
        max_size=60,
    )
)
@settings(max_examples=500)
def test_what_is_counted_is_what_was_burned(steps: list[tuple[str, int, int]]) -> None:
    host = Host()
    usage = Usage()
    for step, number, other in [(LOOK, 0, 0), *steps, (LOOK, 0, 0)]:
        pids = sorted(host.living)
        pid = pids[number % len(pids)]
        if step == "start":
            host.start(UIDS[number % len(UIDS)], PLACES[other % len(PLACES)])
        elif step == "burn":
            host.burn(pid, 1 + other)
        elif step == "change":
            host.change(pid, UIDS[other % len(UIDS)])
        elif step == "move":
            host.move(pid, PLACES[other % len(PLACES)])
        elif step == "end":
            host.end(pid)
        elif step == "log_out":
            host.log_out(UIDS[number % len(UIDS)])
        else:
            living = list(host.living.values()) if step == LOOK else None
            host.look_at_slices(usage.slices is None)
            if living is not None:
                host.look_at_processes(usage.processes is None)
            earlier = usage.seconds
            usage = count_cpu(usage, dict(host.slices), living)
            assert all(usage.seconds[uid] >= earlier[uid] for uid in earlier)
            assert {uid: used for uid, used in usage.seconds.items() if used} == host.seconds


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from([0, 1000]), st.floats(0, 1e9), max_size=2),
            st.lists(
                st.builds(
                    process,
                    st.integers(1, 3),
                    st.floats(0, 1e9),
                    st.sampled_from([-1, 0, 1000]),
                    st.sampled_from([-1, 0, 1000]),
                    st.one_of(st.none(), st.floats(0, 1e10)),
                )
            ),
        )
    )
)
def test_never_decreases_whatever_is_found(
    found: list[tuple[dict[int, float], list[Process]]],
) -> None:
    usage = Usage()
    for slices, processes in found:
        after = count_cpu(usage, slices, processes)
        assert all(after.seconds[uid] >= seconds for uid, seconds in usage.seconds.items())
        usage = after


def test_memory_and_counts() -> None:
    processes = [
        process(9, 1.0)._replace(resident=4096),
        process(10, 1.0)._replace(resident=8192),
        process(11, 1.0)._replace(state="Z"),
        process(2, 1.0, uid=0),
        process(12, 1.0, uid=-1)._replace(resident=4096),
    ]
    assert memory_and_counts(processes) == {1000: (12288, 3), 0: (0, 1)}
    assert memory_and_counts([]) == {}


def test_of_too_many_uids_those_with_most_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MAX_UIDS", 2)
    before = Usage({1000: 5.0, 1001: 1.0, 1002: 7.0})
    assert count_cpu(before, {}, None).seconds == {1000: 5.0, 1002: 7.0}
