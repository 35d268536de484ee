"""From events to counters: what a scan adds to the state of the last one."""

from __future__ import annotations

from textfile_users.auth_event import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    PROBE,
    SESSION_CLOSED,
    SESSION_OPENED,
    SUCCESS,
    Finding,
)
from textfile_users.collecting import MAX_USERS, ROOT
from textfile_users.logins import EVENT, MAX_LOGINS, Login, Logins
from textfile_users.reading.addresses import network_of
from textfile_users.reading.text import label
from textfile_users.record import Record, quick
from textfile_users.sessions.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from textfile_users.admission import Admission
    from textfile_users.auth_event import AuthEvent

# When counting began that leaves nothing out; 0 is never.
BEGINNING = 1.0
# A family and its label values; a histogram's bucket has its bound behind them.
Series = tuple[str, ...]
# Among the counters, with a family for its label: how often a series had no place, '' for what
# the state file has no place for.
DROPPED = "users_series_dropped"
SUCCESSES = "users_auth_successes_total"
FAILURES = "users_auth_failures_total"
PROBES = "users_auth_probes_total"
ESCALATIONS = "users_escalations_total"
ESCALATION_FAILURES = "users_escalation_failures_total"
LINES = "users_auth_log_lines_total"
SKIPPED = "users_records_skipped_total"
LOGINS = "users_logins_total"
REBOOTS = "users_reboots_total"
CLEAN, CRASH = "clean", "crash"
LAST_LOGIN = "users_last_login_timestamp_seconds"
DURATION = "users_session_duration_seconds"
DURATION_SUM = "users_session_duration_seconds_sum"

HOUR = 3600.0
MINUTE = 60
LAST_HOUR = "users_auth_failures_last_hour"
# Addresses of the last hour: so many are kept, in memory twice as many.
MAX_ADDRESSES = 10_000
# With more numbers by address and minute those of all but the first addresses are by ten minutes.
MAX_MINUTES = 100_000
EXACT_ADDRESSES = 500
COARSE = 10
MAX_REFUSED = 20  # users of an address
BOUNDS = (1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0)
_BUCKETS = tuple((bound, str(bound)) for bound in BOUNDS)

# Services whose success begins a login; others say when a session opens.
_LOGIN_TYPES = {"sshd": "ssh", "dropbear": "ssh", "login": "tty", "xrdp": "rdp"}
_BY_SUCCESS = ("sshd", "dropbear")
_BY_SESSION = ("login", "gdm", "lightdm", "sddm", "xrdp", "cockpit", "other")
# They have no line for a password that was right.
_NO_SUCCESS = ("gdm", "lightdm", "sddm", "xrdp", "cockpit", "other")


class Counts(Record):
    """What was counted, and what counting goes on with; times are seconds since the epoch.

    ``began`` is when counting began, 0 before the first scan, ``boot`` when the host booted.
    ``counters`` are the samples of the counters, ``failures`` those of the last hour by address and
    minute, ``attempts`` all of that hour with the probes by minute, ``last_logins`` by user.
    ``logins`` are those remembered, and ``forgotten`` is the newest end not kept, see Logins.
    """

    began: float = 0.0
    boot: float = 0.0
    counters: dict[Series, float] = {}
    failures: dict[str, dict[int, int]] = {}
    attempts: dict[int, int] = {}
    last_logins: dict[str, float] = {}
    logins: tuple[Login, ...] = ()
    forgotten: float = 0.0


class Counting:
    """Counts the events of a scan on top of the state before it.

    ``accounts`` gives the names of the host's accounts, when first needed; names of nobody count
    as ``user=""``, for who knocks at the door may choose them. Unless ``counts`` is set nothing is
    counted: what is read is of the past, for the last hour and the last logins. Where ``refused``
    is a dictionary, it gets by address how often whom of those that the host knows.

    A series that is counted goes on. A new one for which its family has no place counts under
    ``user=""``, and how often is among the counters, as users_series_dropped. Names that nobody
    has may be invented, so they get half of the places at most.
    """

    def __init__(
        self,
        before: Counts,
        now: float,
        sessions: tuple[Session, ...],
        accounts: Callable[[], Collection[str]],
        read_until: float = 0.0,
    ) -> None:
        """Go on from ``before``, which stays as it is; a log was ``read_until`` that time."""
        self.counts = True
        self.refused: dict[str, dict[str, int]] | None = None
        self._now = now
        self._before = before
        self._latest = max(now, read_until) + HOUR  # the clock may not be set yet
        self._accounts = accounts
        self._names: Collection[str] | None = None
        self._counters = dict(before.counters)
        self._failures = _of_hour(before.failures, now)
        self._attempts = _attempts_of_hour(before, now)
        self._last_logins = dict(before.last_logins)
        self._boot = before.boot
        self._types = {session.leader: session.type for session in sessions}
        self._with_session = {session.user for session in sessions}
        self._begun = 0
        self._with_durations: set[str] = set()
        self._admission: Admission | None = None  # most scans have no new series
        # What failures count as, by what they say.
        self._series: dict[tuple[str, str, str], Series] = {}
        self.logins = Logins(before.logins, before.forgotten, self._login, self._end)
        if len(self._counters) > MAX_USERS:
            for family, over in self._places().bound().items():
                self._drop(family, over)
        for session in sessions:
            if session.is_login and session.start:  # else no end of it will count
                self._begin_durations(session.type)

    def result(self) -> Counts:
        """Return all that was counted."""
        self.logins.bound(self._now)
        self._bound_last_logins(MAX_USERS)
        self._failures = self._bound_addresses(MAX_ADDRESSES)
        return self._before._replace(
            counters=dict(self._counters),
            failures=self._copied_failures(),
            attempts=dict(self._attempts),
            last_logins=dict(self._last_logins),
            boot=self._boot,
            logins=self.logins.all(),
            forgotten=self.logins.forgotten,
        )

    def take(self, event: AuthEvent) -> None:
        """Count an event of an auth log."""
        _TAKE[event.said.event](self, event, event.said)

    def _success(self, event: AuthEvent, said: Finding) -> None:
        self._add((SUCCESSES, said.service, said.method, label(said.user)), said.times)
        if said.service in _BY_SUCCESS:
            self._begin(event, said)

    def _failure(self, event: AuthEvent, said: Finding) -> None:
        key = said.service, said.method, said.user
        series = self._series.get(key)
        if series is None:
            series = FAILURES, said.service, said.method, self._known(said.user)
            if len(self._series) < MAX_ADDRESSES:
                self._series[key] = series
        self._add(series, said.times)
        self._attempt(event.time, said.times)
        if said.ip and -MINUTE <= self._now - event.time < HOUR:
            address = network_of(said.ip)
            minutes = self._failures.pop(address, None) or {}
            minute = int(event.time // MINUTE)
            minutes[minute] = minutes.get(minute, 0) + said.times
            self._failures[address] = minutes  # the last one failed last
            if len(self._failures) > 2 * MAX_ADDRESSES:
                self._failures = self._bound_addresses(MAX_ADDRESSES)
            if self.refused is not None:
                self._refuse(self.refused, address, series[-1], said.times)

    def _refuse(
        self, refused: dict[str, dict[str, int]], address: str, user: str, times: int
    ) -> None:
        users = refused.setdefault(address, {})
        if user in users or len(users) < MAX_REFUSED:
            users[user] = users.get(user, 0) + times
        if len(refused) > 2 * MAX_ADDRESSES:
            for forgotten in refused.keys() - self._failures.keys():
                del refused[forgotten]

    def _probe(self, event: AuthEvent, said: Finding) -> None:
        # Since OpenSSH 10.6 a login's own process tells of its end as of a stranger's.
        if not self.logins.is_over(said.ip, said.port, event.time):
            self._add((PROBES, said.service, said.kind), said.times)
            self._attempt(event.time, said.times)

    def _attempt(self, time: float, times: int) -> None:
        """Count a failure or a probe for the last hour."""
        if -MINUTE <= self._now - time < HOUR:
            minute = int(time // MINUTE)
            self._attempts[minute] = self._attempts.get(minute, 0) + times

    def _escalation(self, _: AuthEvent, said: Finding) -> None:
        self._add((ESCALATIONS, said.service, label(said.user), label(said.target)), said.times)

    def _refused_escalation(self, _: AuthEvent, said: Finding) -> None:
        who = self._known(said.user), self._known(said.target)
        self._add((ESCALATION_FAILURES, said.service, *who), said.times)

    def _opened(self, event: AuthEvent, said: Finding) -> None:
        if said.service in _NO_SUCCESS:
            self._add((SUCCESSES, said.service, "pam", label(said.user)), said.times)
        if said.service in _BY_SESSION:
            self._begin(event, said)

    def _closed(self, event: AuthEvent, said: Finding) -> None:
        self.logins.end_by_event(said.service, event.pid, event.time)

    def _begin(self, event: AuthEvent, said: Finding) -> None:
        type_ = _LOGIN_TYPES.get(said.service) or self._types.get(event.pid, "other")
        place = event.pid, "", said.ip, said.port
        counted = not self.counts
        fields = (EVENT, said.user, type_, said.service, *place, event.time, 0.0, 0.0, "", True)
        if counted:
            self.last_login(said.user, event.time)
        self.logins.begin(quick(Login, (*fields, counted)))
        self._begun += 1
        if self._begun % MAX_LOGINS == 0:  # a backlog's memory stays bounded
            self.logins.bound(event.time)

    def boot(self, time: float, kind: str) -> None:
        """Count that the host booted, CLEAN or after a CRASH."""
        self._boot = time
        self._add((REBOOTS, kind), 1)

    def lines(self, source: str, results: dict[str, int]) -> None:
        """Count a log's lines by what became of them."""
        for result, count in results.items():
            self._add((LINES, source, result), count)

    def skipped(self, source: str, skipped: tuple[tuple[str, int], ...]) -> None:
        """Count what of a source could not be read."""
        for reason, count in skipped:
            self._add((SKIPPED, source, reason), count)

    def last_login(self, user: str, time: float) -> None:
        """Take a login of a user, of whatever source and time, but for those still to come.

        They would stay the last for ever.
        """
        latest = self._latest
        if time > latest:
            return
        user = label(user)
        last = self._last_logins.get(user)
        if last is None:
            self._series.clear()  # the name is one that is known now
            if len(self._last_logins) >= 2 * MAX_USERS:
                self._bound_last_logins(MAX_USERS)
        self._last_logins[user] = time if (last or 0.0) > latest else max(time, last or 0.0)

    def _begin_durations(self, type_: str) -> None:
        """Begin the histogram of a session type: from zero, so that increase() sees the first."""
        self._with_durations.add(type_)
        self._counters.setdefault((DURATION_SUM, type_), 0.0)

    def _login(self, login: Login) -> None:
        self._add((LOGINS, label(login.user), login.type), 1)
        if login.type not in self._with_durations:
            self._begin_durations(login.type)
        self.last_login(login.user, login.start)

    def _end(self, login: Login) -> None:
        seconds = max(0.0, login.end - login.start)
        bound = next((name for bound, name in _BUCKETS if seconds <= bound), "+Inf")
        self._add((DURATION, login.type, bound), 1)
        self._add((DURATION_SUM, login.type), seconds)

    def _drop(self, family: str, times: int = 1) -> None:
        series = DROPPED, family
        self._counters[series] = self._counters.get(series, 0.0) + times

    def _add(self, series: Series, count: float) -> None:
        if self.counts and count:
            counters = self._counters
            if series not in counters:
                new, series = series, self._places().admitted(series)
                if series is not new:
                    self._drop(new[0])
            counters[series] = counters.get(series, 0.0) + count

    def _places(self) -> Admission:
        if self._admission is None:
            from textfile_users.admission import Admission

            self._admission = Admission(self._counters, USERS, self._is_known)
        return self._admission

    def _bound_last_logins(self, count: int) -> None:
        """Drop names over ``count``: those that nobody has, then those that came last."""
        over = len(self._last_logins) - count
        if over > 0:
            ranked = sorted(
                self._last_logins, key=lambda one: (one != ROOT, not self._is_known(one))
            )
            for user in ranked[count:]:
                del self._last_logins[user]
            self._drop(LAST_LOGIN, over)

    def _is_known(self, name: str) -> bool:
        """Return whether an account or a session has the name, or it is ''."""
        return name in ("", ROOT) or name in self._with_session or name in self._account_names()

    def _known(self, user: str) -> str:
        """Return ``user`` if the host knows the name, else ''."""
        user = label(user)
        return user if user in self._last_logins or user in self._account_names() else ""

    def _account_names(self) -> Collection[str]:
        if self._names is None:
            self._names = self._accounts()
        return self._names

    def _bound_addresses(self, count: int) -> dict[str, dict[int, int]]:
        if len(self._failures) <= count:
            return self._failures
        from textfile_users.admission import most_failing

        kept = most_failing(self._failures, count)
        self._drop(LAST_HOUR, len(self._failures) - len(kept))
        return kept

    def _copied_failures(self) -> dict[str, dict[int, int]]:
        """Return the numbers, where they are too many by ten minutes for most addresses."""
        if sum(map(len, self._failures.values())) > MAX_MINUTES:
            from textfile_users.admission import coarser

            return coarser(self._failures, EXACT_ADDRESSES, COARSE)
        return {address: dict(minutes) for address, minutes in self._failures.items()}


_TAKE = {
    SUCCESS: Counting._success,
    FAILURE: Counting._failure,
    PROBE: Counting._probe,
    ESCALATION: Counting._escalation,
    ESCALATION_FAILURE: Counting._refused_escalation,
    SESSION_OPENED: Counting._opened,
    SESSION_CLOSED: Counting._closed,
}


# Where a series of a family has its users: the one who acts, then the one aimed at.
USERS = {
    SUCCESSES: (3,),
    FAILURES: (3,),
    ESCALATIONS: (2, 3),
    ESCALATION_FAILURES: (2, 3),
    LOGINS: (1,),
}


def dropping(counts: Counts, family: str, times: int) -> Counts:
    """Return the counts that tell how many series more of a family had no place."""
    series = DROPPED, family
    before = counts.counters.get(series, 0.0)
    return counts._replace(counters={**counts.counters, series: before + times})


def user_of(series: Series) -> str:
    """Return the label `user` of a series, '' for one without."""
    places = USERS.get(series[0])
    return series[places[0]] if places else ""


def _of_hour(failures: Mapping[str, dict[int, int]], now: float) -> dict[str, dict[int, int]]:
    """Return copies of the numbers that are of the last hour."""
    oldest, newest = (now - HOUR) // MINUTE, now // MINUTE + COARSE
    result = {}
    for address, minutes in failures.items():
        if oldest < min(minutes) and max(minutes) <= newest:
            result[address] = dict(minutes)
            continue
        young = {minute: n for minute, n in minutes.items() if oldest < minute <= newest}
        if young:
            result[address] = young
    return result


def _attempts_of_hour(before: Counts, now: float) -> dict[int, int]:
    """Return the last hour's numbers of all attempts; an older version kept those of failures."""
    attempts = dict(before.attempts)
    if not attempts:
        for minutes in before.failures.values():
            for minute, n in minutes.items():
                attempts[minute] = attempts.get(minute, 0) + n
    oldest, newest = (now - HOUR) // MINUTE, now // MINUTE + 1
    return {minute: n for minute, n in attempts.items() if oldest < minute <= newest}
