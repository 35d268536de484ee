"""sudo, su, doas, pkexec: their own lines count, and PAM's where these are missing.

On some hosts su's own line goes to another file than PAM's, and sudo can be told not to log.
Their lines may carry no pid, so they are paired by names.
"""

from __future__ import annotations

from textfile_users.auth.patterns import ASKED_AS, PAM_ESCALATION, PAM_ESCALATION_FAILURE
from textfile_users.auth.remembered import PAIRED_SECONDS, REMEMBERED_SECONDS
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, AuthEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HELD = 1_000
ANYBODY = -1  # in place of a process
_OF_PROCESS = "refused"  # in place of an event: any refusal that a process had
# Of these a module of PAM may name whom it is to.
_NAMING_TARGETS = ("su", "sudo")
_EVENTS = {PAM_ESCALATION: ESCALATION, PAM_ESCALATION_FAILURE: ESCALATION_FAILURE}

# What a line is found by: what it says, the service, the name that is aimed at or refused, and
# the process or the user.
Key = tuple[str, str, str, int, str]


class Escalations:
    """Lines that wait for, or stand for, another of the same escalation.

    Each is found by its process, or where that is not told by its user, and each kind expires
    oldest first: what is held costs no line more than another, however much somebody has written.
    """

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        # Of own lines and of PAM's that grant, which wait for seconds, and of PAM's refusals.
        self._granted: dict[int, AuthEvent] = {}
        self._refused: dict[int, AuthEvent] = {}
        self._by_key: dict[Key, dict[int, None]] = {}
        self._number = 0
        for event in held:
            self._hold(event)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What is held, in the order of its lines."""
        return tuple(event for _, event in sorted((*self._granted.items(), *self._refused.items())))

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that a line's finding makes certain."""
        decided = []
        said = event.said
        if said.event == PAM_ESCALATION:
            if not self._drop_granted(event, ESCALATION):
                self._hold(event)  # the program may tell of it yet
        elif said.event == PAM_ESCALATION_FAILURE:
            self._hold(event)
        else:  # the program's own line
            # PAM's line of the session stands before it, or follows.
            is_granted = said.event == ESCALATION
            is_told = is_granted and self._drop_granted(event, PAM_ESCALATION)
            if self._refused and is_granted and said.service == "sudo":
                decided += self._refused_before(event)  # it asks again, in the same process
            elif self._refused:
                self.void_refusals(event)
            decided.append(event)
            if is_granted and not is_told:
                self._hold(event)
        if len(self._granted) + len(self._refused) > MAX_HELD:
            waiting = self._granted or self._refused
            decided += _decided([self._drop(next(iter(waiting)))])
        return decided

    def void_refusals(self, event: AuthEvent) -> None:
        """Drop what PAM refused of what a program's own ``event`` tells.

        Not all of PAM's modules name the caller, but a process has only one.
        """
        if self._refused:
            said = event.said
            asked = ASKED_AS.get(said.service, said.service)
            told = event._replace(said=said._replace(service=asked))
            refusals = _sought(told, PAM_ESCALATION_FAILURE, said.user)
            if _process(told):
                refusals = (*refusals, (_OF_PROCESS, asked, "", told.pid, ""))
            while self._drop_one(refusals):
                pass
            self._drop_near(told, "")
            if asked in _NAMING_TARGETS:
                self._drop_near(told, said.target)

    def _refused_before(self, event: AuthEvent) -> list[AuthEvent]:
        """Return what PAM refused of a user before a grant, which had no line of its own.

        Where the log tells no process, what was refused just now may be another one's, whose line
        is still to come.
        """
        found = []
        for key in _sought(event, PAM_ESCALATION_FAILURE, event.said.user):
            for number in list(self._by_key.get(key, ())):
                age = event.time - self._refused[number].time
                if event.pid or not 0 <= age < PAIRED_SECONDS:
                    found.append(self._drop(number))
        return _decided(found)

    def _drop_near(self, event: AuthEvent, user: str) -> None:
        """Drop refusals of ``user`` without a pid that stand just before a line."""
        key = PAM_ESCALATION_FAILURE, event.said.service, user, 0, user
        while key in self._by_key:
            number = next(reversed(self._by_key[key]))
            if not 0 <= event.time - self._refused[number].time < PAIRED_SECONDS:
                break
            self._drop(number)

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events of PAM that no line of the program itself followed until ``now``."""
        over: list[AuthEvent] = []
        # A password may be asked for long after the first was refused.
        for kind, seconds in ((self._granted, PAIRED_SECONDS), (self._refused, REMEMBERED_SECONDS)):
            while kind:
                number, held = next(iter(kind.items()))
                # What lies far ahead was said before the clock was set back.
                if abs(now - held.time) < seconds:
                    break
                over.append(self._drop(number))
        return _decided(over)

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        return _decided([self._drop(number) for number in sorted((*self._granted, *self._refused))])

    def _hold(self, event: AuthEvent) -> None:
        number, self._number = self._number, self._number + 1
        kind = self._refused if event.said.event == PAM_ESCALATION_FAILURE else self._granted
        kind[number] = event
        for key in _keys(event):
            numbers = self._by_key.get(key)
            if numbers is None:
                self._by_key[key] = {number: None}
            else:
                numbers[number] = None

    def _drop(self, number: int) -> AuthEvent:
        event = self._granted.pop(number, None) or self._refused.pop(number)
        for key in _keys(event):
            numbers = self._by_key[key]
            del numbers[number]
            if not numbers:
                del self._by_key[key]
        return event

    def _drop_granted(self, event: AuthEvent, kind: str) -> bool:
        """Drop the line of a kind of the same escalation; return whether there was one."""
        has_any = len(self._granted) > 0
        return has_any and self._drop_one(_sought(event, kind, event.said.target))

    def _drop_one(self, sought: Iterable[Key]) -> bool:
        """Drop the oldest line of the first key that has one; return whether there was one."""
        for key in sought:
            if key in self._by_key:
                self._drop(next(iter(self._by_key[key])))
                return True
        return False


def _keys(held: AuthEvent) -> tuple[Key, ...]:
    """Return what a line that is held is found by: its process, else its user or nothing more."""
    said, pid = held.said, _process(held)
    is_refusal = said.event == PAM_ESCALATION_FAILURE
    name = said.user if is_refusal else said.target
    if pid:
        key = said.event, said.service, name, pid, ""
        return (key, (_OF_PROCESS, said.service, "", pid, "")) if is_refusal else (key,)
    about = said.event, said.service, name
    return (*about, 0, said.user), (*about, ANYBODY, "")


def _sought(event: AuthEvent, kind: str, name: str) -> tuple[Key, ...]:
    """Return what another line of the same escalation is found by, the surest first."""
    said, pid = event.said, _process(event)
    about = kind, said.service, name
    if not said.user:
        return ((*about, pid or ANYBODY, ""),)
    by_user = (*about, 0, said.user), (*about, 0, "")  # lines of PAM may lack it
    return ((*about, pid, ""), *by_user) if pid else by_user


def _process(event: AuthEvent) -> int:
    # doas runs the command, and logs, in a child of the process that PAM knows; polkit's helper
    # is another process than who tells what came of it.
    return 0 if event.said.service in ("doas", "polkit") else event.pid


def _decided(over: list[AuthEvent]) -> list[AuthEvent]:
    return [
        held._replace(said=held.said._replace(event=_EVENTS[held.said.event]))
        for held in over
        if held.said.event in _EVENTS
    ]
