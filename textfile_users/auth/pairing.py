"""From what single messages say to events, each once: attempts and escalations together."""

from __future__ import annotations

from textfile_users.auth.attempts import Attempts
from textfile_users.auth.patterns import (
    AGAIN,
    CONTINUED,
    LEFT,
    NUMBERED,
    PAM_ACCEPTED,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    PAM_REFUSED,
    PAM_TOLD,
    PART,
    REFUSED_PART,
    TOLD,
    WAITING,
)
from textfile_users.auth.remembered import Key, Remembered
from textfile_users.auth_event import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    SESSION_OPENED,
    SUCCESS,
    AuthEvent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from textfile_users.auth.escalations import Escalations
    from textfile_users.auth.run0 import Run0
    from textfile_users.auth.sudo_targets import Targets
    from textfile_users.auth.verdicts import Verdicts

# Of these a line may be told whom it is to by another, see auth/sudo_targets.py.
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
# What PAM's modules say, which decides only together, and what may overrule a refusal of theirs.
_VERDICTS = frozenset((PAM_REFUSED, PAM_ACCEPTED, PAM_ESCALATION_FAILURE))
_DECIDING = frozenset(
    (
        SUCCESS,
        FAILURE,
        NUMBERED,
        SESSION_OPENED,
        ESCALATION,
        ESCALATION_FAILURE,
        PAM_ESCALATION,
        PART,
        REFUSED_PART,
        LEFT,
    )
)
_NOT_ALONE = _VERDICTS | _ESCALATIONS
RUN0 = "run0"


class Pairing:
    """What lines so far have left open. ``last`` is the newest line, if it said something."""

    def __init__(
        self,
        remembered: Iterable[tuple[Key, Remembered]] = (),
        held: Iterable[AuthEvent] = (),
        last: AuthEvent | None = None,
    ) -> None:
        """Go on with what another run's Pairing left."""
        self.attempts = Attempts(remembered)
        # What another run left: for targets, verdicts, run0 and escalations.
        self._waiting: list[AuthEvent] = []
        self._told: list[AuthEvent] = []
        self._refused: list[AuthEvent] = []
        self._asked: list[AuthEvent] = []
        self._held: list[AuthEvent] = []
        for event in held:
            self._place(event).append(event)
        self._has_refused = bool(self._refused)
        self._made: Targets | None = None
        self._paired: Escalations | None = None
        self._verdicts: Verdicts | None = None
        self._run0: Run0 | None = None
        self.last = last
        self._next = 0.0

    def _place(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the list for what another run held of an event."""
        said = event.said
        if said.event in WAITING:
            return self._waiting
        if said.event == TOLD:
            return self._told
        if said.event in (PAM_REFUSED, PAM_TOLD):
            return self._refused
        if said.event == PAM_ESCALATION_FAILURE and said.kind:
            return self._refused
        return self._asked if said.service == RUN0 else self._held

    @property
    def escalations(self) -> Escalations:
        """What is paired; imported where somebody escalates, as the targets are."""
        if self._paired is None:
            from textfile_users.auth.escalations import Escalations

            self._paired = Escalations(self._held)
        return self._paired

    @property
    def verdicts(self) -> Verdicts:
        """What PAM's modules refuse; imported where one does."""
        if self._verdicts is None:
            from textfile_users.auth.verdicts import Verdicts

            self._verdicts = Verdicts(self._refused)
            self._has_refused = True
        return self._verdicts

    @property
    def run0(self) -> Run0:
        """What of run0 waits for its other line; imported where somebody uses it."""
        if self._run0 is None:
            from textfile_users.auth.run0 import Run0

            self._run0 = Run0(self._asked)
        return self._run0

    @property
    def _targets(self) -> Targets:
        """What may wait; imported where somebody escalates."""
        if self._made is None:
            from textfile_users.auth.sudo_targets import Targets

            self._made = Targets((*self._waiting, *self._told))
        return self._made

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What of refusals and escalations is undecided, for the next run."""
        return (
            *(self._verdicts.held if self._verdicts else self._refused),
            *(self._made.held if self._made else (*self._told, *self._waiting)),
            *(self._run0.held if self._run0 else self._asked),
            *(self._paired.held if self._paired else self._held),
        )

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that became certain with a line's finding, in their order."""
        before, self.last = self.last, event
        over = []
        if not self._next - EXPIRY_SECONDS <= event.time < self._next:
            over = self.expire(event.time)
        kind = event.said.event
        if kind not in _NOT_ALONE and not self._has_refused:  # as most
            return over + self.attempts.take(event)
        if event.said.kind == AGAIN and kind in _ESCALATIONS:
            if before and _says_the_same(before, event):
                return over
            event = event._replace(said=event.said._replace(kind=""))
        if kind in _VERDICTS or (self._has_refused and kind in _DECIDING):
            return over + self._decide(self.verdicts.take(event))
        return over + self._count(event)

    def _decide(self, lines: Iterable[AuthEvent]) -> list[AuthEvent]:
        return [event for line in lines for event in self._count(line)]

    def _count(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that became certain with what is no more PAM's to decide."""
        said = event.said
        if said.event not in _ESCALATIONS:
            return self.attempts.take(event)
        if said.service in TWO_LINES:
            return self._escalate(self._targets.take(event))
        if said.service == RUN0:
            if said.event != PAM_ESCALATION and (self._paired or self._held):
                self.escalations.void_refusals(event)
            return self.run0.take(event)
        return self.escalations.take(event)

    def _escalate(self, lines: list[AuthEvent]) -> list[AuthEvent]:
        return [event for line in lines for event in self.escalations.take(line)] if lines else []

    def repeat(self, times: int, line: int) -> list[AuthEvent]:
        """Return what `last message repeated` adds: the newest line, ``times`` more."""
        if self.last is None:
            return []
        said = self.last.said._replace(times=times)
        return self.take(self.last._replace(said=said, line=line))

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events that have become certain because nothing followed until ``now``."""
        self._next = now + EXPIRY_SECONDS
        refused = []
        if self._has_refused:
            refused = self._decide(self.verdicts.expire(now))
        over = self._escalate(self._targets.expire(now)) if self._made or self._waiting else []
        run0 = self.run0.expire(now) if self._run0 or self._asked else []
        paired = self.escalations.expire(now) if self._paired or self._held else []
        return refused + self.attempts.expire(now) + over + run0 + paired

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        refused = []
        if self._has_refused:
            refused = self._decide(self.verdicts.finish())
        over = self._escalate(self._targets.finish()) if self._made or self._waiting else []
        run0 = self.run0.finish() if self._run0 or self._asked else []
        paired = self.escalations.finish() if self._paired or self._held else []
        return refused + self.attempts.finish() + over + run0 + paired


def _says_the_same(before: AuthEvent, event: AuthEvent) -> bool:
    """Return whether a line says in another form what its process has just said, as su may."""
    first, second = before.said, event.said
    one, other = [(said.event, said.service, said.times) for said in (first, second)]
    names = {(said.user, said.target) for said in (first, second)} - {("", "")}
    is_another_form = first.kind != second.kind and before.pid == event.pid
    return one == other and len(names) <= 1 and is_another_form and event.time - before.time < 1.5
