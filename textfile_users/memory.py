"""What scans hand to the next one, and the two files that keep it.

The durable file holds what must not be lost: what was counted, together with the positions up to
which logs are read. It is replaced as a whole, and only when something in it changed. The volatile
file lies on tmpfs where there is one, carries the boot id, and may vanish at any time.

A file is lines of JSON: a header, [KIND, VALUE] for each kind of what is kept, and the checksum of
the lines before it. Times are seconds since the epoch.
"""

from __future__ import annotations

import errno
import os
from binascii import crc32

from textfile_users import accounts
from textfile_users.accounts import Answer, Known, Pause
from textfile_users.collectors.auth import AuthMemory, AuthNotes
from textfile_users.collectors.connections import ConnectionsMemory
from textfile_users.collectors.history import HistoryMemory
from textfile_users.collectors.processes import ProcessesMemory
from textfile_users.collectors.sessions import SessionsMemory
from textfile_users.connections import Connection
from textfile_users.counting import Counts, dropping
from textfile_users.logins import Login
from textfile_users.record import Record, quick
from textfile_users.sources.files import read_regular, reason
from textfile_users.sources.follow import Position
from textfile_users.sources.json_text import dumps, loads
from textfile_users.usage import Usage
from textfile_users.writer import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeVar

    from textfile_users.auth.attempts import AuthEvent, Key
    from textfile_users.auth.attempts import Memory as Said
    from textfile_users.sources.processes import Place, Places

    Made = TypeVar("Made")
    Number = TypeVar("Number", int, float)
    Line = tuple[str, object]

DURABLE = "durable.json"
VOLATILE = "volatile.json"
# As they were called when they were CSV.
OLD_NAMES = {DURABLE: "durable.csv", VOLATILE: "volatile.csv"}
HEADERS = {DURABLE: ["textfile-users durable", 3], VOLATILE: ["textfile-users volatile", 2]}
MAX_BYTES = 8 << 20
# Of a file that would be larger each kind of line may have so many bytes.
SHARES = {
    "counters": 3200 << 10,  # of which counting.py has bounds of its own
    "failures": 1536 << 10,
    "spoken": 1536 << 10,
    "logins": 1280 << 10,
    "held": 256 << 10,
    "last logins": 256 << 10,
    "sessions": 2048 << 10,
    "places": 2048 << 10,
    "processes": 1280 << 10,
    "connections": 896 << 10,
    "answers": 384 << 10,
    "cpu": 384 << 10,
    "slices": 256 << 10,
    "gone": 256 << 10,
    "addresses": 256 << 10,
    "ended": 128 << 10,
    "said": 128 << 10,
}
# Of these the first stay, so that what was counted goes on, of others the last: the newest.
OLDEST_STAY = ("counters",)
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


class Saved(Record):
    """The bytes of a state file, and what they say: a further scan of a run need not read them."""

    data: bytes
    value: Any


NOTHING = Memory()
NEVER_SAVED = Saved(b"", None)


def load_durable(directory: str, known: Saved = NEVER_SAVED) -> Saved:
    """Return the durable file of ``directory``, as ``known`` where it has not changed since.

    Its value is Durable() where there is no file. Raises OSError where it cannot be read,
    ValueError where it is no state and never will be.
    """
    path = state_file(directory, DURABLE)
    try:
        if path.endswith(OLD_NAMES[DURABLE]):
            from textfile_users import older_memory

            return Saved(b"", older_memory.load_durable(path))
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        if os.path.islink(path):
            raise ValueError("is a link that leads nowhere") from None
        return Saved(b"", Durable())
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.EFBIG):
            raise ValueError(reason(error)) from error
        raise
    return known if data == known.data != b"" else Saved(data, parse_durable(data))


def load_volatile(directory: str, boot_id: str, known: Saved = NEVER_SAVED) -> Saved:
    """Return the volatile file of ``directory``, as ``known`` where it has not changed since.

    Its value is Volatile() where there is no file of this boot. Raises OSError and ValueError
    where it cannot be read.
    """
    path = state_file(directory, VOLATILE)
    try:
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return Saved(b"", Volatile())
    if path.endswith(OLD_NAMES[VOLATILE]):
        from textfile_users import older_memory

        return Saved(b"", older_memory.parse_volatile(data, boot_id))
    return known if data == known.data != b"" else Saved(data, parse_volatile(data, boot_id))


def state_file(directory: str, name: str) -> str:
    """Return the path of a state file in ``directory``: that of an older version if it is alone."""
    path, old = os.path.join(directory, name), os.path.join(directory, OLD_NAMES[name])
    return old if not os.path.lexists(path) and os.path.lexists(old) else path


def save_durable(directory: str, durable: Durable) -> Saved:
    """Replace the file in ``directory``; what has no place there is dropped. Raises OSError."""
    data, dropped = _format(HEADERS[DURABLE], _durable_lines(durable))
    if dropped:
        kept = parse_durable(data)
        durable = kept._replace(counts=dropping(kept.counts, "", dropped))
        data, _ = _format(HEADERS[DURABLE], _durable_lines(durable))
    return _save(directory, DURABLE, Saved(data, durable))


def save_volatile(directory: str, volatile: Volatile, boot_id: str) -> Saved:
    """Replace the file in ``directory``; what has no place there is forgotten. Raises OSError."""
    data, dropped = _format([*HEADERS[VOLATILE], boot_id], _volatile_lines(volatile))
    volatile = parse_volatile(data, boot_id) if dropped else volatile
    return _save(directory, VOLATILE, Saved(data, volatile))


def _save(directory: str, name: str, saved: Saved) -> Saved:
    old = state_file(directory, name)
    path = os.path.join(directory, name)
    write_whole(path, saved.data, 0o600, for_owner=True)
    if old != path:  # an older version that comes back must not count again from there
        os.unlink(old)
    return saved


def put_aside(directory: str) -> str:
    """Give a durable file that cannot be read another name, and return that. Raises OSError."""
    path = state_file(directory, DURABLE)
    os.rename(path, path + ".unreadable")
    return path + ".unreadable"


def format_durable(durable: Durable) -> bytes:
    """Return the file's content, from which parse_durable makes ``durable`` again."""
    return _format(HEADERS[DURABLE], _durable_lines(durable))[0]


def format_volatile(volatile: Volatile, boot_id: str) -> bytes:
    """Return the file's content, from which parse_volatile makes ``volatile`` again."""
    return _format([*HEADERS[VOLATILE], boot_id], _volatile_lines(volatile))[0]


def parse_durable(data: bytes) -> Durable:
    """Return what the file's bytes say.

    Raises ValueError where they are no such file, of a version not known, cut short or damaged.
    """
    header, found = _parse(data)
    if header != HEADERS[DURABLE]:
        if header[:1] != HEADERS[DURABLE][:1]:
            raise ValueError("no state of this program")
        raise ValueError(f"of version {header[1:]}, not {HEADERS[DURABLE][1]}")
    return _understood(_durable, found)


def parse_volatile(data: bytes, boot_id: str) -> Volatile:
    """Return what the file's bytes say, Volatile() where they are another boot's.

    Raises ValueError where they are no such file of this version, or not a whole one.
    """
    header, found = _parse(data)
    if header[:-1] != HEADERS[VOLATILE]:
        raise ValueError("not of this version")
    return _understood(_volatile, found) if header[-1] == boot_id else Volatile()


def _understood(make: Callable[[dict[str, Any]], Made], found: dict[str, Any]) -> Made:
    try:
        return make(found)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not understood: {error!r}") from error


def _format(header: list[object], lines: Iterable[Line]) -> tuple[bytes, int]:
    """Return a state file, and how many items of its lists had no place in it."""
    made = {kind: _line(kind, value) for kind, value in lines if value}
    dropped = 0
    if sum(map(len, made.values())) > MAX_BYTES - 1024:
        for kind in SHARES.keys() & made.keys():
            if len(made[kind]) > SHARES[kind]:
                items = _loads(made[kind])[1]
                within = _within(items, SHARES[kind], kind in OLDEST_STAY)
                dropped += len(items) - len(within)
                made[kind] = _line(kind, within)
    data = b"\n".join([_line(*header), *made.values(), b""])
    return data + _end_of(data), dropped


def _line(*values: object) -> bytes:
    return dumps(values).encode("utf-8", "surrogatepass")  # names may be halves of a character


def _loads(line: bytes) -> Any:
    return loads(line.decode("utf-8", "surrogatepass"))


def _within(items: list[object], share: int, oldest_stay: bool) -> list[object]:
    """Return as many items as have a place in ``share`` bytes, the first or the last of them."""
    ordered = items if oldest_stay else items[::-1]
    left = share - 64
    count = 0
    for item in ordered:
        left -= len(_line(item)) - 1
        if left < 0:
            break
        count += 1
    return items[:count] if oldest_stay else items[len(items) - count :]


def _parse(data: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return the header of a state file, and the value of each kind."""
    if not data.endswith(b"\n"):
        raise ValueError("cut short")
    start = data.rfind(b"\n", 0, -1) + 1
    first, *lines = data[:start].split(b"\n")[:-1] or [b""]
    header = _loads(first) if first.startswith(b'["textfile-users ') else None
    if not isinstance(header, list):
        raise ValueError("no state of this program")  # noqa: TRY004 - as for any content
    if data[start:] != _end_of(data[:start]):
        is_end = data.startswith(b'["end",', start)
        raise ValueError("damaged" if is_end else "cut short")
    return header, dict(map(_loads, lines))


def _end_of(data: bytes) -> bytes:
    """Return the last line of a state file: the checksum of the ``data`` before it."""
    return b'["end","%08x"]\n' % crc32(data)


def _durable_lines(durable: Durable) -> Iterator[Line]:
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


def _durable(found: dict[str, Any]) -> Durable:
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
        from textfile_users.sources.wtmpdb import WtmpdbPosition

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
        from textfile_users.sources.journals import JournalPosition

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


def _spoken(service: str, who: str | int, values: list[Any]) -> tuple[Key, Said]:
    from textfile_users.auth.attempts import Memory as Said

    time, said, held, peer, port = values
    return (service, who), record_of(Said, [time, said, tuple(map(_event, held)), peer, port])


def _event(values: list[Any]) -> AuthEvent:
    from textfile_users.auth.attempts import AuthEvent
    from textfile_users.auth.finding import Finding

    time, pid, line, said = values
    return record_of(AuthEvent, [time, pid, line, record_of(Finding, said)])


def _volatile_lines(volatile: Volatile) -> Iterator[Line]:
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


def _volatile(found: dict[str, Any]) -> Volatile:
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
