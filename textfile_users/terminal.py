"""What a terminal shows: colours where they are wanted, and tables that fit its columns."""

from __future__ import annotations

import os
import unicodedata

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    Cell = tuple[str, str]  # printable text, and its style

# Select Graphic Rendition, ECMA-48: of the eight colours that every theme has.
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
CUT = "…"


class Column(Record):
    """A column of a table: what does not fit is cut, to ``least`` columns of the terminal.

    With a ``least`` of 0 it is never cut.
    """

    title: str
    least: int = 0
    right: bool = False


def is_screen(stream: TextIO | None) -> bool:
    """Return whether ``stream`` is a terminal that understands escape sequences."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    return stream is not None and stream.isatty() and not dumb


def has_colour(stream: TextIO | None) -> bool:
    """Return whether to colour what is written to ``stream``: see https://no-color.org."""
    return is_screen(stream) and not os.environ.get("NO_COLOR")


def style(text: str, name: str) -> str:
    """Return ``text`` in a style: bold, dim, red, green or yellow; as it is where ``name`` is ''.

    The sequences take no columns: cut and fill before.
    """
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if name else text


def columns_of(text: str) -> int:
    """Return how many columns a terminal takes for printable ``text``."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, columns: int, mark: str = CUT) -> str:
    """Return printable ``text``, of what takes more ``columns`` its beginning and ``mark``."""
    if columns_of(text) <= columns:
        return text
    taken = len(mark)
    for place, char in enumerate(text):
        taken += _columns(char)
        if taken > columns:
            return text[:place] + mark
    return text


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    colour: bool = False,
    mark: str = CUT,
) -> list[str]:
    """Return a heading and ``rows`` as lines of at most ``width`` columns of a terminal.

    The widest columns are cut first; the last ones are left out where that is not enough.
    """
    wanted = [
        min(width, max(columns_of(text) for text in (column.title, *texts)))
        for column, texts in zip(columns, _texts(columns, rows))
    ]
    widths, gap = _shrunk(columns, wanted, width)
    heading = [(column.title, "bold") for column in columns]
    return [_line(columns, widths, row, " " * gap, colour, mark) for row in (heading, *rows)]


def _texts(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Iterable[list[str]]:
    return ([row[place][0] for row in rows] for place in range(len(columns)))


def _shrunk(columns: Sequence[Column], wanted: list[int], width: int) -> tuple[list[int], int]:
    """Return the columns' widths, without the last ones where they don't fit, and the gap."""
    if sum(wanted) + 2 * (len(wanted) - 1) <= width:
        return wanted, 2
    widths = list(wanted)
    while sum(widths) + len(widths) - 1 > width:
        wide = [at for at, size in enumerate(widths) if size > (columns[at].least or size)]
        if wide:
            widths[max(wide, key=lambda at: widths[at])] -= 1
        elif len(widths) > 1:  # begin anew without the last
            widths = wanted[: len(widths) - 1]
        else:
            return [width], 1
    return widths, 1


def _line(
    columns: Sequence[Column],
    widths: list[int],
    row: Iterable[Cell],
    gap: str,
    colour: bool,
    mark: str,
) -> str:
    parts = []
    blanks = ""  # before the next cell: none are left at the end of a line
    for column, size, (whole, name) in zip(columns, widths, row):
        text = cut(whole, size, mark)
        room = " " * (size - columns_of(text))
        parts.append(blanks + room if column.right else blanks)
        parts.append(style(text, name if colour else ""))
        blanks = gap if column.right else room + gap
    return "".join(parts)


def _columns(char: str) -> int:
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me") else 1
