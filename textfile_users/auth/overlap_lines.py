"""The lines of a stretch of time as the files and the journal have them, to compare both.

Read only where reading moves from one to the other, or the files may lack something.
"""

from __future__ import annotations

from time import monotonic

from textfile_users.auth.journal_entry import JournalEntry, JournalGap
from textfile_users.auth.journal_files import JournalPosition
from textfile_users.auth.log_lines import parse_lines, program_of
from textfile_users.auth.message import find
from textfile_users.auth.overlap import Line, line_of
from textfile_users.auth.patterns import UNMATCHED
from textfile_users.auth.stamps import Stamps
from textfile_users.auth.syslog import REPEATED
from textfile_users.auth_event import IRRELEVANT
from textfile_users.reading.follow import blocks
from textfile_users.reading.position import Position
from textfile_users.reading.search import since
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES = 20_000


class TooMany(Exception):
    """There are more than MAX_LINES, or more than can be read in time."""


class Side(Record):
    """What a log has: lines up to where it was read, when it was, and lines behind that."""

    read: list[Line]
    unread: list[Line]


def of_files(
    logs: dict[str, Position], stamps: Stamps, first: float, last: float, deadline: float
) -> Side:
    """Return what the files have of the time from ``first`` to ``last``.

    Raises TooMany, also where time.monotonic() passes ``deadline``: lines of other programs count
    for nothing, and anybody may write them. Files that are gone, or cannot be read, have nothing.
    """
    side = Side([], [])
    for path, position in logs.items():
        try:
            begin = since(path, first, stamps.time_of_line)
            unread = _of_file(path, later(position, begin), stamps, first, last, deadline)
            every = _of_file(path, begin, stamps, first, last, deadline)
        except OSError:
            continue
        side.unread.extend(unread)
        left: dict[Line, int] = {}
        for line in unread:
            left[line] = left.get(line, 0) + 1
        for line in every:
            if left.get(line):
                left[line] -= 1
            else:
                side.read.append(line)
    return side


def later(position: Position, begin: Position) -> Position:
    """Return ``begin`` if that is known to lie behind ``position``, up to which was read."""
    if not position.inode or (position.inode == begin.inode and position.offset < begin.offset):
        return begin
    return position


def _of_file(
    path: str, begin: Position, stamps: Stamps, first: float, last: float, deadline: float
) -> list[Line]:
    lines: list[Line] = []
    for block in blocks(path, begin):
        behind = -1
        for start, stop, stamp, program, pid, message in parse_lines(block.data):
            if program == REPEATED:
                if start == behind:
                    lines.append(lines[-1]._replace(times=pid))
                continue
            time = stamps.time_of(stamp)
            if time is not None and first <= time <= last:
                lines.append(line_of(time, program, pid, message))
                behind = stop
        if len(lines) > MAX_LINES or monotonic() >= deadline:
            raise TooMany
    return lines


def of_journal(
    entries: Iterable[JournalEntry | JournalGap],
    position: JournalPosition | None,
    first: float,
    last: float,
) -> Side:
    """Return what counts of the journal's ``entries``, from ``first`` to ``last``.

    ``position`` is that up to which it was read. Raises TooMany, and what ``entries`` does.
    """
    side = Side([], [])
    reached = position if position and position.cursor and position.time >= first else None
    is_read = reached is not None
    for found in entries:
        if isinstance(found, JournalEntry) and first <= found.time <= last and found.trusted:
            tag = found.program.rstrip("]").encode("utf-8", "replace")
            program = program_of(tag, found.message)
            said = UNMATCHED if program is None else find(program, found.message)
            if program is not None and said.event not in (IRRELEVANT, UNMATCHED.event):
                lines = side.read if is_read else side.unread
                lines.append(line_of(found.time, program, found.pid, found.message))
                if len(lines) > MAX_LINES:
                    raise TooMany
        if reached and found.cursor == reached.cursor:
            is_read = False
        if found.time > last:
            break
    if is_read and reached:  # its entry has gone: time decides
        lines = side.read
        side = Side(
            [line for line in lines if line.time <= reached.time],
            [line for line in lines if line.time > reached.time],
        )
    return side
