"""procfs: processes, since when they live, their command lines and terminals (proc(5))."""

from __future__ import annotations

import os

from textfile_users.collecting import ABSENT, OK, SourceReport
from textfile_users.paths import BOOT_ID, Paths
from textfile_users.reading.text import decode, is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BYTES = 4096
# Below another root, /proc may be what somebody put there.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD, in the field `flags`
MAX = 1 << 63

MAX_ANCESTORS = 32
MAX_TTY = 32  # ut_line's size


class Process(Record):
    """One living process; ``start`` is None where /proc does not show it to us.

    ``uid`` is the real one, -1 where it is not known. ``tty`` is the device number of its
    terminal, 0 without one; it is in the foreground there if its ``group`` is the terminal's
    ``foreground`` group. ``cpu`` is in seconds, ``resident`` in bytes. ``session`` is logind's id
    or '', and ``slice`` the uid whose systemd slice it is in, -1 outside of all.
    """

    pid: int
    comm: str
    ppid: int
    start: float | None
    uid: int = -1
    state: str = ""
    group: int = 0
    tty: int = 0
    foreground: int = -1
    cpu: float = 0.0
    resident: int = 0
    session: str = ""
    slice: int = -1


class Descent(Record):
    """Where a process comes from: its logind session's id or '', and its ancestors' pids."""

    session: str
    ancestors: tuple[int, ...]


def parse_stat(data: bytes) -> tuple[str, str, int, int, int, int, bool, float, int, int]:
    """Return what /proc/PID/stat says, in its order.

    That is comm, state, parent's pid, process group, terminal, its foreground group, whether it
    is a kernel thread, CPU time in seconds (its ended threads' too, not its children's), start
    in clock ticks since boot, and resident memory in bytes. Raises ValueError for anything else.
    """
    # A name may hold blanks, newlines and parentheses, so the last parenthesis ends it.
    head, closing, tail = decode(data).rpartition(")")
    _, opening, comm = head.partition("(")
    fields = tail.split(None, 22)
    if not (opening and closing) or len(fields) < 22:
        raise ValueError("not a line of /proc/PID/stat")
    used, ticks = int(fields[11]) + int(fields[12]), int(fields[19])
    pages, terminal = int(fields[21]), int(fields[4])
    if not (0 <= used < MAX and 0 <= ticks < MAX and 0 <= pages < MAX and -MAX < terminal < MAX):
        raise ValueError("beyond any counter")
    return (
        comm,
        fields[0],
        int(fields[1]),
        int(fields[2]),
        terminal,
        int(fields[5]),
        int(fields[6]) & KERNEL_THREAD != 0,
        used / CLOCK_TICKS,
        ticks,
        pages * PAGE_SIZE,
    )


def parse_boot_time(data: bytes) -> int | None:
    """Return the time of boot (seconds since the epoch) from /proc/stat, None without."""
    for line in data.split(b"\n"):
        if line.startswith(b"btime ") and is_number(decode(line[6:])):
            return int(line[6:])
    return None


def parse_title(data: bytes) -> tuple[str, ...]:
    """Return the terminals that the title of an sshd process names (/proc/PID/cmdline).

    The title is ``sshd: USER@pts/0``, with more terminals behind commas and ``notty``
    without any; the program is sshd-session since OpenSSH 9.8.
    """
    if not data.startswith((b"sshd: ", b"sshd-session: ")):
        return ()
    words = decode(data.partition(b"\0")[0].rpartition(b"@")[2]).split(",")
    return tuple(word for word in words if _is_terminal(word))


def _is_terminal(word: str) -> bool:
    name, slash, number = word.partition("/")
    known = name == "pts" and is_number(number) if slash else word.startswith("tty")
    return known and len(word) <= MAX_TTY


def parse_cgroup(data: bytes, inside: str = "") -> tuple[str, int]:
    """Return a logind session's id, '' for none, and the uid of a user's slice, -1 for none.

    ``data`` is /proc/PID/cgroup, see cgroups(7): of its lines those of version 2 and of
    systemd's own hierarchy count. ``inside`` is the cgroup of the whole host where it is a
    container's, see parse_root_cgroup(). Whoever owns a cgroup can give those below it any
    name, so only those count that systemd makes: from the root on.
    """
    above = inside + "/user.slice/"
    for path in _systemd_cgroups(data):
        if path.startswith(above):
            name, _, below = path[len(above) :].partition("/")
            uid = _between(name, "user-", ".slice")
            if is_number(uid):
                session = _between(below.partition("/")[0], "session-", ".scope")
                return session if session.isalnum() else "", int(uid)
    return "", -1


def parse_root_cgroup(data: bytes) -> str:
    """Return the cgroup of a whole container from its first process's /proc/PID/cgroup.

    It is '' where that is the root, and where the first process is not systemd.
    """
    for path in _systemd_cgroups(data):
        if path.endswith("/init.scope"):
            return path[: -len("/init.scope")]
    return ""


def _systemd_cgroups(data: bytes) -> list[str]:
    lines = [line.split(":", 2) for line in decode(data).split("\n")]
    return [line[2] for line in lines if len(line) == 3 and line[1] in ("", "name=systemd")]


def _between(text: str, start: str, end: str) -> str:
    """Return what is between ``start`` and ``end``, '' where ``text`` does not have both."""
    found = text.startswith(start) and text.endswith(end)
    return text[len(start) : -len(end)] if found else ""


def has_proc(paths: Paths) -> bool:
    """Return whether the root has a /proc with processes; a dead image's has none."""
    for _ in range(2):  # one call may fail by accident, and all would be taken for dead or alive
        try:
            paths.require_inside(paths.proc(""))
            os.stat(paths.proc("self" if paths.is_own_host else "1"))
        except OSError:
            continue
        return True
    return False


def read_processes(
    paths: Paths, pids: Iterable[int], known: Mapping[int, Process]
) -> tuple[dict[int, Process] | None, SourceReport]:
    """Return those of ``pids``, all above 0, that live, and the source's report.

    The processes are None where the root has no /proc, or a dead image's. Those that this scan
    has read already are ``known`` by their pids, and not read again.
    """
    if not has_proc(paths):
        return None, SourceReport("procfs", ABSENT)
    boot_time = read_boot_time(paths)
    processes = {}
    for pid in set(pids):
        process = known.get(pid) or _read_process(paths, pid, boot_time)
        if process:
            processes[pid] = process
    return processes, SourceReport("procfs", OK)


def read_terminals(paths: Paths, leaders: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the terminals of each SSH session by its leader, without those that have none.

    The leader names them itself, or its children, the user's sshd, do.
    """
    terminals = {}
    children: dict[int, list[int]] | None = None
    for leader in leaders:
        own = _read_children(paths, leader)
        if own is None:  # a kernel without CONFIG_PROC_CHILDREN
            if children is None:
                children = _scan_children(paths)
            own = children.get(leader, [])
        found = [
            tty
            for pid in (leader, *own)
            for tty in parse_title(read_file(paths.proc(f"{pid}/cmdline")))
        ]
        if found:
            terminals[leader] = tuple(found)
    return terminals


def read_descents(
    paths: Paths, pids: Iterable[int], known: Mapping[int, Process] = {}
) -> dict[int, Descent]:
    """Return from which session each of ``pids`` descends; a daemon keeps its cgroup.

    What this scan has read already is ``known`` by pid, and nothing is read twice: anybody may
    name thousands of servers, each with as many ancestors.
    """
    descents = {}
    parents = {process.pid: process.ppid for process in known.values()}
    inside = parse_root_cgroup(read_file(paths.proc("1/cgroup")))
    for pid in pids:
        if pid in known:
            session = known[pid].session
        else:
            session, _ = parse_cgroup(read_file(paths.proc(f"{pid}/cgroup")), inside)
        descents[pid] = Descent(session, read_ancestors(paths, pid, parents))
    return descents


def read_ancestors(paths: Paths, pid: int, parents: dict[int, int]) -> tuple[int, ...]:
    """Return the parent of ``pid``, its parent and so on, below pid 1, 32 at most.

    ``parents``, 0 where there is none, are known by pid; it is added to.
    """
    ancestors: list[int] = []
    while len(ancestors) < MAX_ANCESTORS:
        if pid not in parents:
            try:
                parents[pid] = parse_stat(read_file(paths.proc(f"{pid}/stat")))[2]
            except ValueError:
                parents[pid] = 0
        pid = parents[pid]
        if pid <= 1:
            break
        ancestors.append(pid)
    return tuple(ancestors)


def read_boot_id() -> str:
    """Return the kernel's id of this boot, '' where it cannot be read (random(4))."""
    try:
        with open(BOOT_ID, "rb") as file:  # as text it would cost an import
            return file.read().decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def read_boot_time(paths: Paths) -> int | None:
    """Return when the host booted, in seconds since the epoch, None where it cannot be read."""
    # Before btime stand a line a processor and all interrupt counters.
    return parse_boot_time(read_file(paths.proc("stat"), 1 << 20))


def count_processors(paths: Paths) -> int:
    """Return how many processors the host has, 1 where it does not tell."""
    return max(1, read_file(paths.proc("stat"), 1 << 20).count(b"\ncpu"))


def _read_process(paths: Paths, pid: int, boot_time: int | None) -> Process | None:
    try:
        comm, _, ppid, *_, ticks, _ = parse_stat(read_file(paths.proc(f"{pid}/stat")))
    except ValueError:  # gone, or hidden from us
        return Process(pid, "", 0, None) if _is_hidden(paths, pid) else None
    start = None if boot_time is None else boot_time + ticks / CLOCK_TICKS
    return Process(pid, comm, ppid, start)


def _is_hidden(paths: Paths, pid: int) -> bool:
    """Return whether a process lives that /proc does not show us (hidepid=2)."""
    if not paths.is_own_host:
        return False
    try:
        os.kill(pid, 0)  # sends nothing
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        pass
    return False


def _read_children(paths: Paths, pid: int) -> list[int] | None:
    """Return the children's pids, None where the kernel does not tell."""
    task = paths.proc(f"{pid}/task/{pid}")
    words = read_file(f"{task}/children").split()
    if not words and os.path.exists(task) and not os.path.exists(f"{task}/children"):
        return None
    return [int(word) for word in words if word.isdigit()]


def _scan_children(paths: Paths) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for name in os.listdir(paths.proc("")):
        if name.isdigit():
            try:
                ppid = parse_stat(read_file(paths.proc(f"{name}/stat")))[2]
            except ValueError:
                continue  # it ended while we looked
            children.setdefault(ppid, []).append(int(name))
    return children


def read_file(path: str, limit: int = MAX_BYTES) -> bytes:
    """Return at most ``limit`` bytes of a file in /proc or /sys, none where it cannot be read."""
    return read_owned(path, limit)[0]


def read_owned(path: str, limit: int = MAX_BYTES) -> tuple[bytes, int]:
    """Return what read_file() does, and the uid of the file's owner, -1 where it is not known."""
    try:
        descriptor = os.open(path, FLAGS)
    except OSError:
        return b"", -1
    try:
        # One read gives all, for the kernel makes each of these files at once.
        return os.read(descriptor, limit), os.fstat(descriptor).st_uid
    except OSError:  # the process ended
        return b"", -1
    finally:
        os.close(descriptor)


def read_command_lines(paths: Paths, pids: Iterable[int]) -> dict[int, bytes]:
    """Return the first 4096 bytes of the command line or title of those ``pids`` that live.

    It may hold secrets. Raises nothing.
    """
    lines = {}
    try:
        paths.require_inside(paths.proc(""))
    except OSError:
        return {}
    for pid in pids:
        try:
            descriptor = os.open(paths.proc(f"{pid}/cmdline"), FLAGS)
            try:
                lines[pid] = os.read(descriptor, MAX_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            continue  # it ended, or is hidden from us
    return lines
