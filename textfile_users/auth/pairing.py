"""From what single messages say to events, each once: attempts and escalations together."""

from __future__ import annotations

from textfile_users.auth.attempts import Attempts, AuthEvent, Key, Memory
from textfile_users.auth.escalations import Escalations
from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How often it is looked for what has become certain.
EXPIRY_SECONDS = 1.0
_ESCALATIONS = frozenset((ESCALATION, ESCALATION_FAILURE, PAM_ESCALATION, PAM_ESCALATION_FAILURE))


class Pairing:
    """What lines so far have left open. ``last`` is the newest line, if it said something."""

    def __init__(
        self,
        remembered: Iterable[tuple[Key, Memory]] = (),
        held: Iterable[AuthEvent] = (),
        last: AuthEvent | None = None,
    ) -> None:
        """Go on with what another run's Pairing left."""
        self.attempts = Attempts(remembered)
        self.escalations = Escalations(held)
        self.last = last
        self._next = 0.0

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that became certain with a line's finding, in their order."""
        self.last = event
        pairing = self.escalations if event.said.event in _ESCALATIONS else self.attempts
        if self._next - EXPIRY_SECONDS <= event.time < self._next:
            return pairing.take(event)
        return [*self.expire(event.time), *pairing.take(event)]

    def repeat(self, times: int, line: int) -> list[AuthEvent]:
        """Return what `last message repeated` adds: the newest line, ``times`` more."""
        if self.last is None:
            return []
        said = self.last.said._replace(times=times)
        return self.take(self.last._replace(said=said, line=line))

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events that have become certain because nothing followed until ``now``."""
        self._next = now + EXPIRY_SECONDS
        return self.attempts.expire(now) + self.escalations.expire(now)

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        return self.attempts.finish() + self.escalations.finish()
