"""Reading a log or a file of records as it is, while others write to it, or rotate it."""

from __future__ import annotations

import errno
import os

from textfile_users.reading.files import open_regular
from textfile_users.reading.lines import BLOCK, MAX_LINE, behind_last_end
from textfile_users.reading.position import Position
from textfile_users.record import Record

MARK = 256  # bytes at either end of what has been read, by which a file is known again
# Two texts have the same remainder only if this prime, the first from e * 2^94, divides their
# difference: no library to import, and no accident as with the 32 bits of a checksum.
_PRIME = 0xADF85458A2BB4A9AAFDC563D
# What since() reads in each place, and how far it steps back for lines out of order.
PROBE = 2 * MAX_LINE


class FollowedFile(Record):
    """The file at the path itself, or a rotated one, whose name goes on with ``suffix``."""

    path: str
    suffix: str
    compression: str
    inode: int


class Changed(Exception):
    """The files are not, or no longer, as they were taken to be."""


class Unreadable(Exception):
    """A rotated file, or the rest of it, cannot be read, and a later run could not either."""


# Faults of the file itself; with others (EMFILE, ENOMEM) a later run finds what this one cannot.
_LASTING = (
    errno.EACCES, errno.EPERM, errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EIO,
)  # fmt: skip


def mark(data: bytes) -> str:
    """Return what ``data`` is known again by, '' for nothing."""
    return f"{int.from_bytes(data, 'big') % _PRIME:x}" if data else ""


def _fault(file: FollowedFile, error: OSError) -> Exception:
    """Return what a fault of reading means: a rotated file can be done without."""
    if file.suffix and error.errno in _LASTING:
        return Unreadable()
    return OSError(error.errno, error.strerror, file.path)


def descriptor_of(file: FollowedFile) -> int:
    """Return the open file. Raises OSError, Unreadable, Changed where it is another by now."""
    try:
        descriptor = open_regular(file.path)
    except (FileNotFoundError, NotADirectoryError):
        raise Changed from None
    except OSError as error:
        raise _fault(file, error) from error
    if os.fstat(descriptor).st_ino != file.inode:
        os.close(descriptor)
        raise Changed
    return descriptor


class Plain:
    """Reads a file as it is; it may be emptied or replaced at any time.

    Its methods raise OSError, Unreadable, and Changed where that has happened.
    """

    def __init__(self, file: FollowedFile) -> None:
        """Open it."""
        self.file = file
        self.stream = os.fdopen(descriptor_of(file), "rb", 0)
        self.close = self.stream.close  # does nothing the second time

    def status(self) -> os.stat_result:
        """Return what fstat(2) says."""
        return os.fstat(self.stream.fileno())

    def has_content(self) -> bool:
        """Return whether there is anything."""
        return self.status().st_size > 0

    def read(self, position: Position, size: int) -> tuple[bytes, bytes, bool]:
        """Return up to MARK bytes before the position, a block behind it, and if that ends at size.

        The content before is compared with the position's marks each time, read together
        with the block, so that no rotation comes in between.
        """
        marked = min(position.offset, MARK)
        count = min(BLOCK, size - position.offset)
        data = self._bytes_at(position.offset - marked, marked + count) if count >= 0 else b""
        before = data[:marked]
        head = self._bytes_at(0, MARK) if position.offset > MARK else before
        fits = (mark(head), mark(before)) == (position.head, position.tail)
        if not fits or len(data) < marked + count:
            raise Changed
        return before, data[marked:], position.offset + count == size

    def fits(self, position: Position) -> bool:
        """Return whether the content before the position is what its marks say."""
        try:
            self.read(position, position.offset)
        except (Unreadable, Changed):
            return False
        return True

    def beginning(self, count: int) -> bytes:
        """Return so many bytes of the content, less where there are not so many."""
        return self._bytes_at(0, count)

    def ends(self, offset: int) -> tuple[bytes, bytes]:
        """Return the first and the last min(offset, MARK) bytes before the offset."""
        count = min(offset, MARK)
        return self._bytes_at(0, count), self._bytes_at(offset - count, count)

    def position(self, offset: int, skipping: bool = False) -> Position:
        """Return the position at an offset."""
        head, tail = self.ends(offset)
        if len(tail) < min(offset, MARK):
            raise Changed
        return Position(self.file.inode, offset, mark(head), mark(tail), skipping, "")

    def end(self, unit: int, superseded: bool) -> Position:
        """Return the position behind all that can be consumed now."""
        size = self.status().st_size
        if superseded:
            return self.position(size)
        if unit:
            return self.position(size - size % unit)
        start = max(0, size - MAX_LINE - 1)
        cut = behind_last_end(self._bytes_at(start, size - start))
        if cut or not start:
            return self.position(start + cut)
        return self.position(size, skipping=True)

    def probe(self, offset: int) -> bytes:
        """Return some bytes at the offset, or behind the hole that is there (lseek(2))."""
        try:
            offset = os.lseek(self.stream.fileno(), offset, os.SEEK_DATA)
        except OSError:
            return b""  # nothing but a hole up to the end
        return self._bytes_at(offset, PROBE)

    def _bytes_at(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self.stream.fileno(), count, offset)
        except OSError as error:
            raise _fault(self.file, error) from error
