"""The saved state of versions before 1.0, which was CSV: taken over by the first scan.

Of the durable file versions 1 and 2 are read, of the volatile one version 1.
"""

from __future__ import annotations

import csv
import io
from binascii import crc32

from textfile_users.accounts import account as accounts
from textfile_users.accounts.account import Answer, Pause
from textfile_users.auth.journal_files import JournalPosition
from textfile_users.auth.logs import AuthMemory, AuthNotes
from textfile_users.auth.remembered import Key, Remembered
from textfile_users.auth_event import AuthEvent, Finding
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.connection import Connection
from textfile_users.counting import Counts, dropping
from textfile_users.history.collect_history import HistoryMemory
from textfile_users.history.wtmpdb import WtmpdbPosition
from textfile_users.logins import Login
from textfile_users.memory import Durable, Volatile
from textfile_users.processes.collect_processes import ProcessesMemory, Usage
from textfile_users.reading.files import read_regular
from textfile_users.reading.position import Position
from textfile_users.sessions.collect_sessions import SessionsMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from textfile_users.processes.process_table import Places

    Made = TypeVar("Made")
    Rows = dict[str, list[list[str]]]

DURABLE = "textfile-users durable"
VOLATILE = ["textfile-users volatile", "1"]  # the boot id follows
NO_SCAN = "no scan has found sessions yet"
MAX_READ = 64 << 20  # bytes of a durable file: the first versions had no bound
MAX_BYTES = 8 << 20
# Of a durable file over MAX_BYTES each kind of row may have so many bytes.
SHARES = {
    "counter": 3200 << 10,
    "failures": 1536 << 10,
    "process": 1536 << 10,
    "login": 1280 << 10,
    "held": 256 << 10,
    "last login": 256 << 10,
}
OLDEST = "counter"  # of this kind the first rows stay
NUL = "\udc00"  # stands for one

_READERS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": "True".__eq__,
}


def load_durable(path: str) -> Durable:
    """Return the state in the file ``path``.

    Raises OSError where it cannot be read, ValueError where it is no state.
    """
    data = read_regular(path, MAX_READ)
    if len(data) <= MAX_BYTES:
        return parse_durable(data)
    _require_end(data)
    data, dropped = within(data, SHARES, OLDEST)
    durable = parse_durable(data)
    return durable._replace(counts=dropping(durable.counts, "", dropped))


def parse_durable(data: bytes) -> Durable:
    """Return what the durable file's bytes say. Raises ValueError where they are none."""
    rows = _rows(data)
    header = rows[0] if rows else []
    if header[:1] != [DURABLE]:
        raise ValueError("no state of this program")
    if header[1:] not in (["1"], ["2"]):
        raise ValueError(f"of version {header[1:]}, not 2")
    _require_end(data)
    found = _by_kind(rows)
    try:
        if header[1] == "1":
            found["counter"] = [_counter(*row) for row in found.get("counter", ())]
        return _durable(found)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not understood: {error!r}") from error


def parse_volatile(data: bytes, boot_id: str) -> Volatile:
    """Return what the volatile file's bytes say, Volatile() where they are another boot's.

    Raises ValueError where they are no such file.
    """
    rows = _rows(data)
    if not rows or rows[0][:-1] != VOLATILE:
        raise ValueError("not of this version")
    _require_end(data)
    return _volatile(_by_kind(rows)) if rows[0][-1] == boot_id else Volatile()


def _rows(data: bytes) -> list[list[str]]:
    if not data.endswith(b"\n"):
        raise ValueError("cut short")
    text = data.decode("utf-8", "surrogatepass")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return [[cell.replace(NUL, "\0") for cell in row] for row in rows] if NUL in text else rows


def _by_kind(rows: list[list[str]]) -> Rows:
    found: Rows = {}
    for kind, *texts in rows[1:-1]:
        found.setdefault(kind, []).append(texts)
    return found


def _durable(found: Rows) -> Durable:
    ((began,),) = found["began"]
    ((boot_id, boot),) = found["boot"]
    ((source, time, *quiet),) = found["source"]
    ((forgotten,),) = found["forgotten"]
    failures: dict[str, dict[int, int]] = {}
    for address, minutes, *count in found.get("failures", ()):
        # The first versions had a row for each minute.
        numbers = _pairs(" ".join((minutes, *count)))
        failures.setdefault(address, {}).update(numbers)
    counts = Counts(
        began=float(began),
        boot=float(boot),
        counters={tuple(series): float(value) for value, *series in found.get("counter", ())},
        failures=failures,
        attempts=dict(_pairs(" ".join(text for (text,) in found.get("attempts", ())))),
        last_logins={user: float(time) for user, time in found.get("last login", ())},
        logins=tuple(_from_row(Login, texts) for texts in found.get("login", ())),
        forgotten=float(forgotten),
    )
    journal = [_from_row(JournalPosition, texts) for texts in found.get("journal", ())]
    auth = AuthMemory(
        source=source,
        time=float(time),
        quiet=float(quiet[0]) if quiet else 0.0,
        logs={path: _position(texts) for path, *texts in found.get("log", ())},
        journal=journal[0] if journal else None,
        remembered=tuple(_process(texts) for texts in found.get("process", ())),
        held=tuple(map(_event, found.get("held", ()))),
        last=_event(found["last"][0]) if "last" in found else None,
    )
    history = HistoryMemory(
        boot_id=boot_id,
        records={path: _position(texts) for path, *texts in found.get("records", ())},
        wtmpdb=_wtmpdb(found.get("wtmpdb")),
        seen=dict(found.get("seen", ())),
    )
    return Durable(counts, auth, history)


def _counter(value: str, family: str = "", *labels: str) -> list[str]:
    """Return the row of a counter as this version has it."""
    if family == "users_reboots_total":
        return [value, family, "clean"]  # as most are; a count of crashes is for an alert
    if family == "users_escalations_total":
        *who, result = labels
        is_failure = result == "failure"
        return [value, "users_escalation_failures_total" if is_failure else family, *who]
    return [value, family, *labels]


def _position(texts: list[str]) -> Position:
    is_old = len(texts) == len(Position._fields) - 1  # 0.1.0 did not know ``left``
    return _from_row(Position, [*texts, ""] if is_old else texts)


def _wtmpdb(rows: list[list[str]] | None) -> WtmpdbPosition | None:
    if not rows:
        return None
    last_id, last_login, signature, *open_ids = rows[0]
    return WtmpdbPosition(int(last_id), int(last_login), tuple(map(int, open_ids)), signature)


def _process(texts: list[str]) -> tuple[Key, Remembered]:
    service, kind, who, time, said, *rest = texts
    port = int(rest.pop()) if len(rest) % _EVENT == 2 else 0
    peer = rest.pop() if len(rest) % _EVENT == 1 else ""  # alone in an older version
    held = tuple(_event(rest[at : at + _EVENT]) for at in range(0, len(rest), _EVENT))
    key = service, int(who) if kind == "pid" else who
    return key, Remembered(float(time), said, held, peer, port)


_PLACE = 3  # the fields of AuthEvent before the finding
_EVENT = _PLACE + len(Finding._fields)


def _event(texts: list[str]) -> AuthEvent:
    time, pid, line = texts[:_PLACE]
    return AuthEvent(float(time), int(pid), int(line), _from_row(Finding, texts[_PLACE:]))


def _volatile(found: Rows) -> Volatile:
    # The first versions had one text for from where a session is.
    sessions = {
        (ident, user, tty, type_, where[0], where[-1]): float(start)
        for ident, user, tty, type_, *where, start in found.get("session", ())
        if where
    }
    gone = {
        (user, where[0], where[-1], tty): float(time)
        for user, *where, tty, time in found.get("gone", ())
        if where
    }
    ended = {(user, type_): float(time) for user, type_, time in found.get("ended", ())}
    addresses = {
        (ident, int(leader), float(start)): ip
        for ident, leader, start, ip in found.get("address", ())
    }
    known = None if NO_SCAN in found else sessions
    asked = AuthNotes().asked
    for text, time in found.get("asked", ()):
        asked = text, float(time)
    strange = {path: beginning for path, beginning in found.get("strange", ())}  # noqa: C416 - pairs
    connections = ConnectionsMemory()
    for signature, time in found.get("network", ()):
        each = tuple(_from_row(Connection, texts) for texts in found.get("connection", ()))
        connections = ConnectionsMemory(signature, float(time), each)
    return Volatile(
        SessionsMemory(known, ended, gone, addresses),
        _known(found),
        _processes(found),
        connections,
        AuthNotes(asked, strange),
        {fault: float(time) for fault, time in found.get("said", ())},
    )


def _known(found: Rows) -> accounts.Known:
    answers = [_from_row(Answer, texts) for texts in found.get("answer", ())]
    known = accounts.NOTHING._replace(answers={answer.question: answer for answer in answers})
    for signature, *pause in found.get("accounts", ()):
        known = known._replace(signature=signature, pause=_from_row(Pause, pause))
    return known


def _processes(found: Rows) -> ProcessesMemory:
    places: Places = {}
    for session, slice_, uid, owner, identities in found.get("place", ()):
        place = session, int(slice_), int(uid), int(owner)
        places.update(dict.fromkeys(_pairs(identities), place))
    scanned = 0.0
    for (text,) in found.get("looked", ()):
        scanned = float(text)
    return ProcessesMemory(_usage(found), places, scanned)


def _usage(found: Rows) -> Usage:
    usage = Usage({int(uid): float(seconds) for uid, seconds in found.get("cpu", ())})
    if "slices" in found:
        slices = {int(uid): float(seconds) for uid, seconds in found.get("slice", ())}
        usage = usage._replace(slices=slices)
    for (latest,) in found.get("processes", ())[-1:]:
        processes: dict[tuple[int, int], float] = {}
        for identities, texts in found.get("process", ()):
            known, seconds = list(_pairs(identities)), texts.split()
            if len(seconds) != len(known):
                raise ValueError("not as many processes as CPU times")
            processes.update(zip(known, map(float, seconds)))
        usage = usage._replace(processes=processes, latest=int(latest))
    return usage


def _from_row(kind: type[Made], texts: Iterable[str]) -> Made:
    """Return the record of type ``kind`` that ``texts`` are.

    Raises ValueError where they are no such record.
    """
    values = list(texts)
    types = list(kind.__annotations__.values())
    if len(values) != len(types):
        raise ValueError(f"{len(values)} fields for a {kind.__name__}")
    return kind(*[_READERS[name](text) for name, text in zip(types, values)])


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """Return the numbers of ``text``, two and two. Raises ValueError."""
    texts = text.split()
    if len(texts) % 2:
        raise ValueError("an odd number of them")
    numbers = map(int, texts)
    return zip(numbers, numbers)


def within(data: bytes, shares: Mapping[str, int], oldest: str = "") -> tuple[bytes, int]:
    """Return a file of rows without those over their kind's share, and how many these are.

    ``shares`` are bytes by kind; the rows of a kind stand together. The last ones stay, which are
    the newest, of the kind ``oldest`` the first. No row is looked at, so that much takes no time.
    """
    over = []  # from where to where
    dropped = 0
    for kind, share in shares.items():
        begin = b'\n"%s",' % kind.encode()  # no other line begins so: a quote in a field is double
        start = data.find(begin)
        if start < 0:
            continue
        end = _next_row(data, data.rfind(begin) + 1)
        if end - start <= share:
            continue
        if kind == oldest:
            start = max(start, data.rfind(begin, start, start + share + len(begin)))
        else:
            place = data.find(begin, end - share, end)
            end = end if place < 0 else place
        over.append((start, end))
        dropped += data.count(begin, start, end)
    pieces = []
    place = 0
    for start, end in sorted(over):
        pieces.append(data[place:start])
        place = end
    pieces.append(data[place : data.rfind(b"\n", 0, -1) + 1])
    kept = b"".join(pieces)
    return kept + _end_of(kept), dropped


def _next_row(data: bytes, place: int) -> int:
    """Return where the newline before the row behind the one at ``place`` is."""
    while True:
        place = data.index(b'\n"', place) + 1
        if data[place + 1 : place + 2].isalpha():  # else a field's quote behind its newline
            return place - 1


def _end_of(data: bytes) -> bytes:
    """Return the last line of a file, which has the checksum of the ``data`` before it."""
    return b'"end","%08x"\n' % crc32(data)


def _require_end(data: bytes) -> None:
    """Raise ValueError where a file is cut short, or is not what was written."""
    start = data.rfind(b"\n", 0, -1) + 1
    last = data[start:]
    if not last.startswith(b'"end"') or not last.endswith(b"\n"):
        raise ValueError("cut short")
    if last != _end_of(data[:start]):
        raise ValueError("damaged")
