"""Who the users are: the accounts of sessions and processes."""

from __future__ import annotations

from textfile_users.accounts import accounts_of, questions, shown_uids, system_users
from textfile_users.kept import NOTHING
from textfile_users.model import ABSENT, ACCOUNTS, OK, Snapshot, Wanted
from textfile_users.paths import Paths
from textfile_users.sources.accounts import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def look_at_accounts(
    paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Add the accounts of users with a session or processes. Raises nothing.

    NSS is asked until time.monotonic() is ``deadline``.
    """
    kept = before.kept or NOTHING
    users = {session.user for session in before.sessions or ()}
    running = {process.uid for process in before.processes or () if process.uid >= 0}
    uids = running.union(kept.usage.seconds)
    known, report = look_up(paths, questions(users, uids), kept.known, before.now, deadline)
    shown = shown_uids(users, running, known, wanted.all_users)
    success = report.status in (OK, ABSENT)
    yield before._replace(
        accounts=accounts_of(users, shown, known),
        kept=kept._replace(known=known),
        sources=(*before.sources, report),
        faults=(*before.faults, *report.faults),
        failed=before.failed if success else (*before.failed, ACCOUNTS),
    )


def add_system_users(
    paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Add which of those who are or were here are the system's, where that is wanted.

    It comes when all logins are known: one that is over is shown at once or never.
    """
    if not wanted.system_users or before.durable is None:
        return
    kept = before.kept or NOTHING
    users = {session.user for session in before.sessions or ()}
    running = {process.uid for process in before.processes or () if process.uid >= 0}
    asked = questions(users.union(before.durable.last_logins), running.union(kept.usage.seconds))
    known, report = look_up(paths, asked, kept.known, before.now, deadline)
    yield before._replace(
        system_users=system_users(known),
        kept=kept._replace(known=known),
        faults=(*before.faults, *report.faults),
    )
