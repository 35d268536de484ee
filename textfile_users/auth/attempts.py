"""What findings mean together: one attempt is one event, however many lines it takes.

sshd writes up to six lines for an attempt, PAM repeats what a program says itself, and some
lines mean something only because no other follows. So what a process has said is remembered
for ten minutes. Pure: time comes with the lines.
"""

from __future__ import annotations

from itertools import islice

from textfile_users.auth.patterns import (
    DENIED,
    END,
    INVALID,
    NUMBERED,
    OVER,
    PAM_FAILURE,
    PEER,
    REJECTED,
    TOTAL,
    TRIED,
)
from textfile_users.auth.remembered import (
    ACCEPTED,
    AT_ONCE_SECONDS,
    ENDED,
    FAILED,
    MAX_WAITING,
    NEW,
    PAIRED_SECONDS,
    REMEMBERED_SECONDS,
    UNPAIRED,
    Key,
    Remembered,
    Step,
    after,
)
from textfile_users.auth_event import FAILURE, PROBE, SUCCESS, AuthEvent, Finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_REMEMBERED = 10_000
FORGOTTEN_AT_ONCE = 1_000  # beyond that; one by one, a dict's beginning gets slow
MAX_HELD = 10_000  # findings of all processes, with twice as many in between


class Attempts:
    """The processes remembered, the one that has been silent longest first."""

    def __init__(self, remembered: Iterable[tuple[Key, Remembered]] = ()) -> None:
        """Go on with what ``items`` gave."""
        self._memories: dict[Key, Remembered] = dict(remembered)
        self._held = self._count_held()  # or more: those that were decided since are in it

    def _count_held(self) -> int:
        return sum([len(memory.held) for memory in self._memories.values()])

    def items(self) -> Iterator[tuple[Key, Remembered]]:
        """Yield what is remembered, for the next run."""
        return iter(self._memories.items())

    def has_decided(self, key: Key, now: float | None, message: bytes) -> bool:
        """Return whether the process that writes ``message`` has said what its connection is."""
        memory = self._memories.get(key)
        if memory is None or not memory[1] or memory[2] or now is None:
            return False
        if memory[4] and _is_of_another(memory[4], message):
            return False
        return not _is_over(memory, now)

    def is_open(self, key: Key, now: float | None, message: bytes) -> bool:
        """Return whether the process has decided, or holds all that another attempt could say."""
        memory = self._memories.get(key)
        if memory is None or now is None or _is_over(memory, now):
            return False
        if memory[4] and _is_of_another(memory[4], message):
            return False
        if not memory[2]:
            return memory[1] != ""
        said = memory[2][-1].said
        return said.event == INVALID and said.user != "" and said.ip != "" and said.port != 0

    def take(self, event: AuthEvent) -> list[AuthEvent]:
        """Return the events that a line's finding makes certain."""
        said = event.said
        step = _STEPS.get(said.event) or _step_of_tries(said.event)
        if step is None:
            return [event]
        memories = self._memories
        key = said.service, said.pid or event.pid or said.ip or said.host
        before = memories.pop(key, NEW)
        earlier: list[AuthEvent] = []
        if before is NEW:
            if said.event == OVER:
                return []
        elif _is_over(before, event.time) or (
            before[4] not in (0, said.port) and _is_elsewhere(key, said)
        ):  # the pid is another process's
            earlier, before = _undecided(before), NEW
        if not said.ip and said.service == "sshd" and said.event in _BY_CONNECTION:
            event = event._replace(said=said._replace(ip=_peer(before)))
        elif before.held and not before.held[-1].said.ip and said.ip and said.event != PEER:
            held = tuple([_with_address(one, said.ip) for one in before.held])
            before = quick(Remembered, (before.time, before.said, held, before.peer, before.port))
        memories[key], events = step(before, event)
        if len(memories) >= MAX_REMEMBERED + FORGOTTEN_AT_ONCE:
            events = [*events, *self._forget(FORGOTTEN_AT_ONCE)]
        if said.event == PAM_FAILURE:  # of which a process may have many
            self._held += 1
            if self._held >= 2 * MAX_HELD:
                events = [*events, *self._bound_held()]
        return earlier + events if earlier else events

    def _forget(self, count: int) -> list[AuthEvent]:
        """Forget those silent longest, and return what was undecided of them as events."""
        events: list[AuthEvent] = []
        for key in list(islice(self._memories, count)):
            memory = self._memories.pop(key)
            if memory.held:
                events += _undecided(memory)
        return events

    def _bound_held(self) -> list[AuthEvent]:
        """Forget processes until what is held is within its bound, and return what was of them."""
        self._held = self._count_held()
        over = 0
        for memory in self._memories.values():
            if self._held <= MAX_HELD:
                break
            self._held -= len(memory.held)
            over += 1
        return self._forget(over)

    def expire(self, now: float) -> list[AuthEvent]:
        """Return the events that ten minutes of silence until ``now`` have made certain."""
        over = 0
        for memory in self._memories.values():
            if not _is_over(memory, now):
                break
            over += 1
        return self._forget(over) if over else []

    def finish(self) -> list[AuthEvent]:
        """Return the events of all that is undecided: no line will follow."""
        events = [event for memory in self._memories.values() for event in _undecided(memory)]
        self._memories.clear()
        return events


def _peer(memory: Remembered) -> str:
    """Return the address that lines of a process have told of its connection, '' for none."""
    return memory.peer or next((held.said.ip for held in memory.held if held.said.ip), "")


def _lacks_address(said: Finding) -> bool:
    """Return whether sshd names a host (UseDNS yes): another line of that pid has the address.

    Each of its processes has one connection; those of other programs may have many. And so does
    one that refuses somebody before it tells from where.
    """
    return said.ip == "" and (
        (said.host != "" and said.service == "sshd") or said.event == REJECTED
    )


def _with_address(event: AuthEvent, ip: str) -> AuthEvent:
    return event._replace(said=event.said._replace(ip=ip)) if _lacks_address(event.said) else event


def _is_over(memory: Remembered, now: float) -> bool:
    # What lies far ahead was said before the clock was set back.
    return abs(now - memory.time) >= REMEMBERED_SECONDS


def _is_of_another(port: int, message: bytes) -> bool:
    """Return whether a message of sshd's has another port: a process has one connection."""
    place = message.partition(b" port ")[2]
    return place != b"" and place.partition(b" ")[0] != b"%d" % port


def _is_elsewhere(key: Key, said: Finding) -> bool:
    """Return whether a line with another port is of another connection: its pid was given again.

    Where the peer is gone its place may be `UNKNOWN port 65535`.
    """
    return said.ip != "" and said.port > 0 and isinstance(key[1], int)


def _on_success(memory: Remembered, event: AuthEvent) -> Step:
    events = [*_refused(memory), event] if memory.held else [event]
    port = event[3].port or memory[4]
    return quick(Remembered, (event.time, memory.said or ACCEPTED, (), memory.peer, port)), events


def _on_failure(memory: Remembered, event: AuthEvent) -> Step:
    """PAM's lines of the same attempt are void, and the connection will be no probe."""
    refused = _refused(memory) if memory.held else []
    if not refused:
        said = FAILED
        if event.said.method == "keyboard-interactive":
            said += UNPAIRED
        port = event[3].port or memory[4]
        return quick(Remembered, (event.time, said, (), memory.peer, port)), [event]
    if not _is_another(memory, event):
        refused = _without_last(refused, event.said.times)
    return after(memory, event, FAILED), [*refused, event]


def _without_last(refused: list[AuthEvent], times: int) -> list[AuthEvent]:
    """Return refusals without the last ``times``: a repeated line stands for several."""
    *earlier, last = refused
    left = last.said.times - times
    return [*earlier, last._replace(said=last.said._replace(times=left))] if left > 0 else earlier


def _is_another(memory: Remembered, event: AuthEvent) -> bool:
    """Return whether a failure is of a later attempt than those that PAM told sshd of.

    Of passwords without a dialogue sshd does not repeat what PAM said. But PAM lets seconds
    pass after a refusal, so what follows at once is the same.
    """
    is_plain = event.said.service == "sshd" and event.said.method != "keyboard-interactive"
    return is_plain and event.time - memory.time >= AT_ONCE_SECONDS


def _on_pam_failure(memory: Remembered, event: AuthEvent) -> Step:
    if UNPAIRED in memory.said and abs(event.time - memory.time) < PAIRED_SECONDS:
        said = memory.said.replace(UNPAIRED, "")
        return after(memory, event, said, memory.held), []
    if not (event.pid and _lacks_address(event.said)):
        return after(memory, event, memory.said, (event,)), _refused(memory)
    # A later line has the address.
    held = (*[held for held in memory.held if held.said.event == PAM_FAILURE], event)
    refused = [_as_event(one) for one in held[: -MAX_WAITING - 1]]
    return after(memory, event, memory.said, held[-MAX_WAITING - 1 :]), refused


def _on_invalid(memory: Remembered, event: AuthEvent) -> Step:
    """A line that begins an attempt: it is held, and later ones of it may say more."""
    held = memory.held
    if not (memory.said or held):
        return after(memory, event, "", (event,)), []
    if held and held[-1].said.event == INVALID and not memory.said:
        held = (_with_more(held[-1], event.said),)
    return after(memory, event, memory.said, held), []


def _with_more(held: AuthEvent, more: Finding) -> AuthEvent:
    """Return a line that is held with what another of the same attempt says beside it."""
    said = held.said
    if said.user and said.ip and said.port:
        return held
    if not said.user:
        said = said._replace(user=more.user, account=more.account)
    if not (said.ip or said.host):
        said = said._replace(ip=more.ip, host=more.host, port=more.port)
    elif said.ip == more.ip and not said.port:
        said = said._replace(port=more.port)
    return held._replace(said=said)


def _on_denied(memory: Remembered, event: AuthEvent) -> Step:
    """PAM's account part refuses who has shown a right key or password.

    Of a password sshd says Failed too, of a dialogue PAM's error: those come at once before.
    """
    refused = _refused(memory)
    is_said = (refused or FAILED in memory.said) and event.time - memory.time < PAIRED_SECONDS
    if not is_said:
        refused.append(event._replace(said=event.said._replace(event=FAILURE)))
    return after(memory, event, FAILED), refused


def _on_over(memory: Remembered, event: AuthEvent) -> Step:
    """The end of a connection of which is not said that nobody had logged in: if it is known."""
    if memory.held or (memory.peer and not memory.said):
        return _on_end(memory, event._replace(said=event.said._replace(event=END)))
    return after(memory, event, memory.said), []


def _on_end(memory: Remembered, event: AuthEvent) -> Step:
    """The end of a connection: a probe, unless the process has decided already."""
    over = memory.said or ENDED
    refused = _refused(memory)
    if memory.said or refused:
        return after(memory, event, over), refused
    first = next((held for held in memory.held if held.said.event == END), None)
    user = next((held for held in memory.held if held.said.event == INVALID), None)
    probe = _probe(event, first, user)
    if memory.peer and not probe.said.ip:
        probe = probe._replace(said=probe.said._replace(ip=memory.peer))
    if probe.said.ip or probe.said.host or first:
        return after(memory, event, over), [probe]
    # The next line may have the address.
    end = event._replace(said=probe.said._replace(event=END))
    return after(memory, event, "", (end,)), []


def _on_peer(memory: Remembered, event: AuthEvent) -> Step:
    """Take the first line of a connection's process: what another of that pid said is over."""
    said = event.said
    return quick(Remembered, (event.time, "", (), said.ip, said.port)), _undecided(memory)


_STEPS = {
    SUCCESS: _on_success,
    FAILURE: _on_failure,
    PAM_FAILURE: _on_pam_failure,
    INVALID: _on_invalid,
    END: _on_end,
    OVER: _on_over,
    DENIED: _on_denied,
    PEER: _on_peer,
}
# Of these another line of the same connection may have the address.
_BY_CONNECTION = (FAILURE, PAM_FAILURE, INVALID, DENIED, SUCCESS)


# Steps of programs that few hosts have.
_COUNTED = frozenset((TRIED, REJECTED, TOTAL, NUMBERED))
_REFUSALS = (PAM_FAILURE, REJECTED)


def _step_of_tries(event: str) -> Callable[[Remembered, AuthEvent], Step] | None:
    if event not in _COUNTED:
        return None
    from textfile_users.auth.numbered_refusals import STEPS

    return STEPS[event]


def _refused(memory: Remembered) -> list[AuthEvent]:
    return [_as_event(held) for held in memory.held if held.said.event in _REFUSALS]


def _undecided(memory: Remembered) -> list[AuthEvent]:
    """Return what is held as the events that it is when no other line follows."""
    return [_as_event(held) for held in memory.held]


def _as_event(held: AuthEvent) -> AuthEvent:
    if held.said.event in _REFUSALS:
        return held._replace(said=held.said._replace(event=FAILURE))
    return _probe(held, None, None)


def _probe(end: AuthEvent, first: AuthEvent | None, user: AuthEvent | None) -> AuthEvent:
    """Return the probe that an end of a connection is, with what lines before it said."""
    said = end.said._replace(event=PROBE, kind=end.said.kind or "other")
    if first:  # it told how the connection ended
        said = said._replace(kind=first.said.kind)
    if user:
        who = user.said
        said = said._replace(user=said.user or who.user, account=said.account or who.account)
        if not (said.ip or said.host):
            said = said._replace(ip=who.ip, host=who.host, port=who.port)
        elif said.ip == who.ip and not said.port:
            said = said._replace(port=who.port)
    return end._replace(said=said)
