"""Programs that count what they refuse: dropbear until a connection's end, shadow's login as it goes.

Of some refusals there is no line, of some only one for several, and some name no address: the
number at the end says how many there were, and the end has the address.
"""

from __future__ import annotations

from textfile_users.auth.patterns import AGAIN, LAST, NUMBERED, REJECTED, TOTAL, TRIED
from textfile_users.auth.remembered import ENDED, FAILED, MAX_WAITING, Remembered, Step, after
from textfile_users.auth_event import FAILURE, PROBE, AuthEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In Remembered.said: a refusal of a name was told; its password may have a line, too.
NAMED = "n"
KEY = "k"  # a refused key, which is no failure
MAX_TOLD = 100  # attempts of a connection that are told apart; dropbear allows 10


def _on_tried(memory: Remembered, event: AuthEvent) -> Step:
    """Count a refusal that has a line: the end tells of it, too."""
    said = event.said
    if said.method == "publickey":
        told = memory.said + KEY * min(said.times, MAX_TOLD)
        return after(memory, event, told[-MAX_TOLD:], memory.held), []
    is_unknown = said.account == "invalid"
    if is_unknown and said.method == "pam" and NAMED in memory.said:
        told = memory.said.replace(NAMED, "", 1)
        return after(memory, event, told, memory.held), []
    told = memory.said + FAILED * min(said.times, MAX_TOLD) + (NAMED if is_unknown else "")
    failure = event._replace(said=said._replace(event=FAILURE))
    return after(memory, event, told[-MAX_TOLD:], memory.held), [failure]


def _on_rejected(memory: Remembered, event: AuthEvent) -> Step:
    """Hold a refusal until the end, or until nothing follows."""
    if not event.said.ip and memory.peer:
        event = event._replace(said=event.said._replace(ip=memory.peer))
    held = (*memory.held, event)
    first, held = held[:-MAX_WAITING], held[-MAX_WAITING:]
    over = [one._replace(said=one.said._replace(event=FAILURE)) for one in first]
    told = memory.said + FAILED * len(over)
    return after(memory, event, told[-MAX_TOLD:], held), over


def _on_total(memory: Remembered, event: AuthEvent) -> Step:
    """The end of a connection: what was refused and has had no line counts with it."""
    said = event.said
    rejected = [one.said for one in memory.held if one.said.event == REJECTED]
    decided = memory.said.replace(KEY, "")
    seen = memory.said.count(FAILED) + memory.said.count(KEY)
    told = int(said.target) if said.target else sum([one.times for one in rejected])
    times = told - seen
    last = rejected[-1] if rejected else None
    # Without a process's number the next connection may be of the same address.
    over = after(memory, event, ENDED if said.pid or event.pid else "")
    if times <= 0 and decided:
        return over, []
    who: dict[str, Any] = {"user": said.user or (last.user if last else "")}
    who["account"] = last.account if last else "valid" if who["user"] else ""
    if not (said.ip or said.host):
        who["ip"] = (last.ip if last else "") or memory.peer
    if times <= 0:
        return over, [event._replace(said=said._replace(event=PROBE, target="", **who))]
    how = last.method if last else "password"
    failure = said._replace(event=FAILURE, method=how, times=times, kind="", target="", **who)
    return over, [event._replace(said=failure)]


def _on_numbered(memory: Remembered, event: AuthEvent) -> Step:
    """Count a refusal, but not a second line of the same number."""
    said = event.said
    is_told = said.kind == AGAIN or (said.kind == LAST and memory.said == said.target)
    failure = event._replace(said=said._replace(event=FAILURE, target="", kind=""))
    return after(memory, event, said.target, memory.held), [] if is_told else [failure]


STEPS = {TRIED: _on_tried, REJECTED: _on_rejected, TOTAL: _on_total, NUMBERED: _on_numbered}
