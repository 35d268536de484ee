"""Who was escalated to, where a line of sudo or doas does not say so for certain.

The directory in it is the user's to name, ``/x ; USER=root ; COMMAND=/bin/sh`` too, and sudo goes on
in further lines where it is long. So a line of sudo's waits until its process says something
else, and PAM's line of the session, before or behind it, decides whom it was to. Where none does
nobody is named.

sudo may also tell of the end of a command (log_exit_status), by the same line with ` ; EXIT=0` behind
it, and of commands that a command runs (log_subcmds), by lines of the same process, for which PAM opens no
session: they are no escalations of their own. What a line ends in is the user's text, too, so only the end of one that is
remembered is an end.
"""

from __future__ import annotations

from textfile_users.auth.patterns import (
    CONTINUED,
    LEFT,
    OPENED,
    PAM_ESCALATION,
    PART,
    REFUSED_PART,
    TOLD,
    UNCLEAR,
)
from textfile_users.auth.remembered import PAIRED_SECONDS
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, AuthEvent, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Key = tuple[str, int]  # program and pid
    Who = tuple[str, int]  # user and pid

# So many processes may be undecided at once.
MAX_HELD = 100
CONTINUED_SECONDS = 1.0  # within which sudo has written all its lines
# So many escalations are remembered for their ends, and so long.
MAX_TOLD = 32
TOLD_SECONDS = 86_400.0
WHOLE = "whole"  # the kind of a line that has all fields; its rest is the command's
# Of a line that may be of a command's command, which opens no session; and of what has opened one.
WITHIN = "within"
OPEN = "open"
_EVENTS = {PART: ESCALATION, REFUSED_PART: ESCALATION_FAILURE}


class Targets:
    """What waits for other lines of a process: lines of programs, and of PAM; the oldest first."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self._lines: dict[Key, AuthEvent] = {}
        self._opened: dict[Key, AuthEvent] = {}
        self._told = Told([event for event in held if event.said.event == TOLD])
        for event in held:
            if event.said.event == OPENED:
                self._opened[_key(event)] = event
            elif event.said.event != TOLD:
                self._lines[_key(event)] = _as_line(event)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What waits, for the next run."""
        lines = map(_as_part, self._lines.values())
        return (*self._told.held, *self._opened.values(), *lines)

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the lines, with their targets, that a line makes certain, and itself if it is."""
        said = event.said
        key = _key(event)
        if said.event == CONTINUED:
            self._go_on(key, said)
            return []
        if said.service == "sudo" and said.event in (ESCALATION, PART, LEFT):
            if self._told.has(event):
                return []
            event = self._remember(_not_left(event) if said.event == LEFT else event)
            said = event.said
        line = self._lines.pop(key, None)
        if said.event == PAM_ESCALATION:
            if line:
                self._open(line)
                return [_decided(line, said.target), event]
            _put(self._opened, key, event._replace(said=said._replace(event=OPENED)))
            return [event]
        if line and line.said.kind == WITHIN and _is_alike(line.said, said):
            line = None
        is_open = said.service == "sudo" and said.event in (ESCALATION, PART, REFUSED_PART)
        if is_open and (key not in self._opened or said.event == REFUSED_PART):
            certain = [line] if line else []
            certain += _put(self._lines, key, event)
        else:
            certain = [line, event] if line else [event]
        return [self._decide(line) for line in certain]

    def _remember(self, event: AuthEvent) -> AuthEvent:
        """Remember that an escalation counts; return it, marked if it may be within another.

        Without a process that is told by PAM: it opens one session for all that a command runs.
        """
        said = event.said
        may_be_within = not event.pid and said.target and said.tty and said.event == ESCALATION
        if may_be_within and _key(event) not in self._opened and self._told.has_opened(event):
            return event._replace(said=said._replace(kind=WITHIN))
        self._told.add(event)
        return event

    def _open(self, line: AuthEvent) -> None:
        """Remember of an escalation that PAM has opened a session for it."""
        if line.said.service == "sudo" and line.said.event in (ESCALATION, PART):
            self._told.open(line)

    def _go_on(self, key: Key, more: Finding) -> None:
        line = self._lines.get(key)
        if line is None or more.user not in ("", line.said.user):  # sudo-rs does not repeat it
            return
        said = line.said
        if more.tty == LEFT and self._told.ends(line):
            del self._lines[key]
            return
        if said.event == ESCALATION:
            if not said.kind and not more.user:
                return
            said = said._replace(event=PART)
        is_clear = said.target == more.target or not (said.target and more.target)
        if is_clear and UNCLEAR not in (said.kind, more.kind):
            said = said._replace(target=said.target or more.target)
        else:
            said = said._replace(target="", kind=UNCLEAR)
        self._lines[key] = line._replace(said=said)

    def _decide(self, line: AuthEvent) -> AuthEvent:
        """Return a program's line as an event, to the target that PAM told before it."""
        if line.said.event not in (ESCALATION, PART):
            return _decided(line)
        opened = self._opened.pop(_key(line), None) if self._opened else None
        if opened is None or _is_over(opened, line.time):
            return _decided(line)
        if opened.said.user not in ("", line.said.user):  # doas tells no process
            return _decided(line)
        return _decided(line, opened.said.target)

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the lines that no other of their process has followed until ``now``."""
        if self._opened:
            old = [key for key, line in self._opened.items() if _is_over(line, now)]
            for key in old:
                del self._opened[key]
        over = [key for key, line in self._lines.items() if _is_over(line, now)]
        lines = [self._lines.pop(key) for key in over]
        return [self._decide(line) for line in lines if line.said.kind != WITHIN]

    def finish(self) -> list[AuthEvent]:
        """Return all that waits: no line will follow."""
        lines = [line for line in self._lines.values() if line.said.kind != WITHIN]
        over = [self._decide(line) for line in lines]
        self._lines.clear()
        return over


class Told:
    """Escalations of sudo that count already, by user and process; those told last stand last."""

    def __init__(self, held: Iterable[AuthEvent] = ()) -> None:
        """Go on with what ``held`` was."""
        self._by_who: dict[Who, list[AuthEvent]] = {}
        self._count = 0
        for event in held:
            self.add(event)

    @property
    def held(self) -> tuple[AuthEvent, ...]:
        """What is remembered, for the next run."""
        return tuple(_as_told(event) for events in self._by_who.values() for event in events)

    def add(self, event: AuthEvent) -> None:
        """Remember an escalation, and forget the oldest where that is one too many."""
        who = _who(event)
        self._by_who[who] = [*self._by_who.pop(who, ()), event]
        self._count += 1
        if self._count > MAX_TOLD:
            oldest = next(iter(self._by_who))
            self._by_who[oldest].pop(0)
            self._has_dropped(oldest)

    def open(self, line: AuthEvent) -> None:
        """Remember of an escalation that PAM has opened a session for it."""
        for same in self._same(line)[-1:]:
            self._drop(same)
        self.add(line._replace(said=line.said._replace(kind=OPEN)))

    def has_opened(self, event: AuthEvent) -> bool:
        """Return whether PAM has opened a session for a like escalation of the same user."""
        opened = [told.said for told in self._of(event) if told.said.kind == OPEN]
        return any(_is_alike(said, event.said) for said in opened)

    def has(self, event: AuthEvent) -> bool:
        """Return whether a line is of an escalation that counts already, and forget what ends."""
        if _who(event) not in self._by_who:  # as mostly
            return False
        told = self._of(event)
        same = self._same(event) if event.said.event == LEFT else []
        if same:
            self._drop(same[0])
            return True
        target = event.said.target
        return event.pid != 0 and any(target in ("", one.said.target) for one in told)

    def ends(self, line: AuthEvent) -> bool:
        """Return whether a line that goes on is the end of one before it, and forget both."""
        same = self._same(line)
        if len(same) < 2:
            return False
        self._drop(same[0])
        self._drop(same[-1])
        return True

    def _of(self, line: AuthEvent) -> list[AuthEvent]:
        """Return what is remembered of a line's user and process."""
        events = self._by_who.get(_who(line), ())
        return [told for told in events if abs(line.time - told.time) < TOLD_SECONDS]

    def _same(self, line: AuthEvent) -> list[AuthEvent]:
        """Return what is remembered of lines of that text."""
        return [told for told in self._of(line) if told.said.pid == line.said.pid]

    def _drop(self, event: AuthEvent) -> None:
        who = _who(event)
        self._by_who[who].remove(event)
        self._has_dropped(who)

    def _has_dropped(self, who: Who) -> None:
        self._count -= 1
        if not self._by_who[who]:
            del self._by_who[who]


def _key(event: AuthEvent) -> Key:
    # doas runs the command, and logs, in a child of the process that PAM knows.
    return event.said.service, event.pid if event.said.service == "sudo" else 0


def _who(event: AuthEvent) -> Who:
    # Where the log tells no pids a user's lines are held together.
    return event.said.user, event.pid


def _is_alike(one: Finding, other: Finding) -> bool:
    """Return whether two lines tell of the same user, target and terminal."""
    return (one.user, one.target, one.tty) == (other.user, other.target, other.tty)


def _not_left(event: AuthEvent) -> AuthEvent:
    """Return the line of an end as it is where it ends nothing: its end is the command's."""
    import binascii

    said = event.said
    number = binascii.crc32(said.kind.encode("ascii"), said.pid)
    return event._replace(said=said._replace(event=ESCALATION, kind="", pid=number))


def _as_part(line: AuthEvent) -> AuthEvent:
    """Return a line that waits as one that the next run knows as such."""
    said = line.said
    if said.event != ESCALATION:
        return line
    return line._replace(said=said._replace(event=PART, kind=said.kind or WHOLE))


def _as_line(held: AuthEvent) -> AuthEvent:
    """Return what ``_as_part`` was given."""
    if held.said.kind != WHOLE:
        return held
    return held._replace(said=held.said._replace(event=ESCALATION, kind=""))


def _as_told(event: AuthEvent) -> AuthEvent:
    """Return an escalation that counts already as one that the next run knows as such."""
    said = event.said
    return event._replace(said=said._replace(event=TOLD, kind=OPEN if said.kind == OPEN else ""))


def _put(waiting: dict[Key, AuthEvent], key: Key, event: AuthEvent) -> list[AuthEvent]:
    """Add what waits as the newest, and return what a bound makes room for it."""
    waiting.pop(key, None)
    waiting[key] = event
    return [waiting.pop(next(iter(waiting)))] if len(waiting) > MAX_HELD else []


def _is_over(line: AuthEvent, now: float) -> bool:
    said = line.said
    # PAM may take its time; how a line goes on is there at once.
    may_be_told = said.event == OPENED or (said.event in (PART, ESCALATION) and not said.target)
    # What lies far ahead was said before the clock was set back.
    return abs(now - line.time) >= (PAIRED_SECONDS if may_be_told else CONTINUED_SECONDS)


def _decided(line: AuthEvent, pam: str = "") -> AuthEvent:
    """Return a line as the event it is; its process may have told PAM whom it is to."""
    said = line.said
    event = _EVENTS.get(said.event, said.event)
    is_same_process = said.service == "sudo" and line.pid  # which a file may not tell
    target = pam if pam and (is_same_process or not said.target) else said.target
    if (event, target, "") == (said.event, said.target, said.kind):
        return line
    return line._replace(said=said._replace(event=event, target=target, kind=""))
