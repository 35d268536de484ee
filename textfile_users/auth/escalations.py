"""sudo, su, doas, pkexec: their own lines count, and PAM's where these are missing.

On some hosts su's own line goes to another file than PAM's, and sudo can be told not to log.
Their lines may carry no pid, so they are paired by names.
"""

from __future__ import annotations

from textfile_users.auth.attempts import PAIRED_SECONDS, REMEMBERED_SECONDS, AuthEvent
from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HELD = 1_000
_EVENTS = {PAM_ESCALATION: ESCALATION, PAM_ESCALATION_FAILURE: ESCALATION_FAILURE}

# What a line is found by: what it says, the service, and the name that is aimed at or refused.
Names = tuple[str, str, str]


class Escalations:
    """Lines that wait for, or stand for, another of the same escalation.

    Each is found by its names and each kind expires oldest first: what is held costs no line more
    than another, however much somebody has written.
    """

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        # Of own lines and of PAM's that grant, which wait for seconds, and of PAM's refusals.
        self._granted: dict[int, AuthEvent] = {}
        self._refused: dict[int, AuthEvent] = {}
        self._by_names: dict[Names, dict[int, None]] = {}
        self._number = 0
        for event in held:
            self._hold(event)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What is held, in the order of its lines."""
        return tuple(event for _, event in sorted((*self._granted.items(), *self._refused.items())))

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that a line's finding makes certain."""
        decided = self.expire(event.time)
        said = event.said
        if said.event == PAM_ESCALATION:
            numbers = self._by_names.get((ESCALATION, said.service, said.target))
            if numbers:  # the program has told of it
                self._drop(next(iter(numbers)))
                return decided
            self._hold(event)
        elif said.event == PAM_ESCALATION_FAILURE:
            self._hold(event)
        else:  # the program's own line
            self._drop_all((PAM_ESCALATION_FAILURE, said.service, said.user))
            decided.append(event)
            if said.event == ESCALATION:  # PAM's line of the session may stand before or behind
                self._drop_all((PAM_ESCALATION, said.service, said.target))
                self._hold(event)
        while len(self._granted) + len(self._refused) > MAX_HELD:
            oldest = min(next(iter(kind)) for kind in (self._granted, self._refused) if kind)
            decided += _decided([self._drop(oldest)])
        return decided

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
        self._by_names.setdefault(_names(event), {})[number] = None

    def _drop(self, number: int) -> AuthEvent:
        event = self._granted.pop(number, None) or self._refused.pop(number)
        names = _names(event)
        del self._by_names[names][number]
        if not self._by_names[names]:
            del self._by_names[names]
        return event

    def _drop_all(self, names: Names) -> None:
        for number in list(self._by_names.get(names, ())):
            self._drop(number)


def _names(held: AuthEvent) -> Names:
    said = held.said
    is_refusal = said.event == PAM_ESCALATION_FAILURE
    return said.event, said.service, said.user if is_refusal else said.target


def _decided(over: list[AuthEvent]) -> list[AuthEvent]:
    return [
        held._replace(said=held.said._replace(event=_EVENTS[held.said.event]))
        for held in over
        if held.said.event in _EVENTS
    ]
