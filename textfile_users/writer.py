"""Puts a finished file in place: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import errno
import os
import stat

# A run ends within seconds: an older temporary file was left by one that was killed.
LEFTOVER_SECONDS = 60.0


def write_whole(path: str, data: bytes, mode: int) -> None:
    """Replace the file ``path`` by one with the content ``data`` and the permissions ``mode``.

    The temporary file lies in the same directory, has a name that nobody can foresee and
    that does not end in .prom, and is removed on failure. Raises OSError; the old file is
    then untouched. Not synced: an SD card is a target, and the next run writes it again.
    """
    _require_replaceable(path)
    directory, name = os.path.split(path)
    directory = directory or "."
    temporary = os.path.join(directory, f".{name}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            _remove_leftovers(directory, f".{name}.", os.fstat(descriptor).st_mtime)
            _write_all(descriptor, data)
            os.fchmod(descriptor, mode)  # whatever the umask
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _require_replaceable(path: str) -> None:
    """Raise OSError where ``path`` is a device, FIFO or directory: a rename would replace it."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError(errno.EEXIST, "something that is no regular file has its name", path)


def _remove_leftovers(directory: str, prefix: str, now: float) -> None:
    try:
        with os.scandir(directory) as entries:
            leftovers = [e for e in entries if e.name.startswith(prefix) and e.name[-4:] == ".tmp"]
    except OSError:
        return  # it may be written, but not listed
    for entry in leftovers:
        try:
            if now - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_SECONDS:
                os.unlink(entry.path)
        except OSError:
            continue  # another's, or another run removed it
