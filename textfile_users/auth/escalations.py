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


class Escalations:
    """Lines that wait for, or stand for, another of the same escalation; the oldest first."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self.held = list(held)

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that a line's finding makes certain."""
        decided = self.expire(event.time)
        said = event.said
        if said.event == PAM_ESCALATION:
            for number, own in enumerate(self.held):
                if _is_of(own, event):
                    del self.held[number]
                    return decided
            self.held.append(event)
        elif said.event == PAM_ESCALATION_FAILURE:
            self.held.append(event)
        else:  # the program's own line
            self.held = [held for held in self.held if not _is_of(event, held)]
            decided.append(event)
            if said.event == ESCALATION:  # PAM's line of the session follows
                self.held.append(event)
        if len(self.held) > MAX_HELD:
            decided += _decided(self.held[:-MAX_HELD])
            del self.held[:-MAX_HELD]
        return decided

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events of PAM that no line of the program itself followed until ``now``."""
        if not self.held:
            return []
        over = [held for held in self.held if _is_over(held, now)]
        if over:
            self.held = [held for held in self.held if not _is_over(held, now)]
        return _decided(over)

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        over, self.held = self.held, []
        return _decided(over)


def _is_of(own: AuthEvent, pam: AuthEvent) -> bool:
    """Return whether a program's ``own`` line and one of PAM's are of the same escalation."""
    if pam.said.service != own.said.service:
        return False
    if pam.said.event == PAM_ESCALATION:
        return own.said.event == ESCALATION and pam.said.target == own.said.target
    return pam.said.event == PAM_ESCALATION_FAILURE and pam.said.user == own.said.user


def _is_over(held: AuthEvent, now: float) -> bool:
    # A password may be asked for long after the first was refused.
    is_refusal = held.said.event == PAM_ESCALATION_FAILURE
    # What lies far ahead was said before the clock was set back.
    return abs(now - held.time) >= (REMEMBERED_SECONDS if is_refusal else PAIRED_SECONDS)


def _decided(over: list[AuthEvent]) -> list[AuthEvent]:
    return [
        held._replace(said=held.said._replace(event=_EVENTS[held.said.event]))
        for held in over
        if held.said.event in _EVENTS
    ]
