"""From events to counters: what a look adds to the state of the last one."""

from __future__ import annotations

from textfile_users.auth.attempts import AuthEvent
from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    PROBE,
    SESSION_CLOSED,
    SESSION_OPENED,
    SUCCESS,
    Finding,
)
from textfile_users.durable import Durable, Series
from textfile_users.logins import EVENT, MAX_LOGINS, Login, Logins
from textfile_users.model import Session
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SUCCESSES = "users_auth_successes_total"
FAILURES = "users_auth_failures_total"
PROBES = "users_auth_probes_total"
ESCALATIONS = "users_escalations_total"
LINES = "users_auth_log_lines_total"
SKIPPED = "users_records_skipped_total"
LOGINS = "users_logins_total"
REBOOTS = "users_reboots_total"
LAST_LOGIN = "users_last_login_timestamp_seconds"
DURATION = "users_session_duration_seconds"
DURATION_SUM = "users_session_duration_seconds_sum"

HOUR = 3600.0
MINUTE = 60
# Addresses of the last hour: so many are kept for certain, twice as many at most.
MAX_ADDRESSES = 10_000
MAX_USERS = 1_000
MAX_REFUSED = 20  # users of an address
BOUNDS = (1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 604_800.0)
_BUCKETS = tuple((bound, str(bound)) for bound in BOUNDS)
# Of one boot wtmp and wtmpdb have the time to within this.
SAME_BOOT = 120.0

# Services whose success begins a login; others say when a session opens.
_LOGIN_TYPES = {"sshd": "ssh", "dropbear": "ssh", "login": "tty", "xrdp": "rdp"}
_BY_SUCCESS = ("sshd", "dropbear")
_BY_SESSION = ("login", "gdm", "lightdm", "sddm", "xrdp")
# They have no line for a password that was right.
_NO_SUCCESS = ("gdm", "lightdm", "sddm", "xrdp")


class Counting:
    """Counts the events of a look on top of the state before it.

    ``dropped`` says by family how often a bound left a user out. ``accounts`` gives the names of
    the host's accounts, when first needed; names of nobody count as ``user=""``, for who knocks
    at the door may choose them. Unless ``counts`` is set nothing is counted: what is read is of
    the past, for the last hour and the last logins. Where ``refused`` is a dictionary, it gets by
    address how often whom of those that the host knows.
    """

    def __init__(
        self,
        before: Durable,
        now: float,
        sessions: tuple[Session, ...],
        accounts: Callable[[], Collection[str]],
    ) -> None:
        """Begin with the state ``before``, which stays as it is."""
        self.counts = True
        self.dropped: dict[str, int] = {}
        self.refused: dict[str, dict[str, int]] | None = None
        self._now = now
        self._before = before
        self._accounts = accounts
        self._names: Collection[str] | None = None
        self._counters = dict(before.counters)
        self._failures = {address: dict(of) for address, of in before.failures.items()}
        self._last_logins = dict(before.last_logins)
        self._boot = before.boot
        self._types = {session.leader: session.type for session in sessions}
        self._begun = 0
        self._users: dict[str, set[str]] = {}
        # What failures count as, by what they say.
        self._series: dict[tuple[str, str, str], Series] = {}
        self.logins = Logins(before.logins, before.forgotten, self._login, self._end)

    def result(self) -> Durable:
        """Return the state with all that was counted."""
        self.logins.bound(self._now)
        return self._before._replace(
            counters=dict(self._counters),
            failures=self._last_hour(),
            last_logins=dict(self._last_logins),
            boot=self._boot,
            logins=self.logins.all(),
            forgotten=self.logins.forgotten,
        )

    def take(self, event: AuthEvent) -> None:
        """Count an event of an auth log."""
        _TAKE[event.said.event](self, event, event.said)

    def _success(self, event: AuthEvent, said: Finding) -> None:
        user = said.user
        self._add(
            (SUCCESSES, said.service, said.method, self._bounded(SUCCESSES, user)), said.times
        )
        if said.service in _BY_SUCCESS:
            self._begin(event, said)

    def _failure(self, event: AuthEvent, said: Finding) -> None:
        key = said.service, said.method, said.user
        series = self._series.get(key)
        if series is None:
            user = self._known(FAILURES, said.user)
            series = FAILURES, said.service, said.method, user
            if len(self._series) < MAX_ADDRESSES:
                self._series[key] = series
        self._add(series, said.times)
        if said.ip and -MINUTE <= self._now - event.time < HOUR:
            address = _network_of(said.ip)
            minutes = self._failures.setdefault(address, {})
            minute = int(event.time // MINUTE)
            minutes[minute] = minutes.get(minute, 0) + said.times
            if len(self._failures) > 2 * MAX_ADDRESSES:
                self._failures = _most(self._failures, MAX_ADDRESSES)
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

    def _escalation(self, _: AuthEvent, said: Finding) -> None:
        refused = said.event == ESCALATION_FAILURE
        allowed = self._known if refused else self._bounded
        user, target = allowed(ESCALATIONS, said.user), allowed(ESCALATIONS, said.target)
        result = "failure" if refused else "success"
        self._add((ESCALATIONS, said.service, user, target, result), said.times)

    def _opened(self, event: AuthEvent, said: Finding) -> None:
        if said.service in _NO_SUCCESS:
            user = self._bounded(SUCCESSES, said.user)
            self._add((SUCCESSES, said.service, "pam", user), said.times)
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

    def boot(self, time: float, is_own: bool) -> bool:
        """Count that the host booted, once for what several sources say of it.

        ``is_own``: the source that tells of it told of the last one too. Returns whether it
        is another boot.
        """
        if abs(time - self._boot) < SAME_BOOT and not is_own:
            return False
        self._boot = time
        self._add((REBOOTS,), 1)
        self.logins.boot(time)
        return True

    def lines(self, source: str, results: dict[str, int]) -> None:
        """Count a log's lines by what became of them."""
        for result, count in results.items():
            self._add((LINES, source, result), count)

    def skipped(self, source: str, skipped: tuple[tuple[str, int], ...]) -> None:
        """Count what of a source could not be read."""
        for reason, count in skipped:
            self._add((SKIPPED, source, reason), count)

    def last_login(self, user: str, time: float) -> None:
        """Take a login of a user, of whatever source and time."""
        if user in self._last_logins:
            self._last_logins[user] = max(time, self._last_logins[user])
        elif len(self._last_logins) < MAX_USERS:
            self._series.clear()  # the name is one that is known now
            self._last_logins[user] = max(time, 0.0)
        else:
            self._drop(LAST_LOGIN)

    def _login(self, login: Login) -> None:
        self._add((LOGINS, self._bounded(LOGINS, login.user), login.type), 1)
        self.last_login(login.user, login.start)

    def _end(self, login: Login) -> None:
        seconds = max(0.0, login.end - login.start)
        bound = next((name for bound, name in _BUCKETS if seconds <= bound), "+Inf")
        self._add((DURATION, login.type, bound), 1)
        self._add((DURATION_SUM, login.type), seconds)

    def _drop(self, family: str) -> None:
        self.dropped[family] = self.dropped.get(family, 0) + 1

    def _add(self, series: Series, count: float) -> None:
        if self.counts and count:
            counters = self._counters
            counters[series] = counters.get(series, 0.0) + count

    def _known(self, family: str, user: str) -> str:
        """Return ``user`` if the host knows the name, else ''."""
        if not user or user in self._last_logins:
            return self._bounded(family, user)
        if self._names is None:
            self._names = self._accounts()
        return self._bounded(family, user) if user in self._names else ""

    def _bounded(self, family: str, user: str) -> str:
        """Return ``user``, or '' where the family has too many users already."""
        users = self._users.get(family)
        if users is None:
            users = {user for series in self._counters if series[0] == family for user in series}
            self._users[family] = users
        if user not in users:
            if len(users) >= MAX_USERS:
                self._drop(family)
                return ""
            users.add(user)
        return user

    def _last_hour(self) -> dict[str, dict[int, int]]:
        oldest = (self._now - HOUR) // MINUTE
        result = {}
        for address, minutes in self._failures.items():
            within = {minute: n for minute, n in minutes.items() if minute > oldest}
            if within:
                result[address] = within
        return _most(result, MAX_ADDRESSES)


_TAKE = {
    SUCCESS: Counting._success,
    FAILURE: Counting._failure,
    PROBE: Counting._probe,
    ESCALATION: Counting._escalation,
    ESCALATION_FAILURE: Counting._escalation,
    SESSION_OPENED: Counting._opened,
    SESSION_CLOSED: Counting._closed,
}


# Where a series of a family has its users: the one who acts, then the one aimed at.
USERS = {SUCCESSES: (3,), FAILURES: (3,), ESCALATIONS: (2, 3), LOGINS: (1,)}


def user_of(series: Series) -> str:
    """Return the label `user` of a series, '' for one without."""
    places = USERS.get(series[0])
    return series[places[0]] if places else ""


def _most(failures: dict[str, dict[int, int]], count: int) -> dict[str, dict[int, int]]:
    """Return the ``count`` addresses with most failures, of equals the later ones."""
    if len(failures) <= count:
        return failures
    ranked = sorted(failures, key=lambda a: (sum(failures[a].values()), max(failures[a])))
    return {address: failures[address] for address in ranked[-count:]}


def _network_of(ip: str, known: dict[str, str] = {}) -> str:  # noqa: B006 - a cache
    """Return an IPv4 address as it is, and of IPv6 the network of 64 bits."""
    if ":" not in ip:
        return ip
    if ip not in known:
        from ipaddress import IPv6Network

        if len(known) > MAX_ADDRESSES:
            known.clear()
        known[ip] = str(IPv6Network((ip, 64), strict=False))
    return known[ip]
