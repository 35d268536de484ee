"""Logins and their ends, each counted once, from what logs, wtmp and sessions say of them.

An event of the auth log begins a login. What wtmp, wtmpdb or a look at the sessions shows is
the same login if user and leader's pid are the same, or if it began within ten seconds on the
same terminal or from the same address; else it is one that no event covered.
"""

from __future__ import annotations

import sys
from itertools import islice

from textfile_users.record import Record, quick
from textfile_users.sessions.session import Session

SAME_SECONDS = 10.0
# For how long an ended login is remembered, for records of it that come late.
REMEMBERED_SECONDS = 600.0
MAX_LOGINS = 10_000
# A record comes later than its login, but for less than this.
LONG_BEFORE = 60.0
MAX_NEAR = 32  # logins of a user that another is compared with


class Login(Record):
    """A login: ``end`` is 0 while it is open, ``gone`` when its leader was first missed.

    ``source`` is who told of it first; ``covered`` says that an event did, ``counted`` that it
    is among the logins counted. ``key`` is wtmpdb's.
    """

    source: str
    user: str
    type: str
    service: str
    pid: int
    tty: str
    ip: str
    port: int
    start: float
    end: float = 0.0
    gone: float = 0.0
    key: str = ""
    covered: bool = False
    counted: bool = False


EVENT = "event"
WTMP = "wtmp"  # whose records stand in the order in which they were written
OTHER = "other"  # the type, or service, that is not known
_UNKNOWN = {OTHER, ""}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Place = TypeVar("Place")


class Logins:
    """The logins that are open, ended lately, or not yet known to be covered by an event.

    Such as no event covered count when ten seconds have passed in which one could have come.
    """

    def __init__(
        self,
        logins: Iterable[Login],
        forgotten: float,
        count_login: Callable[[Login], None],
        count_end: Callable[[Login], None],
    ) -> None:
        """Go on with another scan's ``logins`` and ``forgotten``, the newest end not kept."""
        self.forgotten = forgotten
        self._count_login = count_login
        self._count_end = count_end
        self._logins = dict(enumerate(logins))
        self._next = len(self._logins)
        self._by_pid: dict[tuple[str, int], int] = {}
        self._open: dict[tuple[str, int], int] = {}
        self._by_place: dict[str, int] = {}
        self._by_peer: dict[tuple[str, int], int] = {}
        # When each began and its number, in that order.
        self._by_user: dict[str, list[tuple[float, int]]] = {}
        self._uncovered: dict[str, list[tuple[float, int]]] = {}
        for number, login in self._logins.items():
            self._index(number, login)

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._logins)

    def all(self) -> tuple[Login, ...]:
        """Return what the next scan is to go on with."""
        return tuple(self._logins.values())

    def begin(self, login: Login) -> None:
        """Take a login that an event tells of, which is ``covered``."""
        number = self._find(login, covered=False)
        if number is not None:
            self._change(number, _merged(login, self._logins[number]))
            self._count(number)
            return
        self._add(quick(Login, (*login[:-1], True)))
        if not login.counted:
            self._count_login(login)

    def knows(self, user: str, pid: int) -> bool:
        """Return whether a login of a user with the leader ``pid`` is remembered."""
        return (user, pid) in self._by_pid

    def is_over(self, ip: str, port: int, time: float) -> bool:
        """Return whether a login came over the connection from there, and lasts or ended now."""
        number = self._by_peer.get((ip, port)) if port else None
        if number is None:
            return False
        end = self._logins[number].end
        return not end or abs(time - end) < SAME_SECONDS

    def recorded(self, login: Login) -> None:
        """Take a login that a record or a look at the sessions tells of."""
        number = self._find(login, covered=None)
        if number is not None:
            self._change(number, _merged(self._logins[number], login))
        elif login.start > self.forgotten + SAME_SECONDS:
            self._add(login)

    def settle(self, now: float, patient: bool, since: float) -> None:
        """Count what no event covered, if not ``patient`` at once.

        Logins from before ``since`` are only remembered, for their end.
        """
        for number, login in list(self._logins.items()):
            if login.counted or (patient and now - login.start < SAME_SECONDS):
                continue
            if login.start < since:
                self._logins[number] = login._replace(counted=True)
            else:
                self._count(number)

    def end_by_event(self, service: str, pid: int, time: float) -> None:
        """End the login of a ``service`` whose leader is ``pid``."""
        number = self._open.get((service, pid))
        if number is not None:
            self._end(number, time)

    def end_by_record(
        self, tty: str, key: str, time: float, alive: Callable[[Login], bool]
    ) -> None:
        """End the login on terminal ``tty``, or of wtmpdb's row ``key``, whose leader is gone.

        What wtmp alone told of came before this record, whatever the clock said.
        """
        number = self._by_place.get(_place(tty, key))
        if number is None:
            return
        login = self._logins[number]
        is_before = key or login.start <= time or login.source == WTMP
        if not login.end and is_before and not (login.pid and alive(login)):
            self._end(number, time)

    def succeed(self, next_: Login, alive: Callable[[Login], bool]) -> None:
        """End the login whose terminal is the ``next_`` one's now, if nobody recorded its end."""
        number = self._by_place.get(_place(next_.tty, ""))
        if number is None:
            return
        login = self._logins[number]
        is_before = login.start < next_.start or login.source == next_.source == WTMP
        is_over = is_before and not login.end
        is_other = login.user != next_.user or not _is_same(login, next_)
        if is_over and is_other and not (login.pid and alive(login)):
            self._end(number, next_.start)

    def boot(self, time: float, source: str = "") -> None:
        """End what was open when the host booted or went down, as ``source`` tells."""
        for number, login in list(self._logins.items()):
            is_before = login.start < time or login.source == source == WTMP
            if is_before and not login.end:
                self._end(number, time)

    def look(
        self, sessions: tuple[Session, ...], now: float, alive: Callable[[set[int]], set[int]]
    ) -> None:
        """Take the sessions of a scan: new ones, and which logins' leaders are gone."""
        for session in sessions:
            if session.is_login:
                self._take_session(session)
        leaders = {session.leader for session in sessions}
        ttys = {session.tty for session in sessions if session.tty}
        still_open = {n: login for n, login in self._logins.items() if login.pid and not login.end}
        missed = {
            login.pid
            for login in still_open.values()
            if login.pid not in leaders and login.tty not in ttys
        }
        if missed:
            missed -= alive(missed)
        for number, login in still_open.items():
            if login.pid not in missed:
                if login.gone:  # it could not be seen for a while
                    self._logins[number] = login._replace(gone=0.0)
            elif not login.gone:
                self._logins[number] = login._replace(gone=now)
            elif now - login.gone >= SAME_SECONDS:
                self._end(number, login.gone)

    def _take_session(self, session: Session) -> None:
        known = self._logins.get(self._by_pid.get((session.user, session.leader), -1))
        if not known or known.end or not session.leader:
            self.recorded(_of_session(session))
        elif session.tty and not known.tty:  # a record may have nothing else
            number = self._by_pid[session.user, session.leader]
            self._change(number, known._replace(tty=session.tty))

    def bound(self, now: float) -> None:
        """Drop what ended long ago where there are too many, and then the oldest."""
        if len(self._logins) > MAX_LOGINS:
            self.forget(now)

    def forget(self, now: float) -> None:
        """Drop what ended long ago, and the oldest of too many."""
        old = now - REMEMBERED_SECONDS
        over = [
            number
            for number, login in self._logins.items()
            if login.counted and 0 < login.end <= old
        ]
        kept = len(self._logins) - len(over)
        if kept > MAX_LOGINS:
            dropped = set(over)
            rest = (number for number in self._logins if number not in dropped)
            over += islice(rest, kept - MAX_LOGINS)
        for number in over:
            self._drop(number, now)

    def _drop(self, number: int, now: float) -> None:
        login = self._logins.pop(number)
        if login.covered:
            self.forgotten = max(self.forgotten, min(login.start, now))
        self._take_out(self._open, (login.service, login.pid), number)
        self._take_out(self._by_pid, (login.user, login.pid), number)
        self._take_out(self._by_peer, (login.ip, login.port), number)
        for place in (_place(login.tty, ""), _place("", login.key)):
            self._take_out(self._by_place, place, number)
        self._take_place(number, login)

    @staticmethod
    def _take_out(index: dict[Place, int], place: Place, number: int) -> None:
        if index.get(place) == number:  # else it is a later login's
            del index[place]

    def _find(self, login: Login, covered: bool | None) -> int | None:
        """Return the number of the same login, if it is known (and not ``covered`` by another)."""
        number = self._by_pid.get((login.user, login.pid)) if login.pid else None
        if number is not None and self._fits(number, login, covered):
            return number
        begun = (self._by_user if covered is None else self._uncovered).get(login.user)
        for number in _near(begun, login.start) if begun else ():
            if self._fits(number, login, covered):
                return number
        return None

    def _fits(self, number: int, login: Login, covered: bool | None) -> bool:
        known = self._logins.get(number)
        if known is None or (covered is not None and known.covered != covered):
            return False
        return _is_same(known, login)

    def _add(self, login: Login) -> int:
        number, self._next = self._next, self._next + 1
        self._logins[number] = login
        self._index(number, login)
        return number

    def _change(self, number: int, login: Login) -> None:
        """Take what is now known of a login."""
        self._take_place(number, self._logins[number])
        self._logins[number] = login
        self._index(number, login)

    def _take_place(self, number: int, login: Login) -> None:
        """Take a login out of those of its user."""
        for by_user in (self._by_user, self._uncovered):
            begun = by_user.get(login.user, [])
            at = _index_of(begun, login.start, number)
            if begun[at : at + 1] == [(login.start, number)]:
                del begun[at]
                if not begun:
                    del by_user[login.user]

    def _note(self, number: int, login: Login) -> None:
        if login.pid:
            self._by_pid[login.user, login.pid] = number
            if not login.end:
                self._open[login.service, login.pid] = number
        if login.port:
            self._by_peer[login.ip, login.port] = number
        if login.tty:
            self._by_place[_place(login.tty, "")] = number
        if login.key:
            self._by_place[_place("", login.key)] = number

    def _index(self, number: int, login: Login) -> None:
        self._note(number, login)
        for by_user in (self._by_user,) if login.covered else (self._by_user, self._uncovered):
            begun = by_user.get(login.user)
            if begun is None:
                by_user[login.user] = [(login.start, number)]
            elif begun[-1][0] < login.start:
                begun.append((login.start, number))
            else:
                begun.insert(_index_of(begun, login.start, number), (login.start, number))

    def _count(self, number: int) -> None:
        login = self._logins[number]
        if login.counted:
            return
        self._logins[number] = login = login._replace(counted=True)
        self._count_login(login)
        if login.end:
            self._count_end(login)

    def _end(self, number: int, time: float) -> None:
        login = self._logins[number]
        end = max(time, login.start, 1.0)  # the clock may have been set back
        login = self._logins[number] = login._replace(end=end)
        self._take_out(self._open, (login.service, login.pid), number)
        if login.counted:
            self._count_end(login)


def logged_addresses(logins: Iterable[Login], sessions: Iterable[Session]) -> dict[int, str]:
    """Return the addresses of SSH ``sessions`` of which there is a login, by their leader.

    Of several logins of one pid and time the first: it was there before the session was.
    """
    starts = {session.leader: session.start for session in sessions if session.leader > 1}
    found: dict[int, str] = {}
    for login in logins:
        start = starts.get(login.pid)
        if start is None or not login.ip or login.type != "ssh":
            continue
        if abs(login.start - start) < LONG_BEFORE:
            found.setdefault(login.pid, login.ip)
    return found


def _near(begun: list[tuple[float, int]], start: float) -> list[int]:
    """Return the numbers of what may be the login that began at ``start``, the nearest first.

    Of more than MAX_NEAR those that began next to it: somebody who logs in that often may be
    counted twice, but costs no more than others.
    """
    low = _index_of(begun, start - LONG_BEFORE)
    high = _index_of(begun, start + SAME_SECONDS, sys.maxsize)
    if high - low > MAX_NEAR:
        middle = _index_of(begun, start)
        low, high = max(low, middle - MAX_NEAR // 2), min(high, middle + MAX_NEAR // 2)
    near = begun[low:high]
    if len(near) == 1:
        return [near[0][1]]
    return [number for _, number in sorted(near, key=lambda one: abs(one[0] - start))]


def _index_of(begun: list[tuple[float, int]], start: float, number: int = 0) -> int:
    """Return where in ``begun`` a login is or would be (the module bisect costs each run more)."""
    low, high = 0, len(begun)
    while low < high:
        middle = (low + high) // 2
        if begun[middle] < (start, number):
            low = middle + 1
        else:
            high = middle
    return low


def _place(tty: str, key: str) -> str:
    """Return what an end is known by: wtmpdb's row, else the terminal; '' for neither."""
    return "row " + key if key else tty and "tty " + tty


def _is_same(one: Login, other: Login) -> bool:
    """Return whether two logins of one user are the same."""
    if one.key and other.key:
        return one.key == other.key
    if one.source == other.source != EVENT and _is_another(one, other):
        return False
    apart = abs(one.start - other.start)
    if one.pid and one.pid == other.pid:
        # A terminal opened later in an SSH connection has a record of its own.
        is_within = one.start < other.start <= (one.end or other.start)
        return apart <= SAME_SECONDS or (is_within and other.source != EVENT)
    if 0 < one.end < other.start:
        return False
    if one.tty and one.tty == other.tty and other.source != EVENT and one.start < other.start:
        return True  # a terminal is one login's at a time, and a slow host records it late
    # wtmpdb has no pid; an event of the same user and address covers what it records late.
    is_late = one.covered and not other.pid and one.start < other.start
    if apart > (LONG_BEFORE if is_late and one.ip and one.ip == other.ip else SAME_SECONDS):
        return False
    if one.tty and other.tty:
        return one.tty == other.tty
    return _is_like(one, other) and (not one.ip or not other.ip or one.ip == other.ip)


def _is_another(one: Login, other: Login) -> bool:
    """Return whether a source that told of ``one`` tells of an ``other`` login.

    wtmp has a login twice where PAM writes it too: with another pid, but at the same moment.
    """
    if one.end and (one.end <= other.start or one.source == WTMP):
        return True
    if not (one.pid and other.pid) or one.pid == other.pid:
        return False
    is_soon = -1.0 <= other.start - one.start <= SAME_SECONDS  # PAM writes whole seconds
    return one.tty != other.tty or not one.tty or not is_soon


def _is_like(one: Login, other: Login) -> bool:
    """Return whether types and services do not speak against one login: not all know them."""
    if one.type == other.type:
        return True
    services = {one.service, other.service} - _UNKNOWN
    return OTHER in (one.type, other.type) and len(services) < 2


def _merged(known: Login, other: Login) -> Login:
    """Return what is known of a login, with what another source adds."""
    return known._replace(
        type=other.type if known.type == OTHER else known.type,
        service=known.service or other.service,
        pid=known.pid or other.pid,
        tty=known.tty or other.tty,
        ip=known.ip or other.ip,
        key=known.key or other.key,
        end=known.end or other.end,
        counted=known.counted or other.counted,
    )


def _of_session(session: Session) -> Login:
    return Login(
        "session",
        session.user,
        session.type,
        session.service,
        session.leader,
        session.tty,
        session.ip,
        0,
        session.start,
    )
