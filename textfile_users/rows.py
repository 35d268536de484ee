"""Records as rows of text, for the state files, and back."""

from __future__ import annotations

from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
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


def pairs(text: str) -> Iterator[tuple[int, int]]:
    """Return the numbers of ``text``, two and two. Raises ValueError."""
    texts = text.split()
    if len(texts) % 2:
        raise ValueError("an odd number of them")
    numbers = map(int, texts)
    return zip(numbers, numbers)


def within(data: bytes, shares: Mapping[str, int], oldest: str = "") -> tuple[bytes, int]:
    """Return a file of rows without those over their kind's share, and how many these are.

    ``shares`` are bytes by kind; the rows of a kind stand together. The last ones stay, which are
    the newest, of the kind ``oldest`` the first. No row is looked at, so that much takes no time.
    """
    over = []  # from where to where
    dropped = 0
    for kind, share in shares.items():
        begin = b'\n"%s",' % kind.encode()  # no other line begins so: a quote in a field is double
        start = data.find(begin)
        if start < 0:
            continue
        end = _next_row(data, data.rfind(begin) + 1)
        if end - start <= share:
            continue
        if kind == oldest:
            start = max(start, data.rfind(begin, start, start + share + len(begin)))
        else:
            place = data.find(begin, end - share, end)
            end = end if place < 0 else place
        over.append((start, end))
        dropped += data.count(begin, start, end)
    pieces = []
    place = 0
    for start, end in sorted(over):
        pieces.append(data[place:start])
        place = end
    pieces.append(data[place : data.rfind(b"\n", 0, -1) + 1])
    kept = b"".join(pieces)
    return kept + end_of(kept), dropped


def _next_row(data: bytes, place: int) -> int:
    """Return where the newline before the row behind the one at ``place`` is."""
    while True:
        place = data.index(b'\n"', place) + 1
        if data[place + 1 : place + 2].isalpha():  # else a field's quote behind its newline
            return place - 1


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
