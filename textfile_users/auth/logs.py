"""The logs of a host: which there are, how far they were read, and what was found."""

from __future__ import annotations

import os

from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, Reports, SourceReport
from textfile_users.counting import Counts
from textfile_users.paths import Paths
from textfile_users.reading.files import open_regular, reason
from textfile_users.reading.position import Position
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from textfile_users.auth.journal_files import JournalPosition
    from textfile_users.auth.remembered import Key, Remembered
    from textfile_users.auth_event import AuthEvent
    from textfile_users.collecting import Scan


AUTO = "auto"
FILES = "files"
JOURNAL = "journal"
AUTHLOG = "authlog"
HOUR = 3600.0
# A file that is written is so far behind the journal at most.
BEHIND_SECONDS = 2.0
# After so long without a line the journal is asked whether the file is still written.
SILENT_SECONDS = 60.0


class Logs(Record):
    """The logs of the host: the files to follow, and the state of the journal's."""

    files: SourceReport
    paths: tuple[str, ...]
    journal: SourceReport
    signature: str


class AuthMemory(Record):
    """How far logs were read, and what their lines left undecided.

    ``source`` is the log believed last, ``time`` that of the newest line read of it, and ``quiet``
    that of one behind which it may lack lines that another has, 0 for none; all in seconds since
    the epoch. ``logs`` are positions by path, ``remembered`` what processes have said, ``held``
    what of PAM's refusals and escalations waits, and ``last`` the newest line's.
    """

    source: str = ""
    time: float = 0.0
    quiet: float = 0.0
    logs: dict[str, Position] = {}
    journal: JournalPosition | None = None
    remembered: tuple[tuple[Key, Remembered], ...] = ()
    held: tuple[AuthEvent, ...] = ()
    last: AuthEvent | None = None


class AuthNotes(Record):
    """What spares the next scan work, and may vanish.

    ``asked`` is what the journal held when it was read to its end or asked, and when that was.
    ``strange`` tells of a log, by its path, how lines begin of which none is understood.
    """

    asked: tuple[str, float] = ("", 0.0)
    strange: dict[str, str] = {}


class AuthFound(Record):
    """What the log gave.

    ``source`` is the log that was read, '' for none, ``caught_up`` whether to its end.
    ``refused_users`` says by address how often whom the host refused within the last hour, ''
    for users not known. ``explained`` says of each line what it is, where that was asked for.
    """

    memory: AuthMemory
    notes: AuthNotes
    counts: Counts
    reports: Reports = Reports()
    source: str = ""
    caught_up: bool = True
    refused_users: Mapping[str, Mapping[str, int]] = {}
    explained: tuple[str, ...] = ()


def faults_of(paths: Paths, source: str, logs: Logs) -> tuple[str, ...]:
    """Return what is wrong with the logs where ``source`` is the one that is read, '' for none."""
    of_files = logs.files.faults if paths.auth_logs_given or not source else ()
    return of_files if source else (*of_files, *logs.journal.faults)


def signature_of(asked: tuple[str, float]) -> str:
    """Return what the journal held, without its ends."""
    return asked[0].partition("\t")[0]


def find_logs(scan: Scan, before: AuthMemory) -> Logs:
    """Return the logs that may be read. Raises nothing."""
    paths, source = scan.paths, scan.wanted.auth_source
    files = SourceReport(AUTHLOG, ABSENT)
    found: tuple[str, ...] = ()
    if source in (AUTO, FILES):
        files, found = _find_files(paths, before, scan.now)
    journal, signature = SourceReport(JOURNAL, ABSENT), ""
    if source == JOURNAL or (source == AUTO and not paths.auth_logs_given):
        from textfile_users.auth.journal_files import journal_state

        try:
            status, signature = journal_state(paths)
            journal = SourceReport(JOURNAL, status)
        except OSError as error:
            fault = f"{error.filename}: {reason(error)}"
            journal = SourceReport(JOURNAL, BROKEN, (fault,))
        if journal.status == DENIED:
            fault = "the journal cannot be read; see group systemd-journal"
            journal = SourceReport(JOURNAL, DENIED, (fault,))
    return Logs(files, found, journal, signature)


def _find_files(
    paths: Paths, before: AuthMemory, now: float
) -> tuple[SourceReport, tuple[str, ...]]:
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
            is_rotated = path in before.logs and abs(now - modified(os.path.dirname(path))) < 2
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


def modified(path: str) -> float:
    """Return when a file was written last, 0 where that cannot be known."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
