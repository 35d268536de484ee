"""Records as rows of text, for the state files, and back."""

from __future__ import annotations

from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Made = TypeVar("Made")

_READERS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": "True".__eq__,
}


def to_row(record: Iterable[object]) -> list[str]:
    """Return the fields of a record, which are texts, numbers and truth values, as text."""
    return [str(value) for value in record]


def from_row(kind: type[Made], texts: Iterable[str]) -> Made:
    """Return the record of type ``kind`` that to_row made ``texts`` of.

    Raises ValueError where they are no such record.
    """
    values = list(texts)
    types = list(kind.__annotations__.values())
    if len(values) != len(types):
        raise ValueError(f"{len(values)} fields for a {kind.__name__}")
    return kind(*[_READERS[name](text) for name, text in zip(types, values)])


def end_of(data: bytes) -> bytes:
    """Return the last line of a file of rows, which has the checksum of the ``data`` before it."""
    return b'"end","%08x"\n' % crc32(data)


def require_end(data: bytes) -> None:
    """Raise ValueError where a file of rows is cut short, or is not what was written."""
    start = data.rfind(b"\n", 0, -1) + 1
    last = data[start:]
    if not last.startswith(b'"end"') or not last.endswith(b"\n"):
        raise ValueError("cut short")
    if last != end_of(data[:start]):
        raise ValueError("damaged")
