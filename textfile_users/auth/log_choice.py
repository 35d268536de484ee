"""Which log is read: a file that is written, else the journal, and from one to the other."""

from __future__ import annotations

import os

from textfile_users.auth.log_lines import parse_lines
from textfile_users.auth.log_reading import LogReading
from textfile_users.auth.logs import (
    AUTHLOG,
    BEHIND_SECONDS,
    FILES,
    JOURNAL,
    SILENT_SECONDS,
    AuthFound,
    Logs,
    faults_of,
    modified,
    signature_of,
)
from textfile_users.auth.reader import AHEAD_SECONDS
from textfile_users.auth.stamps import Stamps
from textfile_users.collecting import HISTORY, OK, Reports
from textfile_users.deadline import paced
from textfile_users.reading.files import open_regular, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.accounts.account import Known
    from textfile_users.collecting import Scan, Wanted
    from textfile_users.deadline import Steps
    from textfile_users.sessions.session import Session

STRANGE = "names programs, and no line has a known form"
TAIL = 64 << 10


def read_logs(
    scan: Scan,
    before: AuthFound,
    sessions: tuple[Session, ...],
    known: Known,
    logs: Logs,
    deadline: float,
) -> Iterator[AuthFound]:
    """Read what the log that is believed has that was not read before, and count it."""
    reading = LogReading(scan, before, sessions, known, deadline)
    chosen, reading.asked = _choose(logs, scan.wanted.auth_source, reading)
    reading.source = chosen
    faults = list(faults_of(scan.paths, chosen, logs))

    def reached() -> AuthFound:
        reports = Reports((logs.files, logs.journal), tuple(faults), success=not faults)
        return reading.result()._replace(reports=reports)

    is_new = logs.signature != signature_of(reading.asked) or reading.is_move
    if chosen == AUTHLOG or (chosen and is_new):
        try:
            is_done = yield from paced(_read(reading, logs, scan.wanted), deadline, reached)
            reading.finish(is_done=is_done)
        except OSError as error:
            reading.source, reading.asked = chosen, before.notes.asked
            faults.append(f"{error.filename or chosen}: {reason(error)}")
            reading.finish(is_done=False)
    if HISTORY not in scan.wanted.collectors:  # else records of what is ended are still to be read
        reading.forget()
    if reading.strange:
        told = tuple(f"{path}: {STRANGE}: {begins}" for path, begins in reading.strange.items())
        logs = logs._replace(files=logs.files._replace(faults=(*logs.files.faults, *told)))
        faults += told
    yield reached()


def _read(reading: LogReading, logs: Logs, wanted: Wanted) -> Steps:
    """Read the log that was chosen, and the journal where the files lack what it has."""
    if reading.source == AUTHLOG:
        yield from reading.read_files(logs.paths, wanted.backfill)
        has_both = wanted.auth_source != FILES and logs.journal.status == OK
        lacks = False
        if has_both and reading.began:
            lacks, reading.asked = _lacks(logs, reading)
        if not lacks:
            return
        reading.leave_files()
    reading.source, reading.asked = JOURNAL, reading.held_by_journal("")
    yield from reading.read_journal(wanted.backfill)
    reading.asked = reading.held_by_journal(logs.signature)


def _choose(logs: Logs, wanted: str, reading: LogReading) -> tuple[str, tuple[str, float]]:
    """Return the log to read, '' for none, and what the journal was asked for when.

    A file is believed if it is written: then it has what the journal has.
    """
    asked = reading.asked
    has_journal = logs.journal.status == OK
    if not logs.paths:
        return JOURNAL if has_journal else "", asked
    if not has_journal or wanted == FILES:
        return AUTHLOG, asked
    path = logs.paths[0]
    before = reading.before
    if before.source == JOURNAL:
        known = reading.reader.time - BEHIND_SECONDS
        is_written = modified(path) >= known  # the cheaper question first
        has_all = is_written and _newest_time(path, reading.reader.stamps, reading.now) >= known
        return AUTHLOG if has_all and signature_of(asked) else JOURNAL, asked
    if not reading.began:
        newest = _newest_time(path, reading.reader.stamps, reading.now)
        is_silent = reading.now - newest >= SILENT_SECONDS
        return JOURNAL if is_silent and reading.has_journal_more(newest) else AUTHLOG, asked
    return AUTHLOG, asked


def _lacks(logs: Logs, reading: LogReading) -> tuple[bool, tuple[str, float]]:
    """Return whether the journal has what the files lack, and what it was asked for when.

    A syslogd that was off shows as silence: behind that the journal is asked, once a minute
    at most, whether it has more.
    """
    asked = reading.asked
    since = reading.doubtful()
    is_late = reading.now - asked[1] >= SILENT_SECONDS
    if not (since and is_late) or logs.signature == signature_of(asked):
        return False, asked
    lacks = reading.lacks_since(since)
    return bool(lacks), ("" if lacks is None else logs.signature, reading.now)


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
