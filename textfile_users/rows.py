"""Records as rows of text, for the state files, and back."""

from __future__ import annotations

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
