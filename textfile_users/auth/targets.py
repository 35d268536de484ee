"""Who was escalated to, where a line of sudo or doas does not say so for certain.

The directory in it is the user's to name, ``/x ; USER=root ; COMMAND=/bin/sh`` too, and sudo goes on
in further lines where it is long. So a line of sudo's waits until its process says something
else: PAM's line of the session decides whom it was to. Where none does nobody is named.
"""

from __future__ import annotations

from textfile_users.auth.attempts import PAIRED_SECONDS, AuthEvent
from textfile_users.auth.finding import (
    CONTINUED,
    ESCALATION,
    ESCALATION_FAILURE,
    PAM_ESCALATION,
    PART,
    REFUSED_PART,
    UNCLEAR,
    Finding,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# So many processes may be undecided at once, each for so long at most.
MAX_HELD = 100
CONTINUED_SECONDS = 1.0  # within which sudo has written all its lines
EVENTS = {PART: ESCALATION, REFUSED_PART: ESCALATION_FAILURE}


class Targets:
    """The lines that wait for others of their process: by program and pid, the oldest first."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self._held = {(event.said.service, event.pid): event for event in held}
        self._opened: AuthEvent | None = None  # PAM's newest line of doas

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What waits, for the next run."""
        return tuple(self._held.values())

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the lines, with their targets, that ``event`` makes certain, and itself if it is."""
        said = event.said
        key = said.service, event.pid
        if said.event == CONTINUED:
            self._go_on(key, said)
            return []
        held = self._held.pop(key, None)
        pam = said.target if said.event == PAM_ESCALATION else ""
        before = [_decided(held, pam)] if held else []
        if said.event in EVENTS or (said.event == ESCALATION and said.service == "sudo"):
            waits = REFUSED_PART if said.event == REFUSED_PART else PART
            self._held[key] = event._replace(said=said._replace(event=waits))
            if len(self._held) > MAX_HELD:
                before.append(_decided(self._held.pop(next(iter(self._held)))))
            return before
        if said.service == "doas":
            event = self._of_doas(event)
        elif said.kind == UNCLEAR:
            event = _decided(event)
        return [*before, event]

    def _go_on(self, key: tuple[str, int], more: Finding) -> None:
        held = self._held.get(key)
        if held is None or more.user not in ("", held.said.user):  # sudo-rs does not repeat it
            return
        said = held.said
        if UNCLEAR in (said.kind, more.kind) or (
            said.target and more.target and said.target != more.target
        ):
            said = said._replace(target="", kind=UNCLEAR)
        else:
            said = said._replace(target=said.target or more.target)
        self._held[key] = held._replace(said=said)

    def _of_doas(self, event: AuthEvent) -> AuthEvent:
        """Return a line of doas with its target: PAM's stands before it, by the parent process."""
        if event.said.event == PAM_ESCALATION:
            self._opened = event
            return event
        opened, self._opened = self._opened, None
        is_near = opened and abs(event.time - opened.time) < PAIRED_SECONDS
        return _decided(event, opened.said.target if opened and is_near else "")

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the lines that no other of their process has followed until ``now``."""
        over = [key for key, held in self._held.items() if _is_over(held, now)]
        return [_decided(self._held.pop(key)) for key in over]

    def finish(self) -> list[AuthEvent]:
        """Return all that waits: no line will follow."""
        over = [_decided(held) for held in self._held.values()]
        self._held.clear()
        return over


def _is_over(held: AuthEvent, now: float) -> bool:
    is_open = held.said.event == PART and not held.said.target  # PAM may take its time
    # What lies far ahead was said before the clock was set back.
    return abs(now - held.time) >= (PAIRED_SECONDS if is_open else CONTINUED_SECONDS)


def _decided(held: AuthEvent, target: str = "") -> AuthEvent:
    """Return a line as the event it is, to ``target`` where it does not tell whom to itself."""
    said = held.said
    event = EVENTS.get(said.event, said.event)
    return held._replace(said=said._replace(event=event, target=said.target or target, kind=""))
