"""What the kernel accounts to each user's slice; opt-in (`--collectors +slices`)."""

from __future__ import annotations

import errno
import os
import time

from textfile_users.accounts.account import name_of
from textfile_users.accounts.passwd import MAX_UID
from textfile_users.collecting import (
    ABSENT,
    BROKEN,
    DENIED,
    MAX_USERS,
    OK,
    SlicesFound,
    SourceReport,
    reports_of,
)
from textfile_users.reading.files import reason
from textfile_users.reading.text import is_number
from textfile_users.record import Record
from textfile_users.slices.figures import VERSION_1, VERSION_2, Hierarchy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from textfile_users.accounts.account import Known
    from textfile_users.collecting import Scan
    from textfile_users.paths import Paths
    from textfile_users.slices.figures import CgroupFile

    Figures = Mapping[tuple[str, ...], float]

MAX_SLICES = 10_000
MAX_BYTES = 64 << 10  # io.stat has a line for each device
PAGE = 4096
# Below another root anybody may have put there links and FIFOs.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
# The slice is gone, its controller is off, or the kernel counts no pressure (psi=0).
NOT_THERE = (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP)


class Slices(Record):
    """The slices that were read: figures by uid, -1 for all users' together.

    ``unreadable`` has by a file's name why it could not be read, ``damaged`` is how many files
    were not understood.
    """

    figures: dict[int, Figures]
    unreadable: dict[str, OSError]
    damaged: int = 0


def collect_slices(scan: Scan, known: Known, deadline: float) -> Iterator[SlicesFound]:
    """Find the figures of each user's slice, or of user.slice where only sums are wanted.

    Where time.monotonic() passes ``deadline`` before all are read, none are known. Raises nothing.
    """
    trees, unreadable = _find_trees(scan.paths)
    uids, dropped = [-1], 0
    if not scan.wanted.summed:  # a sum whose members come and go is no counter
        found = sorted({uid for tree in trees for uid in tree.uids})
        uids = _kept(trees[0].hierarchy, found, deadline) if trees else []
        dropped = len(found) - len(uids)
    slices = read_slice_figures([tree.hierarchy for tree in trees], uids, deadline)
    if slices is None:
        fault = "slices: not all were read in time"
        yield SlicesFound(reports_of(SourceReport("slices", BROKEN, (fault,))))
        return
    unreadable.update(slices.unreadable)
    by_user: dict[str, Figures] = {}
    for uid, figures in slices.figures.items():
        by_user.setdefault(name_of(uid, known) if uid >= 0 else "", figures)
    report = _report(bool(trees), unreadable, slices.damaged)
    yield SlicesFound(reports_of(report), by_user if trees else None, dropped)


class Tree(Record):
    """A hierarchy that is there, its directory below the root, and the uids of its slices."""

    hierarchy: Hierarchy
    uids: Collection[int]


def _find_trees(paths: Paths) -> tuple[list[Tree], dict[str, OSError]]:
    """Return the hierarchies that are there, and by name why one of them cannot be read."""
    found, unreadable = [], {}
    for hierarchy in (VERSION_2, *VERSION_1):
        path = paths.sys(hierarchy.directory)
        try:
            paths.require_inside(path)
            names = os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unreadable[path] = error
            continue
        found.append(Tree(hierarchy._replace(directory=path), parse_names(names)))
        if hierarchy is VERSION_2:
            break
    return found, unreadable


def parse_names(names: Iterable[str]) -> list[int]:
    """Return the uids of users' slices among the names of cgroups, see systemd.slice(5).

    A name that systemd does not write is none: not `user-01000.slice`, and no name in it.
    """
    uids = []
    for name in names:
        uid = name[5:-6]
        if name == f"user-{uid}.slice" and is_number(uid) and str(int(uid)) == uid:
            uids.append(int(uid))
    return [uid for uid in uids if uid <= MAX_UID]


def _kept(first: Hierarchy, uids: list[int], deadline: float) -> list[int]:
    """Return those of ``uids`` that are read: of too many root's and those with most memory.

    ``first`` has the memory. Of more than 10,000 the highest uids are left out first.
    """
    if len(uids) <= MAX_USERS:
        return uids
    memory = dict.fromkeys(uids[:MAX_SLICES], 0.0)
    first = first._replace(files=first.files[:1])
    slices = read_slice_figures([first], memory, deadline)
    for uid, figures in slices.figures.items() if slices else ():
        memory[uid] = sum(figures.values())
    ranked = sorted(memory, key=lambda uid: (uid != 0, -memory[uid]))
    return sorted(ranked[:MAX_USERS])


def read_slice_figures(
    hierarchies: Sequence[Hierarchy], uids: Iterable[int], deadline: float
) -> Slices | None:
    """Return the figures of ``uids``, without slices that are gone; None past ``deadline``.

    The hierarchies' directories are opened as they are. Raises nothing.
    """
    slices = Slices({}, {})
    damaged = 0
    for uid in uids:
        if time.monotonic() > deadline:
            return None
        figures: dict[tuple[str, ...], float] = {}
        for path, files in hierarchies:
            name = f"{path}/user-{uid}.slice" if uid >= 0 else path
            try:
                directory = os.open(name, FLAGS | os.O_DIRECTORY)
            except OSError as error:
                if error.errno not in NOT_THERE:
                    slices.unreadable["user-UID.slice"] = error
                continue
            try:
                damaged += _read_figures(directory, files, figures, slices.unreadable)
            finally:
                os.close(directory)
        if figures:
            slices.figures[uid] = figures
    return slices._replace(damaged=damaged)


def _read_figures(
    directory: int,
    files: Iterable[CgroupFile],
    figures: dict[tuple[str, ...], float],
    unreadable: dict[str, OSError],
) -> int:
    """Add to ``figures``, and to ``unreadable`` by name; return how many files are damaged."""
    damaged = 0
    for name, parse, second in files:
        try:
            data = _read(directory, name)
            if second:
                data += b" " + _read(directory, second)
            figures.update(parse(data))
        except OSError as error:
            if error.errno not in NOT_THERE:
                unreadable[name] = error
        except ValueError:
            damaged += 1
    return damaged


def _read(directory: int, name: str) -> bytes:
    """Return what is in a file, at most 64 KiB. Raises OSError."""
    descriptor = os.open(name, FLAGS, dir_fd=directory)
    try:
        data = os.read(descriptor, PAGE)
        if len(data) == PAGE:
            data += os.read(descriptor, MAX_BYTES)
        return data
    finally:
        os.close(descriptor)


def _report(is_there: bool, unreadable: Mapping[str, OSError], damaged: int) -> SourceReport:
    """Return the source's report; its faults have no uid, which would tell who is on."""
    faults = tuple(f"slices: {name}: {reason(error)}" for name, error in unreadable.items())
    status = OK if is_there else ABSENT
    if unreadable:
        is_denied = all(isinstance(error, PermissionError) for error in unreadable.values())
        status = DENIED if is_denied else BROKEN
    return SourceReport("slices", status, faults, (("damaged", damaged),))
