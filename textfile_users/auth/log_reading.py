"""Reads on in log files and in the journal, and counts what they say."""

from __future__ import annotations

import time

from textfile_users.accounts.account import account_names, accounts
from textfile_users.auth.logs import (
    AUTHLOG,
    HOUR,
    JOURNAL,
    SILENT_SECONDS,
    AuthFound,
    AuthMemory,
    AuthNotes,
)
from textfile_users.auth.programs import IDENTIFIERS
from textfile_users.auth.reader import reader_of
from textfile_users.counting import Counting
from textfile_users.reading.files import reason
from textfile_users.reading.follow import Block, blocks, end
from textfile_users.reading.position import NOWHERE, Position
from textfile_users.reading.search import since

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from textfile_users.accounts.account import Known
    from textfile_users.auth.journal_entry import JournalEntry, JournalGap
    from textfile_users.auth.journal_files import JournalPosition
    from textfile_users.auth.overlap_lines import Side
    from textfile_users.auth_event import AuthEvent
    from textfile_users.collecting import Scan
    from textfile_users.deadline import Steps
    from textfile_users.sessions.session import Session

    _Compare = Callable[[float, float], tuple[Side, Side]]

# What stamps in whole seconds leave out.
STAMP_SECONDS = 1.0
# How far before the newest line read lines of both logs are held against each other.
# Less where that are too many lines.
BACK_SECONDS = (60.0, 10.0)
LATE_SECONDS = 10.0
MAX_HELD_BLOCKS = 32


class Unfinished(Exception):
    """Only a part of a block is counted, so that nothing of the scan may be kept."""


class LogReading:
    """One scan's reading of logs: from the state before it to that after it."""

    def __init__(
        self,
        scan: Scan,
        found: AuthFound,
        sessions: tuple[Session, ...],
        known: Known,
        deadline: float,
    ) -> None:
        """Go on from what was ``found`` before."""
        self._scan, self._found, self._deadline = scan, found, deadline
        self.now, self.before, self.began = scan.now, found.memory, found.counts.began
        self.source = ""  # the log that is read, '' for none
        self.asked = found.notes.asked
        self.caught_up = True  # while steps are taken: whether they led to the end
        self.is_move = self.before.source == AUTHLOG  # if it is the journal that will be read
        self.strange: dict[str, str] = {}  # of the files that are read, see AuthNotes
        self._paths = paths = scan.paths
        self.reader = reader_of(scan, found, lambda: accounts(paths, known.answers.values()))
        self._newest = self.reader.time
        self._counting = Counting(
            found.counts, self.now, sessions, lambda: account_names(paths), self.before.time
        )
        self._counting.refused = {} if scan.wanted.refused_users else None
        self._logs, self._journal = dict(self.before.logs), self.before.journal
        self._path = ""  # of the file that is being read
        self._known, self._ends = self.asked[0].partition("\t")[2], ""
        self._overlaps_until = 0.0  # what another log was read to, where reading moves
        self._held = 0  # blocks that are no step

    def forget(self) -> None:
        """Forget logins that ended long ago."""
        self._counting.logins.forget(self.now)

    def result(self) -> AuthFound:
        """Return what was reached."""
        reader, pairing = self.reader, self.reader.pairing
        if self.caught_up:  # else what follows is there, and not yet read
            for event in pairing.expire(self.now):
                self._counting.take(event)
        if self.source:
            self._counting.lines(self.source, reader.take_lines())
        memory = AuthMemory(
            source=self.source or self.before.source,
            time=max(reader.time, self._newest),
            quiet=reader.quiet,
            logs=dict(self._logs),
            journal=self._journal,
            remembered=tuple(pairing.attempts.items()),
            held=pairing.held,
            last=pairing.last,
        )
        return AuthFound(
            memory,
            AuthNotes(self.asked, self.strange),
            self._counting.result(),
            source=self.source,
            caught_up=self.caught_up,
            refused_users=self._counting.refused or {},
            explained=tuple(reader.explained or ()),
        )

    def finish(self, *, is_done: bool) -> None:
        """Take note that no further step is taken, and whether the log is read to its end."""
        self.caught_up = is_done
        if not self._counting.counts:
            if not is_done:  # the last hour is more than fits in a scan
                self._skip()
            self._count_from_here()

    def _skip(self) -> None:
        """Go on behind what is there, of which nothing was to count."""
        if self._path:
            try:
                self._logs[self._path] = end(self._path)
            except OSError:  # the next scan begins with it
                del self._logs[self._path]
        elif self._journal:
            self._journal = self._journal._replace(cursor="", time=self.now)

    def read_files(self, paths: tuple[str, ...], backfill: bool) -> Steps:
        """Read on in the files, or begin with them, and yield after each block.

        That is whether what was reached may be kept: not what is of the past alone.
        """
        self.caught_up = False
        were_strange = self._found.notes.strange
        self.strange = {path: were_strange[path] for path in paths if path in were_strange}
        for path in paths:
            if len(paths) > 1:
                self.reader.pairing.last = None  # a line is behind those of its own file
            self._logs[path] = self._position(path, backfill)
            self._path = path
            self.reader.begin_log(self.strange.get(path, ""))
            for block in blocks(path, self._logs[path]):
                self._take(self.reader.read_block(block.data))
                self._judge(path)
                self._counting.skipped(AUTHLOG, block.skipped)
                self._logs[path] = block.position
                if self._is_apart(block):
                    yield self._counting.counts
            if not self._counting.counts:
                self._count_from_here()

    def _judge(self, path: str) -> None:
        """Take note whether the log that is being read is one of which nothing is understood."""
        if self.reader.fault:
            self.strange[path] = self.reader.fault
        else:
            self.strange.pop(path, None)

    def _position(self, path: str, backfill: bool) -> Position:
        """Return where to read on: behind what was read of this file or of another log.

        On a first scan an hour back, of which nothing counts.
        """
        is_other = self.before.source == JOURNAL
        is_later = path not in self._logs and self.began and not self._paths.auth_logs_given
        if is_other or is_later:
            return self._move_to_file(path)
        if path in self._logs:
            return self._logs[path]
        if backfill:
            return NOWHERE
        self._counting.lines(AUTHLOG, self.reader.take_lines())
        self._counting.counts = False
        return since(path, self.now - HOUR, self._time_of)

    def _move_to_file(self, path: str) -> Position:
        """Prepare for lines of a file that another log had too; return where to read on."""
        from textfile_users.auth.overlap import APART_SECONDS
        from textfile_users.auth.overlap_lines import later

        newest = self._newest or self.began
        logs = {path: self._logs.get(path, NOWHERE)}
        is_journal = self.before.source == JOURNAL

        def compare(first: float, last: float) -> tuple[Side, Side]:
            other = self._of_files(logs, first - APART_SECONDS, last)
            if is_journal:
                return self._of_journal(first, last), other
            return self._of_files(self._other_logs(path), first, last), other

        start = self._move(newest, newest, compare)
        return later(logs[path], since(path, start - APART_SECONDS, self._time_of))

    def _other_logs(self, path: str) -> dict[str, Position]:
        return {other: position for other, position in self._logs.items() if other != path}

    def _move_to_journal(self) -> JournalPosition:
        """Prepare for entries of the journal that files had too; return where to read on."""
        from textfile_users.auth.journal_files import JournalPosition
        from textfile_users.auth.overlap import APART_SECONDS

        newest = self.reader.time or self.began
        start = self._move(self.reader.quiet or newest, newest, self._compare_with_journal)
        position = self._journal
        if position and position.cursor and position.time >= start - APART_SECONDS:
            return position
        return JournalPosition("", start - APART_SECONDS)

    def _compare_with_journal(self, first: float, last: float) -> tuple[Side, Side]:
        from textfile_users.auth.overlap import APART_SECONDS

        read = self._of_files(self._logs, first, last)
        return read, self._of_journal(first - APART_SECONDS, last)

    def _of_files(self, logs: dict[str, Position], first: float, last: float) -> Side:
        """Return what files have of a stretch of time, if half of the time left is enough."""
        from textfile_users.auth.overlap_lines import of_files

        now = time.monotonic()
        until = now + (self._deadline - now) / 2
        return of_files(logs, self.reader.stamps, first, last, until)

    def _of_journal(self, first: float, last: float) -> Side:
        from textfile_users.auth.journal_files import JournalPosition
        from textfile_users.auth.overlap_lines import of_journal
        from textfile_users.reading.files import closing

        with closing(self._entries(JournalPosition("", first))) as every:
            return of_journal(every, self._journal, first, last)

    def _move(self, doubtful: float, newest: float, compare: _Compare) -> float:
        """Prepare for lines of another log, all of them new from the time on that is returned.

        ``newest`` is the time of the newest line read, from ``doubtful`` on some may be missing.
        """
        from textfile_users.auth.overlap import APART_SECONDS, Overlap
        from textfile_users.auth.overlap_lines import Side, TooMany

        ours, theirs, start = Side([], []), Side([], []), newest + STAMP_SECONDS
        for back in BACK_SECONDS:
            try:
                ours, theirs = compare(doubtful - back, newest + APART_SECONDS)
            except TooMany:
                continue
            start = doubtful - back + APART_SECONDS
            break
        found, start = self._found_in(ours, theirs, start, newest, newest + STAMP_SECONDS)
        self.reader.pairing.last = None
        self.reader.overlap = Overlap(start, theirs.unread, found)
        self._overlaps_until = newest + APART_SECONDS
        return start

    def _found_in(
        self, ours: Side, theirs: Side, start: float, newest: float, otherwise: float
    ) -> tuple[list[int], float]:
        """Return how often each unread line of theirs was read in ours, and from when that holds.

        That is from ``start`` on, or ``otherwise`` where they cannot be compared up to ``newest``.
        """
        from textfile_users.auth.overlap import found_in, is_comparable

        every = theirs.read + theirs.unread
        found = found_in(ours.read, every)
        if self.reader.time and not is_comparable(ours.read, every, found, start, newest):
            start = otherwise
        return found[len(theirs.read) :], max(start, self.began)

    def doubtful(self) -> float:
        """Return from when on the files may lack something, 0 where they are not silent."""
        newest = self.reader.time or self.began
        return self.reader.quiet or (newest if self.now - newest >= SILENT_SECONDS else 0.0)

    def lacks_since(self, doubtful: float) -> bool | None:
        """Return whether the journal has what the files lack, None where it is too early to say."""
        from textfile_users.auth.overlap import APART_SECONDS
        from textfile_users.auth.overlap_lines import TooMany

        newest = self.reader.time or self.began
        first = doubtful - BACK_SECONDS[0]
        try:
            ours, theirs = self._compare_with_journal(first, self.now)
        except (TooMany, TimeoutError):
            self._counting.skipped(AUTHLOG, (("gap", 1),))  # if anything is lost, it stays so
            self.reader.quiet = 0.0
            return False
        later = newest + APART_SECONDS
        found, start = self._found_in(ours, theirs, first + APART_SECONDS, newest, later)
        lacking = [
            line.time
            for line, count in zip(theirs.unread, found)
            if count < line.times and line.time >= start
        ]
        if any(at < max(newest - APART_SECONDS, self.now - LATE_SECONDS) for at in lacking):
            return True
        self.reader.quiet = doubtful if lacking else 0.0
        return None if lacking else False

    def _take(self, events: Iterable[AuthEvent]) -> None:
        """Count the events of what was read. Raises Unfinished where that cannot go on."""
        try:
            for event in events:
                self._counting.take(event)
        except OSError as error:  # not the log's: a module or a file of the host, see Unfinished
            raise Unfinished(f"{error.filename or 'a module'}: {reason(error)}") from error

    def _is_apart(self, block: Block) -> bool:
        """Return whether a block ends behind what another log has, too: else it is no step."""
        if not self._overlaps_until:
            return True
        self._held += 1
        time = self._time_of(block.data[block.data.rfind(b"\n", 0, -1) + 1 :])
        if (time or 0.0) > self._overlaps_until or self._held >= MAX_HELD_BLOCKS:
            self._overlaps_until = 0.0
        return not self._overlaps_until

    def _count_from_here(self) -> None:
        for event in self.reader.pairing.expire(self.now):
            self._counting.take(event)
        self.reader.take_lines()
        self._counting.counts = True

    def read_journal(self, backfill: bool) -> Steps:
        """Read on in the journal, or begin with it, and yield after each entry as for files."""
        from textfile_users.auth.journal import advance
        from textfile_users.auth.journal_entry import JournalEntry
        from textfile_users.auth.journal_files import JournalPosition, ends

        self.caught_up = False
        self._ends = ends(self._paths)
        before = position = self._journal
        if self.is_move or (position is None and self.began):
            position = self._move_to_journal()
            self.reader.quiet = 0.0
        elif position is None:
            self._counting.counts = backfill
            position = JournalPosition("", 0.0 if backfill else self.now - HOUR)
        self._journal = position
        try:
            for found in self._entries(position):
                if isinstance(found, JournalEntry):
                    self._take(self.reader.read_entry(found))
                else:
                    self._counting.skipped(JOURNAL, ((found.reason, 1),))
                self._journal = advance(self._journal, found)
                if found.time > self._overlaps_until:
                    yield self._counting.counts
        except TimeoutError as error:
            if self._journal == position:  # not even one entry
                self._journal = before
                raise
            if self._journal.time <= self._overlaps_until:
                raise Unfinished(f"journalctl: {reason(error)}") from error
            yield self._counting.counts  # at the deadline
        if not self._counting.counts and not self._journal.cursor:
            self._journal = JournalPosition("", self.now)

    def held_by_journal(self, signature: str) -> tuple[str, float]:
        """Return what the journal held when it was read to its end, '' if not yet, and now."""
        return f"{signature}\t{self._ends if signature else self._known}", self.now

    def leave_files(self) -> None:
        """Go on in the journal instead of the files."""
        self._counting.lines(AUTHLOG, self.reader.take_lines())
        self.is_move = True
        self.strange.clear()
        self._newest = self.reader.time

    def has_journal_more(self, newest: float) -> bool:
        """Return whether the journal has what counts, and was logged well behind ``newest``."""
        from textfile_users.auth.overlap_lines import TooMany

        first, last = newest + LATE_SECONDS, self.now - LATE_SECONDS
        try:
            return bool(self._of_journal(first, last).unread)
        except TooMany:
            return True
        except OSError:
            return False

    def _entries(
        self, position: JournalPosition
    ) -> Generator[JournalEntry | JournalGap, None, None]:
        from textfile_users.auth.journal import entries

        return entries(self._paths, position, IDENTIFIERS, self._deadline, known=self._known)

    def _time_of(self, line: bytes) -> float | None:
        return self.reader.stamps.time_of_line(line)
