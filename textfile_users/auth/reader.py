"""From lines of log files and entries of the journal to events."""

from __future__ import annotations

from collections.abc import Iterator

from textfile_users.auth.attempts import AuthEvent
from textfile_users.auth.finding import IRRELEVANT, UNMATCHED
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.programs import PROGRAMS, find
from textfile_users.sources.authlog import (
    REPEATED,
    Stamps,
    count_naming,
    has_stamps,
    parse_lines,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.auth.overlap import Overlap
    from textfile_users.sources.journal import Entry

MATCHED = "matched"
IGNORED = "ignored"
UNMATCHED_LINES = "unmatched"
UNTRUSTED = "untrusted"
RESULTS = (MATCHED, UNMATCHED_LINES, IGNORED, UNTRUSTED)


class Reader:
    """Reads a log, and counts its lines by result.

    ``time`` is that of the newest line that said something; lines that no pattern knows are
    kept in ``unmatched`` where that is a list.
    """

    def __init__(self, pairing: Pairing, stamps: Stamps) -> None:
        """Take what earlier lines left open, and the clock of the log's stamps."""
        self.pairing = pairing
        self.stamps = stamps
        self.lines = dict.fromkeys(RESULTS, 0)
        self.time = 0.0
        self.unmatched: list[tuple[int, bytes]] | None = None
        self.unknown_stamps = False
        self.numbered = False
        self._number = 1
        self.overlap: Overlap | None = None

    def read_block(self, data: bytes) -> Iterator[AuthEvent]:
        """Yield the events of whole lines; an event's ``line`` is its number if ``numbered``."""
        said_something = unmatched = number = counted = 0
        behind = 0 if self.pairing.last else -1  # where a repetition of the newest line is
        for offset, end, stamp, program, pid, message in parse_lines(data):
            if self.numbered:
                self._number += data.count(b"\n", counted, offset)
                counted, number = offset, self._number
            if program == REPEATED:
                if offset == behind:
                    yield from self.pairing.repeat(pid, number)
                continue
            said = find(program, message)
            if said.event == IRRELEVANT:
                continue
            time = self.stamps.time_of(stamp)
            if said is UNMATCHED or time is None:
                unmatched += 1
                if self.unmatched is not None:
                    self.unmatched.append((number, data[offset : end - 1]))
                continue
            if self.overlap and self.overlap.drops(time, program, message):
                continue
            said_something += 1
            self.time = time
            behind = end
            yield from self.pairing.take(AuthEvent(time, pid, number, said))
        if behind != len(data):
            self.pairing.last = None
        if not has_stamps(data):
            self.unknown_stamps = True
            unmatched += count_naming(data)
        self.lines[MATCHED] += said_something
        self.lines[UNMATCHED_LINES] += unmatched
        if self.numbered:
            self._number += data.count(b"\n", counted)
        self.lines[IGNORED] += data.count(b"\n") - said_something - unmatched

    def read_entry(self, entry: Entry) -> list[AuthEvent]:
        """Return the events of an entry of the journal."""
        program = entry.program.rstrip("]").encode("utf-8", "replace")
        if program not in PROGRAMS:
            self.lines[IGNORED] += 1
            return []
        if not entry.trusted:
            self.lines[UNTRUSTED] += 1
            return []
        said = find(program, entry.message)
        if said.event in (IRRELEVANT, UNMATCHED.event):
            self.lines[IGNORED if said.event == IRRELEVANT else UNMATCHED_LINES] += 1
            return []
        if self.overlap and self.overlap.drops(entry.time, program, entry.message):
            return []
        self.lines[MATCHED] += 1
        self.time = entry.time
        return self.pairing.take(AuthEvent(entry.time, entry.pid, 0, said))
