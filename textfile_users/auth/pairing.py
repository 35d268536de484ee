"""From what single messages say to events, each once: attempts and escalations together."""

from __future__ import annotations

from textfile_users.auth.attempts import Attempts, AuthEvent, Key, Memory
from textfile_users.auth.finding import (
    AGAIN,
    CONTINUED,
    ESCALATION,
    ESCALATION_FAILURE,
    LEFT,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    PART,
    REFUSED_PART,
    TOLD,
    WAITING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from textfile_users.auth.escalations import Escalations
    from textfile_users.auth.targets import Targets

# Of these a line may be told whom it is to by another, see auth/targets.py.
TWO_LINES = ("sudo", "doas")
# How often it is looked for what has become certain.
EXPIRY_SECONDS = 1.0
_ESCALATIONS = frozenset(
    (
        ESCALATION,
        ESCALATION_FAILURE,
        PAM_ESCALATION,
        PAM_ESCALATION_FAILURE,
        PART,
        REFUSED_PART,
        CONTINUED,
        LEFT,
    )
)


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
        held = tuple(held)
        self._waiting = [event for event in held if event.said.event in WAITING]
        self._told = [event for event in held if event.said.event == TOLD]
        self._made: Targets | None = None
        self._held = [event for event in held if event.said.event not in (*WAITING, TOLD)]
        self._paired: Escalations | None = None
        self.last = last
        self._next = 0.0

    @property
    def escalations(self) -> Escalations:
        """What is paired; imported where somebody escalates, as the targets are."""
        if self._paired is None:
            from textfile_users.auth.escalations import Escalations

            self._paired = Escalations(self._held)
        return self._paired

    @property
    def _targets(self) -> Targets:
        """What may wait; imported where somebody escalates."""
        if self._made is None:
            from textfile_users.auth.targets import Targets

            self._made = Targets((*self._waiting, *self._told))
        return self._made

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What of escalations is undecided, for the next run."""
        waiting = self._made.held if self._made else (*self._told, *self._waiting)
        return (*waiting, *(self._paired.held if self._paired else self._held))

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that became certain with a line's finding, in their order."""
        before, self.last = self.last, event
        is_escalation = event.said.event in _ESCALATIONS
        over = []
        if not self._next - EXPIRY_SECONDS <= event.time < self._next:
            over = self.expire(event.time)
        if is_escalation and event.said.service in TWO_LINES:
            return over + self._escalate(self._targets.take(event))
        if is_escalation and event.said.kind == AGAIN:
            if before and _says_the_same(before, event):
                return over
            event = event._replace(said=event.said._replace(kind=""))
        if is_escalation:
            return over + self.escalations.take(event)
        return over + self.attempts.take(event)

    def _escalate(self, lines: Iterable[AuthEvent]) -> list[AuthEvent]:
        return [event for line in lines for event in self.escalations.take(line)]

    def repeat(self, times: int, line: int) -> list[AuthEvent]:
        """Return what `last message repeated` adds: the newest line, ``times`` more."""
        if self.last is None:
            return []
        said = self.last.said._replace(times=times)
        return self.take(self.last._replace(said=said, line=line))

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events that have become certain because nothing followed until ``now``."""
        self._next = now + EXPIRY_SECONDS
        over = self._escalate(self._targets.expire(now)) if self._made or self._waiting else []
        paired = self.escalations.expire(now) if self._paired or self._held else []
        return self.attempts.expire(now) + over + paired

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        over = self._escalate(self._targets.finish()) if self._made or self._waiting else []
        paired = self.escalations.finish() if self._paired or self._held else []
        return self.attempts.finish() + over + paired


def _says_the_same(before: AuthEvent, event: AuthEvent) -> bool:
    """Return whether a line says in another form what its process has just said, as su may."""
    first, second = before.said, event.said
    one, other = [(said.event, said.service, said.times) for said in (first, second)]
    names = {(said.user, said.target) for said in (first, second)} - {("", "")}
    is_another_form = first.kind != second.kind and before.pid == event.pid
    return one == other and len(names) <= 1 and is_another_form and event.time - before.time < 1.5
