"""Positions in files that are followed, and whether anything has changed, by stat(2) alone."""

from __future__ import annotations

import os
import time

from textfile_users.record import Record

# What changes with the database: itself, and what its writer has not yet put into it.
_FILES = ("", "-wal", "-journal")
# Two changes within one tick of the kernel's clock (10 ms at most) have the same time stamp.
_SETTLED_SECONDS = 1.0


class Position(Record):
    """Where reading goes on: in the file whose content before `offset` is known by its marks.

    ``inode`` is that of the file last read from; 0: none was, all that is there is new.
    ``offset`` counts bytes, of the decompressed content for a compressed file. ``head`` and
    ``tail`` are marks of the first and last min(offset, 256) bytes before it. ``skipping``:
    inside a line that is left out, up to its end. ``seen`` is empty, or what stat(2) said when
    all had been read: "INODE:SIZE:MTIME_NS" of the path (where that is missing, "0:0:" and its
    directory's time). Where that was empty, " ", the same, " " and what the name has behind
    the path's follows for each rotated file that may yet be written to. While all this holds,
    nothing is new. ``left`` has "LENGTH:MARK" of the beginning of each older file.
    """

    inode: int
    offset: int
    head: str
    tail: str
    skipping: bool
    seen: str
    left: str = ""


NOWHERE = Position(0, 0, "", "", False, "")


def is_at_rest(path: str, position: Position) -> bool:
    """Return whether nothing was appended to ``path`` behind ``position``, by stat(2) alone."""
    return position.seen != "" and position.seen == seen_now(path, position.seen)


def status_of(path: str) -> os.stat_result | None:
    """Return what stat(2) says, None where there is nothing. Raises OSError."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def stamp_of(status: os.stat_result) -> str:
    """Return what Position.seen says of a file."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def seen_now(path: str, seen: str = "") -> str:
    """Return what Position.seen would be now if it told of the same files as ``seen``."""
    status = status_of(path)
    directory = None if status else status_of(os.path.dirname(path) or ".")
    now = stamp_of(status) if status else f"0:0:{directory.st_mtime_ns if directory else 0}"
    for suffix in seen.split(" ")[2::2]:
        rotated = status_of(path + suffix)
        now += f" {stamp_of(rotated) if rotated else ''} {suffix}"
    return now


def signature(path: str) -> str:
    """Return a text that is another one after each change of the database ``path``.

    It is '' within a second of a change, since the next one might not show: '' stands for
    "read it again". Raises OSError where the database is missing.
    """
    real = real_path(path)
    parts = []
    changed = 0.0
    for suffix in _FILES:
        try:
            status = os.stat(real + suffix)
        except FileNotFoundError:
            if not suffix:
                raise
            parts.append("-")
            continue
        parts.append(stamp_of(status))
        changed = max(changed, status.st_mtime)
    return "" if abs(time.time() - changed) < _SETTLED_SECONDS else " ".join(parts)


def real_path(path: str) -> str:
    """Return the name of a file without links, beside which its journals lie.

    Below /proc/PID/root the text of links leads to another file, or to none: ``path`` itself.
    """
    real = os.path.realpath(path)
    try:
        is_same = os.path.samefile(real, path)
    except OSError:
        is_same = not os.path.exists(path)
    return real if is_same else path
