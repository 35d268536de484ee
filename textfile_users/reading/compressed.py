"""Reading a rotated file that was compressed, as what it was."""

from __future__ import annotations

import os

from textfile_users.reading.lines import BLOCK
from textfile_users.reading.plain import (
    MARK,
    PROBE,
    FollowedFile,
    Plain,
    Unreadable,
    descriptor_of,
    mark,
)
from textfile_users.reading.position import Position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedIOBase, BufferedReader
    from typing import Union

    Reader = Union[Plain, "Compressed"]

# What a quarter of a second suffices to decompress, in bytes of the content.
RESUMED = {"gz": 64 << 20, "xz": 24 << 20, "bz2": 8 << 20}
COMPRESSIONS = (*RESUMED, "zst")
# The offset behind all of a compressed file that is longer.
_ITS_END = 1 << 62


def open_file(file: FollowedFile) -> Reader:
    """Return the file's reader. Raises OSError, Unreadable, Changed where it is another by now."""
    return Compressed(file) if file.compression else Plain(file)


class Compressed:
    """Reads a compressed file as what it was, once from its beginning, in bounded memory.

    Raises Unreadable where it cannot be decompressed here, OSError, and Changed where it is
    another by now.
    """

    def __init__(self, file: FollowedFile) -> None:
        """Open it."""
        self.file = file
        self.packed = os.fdopen(descriptor_of(file), "rb")
        self.close = self.packed.close  # does nothing the second time
        self.offset = 0  # of `data` in the content
        self.before = b""
        self.data = b""
        self.is_damaged = False
        self.is_far = False
        try:
            self.stream, self.faults = decompress(self.packed, file.compression)
        except ImportError:
            self.close()
            raise Unreadable from None

    def status(self) -> os.stat_result:
        """Return what fstat(2) says of the compressed file."""
        return os.fstat(self.packed.fileno())

    def has_content(self) -> bool:
        """Return whether there is anything, if only damage."""
        return bool(self.offset or self.data or self._more(1) or self.is_damaged)

    def read(self, position: Position, size: int) -> tuple[bytes, bytes, bool]:  # noqa: ARG002
        """Return what Plain.read does; the position is in what the last call returned.

        It ends where the file does. Raises Unreadable where the rest is damaged, or too far.
        """
        if self.is_far:
            if position.offset in (_ITS_END, self._length()):
                return b"", b"", True
            raise Unreadable
        done = position.offset - self.offset
        self.before = (self.before + self.data[:done])[-MARK:]
        self.data = self.data[done:]
        self.offset = position.offset
        more = self._more(BLOCK - len(self.data))
        if self.is_damaged and not more:
            raise Unreadable
        self.data += more
        return self.before, self.data, len(self.data) < BLOCK and not self.is_damaged

    def fits(self, position: Position) -> bool:
        """Return whether the content before the position is what its marks say; go there."""
        head = tail = self._more(min(position.offset, MARK))
        if mark(head) != position.head:
            return False
        self.is_far = position.offset > RESUMED[self.file.compression]
        if self.is_far:  # the beginning has to do
            return True
        self.offset = len(head)
        while self.offset < position.offset:
            data = self._more(min(BLOCK, position.offset - self.offset))
            if not data:
                return False
            self.offset += len(data)
            tail = (tail + data[-MARK:])[-MARK:]
        self.before = tail
        return mark(tail) == position.tail

    def end(self, unit: int, superseded: bool) -> Position:  # noqa: ARG002
        """Return the position behind all of it: what has begun in it will not be continued."""
        head = tail = self._more(MARK)
        self.offset = len(head)
        while data := self._more(BLOCK):
            self.offset += len(data)
            tail = (tail + data[-MARK:])[-MARK:]
            if self.offset > RESUMED[self.file.compression]:
                return Position(self.file.inode, _ITS_END, mark(head), "", False, "")
        return Position(self.file.inode, self.offset, mark(head), mark(tail), False, "")

    def probe(self, offset: int) -> bytes:  # noqa: ARG002
        """Return some bytes from the beginning; to be asked before anything is read."""
        self.data += self._more(PROBE - len(self.data))
        return self.data

    def beginning(self, count: int) -> bytes:
        """Return what Plain.beginning does; to be asked before anything is read."""
        return self._more(count)

    def _length(self) -> int:
        """Return the length of the content where the file's end tells it, else -1.

        gzip's does, modulo 4 GiB, for what was compressed at once.
        """
        if self.file.compression != "gz":
            return -1
        return int.from_bytes(
            os.pread(self.packed.fileno(), 4, self.status().st_size - 4), "little"
        )

    def _more(self, count: int) -> bytes:
        """Return the next bytes, less at the end or before damage, which is remembered."""
        parts = []
        try:
            while count > 0 and not self.is_damaged:
                part = self.stream.read1(count)
                if not part:
                    break
                parts.append(part)
                count -= len(part)
        except self.faults:
            self.is_damaged = True
        return b"".join(parts)


def decompress(
    file: BufferedReader, compression: str
) -> tuple[BufferedIOBase, tuple[type[Exception], ...]]:
    """Return the stream of what was compressed, and how it fails. Raises ImportError."""
    faults = (OSError, EOFError, MemoryError)
    if compression == "gz":
        import gzip
        import zlib

        return gzip.GzipFile(fileobj=file), (*faults, zlib.error)
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(file), faults
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(file), (*faults, lzma.LZMAError)
    raise ImportError(f"no library for {compression}")
