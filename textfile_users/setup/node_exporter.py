"""Finds the running node_exporters, their textfile directories, and which of them may be believed.

Grafana Alloy, which serves the same, counts as one. Root writes where a node_exporter reads, and
any user may run a program of that name with any flags. So one is believed only if the kernel says
that it is what it seems to be, see proc(5).
"""

from __future__ import annotations

import glob
import os

from textfile_users.accounts.passwd import read_passwd
from textfile_users.paths import RUN, SERVICE_USER, TEXTFILE_DIRECTORIES, Paths, link_text
from textfile_users.processes.procfs import read_file
from textfile_users.product import SETTINGS
from textfile_users.reading.files import read_regular
from textfile_users.reading.text import decode
from textfile_users.record import Record
from textfile_users.setup import alloy
from textfile_users.setup.entry import others_can_write
from textfile_users.setup.settings import TEXTFILE_DIRECTORY
from textfile_users.setup.system import read_pids

NAMES = ("prometheus-node-exporter", "node_exporter")
DIRECTORY_FLAG = "collector.textfile.directory"
LISTEN_FLAG = "web.listen-address"
DEFAULT_LISTEN = ":9100"
FIRST_USER = 1000  # uids below are the system's, see login.defs(5)
NOBODY = 65_534  # as whom images of node_exporter run it
MAX_MATCHES = 64
MAX_WILDCARDS = 2  # parts of a path that are globs
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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class NodeExporter(Record):
    """A running node_exporter.

    ``directories`` are those that its flags name, none where it has its own default (Debian's
    is the distribution's). Of an ordinary user's process neither these nor ``listen`` are told.
    ``trusted`` says whether root may act on them, and ``why`` why not. ``config`` is Grafana
    Alloy's, '' for node_exporter.
    """

    pid: int
    user: str
    uid: int
    directories: tuple[str, ...]
    listen: str
    trusted: bool
    why: str
    config: str = ""


class Launch(Record):
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
    found = (_read(paths, pid) for pid in read_pids(paths))
    return tuple(exporter for exporter in found if exporter)


def find_blind(paths: Paths, directory: str, *, ordinary: bool = False) -> tuple[int, ...]:
    """Return the processes that serve ``directory`` and would not see where a link in it leads.

    So it is in a container without the host's /run, or where a unit hides it from its service. Who
    says so decides between link and file alone: for that a system's user is enough, and nobody.

    ``ordinary``: the processes of ordinary users instead, in a view of their own, as in a rootless
    container or with userns-remap. Any user may run such: they are told of, and decide nothing.
    """
    return tuple(pid for pid in read_pids(paths) if _is_blind(paths, pid, directory, ordinary))


def expand(paths: Paths, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the directories that the flags of node_exporter name, which may be globs since 1.9.

    What matches nothing stays as it is, and so does what would have us walk through the system.
    """
    found: list[str] = []
    for pattern in patterns:
        magic = [glob.has_magic(part) for part in pattern.strip("/").split("/")]
        is_glob = pattern.startswith("/") and 0 < sum(magic) <= MAX_WILDCARDS and not magic[0]
        is_walked = is_glob and not is_systems(pattern)
        matches = glob.iglob(glob.escape(paths.below("/")) + pattern[1:]) if is_walked else ()
        cut = len(paths.below("/")) - 1
        known = sorted(path[cut:] for path in _some(matches) if os.path.isdir(path))
        found += known or [pattern]
    return tuple(dict.fromkeys(found))


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


def why_not_trusted(origin: Launch) -> str:
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
    if name not in (*NAMES, alloy.NAME):
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


def _some(matches: Iterable[str]) -> list[str]:
    return [path for _, path in zip(range(MAX_MATCHES), matches)]


def _is_blind(paths: Paths, pid: int, directory: str, ordinary: bool) -> bool:
    words, program = _words(paths, pid), _program(paths, pid)
    name = _name_of(words, program)
    uids = read_ids_of(paths, pid, "Uid") if name else ()
    is_ordinary = any(uid >= FIRST_USER and uid != NOBODY for uid in uids)
    if not uids or is_ordinary != ordinary or (ordinary and not _is_apart(paths, pid)):
        return False
    if SERVICE_USER in (_name(paths, uid) for uid in uids):
        return False  # whom a link keeps from other names in the directory
    view = Paths(paths.proc(f"{pid}/root"))
    served = _directories(view, words, name)[0] or (() if name == alloy.NAME else (directory,))
    return any(_leads_nowhere(paths, view, path, directory) for path in served)


def _is_apart(paths: Paths, pid: int) -> bool:
    """Return whether a process has another root directory or other mounts than we have."""
    try:
        return not (
            os.path.samefile(paths.proc(f"{pid}/root/."), paths.below("/"))
            and os.path.samefile(paths.proc(f"{pid}/ns/mnt"), paths.proc("self/ns/mnt"))
        )
    except OSError:
        return False  # it has ended, or may not be looked into


def _leads_nowhere(paths: Paths, view: Paths, path: str, directory: str) -> bool:
    """Return whether ``path`` is the directory in a process's view, and the host's /run is not.

    Links are followed as that process would, for root does not have its root directory.
    """
    run = RUN if os.path.exists(paths.below(RUN)) else os.path.dirname(RUN)
    real = os.path.realpath(paths.below(directory))
    try:
        there = view.resolved(view.below(path))
        if not os.path.samefile(there, real):
            return False
    except OSError:
        return False  # it serves another one, or may not be looked into
    way = link_text(real, paths.below(run))
    inside = there[len(view.root) :] or "/"
    try:
        leads = view.resolved(view.below(os.path.normpath(os.path.join(inside, way))))
        return not os.path.samefile(leads, paths.below(run))
    except OSError:
        return True


def _directories(view: Paths, words: tuple[str, ...], name: str) -> tuple[tuple[str, ...], str]:
    """Return the directories that a process names, and why root may not go by that, ''."""
    if name != alloy.NAME:
        return expand(view, parse_flags(words[1:], DIRECTORY_FLAG)), ""
    config = alloy.config_of(words)
    found: list[str] = []
    why = ""
    try:
        place = view.resolved(view.below(config)) if config else ""
        for path in dict.fromkeys((place, *alloy.config_files(place))):
            status = os.stat(path)
            if others_can_write(status):
                why = f"others than root can write {config}"
            if not os.path.isdir(path):
                found += alloy.parse_directories(decode(read_regular(path, alloy.MAX_BYTES)))
    except OSError as error:
        return (), f"its configuration {config}: {error.strerror}"
    return tuple(found), why if found else f"{config} has no textfile block in {alloy.EXPORTER}"


def _words(paths: Paths, pid: int) -> tuple[str, ...]:
    data = read_file(paths.proc(f"{pid}/cmdline"), MAX_COMMAND_LINE)
    return tuple(map(decode, data.split(b"\0")[:-1]))


def _name_of(words: tuple[str, ...], program: str) -> str:
    """Return by which name a process is one of ours to look at, '' for others."""
    names = [os.path.basename(path) for path in (*words[:1], program)]
    name = next((name for name in names if name in (*NAMES, alloy.NAME)), "") if words else ""
    return "" if name == alloy.NAME and "run" not in words else name


def _read(paths: Paths, pid: int) -> NodeExporter | None:
    """Return the process ``pid`` where its first word or its program is node_exporter's."""
    words, program = _words(paths, pid), _program(paths, pid)
    name = _name_of(words, program)
    if not name:
        return None  # another's, of the kernel, or ended
    uids = read_ids_of(paths, pid, "Uid")
    user = _name(paths, uids[0]) if uids else ""
    if any(uid >= FIRST_USER for uid in uids) or user == SERVICE_USER:
        # Never believed: of what it says, which may be long or hang, nothing is looked at.
        why = OWN_USER if user == SERVICE_USER else why_not_trusted(Launch(uids, ""))
        return NodeExporter(pid, user, uids[0], (), "", False, why)
    directories, why = _directories(paths, words, name)
    origin = _origin(paths, pid, uids, program, directories)
    system = next(filter(is_systems, directories), "")
    why = why_not_trusted(origin) or why or (system and f"{system} is the system's own directory")
    uid = origin.uids[0] if origin.uids else -1
    listen = parse_flags(words[1:], LISTEN_FLAG) or (DEFAULT_LISTEN,)
    config = alloy.config_of(words) or "?" if name == alloy.NAME else ""
    return NodeExporter(
        pid, _name(paths, uid), uid, directories, listen[0] if not config else "", not why, why,
        config,
    )  # fmt: skip


def _origin(
    paths: Paths, pid: int, uids: tuple[int, ...], program: str, directories: tuple[str, ...]
) -> Launch:
    if not program:
        return Launch(uids, "")
    root = paths.proc(f"{pid}/root")
    try:
        # The file that runs, whatever has its name by now.
        status = os.stat(paths.proc(f"{pid}/exe"))
        same_root = os.path.samestat(os.stat(root + "/"), os.stat(paths.below("/")))
    except OSError:
        return Launch(uids, "")
    elsewhere = (path for path in directories if not _is_same(root + path, paths.below(path)))
    return Launch(uids, program, status.st_uid, status.st_mode, same_root, next(elsewhere, ""))


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


def read_ids_of(paths: Paths, pid: int, name: str) -> tuple[int, ...]:
    """Return the numbers behind Uid, Gid or Groups in /proc/PID/status, none of what has ended."""
    lines = read_file(paths.proc(f"{pid}/status"), 1 << 16).split(b"\n")
    words = next((line.split()[1:] for line in lines if line.startswith(f"{name}:".encode())), [])
    is_whole = name == "Groups" or len(words) == 4  # the others are real, effective, saved, fs
    return tuple(map(int, words)) if is_whole and all(map(bytes.isdigit, words)) else ()


def _name(paths: Paths, uid: int) -> str:
    try:
        return read_passwd(paths).by_uid.get(uid, str(uid))
    except OSError:
        return str(uid)


def choose_directory(
    given: str, setting: str, exporters: tuple[NodeExporter, ...], default: str
) -> tuple[str, str]:
    """Return the textfile directory, or '' and why none can be chosen.

    What was asked for comes first, then the settings file, then what the running node_exporters
    read that may be believed, then the distribution's, ``default``.
    """
    if given and setting and given != setting:
        mend = f"sed -i 's|^{TEXTFILE_DIRECTORY}=.*|{TEXTFILE_DIRECTORY}={given}|'"
        return (
            "",
            f"{SETTINGS} has {TEXTFILE_DIRECTORY}={setting}; run: {mend} {SETTINGS}",
        )
    if given or setting:
        return os.path.normpath(given or setting), ""
    found = {
        os.path.normpath(path)
        for exporter in exporters
        if exporter.trusted
        for path in exporter.directories or (default,)
        if path
    }
    if len(found) > 1:
        return "", (
            f"node_exporter reads several directories ({', '.join(sorted(found))}); choose one "
            "with --textfile-directory"
        )
    directory = next(iter(found), default)
    if directory:
        return directory, ""
    return "", (
        f"no textfile directory: none of {', '.join(TEXTFILE_DIRECTORIES)} is there. Make one, "
        "name it to node_exporter with --collector.textfile.directory, and here with "
        "--textfile-directory"
    )
