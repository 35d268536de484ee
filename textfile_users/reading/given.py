"""Files that people name: read as they are, or decompressed, whatever their names."""

from __future__ import annotations

from textfile_users.reading.compressed import decompress
from textfile_users.reading.files import open_regular, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedReader

    Blocks = Generator[bytes, None, None]

STDIN = "-"
# How compressed files begin (RFC 1952, RFC 8878, bzip2, xz): no log and no record begins so.
_COMPRESSED = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
)


class UnreadableError(Exception):
    """A file cannot be read, or is another thing; an error of stdout is not meant."""


def blocks(path: str, size: int) -> Blocks:
    """Yield the bytes of a file, decompressed, ``size`` at once; less only at its end.

    ``-`` is standard input. Raises UnreadableError with the reason.
    """
    try:
        with _open(path) as file:
            beginning = file.peek(8)
            for magic, compression in _COMPRESSED:
                if beginning.startswith(magic):
                    yield from _decompressed(file, compression, size)
                    return
            # What is short is the last: a terminal would wait for more behind its end.
            data = file.read(size) if beginning else b""
            while data:
                yield data
                data = file.read(size) if len(data) == size else b""
    except OSError as error:
        raise UnreadableError(reason(error)) from error


def _open(path: str) -> BufferedReader:
    if path == STDIN:
        return open(0, "rb", closefd=False)
    return open(open_regular(path), "rb")


def _decompressed(file: BufferedReader, compression: str, size: int) -> Blocks:
    """Yield what was compressed. What comes before damage is yielded, then the damage raised."""
    try:
        stream, faults = decompress(file, compression)
    except ImportError as error:
        raise UnreadableError(f"is compressed, and this Python has {error}") from None
    fault = None
    data = b""
    try:
        while part := stream.read1(size - len(data)):
            data += part
            if len(data) == size:
                yield data
                data = b""
    except faults:
        fault = UnreadableError(f"is compressed ({compression}), and damaged or cut short")
    if data:
        yield data
    if fault:
        raise fault
