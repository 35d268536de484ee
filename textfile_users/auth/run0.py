"""run0 (systemd 256): polkit's line names who asked, PAM's the account that it is to be.

Both are one escalation. polkit is silent where it asked a moment ago, or logs errors alone, and
PAM's line is another tag's: so either counts alone too, once the other may come no more.
"""

from __future__ import annotations

from textfile_users.auth.patterns import PAM_ESCALATION
from textfile_users.auth.remembered import PAIRED_SECONDS
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, AuthEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HELD = 100


class Run0:
    """Lines that wait for the other one of the same escalation, the oldest first."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self._waiting = list(held)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What waits, for the next run."""
        return tuple(self._waiting)

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the escalations that a line makes certain."""
        kind = event.said.event
        if kind == ESCALATION_FAILURE:
            return [event]
        for waiting in self._waiting:
            is_near = abs(event.time - waiting.time) < PAIRED_SECONDS
            if waiting.said.event != kind and is_near:
                self._waiting.remove(waiting)
                user = waiting.said.user or event.said.user
                target = waiting.said.target or event.said.target
                return [_escalation(waiting, user, target)]
        self._waiting.append(event)
        return [_alone(self._waiting.pop(0))] if len(self._waiting) > MAX_HELD else []

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the escalations of which nothing more was said until ``now``."""
        # What lies far ahead was said before the clock was set back.
        over = [event for event in self._waiting if abs(now - event.time) >= PAIRED_SECONDS]
        if over:
            self._waiting = [event for event in self._waiting if event not in over]
        return [_alone(event) for event in over]

    def finish(self) -> list[AuthEvent]:
        """Return what all that waits is: no line will follow."""
        over, self._waiting = self._waiting, []
        return [_alone(event) for event in over]


def _alone(event: AuthEvent) -> AuthEvent:
    return _escalation(event, event.said.user, event.said.target)


def _escalation(event: AuthEvent, user: str, target: str) -> AuthEvent:
    said = event.said
    if said.event == PAM_ESCALATION:
        user = user if user != said.user else ""  # PAM has systemd, which acts for it
    return event._replace(said=said._replace(event=ESCALATION, user=user, target=target))
