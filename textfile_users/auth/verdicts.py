"""What a PAM stack comes to: a refusal that another of its modules overrules is none.

A stack asks several modules, and each writes a line. What they refuse is held until the process's
next deciding line, or for HELD_SECONDS of log time: an acceptance behind it, or a session that
opens, voids it, else it is one failure, however many modules say so. Pure: time comes with the
lines.
"""

from __future__ import annotations

from textfile_users.auth.patterns import (
    AGAIN,
    ASKED_AS,
    NUMBERED,
    PAM_ACCEPTED,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    PAM_REFUSED,
    PAM_TOLD,
)
from textfile_users.auth.remembered import AT_ONCE_SECONDS, PAIRED_SECONDS, REMEMBERED_SECONDS
from textfile_users.auth_event import FAILURE, SESSION_OPENED, SUCCESS, AuthEvent, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Key = tuple[str, int]  # the label of a program, and its pid or 0
    Group = list[AuthEvent]  # what modules refused in one attempt

HELD_SECONDS = 5.0
# Without a pid lines are of one attempt only if they are of the same second.
SAME_SECOND = 1.0
# How long it is known that a refusal of a process has counted, and for PAM's sum of all of them.
TOLD_SECONDS = 60.0
SUM_SECONDS = REMEMBERED_SECONDS
MAX_MODULES = 8  # of a stack; in a file anybody may write of more
MAX_HELD = 500  # attempts, and as many that have counted
# Of these a line of the program itself says what PAM refused; it may lack what PAM knows.
_COMPLETING = ("xrdp", "cockpit")
_OWN = ("login", *_COMPLETING)


class Verdicts:
    """Refusals that a later line may overrule, by process and user."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self._groups: dict[Key, dict[str, Group]] = {}
        self._told: dict[tuple[Key, str], AuthEvent] = {}
        self._users_told: dict[Key, set[str]] = {}  # of these, by process
        self._count = 0
        for event in held:
            if event.said.event == PAM_TOLD:
                self._put_told(event)
            else:
                self._join(event)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What is held, in the order of its lines."""
        groups = sorted(self._every(), key=lambda group: _place(group[0]))
        return (*self._told.values(), *[event for group in groups for event in group])

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return what a line makes certain, to be counted, and the line itself where it counts."""
        said = event.said
        if said.event == PAM_REFUSED or (said.event == PAM_ESCALATION_FAILURE and said.kind):
            return self._refuse(event)
        if said.event in (PAM_ACCEPTED, SUCCESS, SESSION_OPENED, PAM_ESCALATION):
            decided = self._accept(event)
            self._end_sums(_key(event), event.said.user)
            return decided if said.event == PAM_ACCEPTED else [*decided, event]
        if said.event in (FAILURE, NUMBERED):
            return self._own_failure(event) if said.service in _OWN else [event]
        # The program's own line of an escalation, which takes PAM's as its own.
        asked = ASKED_AS.get(said.service, said.service)
        keys = [key for key in self._groups if key[0] in (said.service, asked)]
        decided = self._close_all(keys)
        self._end_sums((asked, event.pid), "" if event.pid else said.user)
        return [*decided, event]

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the failures that no line has overruled until ``now``."""
        # What lies far ahead was said before the clock was set back.
        over = [
            (key, user)
            for key, users in self._groups.items()
            for user, group in users.items()
            if abs(now - group[0].time) > HELD_SECONDS
        ]
        for place in [
            place for place, told in self._told.items() if _is_old(told, now, SUM_SECONDS)
        ]:
            self._forget_told(place)
        return _in_order([self._close(*place) for place in over])

    def finish(self) -> list[AuthEvent]:
        """Return the failures that all that is held comes to: no line will follow."""
        events = self._close_all(list(self._groups))
        self._told.clear()
        self._users_told.clear()
        return events

    def _refuse(self, event: AuthEvent) -> list[AuthEvent]:
        said = event.said
        if said.kind.startswith("more:"):
            return self._count_rest(event)
        decided = []
        if said.times > 1:  # the last of them may be overruled
            before = [event._replace(said=said._replace(times=said.times - 1))]
            decided.append(_counted(before))
            self._tell(before, event.time)
            event = event._replace(said=said._replace(times=1))
        users = self._groups.get(_key(event), {})
        user = _match(users, event)
        if user is not None and _is_next(users[user], event):
            decided.append(self._close(_key(event), user))
        self._join(event)
        if self._count > MAX_HELD:
            place = next((key, user) for key, users in self._groups.items() for user in users)
            decided.append(self._close(*place))
        return decided

    def _count_rest(self, event: AuthEvent) -> list[AuthEvent]:
        """Count attempts of a process that pam_unix refused and did not write.

        It sums them up behind its first refusal of a user; other modules may have written them, and
        where the program itself, or an acceptance, has followed, they are told or none.
        """
        key, said = _key(event), event.said
        is_open = said.user in self._groups.get(key, {})
        decided = [self._close(key, said.user)] if is_open else []
        told = self._told.get((key, said.user))
        if told is None or told.said.kind == AGAIN:
            return decided
        times = 1 + said.times - told.said.times
        self._end_sums(key, said.user)
        if times > 0:
            decided.append(_counted([event._replace(said=said._replace(times=times))]))
        return decided

    def _end_sums(self, key: Key, user: str) -> None:
        """Take note that no sum of a process counts any more, of ``user`` or of all."""
        users = self._users_told.get(key)
        for one in [one for one in users or () if user in ("", one)]:
            told = self._told[key, one]
            if told.said.kind != AGAIN:
                self._told[key, one] = told._replace(said=told.said._replace(kind=AGAIN))

    def _put_told(self, told: AuthEvent) -> None:
        place = _key(told), told.said.user
        if place in self._told:
            self._forget_told(place)
        self._told[place] = told
        self._users_told.setdefault(place[0], set()).add(place[1])
        if len(self._told) > MAX_HELD:
            self._forget_told(next(iter(self._told)))

    def _forget_told(self, place: tuple[Key, str]) -> None:
        del self._told[place]
        users = self._users_told[place[0]]
        users.remove(place[1])
        if not users:
            del self._users_told[place[0]]

    def _join(self, event: AuthEvent) -> None:
        """Add a refusal to those of its attempt."""
        users = self._groups.setdefault(_key(event), {})
        user = _match(users, event)
        if user is None:
            users[event.said.user] = [event]
            self._count += 1
            return
        group = users.pop(user)
        users[user or event.said.user] = [*group, event]

    def _accept(self, event: AuthEvent) -> list[AuthEvent]:
        """Void what a module, or the stack, accepts now; what is too old for that counts."""
        key = _key(event)
        users = self._groups.get(key, {})
        decided = []
        for user in [user for user in users if not user or _is_of(user, event)]:
            group = users[user]
            if _service(event) and _service(event) != _service(group[0]):
                continue  # another stack's
            failure = self._close(key, user, is_told=False)
            if not self._is_overruled(group, event):
                decided.append(failure)
                self._tell(group, event.time)
        return decided

    def _is_overruled(self, group: Group, event: AuthEvent) -> bool:
        age = abs(event.time - group[-1].time)
        if not event.pid:
            return age < SAME_SECOND
        said = event.said
        if said.event == PAM_ACCEPTED and said.kind:
            # What refused before it accepts was asked again: that was another attempt.
            modules = [_module(one) for one in group]
            is_another = _module(event) in modules or "/account" in "".join(modules)
            return age <= HELD_SECONDS and not is_another
        # Who was refused just so before, and waits as long as PAM makes one wait, typed again.
        told = self._told.get((_key(event), group[0].said.user))
        has_failed = said.event != SUCCESS and told and not _is_old(told, event.time, TOLD_SECONDS)
        return age <= (AT_ONCE_SECONDS if has_failed else HELD_SECONDS)

    def _own_failure(self, event: AuthEvent) -> list[AuthEvent]:
        """Count what a program says itself, and what PAM said of it not beside that."""
        place = self._own_place(event)
        if place:
            failure = self._close(*place, is_told=False)
            return [_completed(failure, event) if event.said.service in _COMPLETING else event]
        told = self._told.get((_key(event), event.said.user))
        if told and abs(event.time - told.time) < PAIRED_SECONDS:
            self._forget_told((_key(event), event.said.user))
            again = event._replace(said=event.said._replace(kind=AGAIN))
            return [again] if event.said.event == NUMBERED else []
        return [event]

    def _own_place(self, event: AuthEvent) -> tuple[Key, str] | None:
        """Return the key and user of the refusals that a program's own line is of."""
        key, said = _key(event), event.said
        users = self._groups.get(key, {})
        for user in (said.user, "", *(users if said.service == "login" and event.pid else ())):
            if user in users:
                return key, user
        if event.pid and said.service == "login":
            return None
        # One process may ask PAM, and another tell of it.
        for other, found in self._groups.items():
            group = found.get(said.user)
            if group and other[0] == key[0] and abs(event.time - group[-1].time) <= HELD_SECONDS:
                return other, said.user
        return None

    def _close(self, key: Key, user: str, *, is_told: bool = True) -> AuthEvent:
        """Return the failure that refusals are, which are held no longer."""
        users = self._groups[key]
        group = users.pop(user)
        self._count -= 1
        if not users:
            del self._groups[key]
        if is_told:
            self._tell(group, group[0].time)
        return _counted(group)

    def _tell(self, group: Group, time: float) -> None:
        """Remember of refusals that they count, and how many did since pam_unix wrote its first."""
        failure = _counted(group)
        before = self._told.get((_key(failure), failure.said.user))
        times = failure.said.times
        if before and not any(_module(one) == "unix" for one in group):
            times += before.said.times
        said = failure.said._replace(event=PAM_TOLD, times=times)
        self._put_told(failure._replace(time=time, said=said))

    def _close_all(self, keys: list[Key]) -> list[AuthEvent]:
        places = [(key, user) for key in keys for user in self._groups[key]]
        return _in_order([self._close(*place) for place in places])

    def _every(self) -> Iterator[Group]:
        for users in self._groups.values():
            yield from users.values()


def _key(event: AuthEvent) -> Key:
    return event.said.service, event.pid


def _place(event: AuthEvent) -> tuple[float, int, int]:
    return event.time, event.line, event.pid


def _in_order(events: list[AuthEvent]) -> list[AuthEvent]:
    return sorted(events, key=_place)


def _module(event: AuthEvent) -> str:
    return event.said.kind.partition(":")[0]


def _service(event: AuthEvent) -> str:
    said = event.said
    has_stack = said.event in (PAM_REFUSED, PAM_ACCEPTED, PAM_ESCALATION_FAILURE)
    return said.kind.partition(":")[2] if has_stack else ""


def _is_of(user: str, event: AuthEvent) -> bool:
    """Return whether a line is of ``user``: of an escalation it may name whom it is to."""
    return not event.said.user or event.said.user == user


def _match(users: dict[str, Group], event: AuthEvent) -> str | None:
    """Return under which user an attempt is held that a refusal may be of: not all name one."""
    user = event.said.user
    if user in users:
        return user
    if event.pid and users and (not user or "" in users):
        return "" if user else next(iter(users))
    return None


def _is_next(group: Group, event: AuthEvent) -> bool:
    """Return whether a refusal is of a later attempt than those held."""
    modules = [_module(one) for one in group]
    module = _module(event)
    # Who may come in is asked last.
    is_again = module in modules or ("/" not in module and "/" in "".join(modules))
    is_again = is_again or len(group) >= MAX_MODULES
    is_other = _service(group[0]) != _service(event)
    return is_again or is_other or abs(event.time - group[0].time) > HELD_SECONDS


def _is_old(told: AuthEvent, now: float, seconds: float) -> bool:
    return abs(now - told.time) > seconds


def _counted(group: Group) -> AuthEvent:
    """Return the failure that the refusals of one attempt are: the first, with what others know."""
    first = group[0]
    said = first.said
    for other in group[1:]:
        said = _filled(said, other.said)
    event = PAM_ESCALATION_FAILURE if said.event == PAM_ESCALATION_FAILURE else FAILURE
    return first._replace(said=said._replace(event=event, kind=""))


def _completed(failure: AuthEvent, own: AuthEvent) -> AuthEvent:
    return failure._replace(said=_filled(failure.said, own.said))


def _filled(said: Finding, other: Finding) -> Finding:
    """Return a finding with what it lacks and another says."""
    return said._replace(
        user=said.user or other.user,
        account=said.account or ("" if said.user == "" and other.user else other.account),
        ip=said.ip or other.ip,
        host=said.host or ("" if said.ip else other.host),
        tty=said.tty or other.tty,
        target=said.target or other.target,
    )
