"""What scans hand to the next one: one immutable value, of which each collector has its part.

Lines are [KIND, VALUE] for each kind of what is kept, VALUE plain lists, texts and numbers, as
state_files.py writes and reads them. Times are seconds since the epoch.
"""

from __future__ import annotations

from textfile_users.accounts import account as accounts
from textfile_users.accounts.account import Answer, Known, Pause
from textfile_users.auth.logs import AuthMemory, AuthNotes
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.connection import Connection
from textfile_users.counting import Counts
from textfile_users.history.collect_history import HistoryMemory
from textfile_users.logins import Login
from textfile_users.processes.collect_processes import ProcessesMemory, Usage
from textfile_users.reading.position import Position
from textfile_users.record import Record, quick
from textfile_users.sessions.collect_sessions import SessionsMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypeVar

    from textfile_users.auth.remembered import Key, Remembered
    from textfile_users.auth_event import AuthEvent
    from textfile_users.processes.process_table import Place, Places

    Made = TypeVar("Made")
    Number = TypeVar("Number", int, float)
    Line = tuple[str, object]

# More than that are read again: a part of them would be taken for all.
MAX_CONNECTIONS = 10_000


class Durable(Record):
    """What must not be lost."""

    counts: Counts = Counts()
    auth: AuthMemory = AuthMemory()
    history: HistoryMemory = HistoryMemory()


class Volatile(Record):
    """What holds while the host runs; ``said`` maps a fault to the time when it was said."""

    sessions: SessionsMemory = SessionsMemory()
    accounts: Known = accounts.NOTHING
    processes: ProcessesMemory = ProcessesMemory()
    connections: ConnectionsMemory = ConnectionsMemory()
    auth: AuthNotes = AuthNotes()
    said: dict[str, float] = {}


class Memory(Record):
    """What a scan goes on from, and what it hands to the next one."""

    durable: Durable = Durable()
    volatile: Volatile = Volatile()


NOTHING = Memory()


def durable_lines(durable: Durable) -> Iterator[Line]:
    """Yield what durable_of() makes ``durable`` of again."""
    counts, auth, history = durable
    yield "began", [counts.began, counts.boot, counts.forgotten]
    yield "counters", [(value, *series) for series, value in counts.counters.items()]
    yield "failures", [(ip, _flat(minutes)) for ip, minutes in counts.failures.items()]
    yield "attempts", _flat(counts.attempts)
    yield "last logins", list(counts.last_logins.items())
    yield "logins", counts.logins
    yield "log", [auth.source, auth.time, auth.quiet]
    yield "logs", [(path, *position) for path, position in auth.logs.items()]
    yield "journal", auth.journal
    yield "spoken", [(*key, memory) for key, memory in auth.remembered]
    yield "held", auth.held
    yield "last", auth.last
    yield "boot id", history.boot_id
    yield "records", [(path, *position) for path, position in history.records.items()]
    yield "seen", list(history.seen.items())
    yield "wtmpdb", history.wtmpdb


def durable_of(found: dict[str, Any]) -> Durable:
    """Return what values by kind say. Raises KeyError, TypeError, ... where they are others."""
    began, boot, forgotten = map(float, found["began"])
    counts = Counts(
        began=began,
        boot=boot,
        counters={tuple(series): float(value) for value, *series in found.get("counters", ())},
        failures={ip: dict(_pairs(minutes)) for ip, minutes in found.get("failures", ())},
        attempts=dict(_pairs(found.get("attempts", ()))),
        last_logins={user: float(time) for user, time in found.get("last logins", ())},
        logins=tuple(record_of(Login, values) for values in found.get("logins", ())),
        forgotten=forgotten,
    )
    wtmpdb = None
    if "wtmpdb" in found:
        from textfile_users.history.wtmpdb import WtmpdbPosition

        last_id, last_login, open_ids, signature = found["wtmpdb"]
        wtmpdb = WtmpdbPosition(last_id, last_login, tuple(open_ids), signature)
    history = HistoryMemory(
        boot_id=found.get("boot id", ""),
        records=_positions(found.get("records", ())),
        wtmpdb=wtmpdb,
        seen=dict(found.get("seen", ())),
    )
    return Durable(counts, _auth(found), history)


def _auth(found: dict[str, Any]) -> AuthMemory:
    source, time, quiet = found["log"]
    journal = None
    if "journal" in found:
        from textfile_users.auth.journal_files import JournalPosition

        journal = record_of(JournalPosition, found["journal"])
    return AuthMemory(
        source=source,
        time=float(time),
        quiet=float(quiet),
        logs=_positions(found.get("logs", ())),
        journal=journal,
        remembered=tuple(_spoken(*values) for values in found.get("spoken", ())),
        held=tuple(map(_event, found.get("held", ()))),
        last=_event(found["last"]) if "last" in found else None,
    )


def _positions(rows: Iterable[list[Any]]) -> dict[str, Position]:
    return {path: record_of(Position, values) for path, *values in rows}


def _spoken(service: str, who: str | int, values: list[Any]) -> tuple[Key, Remembered]:
    from textfile_users.auth.remembered import Remembered

    time, said, held, peer, port = values
    return (service, who), record_of(Remembered, [time, said, tuple(map(_event, held)), peer, port])


def _event(values: list[Any]) -> AuthEvent:
    from textfile_users.auth_event import AuthEvent, Finding

    time, pid, line, said = values
    return record_of(AuthEvent, [time, pid, line, record_of(Finding, said)])


def volatile_lines(volatile: Volatile) -> Iterator[Line]:
    """Yield what volatile_of() makes ``volatile`` of again."""
    sessions, known, processes, connections, auth, said = volatile
    if sessions.known is not None:
        yield "known", True
        yield "sessions", [(*key, start) for key, start in sessions.known.items()]
    yield "ended", [(*pair, time) for pair, time in sessions.ended.items()]
    yield "gone", [(*place, time) for place, time in sessions.gone.items()]
    yield "addresses", [(*session, ip) for session, ip in sessions.addresses.items()]
    yield "asked", auth.asked
    yield "strange", list(auth.strange.items())
    if known != accounts.NOTHING:
        yield "accounts", [known.signature, known.pause]
        yield "answers", list(known.answers.values())
    yield from _processes_lines(processes)
    if connections.signature and len(connections.connections) <= MAX_CONNECTIONS:
        yield "network", [connections.signature, connections.time]
        yield "connections", connections.connections
    yield "said", list(said.items())


def _processes_lines(processes: ProcessesMemory) -> Iterator[Line]:
    usage = processes.usage
    together: dict[Place, list[int]] = {}  # a list for each process would cost thrice as much
    for identity, place in processes.places.items():
        together.setdefault(place, []).extend(identity)
    yield "looked", processes.time
    yield "places", [(*place, identities) for place, identities in together.items()]
    yield "cpu", list(usage.seconds.items())
    if usage.slices is not None:
        yield "has slices", True
        yield "slices", list(usage.slices.items())
    if usage.latest is not None:
        used = usage.processes or {}
        yield "latest", [usage.latest]
        yield "processes", [(*identity, seconds) for identity, seconds in used.items()]


def volatile_of(found: dict[str, Any]) -> Volatile:
    """Return what values by kind say. Raises KeyError, TypeError, ... where they are others."""

    def of_texts(kind: str, count: int) -> dict[Any, float]:
        rows = found.get(kind, ())
        if any(len(row) != count + 1 for row in rows):
            raise ValueError(f"another number of fields in {kind}")
        return {tuple(texts): float(time) for *texts, time in rows}

    asked, seconds = found.get("asked", ("", 0.0))
    known = accounts.NOTHING
    if "accounts" in found:
        signature, pause = found["accounts"]
        answers = [record_of(Answer, values) for values in found.get("answers", ())]
        by_question = {answer.question: answer for answer in answers}
        known = Known(by_question, signature, record_of(Pause, pause))
    connections = ConnectionsMemory()
    if "network" in found:
        signature, time = found["network"]
        each = tuple(record_of(Connection, values) for values in found.get("connections", ()))
        connections = ConnectionsMemory(signature, float(time), each)
    addresses = {
        (ident, leader, float(start)): ip for ident, leader, start, ip in found.get("addresses", ())
    }
    return Volatile(
        sessions=SessionsMemory(
            of_texts("sessions", 6) if "known" in found else None,
            of_texts("ended", 2),
            of_texts("gone", 4),
            addresses,
        ),
        accounts=known,
        processes=_processes(found),
        connections=connections,
        auth=AuthNotes((asked, float(seconds)), dict(found.get("strange", ()))),
        said=dict(found.get("said", ())),
    )


def _processes(found: dict[str, Any]) -> ProcessesMemory:
    places: Places = {}
    for session, slice_, uid, owner, identities in found.get("places", ()):
        places.update(dict.fromkeys(_pairs(identities), (session, slice_, uid, owner)))
    usage = Usage({uid: float(seconds) for uid, seconds in found.get("cpu", ())})
    if "has slices" in found:
        slices = {uid: float(seconds) for uid, seconds in found.get("slices", ())}
        usage = usage._replace(slices=slices)
    if "latest" in found:
        rows = found.get("processes", ())
        used = {(pid, start): seconds for pid, start, seconds in rows}
        usage = usage._replace(processes=used, latest=found["latest"][0])
    return ProcessesMemory(usage, places, float(found.get("looked", 0.0)))


def _flat(numbers: Mapping[int, Number]) -> list[int | Number]:
    return [number for pair in numbers.items() for number in pair]


def _pairs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Return numbers two and two. Raises ValueError."""
    if len(numbers) % 2:
        raise ValueError("an odd number of them")
    each = iter(numbers)
    return zip(each, each)


_TYPES = {"str": str, "int": int, "float": float, "bool": bool}


def record_of(kind: type[Made], values: list[Any]) -> Made:
    """Return the record of type ``kind`` with these values. Raises ValueError where it has others.

    JSON has a whole number where a float was given one.
    """
    names = kind.__annotations__.values()
    if len(values) != len(names):
        raise ValueError(f"{len(values)} fields for a {kind.__name__}")
    for place, name in enumerate(names):
        wanted = _TYPES.get(name)
        if wanted and type(values[place]) is not wanted:
            if not (wanted is float and type(values[place]) is int):
                raise ValueError(f"{values[place]!r} in a {kind.__name__}")
            values[place] = float(values[place])
    return quick(kind, values)  # type: ignore[type-var]
