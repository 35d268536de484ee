"""/proc: which processes live, since when, and an SSH session's terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, COMMS, TICKS, Host
from textfile_users.collecting import ABSENT
from textfile_users.paths import Paths
from textfile_users.processes import procfs
from textfile_users.processes.procfs import (
    Process,
    parse_boot_time,
    parse_cgroup,
    parse_root_cgroup,
    parse_stat,
    parse_title,
    read_descents,
    read_processes,
    read_terminals,
)

PAGE = os.sysconf("SC_PAGE_SIZE")
REST = b" R 7 40 41 34818 42 4194304 1 2 3 4 150 50 9999 8888 20 0 1 0 123456 1000 200 1844 1 1\n"
# What REST says, by proc(5), behind the name.
FIELDS = ("R", 7, 40, 34818, 42, False, 200 / TICKS, 123456, 200 * PAGE)


@pytest.mark.parametrize(("comm", "expected"), COMMS.items())
def test_stat(comm: bytes, expected: str) -> None:
    assert parse_stat(b"42 (" + comm + b")" + REST) == (expected, *FIELDS)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"123456", b"9" * 400, "a start beyond any clock"),
        (b" 150 ", b" " + b"9" * 400 + b" ", "CPU time beyond any clock"),
        (b" 150 ", b" -151 ", "negative CPU time"),
        (b" 200 ", b" " + b"9" * 400 + b" ", "more memory than there is"),
        (b" 34818 ", b" " + b"9" * 400 + b" ", "no device"),
        (b" 7 ", b" x ", "no number"),
        (b")", b"", "a name without end"),
        (b"(", b"", "a name without beginning"),
        (b" 200 1844 1 1\n", b"", "cut short"),
    ],
)
def test_no_stat(old: bytes, new: bytes, why: str) -> None:
    line = b"42 (bash)" + REST
    assert old in line
    with pytest.raises(ValueError, match=r"."):
        parse_stat(line.replace(old, new))


@given(st.binary(max_size=200))
def test_stat_of_any_bytes(data: bytes) -> None:
    with suppress(ValueError):
        parse_stat(data)
    with suppress(ValueError):
        parse_stat(b"1 (x) " + data)


def test_a_thread_of_the_kernel() -> None:
    line = b"42 (kworker/0:0H)" + REST.replace(b"4194304", b"69238880")
    assert parse_stat(line)[6]


@pytest.mark.parametrize(
    ("title", "tty", "why"),
    [
        (b"sshd: alice@pts/0\0\0\0", ("pts/0",), "OpenSSH before 9.8"),
        (b"sshd-session: alice@pts/12\0\0\0", ("pts/12",), "OpenSSH 9.8 and later"),
        (b"sshd: alice@pts/0,pts/3\0", ("pts/0", "pts/3"), "two terminals of one connection"),
        (b"sshd: alice@notty\0", (), "no terminal"),
        (b"sshd: alice [priv]\0", (), "the leader"),
        (b"sshd: alice@internal-sftp\0", (), "sftp"),
        (b"sshd: a@pts/9@pts/1\0", ("pts/1",), "a user name may hold an @"),
        (b"sshd: alice@pts/\xff\0", (), "no number"),
        (b"sshd: alice@pts/1/2\0", (), "no terminal's name"),
        (b"-bash\0sshd: alice@pts/0\0", (), "another program's argument"),
        (b"sshd: root@tty" + b"1" * 99, (), "longer than a terminal's name"),
        (b"", (), "a kernel thread"),
    ],
)
def test_titles(title: bytes, tty: tuple[str, ...], why: str) -> None:
    assert parse_title(title) == tty, why


SESSION_5 = b"/user.slice/user-1000.slice/session-5.scope"
MANAGER = b"/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    ("content", "place", "why"),
    [
        (b"0::" + SESSION_5 + b"\n", ("5", 1000), "version 2"),
        (b"0::" + SESSION_5 + b"/tmux:1\n", ("5", 1000), "below the scope"),
        (b"0::/user.slice/user-0.slice/session-c2.scope\n", ("c2", 0), "started by root's cron"),
        (b"1:name=systemd:" + SESSION_5 + b"\n0::/\n", ("5", 1000), "version 1"),
        (b"4:cpu,cpuacct:/user.slice\n1:name=systemd:" + SESSION_5 + b"\n0::" + SESSION_5 + b"\n",
         ("5", 1000), "hybrid"),
        (b"0::" + MANAGER + b"/app.slice/a.service\n", ("", 1000), "the user's own services"),
        (b"0::" + SESSION_5 + b" (deleted)\n", ("", 1000), "a zombie whose session has ended"),
        (b"0::/system.slice/ssh.service\n", ("", -1), "a service"),
        (b"0::/\n", ("", -1), "a kernel thread"),
        (b"0::" + MANAGER + b"/session-7.scope\n", ("", 1000), "what a user named so"),
        (b"0::" + MANAGER + b"/user.slice/user-0.slice/session-1.scope\n", ("", 1000),
         "all that systemd makes, made by a user"),
        (b"0::/a.slice/user.slice/user-0.slice/session-1.scope\n", ("", -1), "not at the root"),
        (b"0::/abcd.slice/user-0.slice/user.slice/a\n", ("", -1), "nor at the same place"),
        (b"5:memory:" + SESSION_5 + b"\n", ("", -1), "not systemd's hierarchy"),
        (b"0::/user.slice/user-x.slice/session-1.scope\n", ("", -1), "no uid"),
        (b"0::/user.slice/user-" + b"1" * 99 + b".slice\n", ("", -1), "beyond any uid"),
        (b"0::/user.slice/a:b:" + SESSION_5 + b"\n", ("", -1), "colons in a name"),
        (b"0::/user.slice\n", ("", -1), "no user's"),
        (b"0::/user.slice/user-7.slice", ("", 7), "a slice alone"),
        (b"0::/../../user.slice/user-0.slice\n", ("", -1), "outside of our cgroup namespace"),
        (b"0\n::\n\xff", ("", -1), "no lines of such a file"),
        (b"", ("", -1), "nothing"),
    ],
)  # fmt: skip
def test_cgroups(content: bytes, place: tuple[str, int], why: str) -> None:
    assert parse_cgroup(content) == place, why


@pytest.mark.parametrize(
    ("first", "inside", "why"),
    [
        (b"0::/init.scope\n", "", "a host"),
        (b"0::/\n", "", "a container without systemd"),
        (b"0::/lxc.payload.c1/init.scope\n", "/lxc.payload.c1", "a container with it"),
        (b"1:name=systemd:/lxc/c1/init.scope\n0::/\n", "/lxc/c1", "the same of version 1"),
        (b"", "", "hidden from us"),
    ],
)
def test_the_cgroup_of_a_container(first: bytes, inside: str, why: str) -> None:
    assert parse_root_cgroup(first) == inside, why
    content = b"0::" + inside.encode() + SESSION_5 + b"\n"
    assert parse_cgroup(content, inside) == ("5", 1000), why
    assert not inside or parse_cgroup(b"0::" + SESSION_5, inside) == ("", -1), "another's"


@given(st.binary(max_size=200), st.sampled_from(["", "/lxc/c1"]))
def test_cgroups_of_any_bytes(data: bytes, inside: str) -> None:
    parse_cgroup(data, inside)
    parse_root_cgroup(data)


def test_boot_time() -> None:
    assert parse_boot_time(b"cpu 1 2\nintr 5\nbtime 1765000000\n") == 1765000000
    assert parse_boot_time(b"cpu 1 2\n") is None
    assert parse_boot_time(b"btime x\n") is None


def test_processes_of_a_root(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "sshd", parent=7, start=BOOT + 50)
    processes, _ = read_processes(Paths(str(tmp_path)), [1000, 1001], {})
    assert processes == {1000: Process(1000, "sshd", 7, BOOT + 50)}


def test_an_image_has_no_living_processes(tmp_path: Path) -> None:
    """Without /proc/1 below the root nothing can be said of liveness."""
    processes, report = read_processes(Paths(str(tmp_path)), [os.getpid()], {})
    assert (processes, report.status) == (None, ABSENT)


def test_a_call_that_fails_once_makes_no_dead_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All logins would be taken for alive then, and those that ended for open."""
    Host(str(tmp_path)).process(1, "systemd")
    failures = [OSError(5, "input/output error")]
    stat = os.stat

    def fail_once(path: str, **how: bool) -> os.stat_result:
        if failures and not how:
            raise failures.pop()
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", fail_once)
    assert procfs.has_proc(Paths(str(tmp_path)))
    assert not failures


def test_our_own_process_lives_since_it_began() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        processes, _ = read_processes(Paths(), [child.pid], {})
        assert processes is not None
        start = processes[child.pid].start
        assert start is not None
        assert abs(start - time.time()) < 10
    finally:
        child.communicate(b"\n")
    assert read_processes(Paths(), [child.pid], {})[0] == {}


def test_a_process_hidden_from_us_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2 /proc shows only our own; kill(2) tells EPERM of a living one."""

    def kill(pid: int, signal: int) -> None:
        assert signal == 0
        raise PermissionError if pid == 1000 else ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(procfs, "read_file", lambda path, limit=0: b"")
    assert read_processes(Paths(), [1000, 1001], {})[0] == {1000: Process(1000, "", 0, None)}


def test_pids_of_another_host_are_not_asked_of_our_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "kill")
    assert read_processes(Paths(Host(str(tmp_path)).root), [os.getpid()], {})[0] == {}


def test_what_this_look_has_read_is_not_read_again(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    for pid in (1000, 1001):
        host.write(f"proc/{pid}/stat", b"%d (x)" % pid + REST)
    known = Process(1000, "known", 0, None)
    found, _ = read_processes(Paths(host.root), [1000, 1001], {1000: known, 1002: known})
    assert found is not None
    assert {pid: process.comm for pid, process in found.items()} == {1000: "known", 1001: "x"}


def test_numbers_beyond_any_clock_are_no_process(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.write("proc/1000/stat", b"1000 (x)" + REST.replace(b"123456", b"9" * 400))
    assert read_processes(Paths(host.root), [1000], {})[0] == {}


def test_a_proc_that_leads_out_of_the_root_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    assert read_processes(Paths(str(tmp_path)), [1], {})[0] is None


@pytest.mark.parametrize("program", ["sshd", "sshd-session"])
def test_terminal_of_an_ssh_session(tmp_path: Path, program: str) -> None:
    host = Host(str(tmp_path))
    host.ssh_connection(1000, "alice", "pts/0", program)
    host.ssh_connection(1100, "alice", "notty", program)
    host.process(1200, program, title=f"{program}: root@pts/4", children=(1201,))
    host.process(1201, "bash", 1200, title="-bash")
    terminals = read_terminals(Paths(str(tmp_path)), [1000, 1100, 1200, 1300])
    assert terminals == {1000: ("pts/0",), 1200: ("pts/4",)}


def test_kernels_that_do_not_tell_children(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.ssh_connection(1000, "alice", "pts/0")
    for pid in (1000, 1001, 1002):
        os.unlink(host.path(f"proc/{pid}/task/{pid}/children"))
    assert read_terminals(Paths(str(tmp_path)), [1000]) == {1000: ("pts/0",)}


def test_a_leader_that_is_gone_is_not_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(str(tmp_path))
    host.ssh_connection(1000, "alice", "pts/0")
    shutil.rmtree(host.path("proc/1000"))
    monkeypatch.delattr(procfs, "_scan_children")
    assert read_terminals(Paths(str(tmp_path)), [1000]) == {}


def test_descent_of_a_daemon_is_in_its_cgroup(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.ssh_connection(1000, "alice", "pts/0")
    host.process(1500, "tmux: server", 1, cgroup="/user.slice/user-0.slice/session-3.scope")
    host.process(1600, "screen", 1002)
    descents = read_descents(Paths(str(tmp_path)), [1500, 1600, 1700])
    assert descents == {1500: ("3", ()), 1600: ("", (1002, 1001, 1000)), 1700: ("", ())}


@pytest.mark.parametrize(
    ("known", "per_server", "why"),
    [(False, 2, "its own status and cgroup"), (True, 0, "all of it was read before")],
)
def test_servers_with_the_same_ancestors_cost_no_more_reading_than_there_are_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool, per_server: int, why: str
) -> None:
    """utempter lets anybody name thousands of servers, of any descent."""
    host = Host(str(tmp_path))
    processes = {}
    for pid in range(2000, 2070):
        parent = min(pid - 1, 2029)  # a chain of thirty, and forty servers at its end
        host.process(pid, "sh", parent)
        processes[pid] = Process(pid, "sh", parent, None, session="4")
    read: list[str] = []
    read_file = procfs.read_file

    def counted(path: str, limit: int = procfs.MAX_BYTES) -> bytes:
        read.append(path)
        return read_file(path, limit)

    monkeypatch.setattr(procfs, "read_file", counted)
    servers = range(2030, 2070)
    found = read_descents(Paths(str(tmp_path)), servers, processes if known else {})
    chain = tuple(range(2029, 1998, -1))
    assert set(found.values()) == {("4" if known else "", chain)}
    assert len(read) <= 2 + 31 + per_server * len(servers), why
