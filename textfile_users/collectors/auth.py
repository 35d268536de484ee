"""Who came, went and failed to get in: one log at a time, files or the journal."""

from __future__ import annotations

import os
import time

from textfile_users.auth.pairing import Pairing
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.reader import AHEAD_SECONDS, Reader
from textfile_users.counting import Counting
from textfile_users.deadline import paced
from textfile_users.durable import NOTHING, Durable
from textfile_users.kept import NOTHING as NOTHING_KEPT
from textfile_users.model import (
    ABSENT,
    AUTH,
    BROKEN,
    DENIED,
    HISTORY,
    OK,
    Snapshot,
    SourceReport,
    Wanted,
)
from textfile_users.paths import Paths
from textfile_users.record import Record
from textfile_users.sources.authlog import Stamps, parse_lines
from textfile_users.sources.files import open_regular, reason
from textfile_users.sources.follow import NOWHERE, Block, Position, blocks, end, since
from textfile_users.sources.localtime import local_time
from textfile_users.sources.passwd import account_names, accounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from textfile_users.auth.attempts import AuthEvent
    from textfile_users.auth.switching import Side
    from textfile_users.deadline import Steps
    from textfile_users.sources.journal import Entry, Gap
    from textfile_users.sources.journals import JournalPosition

    _Compare = Callable[[float, float], tuple[Side, Side]]

AUTO = "auto"
FILES = "files"
JOURNAL = "journal"

AUTHLOG = "authlog"
HOUR = 3600.0
# What stamps in whole seconds leave out.
STAMP_SECONDS = 1.0
# A file that is written is so far behind the journal at most.
BEHIND_SECONDS = 2.0
# How far before the newest line read lines of both logs are held against each other.
# Less where that are too many lines.
BACK_SECONDS = (60.0, 10.0)
# After so long without a line the journal is asked whether the file is still written.
SILENT_SECONDS = 60.0
LATE_SECONDS = 10.0
STRANGE = "names programs, and no line has a known form"
TAIL = 64 << 10
MAX_HELD_BLOCKS = 32
# As they are in the journal, where gdm's tags end in a bracket.
IDENTIFIERS = (
    *(name.decode() for name in PROGRAMS),
    *(f"{name.decode()}]" for name in PROGRAMS if name.startswith(b"gdm-")),
)


class _Logs(Record):
    """The logs of the host: the files to follow, and the state of the journal's."""

    files: SourceReport
    paths: tuple[str, ...]
    journal: SourceReport
    signature: str


def look_at_auth(
    paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Read what the host's log has that was not read before, and count it.

    Begins no further step once time.monotonic() has passed ``deadline``, for the next look to go
    on. Raises nothing but what is a fault of this program.
    """
    kept = before.kept or NOTHING_KEPT
    logs = _find_logs(paths, wanted.auth_source, before)
    reading = _Reading(paths, before, deadline, wanted)
    source, asked = _choose(logs, wanted.auth_source, reading, kept.asked)
    faults = list(logs.files.faults) if paths.auth_logs_given or not source else []
    faults += () if source else logs.journal.faults
    chosen, has_both = source, wanted.auth_source != FILES and logs.journal.status == OK

    def reached() -> Snapshot:
        return before._replace(
            durable=reading.result(source),
            refused_users=reading.refused,
            explained=tuple(reading.reader.explained or ()),
            auth_log=source,
            caught_up=reading.caught_up,
            kept=kept._replace(asked=asked, strange=reading.strange),
            sources=(*before.sources, logs.files, logs.journal),
            faults=(*before.faults, *faults),
            failed=(*before.failed, AUTH) if faults else before.failed,
        )

    def read() -> Steps:
        nonlocal source, asked
        if source == AUTHLOG:
            yield from reading.read_files(logs.paths, wanted.backfill)
            lacks = False
            if has_both and reading.before.began:
                lacks, asked = _lacks(logs, reading, asked)
            if not lacks:
                return
            reading.leave_files()
        source, asked = JOURNAL, reading.asked("")
        yield from reading.read_journal(wanted.backfill)
        asked = reading.asked(logs.signature)

    if source == AUTHLOG or (source and (logs.signature != _signature(asked) or reading.is_move)):
        try:
            is_done = yield from paced(read(), deadline, reached)
            reading.finish(is_done=is_done)
        except OSError as error:
            source, asked = chosen, kept.asked
            faults.append(f"{error.filename or source}: {reason(error)}")
            reading.finish(is_done=False)
    if HISTORY not in wanted.collectors:  # else records of what is ended are still to be read
        reading.forget()
    if reading.strange:
        told = tuple(f"{path}: {STRANGE}: {begins}" for path, begins in reading.strange.items())
        logs = logs._replace(files=logs.files._replace(faults=(*logs.files.faults, *told)))
        faults += told
    yield reached()


def _find_logs(paths: Paths, source: str, before: Snapshot) -> _Logs:
    files = SourceReport(AUTHLOG, ABSENT)
    found: tuple[str, ...] = ()
    if source in (AUTO, FILES):
        files, found = _find_files(paths, before.durable or NOTHING, before.now)
    journal, signature = SourceReport(JOURNAL, ABSENT), ""
    if source == JOURNAL or (source == AUTO and not paths.auth_logs_given):
        from textfile_users.sources.journals import journal_state

        try:
            status, signature = journal_state(paths)
            journal = SourceReport(JOURNAL, status)
        except OSError as error:
            fault = f"{error.filename}: {reason(error)}"
            journal = SourceReport(JOURNAL, BROKEN, (fault,))
        if journal.status == DENIED:
            fault = "the journal cannot be read; see group systemd-journal"
            journal = SourceReport(JOURNAL, DENIED, (fault,))
    return _Logs(files, found, journal, signature)


def _find_files(paths: Paths, before: Durable, now: float) -> tuple[SourceReport, tuple[str, ...]]:
    """Return the report on log files, and which are to be followed.

    Those given all are, though one may not be there yet, else the first that can be read, or
    was read and is missing because it is rotated right now.
    """
    faults = []
    status = ABSENT
    readable = []
    for path in paths.auth_logs():
        try:
            if not paths.auth_logs_given:
                paths.require_inside(path)
            os.close(open_regular(path))
        except (FileNotFoundError, NotADirectoryError):
            is_rotated = path in before.logs and abs(now - _modified(os.path.dirname(path))) < 2
            if not (paths.auth_logs_given or is_rotated):
                continue
        except OSError as error:
            status = DENIED if isinstance(error, PermissionError) else BROKEN
            mend = "; see group adm" if status == DENIED else ""
            faults.append(f"{path}: {reason(error)}{mend}")
            continue
        readable.append(path)
        if not paths.auth_logs_given:
            break
    if readable and not (faults and paths.auth_logs_given):
        status = OK
    return SourceReport(AUTHLOG, status, tuple(faults)), tuple(readable)


def _choose(
    logs: _Logs, wanted: str, reading: _Reading, asked: tuple[str, float]
) -> tuple[str, tuple[str, float]]:
    """Return the log to read, '' for none, and what the journal was asked for when.

    A file is believed if it is written: then it has what the journal has.
    """
    has_journal = logs.journal.status == OK
    if not logs.paths:
        return JOURNAL if has_journal else "", asked
    if not has_journal or wanted == FILES:
        return AUTHLOG, asked
    path = logs.paths[0]
    before = reading.before
    if before.source == JOURNAL:
        known = reading.reader.time - BEHIND_SECONDS
        is_written = _modified(path) >= known  # the cheaper question first
        has_all = is_written and _newest_time(path, reading.reader.stamps, reading.now) >= known
        return AUTHLOG if has_all and _signature(asked) else JOURNAL, asked
    if not before.began:
        newest = _newest_time(path, reading.reader.stamps, reading.now)
        is_silent = reading.now - newest >= SILENT_SECONDS
        return JOURNAL if is_silent and reading.has_journal_more(newest) else AUTHLOG, asked
    return AUTHLOG, asked


def _lacks(
    logs: _Logs, reading: _Reading, asked: tuple[str, float]
) -> tuple[bool, tuple[str, float]]:
    """Return whether the journal has what the files lack, and what it was asked for when.

    A syslogd that was off shows as silence: behind that the journal is asked, once a minute
    at most, whether it has more.
    """
    since = reading.doubtful()
    is_late = reading.now - asked[1] >= SILENT_SECONDS
    if not (since and is_late) or logs.signature == _signature(asked):
        return False, asked
    lacks = reading.lacks_since(since)
    return bool(lacks), ("" if lacks is None else logs.signature, reading.now)


def _signature(asked: tuple[str, float]) -> str:
    """Return what the journal held, without its ends."""
    return asked[0].partition("\t")[0]


class Unfinished(Exception):
    """Only a part of a block is counted, so that nothing of the look may be kept."""


class _Reading:
    """One look's reading of logs: from the state before it to that after it."""

    def __init__(
        self,
        paths: Paths,
        snapshot: Snapshot,
        deadline: float,
        wanted: Wanted,
    ) -> None:
        before = snapshot.durable or NOTHING
        now = snapshot.now
        self.now = now
        self.before = before
        self.caught_up = True  # while steps are taken: whether they led to the end
        self._known = (snapshot.kept or NOTHING_KEPT).asked[0].partition("\t")[2]
        self._ends = ""
        self.is_move = before.source == AUTHLOG  # if it is the journal that will be read
        pairing = Pairing(before.remembered, before.held, before.last)
        known = (snapshot.kept or NOTHING_KEPT).known.answers
        stamps = Stamps(now, local_time(paths))
        self.reader = Reader(pairing, stamps, lambda: accounts(paths, known.values()))
        self.reader.now = now
        # An older version, or a clock that was wrong, may have left a time still to come.
        self.reader.time = before.time if before.time <= now + AHEAD_SECONDS else now
        self._newest = self.reader.time
        if before.quiet >= before.began:  # what was before does not count
            self.reader.quiet = before.quiet
        self._overlaps_until = 0.0  # what another log was read to, where reading moves
        self._held = 0  # blocks that are no step
        if wanted.explain:
            self.reader.explained = []
        self._paths = paths
        self._deadline = deadline
        sessions = snapshot.sessions or ()
        self._counting = Counting(before, now, sessions, lambda: account_names(paths))
        self._counting.refused = {} if wanted.refused_users else None
        self._logs = dict(before.logs)
        self._path = ""  # of the file that is being read
        self._journal = before.journal
        self._were_strange = (snapshot.kept or NOTHING_KEPT).strange
        self.strange: dict[str, str] = {}  # of the files that are read, see Kept

    @property
    def refused(self) -> dict[str, dict[str, int]]:
        """Whom of its users the host refused within the last hour, and how often, by address."""
        return self._counting.refused or {}

    def forget(self) -> None:
        """Forget logins that ended long ago."""
        self._counting.logins.forget(self.now)

    def result(self, source: str) -> Durable:
        """Return the state after this look."""
        pairing = self.reader.pairing
        if self.caught_up:  # else what follows is there, and not yet read
            for event in pairing.expire(self.now):
                self._counting.take(event)
        if source:
            self._counting.lines(source, self.reader.take_lines())
        return self._counting.result()._replace(
            source=source or self.before.source,
            time=max(self.reader.time, self._newest),
            quiet=self.reader.quiet,
            logs=dict(self._logs),
            journal=self._journal,
            remembered=tuple(pairing.attempts.items()),
            held=pairing.held,
            last=pairing.last,
        )

    def finish(self, *, is_done: bool) -> None:
        """Take note that no further step is taken, and whether the log is read to its end."""
        self.caught_up = is_done
        if not self._counting.counts:
            if not is_done:  # the last hour is more than fits in a look
                self._skip()
            self._count_from_here()

    def _skip(self) -> None:
        """Go on behind what is there, of which nothing was to count."""
        if self._path:
            try:
                self._logs[self._path] = end(self._path)
            except OSError:  # the next look begins with it
                del self._logs[self._path]
        elif self._journal:
            self._journal = self._journal._replace(cursor="", time=self.now)

    def read_files(self, paths: tuple[str, ...], backfill: bool) -> Steps:
        """Read on in the files, or begin with them, and yield after each block.

        That is whether what was reached may be kept: not what is of the past alone.
        """
        self.caught_up = False
        self.strange = {
            path: self._were_strange[path] for path in paths if path in self._were_strange
        }
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

        On a first look an hour back, of which nothing counts.
        """
        is_other = self.before.source == JOURNAL
        is_later = path not in self._logs and self.before.began and not self._paths.auth_logs_given
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
        from textfile_users.auth.switching import later

        newest = self._newest or self.before.began
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
        from textfile_users.auth.overlap import APART_SECONDS
        from textfile_users.sources.journals import JournalPosition

        newest = self.reader.time or self.before.began
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
        from textfile_users.auth.switching import of_files

        now = time.monotonic()
        until = now + (self._deadline - now) / 2
        return of_files(logs, self.reader.stamps, first, last, until)

    def _of_journal(self, first: float, last: float) -> Side:
        from textfile_users.auth.switching import of_journal
        from textfile_users.sources.files import closing
        from textfile_users.sources.journals import JournalPosition

        with closing(self._entries(JournalPosition("", first))) as every:
            return of_journal(every, self._journal, first, last)

    def _move(self, doubtful: float, newest: float, compare: _Compare) -> float:
        """Prepare for lines of another log, all of them new from the time on that is returned.

        ``newest`` is the time of the newest line read, from ``doubtful`` on some may be missing.
        """
        from textfile_users.auth.overlap import APART_SECONDS, Overlap
        from textfile_users.auth.switching import Side, TooMany

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
        return found[len(theirs.read) :], max(start, self.before.began)

    def doubtful(self) -> float:
        """Return from when on the files may lack something, 0 where they are not silent."""
        newest = self.reader.time or self.before.began
        return self.reader.quiet or (newest if self.now - newest >= SILENT_SECONDS else 0.0)

    def lacks_since(self, doubtful: float) -> bool | None:
        """Return whether the journal has what the files lack, None where it is too early to say."""
        from textfile_users.auth.overlap import APART_SECONDS
        from textfile_users.auth.switching import TooMany

        newest = self.reader.time or self.before.began
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
        from textfile_users.sources.journal import Entry, advance
        from textfile_users.sources.journals import JournalPosition, ends

        self.caught_up = False
        self._ends = ends(self._paths)
        before = position = self._journal
        if self.is_move or (position is None and self.before.began):
            position = self._move_to_journal()
            self.reader.quiet = 0.0
        elif position is None:
            self._counting.counts = backfill
            position = JournalPosition("", 0.0 if backfill else self.now - HOUR)
        self._journal = position
        try:
            for found in self._entries(position):
                if isinstance(found, Entry):
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

    def asked(self, signature: str) -> tuple[str, float]:
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
        from textfile_users.auth.switching import TooMany

        first, last = newest + LATE_SECONDS, self.now - LATE_SECONDS
        try:
            return bool(self._of_journal(first, last).unread)
        except TooMany:
            return True
        except OSError:
            return False

    def _entries(self, position: JournalPosition) -> Generator[Entry | Gap, None, None]:
        from textfile_users.sources.journal import entries

        return entries(self._paths, position, IDENTIFIERS, self._deadline, known=self._known)

    def _time_of(self, line: bytes) -> float | None:
        return self.reader.stamps.time_of_line(line)


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _newest_time(path: str, stamps: Stamps, now: float) -> float:
    """Return the time of the newest line of a known program near the end of a file, 0 for none.

    Lines with a stamp that is still to come have none.
    """
    try:
        descriptor = open_regular(path)
    except OSError:  # it is being rotated
        return 0.0
    try:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, TAIL, max(0, size - TAIL))
    finally:
        os.close(descriptor)
    times = [stamps.time_of(line[2]) for line in parse_lines(data)]
    latest = now + AHEAD_SECONDS
    return max((time for time in times if time is not None and time <= latest), default=0.0)
