"""Finds the running node_exporters, their textfile directories, and which of them may be believed.

Root writes where a node_exporter reads, and any user may run a program of that name with any
flags. So one is believed only if the kernel says that it is what it seems to be, see proc(5).
"""

from __future__ import annotations

import os

from textfile_users.paths import SERVICE_USER, Paths
from textfile_users.record import Record
from textfile_users.sources.passwd import read_passwd
from textfile_users.sources.procfs import read_file
from textfile_users.sources.text import decode

NAMES = ("prometheus-node-exporter", "node_exporter")
DIRECTORY_FLAG = "collector.textfile.directory"
LISTEN_FLAG = "web.listen-address"
DEFAULT_LISTEN = ":9100"
FIRST_USER = 1000  # uids below are the system's, see login.defs(5)
MAX_COMMAND_LINE = 1 << 20
# No textfiles are there, nor below the first: a process's word must not open them to our user.
SYSTEMS_BELOW = (
    "/bin/",
    "/boot/",
    "/dev/",
    "/etc/",
    "/lib/",
    "/lib64/",
    "/proc/",
    "/root/",
    "/sbin/",
    "/sys/",
    "/usr/bin/",
    "/usr/lib/",
    "/usr/sbin/",
    "/usr/share/",
    "/var/spool/",
)
SYSTEMS = ("/", "/opt", "/run", "/usr", "/usr/local", "/var", "/var/lib", "/var/log")  # fmt: skip
OWN_USER = f"it is {SERVICE_USER}'s, who writes the file and does not serve it"
DELETED = " (deleted)"  # what the kernel adds where the program was replaced, as by an update


class NodeExporter(Record):
    """A running node_exporter.

    ``directories`` are those that its flags name, none where it has its own default (Debian's
    is the distribution's). Of an ordinary user's process neither these nor ``listen`` are told.
    ``trusted`` says whether root may act on them, and ``why`` why not.
    """

    pid: int
    user: str
    uid: int
    directories: tuple[str, ...]
    listen: str
    trusted: bool
    why: str


class Origin(Record):
    """What the kernel says of a process that calls itself node_exporter.

    ``uids`` are its real, effective, saved and file system one. ``program`` is the path of what
    it runs, with the file's owner and mode, '' where that may not be seen. ``same_root`` is
    whether it has the host's root directory; ``elsewhere`` is the first of its directories that
    is another one in its view, ''.
    """

    uids: tuple[int, ...]
    program: str
    owner: int = 0
    mode: int = 0o755
    same_root: bool = True
    elsewhere: str = ""


def find_node_exporters(paths: Paths) -> tuple[NodeExporter, ...]:
    """Return the running processes of that name, by pid; none where the root has no /proc."""
    try:
        paths.require_inside(paths.proc(""))
        pids = sorted(int(name) for name in os.listdir(paths.proc("")) if name.isdigit())
    except OSError:
        return ()
    found = (_read(paths, pid) for pid in pids)
    return tuple(exporter for exporter in found if exporter)


def parse_flags(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the values that ``words`` give the flag: ``--name VALUE`` or ``--name=VALUE``.

    One dash does too, as before node_exporter 0.15. ``--`` ends the flags.
    """
    values = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        flag, equals, value = word.partition("=")
        if flag in ("--" + name, "-" + name):
            value = value if equals else next(rest, "")
            if value:
                values.append(value)
    return tuple(values)


def why_not_trusted(origin: Origin) -> str:
    """Return why root must not act on what the process was told, '' where it may."""
    if not origin.uids:
        return "it has ended"
    if any(uid >= FIRST_USER for uid in origin.uids):
        return f"it is an ordinary user's (uid {max(origin.uids)})"
    if len(set(origin.uids)) > 1:
        return "its real user is not the one whose rights it has"
    if not origin.program:
        return "only root sees what it runs"
    name = os.path.basename(origin.program)
    if name not in NAMES:
        return f"what it runs is {origin.program}"
    if origin.owner != 0 or origin.mode & 0o022:
        return f"others than root can write {origin.program}"
    if not origin.same_root:
        return "it has another root directory, as in a container"
    if origin.elsewhere:
        return f"{origin.elsewhere} is another directory in its view"
    return ""


def is_systems(path: str) -> bool:
    """Return whether a directory, or what it is a link to, is the system's own."""
    ways = (os.path.normpath(path), os.path.realpath(path))
    return any(way in SYSTEMS or f"{way}/".startswith(SYSTEMS_BELOW) for way in ways)


def _read(paths: Paths, pid: int) -> NodeExporter | None:
    """Return the process ``pid`` where its first word or its program is node_exporter's."""
    data = read_file(paths.proc(f"{pid}/cmdline"), MAX_COMMAND_LINE)
    words = tuple(map(decode, data.split(b"\0")[:-1]))
    if not words:
        return None  # of the kernel, or ended
    program = _program(paths, pid)
    if not any(os.path.basename(path) in NAMES for path in (words[0], program)):
        return None
    uids = _parse_uids(read_file(paths.proc(f"{pid}/status"), 1 << 16))
    user = _name(paths, uids[0]) if uids else ""
    if any(uid >= FIRST_USER for uid in uids) or user == SERVICE_USER:
        # Never believed: of what it says, which may be long or hang, nothing is looked at.
        why = OWN_USER if user == SERVICE_USER else why_not_trusted(Origin(uids, ""))
        return NodeExporter(pid, user, uids[0], (), "", False, why)
    directories = parse_flags(words[1:], DIRECTORY_FLAG)
    origin = _origin(paths, pid, uids, program, directories)
    system = next(filter(is_systems, directories), "")
    why = why_not_trusted(origin) or (system and f"{system} is the system's own directory")
    uid = origin.uids[0] if origin.uids else -1
    listen = parse_flags(words[1:], LISTEN_FLAG) or (DEFAULT_LISTEN,)
    return NodeExporter(pid, _name(paths, uid), uid, directories, listen[0], not why, why)


def _origin(
    paths: Paths, pid: int, uids: tuple[int, ...], program: str, directories: tuple[str, ...]
) -> Origin:
    if not program:
        return Origin(uids, "")
    root = paths.proc(f"{pid}/root")
    try:
        # The file that runs, whatever has its name by now.
        status = os.stat(paths.proc(f"{pid}/exe"))
        same_root = os.path.samestat(os.stat(root + "/"), os.stat(paths.below("/")))
    except OSError:
        return Origin(uids, "")
    elsewhere = (path for path in directories if not _is_same(root + path, paths.below(path)))
    return Origin(uids, program, status.st_uid, status.st_mode, same_root, next(elsewhere, ""))


def _is_same(one: str, other: str) -> bool:
    """Return whether both are one directory, or neither is there."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return not os.path.exists(one) and not os.path.exists(other)


def _program(paths: Paths, pid: int) -> str:
    """Return the path of what a process runs, '' where only others may see it."""
    try:
        path = os.readlink(paths.proc(f"{pid}/exe"))
    except OSError:
        return ""
    return path[: -len(DELETED)] if path.endswith(DELETED) else path


def _parse_uids(data: bytes) -> tuple[int, ...]:
    """Return the four uids of /proc/PID/status, none where they are not there."""
    for line in data.split(b"\n"):
        if line.startswith(b"Uid:"):
            words = line[4:].split()
            if len(words) == 4 and all(word.isdigit() for word in words):
                return tuple(map(int, words))
    return ()


def _name(paths: Paths, uid: int) -> str:
    try:
        return read_passwd(paths).by_uid.get(uid, str(uid))
    except OSError:
        return str(uid)
