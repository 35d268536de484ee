"""Every process of /proc: what stat, status and cgroup say, what is remembered, hidepid."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, TICKS, Host
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK
from textfile_users.paths import Paths
from textfile_users.processes import process_table as source
from textfile_users.processes.process_table import (
    LOOK_SECONDS,
    MAX_AGE_OF_MOVES,
    TURNS,
    parse_uid,
    read_all,
)
from textfile_users.processes.procfs import KERNEL_THREAD, Process

PAGE = os.sysconf("SC_PAGE_SIZE")
REST = b" R 7 40 41 34818 42 4194304 1 2 3 4 150 50 9999 8888 20 0 1 0 123456 1000 200 1844 1 1\n"
STATUS = (
    b"Name:\tbash\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nNgid:\t0\nPid:\t42\nPPid:\t7\n"
    b"TracerPid:\t0\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\nVmRSS:\t     800 kB\n"
)
SESSION_5 = "/user.slice/user-1000.slice/session-5.scope"
OLD = BOOT + 5_000


@pytest.mark.parametrize(
    ("status", "uid", "why"),
    [
        (STATUS, 1000, "the real one, not the effective"),
        (STATUS.replace(b"bash", rb"a\nUid:\t0\t0"), 1000, "a name that imitates, escaped"),
        (STATUS.replace(b"1000", b"4294967294"), 4294967294, "the highest"),
        (STATUS.replace(b"1000", b"1" * 99), -1, "beyond any uid"),
        (STATUS.replace(b"1000", b"-1"), -1, "no number"),
        (STATUS[: STATUS.index(b"Uid")], -1, "none"),
        (b"\nUid:\t", -1, "cut short"),
        (b"01234567\t", -1, "another file"),
        (b"", -1, "nothing"),
    ],
)
def test_uid(status: bytes, uid: int, why: str) -> None:
    assert parse_uid(status) == uid, why


@given(st.binary(max_size=200))
def test_uid_of_any_bytes(data: bytes) -> None:
    parse_uid(data)
    parse_uid(b"\nUid:\t" + data)


def test_the_longest_status_shows_its_uid() -> None:
    """Of status as much is read as has the uid, whatever the name and the numbers."""
    longest = STATUS.replace(b"bash", rb"\\" * 30).replace(b"42", b"4194304")
    longest = longest.replace(b"1000\t0\t0\t0", b"4294967294\t" * 4)
    assert parse_uid(longest[: source.MAX_STATUS]) == 4294967294


def add(
    host: Host,
    pid: int,
    start: float = OLD,
    cgroup: str = "/system.slice/a.service",
    uid: int = 1000,
    flags: int = 0,
    comm: str = "bash",
) -> None:
    """Add a process to the host, with a status."""
    ticks = round((start - BOOT) * TICKS)
    rest = REST.replace(b"123456", b"%d" % ticks).replace(b"4194304", b"%d" % flags)
    host.write(f"proc/{pid}/stat", b"%d (%s)" % (pid, comm.encode()) + rest)
    host.write(f"proc/{pid}/status", STATUS.replace(b"1000", b"%d" % uid))
    host.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a first process."""
    made = Host(str(tmp_path))
    add(made, 1, BOOT + 0.05, "/init.scope", uid=0, comm="systemd")
    return made


def processes_of(host: Host, now: float = NOW) -> dict[int, Process]:
    processes, report, _ = read_all(Paths(host.root), {}, now)
    assert processes is not None
    assert (report.name, report.status, report.faults) == ("procfs", OK, ())
    assert len({process.pid for process in processes}) == len(processes)
    return {process.pid: process for process in processes}


def test_all_that_is_told_of_a_process(host: Host) -> None:
    add(host, 42, cgroup=SESSION_5)
    assert processes_of(host)[42] == Process(
        pid=42, comm="bash", ppid=7, start=OLD, uid=1000, state="R", group=40, tty=34818,
        foreground=42, cpu=200 / TICKS, resident=200 * PAGE, session="5", slice=1000,
    )  # fmt: skip


def test_what_is_no_process(host: Host) -> None:
    add(host, 42)
    add(host, 43)
    os.unlink(host.path("proc/43/status"))  # it ended between two reads
    host.write("proc/44/stat", b"")
    for name in ("sys", "self", "\u0664\u0662", "99999999999"):
        host.write(f"proc/{name}/stat", b"44 (bash)" + REST)
        host.write(f"proc/{name}/status", STATUS)
    assert sorted(processes_of(host)) == [1, 42]


def test_threads_of_the_kernel_are_roots_and_in_no_slice(host: Host) -> None:
    """Nothing but stat is read of them: their status and cgroup always say the same."""
    add(host, 2, cgroup=SESSION_5, uid=1000, flags=KERNEL_THREAD)
    found = processes_of(host)[2]
    assert (found.uid, found.session, found.slice) == (0, "", -1)


def test_a_container_seen_from_outside(host: Host) -> None:
    """The cgroups of all its processes begin with that of the container."""
    host.write("proc/1/cgroup", "0::/lxc.payload.c1/init.scope\n")
    add(host, 42, cgroup="/lxc.payload.c1" + SESSION_5)
    add(host, 43, cgroup=SESSION_5)
    found = processes_of(host)
    assert (found[42].session, found[42].slice) == ("5", 1000)
    assert (found[43].session, found[43].slice) == ("", -1)


def test_without_a_boot_time_no_start_is_known(host: Host) -> None:
    host.write("proc/stat", "cpu 1 2\n")
    processes, _, places = read_all(Paths(host.root), {}, NOW)
    assert processes is not None
    assert [process.start for process in processes] == [None]
    assert places == {}


def look(
    host: Host, known: source.Places, now: float, since: float = float("inf")
) -> tuple[dict[int, tuple[str, int]], source.Places]:
    """Return what a scan finds by pid, and what it gives to remember."""
    processes, _, places = read_all(Paths(host.root), known, now, since=since)
    assert processes is not None
    return {one.pid: (one.session, one.slice) for one in processes}, places


def quiet_time(pids: Iterable[int], after: float) -> float:
    """Return the next time at which it is not the turn of any of `pids` to be read again."""
    while any((pid - int(after / LOOK_SECONDS)) % TURNS == 0 for pid in pids):
        after += LOOK_SECONDS
    return after


def test_a_place_is_remembered(host: Host) -> None:
    now = quiet_time([1, 42], NOW)
    add(host, 42, cgroup=SESSION_5)
    _, places = look(host, {}, now)
    own = os.getuid()  # whose the files are
    assert places == {(1, 5): ("", -1, 0, own), (42, 5_000 * TICKS): ("5", 1000, 1000, own)}
    os.unlink(host.path("proc/42/cgroup"))
    assert look(host, places, now) == ({1: ("", -1), 42: ("5", 1000)}, places)
    assert look(host, {}, now)[0][42] == ("", -1), "it is read where it is not known"


def test_the_uid_is_remembered_while_the_owner_is_the_same(host: Host) -> None:
    """The kernel changes the owner of /proc/PID with the uid, su(1) included."""
    now = quiet_time([1, 42], NOW)
    add(host, 42, uid=1000)
    ((key, place),) = (pair for pair in look(host, {}, now)[1].items() if pair[0][0] == 42)
    assert place[2:] == (1000, os.getuid())
    add(host, 42, uid=1001)
    for owner, uid in ((os.getuid(), 1000), (os.getuid() + 1, 1001)):
        known = {key: (*place[:3], owner)}
        processes, _, places = read_all(Paths(host.root), known, now)
        assert {one.pid: one.uid for one in processes or ()}[42] == uid
        assert places[key][2:] == (uid, os.getuid())


def test_a_place_is_that_of_one_process(host: Host) -> None:
    """The pid is used again, or the process ends: nothing of it is left."""
    now = quiet_time([1, 42], NOW)
    add(host, 42, cgroup=SESSION_5)
    _, places = look(host, {}, now)
    add(host, 42, start=OLD + 0.01)
    found, after = look(host, places, now)
    assert found[42] == ("", -1)
    assert set(after) == {(1, 5), (42, 5_000 * TICKS + 1)}


def test_a_new_process_is_looked_at_until_it_has_settled(host: Host) -> None:
    """It is moved to its session's scope after it has started."""
    now = quiet_time([1, 42], NOW)
    add(host, 42, start=now - MAX_AGE_OF_MOVES + 1)
    found, places = look(host, {}, now)
    assert found[42] == ("", -1)
    add(host, 42, start=now - MAX_AGE_OF_MOVES + 1, cgroup=SESSION_5)
    found, places = look(host, places, quiet_time([1, 42], now + 1), since=now)
    assert found[42] == ("5", 1000)
    assert len(places) == 2


@pytest.mark.parametrize("seconds", [5, 60])
def test_a_place_is_read_again_now_and_then(host: Host, seconds: int) -> None:
    """The process that asks for a password may do so for days before it is moved."""
    now = quiet_time([42], NOW)
    add(host, 42)
    _, places = look(host, {}, now)
    add(host, 42, cgroup=SESSION_5)
    found = [look(host, places, now + number * seconds)[0][42] for number in range(1, TURNS)]
    assert found.count(("5", 1000)) == 1


def test_an_image_has_no_processes(tmp_path: Path) -> None:
    processes, report, places = read_all(Paths(str(tmp_path)), {}, NOW)
    assert (processes, report.status, report.faults, places) == (None, ABSENT, (), {})


def test_a_proc_that_leads_out_of_the_root_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    assert read_all(Paths(str(tmp_path)), {}, NOW)[0] is None


@pytest.mark.parametrize("is_listed", [True, False], ids=["hidepid=1", "hidepid=2"])
def test_processes_hidden_from_us(
    host: Host, monkeypatch: pytest.MonkeyPatch, *, is_listed: bool
) -> None:
    """Those of others cannot be read, or are not even listed; real ones: tests/e2e."""
    add(host, 42)
    os.unlink(host.path("proc/1/stat"))
    os.unlink(host.path("proc/1/cgroup"))
    if not is_listed:
        monkeypatch.setattr(source, "has_proc", lambda paths: True)  # /proc/self is there
        os.rename(host.path("proc/1"), host.path("1"))
    processes, report, _ = read_all(Paths(host.root), {}, NOW)
    assert processes is not None
    assert [process.pid for process in processes] == [42]
    assert report.status == DENIED
    (fault,) = report.faults
    assert "gid=" in fault
    assert "\n" not in fault


def test_the_processes_of_this_machine() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        processes, report, _ = read_all(Paths(), {}, time.time())
        assert report.status in (OK, DENIED)
        found = {process.pid: process for process in processes or ()}
        own = found[child.pid]
        assert (own.ppid, own.uid) == (os.getpid(), os.getuid())
        assert own.state in "RSD"
        assert own.start is not None
        assert abs(own.start - time.time()) < 10
    finally:
        child.communicate(b"\n")
    assert child.pid not in {process.pid for process in read_all(Paths(), {}, 0.0)[0] or ()}


def test_a_table_that_takes_too_long_is_none_but_the_next_scan_ends(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a table is not served; what was learned is kept, of young processes too."""
    for pid in range(100, 130):
        add(host, pid, NOW - 10 if pid % 2 else OLD)
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    places: source.Places = {}
    read = []
    for _ in range(3):
        found, report, places = read_all(Paths(host.root), places, NOW, next(clock) + 13.0)
        assert (found, report.status) == (None, BROKEN)
        assert report.faults[0].endswith(
            ": more processes than can be read in time; the next scan reads on"
        )
        read.append(len(places))
    assert read[0] < read[1] < read[2]
    found, report, places = read_all(Paths(host.root), places, NOW, next(clock) + 1000.0)
    assert (found and len(found), report.status) == (31, OK)
    assert len(places) == 31


def test_of_many_young_processes_some_are_read_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else somebody who starts thousands would keep each scan from its end; each has its turn."""
    monkeypatch.setattr(source, "MANY", 10)
    for pid in range(100, 140):
        add(host, pid, NOW - 10)
    _, places = look(host, {}, NOW)
    for pid in range(100, 140):
        add(host, pid, NOW - 10, cgroup=SESSION_5)
    moved = []
    for number in range(1, 6):
        found, places = look(host, places, NOW + LOOK_SECONDS * number)
        moved.append(sum(where == ("5", 1000) for where in found.values()))
    assert moved == [8, 16, 24, 32, 40]


def test_of_processes_whose_turn_it_is_so_many_are_read_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may start thousands whose turn is the same."""
    monkeypatch.setattr(source, "MANY", 5)
    pids = [TURNS * number for number in range(1, 21)]
    for pid in pids:
        add(host, pid)
    now = quiet_time([1, *pids], NOW)
    _, places = look(host, {}, now)
    for pid in pids:
        add(host, pid, cgroup=SESSION_5)
    now += LOOK_SECONDS * next(
        n for n in range(TURNS) if (int(now / LOOK_SECONDS) + n) % TURNS == 0
    )
    found, _ = look(host, places, now)
    assert sum(where == ("5", 1000) for where in found.values()) == 5
