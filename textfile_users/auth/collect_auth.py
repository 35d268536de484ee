"""Who came, went and failed to get in: one log at a time, files or the journal."""

from __future__ import annotations

from textfile_users.auth.logs import (
    AUTHLOG,
    BEHIND_SECONDS,
    JOURNAL,
    SILENT_SECONDS,
    AuthFound,
    Logs,
    faults_of,
    find_logs,
    modified,
    signature_of,
)
from textfile_users.collecting import HISTORY, OK, Reports
from textfile_users.reading.position import is_at_rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.accounts.account import Known
    from textfile_users.collecting import Scan
    from textfile_users.sessions.session import Session


def collect_auth(
    scan: Scan,
    before: AuthFound,
    sessions: tuple[Session, ...],
    known: Known,
    deadline: float,
) -> Iterator[AuthFound]:
    """Read what the host's log has that was not read before, and count it.

    Begins no further step once time.monotonic() has passed ``deadline``, for the next scan to go
    on. Raises nothing but what is a fault of this program.
    """
    logs = find_logs(scan, before.memory)
    source = _source_at_rest(scan, before, logs)
    if source is not None:
        faults = faults_of(scan.paths, source, logs)
        reports = Reports((logs.files, logs.journal), faults, success=not faults)
        yield before._replace(reports=reports, source=source)
        return
    from textfile_users.auth.log_choice import read_logs

    yield from read_logs(scan, before, sessions, known, logs, deadline)


def _source_at_rest(scan: Scan, before: AuthFound, logs: Logs) -> str | None:
    """Return the log that is read where it has nothing new and nothing waits, '' for no log.

    None where it is to be read, or where what is to be read is still to be found out. Most scans
    find nothing new, and are spared what reads lines.
    """
    memory, notes, wanted = before.memory, before.notes, scan.wanted
    is_waiting = bool(memory.remembered or memory.held or memory.quiet or notes.strange)
    is_plain = HISTORY in wanted.collectors and not (wanted.explain or wanted.backfill)
    is_past = memory.time <= scan.now  # else the clock was wrong, then or now
    if is_waiting or not (is_plain and is_past and before.counts.began):
        return None
    has_journal = logs.journal.status == OK
    if not logs.paths and not has_journal:
        return ""
    if memory.source == JOURNAL and has_journal:
        newest = memory.time - BEHIND_SECONDS
        is_alone = not any(modified(path) >= newest for path in logs.paths)
        return JOURNAL if is_alone and logs.signature == signature_of(notes.asked) else None
    if memory.source != AUTHLOG or len(logs.paths) != 1:
        return None
    is_doubtful = scan.now - max(memory.time, notes.asked[1]) >= SILENT_SECONDS
    if has_journal and is_doubtful and logs.signature != signature_of(notes.asked):
        return None  # it may have what the file lacks
    (path,) = logs.paths
    return AUTHLOG if path in memory.logs and is_at_rest(path, memory.logs[path]) else None
