"""Which files a log or a file of records was rotated to, as logrotate(8) names them."""

from __future__ import annotations

import errno
import os

from textfile_users.reading.compressed import COMPRESSIONS
from textfile_users.reading.files import closing
from textfile_users.reading.plain import Changed, FollowedFile, Plain, Unreadable
from textfile_users.reading.position import status_of

MAX_ENTRIES = 100_000  # of the directory
ATTEMPTS = 10  # to find the files at rest; logrotate needs milliseconds


def files_of(path: str) -> list[FollowedFile]:
    """Return the rotated files, oldest first, and the path's own file last if it is there.

    A list made while files are renamed can lack one: two in a row that are equal do not.
    Raises Changed where there are none, OSError where the directory cannot be listed or the
    path's file not be reached: to take what is not known for gone would lose or double it.
    """
    before = None
    for _ in range(ATTEMPTS):
        files = _rotated(path)
        status = status_of(path)
        if status:
            files.append(FollowedFile(path, "", "", status.st_ino))
        if files == before:
            if len(files) > 1 and _is_copy(files[-2], files[-1]):
                del files[-2]
            return files
        before = files
    raise Changed


def _is_copy(rotated: FollowedFile, own: FollowedFile) -> bool:
    """Return whether copytruncate is copying the path's file and has not emptied it yet."""
    if own.suffix or rotated.compression:
        return False
    try:
        with closing(Plain(rotated)) as copy, closing(Plain(own)) as original:
            size = copy.status().st_size
            return size > 0 and copy.ends(size) == original.ends(size)
    except Unreadable:
        return False


def _rotated(path: str) -> list[FollowedFile]:
    """Return the rotated files, oldest first; none where there is no directory."""
    directory, name = os.path.split(path)
    found = {}
    times = {}
    for suffix, status in _suffixes(directory or ".", name):
        stem, compression = _split_suffix(suffix)
        # Both are there while one is compressed; the plain one comes first and is whole.
        if stem and stem not in found:
            found[stem] = FollowedFile(path + suffix, suffix, compression, status.st_ino)
            times[stem] = status.st_mtime_ns
    if len({_is_number(stem) for stem in found}) > 1:
        return [found[stem] for stem in sorted(found, key=times.__getitem__)]
    return [found[stem] for stem in sorted(found, key=_age)]


def _suffixes(directory: str, name: str) -> list[tuple[str, os.stat_result]]:
    """Return what the names of regular files have behind ``name``, sorted, and their status.

    Raises Changed where one is renamed meanwhile.
    """
    found = []
    try:
        with os.scandir(directory) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_ENTRIES:
                    raise OSError(errno.E2BIG, f"has more than {MAX_ENTRIES} names", directory)
                if entry.name.startswith(name) and entry.is_file(follow_symlinks=False):
                    found.append((entry.name[len(name) :], _entry_status(entry)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found)


def _entry_status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        raise Changed from None


def _split_suffix(suffix: str) -> tuple[str, str]:
    """Return a rotated file's number or date with what parts it, and its compression or ''.

    That is .1, -20260111, -2026-01-11, -20260111-1700 and the like; ('', '') for any other.
    """
    stem, _, compression = suffix.rpartition(".")
    if compression not in COMPRESSIONS:
        stem, compression = suffix, ""
    digits = _digits(stem)
    if not (stem[:1] in (".", "-") and digits.isascii() and digits.isdigit()):
        return "", ""
    is_age = _is_number(stem) or len(digits) >= len("YYYYMM")
    return (stem, compression) if is_age else ("", "")


def _digits(stem: str) -> str:
    return stem[1:].replace("-", "")


def _is_number(stem: str) -> bool:
    return stem[0] == "." and stem[1:].isdigit() and len(stem) < len(".YYYYMM")


def _age(stem: str) -> tuple[int, str]:
    """Return what sorts numbers, or dates: the older one first."""
    return (-int(stem[1:]), "") if _is_number(stem) else (0, _digits(stem))
