"""What a path of the host is, as lstat(2) has it."""

from __future__ import annotations

import os
import stat

from textfile_users.paths import Paths
from textfile_users.record import Record

DIRECTORY = "directory"
FILE = "file"
LINK = "link"
OTHER = "other"
_KINDS = {stat.S_IFDIR: DIRECTORY, stat.S_IFREG: FILE, stat.S_IFLNK: LINK}


class FoundEntry(Record):
    """A path as lstat(2) has it; ``kind`` is '' where nothing is there. ``target`` is a link's."""

    path: str
    kind: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0
    target: str = ""


def others_can_write(status: os.stat_result, *owners: int) -> bool:
    """Return whether others than ``owners``, root where none is given, can write what has it."""
    return status.st_uid not in (owners or (0,)) or bool(status.st_mode & 0o022)


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
