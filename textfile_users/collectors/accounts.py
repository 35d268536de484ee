"""Who the users are: the accounts of sessions and processes."""

from __future__ import annotations

from textfile_users.accounts import (
    NOTHING,
    Account,
    Known,
    accounts_of,
    questions,
    shown_uids,
    system_users,
)
from textfile_users.record import Record
from textfile_users.sources.accounts import look_up
from textfile_users.sources.report import Reports, joined, reports_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from textfile_users.wanted import Scan


class AccountsFound(Record):
    """The accounts of users with a session or processes, None where they are not known.

    ``memory`` is what files and NSS said of all that was asked. Uids below 1000 are known of
    ``system_users``.
    """

    memory: Known = NOTHING
    reports: Reports = Reports()
    accounts: tuple[Account, ...] | None = None
    system_users: frozenset[str] = frozenset()


def collect_accounts(
    scan: Scan,
    before: AccountsFound,
    users: set[str],
    running: set[int],
    counted: Collection[int],
    deadline: float,
) -> Iterator[AccountsFound]:
    """Find the accounts of ``users`` with a session, of ``running`` uids, and those ``counted``.

    NSS is asked until time.monotonic() is ``deadline``. Raises nothing.
    """
    asked = questions(users, running.union(counted))
    known, report = look_up(scan.paths, asked, before.memory, scan.now, deadline)
    shown = shown_uids(users, running, known, scan.wanted.all_users)
    yield before._replace(
        memory=known,
        reports=joined(before.reports, reports_of(report)),
        accounts=accounts_of(users, shown, known),
    )


def find_system_users(
    scan: Scan, before: AccountsFound, users: set[str], uids: set[int], deadline: float
) -> Iterator[AccountsFound]:
    """Add which of those who are or were here are the system's, where that is wanted.

    It comes when all logins are known: one that is over is shown at once or never.
    """
    if not scan.wanted.system_users:
        return
    asked = questions(users, uids)
    known, report = look_up(scan.paths, asked, before.memory, scan.now, deadline)
    faults = (*before.reports.faults, *report.faults)
    yield before._replace(
        memory=known,
        reports=before.reports._replace(faults=faults),
        system_users=system_users(known),
    )
