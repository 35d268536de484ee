"""What sessions do: their processes, CPU time, idle time and foreground command, as `w` has them.

`w` takes all processes on a session's terminal for the session's. Here the daemons that serve it
(sshd) and its processes without a terminal are its own too.
"""

from __future__ import annotations

import os
import stat

from textfile_users.processes.procfs import Process
from textfile_users.reading.text import decode
from textfile_users.record import Record
from textfile_users.sessions.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from textfile_users.paths import Paths

PTS = 136  # the major number of Unix98 pseudo terminals (Documentation/admin-guide/devices.txt)
ENDED = ("Z", "X", "x")  # states of what is no more than an entry in the table, proc(5)


class Terminal(Record):
    """A terminal: its (major, minor) numbers, and its last input in seconds since the epoch.

    The kernel moves the latter on in steps of 8 s, so that it does not tell how fast
    somebody types; it is what `w` calculates IDLE from.
    """

    device: tuple[int, int]
    last_input: float


class Activity(Record):
    """What one session does.

    ``cpu`` is what its live processes have used, in seconds, ``processes`` their number; both are
    None where none of its processes can be seen. ``last_activity`` is the last input on its
    terminal in seconds since the epoch, None without a terminal. ``command_pid`` is its foreground
    command, 0 for none, ``command_cpu`` what that process itself has used, in seconds (`w`'s PCPU),
    ``command`` its command line as it is: '' until with_commands() adds it.
    ``terminal_cpu`` is the part of ``cpu`` of processes on the terminal, ``resident`` the memory of
    its live processes in bytes: pages that they share count for each.
    """

    cpu: float | None
    processes: int | None
    last_activity: float | None
    command_pid: int = 0
    command_cpu: float = 0.0
    command: str = ""
    terminal_cpu: float = 0.0  # `w`'s JCPU
    resident: int = 0


def activities(
    sessions: Collection[Session],
    processes: Collection[Process],
    terminals: Mapping[str, Terminal],
) -> dict[str, Activity]:
    """Return the activity of each session by its id.

    ``processes`` are all that /proc shows, ``terminals`` those of the sessions by name. Cost
    grows in proportion to sessions and processes.
    """
    seen = [process for process in processes if process.comm or process.start is not None]
    owner = owners(sessions, seen)
    _add_by_terminal(owner, sessions, seen, terminals)
    own: dict[str, list[Process]] = {}
    for process in seen:
        if owner[process.pid]:
            own.setdefault(owner[process.pid], []).append(process)
    return {
        session.id: _activity(own.get(session.id), terminals.get(session.tty))
        for session in sessions
    }


def owners(sessions: Iterable[Session], processes: Collection[Process]) -> dict[int, str]:
    """Return each process's session, its id or '', by the process's pid.

    The session is that whose cgroup the process is in, else that which it leads, else that of
    its parent: a daemon that nobody but init is the parent of left its session, unless logind
    keeps it in the cgroup.
    """
    by_pid = {process.pid: process for process in processes}
    ids = {session.id for session in sessions if session.id}
    owner = {
        session.leader: session.id
        for session in sessions
        if session.leader > 1 and session.leader in by_pid
    }
    owner.update((process.pid, process.session) for process in processes if process.session in ids)
    _inherit(owner, by_pid)
    return owner


def with_commands(
    found: Mapping[str, Activity], lines: Mapping[int, bytes], processes: Iterable[Process]
) -> dict[str, Activity]:
    """Return the activities with their commands.

    ``lines`` are the command lines of the activities' ``command_pid`` as read_command_lines()
    returns them.
    """
    wanted = {activity.command_pid for activity in found.values()}
    comms = {process.pid: process.comm for process in processes if process.pid in wanted}
    result = dict(found)
    for ident, activity in found.items():
        pid = activity.command_pid
        if pid in comms:
            command = parse_command(lines.get(pid, b""), comms[pid])
            result[ident] = activity._replace(command=command)
    return result


def parse_command(data: bytes, comm: str) -> str:
    """Return the command line from /proc/PID/cmdline, ``[comm]`` where that is empty.

    A NUL ends each argument. It may hold what no terminal should see.
    """
    return decode(data.rstrip(b"\0 ").replace(b"\0", b" ")) or f"[{comm}]"


def _inherit(owner: dict[int, str], by_pid: Mapping[int, Process]) -> None:
    """Give each process that has no owner its parent's, '' to those that have none either."""
    for pid in by_pid:
        path = []
        ancestor = by_pid.get(pid)
        while ancestor and ancestor.pid not in owner:
            owner[ancestor.pid] = ""  # pids read one by one may form a loop
            path.append(ancestor.pid)
            ancestor = by_pid.get(ancestor.ppid)
        found = owner[ancestor.pid] if ancestor else ""
        for descendant in path:
            owner[descendant] = found


def _add_by_terminal(
    owner: dict[int, str],
    sessions: Iterable[Session],
    processes: Collection[Process],
    terminals: Mapping[str, Terminal],
) -> None:
    """Give what is on a session's terminal, without descending from its leader, to the session.

    Of logind's sessions the cgroup tells all. A container's pts/0 has the number of the host's,
    but another foreground group.
    """
    by_logind = {process.session for process in processes}
    by_device = {
        terminals[session.tty].device: session.id
        for session in sessions
        if session.tty in terminals and session.id not in by_logind
    }
    on_terminal = [
        (process, by_device[device])
        for process in processes
        if process.tty
        for device in (decode_device(process.tty),)
        if device in by_device
    ]
    groups: dict[str, set[int]] = {}
    for process, ident in on_terminal:
        if owner[process.pid] == ident:
            groups.setdefault(ident, set()).add(process.foreground)
    added = {
        process.pid: ident
        for process, ident in on_terminal
        if not owner[process.pid] and process.foreground in groups.get(ident, (process.foreground,))
    }
    if added:
        for pid in [pid for pid, ident in owner.items() if not ident]:
            del owner[pid]
        owner.update(added)
        _inherit(owner, {process.pid: process for process in processes})


def _activity(own: list[Process] | None, terminal: Terminal | None) -> Activity:
    last_input = terminal.last_input if terminal else None
    if own is None:
        return Activity(None, None, last_input)
    live = [process for process in own if process.state not in ENDED]
    command = _foreground(live, terminal) if terminal else None
    return Activity(
        cpu=round(sum(process.cpu for process in live), 6),  # what are whole clock ticks
        processes=len(live),
        last_activity=last_input,
        command_pid=command.pid if command else 0,
        command_cpu=command.cpu if command else 0.0,
        terminal_cpu=round(sum(one.cpu for one in live if _is_on(one, terminal)), 6),
        resident=sum(one.resident for one in live),
    )


def _foreground(live: Iterable[Process], terminal: Terminal) -> Process | None:
    """Return the foreground command on a session's terminal, None without one.

    As in procps' w.c it is the process that began last of the terminal's foreground group; of
    several that began in the same tick, the one with the lowest pid. `w` leaves out processes
    of other users and then shows what it finds: after su here is the command itself.
    """
    group = [
        process
        for process in live
        if process.group == process.foreground and _is_on(process, terminal)
    ]
    return max(group, key=lambda process: (process.start or 0.0, -process.pid), default=None)


def _is_on(process: Process, terminal: Terminal | None) -> bool:
    on = process.tty and decode_device(process.tty)
    return terminal is not None and on == terminal.device


def decode_device(tty_nr: int) -> tuple[int, int]:
    """Return (major, minor) of ``tty_nr``, a field of /proc/PID/stat, which may be negative.

    Bits 8 to 19 are the major number, 20 to 31 and 0 to 7 the minor (proc(5); 12 bits of
    the major as in the kernel's linux/kdev_t.h).
    """
    return tty_nr >> 8 & 0xFFF, (tty_nr >> 12 & 0xFFF00) | (tty_nr & 0xFF)


def terminal_name(tty_nr: int) -> str:
    """Return the name of a pseudo terminal, ``pts/3``, from its ``tty_nr``; '' for any other."""
    major, minor = decode_device(tty_nr)
    return f"pts/{minor}" if major == PTS else ""


def stat_terminals(paths: Paths, names: Iterable[str]) -> dict[str, Terminal]:
    """Return the terminals of ``names`` (pts/3, tty1) that are there.

    They are character devices below /dev; a name that leads elsewhere, a link and anything
    else is none. Raises nothing.
    """
    terminals = {}
    inside: set[str] = set()
    for name in set(names):
        if not _is_name(name):
            continue
        path = paths.below("/dev/" + name)
        try:
            directory = os.path.dirname(path)
            if directory not in inside:
                paths.require_inside(directory)
                inside.add(directory)
            status = os.lstat(path)
        except (OSError, ValueError):  # ValueError: no file can have such a name
            continue  # it is gone, or never was
        if stat.S_ISCHR(status.st_mode):
            device = os.major(status.st_rdev), os.minor(status.st_rdev)
            terminals[name] = Terminal(device, status.st_atime)
    return terminals


def _is_name(name: str) -> bool:
    """Return whether it may be a terminal's: ``tty1``, ``pts/3``, ``lxc/tty1``."""
    return not {"", ".", ".."}.intersection(name.split("/"))
