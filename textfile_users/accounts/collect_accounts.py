"""Who the users are: the accounts of sessions and processes."""

from __future__ import annotations

import os

from textfile_users.accounts import passwd
from textfile_users.accounts.account import (
    GID,
    NO_PAUSE,
    NOTHING,
    UID,
    USER,
    Account,
    Answer,
    Known,
    accounts_of,
    due,
    forget,
    learn,
    nobody,
    pause_after,
    questions,
    shown_uids,
    system_users,
    with_groups,
)
from textfile_users.collecting import (
    ABSENT,
    BROKEN,
    OK,
    Reports,
    SourceReport,
    joined,
    reports_of,
)
from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular, reason
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from textfile_users.accounts.account import Question
    from textfile_users.collecting import Scan


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


NAME = "accounts"
MISSING = "-"
HANGS = "NSS hangs or crashes; users that are not in passwd have numbers until it answers"


def look_up(
    paths: Paths, wanted: list[Question], known: Known, now: float, deadline: float
) -> tuple[Known, SourceReport]:
    """Return what is known after this scan of the accounts ``wanted``, and the source's report.

    Files are read if they have changed or something new is wanted. NSS is asked on the own host
    alone, until ``deadline`` of time.monotonic(). ``now`` is in seconds since the epoch, and
    ``known`` what the last scan returned. Raises nothing.
    """
    faults: list[str] = []
    after = _from_files(paths, wanted, known, now, faults)
    if paths.is_own_host:
        after = _from_nss(wanted, after, now, deadline, faults)
    after = forget(after, wanted, now)
    status = BROKEN if faults else OK
    if status == OK and not paths.is_own_host and _signature(paths, passwd.PATH) == MISSING:
        status = ABSENT
    return after, SourceReport(NAME, status, tuple(f"{NAME}: {fault}" for fault in faults))


def _from_files(
    paths: Paths, wanted: list[Question], known: Known, now: float, faults: list[str]
) -> Known:
    """Return what is known, with an answer to all that is wanted, unless files cannot be read."""
    signature = " ".join(_signature(paths, path) for path in (passwd.PATH, passwd.GROUP))
    signature = f"{signature} {paths.root}"
    asked = with_groups(wanted, known.answers)
    if signature == known.signature and all(one in known.answers for one in asked):
        return known
    try:
        accounts = _read(paths, passwd.PATH, passwd.MAX_BYTES)
        groups = _read(paths, passwd.GROUP, passwd.MAX_BYTES)
    except OSError as error:  # what was known goes on
        faults.append(f"{error.filename}: {reason(error)}")
        return known
    before = known.answers.items() if paths.is_own_host else ()
    answers = {question: answer for question, answer in before if not answer.in_file}
    for question in wanted:
        answers.setdefault(question, nobody(question, 0.0))
    answers.update(_find_accounts(accounts, wanted, now))
    gids = [question for question in with_groups(wanted, answers) if question[0] == GID]
    for question in gids:
        answers.setdefault(question, nobody(question, 0.0))
    answers.update(_find_groups(groups, gids, now))
    return known._replace(answers=answers, signature=signature)


def _find_accounts(data: bytes, wanted: list[Question], now: float) -> dict[Question, Answer]:
    users = {key for kind, key in wanted if kind == USER}
    uids = {int(key) for kind, key in wanted if kind == UID}
    by_user, by_uid = passwd.find_entries(data, users, uids)
    found = {(USER, user): entry for user, entry in by_user.items()}
    found.update({(UID, str(uid)): entry for uid, entry in by_uid.items()})
    return {
        question: Answer(*question, entry.user, entry.uid, entry.gid, entry.name, True, now)
        for question, entry in found.items()
    }


def _find_groups(data: bytes, asked: list[Question], now: float) -> dict[Question, Answer]:
    names = passwd.find_groups(data, {int(key) for _, key in asked})
    return {
        (GID, str(gid)): Answer(GID, str(gid), "", -1, gid, name, True, now)
        for gid, name in names.items()
    }


def _from_nss(
    wanted: list[Question], known: Known, now: float, deadline: float, faults: list[str]
) -> Known:
    asked = due(known, wanted, now)
    if asked:
        from textfile_users.accounts.nss import ask  # most hosts have no need of it

        gids = {key for kind, key in known.answers if kind == GID and (kind, key) not in asked}
        try:
            reply = ask(asked, gids, now, deadline)
        except OSError as error:
            faults.append(f"no process to ask NSS: {reason(error)}")
            return known
        pause = pause_after(known.pause, reply.hung_on, now)
        known = learn(known, reply.answers)._replace(pause=pause)
    elif not 0 <= now - known.pause.time < known.pause.seconds:
        known = known._replace(pause=NO_PAUSE)  # what it hung on is not wanted any more
    if known.pause.seconds:
        faults.append(HANGS)
    return known


def _read(paths: Paths, path: str, limit: int) -> bytes:
    """Return what is in a file of the host, nothing where there is none. Raises OSError."""
    try:
        paths.require_inside(paths.below(path))
        return read_regular(paths.below(path), limit)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        error.filename = paths.below(path)
        raise


def _signature(paths: Paths, path: str) -> str:
    """Return a text that is another one when the file has changed."""
    try:
        status = os.stat(paths.below(path))
    except OSError:
        return MISSING
    # The time of change, unlike that of modification, cannot be set.
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_ctime_ns}"
