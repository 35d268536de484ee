"""Opening files that others may have put there."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import closing as closing
else:

    class closing:  # noqa: N801 - contextlib's own, whose import costs a tenth of a run
        """Gives a thing to a with block, and closes it at its end."""

        def __init__(self, thing):
            """Take what is to be closed."""
            self._thing = thing

        def __enter__(self):
            return self._thing

        def __exit__(self, *_):
            self._thing.close()


class UnreadableDatabase(Exception):
    """A database cannot be read; the message says why in a few words, without its name."""


def open_regular(path: str) -> int:
    """Return a descriptor of the regular file ``path``, opened for reading.

    Never blocks and never opens a FIFO, device, directory or socket. A link is followed
    only where nobody but root or this process's user can write to its directory. Raises OSError.
    """
    status = os.lstat(path)
    follow = stat.S_ISLNK(status.st_mode) and _is_private(os.path.dirname(path) or ".")
    if follow:
        status = os.stat(path)
    _require_regular(status, path)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _require_regular(os.fstat(descriptor), path)  # it may have been replaced meanwhile
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_regular(path: str, limit: int) -> bytes:
    """Return the bytes of the regular file ``path``, of which there are at most ``limit``.

    Raises OSError as open_regular does, with EFBIG where the file is longer.
    """
    descriptor = open_regular(path)
    try:
        # One byte more than there is, so that less than asked for is the file's end.
        size = min(os.fstat(descriptor).st_size, limit) + 1
        data = os.read(descriptor, size)
        while len(data) >= size:
            if len(data) > limit:
                raise OSError(errno.EFBIG, f"longer than {limit} bytes", path)
            size = limit + 1  # it has grown
            data += os.read(descriptor, size - len(data))
        return data
    finally:
        os.close(descriptor)


def reason(error: OSError) -> str:
    """Return what went wrong in a few words, for a message that names the file itself."""
    return error.strerror.lower() if error.strerror else type(error).__name__


def _is_private(directory: str) -> bool:
    status = os.stat(directory)
    is_ours = status.st_uid in (0, os.geteuid())
    return is_ours and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _require_regular(status: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory, not a file", path)
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "is a link in a directory where others can write", path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", path)
