"""What install has changed: its record, which uninstall goes by."""

from __future__ import annotations

import os
import stat

from textfile_users import product as places
from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular
from textfile_users.record import Record
from textfile_users.setup.entry import others_can_write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# The words of the record that are followed by a path.
PREFIX = "prefix"
MADE = "made"


class Before(Record):
    """What the textfile directory ``directory`` was before install changed it."""

    directory: str
    gid: int
    mode: int


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


def read_record(paths: Paths) -> str:
    """Return the record, of root's alone, for root acts on what it says; '' where there is none."""
    path = paths.below(places.RECORD)
    try:
        paths.require_inside(path)
        if not all(is_roots_own(os.lstat(part)) for part in (os.path.dirname(path), path)):
            return ""
        return read_regular(path, 1 << 16).decode()
    except (OSError, ValueError):
        return ""


def is_roots_own(status: os.stat_result) -> bool:
    """Return whether root alone may write what has this status."""
    is_link = stat.S_ISLNK(status.st_mode)
    return not (is_link or others_can_write(status, 0, os.geteuid()))
