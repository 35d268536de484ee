"""Real sessions of every kind: what they do, against w, ps and stat; and which of them exist."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.parts import Box, free_port
from textfile_users.accounts.account import Account
from textfile_users.collecting import Scan
from textfile_users.paths import Paths
from textfile_users.processes.procfs import (
    Process,
    read_boot_time,
    read_command_lines,
)
from textfile_users.sessions.activity import (
    Activity,
    Terminal,
    activities,
    stat_terminals,
    with_commands,
)
from textfile_users.sessions.collect_sessions import SessionsMemory, collect_sessions
from textfile_users.sessions.session import Session
from textfile_users.sessions.unrecorded import titles_wanted, unrecorded, without_windows

pytestmark = pytest.mark.e2e

TICKS = os.sysconf("SC_CLK_TCK")
USERS = range(20001, 20004)  # uids of alice, bob and carol
PATIENCE = 60  # seconds until what was started must be there
# Seconds of CPU that a session's two sshd may use, which w leaves out.
SSHD_CPU = 0.5
# Seconds that w rounds or that pass between its scan and ours.
ROUNDED = 2.0

# It burns CPU and then stays; dash counts to it in about a second.
BURNER = "i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done; exec sleep 900"


class Look(NamedTuple):
    """What the box shows."""

    processes: tuple[Process, ...]
    sessions: tuple[Session, ...]
    terminals: dict[str, Terminal]
    activities: dict[str, Activity]


def read_processes(paths: Paths) -> tuple[Process, ...]:
    """Return all processes of a host, read apart from the program."""
    boot = read_boot_time(paths) or 0
    found = []
    for name in filter(str.isdigit, os.listdir(paths.proc(""))):
        try:
            stat = Path(paths.proc(f"{name}/stat")).read_text()
            status = Path(paths.proc(f"{name}/status")).read_text()
        except OSError:
            continue
        head, _, tail = stat.rpartition(") ")
        words = tail.split()
        uid = int(status.partition("\nUid:")[2].split()[0])
        found.append(
            Process(
                int(name), head.partition(" (")[2], int(words[1]),
                boot + int(words[19]) / TICKS, uid, words[0], int(words[2]), int(words[4]),
                int(words[5]), (int(words[11]) + int(words[12])) / TICKS,
            )
        )  # fmt: skip
    return tuple(found)


def look(box: Box) -> Look:
    """Return what the program's parts make of the box."""
    paths = Paths(str(box.root))
    (found_first,) = collect_sessions(Scan(paths, time.time()), SessionsMemory(), ())
    known = found_first.sessions or ()
    processes = read_processes(paths)
    lines = (box.root / "etc/passwd").read_text().splitlines()
    accounts = [
        Account(user, int(uid), "", "") for user, _, uid, *_ in (line.split(":") for line in lines)
    ]
    titles = read_command_lines(paths, titles_wanted(known, processes, by_logind=False))
    found = unrecorded(known, processes, titles, accounts, by_logind=False)
    sessions = without_windows((*known, *found))
    terminals = stat_terminals(paths, {session.tty for session in sessions})
    doing = activities(sessions, processes, terminals)
    lines_of = read_command_lines(paths, {one.command_pid for one in doing.values()} - {0})
    return Look(processes, sessions, terminals, with_commands(doing, lines_of, processes))


def look_until(box: Box, done: Callable[[Look], bool]) -> Look:
    """Look until what was started is there."""
    end = time.monotonic() + PATIENCE
    while True:
        seen = look(box)
        if done(seen):
            return seen
        assert time.monotonic() < end, seen.sessions
        time.sleep(0.1)


def kinds(seen: Look) -> list[tuple[str, str, str, bool]]:
    """Return type, service, user and whether there is a terminal, of each session."""
    return sorted((one.type, one.service, one.user, bool(one.tty)) for one in seen.sessions)


def commands(seen: Look, comm: str) -> int:
    """Return how many live processes have a name; the box's first is a sleep too."""
    return sum(one.comm == comm and one.state != "Z" for one in seen.processes)


@contextmanager
def ended(box: Box, *processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """End ssh clients after the block, and all that users run in the box."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        look_until(box, lambda seen: not end_users(box, seen))
        # Its first process takes no notice of dead children, whose records then seem to hold.
        (box.root / "run/utmp").write_bytes(b"")
        look_until(box, lambda seen: not seen.sessions)


def end_users(box: Box, seen: Look) -> list[str]:
    """Ask what is left of users, also of root's sessions, to end, and return the pids."""
    left = [
        str(one.pid)
        for one in seen.processes
        if one.pid > 1 and one.state != "Z" and (one.uid in USERS or one.comm == "sleep")
    ]
    if left:
        box.run("kill", *left, check=False)
    return left


@contextmanager
def no_utmp(box: Box) -> Iterator[None]:
    """Have nobody in utmp within the block."""
    utmp = box.root / "run/utmp"
    before = utmp.read_bytes()
    utmp.write_bytes(b"")
    try:
        yield
    finally:
        utmp.write_bytes(before)


def rows_of_ps(box: Box) -> dict[int, tuple[int, str, str, str]]:
    """Return parent, state, terminal and arguments by pid, as ps has them."""
    text = box.run("ps", "-wweo", "pid=,ppid=,stat=,tty=,args=").stdout
    rows = (line.split(None, 4) for line in text.splitlines())
    return {int(pid): (int(ppid), stat, tty, args) for pid, ppid, stat, tty, args in rows}


def live_descendants(rows: dict[int, tuple[int, str, str, str]], leader: int) -> set[int]:
    """Return the pids of a leader and all below it that are no zombies."""
    found = {leader}
    while True:
        more = {pid for pid, row in rows.items() if row[0] in found} | found
        if more == found:
            return {pid for pid in found if not rows[pid][1].startswith("Z")}
        found = more


def test_figures_of_sessions(box: Box) -> None:
    """A burner on a PTY, and a session without one that has a zombie.

    Equal to ps's are the numbers of processes, to stat's the last input, to w's PCPU the
    command's CPU (to 0.01 s); CPU is w's JCPU and at most 0.5 s of the sessions' two sshd.
    """
    port = box.sshd()
    on_terminal = box.ssh(port, "-tt", f"sleep 901 & sleep 0.1; sh -c '{BURNER}'")
    without = box.ssh(port, "-T", "sleep 0 & exec sleep 902")
    with ended(box, on_terminal, without):
        seen = look_until(
            box,
            lambda seen: (
                len(seen.sessions) == 2
                and any(one.command == "sleep 900" for one in seen.activities.values())
                and any(process.state == "Z" for process in seen.processes)
            ),
        )
        rows = rows_of_ps(box)
        terminal, plain = sorted(seen.sessions, key=lambda one: one.tty == "")
        assert (terminal.type, terminal.user, plain.tty, plain.user) == (
            "ssh", "tu-alice", "", "tu-alice"
        )  # fmt: skip
        assert plain.id == f"pid:{plain.leader}"
        for session in seen.sessions:
            expected = live_descendants(rows, session.leader)
            assert seen.activities[session.id].processes == len(expected)

        burnt = seen.activities[terminal.id]
        assert burnt.cpu is not None
        assert rows[burnt.command_pid][2:] == (terminal.tty, "sleep 900")
        atime = box.run("stat", "-c", "%X", f"/dev/{terminal.tty}").stdout
        assert burnt.last_activity is not None
        assert int(burnt.last_activity) == int(atime)
        # Debian 13's w asks logind, of which the box has none.
        for line in box.run("w", "-h").stdout.splitlines():
            user, tty, _, _, idle, jcpu, pcpu, what = line.split(None, 7)
            assert (user, tty, what.strip()) == ("tu-alice", terminal.tty, "sleep 900")
            assert abs(burnt.command_cpu - float(pcpu.rstrip("s"))) < 0.015
            assert -0.015 < burnt.cpu - float(jcpu.rstrip("s")) < SSHD_CPU
            seconds = time.time() - burnt.last_activity
            assert abs(seconds - float(idle.rstrip("s"))) < ROUNDED
        assert burnt.command_cpu > 0.1

        quiet = seen.activities[plain.id]
        assert (quiet.processes, quiet.last_activity, quiet.command) == (3, None, "")
        assert quiet.cpu is not None
        assert quiet.cpu < SSHD_CPU


def test_every_ssh_connection_is_one_session(box: Box) -> None:
    """With a PTY, without, an sftp, forwards only, root's; one not yet authenticated is none."""
    box.run("sh", "-c", f"mkdir -pm 700 /run/root; cp {box.directory}/key.pub /run/root/keys")
    port = box.sshd("PermitRootLogin=yes", "StrictModes=no",
                    "AuthorizedKeysFile=/run/root/keys .ssh/authorized_keys")  # fmt: skip
    clients = [
        box.ssh(port, "-tt", "exec sleep 900"),
        box.ssh(port, "-T", "exec sleep 901"),
        box.ssh(port, "-s", "sftp", user="tu-bob"),
        box.ssh(port, "-T", "exec sleep 902", user="root"),
        box.ssh(port, "-tt", "exec sleep 903", user="root"),
        box.ssh(port, "-s", "sftp", user="root"),
    ]
    forward = subprocess.Popen(
        ["ssh", "-F", "/dev/null", "-N", "-i", f"{box.directory}/key", "-p", str(port), "-o",
         "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
         "LogLevel=ERROR", "-l", "tu-carol", "127.0.0.1"],
    )  # fmt: skip
    expected = [
        ("ssh", "sshd", "root", False),
        ("ssh", "sshd", "root", False),
        ("ssh", "sshd", "root", True),
        ("ssh", "sshd", "tu-alice", False),
        ("ssh", "sshd", "tu-alice", True),
        ("ssh", "sshd", "tu-bob", False),
        ("ssh", "sshd", "tu-carol", False),
    ]
    with ended(box, *clients, forward), socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.recv(100)
        # The one that only forwards is the last to be there, and runs nothing.
        seen = look_until(
            box, lambda seen: commands(seen, "sleep") == 5 and len(kinds(seen)) >= len(expected)
        )
        assert kinds(seen) == expected
        assert len({session.id for session in seen.sessions}) == len(expected)
        # utmp may lack those with a PTY: then they have the terminal that their title names.
        with no_utmp(box):
            bare = look_until(box, lambda seen: owned(seen) == serving(box, port))
        assert kinds(bare) == expected
        assert {session.tty for session in bare.sessions} == {one.tty for one in seen.sessions}


def owned(seen: Look) -> int:
    """Return the number of all sessions' processes."""
    return sum(one.processes or 0 for one in seen.activities.values())


def serving(box: Box, port: int) -> int:
    """Return the number of an sshd's processes in ps, without itself and the unauthenticated."""
    rows = rows_of_ps(box)
    (listener,) = (pid for pid, row in rows.items() if f" -p {port} " in row[3])
    titles = ("[accepted]", "[net]", "[session-auth")  # the last since OpenSSH 10.6
    strangers = {pid for pid, row in rows.items() if any(title in row[3] for title in titles)}
    assert strangers
    return len(live_descendants(rows, listener) - {listener} - strangers)


def test_detached_servers_are_sessions_of_those_who_have_no_other(box: Box) -> None:
    port = box.sshd()
    client = box.ssh(port, "-T", "exec sleep 900")
    with ended(box, client):
        for user in ("tu-alice", "tu-bob"):
            assert box.run_as(user, "tmux", "-S", f"/home/{user}/t", "new", "-d", "sleep 901") == 0
        assert box.run_as("tu-carol", "env", "SCREENDIR=/home/tu-carol/.s", "screen", "-dmS", "x",
                          "sleep", "902") == 0  # fmt: skip
        expected = [
            ("multiplexer", "other", "tu-bob", False),
            ("multiplexer", "other", "tu-carol", False),
            ("ssh", "sshd", "tu-alice", False),
        ]
        # Debian's tmux and screen are in utmp too, as windows.
        in_utmp = {(type_, user) for type_, _, user, _ in expected}
        look_until(
            box,
            lambda seen: (
                commands(seen, "sleep") == 5
                and {(one.type, one.user) for one in seen.sessions} == in_utmp
            ),
        )
        with no_utmp(box):
            seen = look(box)
        assert kinds(seen) == expected
        rows = rows_of_ps(box)
        for session in seen.sessions:
            wanted = live_descendants(rows, session.leader)
            assert seen.activities[session.id].processes == len(wanted)


def test_mosh_is_one_session(box: Box) -> None:
    script = "LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 -- sleep 900 >/dev/null 2>&1 </dev/null"
    with ended(box):
        assert box.run_as("tu-bob", "sh", "-c", script) == 0
        look_until(box, lambda seen: len(seen.sessions) > 0)
        looks = [look(box)]
        with no_utmp(box):
            looks.append(look(box))
        for seen in looks:
            assert [(one.type, one.user) for one in seen.sessions] == [("mosh", "tu-bob")]
            (session,) = seen.sessions
            assert session.tty in seen.terminals
            # It runs no program before a client is there.
            assert seen.activities[session.id].command.startswith("mosh-server new")


def test_dropbear_with_a_program_is_one_session(box: Box) -> None:
    port = free_port()
    key = box.directory / "dropbear_key"
    box.run("dropbearkey", "-t", "ed25519", "-f", str(key))
    box.run("sh", "-c", f"dropbear -r {key} -p 127.0.0.1:{port} -P /run/dropbear.pid 2>/dev/null")
    clients = [box.ssh(port, "-T", "exec sleep 900"), box.ssh(port, "-tt", "exec sleep 901")]
    expected = [("ssh", "dropbear", "tu-alice", False), ("ssh", "dropbear", "tu-alice", True)]
    try:
        with ended(box, *clients), socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.recv(100)
            look_until(box, lambda seen: commands(seen, "sleep") == 3)
            assert kinds(look(box)) == expected
            with no_utmp(box):
                assert kinds(look(box)) == expected
    finally:
        box.run("sh", "-c", "kill $(cat /run/dropbear.pid)")
