"""The host as `install` finds it: read once, before anything is decided or changed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import sysconfig

from textfile_users import product as places
from textfile_users.accounts.passwd import MAX_BYTES, find_memberships
from textfile_users.auth.journal_files import journal_state
from textfile_users.collecting import ABSENT
from textfile_users.parsers import parse_collect
from textfile_users.paths import TEXTFILE_DIRECTORIES, Paths
from textfile_users.reading.files import read_regular
from textfile_users.record import Record
from textfile_users.setup.checks.access import READ, closed_part, parts_of
from textfile_users.setup.checks.child import TOOLS as SEARCH
from textfile_users.setup.checks.child import ChildFailed, Identity, in_child, run_tool
from textfile_users.setup.node_exporter import NodeExporter, find_blind, find_node_exporters
from textfile_users.setup.settings import OPTIONS, TEXTFILE_DIRECTORY, read_settings
from textfile_users.setup.steps import read_ids, read_numbers
from textfile_users.setup.unpack import running_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIRECTORY = "directory"
FILE = "file"
LINK = "link"
OTHER = "other"
_KINDS = {stat.S_IFDIR: DIRECTORY, stat.S_IFREG: FILE, stat.S_IFLNK: LINK}
TOOLS = (
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "useradd",
    "userdel",
    "gpasswd",
    "adduser",
    "restorecon",
)
SYSTEMD_OF_IMAGES = 999  # theirs is not known: what they have is taken for new
ACTIVE = "active\n"
TOOL_SECONDS = 10.0
NOBODY = 65534  # stands for our user and its group where they are not there yet
MAX_OUTPUT = 64 << 20
# The words of the record that are followed by a path.
PREFIX = "prefix"
MADE = "made"
CRON_DAEMONS = ("usr/sbin/cron", "usr/sbin/crond", "sbin/cron", "sbin/crond", "usr/bin/crond")


OWN = (
    *places.UNIT_FILES,
    places.PTRACE,
    *places.CRON_ENTRIES,
    *places.OTHER_FILES,
    *places.OWN_TREES,
    places.DROP_INS,
    places.PUBLIC,
    places.REDACT_KEY,
)


class FoundEntry(Record):
    """A path as lstat(2) has it; ``kind`` is '' where nothing is there. ``target`` is a link's."""

    path: str
    kind: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0
    target: str = ""


class Before(Record):
    """What the textfile directory ``directory`` was before install changed it."""

    directory: str
    gid: int
    mode: int


class HostFacts(Record):
    """A host. Paths in it are the host's own, without ``root``.

    ``reads_btmp`` is whether btmp is there, but neither a journal nor a log that our user may read.
    ``is_in_utmp`` is whether our user is in btmp's group; ``joining`` are files of ours that put it
    there. ``leaving`` are those of our places from where links lead out of ``root``.

    ``directory`` is the textfile directory, '' where ``why`` says that none can be chosen; ``real``
    is its path without links, ``above`` are the directories that lead to it, from / on.
    ``is_in_memory`` is whether it is gone with the next boot; ``blind`` are the processes that
    serve it and do not see the host's /run, ``doubtful`` those of ordinary users; ``is_unsure`` is
    whether there may be more. ``run`` is our directory there, and ``linked`` the file that the link
    leads to. ``systemd`` is the version of the one that runs, and ``active`` are those of our
    starters that it runs. ``cron`` is the directory for cron's entry, '' where there is no cron.
    ``is_output_ours`` is whether ``output`` holds what we write. ``present`` are those of our files
    and trees that exist. ``python`` runs the program in the environment ``prefix``; it was in
    ``prefixes`` before. ``links`` is what there is of the links to it, ``missing`` are the
    directories that are to hold them, and ``made`` those that install has made before.
    ``to_python`` leads to the environment and to the Python behind it, which is the last, and is ()
    for an image. ``archive`` is the one-file build that it is first unpacked from.
    """

    root: str = "/"
    is_root: bool = True
    is_systemd: bool = True
    systemd: int = SYSTEMD_OF_IMAGES
    active: tuple[str, ...] = ()
    cron: str = ""
    tools: frozenset[str] = frozenset(TOOLS)
    groups: frozenset[str] = frozenset()
    reads_btmp: bool = False
    is_in_utmp: bool = False
    joining: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    uid: int = -1
    gid: int = -1
    directory: str = ""
    why: str = ""
    is_default: bool = True
    entry: FoundEntry = FoundEntry("")
    real: str = ""
    above: tuple[FoundEntry, ...] = ()
    is_in_memory: bool = False
    blind: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    is_unsure: bool = False
    run: FoundEntry = FoundEntry(places.RUN)
    linked: FoundEntry = FoundEntry(places.LINKED_OUTPUT)
    output: FoundEntry = FoundEntry("")
    is_output_ours: bool = False
    before: Before | None = None
    old_entry: FoundEntry = FoundEntry("")
    old_output: FoundEntry = FoundEntry("")
    state: FoundEntry = FoundEntry("")
    present: frozenset[str] = frozenset()
    settings: tuple[tuple[str, str], ...] = ()
    setting_faults: tuple[str, ...] = ()
    given: str = ""
    exporters: tuple[NodeExporter, ...] = ()
    is_selinux: bool = False
    prefix: str = places.PREFIX
    prefixes: tuple[str, ...] = ()
    links: tuple[FoundEntry, ...] = tuple(map(FoundEntry, places.LINKS))
    missing: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    python: FoundEntry = FoundEntry("")
    to_python: tuple[FoundEntry, ...] = ()
    is_environment: bool = True
    archive: str = ""

    @property
    def is_running(self) -> bool:
        """Whether the host is the one this runs on, so that its daemons can be told."""
        return self.root == "/"


def read_facts(root: str, given: str) -> HostFacts:
    """Return what there is below ``root``; ``given`` is the textfile directory asked for, ''."""
    paths = Paths(os.path.realpath(root))
    values, faults = read_settings(paths)
    exporters = find_node_exporters(paths) if paths.is_own_host else ()
    setting = values.get(TEXTFILE_DIRECTORY, "")
    directory, why = choose_directory(given, setting, exporters, _default_directory(paths))
    record = _read_record(paths)
    uid, gid = read_ids(paths)
    before = parse_before(record, gid)
    old = before.directory if before else ""
    prefix, archive = _prefix(paths), running_archive()
    numbers, cron = read_numbers(paths, "/etc/group"), _cron(paths)
    blind, doubtful = (_blind(paths, directory, ordinary=ordinary) for ordinary in (False, True))
    return HostFacts(
        root=paths.root,
        is_root=os.geteuid() == 0,
        is_systemd=_is_systemd(paths),
        systemd=_systemd_version(paths),
        active=_active(paths),
        cron=cron,
        tools=frozenset(tool for tool in TOOLS if _which(tool)),
        groups=frozenset((*places.GROUPS, places.BTMP_GROUP)) & numbers.keys(),
        reads_btmp=paths.is_own_host and _reads_btmp(paths, values, uid, numbers),
        is_in_utmp=numbers.get(places.BTMP_GROUP) in _memberships(paths),
        joining=tuple(path for path in places.SYSUSERS_FILES if _joins(paths, path)),
        leaving=() if paths.is_own_host else _leaving(paths, _ways(cron, directory)),
        uid=uid,
        gid=gid,
        directory=directory,
        why=why,
        is_default=directory == _default_directory(paths),
        entry=read_entry(paths, directory),
        real=_real(paths, directory),
        above=_above(paths, directory),
        is_in_memory=_is_in_memory(paths, directory),
        blind=blind or (),
        doubtful=doubtful or (),
        is_unsure=None in (blind, doubtful),
        run=read_entry(paths, places.RUN),
        linked=read_entry(paths, places.LINKED_OUTPUT),
        output=read_entry(paths, f"{directory}/{places.OUTPUT_NAME}"),
        is_output_ours=_is_ours(paths, f"{directory}/{places.OUTPUT_NAME}"),
        before=before,
        old_entry=read_entry(paths, old),
        old_output=read_entry(paths, f"{old}/{places.OUTPUT_NAME}"),
        state=read_entry(paths, places.STATE),
        present=frozenset(path for path in OWN if _is_there(paths, path)),
        settings=tuple(values.items()),
        setting_faults=tuple(map(str, faults)),
        given=given,
        exporters=exporters,
        is_selinux=paths.is_own_host and _is_enforcing(paths),
        prefix=prefix,
        prefixes=parse_words(record, PREFIX),
        links=tuple(read_entry(paths, path) for path in places.LINKS),
        missing=_missing(paths),
        made=parse_words(record, MADE),
        python=read_entry(paths, f"{prefix}/bin/python3"),
        to_python=_to_python(paths, prefix) if paths.is_own_host else (),
        is_environment=bool(archive) or sys.prefix != sys.base_prefix,
        archive=archive,
    )


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
            f"{places.SETTINGS} has {TEXTFILE_DIRECTORY}={setting}; run: {mend} {places.SETTINGS}",
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


def read_entry(paths: Paths, path: str) -> FoundEntry:
    """Return what ``path`` of the host is; '' is nothing."""
    try:
        if not path.startswith("/"):
            return FoundEntry(path)
        status = os.lstat(paths.below(path))
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), OTHER)
        target = os.readlink(paths.below(path)) if kind == LINK else ""
    except OSError:
        return FoundEntry(path)
    return FoundEntry(
        path, kind, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), target
    )


def parse_before(text: str, own: int) -> Before | None:
    """Return what the record of the textfile directory says, None where that is not a record.

    One that has our group, ``own``, was made when that had the directory already, and tells
    nothing of the rights before: they are taken to be as distributions have them.
    """
    for line in text.split("\n"):
        words = line.split(" ", 2)
        if len(words) == 3 and _is_whole(words[2]) and not line.startswith("#"):
            gid, mode, directory = words
            if gid.isdigit() and len(gid) < 11 and len(mode) == 4 and not mode.strip("01234567"):
                before = Before(directory, int(gid), int(mode, 8))
                return Before(directory, 0, 0o755) if before.gid == own else before
    return None


def parse_words(text: str, word: str) -> tuple[str, ...]:
    """Return the paths that the record has behind ``word``, PREFIX or MADE."""
    pairs = (line.partition(" ") for line in text.split("\n"))
    return tuple(path for name, _, path in pairs if name == word and _is_whole(path))


def _is_whole(path: str) -> bool:
    return path.startswith("/") and path == os.path.normpath(path) and path.isprintable()


def format_record(before: Before, prefixes: Iterable[str] = (), made: Iterable[str] = ()) -> str:
    """Return the text of the record, see parse_before() and parse_words()."""
    lines = (
        "# Of `textfile-users install`, for uninstall: group, mode and path of the textfile",
        "# directory as it was; where the program was put, and the directories made for its links.",
        f"{before.gid} {before.mode:04o} {before.directory}",
        *(f"{PREFIX} {path}" for path in prefixes),
        *(f"{MADE} {path}" for path in made),
    )
    return "".join(f"{line}\n" for line in lines)


def _read_record(paths: Paths) -> str:
    """Return the record, of root's alone, for root acts on what it says; '' where there is none."""
    path = paths.below(places.RECORD)
    try:
        paths.require_inside(path)
        if not all(_is_roots(os.lstat(part)) for part in (os.path.dirname(path), path)):
            return ""
        return read_regular(path, 1 << 16).decode()
    except (OSError, ValueError):
        return ""


def _reads_btmp(
    paths: Paths, values: Mapping[str, str], uid: int, numbers: Mapping[str, int]
) -> bool:
    """Return whether runs will read failures in btmp, for there is no log that they may read."""
    options = parse_collect(values.get(OPTIONS, "").split())
    if options.auth_source in ("auto", "journal") and journal_state(paths)[0] != ABSENT:
        return False
    gid = numbers.get(places.USER, NOBODY)
    groups = (gid, *(numbers[name] for name in places.GROUPS if name in numbers))
    identity = Identity(places.USER, uid if uid > 0 else NOBODY, gid, groups)
    is_asked = options.auth_source in ("auto", "files")
    logs = (options.auth_log or paths.auth_logs()) if is_asked else ()
    if any(os.path.exists(log) and not closed_part(log, READ, identity) for log in logs):
        return False
    return os.path.exists(options.btmp or paths.btmp())


def _memberships(paths: Paths) -> frozenset[int]:
    path = paths.below("/etc/group")
    try:
        paths.require_inside(path)
        return find_memberships(read_regular(path, MAX_BYTES), places.USER)
    except OSError:
        return frozenset()


def _joins(paths: Paths, path: str) -> bool:
    """Return whether a file of ours for systemd-sysusers puts our user into btmp's group."""
    try:
        paths.require_inside(paths.below(path))
        lines = read_regular(paths.below(path), MAX_BYTES).decode().splitlines()
    except (OSError, ValueError):
        return False
    return ["m", places.USER, places.BTMP_GROUP] in [line.split() for line in lines]


def _ways(cron: str, directory: str) -> tuple[str, ...]:
    """Return what is written, and by whose path something is."""
    own = (*OWN, places.PREFIX)
    above = {os.path.dirname(path) for path in own if path not in places.CRON_ENTRIES}
    return (*places.BY_TOOLS, *sorted(above), *filter(None, (cron, directory)))


def _leaving(paths: Paths, ways: tuple[str, ...]) -> tuple[str, ...]:
    """Return where on the ways the links are that lead out of the root."""
    parts = (path for way in ways for path in parts_of(way)[1:])
    found: list[str] = []
    for path in sorted(set(parts)):
        is_behind = any(path.startswith(f"{link}/") for link in found)
        if not is_behind and not _is_inside(paths, path):
            found.append(path)
    return tuple(found)


def _is_there(paths: Paths, path: str) -> bool:
    return _is_inside(paths, os.path.dirname(path)) and os.path.lexists(paths.below(path))


def _is_inside(paths: Paths, path: str) -> bool:
    try:
        paths.require_inside(paths.below(path))
    except OSError:
        return False
    return True


def _missing(paths: Paths) -> tuple[str, ...]:
    """Return the directories above our links that are not there, the upper ones first."""
    ways = [path.split("/") for path in places.LINKS]
    above = {"/".join(names[:count]) for names in ways for count in range(2, len(names))}
    return tuple(path for path in sorted(above) if not os.path.lexists(paths.below(path)))


def _is_roots(status: os.stat_result) -> bool:
    is_link = stat.S_ISLNK(status.st_mode)
    return status.st_uid in (0, os.geteuid()) and not (is_link or status.st_mode & 0o022)


def _above(paths: Paths, directory: str) -> tuple[FoundEntry, ...]:
    """Return what leads to ``directory``, from / on: its own path's, and that without links."""
    ways = []
    for path in (directory, _real(paths, directory)):
        names = path.strip("/").split("/")[:-1]
        ways += ["/" + "/".join(names[:count]) for count in range(len(names) + 1)]
    return tuple(read_entry(paths, way) for way in dict.fromkeys(ways))


def _real(paths: Paths, directory: str) -> str:
    """Return the host's own path of a directory without links on the way."""
    real = os.path.realpath(paths.below(directory))
    if paths.is_own_host:
        return real
    return real[len(paths.root) :] if _is_inside(paths, directory) else directory


def _blind(paths: Paths, directory: str, *, ordinary: bool) -> tuple[int, ...] | None:
    """Return what find_blind() does, None without an answer: of a dead mount there is none."""
    if not (paths.is_own_host and directory):
        return ()
    try:
        return tuple(
            in_child(lambda: find_blind(paths, directory, ordinary=ordinary), TOOL_SECONDS)
        )
    except (ChildFailed, OSError):
        return None


def _is_in_memory(paths: Paths, directory: str) -> bool:
    """Return whether a directory is on a tmpfs; of an image what is below /run will be."""
    if not paths.is_own_host:
        return f"{_real(paths, directory)}/".startswith("/run/")
    try:
        device = os.stat(directory).st_dev
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    # See proc(5): the device is the third field, the type follows the hyphen.
    with open("/proc/self/mountinfo", "rb") as file:
        mounts = [line.split() for line in file]
    kinds = (one[one.index(b"-") + 1] for one in mounts if one[2] == number)
    return next(kinds, b"") in (b"tmpfs", b"ramfs")


def _default_directory(paths: Paths) -> str:
    return next((path for path in TEXTFILE_DIRECTORIES if os.path.isdir(paths.below(path))), "")


def _is_systemd(paths: Paths) -> bool:
    """Return whether systemd runs the host, or would run it where it is an image."""
    if paths.is_own_host:
        return os.path.isdir("/run/systemd/system")  # as sd_booted(3) has it
    return any(
        os.path.lexists(paths.below(f"{directory}/lib/systemd/systemd"))
        for directory in ("", "/usr")
    )


def _systemd_version(paths: Paths) -> int:
    """Return the version of the systemd that runs, one that knows all where none does."""
    said = _ask("systemctl", "--version") if _is_running_systemd(paths) else ""
    match = re.match(r"systemd (\d+)", said)
    return int(match[1]) if match else SYSTEMD_OF_IMAGES


def _active(paths: Paths) -> tuple[str, ...]:
    """Return those of our timer and path unit that run."""
    if not _is_running_systemd(paths):
        return ()
    return tuple(name for name in places.STARTERS if _ask("systemctl", "is-active", name) == ACTIVE)


def _is_running_systemd(paths: Paths) -> bool:
    return paths.is_own_host and _is_systemd(paths)


def _ask(*words: str) -> str:
    """Return what a command prints, '' where it fails or cannot be run."""
    try:
        return run_tool(list(words), TOOL_SECONDS)
    except ChildFailed:
        return ""


def _is_ours(paths: Paths, path: str) -> bool:
    """Return whether the file holds what this program writes."""
    try:
        paths.require_inside(paths.below(path))
        return b"\nusers_build_info{" in read_regular(paths.below(path), MAX_OUTPUT)
    except OSError:
        return False


def _cron(paths: Paths) -> str:
    """Return the directory for cron's entry, '' where there is no cron."""
    for name in CRON_DAEMONS:
        path = paths.below("/" + name)
        if os.path.lexists(path):
            if "busybox" in os.path.realpath(path):
                return next((d for d in places.CRONTABS if os.path.isdir(paths.below(d))), "")
            return places.CRON_D if os.path.isdir(paths.below(places.CRON_D)) else ""
    return ""


def _which(tool: str) -> bool:
    return shutil.which(tool, path=SEARCH) is not None


def _is_enforcing(paths: Paths) -> bool:
    try:
        return read_regular(paths.sys("fs/selinux/enforce"), 16).strip() == b"1"
    except OSError:
        return False


def _to_python(paths: Paths, prefix: str) -> tuple[FoundEntry, ...]:
    real = os.path.realpath(sys.executable)
    ways = (*_above(paths, f"{prefix}/bin/python3"), *_above(paths, real))
    return (*dict.fromkeys(ways), read_entry(paths, real))


def _prefix(paths: Paths) -> str:
    """Return the environment that the program is in, as the host has it."""
    if running_archive():
        return places.PREFIX
    inside = paths.root.rstrip("/") + "/"
    if not paths.is_own_host and sys.prefix.startswith(inside):
        return "/" + sys.prefix[len(inside) :]
    return sys.prefix


def share_directory() -> str:
    """Return where units and cron entries lie: the checkout, or the environment's share."""
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if os.path.isdir(os.path.join(checkout, "systemd-timer")):
        return checkout
    return os.path.join(sysconfig.get_path("data"), "share/textfile-users")


def share_files() -> dict[str, bytes]:
    """Return units and cron entries by name, as ``cron/textfile-users``. Raises OSError."""
    found = {}
    archive = running_archive()
    if archive:
        from zipfile import ZipFile

        above = "share/textfile-users/"
        with ZipFile(archive) as file:
            for name in file.namelist():
                if name.startswith(above) and not name.endswith("/"):
                    found[name[len(above) :]] = file.read(name)
        return found
    share = share_directory()
    for directory in ("systemd-timer", "cron"):
        for name in sorted(os.listdir(os.path.join(share, directory))):
            found[f"{directory}/{name}"] = read_regular(
                os.path.join(share, directory, name), 1 << 20
            )
    return found
