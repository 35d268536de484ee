"""What collectors remember from look to look while the host runs: it may vanish at any time."""

from __future__ import annotations

from textfile_users import accounts
from textfile_users.accounts import Answer, Known, Pause
from textfile_users.connections import Connection
from textfile_users.record import Record
from textfile_users.rows import from_row, pairs, to_row
from textfile_users.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textfile_users.sources.processes import Place, Places

    Row = tuple[object, ...]


class Network(Record):
    """The connections found at ``time``, and a text that changes when they do, or ''."""

    signature: str
    time: float
    connections: tuple[Connection, ...]


NO_NETWORK = Network("", 0.0, ())
MAX_CONNECTIONS = 10_000

if TYPE_CHECKING:
    # The id, leader and start of a session of which no source of sessions has the address.
    Unaddressed = tuple[str, int, float]


class Kept(Record):
    """What is remembered.

    ``asked`` is what the journal held when it was read to its end or asked, and when that was,
    ``usage`` what CPU time goes on from, found at ``time`` (seconds since the epoch, 0 for never),
    ``places`` of which sessions, slices and users processes are,
    ``known`` what files and NSS said of accounts, and ``network`` who was connected.
    ``addresses`` are those of sessions that were found elsewhere, '' where only a log may tell.
    ``strange`` tells of a log, by its path, how lines begin of which none is understood.
    """

    asked: tuple[str, float] = ("", 0.0)
    usage: Usage = Usage()
    places: Places = {}  # noqa: RUF012 - immutable
    known: Known = accounts.NOTHING
    network: Network = NO_NETWORK
    time: float = 0.0
    addresses: dict[Unaddressed, str] = {}  # noqa: RUF012 - immutable
    strange: dict[str, str] = {}  # noqa: RUF012 - immutable


NOTHING = Kept()


def to_rows(kept: Kept) -> Iterator[Row]:
    """Yield rows of plain values, the kind first, from which from_rows makes ``kept`` again."""
    if kept.asked != NOTHING.asked:
        yield ("asked", *kept.asked)
    if kept.time:
        yield "looked", kept.time
    yield from _usage_rows(kept.usage)
    together: dict[Place, list[int]] = {}  # a row a process would cost thrice as much
    for identity, place in kept.places.items():
        together.setdefault(place, []).extend(identity)
    for place, identities in together.items():
        for text in _texts(identities):
            yield ("place", *place, text)
    if kept.known != accounts.NOTHING:
        yield ("accounts", kept.known.signature, *to_row(kept.known.pause))
    for answer in kept.known.answers.values():
        yield ("answer", *to_row(answer))
    yield from _network_rows(kept.network)
    for session, ip in kept.addresses.items():
        yield ("address", *session, ip)
    for path, beginning in kept.strange.items():
        yield "strange", path, beginning


def _network_rows(network: Network) -> Iterator[Row]:
    # More than that are read again: a part of them would be taken for all.
    if network.signature and len(network.connections) <= MAX_CONNECTIONS:
        yield "network", network.signature, network.time
        for connection in network.connections:
            yield ("connection", *to_row(connection))


def from_rows(found: dict[str, list[list[str]]]) -> Kept:
    """Return what the rows of each kind say. Raises ValueError."""
    asked = NOTHING.asked
    for text, time in found.get("asked", ()):
        asked = text, float(time)
    places: Places = {}
    for session, slice_, uid, owner, identities in found.get("place", ()):
        place = session, int(slice_), int(uid), int(owner)
        places.update(dict.fromkeys(pairs(identities), place))
    connections = tuple(from_row(Connection, texts) for texts in found.get("connection", ()))
    network = NO_NETWORK
    for signature, time in found.get("network", ()):
        network = Network(signature, float(time), connections)
    looked = 0.0
    for (text,) in found.get("looked", ()):
        looked = float(text)
    addresses = {
        (ident, int(leader), float(start)): ip
        for ident, leader, start, ip in found.get("address", ())
    }
    strange = {path: beginning for path, beginning in found.get("strange", ())}  # noqa: C416 - pairs
    return Kept(asked, _usage(found), places, _known(found), network, looked, addresses, strange)


def _known(found: dict[str, list[list[str]]]) -> Known:
    answers = [from_row(Answer, texts) for texts in found.get("answer", ())]
    known = accounts.NOTHING._replace(answers={answer.question: answer for answer in answers})
    for signature, *pause in found.get("accounts", ()):
        known = known._replace(signature=signature, pause=from_row(Pause, pause))
    return known


def _usage_rows(usage: Usage) -> Iterator[Row]:
    for uid, seconds in usage.seconds.items():
        yield "cpu", uid, seconds
    if usage.slices is not None:
        yield ("slices",)
        for uid, seconds in usage.slices.items():
            yield "slice", uid, seconds
    if usage.latest is not None:
        processes = usage.processes or {}
        yield "processes", usage.latest
        numbers = [number for identity in processes for number in identity]
        for identities, used in zip(_texts(numbers), _texts(processes.values(), PER_ROW // 2)):
            yield "process", identities, used


def _usage(found: dict[str, list[list[str]]]) -> Usage:
    usage = Usage({int(uid): float(seconds) for uid, seconds in found.get("cpu", ())})
    if "slices" in found:
        slices = {int(uid): float(seconds) for uid, seconds in found.get("slice", ())}
        usage = usage._replace(slices=slices)
    for (latest,) in found.get("processes", ())[-1:]:
        processes: dict[tuple[int, int], float] = {}
        for identities, texts in found.get("process", ()):
            known, seconds = list(pairs(identities)), texts.split()
            if len(seconds) != len(known):
                raise ValueError("not as many processes as CPU times")
            processes.update(zip(known, map(float, seconds)))
        usage = usage._replace(processes=processes, latest=int(latest))
    return usage


# A field for each number would cost a run with many processes four times as much, and a field
# holds 128 KiB at most.
PER_ROW = 4_000


def _texts(numbers: Iterable[float], count: int = PER_ROW) -> Iterator[str]:
    """Yield the numbers as text, so many to one."""
    texts = list(map(str, numbers))
    for start in range(0, len(texts), count):
        yield " ".join(texts[start : start + count])
