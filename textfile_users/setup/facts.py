"""The host as `install` finds it: read once, before anything is decided or changed."""

from __future__ import annotations

import os
import sys

from textfile_users import product as places
from textfile_users.accounts.passwd import MAX_BYTES, find_memberships, read_numbers
from textfile_users.auth.journal_files import journal_state
from textfile_users.collecting import ABSENT
from textfile_users.parsers import parse_collect
from textfile_users.paths import TEXTFILE_DIRECTORIES, Paths
from textfile_users.record import Record
from textfile_users.setup.checks.access import READ, closed_part, parts_of
from textfile_users.setup.checks.child import ChildFailed, Identity, in_child
from textfile_users.setup.entry import FoundEntry, read_entry
from textfile_users.setup.fixes import has
from textfile_users.setup.giving import read_ids
from textfile_users.setup.install_record import (
    MADE,
    PREFIX,
    Before,
    parse_before,
    parse_words,
    read_record,
)
from textfile_users.setup.node_exporter import (
    NOBODY,
    NodeExporter,
    choose_directory,
    find_blind,
    find_node_exporters,
)
from textfile_users.setup.settings import OPTIONS, TEXTFILE_DIRECTORY, read_settings
from textfile_users.setup.system import (
    SYSTEMD_OF_IMAGES,
    TOOL_SECONDS,
    TOOLS,
    active_units,
    cron_directory,
    has_systemd,
    is_enforcing,
    is_systemd,
    read_inside,
    systemd_version,
)
from textfile_users.setup.unpack import running_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_OUTPUT = 64 << 20


OWN = (
    *places.UNIT_FILES,
    places.PTRACE,
    *places.CRON_ENTRIES,
    *places.OTHER_FILES,
    *places.OWN_TREES,
    places.DROP_INS,
    places.PUBLIC,
    places.REDACT_KEY,
    places.TIMER_DROP_INS,
    places.ENABLED,
    places.PACKAGED,
)


class HostFacts(Record):
    """A host. Paths in it are the host's own, without ``root``.

    ``is_booted`` is whether systemd runs it. ``reads_btmp`` is whether btmp is there, but neither a
    journal nor a log that our user may read.
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
    is_booted: bool = True
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

    @property
    def is_packaged(self) -> bool:
        """Whether this program is a package's."""
        return self.prefix == places.PACKAGE

    @property
    def awaits_boot(self) -> bool:
        """Whether a package is installed while an image is made, which systemd will run."""
        return self.is_packaged and self.is_running and self.is_systemd and not self.is_booted


def read_facts(root: str, given: str) -> HostFacts:
    """Return what there is below ``root``; ``given`` is the textfile directory asked for, ''."""
    paths = Paths(os.path.realpath(root))
    values, faults = read_settings(paths)
    exporters = find_node_exporters(paths) if paths.is_own_host else ()
    setting = values.get(TEXTFILE_DIRECTORY, "")
    directory, why = choose_directory(given, setting, exporters, _default_directory(paths))
    record = read_record(paths)
    uid, gid = read_ids(paths)
    before = parse_before(record, gid)
    cron = cron_directory(paths)
    return HostFacts(
        root=paths.root,
        is_root=os.geteuid() == 0,
        cron=cron,
        leaving=() if paths.is_own_host else _leaving(paths, _ways(cron, directory)),
        uid=uid,
        gid=gid,
        why=why,
        before=before,
        run=read_entry(paths, places.RUN),
        linked=read_entry(paths, places.LINKED_OUTPUT),
        state=read_entry(paths, places.STATE),
        present=frozenset(path for path in OWN if _is_there(paths, path)),
        settings=tuple(values.items()),
        setting_faults=tuple(map(str, faults)),
        given=given,
        exporters=exporters,
        **_system(paths),
        **_groups(paths, values, uid),
        **_directory(paths, directory, before.directory if before else ""),
        **_program(paths, record),
    )


def _system(paths: Paths) -> dict[str, Any]:
    return {
        # A package may be installed while an image is made: systemd runs later.
        "is_systemd": is_systemd(paths)
        or (_prefix(paths) == places.PACKAGE and has_systemd(paths)),
        "is_booted": is_systemd(paths) and paths.is_own_host,
        "systemd": systemd_version(paths),
        "active": active_units(paths),
        "tools": frozenset(tool for tool in TOOLS if has(tool)),
        "is_selinux": paths.is_own_host and is_enforcing(paths),
    }


def _groups(paths: Paths, values: Mapping[str, str], uid: int) -> dict[str, Any]:
    numbers = read_numbers(paths, "/etc/group")
    return {
        "groups": frozenset((*places.GROUPS, places.BTMP_GROUP)) & numbers.keys(),
        "reads_btmp": paths.is_own_host and _reads_btmp(paths, values, uid, numbers),
        "is_in_utmp": numbers.get(places.BTMP_GROUP) in _memberships(paths),
        "joining": tuple(path for path in places.SYSUSERS_FILES if _joins(paths, path)),
    }


def _directory(paths: Paths, directory: str, old: str) -> dict[str, Any]:
    """Return what is of the textfile directory, and of the ``old`` one."""
    blind, doubtful = (_blind(paths, directory, ordinary=ordinary) for ordinary in (False, True))
    output = f"{directory}/{places.OUTPUT_NAME}"
    return {
        "directory": directory,
        "is_default": directory == _default_directory(paths),
        "entry": read_entry(paths, directory),
        "real": _real(paths, directory),
        "above": _above(paths, directory),
        "is_in_memory": _is_in_memory(paths, directory),
        "blind": blind or (),
        "doubtful": doubtful or (),
        "is_unsure": None in (blind, doubtful),
        "output": read_entry(paths, output),
        "is_output_ours": _is_ours(paths, output),
        "old_entry": read_entry(paths, old),
        "old_output": read_entry(paths, f"{old}/{places.OUTPUT_NAME}"),
    }


def _program(paths: Paths, record: str) -> dict[str, Any]:
    """Return where the program is, or will be, and what leads to it."""
    prefix, archive = _prefix(paths), running_archive()
    return {
        "prefix": prefix,
        "prefixes": parse_words(record, PREFIX),
        "links": tuple(read_entry(paths, path) for path in places.LINKS),
        "missing": _missing(paths),
        "made": parse_words(record, MADE),
        "python": read_entry(paths, f"{prefix}/bin/python3"),
        "to_python": _to_python(paths, prefix) if paths.is_own_host else (),
        "is_environment": bool(archive) or sys.prefix != sys.base_prefix,
        "archive": archive,
    }


def _reads_btmp(
    paths: Paths, values: Mapping[str, str], uid: int, numbers: Mapping[str, int]
) -> bool:
    """Return whether runs will read failures in btmp, for there is no log that they may read."""
    options = parse_collect(values.get(OPTIONS, "").split())
    if options.auth_source in ("auto", "journal") and journal_state(paths)[0] != ABSENT:
        return False
    # Where our user and its group are not there yet, nobody stands for them.
    gid = numbers.get(places.USER, NOBODY)
    groups = (gid, *(numbers[name] for name in places.GROUPS if name in numbers))
    identity = Identity(places.USER, uid if uid > 0 else NOBODY, gid, groups)
    is_asked = options.auth_source in ("auto", "files")
    logs = (options.auth_log or paths.auth_logs()) if is_asked else ()
    if any(os.path.exists(log) and not closed_part(log, READ, identity) for log in logs):
        return False
    return os.path.exists(options.btmp or paths.btmp())


def _memberships(paths: Paths) -> frozenset[int]:
    try:
        return find_memberships(read_inside(paths, "/etc/group", MAX_BYTES), places.USER)
    except OSError:
        return frozenset()


def _joins(paths: Paths, path: str) -> bool:
    """Return whether a file of ours for systemd-sysusers puts our user into btmp's group."""
    try:
        lines = read_inside(paths, path, MAX_BYTES).decode().splitlines()
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
    above = {part for path in places.LINKS for part in parts_of(path)[1:-1]}
    return tuple(path for path in sorted(above) if not os.path.lexists(paths.below(path)))


def _above(paths: Paths, directory: str) -> tuple[FoundEntry, ...]:
    """Return what leads to ``directory``, from / on: its own path's, and that without links."""
    ways = (parts_of(path)[:-1] or ["/"] for path in (directory, _real(paths, directory)))
    parts = dict.fromkeys(part for way in ways for part in way)
    return tuple(read_entry(paths, part) for part in parts)


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
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return False  # an image is made without /proc
    kinds = (one[one.index(b"-") + 1] for one in mounts if one[2] == number)
    return next(kinds, b"") in (b"tmpfs", b"ramfs")


def _default_directory(paths: Paths) -> str:
    return next((path for path in TEXTFILE_DIRECTORIES if os.path.isdir(paths.below(path))), "")


def _is_ours(paths: Paths, path: str) -> bool:
    """Return whether the file holds what this program writes."""
    try:
        return b"\nusers_build_info{" in read_inside(paths, path, MAX_OUTPUT)
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
