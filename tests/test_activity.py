"""What sessions do: whose each process is, and what follows from that."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT
from textfile_users.processes.procfs import Process
from textfile_users.sessions.activity import (
    Activity,
    Terminal,
    activities,
    owners,
    parse_command,
    with_commands,
)
from textfile_users.sessions.session import Session

START = BOOT + 5_000.0
TTY = 34816  # pts/0; the next ones follow
TERMINALS = {f"pts/{n}": Terminal((136, n), START + n) for n in range(4)}


def session(ident: str = "5", tty: str = "", leader: int = 100, user: str = "alice") -> Session:
    return Session(ident, user, tty, "ssh", "sshd", "", "", "", START, leader)


def process(
    pid: int,
    parent: int = 1,
    logind: str = "",
    tty: int = 0,
    *,
    group: int = 0,
    foreground: int = -1,
    cpu: float = 1.0,
    state: str = "S",
    start: float = START,
    comm: str = "x",
) -> Process:
    return Process(
        pid, comm, parent, start, 1000, state, group or pid, tty, foreground, cpu, 0, logind
    )


SSH = [process(100), process(101, 100), process(102, 101, tty=TTY, foreground=102)]


@pytest.mark.parametrize(
    ("sessions", "processes", "expected", "why"),
    [
        ([session()], [process(100, 1, "5"), process(200, 1, "5")], {100: "5", 200: "5"},
         "logind keeps a daemon in the session's cgroup"),
        ([session("pts/0")], [*SSH, process(200)],
         {100: "pts/0", 101: "pts/0", 102: "pts/0", 200: ""},
         "without logind what descends from the leader; a daemon that left does not"),
        ([session()], [process(100, 1, "5"), process(110, 100)], {100: "5", 110: "5"},
         "systemd-run and tmux move a child to a scope of its own"),
        ([session()], [process(100, 1, "5"), process(110, 100, "7")], {100: "5", 110: "5"},
         "a session that does not count is nobody's"),
        ([session(), session("6", leader=110)], [process(100, 1, "5"), process(110, 100, "6")],
         {100: "5", 110: "6"}, "each in its own cgroup"),
        ([session(), session("pts/1", leader=110)],
         [process(100), process(110, 100), process(111, 110)],
         {100: "5", 110: "pts/1", 111: "pts/1"}, "the nearest leader"),
        ([session(leader=0)], [process(100), process(0)], {100: "", 0: ""}, "no leader is known"),
        ([session(leader=1)], [process(1, 0), process(9)], {1: "", 9: ""}, "init leads none"),
        ([session(leader=300)], [process(100)], {100: ""}, "the leader is gone"),
        ([session(leader=300)], [process(100, 300)], {100: ""}, "and says nothing of children"),
        ([session()], [process(7, 8), process(8, 7), process(9, 8)], {7: "", 8: "", 9: ""},
         "pids that were read while they changed may form a loop"),
        ([session()], [process(102, 101), process(101, 100), process(100)],
         {100: "5", 101: "5", 102: "5"}, "in any order"),
    ],
)  # fmt: skip
def test_whose_a_process_is(
    sessions: list[Session], processes: list[Process], expected: dict[int, str], why: str
) -> None:
    assert owners(sessions, processes) == expected, why


def count(found: dict[str, Activity]) -> dict[str, int | None]:
    return {ident: activity.processes for ident, activity in found.items()}


@pytest.mark.parametrize(
    ("sessions", "processes", "expected", "why"),
    [
        ([session("pts/0", "pts/0")], [*SSH, process(200, 1, tty=TTY, foreground=102)],
         {"pts/0": 4}, "(sleep 9 &) has init as parent, and is on the terminal"),
        ([session("pts/0", "pts/0")], [*SSH, process(200, 1, tty=TTY, foreground=102),
                                       process(201, 200)], {"pts/0": 5}, "and its children"),
        ([session("pts/0", "pts/0")], [*SSH, process(200, 1, tty=TTY, foreground=7)],
         {"pts/0": 3}, "a container's pts/0 has the same number, not the same foreground"),
        ([session("pts/0", "pts/0", leader=0)],
         [process(200, 1, tty=TTY, foreground=200), process(201, 200)], {"pts/0": 2},
         "xrdp and others tell no leader"),
        ([session("pts/0", "pts/0"), session("pts/1", "pts/1", leader=0)],
         [*SSH, process(103, 102, tty=TTY + 1, foreground=103)], {"pts/0": 4, "pts/1": None},
         "descent comes before the terminal"),
        ([session("5", "pts/0")], [process(100, 1, "5"), process(200, 1, tty=TTY, foreground=9)],
         {"5": 1}, "where logind tells what is its, the terminal does not count"),
        ([session("pts/0", "pts/0")], [*SSH, process(200, 1, tty=TTY + 1)], {"pts/0": 3},
         "another terminal"),
        ([session("pts/9", "pts/9")], [*SSH], {"pts/9": 3}, "a terminal that is gone"),
        ([session("pts/0", "pts/0")], [process(100, state="Z"), process(101, 100, state="X")],
         {"pts/0": 0}, "zombies do not live"),
        ([session("pts/0", "pts/0")], [process(300)], {"pts/0": None}, "not known is not zero"),
        ([session("pts/0", "pts/0")], [Process(100, "", 0, None)], {"pts/0": None},
         "hidepid=2: it lives, and nothing else is known"),
        ([session("pts/0", "pts/0")], [], {"pts/0": None}, "no /proc"),
        ([], [process(100)], {}, "nobody is there"),
    ],
)  # fmt: skip
def test_processes_of_sessions(
    sessions: list[Session],
    processes: list[Process],
    expected: dict[str, int | None],
    why: str,
) -> None:
    assert count(activities(sessions, processes, TERMINALS)) == expected, why


def test_figures() -> None:
    """CPU is that of the live processes; the last input is the terminal's."""
    processes = [
        process(100, cpu=0.25),
        process(101, 100, cpu=1.5, tty=TTY, foreground=102),
        process(102, 101, cpu=2.0, tty=TTY, foreground=102),
        process(103, 102, cpu=64.0, state="Z", tty=TTY, group=102, foreground=102, start=START + 9),
        process(300, cpu=32.0),
    ]
    sessions = [session("pts/0", "pts/0"), session("pid:300", leader=300)]
    assert activities(sessions, processes, TERMINALS) == {
        "pts/0": Activity(3.75, 3, START, 102, 2.0, "", 3.5),
        "pid:300": Activity(32.0, 1, None),
    }
    gone = activities(sessions[:1], processes, {})["pts/0"]
    assert gone == Activity(3.75, 3, None), "a terminal that is gone tells nothing"


FOREGROUND: dict[str, Any] = {"tty": TTY, "foreground": 110, "group": 110}


@pytest.mark.parametrize(
    ("processes", "command", "why"),
    [
        ([process(110, 101, **FOREGROUND), process(111, 101, **FOREGROUND, start=START + 1)], 111,
         "of a | b the one that began last"),
        ([process(110, 101, **FOREGROUND), process(111, 101, **FOREGROUND)], 110,
         "began in the same tick: the lowest pid"),
        ([process(111, 101, **FOREGROUND), process(110, 101, **FOREGROUND)], 110, "in any order"),
        ([process(110, 101, **FOREGROUND), process(112, 101, tty=TTY, foreground=110,
                                                   start=START + 1)], 110, "a background job"),
        ([process(110, 101, **FOREGROUND), process(113, 101, **FOREGROUND, state="Z",
                                                   start=START + 1)], 110, "a zombie"),
        ([process(110, 101, tty=TTY + 1, foreground=110, group=110)], 0,
         "in the foreground of another terminal, as script(1) makes one"),
        ([process(110, 101)], 0, "nothing is on the terminal"),
        ([process(110, 101, tty=TTY, foreground=-1)], 0, "nothing is in the foreground"),
        ([process(210, 1, tty=TTY, foreground=210)], 210, "also what left its parents"),
    ],
)  # fmt: skip
def test_the_foreground_command(processes: list[Process], command: int, why: str) -> None:
    found = activities([session("pts/0", "pts/0")], [*SSH[:2], *processes], TERMINALS)
    assert found["pts/0"].command_pid == command, why


def test_a_command_of_somebody_elses_session_is_none() -> None:
    """A container's process is in the foreground of another pts/0."""
    processes = [process(100, 1, "5"), process(200, 1, tty=TTY, foreground=200)]
    assert activities([session("5", "pts/0")], processes, TERMINALS)["5"].command_pid == 0


@pytest.mark.parametrize(
    ("line", "expected", "why"),
    [
        (b"vi\0my file\0", "vi my file", "NULs end arguments"),
        (b"sshd: alice@pts/0\0\0\0\0", "sshd: alice@pts/0", "a title and a run of NULs"),
        (b"", "[kworker/0:1]", "a kernel thread, or gone meanwhile"),
        (b"\0\0", "[kworker/0:1]", "arguments that a process erased"),
        (b"\xff\0", "\\xff", "not UTF-8"),
        ("vi \N{LATIN SMALL LETTER E WITH ACUTE}".encode(), "vi \xe9", "UTF-8"),
    ],
)
def test_command_lines(line: bytes, expected: str, why: str) -> None:
    assert parse_command(line, "kworker/0:1") == expected, why


@given(st.binary(max_size=50), st.text(max_size=15))
def test_command_lines_of_any_bytes(line: bytes, comm: str) -> None:
    command = parse_command(line, comm)
    assert command
    assert "\0" not in command or "\0" in comm


def test_commands_are_added() -> None:
    found = {
        "a": Activity(1.0, 1, None, 10),
        "b": Activity(1.0, 1, None),
        "c": Activity(1.0, 1, None, 12),
        "d": Activity(1.0, 1, None, 13),
    }
    processes = [process(10, comm="cat"), process(12, comm="vi"), process(99)]
    done = with_commands(found, {10: b"cat\0x\0", 99: b"secret"}, processes)
    assert {ident: activity.command for ident, activity in done.items()} == {
        "a": "cat x",
        "b": "",
        "c": "[vi]",  # it ended meanwhile
        "d": "",
    }
    assert all(not activity.command for activity in found.values())


PIDS = st.integers(2, 12)
PROCESSES = st.lists(
    st.builds(
        process,
        PIDS,
        PIDS,
        st.sampled_from(["", "5", "6", "7"]),
        st.sampled_from([0, TTY, TTY + 1]),
        group=PIDS,
        foreground=PIDS,
        state=st.sampled_from("SRZ"),
        cpu=st.just(1.0),
    ),
    max_size=11,
    unique_by=lambda one: one.pid,
)
SESSIONS = st.lists(
    st.builds(
        session,
        st.sampled_from(["5", "6", "pts/0", "pts/1", "pid:9"]),
        st.sampled_from(["", "pts/0", "pts/1"]),
        st.integers(0, 12),
    ),
    unique_by=lambda one: one.id,
)


@given(SESSIONS, PROCESSES)
def test_each_process_is_in_at_most_one_session(
    sessions: list[Session], processes: list[Process]
) -> None:
    found = activities(sessions, processes, TERMINALS)
    assert found.keys() == {one.id for one in sessions}
    live = [one for one in processes if one.state != "Z"]
    counted = sum(activity.processes or 0 for activity in found.values())
    assert counted <= len(live)
    assert sum(activity.cpu or 0 for activity in found.values()) == counted
    in_cgroup = [one for one in live if one.session in found]
    assert counted >= len(in_cgroup)
    for activity in found.values():
        assert activity.command_pid in {0, *(one.pid for one in live)}


@given(SESSIONS, PROCESSES, st.randoms())
def test_order_does_not_matter(
    sessions: list[Session], processes: list[Process], random: Random
) -> None:
    shuffled = list(processes)
    random.shuffle(shuffled)
    assert activities(sessions, shuffled, TERMINALS) == activities(sessions, processes, TERMINALS)


def test_many_sessions_and_deep_trees() -> None:
    """No recursion, no scan through all processes for each session."""
    chain = [process(pid, pid - 1) for pid in range(101, 20_101)]
    sessions = [session(f"pid:{pid}", leader=pid) for pid in range(100, 20_000, 2)]
    found = activities(sessions, [process(100), *chain], TERMINALS)
    assert count(found) == {**{one.id: 2 for one in sessions}, "pid:19998": 103}
