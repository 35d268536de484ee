"""Whose an id is: what files and NSS said of it, how long that holds, and what is shown of it."""

from __future__ import annotations

from textfile_users.accounts.passwd import (
    MAX_NAME,
    MAX_UID,
    NO_ACCOUNTS,
    Passwd,
    lent_uids,
    read_passwd,
)
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from textfile_users.paths import Paths

    # What is asked: the kind of an id, and the id as text.
    Question = tuple[str, str]

USER, UID, GID = "user", "uid", "gid"
KINDS = (USER, UID, GID)  # in this order NSS is asked: a name without its group is still a name

# For so many seconds holds what NSS said.
FOUND_SECONDS = 3600.0
MISSING_SECONDS = 600.0
# For so long NSS is left alone when it hung: at first, and at most.
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0

MAX_IDS = 1_000  # users, uids, and what NSS is asked in one scan
MAX_ANSWERS = 10_000
FIRST_UID = 1000  # of people; below are the system's


class Account(Record):
    """One account: ``group`` is its primary group's name, ``name`` the real name."""

    user: str
    uid: int
    group: str
    name: str


class Answer(Record):
    """What was said at ``time`` of the id ``key``, which is of a ``kind``.

    Of a user or uid: its account's ``user``, ``uid``, primary ``gid`` and real ``name``; of a
    gid: the group's ``gid`` and ``name``. Where there is none texts are '' and numbers -1. What
    is ``in_file``, passwd or group, holds until that changes; at time 0 nobody was asked but these.
    """

    kind: str
    key: str
    user: str
    uid: int
    gid: int
    name: str
    in_file: bool
    time: float

    @property
    def question(self) -> Question:
        """What was asked."""
        return self.kind, self.key

    @property
    def is_found(self) -> bool:
        """Whether there is such an account or group."""
        return bool(self.name if self.kind == GID else self.user)

    def is_young(self, now: float) -> bool:
        """Whether it is not yet time to ask again."""
        return 0 <= now - self.time < (FOUND_SECONDS if self.is_found else MISSING_SECONDS)


class Pause(Record):
    """NSS is left alone for ``seconds`` from ``time`` on, since it hung on a question."""

    kind: str
    key: str
    seconds: float
    time: float


NO_PAUSE = Pause("", "", 0.0, 0.0)


class Known(Record):
    """What is remembered: ``answers`` by question, and of which files (``signature``)."""

    answers: Mapping[Question, Answer]
    signature: str = ""
    pause: Pause = NO_PAUSE


NOTHING = Known({})


def nobody(question: Question, time: float) -> Answer:
    """Return the answer that there is no such account or group."""
    return Answer(*question, "", -1, -1, "", False, time)


def questions(users: Iterable[str], uids: Iterable[int]) -> list[Question]:
    """Return what is to be asked to know these users and uids, 1,000 of each at most."""
    names = sorted(user for user in users if 0 < len(user) <= MAX_NAME and "\0" not in user)
    numbers = sorted(uid for uid in uids if 0 <= uid <= MAX_UID)
    return [(USER, name) for name in names[:MAX_IDS]] + [(UID, str(n)) for n in numbers[:MAX_IDS]]


def with_groups(wanted: list[Question], answers: Mapping[Question, Answer]) -> list[Question]:
    """Return what is ``wanted``, and the primary groups of the accounts that it has found."""
    found = [answers[question] for question in wanted if question in answers]
    return wanted + list(dict.fromkeys((GID, str(one.gid)) for one in found if one.gid >= 0))


def due(known: Known, wanted: list[Question], now: float) -> list[Question]:
    """Return what NSS is to be asked now: first what is not known, last what it hung on."""
    pause = known.pause
    if 0 <= now - pause.time < pause.seconds:
        return []
    asked = []
    for question in with_groups(wanted, known.answers):
        answer = known.answers.get(question)
        if answer is None or not (answer.in_file or answer.is_young(now)):
            is_known = answer is not None and answer.is_found
            rank = (question == (pause.kind, pause.key), is_known, KINDS.index(question[0]))
            asked.append((rank, question))
    return [question for _, question in sorted(asked)[:MAX_IDS]]


def learn(known: Known, answers: Iterable[Answer]) -> Known:
    """Return what is known after NSS has given ``answers``.

    An account that it no longer finds is kept and asked for again in ten minutes: libc's
    answer is the same for one that is gone and for a server that is down.
    """
    after = dict(known.answers)
    for answer in answers:
        before = after.get(answer.question)
        if before and before.is_found and not answer.is_found:
            time = answer.time - FOUND_SECONDS + MISSING_SECONDS
            after[answer.question] = before._replace(time=time)
        else:
            after[answer.question] = answer
    return known._replace(answers=after)


def pause_after(before: Pause, hung_on: Question | None, now: float) -> Pause:
    """Return for how long NSS is left alone, which doubles each time that it hangs."""
    if hung_on is None:
        return NO_PAUSE
    return Pause(*hung_on, min(max(2 * before.seconds, FIRST_PAUSE), LONGEST_PAUSE), now)


def forget(known: Known, wanted: list[Question], now: float) -> Known:
    """Return what is known without answers that are neither wanted nor young."""
    asked = set(with_groups(wanted, known.answers))
    kept = {
        question: answer
        for question, answer in known.answers.items()
        if question in asked or answer.is_young(now)
    }
    if len(kept) > MAX_ANSWERS:
        newest = sorted(kept, key=lambda question: (question in asked, kept[question].time))
        kept = {question: kept[question] for question in newest[-MAX_ANSWERS:]}
    return known if len(kept) == len(known.answers) else known._replace(answers=kept)


def name_of(uid: int, known: Known) -> str:
    """Return the user's name as getpwuid(3) has it, the number where there is no account."""
    answer = known.answers.get((UID, str(uid)))
    return answer.user if answer and answer.is_found else str(uid)


def shown_uids(
    users: Iterable[str], uids: Iterable[int], known: Known, all_users: bool = False
) -> set[int]:
    """Return those of ``uids`` that are shown: of people, of ``users`` with a session, or all."""
    with_session = {account.uid for account in _accounts_by_name(users, known)}
    return {uid for uid in uids if all_users or uid >= FIRST_UID or uid in with_session}


def system_users(known: Known) -> frozenset[str]:
    """Return the names of those who are known to be no people: their uids are below 1000."""
    return frozenset(
        name
        for answer in known.answers.values()
        if answer.kind != GID and answer.is_found and 0 <= answer.uid < FIRST_UID
        for name in (answer.user, answer.key)
    )


def accounts_of(users: Iterable[str], uids: Iterable[int], known: Known) -> tuple[Account, ...]:
    """Return the accounts of ``users``, who have a session, and of ``uids`` with processes.

    A name of a session is left out where no account has it, for nothing is known of it. A uid
    without an account has its number for a name. Of several names of one uid those with a
    session are there, else getpwuid(3)'s. They are in order of uid and name.
    """
    accounts = _accounts_by_name(users, known)
    named = {account.uid for account in accounts}
    for uid in set(uids) - named:
        answer = known.answers.get((UID, str(uid))) or nobody((UID, str(uid)), 0.0)
        accounts.append(_account(answer.user or str(uid), uid, answer, known))
    return tuple(sorted(accounts, key=lambda account: (account.uid, account.user)))


def _accounts_by_name(users: Iterable[str], known: Known) -> list[Account]:
    answers = {user: known.answers.get((USER, user)) for user in users}
    # The session's name, for NSS may write the account's in another case.
    return [
        _account(user, answer.uid, answer, known)
        for user, answer in answers.items()
        if answer and answer.is_found
    ]


def _account(user: str, uid: int, answer: Answer, known: Known) -> Account:
    group = known.answers.get((GID, str(answer.gid)))
    return Account(user, uid, group.name if group else "", answer.name)


def account_names(paths: Paths) -> AbstractSet[str]:
    """Return the names of the host's accounts, none where passwd cannot be read."""
    return accounts(paths).names


def accounts(paths: Paths, answers: Iterable[Answer] = ()) -> Passwd:
    """Return the accounts in passwd, if it can be read, and what NSS answered of others."""
    found = NO_ACCOUNTS
    for _ in range(2):  # one call may fail by accident, and would count for unknown users
        try:
            found = read_passwd(paths)
            break
        except OSError:
            continue
    by_uid, uids = dict(found.by_uid), dict(found.uids)
    for answer in answers:
        if answer.user and answer.uid >= 0:
            by_uid.setdefault(answer.uid, answer.user)
            uids.setdefault(answer.user, answer.uid)
    return Passwd(by_uid, uids, lent_uids(paths))
